"""COCO: instances in one JSON file, a model's results in another.

Refused, naming the entry: ids that occur twice or lead nowhere, boxes that are
negative or not finite, scores outside [0, 1], masks that do not fill their size.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from types import NoneType
from typing import Any

import numpy as np

from velour_integrations.formats.coco.coco_columns import read_detections, read_instances, table_of
from velour_integrations.formats.coco.coco_content import (
    Json,
    entries_by_id,
    labels_of,
    parse_instances,
    parse_results,
    without_twins,
)
from velour_integrations.formats.coco.coco_entries import table_of_entries
from velour_integrations.formats.coco.coco_ids import CocoIds, Find
from velour_integrations.formats.other_formats import way_out_of_folder
from velour_plugin import AnnotationTable, Dataset
from velour_plugin.errors import InvalidInput, UnreadableFile
from velour_plugin.plugin import (
    DatumColumns,
    ImageNames,
    LabelName,
    Path,
    Records,
    note_read,
    note_repaired,
    note_skipped,
    parse_typed_number,
    read_bytes,
    read_records,
)

_SIZES = ("height", "width")
_METADATA = ("file_name", *_SIZES)
"""Keys of an image that become metadata of its datum."""


class CocoFormat:
    """COCO instances and results."""

    name = "coco"

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read an instances file as a dataset; its ``with_predictions`` reads results files."""
        text = _read(path)
        columns = read_instances(text)
        content = columns[0] if columns else parse_instances(text, path)
        records = read_records(metadata)
        images = entries_by_id(content, "images", "image", path)
        if columns is None:  # whose sizes are numbers
            images = {number: _sized(number, images[number], path) for number in images}
        categories = entries_by_id(content, "categories", "category", path)
        labels = labels_of(categories, path)
        if len(set(labels)) < len(labels):
            content = parse_instances(text, path)
            categories = without_twins(categories, _used(content, path), path)
            labels = labels_of(categories, path)
        datums = _datums(images, records)
        reader = _Results(images, categories, labels)
        table = table_of(columns[1], text, *reader.numbers, labels) if columns else None
        if table is None:
            content = parse_instances(text, path)
            annotations = list(entries_by_id(content, "annotations", "annotation", path).values())
            table = table_of_entries(annotations, reader.images, reader.categories, labels, path)
        note_read("images", len(images))
        note_read("annotations", len(table))
        stem = os.path.basename(os.fspath(path)).removesuffix(".gz")
        return Dataset.from_table(name or os.path.splitext(stem)[0], datums, table, reader=reader)


class _Results:
    """Reads results files for one instances file, by its ids."""

    def __init__(
        self,
        images: Mapping[Any, Json],
        categories: Mapping[Any, Json],
        labels: Sequence[LabelName],
    ) -> None:
        self.uids = list(map(str, images))
        self.entries = list(images.values())
        self.classes = {value: index for index, (_, value) in enumerate(labels)}
        self.images = CocoIds(
            "image_id", {number: index for index, number in enumerate(images)}, self._find_images
        )
        self.categories = CocoIds(
            "category_id",
            {number: index for index, number in enumerate(categories)},
            self._find_classes,
        )

    @property
    def numbers(self) -> tuple[Mapping[Any, int], Mapping[Any, int]]:
        """Positions of images and of categories by their ids."""
        return self.images.known, self.categories.known

    def __call__(self, dataset: Dataset, path: Path) -> AnnotationTable:
        """Read a list of results; a detection's area is its box's where it has one, as in COCO.

        Results for images that are no longer in the dataset, as it is a subset, are left out.
        """
        text = _read(path)
        labels = dataset.truth.labels
        records = read_detections(text)
        table = None
        if records is not None:
            if not records.region.any():
                text = b""  # regions alone are looked at again
            table = table_of(records, text, *self.numbers, labels)
        if table is None:
            table = self._table(read_bytes(path), labels, path)
        note_read("predictions", len(table))
        if not len(table):
            note_repaired("empty predictions, read as nothing found", repr(os.fspath(path)))
        known = np.array([uid in dataset.index_of for uid in self.uids])
        return table if known.all() else table.on_datums(known)

    def _table(self, text: bytes, labels: Sequence[LabelName], path: Path) -> AnnotationTable:
        results, around = parse_results(text, path)
        where = repr(os.fspath(path))
        numbered = (
            _renumbered(around, "images", "file_name", self._find_images, where),
            _renumbered(around, "categories", "name", self._known_classes, where),
        )
        images, categories = (
            ids if positions is None else ids.renumbered(positions)
            for ids, positions in zip((self.images, self.categories), numbered, strict=True)
        )
        return table_of_entries(results, images, categories, labels, path, results=True)

    @cached_property
    def names(self) -> ImageNames:
        """Uids and file names of the images."""
        return ImageNames(self.uids, list(map(_file_name, self.entries)))

    def _find_images(self, names: Iterable[str], where: str) -> Mapping[str, int]:
        return self.names.find(names, where)

    def _known_classes(self, names: Iterable[str], where: str) -> Mapping[str, int]:
        return {name: self.classes[name] for name in names if name in self.classes}

    def _find_classes(self, names: Iterable[str], where: str) -> Mapping[str, int]:
        found = self._known_classes(names, where)
        for name in found:
            rule = "categories named by their class instead of their id"
            note_repaired(rule, f"{where}, {name!r}")
        return found


def _read(path: Path) -> bytes:
    """A file's content; a folder is named, as other formats have such."""
    try:
        return read_bytes(path)
    except UnreadableFile as error:
        if os.path.isdir(path):
            raise InvalidInput(f"{error}{way_out_of_folder(path)}") from error
        raise


def _renumbered(around: Json, part: str, key: str, find: Find, where: str) -> dict[Any, int] | None:
    """Positions by the ids that a file of results gives images or categories itself.

    ``None`` where it lists none, or not all by name.
    """
    entries = around.get(part)
    if not isinstance(entries, list) or not entries:
        return None
    named = {}
    for entry in entries:
        if not isinstance(entry, Mapping) or not isinstance(entry.get(key), str):
            return None
        if type(entry.get("id")) not in (int, str):
            return None
        named[entry["id"]] = entry[key]
    found = find(named.values(), where)
    return {number: found[name] for number, name in named.items() if name in found}


def _used(content: Json, path: Path) -> set[str]:
    annotations = entries_by_id(content, "annotations", "annotation", path).values()
    return {str(annotation.get("category_id")) for annotation in annotations}


def _file_name(image: Json) -> str | None:
    name = image.get("file_name")
    return None if name is None or isinstance(name, (Mapping, list)) else str(name)


def _datums(images: Mapping[Any, Json], records: Records) -> DatumColumns:
    uids, entries = list(map(str, images)), list(images.values())
    known = [{key: image[key] for key in _METADATA if key in image} for image in entries]
    if not records.records:
        return DatumColumns.of_uids(uids, known)
    extra = records.of_images(uids, list(map(_file_name, entries)))
    return DatumColumns.of_uids(
        uids,
        [{**of, **more} for of, (more, _) in zip(known, extra, strict=True)],
        [location for _, location in extra],
    )


def _sized(number: Any, image: Json, path: Path) -> Json:
    """An image whose height and width are numbers, or left out: boxes need none."""
    where, sized = f"{os.fspath(path)!r}, image {number!r}", dict(image)
    for side in _SIZES:
        if type(image.get(side)) not in (int, NoneType):
            size = parse_typed_number(image[side], where)
            if size is None or not size.is_integer():
                note_skipped("sizes of images that are no whole numbers", where)
                del sized[side]
            else:
                sized[side] = int(size)
    return sized
