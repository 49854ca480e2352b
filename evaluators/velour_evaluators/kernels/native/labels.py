"""Confusion of labels, runs of masks and boundaries by the compiled kernel.

The same as the functions of these names in ``semantic/kernels``: ``pixel_confusion.py`` and
``boundaries.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.native import library
from velour_evaluators.semantic.kernels.pixel_confusion import NOBODY, LabelRuns, PixelPairCounts
from velour_plugin.plugin import Edges, LabelPixels

_LARGEST_TABLE = 1 << 20
"""Cells of a confusion matrix; larger ones are counted without a table."""


def fits_table(rows: int, columns: int) -> bool:
    """Whether a table of all pairs of labels is small enough."""
    return rows * columns <= _LARGEST_TABLE


def confusion_of_labels(truth: LabelPixels, predicted: LabelPixels) -> PixelPairCounts:
    """Count the pixels of each pair of numbers of two label images.

    Args:
        truth: of any shape, counted.
        predicted: as many pixels.

    Raises:
        ValueError: there are more pixels on one side, or another thread has changed an image.
    """
    pixels = library.functions.confusion_of_labels(
        truth=truth.bytes.reshape(-1, truth.bytes.shape[-1]),
        predicted=predicted.bytes.reshape(-1, predicted.bytes.shape[-1]),
        truth_lowest=truth.lowest,
        predicted_lowest=predicted.lowest,
        truths=truth.labels,
        predictions=predicted.labels,
    )["pixels"]
    return _cells(pixels, truth.lowest, predicted.lowest)


def runs_of_masks(masks: Sequence[Edges], labels: Sequence[int], size: int) -> LabelRuns | None:
    """Join masks that share no pixel into one labelling; ``None`` where two of them do.

    >>> runs_of_masks([np.array([1, 3]), np.array([3, 4])], [7, 5], 6)  # with a compiled kernel
    LabelRuns(starts=array([0, 1, 3, 4]), labels=array([-1,  7,  5, -1]), size=6)
    """
    runs = library.functions.runs_of_masks(
        edges=np.concatenate((np.empty(0, np.int64), *masks)),
        start=np.cumsum([0, *map(len, masks)], dtype=np.int64),
        owner=np.array(labels, np.int64),
        size=size,
    )
    return LabelRuns(runs["starts"], runs["labels"], size) if runs["disjoint"] else None


def confusion_of_runs(truth: LabelRuns, predicted: LabelRuns, labels: int) -> PixelPairCounts:
    """Count the pixels of each pair of labels, ``NOBODY`` among them.

    Args:
        truth: of an image, with labels up to ``labels`` itself.
        predicted: of the same image, likewise.
        labels: how many there are.
    """
    pixels = library.functions.confusion_of_runs(
        truth=truth, predicted=predicted, size=truth.size, owners=labels + 2
    )["pixels"]
    return _cells(pixels, NOBODY, NOBODY)


def boundary_counts(
    truth: LabelRuns, predicted: LabelRuns, height: int, labels: int, width: int
) -> NDArray[np.int64]:
    """Count what boundary scores of each label follow from: ``(labels, 7)``.

    Args:
        truth: labels below ``labels``; ``labels`` itself counts on neither side.
        predicted: of the same image; labels below ``labels``.
        height: of the image, in pixels.
        labels: how many there are.
        width: of the band, and distance within which contours meet; pixels, >= 1.
    """
    counts: NDArray[np.int64] = library.functions.boundary_counts(
        truth=truth, predicted=predicted, height=height, width=truth.size // height, labels=labels,
        reach=width,
    )["counts"]  # fmt: skip
    return counts


def _cells(pixels: NDArray[np.int64], first: int, other: int) -> PixelPairCounts:
    """The cells of a confusion matrix that are not empty."""
    truth, predicted = np.nonzero(pixels)
    return PixelPairCounts(truth + first, predicted + other, pixels[truth, predicted])
