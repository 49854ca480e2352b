"""Confusion of two labellings of one image, counted run by run instead of pixel by pixel.

A labelling (one label a pixel) is stored as runs down the columns of its image, in the order of
:mod:`velour_plugin.domain.columns.rle`. A million pixels are some ten thousand runs, and
two labellings are compared by merging their runs; what a run costs does not depend
on how long it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from velour_plugin.plugin import Edges

NOBODY = -1
"""Label of a pixel that has none: the background."""

_LARGEST_TABLE = 100_000


class LabelRuns(NamedTuple):
    """The label of each pixel, in runs; neighbouring runs may have the same label.

    Args:
        starts: ``(n,)`` int64, strictly rising positions; the first is 0.
        labels: ``(n,)`` int64, of the pixels up to the next start; ``NOBODY`` for none.
        size: pixels in the image.
    """

    starts: NDArray[np.int64]
    labels: NDArray[np.int64]
    size: int

    @property
    def lengths(self) -> NDArray[np.int64]:
        """``(n,)`` int64 pixels of each run, all above 0."""
        return np.diff(self.starts, append=self.size)


class PixelPairCounts(NamedTuple):
    """A sparse confusion matrix: cells in the order (truth, predicted), none of them empty.

    Args:
        truth: ``(n,)`` int64.
        predicted: ``(n,)`` int64.
        pixels: ``(n,)`` int64, above 0.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    pixels: NDArray[np.int64]


def runs_of_masks(masks: Sequence[Edges], labels: Sequence[int], size: int) -> LabelRuns | None:
    """Join masks that share no pixel into one labelling; ``None`` where two of them do.

    Args:
        masks: run edges of each mask, all of one image.
        labels: of each mask, >= 0; masks of one label need not be joined before.
        size: pixels in the image.

    >>> runs_of_masks([np.array([1, 3]), np.array([3, 4])], [7, 5], 6)
    LabelRuns(starts=array([0, 1, 3, 4]), labels=array([-1,  7,  5, -1]), size=6)
    """
    opens, closes, owners = _intervals(masks, labels, size)
    bits = max(labels, default=0).bit_length()
    keys = np.sort((opens << bits) | owners)
    opens, closes = keys >> bits, np.sort(closes)
    if (opens[1:] < closes[:-1]).any():
        return None
    starts = np.concatenate(([0], np.column_stack((opens, closes)).ravel()))
    owner = np.full(starts.size, NOBODY, np.int64)
    owner[1::2] = keys & ((1 << bits) - 1)
    return _without_empty_runs(starts, owner, size)


def runs_of_layers(masks: Sequence[Edges], labels: Sequence[int], size: int) -> LabelRuns:
    """Join masks into one labelling; a pixel of several masks gets the label of the last one.

    >>> runs_of_layers([np.array([0, 4]), np.array([2])], [0, 1], 6)
    LabelRuns(starts=array([0, 2, 4]), labels=array([0, 1, 1]), size=6)
    """
    starts = np.unique(np.concatenate((np.zeros(1, np.int64), *masks)))
    owner = np.full(starts.size, NOBODY, np.int64)
    for edges, label in zip(masks, labels, strict=True):
        flips = np.zeros(starts.size, bool)
        flips[np.searchsorted(starts, edges)] = True
        owner[np.logical_xor.accumulate(flips)] = label
    return LabelRuns(starts, owner, size)


def image_of_runs(runs: LabelRuns, height: int, background: int) -> NDArray[Any]:
    """Paint runs as the transposed image, one row a column of pixels.

    Args:
        runs: labels are below ``background``.
        height: of the image, in pixels.
        background: written where a pixel has no label.

    Returns:
        ``(width, height)`` of the smallest unsigned type that holds ``background``.
    """
    kind = np.min_scalar_type(background)
    owner = np.where(runs.labels == NOBODY, background, runs.labels).astype(kind)
    return np.repeat(owner, runs.lengths).reshape(-1, height)


def confusion_of_runs(truth: LabelRuns, predicted: LabelRuns) -> PixelPairCounts:
    """Count the pixels of each pair of labels, ``NOBODY`` among them.

    Args:
        truth: of an image.
        predicted: of the same image.

    >>> half, most = (runs_of_masks([np.array([0, end])], [0], 8) for end in (4, 6))
    >>> confusion_of_runs(half, most).pixels  # NOBODY and NOBODY, NOBODY and 0, 0 and 0
    array([2, 2, 4])
    """
    keys = np.concatenate((truth.starts << 1, (predicted.starts << 1) | 1))
    keys.sort(kind="stable")  # merges two sorted halves in one pass
    second = np.cumsum(keys & 1)
    first = np.arange(1, keys.size + 1) - second
    pixels = np.diff(keys >> 1, append=truth.size)
    return _summed(truth.labels[first - 1], predicted.labels[second - 1], pixels)


