"""Decode, rasterise and measure many masks in one call of the compiled kernel.

The same bits as ``domain/columns/rle.py`` and the evaluators' ``detection/kernels/overlap.py``.
Check ``library.available()`` first, see :class:`velour_plugin.native.library.Compiled`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.native.columns import column
from velour_plugin.native.library import library, threads_for

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Masks:
    """Many masks as run edges, see :mod:`velour_plugin.domain.columns.rle`.

    Args:
        edges: ``(e,)`` int64, for each mask the increasing positions at which its value flips.
        start: ``(n,)`` int64, where the edges of each mask begin.
        stop: ``(n,)`` int64, where they end.
        height: ``(n,)`` int64 in pixels.
        width: ``(n,)`` int64 in pixels.
    """

    edges: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("edges", "start", "stop", "height", "width"):
            object.__setattr__(self, name, column(name, getattr(self, name), np.int64))

    def __len__(self) -> int:
        return len(self.height)


@dataclass(frozen=True, slots=True)
class Texts:
    """Many masks as COCO's compressed run lengths, at positions of a text.

    Args:
        text: maybe a whole JSON file.
        start: ``(n,)`` int64, where each mask's run lengths begin.
        stop: ``(n,)`` int64, where they end.
        height: ``(n,)`` int64 in pixels.
        width: ``(n,)`` int64 in pixels.
        escaped: backslashes are doubled, as in JSON.
    """

    text: bytes
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]
    escaped: bool = True

    def __post_init__(self) -> None:
        for name in ("start", "stop", "height", "width"):
            object.__setattr__(self, name, column(name, getattr(self, name), np.int64))

    def __len__(self) -> int:
        return len(self.height)


def masks_of(rasters: Sequence[Any]) -> Masks:
    """Collect rasters (``edges``, ``height``, ``width``) in one :class:`Masks`."""
    edges = [raster.edges for raster in rasters]
    first = np.cumsum([0, *(edge.size for edge in edges)])
    return Masks(
        np.concatenate([*edges, np.empty(0, np.int64)]),
        first[:-1],
        first[1:],
        np.array([raster.height for raster in rasters], np.int64),
        np.array([raster.width for raster in rasters], np.int64),
    )


def texts_of(texts: Sequence[bytes | str], sizes: NDArray[np.int64]) -> Texts:
    """Collect COCO's compressed run lengths in one :class:`Texts`.

    Args:
        texts: ``n`` run lengths.
        sizes: ``(n, 2)`` height and width in pixels.
    """
    encoded = [text.encode() if isinstance(text, str) else text for text in texts]
    first = np.cumsum([0, *map(len, encoded)])
    sizes = column("sizes", sizes, np.int64).reshape(-1, 2)
    return Texts(b"".join(encoded), first[:-1], first[1:], sizes[:, 0], sizes[:, 1], False)


def decode(texts: Texts) -> Masks:
    """Decode COCO's compressed run lengths.

    Raises:
        ValueError: run lengths are malformed or do not fill their mask; the message names it.

    >>> decode(texts_of(["5221"], np.array([[3, 4]]))).edges.tolist()  # with a compiled kernel
    [5, 7, 9]
    """
    result = library.functions.decode_texts(texts=texts, threads=threads_for(100 * len(texts)))
    first = result["start"]
    return Masks(result["edges"], first[:-1], first[1:], texts.height, texts.width)


def rasterise(
    points: Floats,
    ring_start: NDArray[np.int64],
    part_start: NDArray[np.int64],
    mask_start: NDArray[np.int64],
    sizes: NDArray[np.int64],
    behind: NDArray[np.integer[Any]] | None = None,
) -> Masks:
    """Rasterise polygons by COCO's rule.

    A mask is the union of its parts; a part is an outline and its holes, by the even-odd rule.
    Equal to :func:`velour_plugin.domain.columns.rle.edges_of_rings` of each part, then
    :func:`velour_plugin.domain.columns.rle.union_of_edges`.

    Args:
        points: ``(p, 2)`` as x, y in pixels, within 1e15 of the origin.
        ring_start: ``(rings + 1,)`` where the points of each ring begin.
        part_start: ``(parts + 1,)`` where the rings of each part begin.
        mask_start: ``(masks + 1,)`` where the parts of each mask begin.
        sizes: ``(masks, 2)`` height and width in pixels.
        behind: edges of other masks, appended to those that are drawn.

    Raises:
        ValueError: starts decrease or end elsewhere, or a point is out of bounds.
    """
    sizes = column("sizes", sizes, np.int64).reshape(-1, 2)
    height, width = np.ascontiguousarray(sizes.T)
    result = library.functions.draw_outlines(
        point=column("points", points, np.float64),
        ring_start=column("ring_start", ring_start, np.int64),
        part_start=column("part_start", part_start, np.int64),
        mask_start=column("mask_start", mask_start, np.int64),
        height=height,
        width=width,
        behind=column("behind", np.empty(0) if behind is None else behind, np.int64),
        threads=threads_for(8 * len(points)),
    )
    first = result["start"]
    return Masks(result["edges"], first[:-1], first[1:], height, width)


def measure(masks: Masks) -> tuple[Floats, Floats]:
    """Return areas ``(n,)`` in pixels and boxes ``(n, 4)`` x, y, width, height; 0 if empty."""
    measured = library.functions.measure_rasters(masks=masks, threads=threads_for(len(masks.edges)))
    areas = measured["area"]
    left, right, top, bottom = measured["box"].T
    boxes = np.column_stack([left, top, right - left + 1, bottom - top + 1]).astype(float)
    return areas, np.where(areas[:, None] > 0, boxes, 0.0)
