"""COCO's own objects as Velour's columns: content that equals that of the file they came from.

A dataset read here has the digest that ``velour.read_dataset`` gives it, so that autologged
evaluations compare with any other of the same file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import velour_plugin as velour
from velour_plugin import AnnotationTable, MultiPolygon, Polygon, Raster
from velour_plugin.errors import InvalidInput
from velour_plugin.plugin import DEFAULT_KEY, Shape, natural_order

Json = Mapping[str, Any]


@dataclass(frozen=True)
class CocoTruth:
    """The ground truth of a COCO object.

    Args:
        dataset: without predictions, and with a name that means nothing.
        images: position of each datum by its image id.
        categories: position of each label by its category id.
    """

    dataset: velour.Dataset
    images: Mapping[Any, int]
    categories: Mapping[Any, int]

    def narrowed(self, images: Collection[Any], categories: Collection[Any]) -> CocoTruth:
        """Return these images and categories only; the others are as if they were not there."""
        dataset, kept = self.dataset, {key: at for key, at in self.images.items() if key in images}
        if len(kept) < len(self.images):
            chosen = np.zeros(len(dataset), bool)
            chosen[list(kept.values())] = True
            dataset, kept = dataset.subset(chosen), _renumbered(kept)
        used = {key: at for key, at in self.categories.items() if key in categories}
        if len(used) < len(self.categories):
            new_index = np.full(len(self.categories), -1)
            new_index[list(used.values())] = np.arange(len(used))
            labels = [dataset.truth.labels[at] for at in used.values()]
            dataset = replace(dataset, truth=dataset.truth.relabelled(labels, new_index))
            used = _renumbered(used)
        return CocoTruth(dataset, kept, used)


def truth_of(content: Json, with_shapes: bool) -> CocoTruth:
    """Convert the ``dataset`` of a COCO object to ground truth.

    Args:
        content: images, categories and annotations.
        with_shapes: whether outlines must be sound; otherwise those that are not are left out.
    """
    images = _in_order(content.get("images") or ())
    categories = _in_order(content.get("categories") or ())
    names = [str(item.get("name", number)) for number, item in categories.items()]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for name, number in zip(names, categories, strict=True)]
    datums = [velour.Datum(str(number), _metadata_of(image)) for number, image in images.items()]
    places, labels = _numbered(images), _numbered(categories)
    entries = [
        item
        for item in content.get("annotations") or ()
        if item["image_id"] in places and item["category_id"] in labels
    ]
    table = AnnotationTable.from_columns(
        [(DEFAULT_KEY, name) for name in names],
        _column(entries, "image_id", places),
        _column(entries, "category_id", labels),
        box=_boxes(entries),
        area=np.array([item.get("area", np.nan) for item in entries], float),
        crowd=np.array([bool(item.get("iscrowd", 0)) for item in entries], bool),
        shape=[_shape(item, with_shapes) for item in entries],
    )
    return CocoTruth(velour.Dataset.from_table("autologged", datums, table), places, labels)


def predictions_of(
    truth: CocoTruth, detections: Iterable[Json], with_shapes: bool
) -> AnnotationTable:
    """Convert detections of these images and categories; those of others are left out.

    Args:
        truth: what they are about.
        detections: as a COCO object has them, with its idea of their areas.
        with_shapes: masks, or boxes.
    """
    entries = [
        item
        for item in detections
        if item["image_id"] in truth.images and item["category_id"] in truth.categories
    ]
    shapes = [_shape(item, True) for item in entries] if with_shapes else None
    return AnnotationTable.from_columns(
        truth.dataset.truth.labels,
        _column(entries, "image_id", truth.images),
        _column(entries, "category_id", truth.categories),
        score=np.array([item["score"] for item in entries], float),
        box=None if with_shapes else _boxes(entries),
        area=np.array([item.get("area", np.nan) for item in entries], float),
        shape=shapes,
    )


def by_label(table: AnnotationTable) -> AnnotationTable:
    """Sort the rows of each datum by label: COCO's order where labels do not count."""
    return table.take(np.lexsort((table.label, table.datum)))


def _in_order(entries: Iterable[Json]) -> dict[Any, Json]:
    by_id = {item["id"]: item for item in entries}
    return dict(sorted(by_id.items(), key=lambda item: natural_order(str(item[0]))))


def _numbered(entries: Iterable[Any]) -> dict[Any, int]:
    return {number: index for index, number in enumerate(entries)}


def _renumbered(places: Mapping[Any, int]) -> dict[Any, int]:
    return _numbered(sorted(places, key=lambda key: places[key]))


def _metadata_of(image: Json) -> dict[str, Any]:
    metadata = {key: image[key] for key in ("file_name", "height", "width") if key in image}
    return {
        key: value.item() if hasattr(value, "item") else value for key, value in metadata.items()
    }


def _column(entries: Sequence[Json], key: str, places: Mapping[Any, int]) -> NDArray[np.int32]:
    return np.array([places[item[key]] for item in entries], np.int32)


def _boxes(entries: Sequence[Json]) -> NDArray[np.float64]:
    boxes = [item.get("bbox") for item in entries]
    corners = [[np.nan] * 4 if box is None or not len(box) else box for box in boxes]
    return np.array(corners, float).reshape(-1, 4)


def _shape(entry: Json, must_be_sound: bool) -> Shape | None:
    segmentation = entry.get("segmentation")
    if segmentation is None or not len(segmentation):
        return None
    try:
        if isinstance(segmentation, Mapping):
            counts = segmentation["counts"]
            text = counts.decode() if isinstance(counts, bytes) else counts
            return Raster({"size": list(segmentation["size"]), "counts": text})
        rings = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in segmentation]
        return Polygon([rings[0]]) if len(rings) == 1 else MultiPolygon([[ring] for ring in rings])
    except (InvalidInput, OverflowError, ValueError, TypeError):
        if must_be_sound:
            raise
        return None
