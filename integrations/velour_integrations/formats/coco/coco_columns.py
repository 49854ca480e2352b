"""COCO files straight into columns, by the compiled reader; ``None`` for all that is unusual.

What is refused, and in which words, is for :mod:`velour_integrations.formats.coco.coco_entries`
to say, which looks at one entry after the other: it reads every file that is not read here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.formats.coco.coco_entries import LARGEST
from velour_plugin import AnnotationTable
from velour_plugin.errors import InvalidInput
from velour_plugin.plugin import (
    CocoRecords,
    LabelName,
    MalformedCoco,
    RegionColumn,
    UseJson,
    check_texts,
    read_counts,
    read_polygons,
    read_results,
    read_truth,
)

_POLYGONS, _COMPRESSED, _COUNTS = 1, 2, 3
_FEW = 1 << 20
"""Ids of a range so wide are looked up in a table of it: the images of COCO."""


class Places:
    """Finds the positions of many ids at once.

    Args:
        known: positions by id; ids that are no whole numbers are never found.
    """

    def __init__(self, known: Mapping[Any, int]) -> None:
        whole = {key: index for key, index in known.items() if _is_whole(key)}
        ids = np.fromiter(whole, np.int64, len(whole))
        order = np.argsort(ids)
        self.ids = ids[order]
        self.places = np.fromiter(whole.values(), np.int32, len(whole))[order]

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.int32] | None:
        """Return the positions of ids, ``(n,)``; ``None`` when one is unknown."""
        if not ids.size or not self.ids.size:
            return None if ids.size else np.empty(0, np.int32)
        first, last = int(self.ids[0]), int(self.ids[-1])
        if ids.min() < first or ids.max() > last:
            return None
        if last - first > _FEW + 4 * len(ids):
            return self._searched(ids)
        table = np.full(last - first + 1, -1, np.int32)
        table[self.ids - first] = self.places
        positions = table[ids - first]
        return None if (positions < 0).any() else positions

    def _searched(self, ids: NDArray[np.int64]) -> NDArray[np.int32] | None:
        at = np.searchsorted(self.ids, ids)
        return self.places[at] if np.array_equal(self.ids[at], ids) else None


def read_instances(text: bytes) -> tuple[dict[str, Any], CocoRecords] | None:
    """Read an instances file: images and categories as JSON, and annotations; or ``None``."""
    try:
        truth = read_truth(text)
    except (MalformedCoco, UseJson):
        return None
    if not len(truth.annotations) or not truth.images.stop or not truth.categories.stop:
        return None  # maybe a list is missing
    lists = {"images": truth.images, "categories": truth.categories}
    try:
        content = {name: json.loads(text[part.start : part.stop]) for name, part in lists.items()}
    except ValueError:  # a whole number of thousands of digits
        return None
    return content, truth.annotations


def read_detections(text: bytes) -> CocoRecords | None:
    """Read the entries of a results file; ``None`` where only the slow reader can say."""
    try:
        return read_results(text)
    except (MalformedCoco, UseJson):
        return None


def table_of(
    records: CocoRecords,
    text: bytes,
    images: Mapping[Any, int],
    categories: Mapping[Any, int],
    labels: Sequence[LabelName],
) -> AnnotationTable | None:
    """Convert annotations or results to a table; ``None`` when one of them may be wrong.

    Args:
        records: of the file.
        text: the file.
        images: position of each image by its id.
        categories: position of each category by its id.
        labels: of the categories.
    """
    datum, label = Places(images).of(records.image), Places(categories).of(records.label)
    if datum is None or label is None or not _are_sound(records):
        return None
    regions = _regions(records, text)
    has_box = ~np.isnan(records.box[:, 0])
    if regions is None or not (has_box | regions.is_present).all():
        return None
    area = records.area
    if area is None:  # of a detection: that of its box where it has one, as in COCO
        area = records.box[:, 2] * records.box[:, 3]
    try:
        return AnnotationTable.from_columns(
            labels, datum, label, box=records.box if has_box.any() else None, area=area,
            score=records.score, crowd=records.crowd, shape=regions,
        )  # fmt: skip
    except InvalidInput:
        return None


def _is_whole(key: Any) -> bool:
    return isinstance(key, int) and -(2**63) <= key < 2**63


def _are_sound(records: CocoRecords) -> bool:
    """Whether no id occurs twice, and what a table does not ask of its columns."""
    if records.id is not None:
        ids = np.sort(records.id[records.id != -1])  # np.unique imports numpy.ma
        if (ids[1:] == ids[:-1]).any():
            return False
    if (np.abs(records.box) >= LARGEST).any():  # NaN, where there is none, is not
        return False
    return records.area is None or not (records.area < 0).any()


def _regions(records: CocoRecords, text: bytes) -> RegionColumn | None:
    """Segmentations of all records; ``None`` when one of them may be wrong."""
    rows = [np.flatnonzero(records.region == way) for way in (_POLYGONS, _COMPRESSED, _COUNTS)]
    try:
        parts = [
            RegionColumn.of_rings(*read_polygons(text, *_bounds(records, rows[0]))),
            _compressed(records, text, rows[1]),
            _counted(records, text, rows[2]),
        ]
    except (ValueError, UseJson):
        return None
    return RegionColumn.scattered(len(records), list(zip(rows, parts, strict=True)))


def _compressed(records: CocoRecords, text: bytes, rows: NDArray[np.intp]) -> RegionColumn:
    start, stop = _bounds(records, rows)
    column = RegionColumn.of_texts(text, start, stop, records.size[rows], escaped=True)
    if 2 * int((stop - start).sum()) < len(text):
        column = column.compacted()  # what else stands in the file need not be kept
    check_texts(column)
    return column


def _counted(records: CocoRecords, text: bytes, rows: NDArray[np.intp]) -> RegionColumn:
    size = records.size[rows]
    return RegionColumn.of_edges(*read_counts(text, *_bounds(records, rows), size), size)


def _bounds(
    records: CocoRecords, rows: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return records.region_start[rows], records.region_stop[rows]
