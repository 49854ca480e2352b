"""Label images (one number a pixel): their confusion, and annotations painted as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.semantic import engine
from velour_evaluators.semantic.kernels.pixel_confusion import image_of_runs, runs_of_layers
from velour_plugin import Annotation, Label, Raster
from velour_plugin import annotations_of_label_image as annotations_of_label_image
from velour_plugin.errors import BadAnnotation, UnknownName
from velour_plugin.plugin import DEFAULT_KEY, Edges, checked_label_image


def confusion_of_label_images(
    truth: NDArray[Any], predicted: NDArray[Any], labels: int, ignore: int | None = None
) -> NDArray[np.int64]:
    """Count how often each label is taken for each other, without a dataset or annotations.

    Args:
        truth: ``(height, width)`` whole numbers.
        predicted: the same shape.
        labels: how many there are; they are numbered from 0.
        ignore: pixels whose true number it is do not count, whatever is predicted there.

    Returns:
        ``(labels, labels)`` int64 pixels by true label (row) and predicted label (column).

    Raises:
        BadAnnotation: an image is not two-dimensional whole numbers, their sizes differ, or a
            pixel that counts has another number.

    >>> truth, predicted = np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 1]])
    >>> confusion_of_label_images(truth, predicted, 2, ignore=255)
    array([[1, 1],
           [0, 1]])
    """
    truth, predicted = checked_label_image(truth), checked_label_image(predicted)
    if truth.shape != predicted.shape:
        raise BadAnnotation(
            f"the predicted label image has {predicted.shape[0]}x{predicted.shape[1]} pixels, but "
            f"the true one has {truth.shape[0]}x{truth.shape[1]}: resize it to its image."
        )
    counts = engine.confusion_of_labels(truth, predicted)
    counted = np.ones(counts.truth.size, bool) if ignore is None else counts.truth != ignore
    rows, columns, pixels = (column[counted] for column in counts)
    for side, numbers in (("true", rows), ("predicted", columns)):
        _check_numbers(side, numbers, pixels, labels)
    matrix = np.zeros((labels, labels), np.int64)
    matrix[rows, columns] = pixels
    return matrix


def label_image_of_annotations(
    annotations: Sequence[Annotation],
    numbers: Mapping[str, int],
    height: int,
    width: int,
    *,
    key: str = DEFAULT_KEY,
    background: int = 0,
) -> NDArray[np.int64]:
    """Paint annotations as a label image; a pixel of two annotations gets the later one.

    Args:
        annotations: with rasters of the image's size, or polygons.
        numbers: what to write for each label.
        height: of the image, in pixels.
        width: of the image, in pixels.
        key: labels of other keys are left out.
        background: written where there is no label.

    Returns:
        ``(height, width)`` int64.

    Raises:
        BadAnnotation: an annotation has no mask or polygon, or a mask has another size.
        UnknownName: a label has no number.
    """
    painted = [
        (_mask_of(item, height, width), _number_of(label, numbers))
        for item in annotations
        for label in item.labels
        if label.key == key
    ]
    order = range(len(painted))
    runs = runs_of_layers([mask for mask, _ in painted], order, height * width)
    values = np.array([*(number for _, number in painted), background], np.int64)
    return np.asarray(values[image_of_runs(runs, height, len(painted))].T)


def _check_numbers(
    side: str, numbers: NDArray[np.int64], pixels: NDArray[np.int64], labels: int
) -> None:
    wrong = numbers[(numbers < 0) | (numbers >= labels)]
    if wrong.size:
        raise BadAnnotation(
            f"the {side} label image holds {wrong[0]} in {pixels[numbers == wrong[0]].sum()} "
            f"pixels that count: expected 0 to {labels - 1}, one of {labels} labels; pixels whose "
            "true number is ignore do not count."
        )


def _mask_of(item: Annotation, height: int, width: int) -> Edges:
    if item.shape is None:
        raise BadAnnotation(f"{item.labels[0]} has no mask or polygon: give it one.")
    if not isinstance(item.shape, Raster):
        return Raster.from_geometry(item.shape, height, width).edges
    if (item.shape.height, item.shape.width) != (height, width):
        raise BadAnnotation(
            f"the mask of {item.labels[0]} has {item.shape.height}x{item.shape.width} pixels, but "
            f"its image has {height}x{width}: resize the mask to its image."
        )
    return item.shape.edges


def _number_of(label: Label, numbers: Mapping[str, int]) -> int:
    if label.value not in numbers:
        raise UnknownName("label", label.value, numbers)
    return numbers[label.value]
