"""Annotations as parquet: the stored form of an :class:`AnnotationTable`.

A set of predictions is one parquet file: a blob of the store, ``velour/predictions.parquet`` of a
run, a file of a partition. A row is one label of one annotation:

| column | holds |
|---|---|
| ``uid`` | the datum |
| ``annotation`` | a number that the rows of one annotation share |
| ``key``, ``value`` | the label |
| ``score`` | in [0, 1] |
| ``x``, ``y``, ``width``, ``height`` | the box in pixels |
| ``area`` | in square pixels, where it does not follow from the region |
| ``crowd`` | whether it is a group that a detector need not separate |
| ``shape`` | a polygon or multipolygon in pixels, as WKB |
| ``raster`` | a mask: height, width, and the pixels, down the columns, where it begins and ends |
| ``metadata`` | JSON |
| ``embedding`` | numbers |

A column without a value in any row is absent. A store writes the same compactly: floats of few
decimals as whole numbers, no areas where all are those of the boxes. Where the store keeps
annotations as rows, regions are encoded by the same functions
(:mod:`velour_plugin.domain.encoding.regions_at_rest`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.annotation_table import AnnotationTable, is_absent
from velour_plugin.domain.columns.region_column import RegionColumn
from velour_plugin.domain.columns.vocabulary import LabelName, Vocabulary
from velour_plugin.domain.embedding import Embedding
from velour_plugin.domain.encoding.arrow import (
    column_to_numpy,
    columns_to_parquet,
    numbers_to_arrow,
    parquet_to_table,
    refusing_damage,
    texts_to_arrow,
)
from velour_plugin.domain.encoding.canonical import exact_json
from velour_plugin.domain.encoding.regions_at_rest import (
    column_at_rest,
    masks_to_numbers,
    polygons_to_wkb,
)
from velour_plugin.domain.geometry import Raster, Shape
from velour_plugin.errors import BadDataset
from velour_plugin.helpers.json_text import parse_all, parse_json

BOX = ("x", "y", "width", "height")
_TEXTS = ("uid", "key", "value")
_FLOATS = "(u?int(8|16|32|64)|halffloat|float|double|null)", "numbers"
_TYPES = {
    "annotation": ("u?int(8|16|32)|int64", "whole numbers"),
    **dict.fromkeys(("score", *BOX, "area"), _FLOATS),
    "crowd": ("bool", "true or false"),
    "shape": ("(large_)?binary", "WKB"),
    "raster": (r"(large_)?(string|list<.*: int(32|64)( not null)?>)", "lists of whole numbers"),
    "metadata": ("(large_)?string", "JSON"),
    "embedding": ("(large_)?list<.*: (float|double)( not null)?>", "lists of numbers"),
}
"""Patterns of the types that columns may have, and what they hold in words."""
_AREA_OF_BOX = "velour.area"
"""Marks a compact table whose areas are all width times height: they are not written."""


def table_to_bytes(
    table: AnnotationTable,
    uids: Sequence[str],
    notes: Mapping[str, str] | None = None,
    *,
    compact: bool = False,
) -> bytes:
    """Encode annotations as a parquet file; :func:`table_from_bytes` undoes it exactly.

    Args:
        table: of the datums named by ``uids``.
        uids: of the datums, in order.
        notes: kept in the file's own metadata.
        compact: a third as large; only :func:`table_from_bytes` can read it.
    """
    keys, values = zip(*table.labels, strict=True) if table.labels else ((), ())
    columns = {
        "uid": _coded(table.datum, uids),
        "annotation": table.annotation,
        "key": _coded(table.label, keys),
        "value": _coded(table.label, values),
        **_number_columns(table),
        **_object_columns(table),
    }
    if compact and "area" in columns and _areas_are_of_boxes(table):
        del columns["area"]
        notes = {**(notes or {}), _AREA_OF_BOX: "width * height"}
    return columns_to_parquet(columns, notes, compact=compact)


def table_from_bytes(
    content: bytes,
    index_of: Mapping[str, int],
    labels: Iterable[LabelName] = (),
    *,
    some: bool = False,
) -> tuple[AnnotationTable, dict[str, str]]:
    """Decode annotations; return them with the notes of their file.

    Args:
        content: of a parquet file.
        index_of: index of each datum by its uid.
        labels: that come first, in this order; others follow, sorted.
        some: rows for datums that are not in ``index_of`` are left out, not refused; labels are
            those of all rows.

    Raises:
        BadDataset: this is no parquet, a column is missing or of another type, a value is damaged,
            or a row is for no datum in ``index_of``.
        BadAnnotation, BadGeometry, BadMetadata: a value breaks a rule.
    """
    table = parquet_to_table(content, _TEXTS)
    columns = {name: table[name] for name in table.column_names}
    _check_types(columns)
    with refusing_damage("this holds no annotations as Velour writes them"):
        return _table_of(table, columns, index_of, labels, some)


def _table_of(
    table: Any,
    columns: dict[str, Any],
    index_of: Mapping[str, int],
    labels: Iterable[LabelName],
    some: bool,
) -> tuple[AnnotationTable, dict[str, str]]:
    notes = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    names, label = _labels_of(columns, labels)
    datum = _datums_of(columns, index_of, some)
    if some:
        rows = np.flatnonzero(datum >= 0)
        columns = {
            name: _taken(column, rows) for name, column in columns.items() if name not in _TEXTS
        }
        datum, label = datum[rows], label[rows]
    box = _boxes_of(columns)
    numbers = {
        name: _numbers_of(columns, name) for name in ("annotation", "score", "area", "crowd")
    }
    if notes.pop(_AREA_OF_BOX, None) is not None and box is not None:
        numbers["area"] = box[:, 2] * box[:, 3]
    annotations = AnnotationTable.from_columns(
        names,
        datum,
        label,
        **numbers,
        box=box,
        shape=_shapes_of(columns),
        metadata=_metadata_of(columns),
        embedding=_vectors_of(columns, "embedding", Embedding),
    )
    return annotations, notes


def _areas_are_of_boxes(table: AnnotationTable) -> bool:
    """Whether every area equals width times height, to the bit."""
    areas = table.box[:, 2] * table.box[:, 3]
    return bool(np.isfinite(areas).all()) and areas.tobytes() == table.area.tobytes()


def _number_columns(table: AnnotationTable) -> dict[str, Any]:
    boxes = {name: table.box[:, at] for at, name in enumerate(BOX)}
    floats = {"score": table.score, **boxes, "area": table.area}
    columns: dict[str, Any] = {
        name: numbers_to_arrow(column, nan_is_absent=True)
        for name, column in floats.items()
        if not is_absent(column) and not np.isnan(column).all()
    }
    if is_absent(table.crowd) or not table.crowd.any():
        return columns
    return {**columns, "crowd": table.crowd}


def _object_columns(table: AnnotationTable) -> dict[str, Any]:
    import pyarrow as pa

    columns: dict[str, Any] = {}
    if table.shape is not None:
        columns["shape"] = pa.array(polygons_to_wkb(table.shape), pa.large_binary())
        numbers, bounds = masks_to_numbers(table.shape)
        absent = pa.array(~table.shape.is_mask)
        columns["raster"] = pa.LargeListArray.from_arrays(bounds, numbers, mask=absent)
    if table.metadata is not None:
        texts = [exact_json(value) if value else None for value in table.metadata]
        columns["metadata"] = pa.array(texts, pa.large_string())
    if table.embedding is not None:
        columns["embedding"] = _lists([item and item.vector for item in table.embedding], "<f8")
    return {name: column for name, column in columns.items() if len(column) > column.null_count}


def _coded(indices: NDArray[np.int32], names: Sequence[str]) -> Any:
    """A dictionary-encoded column: each name is written once."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(numbers_to_arrow(indices), texts_to_arrow(names))


