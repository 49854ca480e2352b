"""Find the image file of a datum, and read it at the size of a report.

A datum's metadata, or its uid, names its file, in the folder that the caller passes; without one,
in the working directory and where datasets of the usual layouts keep images beside annotations.
Metadata may be a stranger's, and reports are shown to others: a file outside of these folders is
not read, unless the environment variable ``VELOUR_IMAGES_ANYWHERE`` is ``1``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from velour_plugin.domain.annotations import Datum
from velour_plugin.errors import InvalidInput
from velour_plugin.helpers.paths import is_within

if TYPE_CHECKING:
    from PIL.Image import Image

NAMES = ("file_name", "image_path", "image", "path", "filename")
"""Metadata that may name the file of a datum; other values do when they end as images do."""

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")

ANYWHERE, PIXELS = "VELOUR_IMAGES_ANYWHERE", "VELOUR_IMAGE_PIXELS"
"""Environment variables: ``1`` reads images outside of their folder; the pixels read at most."""
MOST_PIXELS = 64_000_000
"""Pixels that are decoded at most, unless the environment says otherwise: 256 MB of memory."""


class RefusedImage(InvalidInput):
    """An image that is there, and is not read; the message says why."""


class ImageFolder(NamedTuple):
    """A folder in which images may be, and the one that they may not leave."""

    path: Path
    root: Path


def image_folders(folder: Path | None, source_path: str | None = None) -> Iterator[ImageFolder]:
    """Folders in which images may be, the most likely first.

    Args:
        folder: the one that the caller passes; only it and the folders in it are searched then.
        source_path: what the dataset was read from: COCO's ``annotations/instances_SPLIT.json``
            beside ``SPLIT/``, VOC's ``JPEGImages``, YOLO's ``images/SPLIT`` and ``SPLIT/images``.
    """
    if folder is not None:
        paths = (folder, folder / "images", *sorted(folder.glob("*/")))
        yield from (ImageFolder(path, folder) for path in paths)
        return
    yield ImageFolder(Path(), Path())
    if source_path is None:
        return
    source = Path(source_path)
    home = source if source.is_dir() else source.parent
    split = source.stem.partition("_")[2]
    for root in (home, *list(home.parents)[:2]):
        names = ("", "images", "JPEGImages", split)
        yield from (ImageFolder(root / name, root) for name in names)
    for pattern in ("images/*/", "*/images/"):
        yield from (ImageFolder(path, home) for path in home.glob(pattern))


def image_file(datum: Datum, folders: Sequence[ImageFolder]) -> Path | None:
    """The file that a datum's metadata name, or else its uid, in the first folder that has it.

    A uid may lack the ending of the file's name.

    Raises:
        RefusedImage: there is a file, and it is outside of the folders.
    """
    anywhere, outside = os.environ.get(ANYWHERE) == "1", None
    for name, folder in product(_file_names(datum), folders):
        path = folder.path / name
        if os.path.isfile(path):  # false, whatever a uid is
            if anywhere or is_within(path, folder.root):
                return path
            outside = outside or path
    if outside is not None:
        raise RefusedImage(
            f"datum {datum.uid!r}: {str(outside)!r} is outside of the images' folder: name its "
            f"folder (images=), or allow it by {ANYWHERE}=1."
        )
    return None


def _file_names(datum: Datum) -> Iterator[str]:
    """Names that may be the datum's image file, the most likely first."""
    metadata = datum.metadata
    named = (metadata.get(key) for key in NAMES)
    yield from (name for name in named if isinstance(name, str) and name)
    yield datum.uid
    if not _is_image(datum.uid):
        yield from (f"{datum.uid}{ending}" for ending in ENDINGS)
    others = (value for key, value in metadata.items() if key not in NAMES)
    yield from (value for value in others if isinstance(value, str) and _is_image(value))


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def opened_image(path: Path, side: int) -> tuple[Image, float] | None:
    """Read an image, shrunk to ``side`` pixels, and its scale; ``None`` if it is no image.

    Raises:
        RefusedImage: it has too many pixels to be decoded.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is ours
            file = Image.open(path)
        with file:
            width = file.width
            file.draft("RGB", (side, side))  # JPEG is read at about the size that is needed
            _check_pixels(path, file.size)
            image = file.convert("RGB")
    except RefusedImage:
        raise
    except Image.DecompressionBombError as error:
        raise RefusedImage(f"{str(path)!r} is not read: {error}") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None
    image.thumbnail((side, side))
    return image, image.width / width


def _check_pixels(path: Path, size: tuple[int, int]) -> None:
    text = os.environ.get(PIXELS) or str(MOST_PIXELS)
    if not text.isdecimal():
        raise RefusedImage(f"{PIXELS}={text!r}: expected a number of pixels, as {MOST_PIXELS}.")
    if size[0] * size[1] > int(text):
        raise RefusedImage(
            f"{str(path)!r} has {size[0]:,} × {size[1]:,} pixels, and {int(text):,} are read at "
            f"most: shrink it, or raise the limit by {PIXELS}."
        )
