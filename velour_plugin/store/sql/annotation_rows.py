"""Annotations as rows of the store, and back: the same for ground truth and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, Connection, Table, select

from velour_plugin.domain.embedding import Embedding
from velour_plugin.domain.geometry import MultiPolygon, Polygon, Raster, Shape
from velour_plugin.domain.table import AnnotationTable, LabelName
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.backend import Backend

_SIZES = ("x", "y", "width", "height")


def load_table(
    connection: Connection,
    version: int,
    table: Table,
    labels: Sequence[LabelName] = (),
    *conditions: ColumnElement[Any],
) -> AnnotationTable:
    """Read annotations or predictions of a version's datums into columns."""
    scored = "score" in table.c
    wanted = [
        schema.version_datums.c.position,
        *(table.c[name] for name in ("annotation", "label_id", *_SIZES, "area", "crowd")),
        table.c.shape,
        table.c.raster,
        table.c.metadata,
        table.c.embedding,
        *([table.c.score] if scored else []),
    ]
    query = (
        select(*wanted)
        .join(table, table.c.datum_id == schema.version_datums.c.datum_id)
        .where(schema.version_datums.c.version_id == version, *conditions)
        .order_by(schema.version_datums.c.position, table.c.row)
    )
    rows = list(zip(*connection.execute(query), strict=True)) or [()] * len(wanted)
    names = _label_names(connection, set(rows[2]))
    known = list(dict.fromkeys([*labels, *sorted(names.values())]))
    place = {number: known.index(name) for number, name in names.items()}
    numbers = np.array(rows[3:8], dtype=np.float64)
    return AnnotationTable.from_columns(
        known,
        np.array(rows[0], np.int32),
        np.array([place[number] for number in rows[2]], np.int32),
        annotation=np.array(rows[1], np.int32),
        box=numbers[:4].T if len(rows[0]) else None,
        area=numbers[4] if len(rows[0]) else None,
        crowd=np.array(rows[8], bool),
        shape=[_shape(shape, raster) for shape, raster in zip(rows[9], rows[10], strict=True)],
        metadata=list(rows[11]),
        embedding=[None if row is None else Embedding(np.frombuffer(row)) for row in rows[12]],
        score=np.array(rows[13], np.float64) if scored else None,
    )


def region_columns(
    connection: Connection, backend: Backend, table: AnnotationTable
) -> dict[str, Sequence[Any] | NDArray[Any]]:
    """Columns of a table's rows as the store keeps them."""
    ids = label_ids(connection, backend, table.labels)
    shapes = _each(table.shape, table)
    return {
        "row": np.arange(len(table)),
        "annotation": table.annotation,
        "label_id": ids[table.label] if len(ids) else table.label,
        **{name: table.box[:, place] for place, name in enumerate(_SIZES)},
        "area": table.area,
        "crowd": table.crowd.astype(np.int64),
        "shape": [shape and _shape_wkb(shape) for shape in shapes],
        "raster": [shape and _raster_bytes(shape) for shape in shapes],
        "metadata": _each(table.metadata, table),
        "embedding": [
            None if item is None else _vector_bytes(item) for item in _each(table.embedding, table)
        ],
    }


def insert_rows(
    connection: Connection, backend: Backend, table: Table, columns: Mapping[str, Any]
) -> None:
    """Write columns, as plain Python values where the database wants them."""
    backend.insert(
        connection,
        table,
        {
            name: values.tolist()
            if isinstance(values, np.ndarray) and backend.name == "sqlite"
            else values
            for name, values in columns.items()
        },
    )


def label_ids(
    connection: Connection, backend: Backend, names: Sequence[LabelName]
) -> NDArray[np.int64]:
    """Ids of labels, in order; those that are new are stored."""
    # in one order everywhere, so that two writers wait for each other and not in a circle
    rows = [{"key": key, "value": value} for key, value in sorted(set(names))]
    backend.insert_missing(connection, schema.labels, rows)
    keys = sorted({key for key, _ in names})
    columns = schema.labels.c
    found = connection.execute(
        select(columns.key, columns.value, columns.id).where(columns.key.in_(keys))
    )
    ids = {(key, value): number for key, value, number in found}
    return np.array([ids[name] for name in names], np.int64)


def geometry_of(value: Any) -> BaseGeometry | None:
    """A geometry as either database gives it back."""
    if value is None:
        return None
    return shapely.from_wkb(bytes(getattr(value, "data", value)))


def wkb_of(geometry: BaseGeometry | None) -> bytes | None:
    """A geometry as both databases take it."""
    return None if geometry is None else bytes(shapely.to_wkb(geometry))


def _label_names(connection: Connection, ids: set[int]) -> dict[int, LabelName]:
    columns = schema.labels.c
    rows = connection.execute(select(columns.id, columns.key, columns.value)) if ids else ()
    return {number: (key, value) for number, key, value in rows if number in ids}


def _shape(shape: Any, raster: bytes | None) -> Shape | None:
    if raster is not None:
        height, width, *_ = np.frombuffer(raster[:8], "<i4").tolist()
        return Raster.from_edges(np.frombuffer(raster[8:], "<i4").astype(np.int64), height, width)
    geometry = geometry_of(shape)
    if geometry is None:
        return None
    return Polygon(geometry) if isinstance(geometry, shapely.Polygon) else MultiPolygon(geometry)


def _shape_wkb(shape: Shape | None) -> bytes | None:
    return None if shape is None or isinstance(shape, Raster) else shapely.to_wkb(shape.shape)


def _each(column: Any, table: AnnotationTable) -> list[Any]:
    return [None] * len(table) if column is None else list(column)


def _vector_bytes(embedding: Embedding | None) -> bytes | None:
    return None if embedding is None else embedding.vector.tobytes()


def _raster_bytes(shape: Shape | None) -> bytes | None:
    if not isinstance(shape, Raster):
        return None
    return np.array([shape.height, shape.width, *shape.edges], "<i4").tobytes()