def _lists(vectors: Sequence[NDArray[Any] | None], dtype: str) -> Any:
    """A column of lists of numbers, null where there is none."""
    import pyarrow as pa

    absent = np.array([vector is None for vector in vectors], bool)
    offsets = np.cumsum([0, *(0 if vector is None else len(vector) for vector in vectors)])
    numbers = np.concatenate([np.empty(0, dtype), *(item for item in vectors if item is not None)])
    return pa.LargeListArray.from_arrays(offsets, numbers.astype(dtype), mask=pa.array(absent))


def _codes_of(columns: Mapping[str, Any], name: str) -> tuple[NDArray[np.int32], list[str]]:
    """Undo :func:`_coded`: ``(n,)`` indices and the names that they refer to."""
    if name not in columns:
        raise BadDataset(
            f"there is no column {name!r}, only {', '.join(sorted(columns))}: expected a file of "
            "predictions as Velour writes it."
        )
    array = columns[name].unify_dictionaries().combine_chunks()
    if not hasattr(array, "dictionary"):
        raise BadDataset(f"column {name!r} holds {array.type}: expected text.")
    if array.null_count:
        raise BadDataset(f"column {name!r} has {array.null_count:,} rows without a value.")
    codes: NDArray[np.int32] = column_to_numpy(array.indices)
    return codes, array.dictionary.to_pylist()


