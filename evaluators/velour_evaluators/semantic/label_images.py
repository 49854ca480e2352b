"""Label images, one number a pixel, to annotations and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.semantic import (
    image_of_runs,
    masks_of_runs,
    runs_of_image,
    runs_of_layers,
)
from velour_plugin import Annotation, Label, Raster
from velour_plugin.errors import BadAnnotation, UnknownName
from velour_plugin.plugin import DEFAULT_KEY, Edges, union_of_edges


def annotations_of_label_image(
    image: NDArray[Any],
    names: Mapping[int, str],
    key: str = DEFAULT_KEY,
    ignore: Collection[int] = (),
) -> list[Annotation]:
    """Read a label image as one annotation a label that occurs, in the order of the numbers.

    Args:
        image: ``(height, width)`` whole numbers.
        names: what each number means; numbers of one name are one label. Pixels that no
            metric shall count need a name as well, to be the evaluation's ``ignore_label``.
        key: of the labels.
        ignore: numbers that are no label: background.

    Raises:
        BadAnnotation: the image is not two-dimensional whole numbers, or one has no name.

    >>> image = np.array([[0, 1], [2, 2]])
    >>> items = annotations_of_label_image(image, {1: "car", 2: "road"}, ignore=[0])
    >>> [(item.labels[0].value, item.raster) for item in items]
    [('car', Raster(2x2, 1 pixels)), ('road', Raster(2x2, 2 pixels))]
    """
    image = _checked_image(image)
    masks = masks_of_runs(runs_of_image(image))
    parts: dict[str, list[Edges]] = {}
    for number, edges in masks.items():
        if number not in ignore:
            parts.setdefault(_name_of(number, names, image), []).append(edges)
    return [
        Annotation([Label(key, name)], raster=_joined(edges, *image.shape))
        for name, edges in parts.items()
    ]


def label_image_of_annotations(
    annotations: Sequence[Annotation],
    numbers: Mapping[str, int],
    height: int,
    width: int,
    key: str = DEFAULT_KEY,
    background: int = 0,
) -> NDArray[np.int64]:
    """Paint annotations as a label image; where two claim a pixel, the later one has it.

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


def _checked_image(image: NDArray[Any]) -> NDArray[Any]:
    image = np.asarray(image)
    if image.ndim != 2 or not image.size or image.dtype.kind not in "bui":
        raise BadAnnotation(
            f"label image of shape {image.shape} and type {image.dtype}: expected (height, width) "
            "whole numbers, one a pixel; take the argmax of scores first."
        )
    return image


def _name_of(number: int, names: Mapping[int, str], image: NDArray[Any]) -> str:
    if number not in names:
        raise BadAnnotation(
            f"label image holds {number} in {int((image == number).sum())} pixels, and {number} "
            "has no name: give it one, or list it in ignore."
        )
    return names[number]


def _joined(edges: Sequence[Edges], height: int, width: int) -> Raster:
    return Raster.from_edges(union_of_edges(edges, height, width), height, width)


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
