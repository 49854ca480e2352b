"""Sizes of image files as they are shown: only heads are read, whatever the size."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from velour_plugin import ImageMetadata
from velour_plugin.errors import BadDataset, InvalidInput, MissingExtra, UnreadableFile
from velour_plugin.plugin import check_regular, note_repaired

SIZES_FROM_TABLE = (
    "pass --metadata (in Python metadata=), a table with the columns file_name, width, height"
)
_ORIENTATION = 0x0112
_TURNED = range(5, 9)
"""Orientations of EXIF in which an image is shown with its sides exchanged."""
_HEAD = 16
"""Bytes by which Pillow's readers know their files."""


def measured(path: Path) -> ImageMetadata:
    """Measure height and width of an image file as it is shown.

    Raises:
        InvalidInput: it is missing, or no regular file.
        BadDataset: it is no image that Pillow reads.
        MissingExtra: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"sizes of images are read by Pillow: pip install pillow; or {SIZES_FROM_TABLE}."
        ) from error
    try:
        check_regular(path)
        try:
            with Image.open(path) as image:
                return _shown_size(image, path)
        except Image.DecompressionBombError:  # a limit of what is decoded, and nothing is
            with open(path, "rb") as file:
                return _shown_size(_beyond_limit(file, os.fspath(path), Image), path)
    except UnreadableFile as error:
        raise InvalidInput(f"{error} Put it there, or {SIZES_FROM_TABLE}.") from error
    except BadDataset:  # strict reading refuses a repair
        raise
    except Exception as error:  # readers of sixty formats raise what they like
        raise BadDataset(
            f"{os.fspath(path)!r} is no image that Pillow reads: {error}. Mend it, or "
            f"{SIZES_FROM_TABLE}."
        ) from error


@contextmanager
def without_warnings() -> Iterator[None]:
    """Context manager without Pillow's warnings of large images, of which nothing is decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _shown_size(image: Any, path: Path) -> ImageMetadata:
    width, height = image.size
    if image.format in ("JPEG", "MPO") and _is_turned(image, path):
        width, height = height, width
    return ImageMetadata(height, width)


def _beyond_limit(file: BinaryIO, name: str, pillow: Any) -> Any:
    """An image by the first of Pillow's readers that takes it, as ``open`` finds it."""
    head = file.read(_HEAD)
    for reader, accepts in pillow.OPEN.values():
        if accepts is None or accepts(head) is True:
            file.seek(0)
            try:
                return reader(file, name)
            except (SyntaxError, IndexError, TypeError, struct.error):
                continue
    raise OSError("no reader takes it")


def _is_turned(image: Any, path: Path) -> bool:
    try:
        return image.getexif().get(_ORIENTATION) in _TURNED
    except Exception:
        note_repaired("images with damaged EXIF, taken as not turned", repr(os.fspath(path)))
        return False
