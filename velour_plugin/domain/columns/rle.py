"""Masks as run edges: arithmetic on sorted positions, never on pixels.

A mask of ``height`` x ``width`` pixels is read down its columns, as COCO does:
pixel (row, column) has position ``column * height + row``. Its *edges* are the
strictly increasing positions at which the value flips, starting from background;
an odd last run reaches to the end. Equal masks have equal edges.

Source: ``common/maskApi.c`` of the COCO API (rleEncode, rleToString, rleFrPoly);
the results here are the same to the bit, the arithmetic is on whole arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from velour_plugin.domain.columns.ring_walk import ring_crossings

Edges = NDArray[np.int64]

_AT_ONCE = 4_000_000


def edges_of_mask(mask: NDArray[np.bool_]) -> Edges:
    """Return the edges of a ``(height, width)`` boolean mask: where it flips, column by column.

    >>> edges_of_mask(np.array([[False, True], [False, True]]))
    array([2])
    """
    flat = np.asarray(mask, dtype=bool).ravel(order="F")
    flips = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return np.concatenate(([0], flips)) if flat.size and flat[0] else flips


def mask_of_edges(edges: Edges, height: int, width: int) -> NDArray[np.bool_]:
    """Undo :func:`edges_of_mask`: return the ``(height, width)`` boolean mask."""
    flips = np.zeros(height * width, dtype=np.uint8)
    flips[edges] = 1
    return np.bitwise_xor.accumulate(flips).astype(bool).reshape((height, width), order="F")


def edges_of_counts(counts: ArrayLike) -> Edges:
    """Convert COCO's uncompressed run lengths, the first run being background, to edges.

    >>> edges_of_counts([2, 3, 0, 1, 4])  # an empty run joins its neighbours
    array([2, 6])
    """
    positions = np.cumsum(np.asarray(counts, dtype=np.int64))
    return _odd_ones(positions[:-1], int(positions[-1]) if positions.size else 0)


def counts_of_edges(edges: Edges, height: int, width: int) -> NDArray[np.int64]:
    """Convert edges to run lengths, the first run being background and maybe empty."""
    return np.diff(np.concatenate(([0], edges, [height * width])))


def counts_of_text(text: str | bytes) -> NDArray[np.int64]:
    """Decode COCO's compressed run lengths: five bits a character, differences from the third on.

    Raises:
        ValueError: a character is outside the alphabet, or the last number is cut off.
    """
    characters = np.frombuffer(text.encode() if isinstance(text, str) else text, np.uint8)
    codes = characters.astype(np.int64) - 48
    if codes.size == 0:
        return codes
    if codes.min() < 0 or codes.max() > 63 or codes[-1] & 0x20:
        raise ValueError("not a COCO run-length string")
    last = np.flatnonzero((codes & 0x20) == 0)
    start = np.concatenate(([0], last[:-1] + 1))
    digit = np.arange(codes.size) - np.repeat(start, last - start + 1)
    if digit.max() > 11:
        raise ValueError("a run length has more than 60 bits")
    numbers = np.add.reduceat((codes & 0x1F) << (5 * digit), start)
    negative = (codes[last] & 0x10) != 0
    numbers[negative] -= np.int64(1) << (5 * (digit[last][negative] + 1))
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def text_of_counts(counts: Sequence[int] | NDArray[np.int64]) -> str:
    """Encode run lengths as COCO does; undoes :func:`counts_of_text`."""
    runs = [int(count) for count in counts]
    codes = bytearray()
    for index, run in enumerate(runs):
        number = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            code, number = number & 0x1F, number >> 5
            more = number != (-1 if code & 0x10 else 0)
            codes.append((code | 0x20 if more else code) + 48)
    return codes.decode()


def area_of_edges(edges: Edges, height: int, width: int) -> int:
    """Count the pixels of a mask."""
    open_run = height * width if edges.size % 2 else 0
    return int(edges[1::2].sum() - edges[0::2].sum()) + open_run


def box_of_edges(edges: Edges, height: int, width: int) -> tuple[float, float, float, float]:
    """Return the smallest x, y, width, height around a mask's pixels; all 0 for an empty mask."""
    if not edges.size:
        return (0.0, 0.0, 0.0, 0.0)
    starts, ends = edges[0::2], edges[1::2]
    if edges.size % 2:
        ends = np.append(ends, height * width)
    first, last = starts // height, (ends - 1) // height
    left, right = int(first.min()), int(last.max())
    if (first != last).any():  # a run that turns into the next column touches both borders
        top, bottom = 0, height - 1
    else:
        top, bottom = int((starts % height).min()), int(((ends - 1) % height).max())
    return (float(left), float(top), float(right - left + 1), float(bottom - top + 1))


def edges_of_rings(rings: Sequence[NDArray[np.float64]], height: int, width: int) -> Edges:
    """Rasterise one polygon by COCO's rule; a ring inside a ring is a hole (even-odd).

    Args:
        rings: each ``(points, 2)`` as x, y in pixels; closing points may be repeated.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        The edges of its mask; empty when it covers no pixel's centre line.

    Raises:
        BadGeometry: a point is too far away, see :func:`ring_crossings`.
    """
    crossings: list[Edges] = []
    room = _AT_ONCE
    for ring in rings:
        for more in ring_crossings(np.asarray(ring, np.float64), height, width):
            crossings.append(more)
            room -= len(more)
            if room < 0:  # pairs at one position cancel
                crossings = [_odd_ones(np.sort(np.concatenate(crossings)), height * width)]
                room = _AT_ONCE
    return _odd_ones(np.sort(np.concatenate(crossings)), height * width)


def union_of_edges(parts: Sequence[Edges], height: int, width: int) -> Edges:
    """Return the edges of the union of masks of one size."""
    if len(parts) == 1:
        return parts[0]
    closed = [np.append(part, height * width) if part.size % 2 else part for part in parts]
    positions = np.concatenate(closed)
    steps = np.concatenate([np.where(np.arange(part.size) % 2, -1, 1) for part in closed])
    order = np.lexsort((-steps, positions))
    depth = np.cumsum(steps[order])
    opens = (depth == 1) & (steps[order] == 1)
    closes = depth == 0
    return _odd_ones(positions[order][opens | closes], height * width)


def _odd_ones(sorted_positions: Edges, size: int) -> Edges:
    """Keep the positions that occur an odd number of times and lie before the end."""
    values, times = np.unique(sorted_positions, return_counts=True)
    odd: Edges = values[(times % 2 == 1) & (values < size)].astype(np.int64)
    return odd
