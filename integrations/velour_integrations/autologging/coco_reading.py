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
class Truth:
    """The ground truth of a COCO object.

    Args:
        dataset: without predictions, and with a name that means nothing.
        images: position of each datum by its image id.
        categories: position of each label by its category id.
    """

    dataset: velour.Dataset
    images: Mapping[Any, int]
    categories: Mapping[Any, int]

    def narrowed(self, images: Collection[Any], categories: Collection[Any]) -> Truth:
        """Only these images and categories; the others are as if they were not there."""
        dataset, kept = self.dataset, {key: at for key, at in self.images.items() if key in images}
        if len(kept) < len(self.images):
            chosen = np.zeros(len(dataset), bool)
            chosen[list(kept.values())] = True
            dataset, kept = dataset.subset(chosen), _renumbered(kept)
        used = {key: at for key, at in self.categories.items() if key in categories}
        if len(used) < len(self.categories):
            place = np.full(len(self.categories), -1)
            place[list(used.values())] = np.arange(len(used))
            labels = [dataset.truth.labels[at] for at in used.values()]
            dataset = replace(dataset, truth=dataset.truth.relabelled(labels, place))
            used = _renumbered(used)
        return Truth(dataset, kept, used)


def truth_of(content: Json, with_shapes: bool) -> Truth:
    """Read what a COCO object holds as its ``dataset``.

    Args:
        content: images, categories and annotations.
        with_shapes: whether outlines must be sound; otherwise those that are not are left out.
    """
    images = _in_order(content.get("images") or ())
    categories = _in_order(content.get("categories") or ())
    names = [str(item.get("name", number)) for number, item in categories.items()]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for name, number in zip(names, categories, strict=True)]
    datums = [velour.Datum(str(number), _said(image)) for number, image in images.items()]
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
    return Truth(velour.Dataset.from_table("autologged", datums, table), places, labels)


def predictions_of(truth: Truth, found: Iterable[Json], with_shapes: bool) -> AnnotationTable:
    """Read detections of these images and categories; those of others are left out.

    Args:
        truth: what they are about.
        found: as a COCO object has them, with its idea of their areas.
        with_shapes: masks, or boxes.
    """
    entries = [
        item
        for item in found
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
    """Rows of each datum by label: the order in which COCO takes them when labels do not count."""
    return table.take(np.lexsort((table.label, table.datum)))


def _in_order(entries: Iterable[Json]) -> dict[Any, Json]:
    found = {item["id"]: item for item in entries}
    return dict(sorted(found.items(), key=lambda item: natural_order(str(item[0]))))


def _numbered(entries: Iterable[Any]) -> dict[Any, int]:
    return {number: place for place, number in enumerate(entries)}


def _renumbered(places: Mapping[Any, int]) -> dict[Any, int]:
    return _numbered(sorted(places, key=lambda key: places[key]))


def _said(image: Json) -> dict[str, Any]:
    said = {key: image[key] for key in ("file_name", "height", "width") if key in image}
    return {key: value.item() if hasattr(value, "item") else value for key, value in said.items()}


def _column(entries: Sequence[Json], key: str, places: Mapping[Any, int]) -> NDArray[np.int32]:
    return np.array([places[item[key]] for item in entries], np.int32)


def _boxes(entries: Sequence[Json]) -> NDArray[np.float64]:
    boxes = [item.get("bbox") for item in entries]
    told = [[np.nan] * 4 if box is None or not len(box) else box for box in boxes]
    return np.array(told, float).reshape(-1, 4)


def _shape(entry: Json, must_be_sound: bool) -> Shape | None:
    given = entry.get("segmentation")
    if given is None or not len(given):
        return None
    try:
        if isinstance(given, Mapping):
            counts = given["counts"]
            text = counts.decode() if isinstance(counts, bytes) else counts
            return Raster({"size": list(given["size"]), "counts": text})
        rings = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in given]
        return Polygon([rings[0]]) if len(rings) == 1 else MultiPolygon([[ring] for ring in rings])
    except (InvalidInput, ValueError, TypeError):
        if must_be_sound:
            raise
        return None
