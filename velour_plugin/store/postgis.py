"""The store in PostgreSQL with PostGIS: places as geography, regions as planar geometry."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Float,
    LargeBinary,
    Table,
    cast,
    create_engine,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT, insert
from sqlalchemy.types import BigInteger, Integer

from velour_plugin.store.backend import Columns
from velour_plugin.store.schema import datums

_FUNCTIONS = {
    "s_intersects": "ST_Intersects",
    "s_within": "ST_Within",
    "s_contains": "ST_Contains",
    "s_disjoint": "ST_Disjoint",
}
_COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
_DTYPES = {BigInteger: ">i8", Integer: ">i4", Float: ">f8"}
_COPY_END = struct.pack(">h", -1)


class PostGIS:
    """Answers for PostgreSQL with PostGIS."""

    name = "postgresql"
    upgrades_itself = False

    def open(self, url: URL) -> Engine:
        """Make an engine; the database must exist, with or without tables."""
        driver = url.set(drivername="postgresql+psycopg2")  # COPY is spoken to this one
        return create_engine(driver, connect_args={"connect_timeout": 10})

    def insert(self, connection: Connection, table: Table, columns: Columns) -> None:
        """Write many rows by binary COPY, on the transaction's own connection."""
        if not len(next(iter(columns.values()))):
            return
        names = ", ".join(f'"{name}"' for name in columns)
        statement = f"COPY {table.name} ({names}) FROM STDIN WITH (FORMAT binary)"
        driver = connection.connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor:
            cursor.copy_expert(statement, io.BytesIO(binary_rows(table, columns)))

    def lock(self, connection: Connection, name: str) -> None:
        """Let one transaction at a time write to a dataset; readers are not held up."""
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))

    def insert_missing(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write the rows that are not there yet."""
        if rows:
            connection.execute(insert(table).on_conflict_do_nothing(), rows)

    def create_indexes(self, connection: Connection) -> None:
        """Make GiST indexes over places and regions, and a GIN index over metadata."""
        for statement in (
            "CREATE INDEX ix_datums_location ON datums USING gist (location)",
            "CREATE INDEX ix_datums_metadata ON datums USING gin (metadata jsonb_path_ops)",
            "CREATE INDEX ix_annotations_shape ON annotations USING gist (shape)",
            "CREATE INDEX ix_predictions_shape ON predictions USING gist (shape)",
        ):
            connection.execute(text(statement))

    def index_places(
        self, connection: Connection, ids: Sequence[int], places: Sequence[BaseGeometry | None]
    ) -> None:
        """Do nothing: the GiST index keeps itself."""

    def within_distance(
        self, longitude: float, latitude: float, metres: float
    ) -> ColumnElement[Any]:
        """ST_DWithin on geography: on the WGS84 ellipsoid."""
        point = func.ST_SetSRID(func.ST_MakePoint(longitude, latitude), 4326)
        near: ColumnElement[Any] = func.ST_DWithin(datums.c.location, func.geography(point), metres)
        return near

    def spatial(self, op: str, geometry: BaseGeometry) -> ColumnElement[Any]:
        """Planar in degrees, as OGC's operators are on WGS84."""
        other = func.ST_GeomFromWKB(literal(shapely.to_wkb(geometry), LargeBinary), 4326)
        # the plain function: the column's type would wrap it in ST_AsBinary
        place = text("datums.location::geometry")
        related: ColumnElement[Any] = getattr(func, _FUNCTIONS[op])(place, other)
        return related

    def typed(
        self, path: Sequence[str], kind: str
    ) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Use ``jsonb_typeof``; numbers are compared as float64, text by its bytes."""
        there = datums.c.metadata.op("#>", return_type=JSONB())(_path(path))
        spelled = datums.c.metadata.op("#>>", return_type=TEXT())(_path(path))
        value: ColumnElement[Any] = spelled.collate("C")
        if kind == "number":
            value = cast(spelled, Float(53))
        elif kind == "boolean":
            value = spelled == "true"
        return func.jsonb_typeof(there) == kind, value

    def absent(self, path: Sequence[str]) -> ColumnElement[Any]:
        """Nothing there, or JSON's null."""
        there = datums.c.metadata.op("#>", return_type=JSONB())(_path(path))
        return func.coalesce(func.jsonb_typeof(there), "null") == "null"

    def like(self, value: ColumnElement[Any], pattern: str) -> ColumnElement[Any]:
        """LIKE, without its escape character."""
        return value.op("LIKE")(pattern.replace("\\", "\\\\"))


def binary_rows(table: Table, columns: Columns) -> bytes:
    """Spell rows in PostgreSQL's binary COPY format.

    Rows are grouped by which of their values are NULL, so that all rows of a group
    have the same layout and numbers are written as one numpy array.

    Args:
        table: gives the type of each column.
        columns: equally long.
    """
    fields = [_Field(table.c[name].type, values) for name, values in columns.items()]
    pattern = np.zeros(len(fields[0].null), np.int64)
    for place, field in enumerate(fields):
        pattern |= field.null.astype(np.int64) << place
    chunks = [_COPY_HEADER]
    for value in np.unique(pattern):
        rows = np.flatnonzero(pattern == value)
        chunks.append(_group(fields, int(value), rows))
    return b"".join([*chunks, _COPY_END])


class _Field:
    """One column on its way into COPY."""

    def __init__(self, kind: Any, values: Sequence[Any]) -> None:
        self.numbers: NDArray[Any] | None = None
        self.encode: Callable[[Any], bytes] | None = None
        dtype = _DTYPES.get(_family(kind))
        if dtype is None:
            self.values = values
            self.encode = _encoder(kind)
            self.null = np.array([value is None for value in values], bool)
            return
        numbers = np.asarray(values)
        self.null = np.isnan(numbers) if numbers.dtype.kind == "f" else np.zeros(len(numbers), bool)
        self.numbers = np.where(self.null, 0, numbers).astype(dtype)


def _family(kind: Any) -> type:
    return next((base for base in _DTYPES if isinstance(kind, base)), object)


def _encoder(kind: Any) -> Callable[[Any], bytes]:
    if isinstance(kind, type(datums.c.metadata.type)):  # JSONB on the wire: a version, then text
        return lambda value: b"\x01" + json.dumps(value).encode()
    return lambda value: value.encode() if isinstance(value, str) else bytes(value)


def _group(fields: Sequence[_Field], nulls: int, rows: NDArray[np.intp]) -> bytes:
    """Rows of one layout: runs of numbers as one structured array, other values between them."""
    layout: list[tuple[str, str]] = [("count", ">i2")]
    parts: list[tuple[list[tuple[str, str]], _Field | None]] = []
    for place, field in enumerate(fields):
        if nulls >> place & 1:
            layout.append((f"null{place}", ">i4"))
        elif field.numbers is not None:
            layout += [(f"size{place}", ">i4"), (f"value{place}", field.numbers.dtype.str)]
        else:
            parts.append((layout, field))
            layout = []
    parts.append((layout, None))
    fixed = [_fixed(fields, part, rows) for part, _ in parts]
    if len(parts) == 1:
        return fixed[0].tobytes()
    spelled: list[list[bytes]] = []
    for numbers, (_, between) in zip(fixed, parts, strict=True):
        width = numbers.dtype.itemsize
        data = numbers.tobytes()
        spelled.append([data[at * width : (at + 1) * width] for at in range(len(rows))])
        if between is not None and between.encode is not None:
            values = [between.encode(between.values[row]) for row in rows]
            spelled.append([struct.pack(">i", len(value)) + value for value in values])
    return b"".join(piece for row in zip(*spelled, strict=True) for piece in row)


def _fixed(
    fields: Sequence[_Field], layout: list[tuple[str, str]], rows: NDArray[np.intp]
) -> NDArray[Any]:
    block = np.zeros(len(rows), np.dtype(layout))
    for name, _ in layout:
        if name == "count":
            block[name] = len(fields)
        elif name.startswith("null"):
            block[name] = -1
        elif name.startswith("size"):
            numbers = fields[int(name[4:])].numbers
            assert numbers is not None
            block[name] = numbers.dtype.itemsize
        else:
            numbers = fields[int(name[5:])].numbers
            assert numbers is not None
            block[name] = numbers[rows]
    return block


def _path(path: Sequence[str]) -> ColumnElement[Any]:
    return cast(literal(list(path), ARRAY(TEXT)), ARRAY(TEXT))