def _taken(column: Any, rows: NDArray[np.intp]) -> Any:
    """Some rows of a column."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return numbers_to_arrow(column_to_numpy(column)[rows])
    return column.take(numbers_to_arrow(rows))


def _datums_of(
    columns: Mapping[str, Any], index_of: Mapping[str, int], some: bool
) -> NDArray[np.int32]:
    """Index of each row's datum; -1 where it has none and only some are read."""
    codes, uids = _codes_of(columns, "uid")
    datums = np.array([index_of.get(uid, -1) for uid in uids], np.int32)[codes]
    unknown = np.flatnonzero(datums < 0)
    if unknown.size and not some:
        raise BadDataset(f"datum {uids[codes[unknown[0]]]!r} is not in the dataset.")
    return datums


def _labels_of(
    columns: Mapping[str, Any], first: Iterable[LabelName]
) -> tuple[tuple[LabelName, ...], NDArray[np.int32]]:
    (keys, key_names), (values, value_names) = (
        _codes_of(columns, "key"),
        _codes_of(columns, "value"),
    )
    pairs = keys.astype(np.int64) * len(value_names) + values
    # counting each possible pair is faster than sorting a million rows
    used = np.flatnonzero(np.bincount(pairs, minlength=0))
    names = [(key_names[at // len(value_names)], value_names[at % len(value_names)]) for at in used]
    vocabulary = Vocabulary(first, names)
    label = np.zeros(used.max(initial=-1) + 1, np.int32)
    label[used] = vocabulary.indices(names)
    return vocabulary.names, label[pairs]


def _check_types(columns: Mapping[str, Any]) -> None:
    """Refuse columns of another type than their name says, and numbers that lack a value."""
    for name, column in columns.items():
        kinds, expected = _TYPES.get(name, ("", ""))
        if kinds and not re.fullmatch(kinds, str(column.type)):
            raise BadDataset(f"column {name!r} holds {column.type}: expected {expected}.")
        if name in ("annotation", "crowd") and column.null_count:
            raise BadDataset(f"column {name!r} has {column.null_count:,} rows without a value.")


def _metadata_of(columns: Mapping[str, Any]) -> list[Mapping[str, Any] | None] | None:
    if "metadata" not in columns:
        return None
    texts = columns["metadata"].to_pylist()
    known = iter(parse_all([text for text in texts if text is not None], "metadata"))
    return [None if text is None else next(known) for text in texts]


def _numbers_of(columns: Mapping[str, Any], name: str) -> NDArray[Any] | None:
    return column_to_numpy(columns[name]) if name in columns else None


def _boxes_of(columns: Mapping[str, Any]) -> NDArray[np.float64] | None:
    sides = [_numbers_of(columns, name) for name in BOX]
    return None if any(side is None for side in sides) else np.column_stack(sides)  # type: ignore[arg-type]


def _each_of(columns: Mapping[str, Any], name: str, make: Callable[[Any], Any]) -> list[Any] | None:
    if name not in columns:
        return None
    return [None if value is None else make(value) for value in columns[name].to_pylist()]


def _vectors_of(
    columns: Mapping[str, Any], name: str, make: Callable[[NDArray[Any]], Any]
) -> list[Any] | None:
    """Undo :func:`_lists`; ``make`` turns each vector into an object."""
    if name not in columns:
        return None
    numbers, bounds = _lists_of(columns, name)
    pairs = pairwise(bounds.tolist())
    return [make(numbers[low:high]) if low < high else None for low, high in pairs]


def _lists_of(columns: Mapping[str, Any], name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """All numbers of a column of lists, and where each list begins and ends: ``(n + 1,)``.

    Raises:
        BadDataset: it holds something else.
    """
    array = columns[name].combine_chunks()
    if not str(array.type).startswith(("list", "large_list")):
        raise BadDataset(f"column {name!r} holds {array.type}: expected lists of numbers.")
    return column_to_numpy(array.values), column_to_numpy(array.offsets).astype(np.int64)


def _shapes_of(columns: Mapping[str, Any]) -> Sequence[Shape | None] | RegionColumn | None:
    wkb = columns["shape"].to_pylist() if "shape" in columns else None
    if "raster" not in columns:
        return column_at_rest(wkb, None)
    if str(columns["raster"].type) not in ("string", "large_string"):
        return column_at_rest(wkb, _lists_of(columns, "raster"))
    # COCO's RLE in JSON, as older artifacts of runs have it
    rasters = _each_of(columns, "raster", _raster_of) or []
    polygons = column_at_rest(wkb, None) or [None] * len(rasters)
    return [shape or raster for shape, raster in zip(polygons, rasters, strict=True)]


def _raster_of(text: str) -> Raster:
    return Raster(parse_json(text, "the mask"))
