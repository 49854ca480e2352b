"""Run the compiled kernel where there is one, numpy otherwise; both give the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.native import labels as compiled
from velour_evaluators.kernels.native import library
from velour_evaluators.semantic.kernels import boundaries, pixel_confusion
from velour_evaluators.semantic.kernels.pixel_confusion import LabelRuns, PixelPairCounts
from velour_plugin.plugin import Edges, LabelPixels


def runs_of_masks(masks: Sequence[Edges], labels: Sequence[int], size: int) -> LabelRuns | None:
    """Join masks that share no pixel into one labelling; ``None`` where two of them do."""
    if library.available():
        return compiled.runs_of_masks(masks, labels, size)
    return pixel_confusion.runs_of_masks(masks, labels, size)


def confusion_of_runs(truth: LabelRuns, predicted: LabelRuns, labels: int) -> PixelPairCounts:
    """Count the pixels of each pair of labels.

    Args:
        truth: of an image, with labels up to ``labels`` itself.
        predicted: of the same image, likewise.
        labels: how many there are.
    """
    if library.available() and compiled.fits_table(labels + 2, labels + 2):
        return compiled.confusion_of_runs(truth, predicted, labels)
    return pixel_confusion.confusion_of_runs(truth, predicted)


def confusion_of_labels(truth: NDArray[Any], predicted: NDArray[Any]) -> PixelPairCounts:
    """Count the pixels of each pair of class numbers of two label images.

    Args:
        truth: whole numbers of any type.
        predicted: the same shape.
    """
    sides = LabelPixels.of(truth), LabelPixels.of(predicted)
    if (
        library.available()
        and all(side.is_counted for side in sides)
        and compiled.fits_table(sides[0].labels, sides[1].labels)
    ):
        return compiled.confusion_of_labels(*sides)
    return pixel_confusion.confusion_of_numbers(truth, predicted)


def boundary_counts(
    truth: LabelRuns, predicted: LabelRuns, height: int, labels: int, width: int
) -> NDArray[np.int64]:
    """Count the pixels that boundary scores follow from: ``kernels/boundaries.py``.

    Args:
        truth: labels below ``labels``; ``labels`` itself counts on neither side.
        predicted: of the same image; labels below ``labels``.
        height: of the image, in pixels.
        labels: how many there are.
        width: of the band, and distance within which contours meet; pixels, >= 1.

    Returns:
        ``(labels, 7)`` int64.
    """
    if library.available():
        return compiled.boundary_counts(truth, predicted, height, labels, width)
    images = [
        pixel_confusion.image_of_runs(runs, height, labels + 1) for runs in (truth, predicted)
    ]
    ignored = images[0] == labels
    for image in images:
        image[ignored] = labels + 1
    return boundaries.boundary_counts(images[0], images[1], labels, width)
