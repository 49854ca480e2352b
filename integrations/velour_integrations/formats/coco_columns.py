"""COCO files straight into columns, by the compiled reader; ``None`` for all that is unusual.

What is refused, and in which words, is for the reader in :mod:`velour_integrations.formats.coco`
to say, which looks at one entry after the other: it reads every file that is not read here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin import AnnotationTable, Raster
from velour_plugin.errors import InvalidInput
from velour_plugin.plugin import (
    CocoRecords,
    LabelName,
    MalformedCoco,
    RegionColumn,
    UseJson,
    check_texts,
    read_polygons,
    read_results,
    read_truth,
)

_POLYGONS, _COMPRESSED, _COUNTS = 1, 2, 3


class Places:
    """Finds the positions of many ids at once.

    Args:
        known: positions by id; ids that are no whole numbers are never found.
    """

    def __init__(self, known: Mapping[Any, int]) -> None:
        whole = {key: place for key, place in known.items() if _is_whole(key)}
        ids = np.array(list(whole), np.int64)
        order = np.argsort(ids)
        self.ids = ids[order]
        self.places = np.array(list(whole.values()), np.int32)[order]

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.int32] | None:
        """Positions of ids, ``(n,)``; ``None`` when one is unknown."""
        at = np.searchsorted(self.ids, ids)
        known = at < len(self.ids)
        if not known.all() or not np.array_equal(self.ids[at], ids):
            return None
        return self.places[at]


def read_instances(text: bytes) -> tuple[dict[str, Any], CocoRecords] | None:
    """Images and categories of an instances file as JSON has them, and its annotations."""
    try:
        truth = read_truth(text)
    except (MalformedCoco, UseJson):
        return None
    if not len(truth.annotations) or not truth.images.stop or not truth.categories.stop:
        return None  # maybe a list is missing
    lists = {"images": truth.images, "categories": truth.categories}
    content = {name: json.loads(text[part.start : part.stop]) for name, part in lists.items()}
    return content, truth.annotations


def read_detections(text: bytes) -> CocoRecords | None:
    """The entries of a results file."""
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
    """Annotations or results as a table; ``None`` when one of them may be wrong.

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
    if regions is None or not (regions.is_present | has_box).all():
        return None
    area = records.area
    if area is None:  # of a detection: that of its box where it has one, as in COCO
        area = records.box[:, 2] * records.box[:, 3]
    return AnnotationTable.from_columns(
        labels, datum, label, box=records.box if has_box.any() else None, area=area,
        score=records.score, crowd=records.crowd, shape=regions,
    )  # fmt: skip


def _is_whole(key: Any) -> bool:
    return isinstance(key, int) and -(2**63) <= key < 2**63


def _are_sound(records: CocoRecords) -> bool:
    """Whether all numbers are within their bounds, and no id occurs twice."""
    box, area, score = records.box, records.area, records.score
    if records.id is not None:
        given = np.sort(records.id[records.id != -1])  # np.unique imports numpy.ma
        if (given[1:] == given[:-1]).any():
            return False
    return not (
        (box[:, 2:] < 0).any()
        or (area is not None and (area < 0).any())
        or (score is not None and not ((score >= 0) & (score <= 1)).all())
    )


def _regions(records: CocoRecords, text: bytes) -> RegionColumn | None:
    """Segmentations of all records; ``None`` when one of them may be wrong."""
    rows = [np.flatnonzero(records.region == way) for way in (_POLYGONS, _COMPRESSED, _COUNTS)]
    try:
        parts = [
            RegionColumn.of_rings(*read_polygons(text, *_bounds(records, rows[0]))),
            _compressed(records, text, rows[1]),
            RegionColumn.of_shapes([_counted(records, text, row) for row in rows[2].tolist()]),
        ]
    except (ValueError, InvalidInput):
        return None
    return RegionColumn.scattered(len(records), list(zip(rows, parts, strict=True)))


def _compressed(records: CocoRecords, text: bytes, rows: NDArray[np.intp]) -> RegionColumn:
    start, stop = _bounds(records, rows)
    column = RegionColumn.of_texts(text, start, stop, records.size[rows], escaped=True)
    if 2 * int((stop - start).sum()) < len(text):
        column = column.compacted()  # what else stands in the file need not be kept
    check_texts(column)
    return column


def _counted(records: CocoRecords, text: bytes, row: int) -> Raster:
    counts = json.loads(text[records.region_start[row] : records.region_stop[row]])
    return Raster({"size": records.size[row].tolist(), "counts": counts})


def _bounds(
    records: CocoRecords, rows: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return records.region_start[rows], records.region_stop[rows]
