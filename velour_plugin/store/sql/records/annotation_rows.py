"""Ground truth as rows of the store, and back: with geometry, for queries in PostGIS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, func, select

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.columns.region_column import RegionColumn
from velour_plugin.domain.columns.vocabulary import Vocabulary
from velour_plugin.domain.embedding import Embedding
from velour_plugin.domain.encoding.codec import BOX
from velour_plugin.domain.encoding.regions_at_rest import (
    column_at_rest,
)
from velour_plugin.helpers.libraries import shapely
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.records.columns import each

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


def load_truth(
    connection: Connection, version_id: int, labels: Sequence[LabelName] = ()
) -> AnnotationTable:
    """Read the ground truth of a version's datums into columns.

    Args:
        connection: to the store.
        version_id: of the version.
        labels: that come first, in this order; others follow, sorted.
    """
    numbers = _rows_of(version_id, NUMBERS)
    # as the driver returns them: converting a million numbers takes longer than reading them
    columns = _by_name(("datum", *NUMBERS), connection.execute(numbers).cursor.fetchall())
    names = _objects_of(connection, version_id)
    if names:
        rows = connection.execute(_rows_of(version_id, names)).all()
        columns |= _by_name(("datum", *names), rows)
    return table_of_rows(columns, _label_names(connection, set(columns["label_id"])), labels)


NUMBERS = ("annotation", "label_id", *BOX, "area", "crowd")
OBJECTS = ("shape", "raster", "metadata", "embedding")
"""Columns of one label of one annotation, as ``columns.region_columns`` makes them."""


def table_of_rows(
    columns: Mapping[str, Sequence[Any]],
    names: Mapping[int, LabelName],
    labels: Sequence[LabelName] = (),
) -> AnnotationTable:
    """Make a table from rows of the database.

    Args:
        columns: values of rows by column: ``datum``, ``NUMBERS``, maybe ``score`` and ``OBJECTS``.
        names: labels by their id.
        labels: that come first, in this order; others follow, sorted.
    """
    vocabulary = Vocabulary(labels, names.values())
    index_of = {number: vocabulary.index_of[name] for number, name in names.items()}
    floats = [name for name in ("score", *BOX, "area") if name in columns]
    numbers = {name: np.array(columns[name], np.float64) for name in floats}
    return AnnotationTable.from_columns(
        vocabulary.names,
        np.array(columns["datum"], np.int32),
        np.array([index_of[number] for number in columns["label_id"]], np.int32),
        annotation=np.array(columns["annotation"], np.int32),
        score=numbers.get("score"),
        box=np.column_stack([numbers[name] for name in BOX]),
        area=numbers["area"],
        crowd=np.array(columns["crowd"], bool),
        shape=_shapes(columns),
        metadata=columns.get("metadata"),
        embedding=each(columns.get("embedding", ()), _embedding) or None,
    )


def label_ids(
    connection: Connection, backend: Backend, names: Sequence[LabelName]
) -> NDArray[np.int64]:
    """Return the ids of labels, in order; those that are new are stored."""
    # in one order everywhere, so that two writers cannot deadlock
    new_rows = [{"key": key, "value": value} for key, value in sorted(set(names))]
    backend.insert_missing(connection, schema.labels, new_rows)
    keys = sorted({key for key, _ in names})
    columns = schema.labels.c
    rows = connection.execute(
        select(columns.key, columns.value, columns.id).where(columns.key.in_(keys))
    )
    ids = {(key, value): number for key, value, number in rows}
    return np.array([ids[name] for name in names], np.int64)


def geometry_of(value: Any) -> BaseGeometry | None:
    """Convert a geometry as either database returns it to shapely; ``None`` stays."""
    if value is None:
        return None
    return shapely.from_wkb(bytes(getattr(value, "data", value)))


def _label_names(connection: Connection, ids: set[int]) -> dict[int, LabelName]:
    columns = schema.labels.c
    rows = connection.execute(select(columns.id, columns.key, columns.value)) if ids else ()
    return {number: (key, value) for number, key, value in rows if number in ids}


def _of_version(version_id: int, *columns: ColumnElement[Any]) -> Select[Any]:
    members, annotations = schema.version_datums, schema.annotations
    joined = members.join(annotations, annotations.c.datum_id == members.c.datum_id)
    return select(*columns).select_from(joined).where(members.c.version_id == version_id)


def _rows_of(version_id: int, names: Sequence[str]) -> Select[Any]:
    """The datum's index and some columns of each row, in order."""
    position, columns = schema.version_datums.c.position, schema.annotations.c
    query = _of_version(version_id, position, *(columns[name] for name in names))
    return query.order_by(position, columns.row)


def _by_name(names: Sequence[str], rows: Sequence[Any]) -> dict[str, Sequence[Any]]:
    values = list(zip(*rows, strict=True)) or [()] * len(names)
    return dict(zip(names, values, strict=True))


def _objects_of(connection: Connection, version_id: int) -> list[str]:
    """Columns of objects that any annotation of a version has; most have none."""
    counts = [func.count(schema.annotations.c[name]) for name in OBJECTS]
    row = connection.execute(_of_version(version_id, *counts)).one()
    return [name for name, count in zip(OBJECTS, row, strict=True) if count]


def _shapes(columns: Mapping[str, Sequence[Any]]) -> RegionColumn | None:
    wkb, content = columns.get("shape"), columns.get("raster")
    return column_at_rest(
        each(wkb, lambda value: bytes(getattr(value, "data", value))) if wkb else None,
        _mask_numbers(content) if content else None,
    )


def _mask_numbers(content: Sequence[Any]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Masks as ``columns.region_columns`` spells them, as numbers and bounds."""
    letters = [b"" if value is None else bytes(value) for value in content]
    numbers = np.frombuffer(b"".join(letters), "<i4")
    return numbers, np.cumsum([0, *map(len, letters)]) // numbers.itemsize


def _embedding(content: Any) -> Embedding:
    return Embedding(np.frombuffer(content))
