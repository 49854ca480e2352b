"""Label images in PNG files: the class number of each pixel.

A palette's index is the class, whatever its colour; greys are read as they were written, of 1 to
16 bits. One file is decoded at a time.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.errors import BadDataset, UnreadableFile
from velour_plugin.helpers.input_files import check_regular
from velour_plugin.helpers.limits import limit

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">8sI4sIIBB")
_GREY, _PALETTE = 0, 3
_COLOURS = {2: "RGB", 4: "grey and alpha", 6: "RGBA"}


@dataclass(frozen=True, slots=True)
class PngHeader:
    """Size and kind of pixels, from the header of a PNG file.

    Args:
        height: in pixels.
        width: in pixels.
        depth: bits of a sample.
        colour: 0 for grey, 3 for a palette.
    """

    height: int
    width: int
    depth: int
    colour: int


def read_label_png(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Decode a label image: ``(height, width)`` uint8 or uint16.

    Raises:
        UnreadableFile: the file cannot be read.
        BadDataset: it is no PNG, is damaged, has more pixels than ``VELOUR_MAX_LABEL_PIXELS``, or
            holds colours.
    """
    header = png_header(path)
    from PIL.PngImagePlugin import PngImageFile  # without Pillow's limit, for png_header has one

    try:
        with PngImageFile(path) as image:
            image.verify()  # checksums, which are not looked at when pixels are decoded
        with PngImageFile(path) as image:
            pixels = np.asarray(image)
    except Exception as error:  # as Pillow likes: EOFError, SyntaxError, struct.error, zlib.error
        raise BadDataset(f"{os.fspath(path)!r} is a damaged PNG: {error}.") from error
    if header.depth == 16:
        return pixels.astype(np.uint16, copy=False)
    pixels = pixels.astype(np.uint8, copy=False)
    # Pillow stretches greys of 2 and 4 bits to 0 to 255
    stretched = header.colour == _GREY and header.depth in (2, 4)
    return pixels // np.uint8(255 // (2**header.depth - 1)) if stretched else pixels


def png_header(path: str | os.PathLike[str]) -> PngHeader:
    """Read the header of a file; refuse a file that is no label image, before it is decoded.

    Raises:
        UnreadableFile: the file cannot be read.
        BadDataset: it is no PNG, has more pixels than ``VELOUR_MAX_LABEL_PIXELS``, or holds
            colours.
    """
    name = os.fspath(path)
    check_regular(path)
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD.size)
    except OSError as error:
        raise UnreadableFile(repr(name), error) from error
    if len(head) < _HEAD.size or not head.startswith(_SIGNATURE) or head[12:16] != b"IHDR":
        raise BadDataset(f"{name!r} is no PNG: label images are PNG files of grey or a palette.")
    width, height, depth, colour = _HEAD.unpack(head)[3:]
    if colour not in (_GREY, _PALETTE):
        raise BadDataset(
            f"{name!r} holds colours ({_COLOURS.get(colour, f'type {colour}')}), not numbers of "
            "classes: write the number of each pixel's class as a grey or palette PNG; a picture "
            "in the colours of classes is converted first."
        )
    _check_pixels(name, height, width)
    return PngHeader(height, width, depth, colour)


def _check_pixels(name: str, height: int, width: int) -> None:
    """A small file may claim to be enormous, and truly decode to that."""
    most = limit("VELOUR_MAX_LABEL_PIXELS")
    if height * width > most:
        raise BadDataset(
            f"{name!r} has {height}x{width} pixels by its head: at most {most:,} are decoded; cut "
            "it into tiles, or raise VELOUR_MAX_LABEL_PIXELS."
        )
