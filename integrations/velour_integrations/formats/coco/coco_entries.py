"""COCO annotations and results one by one: what is unusual is read as it is meant, or refused.

What is as it should be, the compiled reader reads
(:mod:`velour_integrations.formats.coco.coco_columns`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.formats.coco.coco_content import Json, entry_at
from velour_integrations.formats.coco.coco_ids import CocoIds
from velour_plugin import AnnotationTable, MultiPolygon, Polygon, Raster
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.plugin import (
    LabelName,
    Path,
    Shape,
    note_repaired,
    note_skipped,
    parse_number,
    parse_typed_flag,
    parse_typed_number,
    parse_typed_score,
)

_NUMBERS = {int, float}
LARGEST = 1e12
"""Pixels; corners and areas of larger boxes are not exact, or overflow."""


def table_of_entries(
    entries: Sequence[Json],
    images: CocoIds,
    categories: CocoIds,
    labels: Sequence[LabelName],
    path: Path,
    *,
    results: bool = False,
) -> AnnotationTable:
    """Convert annotations or results to a table.

    Raises:
        BadDataset: an entry is wrong, naming it and its value.
    """
    what = "result" if results else "annotation"
    at = [entry_at(path, what, position) for position in range(len(entries))]
    file = repr(os.fspath(path))
    datum = images.positions(entries, at, file)
    label = categories.positions(entries, at, file)
    box = _boxes(entries, at)
    shapes = [_shape(*pair) for pair in zip(entries, at, strict=True)]
    for index in np.flatnonzero(np.isnan(box[:, 0])):
        if shapes[index] is None:
            raise BadDataset(
                f"{at[index]}: has neither bbox nor segmentation, a ring of at least three points "
                "or an RLE."
            )
    areas = box[:, 2] * box[:, 3] if results else _areas(entries, at)
    return AnnotationTable.from_columns(
        labels,
        datum,
        label,
        box=box,
        area=areas,
        score=_scores(entries, at) if results else None,
        crowd=np.array(list(map(_is_crowd, entries, at)), bool),
        shape=shapes,
    )


def _boxes(entries: Sequence[Json], at: Sequence[str]) -> NDArray[np.float64]:
    """Boxes of all entries ``(n, 4)``; one by one where something is missing or wrong."""
    boxes: list[Any] = [entry.get("bbox") for entry in entries]
    plain = (
        set(map(type, boxes)) <= {list}
        and set(map(len, boxes)) <= {4}
        and set(map(type, chain.from_iterable(boxes))) <= _NUMBERS
    )
    columns = np.full((len(boxes), 4), np.inf)
    if plain:
        try:
            columns = np.array(boxes, np.float64).reshape(-1, 4)
        except OverflowError:
            plain = False
    if not (plain and (np.abs(columns) < LARGEST).all() and (columns[:, 2:] >= 0).all()):
        columns = np.array(list(map(_box, boxes, at)), np.float64).reshape(-1, 4)
    return columns


def _box(box: Any, where: str) -> Sequence[float]:
    """Read x, y, width, height; NaN where there is no box."""
    if box is None or box == []:
        return (np.nan,) * 4
    numbers = [parse_typed_number(side, where) for side in box] if isinstance(box, list) else []
    sides = [np.nan if number is None else number for number in numbers]
    if len(sides) != 4 or not (np.abs(sides) < LARGEST).all() or min(sides[2:]) < 0:
        raise BadDataset(
            f"{where}: bbox {box!r}: expected finite [x, y, width, height], sizes >= 0, in pixels."
        )
    return sides


def _scores(entries: Sequence[Json], at: Sequence[str]) -> NDArray[np.float64]:
    scores = [parse_typed_score(entry["score"], where)
              for entry, where in zip(entries, at, strict=True)]  # fmt: skip
    return np.array(scores, np.float64)


def _areas(entries: Sequence[Json], at: Sequence[str]) -> NDArray[np.float64]:
    """Areas in pixels; NaN where there is none."""
    areas = np.full(len(entries), np.nan)
    for index, (entry, where) in enumerate(zip(entries, at, strict=True)):
        if entry.get("area") is not None:
            area = parse_typed_number(entry["area"], where)
            if area is None or not 0 <= area < np.inf:
                raise BadDataset(f"{where}: area {entry['area']!r}: expected pixels >= 0.")
            areas[index] = area
    return areas


def _is_crowd(entry: Json, where: str) -> bool:
    flag = entry.get("iscrowd")
    crowd = False if flag is None else parse_typed_flag(flag, where)
    if crowd is None:
        raise BadDataset(f"{where}: iscrowd {flag!r}: expected 0 or 1.")
    return crowd


def _shape(entry: Json, where: str) -> Shape | None:
    segmentation = entry.get("segmentation")
    if segmentation is None or segmentation in ([], {}):
        return None
    try:
        if isinstance(segmentation, Mapping):
            return Raster({**segmentation, **_rle(segmentation)})
        rings = [ring for ring in _rings(segmentation, where) if _has_area(ring, where)]
        if len(rings) > 1:
            return MultiPolygon([[ring] for ring in rings])
        return Polygon([rings[0]]) if rings else None
    except (InvalidInput, ValueError, TypeError, OverflowError) as error:
        raise BadDataset(f"{where}: segmentation: {error}") from error


def _rle(encoded: Json) -> Json:
    """Height, width and run lengths as whole numbers; compressed ones stay text."""
    size, counts = encoded.get("size"), encoded.get("counts")
    if not isinstance(size, list) or len(size) != 2:
        raise InvalidInput(f"RLE of 'size' {size!r}: expected whole numbers [height, width].")
    whole = {"size": [_whole("size", side) for side in size]}
    if isinstance(counts, list) and not set(map(type, counts)) <= {int}:
        whole["counts"] = [_whole("counts", length) for length in counts]
    return whole


def _whole(key: str, value: Any) -> int:
    number = None if isinstance(value, str) else parse_number(value)
    if number is None or not number.is_integer():
        raise InvalidInput(f"RLE with {value!r} in its {key!r}: expected whole numbers.")
    return int(value)


def _rings(segmentation: Any, where: str) -> list[NDArray[np.float64]]:
    """Rings of points ``(n, 2)``; one that stands alone is taken for a list of one."""
    if not isinstance(segmentation, list):
        raise InvalidInput(
            f"{segmentation!r}: expected a list of rings, [[x, y, x, y, …], …], or an RLE."
        )
    if _are_numbers(segmentation) or _are_points(segmentation):
        note_repaired("rings that stand alone, where a list of rings is expected", where)
        segmentation = [segmentation]
    return [_ring(ring) for ring in segmentation]


def _ring(ring: Any) -> NDArray[np.float64]:
    if not isinstance(ring, list) or not (_are_numbers(ring) or _are_points(ring) or not ring):
        raise InvalidInput(
            f"{str(ring)[:80]}: expected a ring of numbers, [x, y, x, y, …], in a list of rings."
        )
    numbers = np.array(ring, np.float64).ravel()
    if len(numbers) % 2:
        raise InvalidInput(f"a ring of {len(numbers)} numbers: expected an x and a y each.")
    if not np.isfinite(numbers).all():
        raise InvalidInput(f"{str(ring)[:80]}: expected at least three finite points.")
    return numbers.reshape(-1, 2)


def _has_area(ring: NDArray[np.float64], where: str) -> bool:
    if len(ring) < 3:
        note_skipped("rings of fewer than three points", where)
    return len(ring) >= 3


def _are_numbers(values: Sequence[Any]) -> bool:
    return bool(values) and set(map(type, values)) <= _NUMBERS


def _are_points(values: Sequence[Any]) -> bool:
    return bool(values) and all(
        type(point) is list and len(point) == 2 and _are_numbers(point) for point in values
    )