def confusion_of_labels(truth: NDArray[Any], predicted: NDArray[Any]) -> PixelPairCounts:
    """Count the pixels of each pair of values of two label images.

    Args:
        truth: any shape, uint8, uint16 or uint32.
        predicted: the same shape and type.

    >>> confusion_of_labels(np.array([[1, 1, 2]], np.uint8), np.array([[1, 2, 2]], np.uint8))
    PixelPairCounts(truth=array([1, 1, 2]), predicted=array([1, 2, 2]), pixels=array([1, 1, 1]))
    """
    bits = 8 * truth.dtype.itemsize
    pairs = np.left_shift(truth.ravel(), bits, dtype=np.dtype(f"u{truth.dtype.itemsize * 2}"))
    pairs |= predicted.ravel()
    last = np.append(np.flatnonzero(pairs[1:] != pairs[:-1]), pairs.size - 1)
    pixels = np.diff(last, prepend=-1)
    runs = pairs[last]
    low = runs & runs.dtype.type((1 << bits) - 1)
    return _summed((runs >> bits).astype(np.int64), low.astype(np.int64), pixels)


def confusion_of_numbers(truth: NDArray[Any], predicted: NDArray[Any]) -> PixelPairCounts:
    """Count the pixels of each pair of values of two label images of any whole numbers.

    Args:
        truth: any shape, at least one pixel.
        predicted: the same shape.

    >>> confusion_of_numbers(np.array([[-1, -1, 2]]), np.array([[7, 900, 900]])).predicted
    array([  7, 900, 900])
    """
    lowest = [side.min() for side in (truth, predicted)]
    shifted = [
        np.subtract(side, low, dtype=np.int64, casting="unsafe")
        for side, low in zip((truth, predicted), lowest, strict=True)
    ]
    kind = np.min_scalar_type(max(int(side.max()) for side in shifted))
    if kind.itemsize <= 4:
        counts = confusion_of_labels(*(side.astype(kind) for side in shifted))
    else:
        rows, columns = (side.ravel() for side in shifted)
        counts = _summed_sparsely(rows, columns, np.ones(rows.size, np.int64))
    return PixelPairCounts(
        counts.truth + int(lowest[0]), counts.predicted + int(lowest[1]), counts.pixels
    )


def _intervals(
    masks: Sequence[Edges], labels: Sequence[int], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """First position, position after the last, and owner of every run of every mask."""
    closed = [np.append(mask, size) if mask.size % 2 else mask for mask in masks]
    edges = np.concatenate((np.zeros(0, np.int64), *closed))
    owners = np.repeat(np.array(labels, np.int64), [mask.size // 2 for mask in closed])
    return edges[0::2], edges[1::2], owners


def _without_empty_runs(
    starts: NDArray[np.int64], labels: NDArray[np.int64], size: int
) -> LabelRuns:
    real = starts < np.append(starts[1:], size)
    return LabelRuns(starts[real], labels[real], size)


def _summed(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], pixels: NDArray[np.int64]
) -> PixelPairCounts:
    """Sum pixels by pair; sums are exact up to 2**53 pixels."""
    width = int(max(truth.max(), predicted.max())) + 2
    if width * width > _LARGEST_TABLE:
        return _summed_sparsely(truth, predicted, pixels)
    cells = (truth + 1) * width + (predicted + 1)
    sums = np.bincount(cells, weights=pixels)
    names = np.flatnonzero(sums)
    return PixelPairCounts(names // width - 1, names % width - 1, sums[names].astype(np.int64))


def _summed_sparsely(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], pixels: NDArray[np.int64]
) -> PixelPairCounts:
    """Sum pixels by pair where numbers are too large for a table of all pairs."""
    truths, rows = np.unique(truth, return_inverse=True)
    others, columns = np.unique(predicted, return_inverse=True)
    cells, place = np.unique(rows * others.size + columns, return_inverse=True)
    sums = np.bincount(place, weights=pixels)
    cells, sums = cells[sums > 0], sums[sums > 0]
    return PixelPairCounts(
        truths[cells // others.size], others[cells % others.size], sums.astype(np.int64)
    )
