"""Label images as models return them: arrays of numbers, volumes of scores, PNG files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.label_images import LabelImageRows, checked_label_image
from velour_plugin.domain.columns.label_names import class_count
from velour_plugin.domain.columns.label_png import read_label_png
from velour_plugin.errors import BadAnnotation, BadDataset, InvalidInput


def as_label_image(image: Any, names: Mapping[int, str]) -> NDArray[Any]:
    """Read a label image: ``(height, width)`` whole numbers, each pixel's class.

    Args:
        image: ``(height, width)`` whole numbers; ``(classes, height, width)`` or ``(height, width,
            classes)`` scores or one-hot, where the first highest is a pixel's class; either
            as anything that numpy reads; or the path of a PNG file.
        names: of the numbers; those from 0 without a gap are the classes of a volume.

    Raises:
        BadAnnotation: it is something else, or a volume whose class axis is ambiguous.
        BadDataset, InvalidInput: a file is no label image.

    >>> as_label_image([[[0.9, 0.2, 0.4]], [[0.1, 0.8, 0.6]]], {0: "road", 1: "car"})
    array([[0, 1, 1]])
    """
    if isinstance(image, (str, os.PathLike)):
        return read_label_png(image)
    detached = image.detach().cpu() if hasattr(image, "detach") else image
    try:
        array = np.asarray(detached)
    except ValueError as error:  # rows of different lengths
        raise BadAnnotation(f"label image: {error}.") from error
    if array.ndim == 3:
        return _classes_of(array, class_count(names))
    return checked_label_image(array)


def label_image_rows(
    images: Iterable[Any], uids: Sequence[str] | None, names: Mapping[int, str], side: str
) -> tuple[LabelImageRows, list[tuple[int, int]]]:
    """Read label images one after the other into rows, and return each height and width.

    Args:
        images: as :func:`as_label_image` takes them.
        uids: of their datums; ``None`` numbers them from 0.
        names: of the numbers.
        side: ``truth`` or ``prediction``, for messages.

    Raises:
        BadDataset: one is no label image, naming its datum, or they are not as many as uids.
    """
    rows, sizes = LabelImageRows(names), []
    for index, image in enumerate(images):
        if uids is not None and index >= len(uids):
            raise _not_as_many(side, f"more than {len(uids):,}", len(uids))
        try:
            array = as_label_image(image, names)
            rows.add(index, array)
        except InvalidInput as error:
            uid = str(index) if uids is None else uids[index]
            raise BadDataset(f"{side} of datum {uid!r}: {error}") from error
        sizes.append((array.shape[0], array.shape[1]))
    if uids is not None and len(sizes) < len(uids):
        raise _not_as_many(side, f"{len(sizes):,}", len(uids))
    return rows, sizes


def _not_as_many(side: str, images: str, datums: int) -> BadDataset:
    return BadDataset(
        f"{images} label images as {side} of {datums:,} datums: expected one for each, in order."
    )


def _classes_of(volume: NDArray[Any], classes: int) -> NDArray[Any]:
    """The first highest class of each pixel of a volume."""
    if volume.dtype.kind not in "buif" or not volume.size:
        raise BadAnnotation(
            f"volume of shape {volume.shape} and type {volume.dtype}: expected numbers, a score "
            "of each class for each pixel."
        )
    ends = volume.shape[0] == classes, volume.shape[2] == classes
    if sum(ends) != 1:
        raise BadAnnotation(
            f"volume of shape {volume.shape}: {'either end' if all(ends) else 'no end'} has the "
            f"{classes} classes that are named; expected ({classes}, height, width) or (height, "
            f"width, {classes}), or the argmax over classes."
        )
    axis = 0 if ends[0] else 2
    _check_scores(volume, axis)
    return np.asarray(volume.argmax(axis=axis))


def _check_scores(volume: NDArray[Any], axis: int) -> None:
    """Refuse pixels without a highest class: NaN scores, or not exactly one class in one-hot."""
    if volume.dtype.kind == "f":
        unclear = int(np.isnan(volume).any(axis=axis).sum())
        rule = "a score is NaN: expected finite scores, or the argmax over classes"
    else:
        unclear = int((np.count_nonzero(volume, axis=axis) != 1).sum())
        rule = "expected exactly one class that is not 0 in one-hot; give scores as fractions"
    if unclear:
        raise BadAnnotation(f"volume of shape {volume.shape}: in {unclear:,} pixels, {rule}.")
