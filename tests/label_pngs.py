"""PNG files of any bit depth, written sample by sample: Pillow writes no grey of 2 or 4 bits."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}


def write_png(path: Path, image: ArrayLike, depth: int = 8, colour: int = GREY) -> Path:
    """Write samples as they are.

    Args:
        path: of the file; folders are made.
        image: ``(height, width)`` or ``(height, width, channels)`` whole numbers.
        depth: bits of a sample.
        colour: type of colour, see the names above.
    """
    samples = np.asarray(image)
    assert (samples.shape[2] if samples.ndim == 3 else 1) == _CHANNELS[colour]
    height, width = samples.shape[:2]
    palette = np.arange(3 << min(depth, 8)).astype(np.uint8)[::-1].tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
        + (chunk(b"PLTE", palette) if colour == PALETTE else b"")
        + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + _packed(row, depth) for row in samples)))
        + chunk(b"IEND", b"")
    )
    return path


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG file."""
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def _packed(row: ArrayLike, depth: int) -> bytes:
    samples = np.ravel(row)
    if depth == 16:
        return samples.astype(">u2").tobytes()
    bits = samples[:, None] >> np.arange(depth)[::-1] & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()
