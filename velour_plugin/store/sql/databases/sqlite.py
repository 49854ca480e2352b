"""The backend for SQLite: locations as WKB, with an R*Tree beside them.

Python's sqlite3 cannot load SpatiaLite; shapely and pyproj take its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    REAL,
    URL,
    Connection,
    Engine,
    LargeBinary,
    Table,
    case,
    cast,
    column,
    create_engine,
    event,
    exists,
    func,
    literal,
    select,
    table,
    text,
)
from sqlalchemy.dialects.sqlite import insert

from velour_plugin.errors import StoreUnavailable
from velour_plugin.filters.comparable_values import TAGS
from velour_plugin.filters.geodesy import box_around
from velour_plugin.helpers.libraries import shapely
from velour_plugin.helpers.store_urls import masked_url
from velour_plugin.store.sql.databases.backend import Column, Columns, Condition
from velour_plugin.store.sql.databases.sqlite_functions import FUNCTIONS
from velour_plugin.store.sql.head import STATISTICS
from velour_plugin.store.sql.schema import datums

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_PLACES = "datum_places"
_places = table(_PLACES, *map(column, ("id", "west", "east", "south", "north")))
_UNSPELLABLE = frozenset(('"', "\\", *map(chr, range(32))))
_KINDS = {"number": ("integer", "real"), "string": ("text",), "boolean": ("true", "false")}


class Sqlite:
    """The backend for SQLite."""

    name = "sqlite"
    upgrades_itself = True
    snapshot_options: Mapping[str, Any] = {}  # every transaction is a snapshot

    def open(self, url: URL) -> Engine:
        """Create an engine; the file is created when first written to, its folder must exist."""
        database = url.database
        folder = Path(database or "").resolve().parent
        if database and database != ":memory:" and not folder.is_dir():
            raise StoreUnavailable(
                f"store {masked_url(str(url))!r}: the folder {str(folder)!r} does not exist; make "
                "it first, or name another place with --store or VELOUR_STORE_URI."
            )
        # keys are looked up as they are, so they are not escaped to ASCII
        engine = create_engine(url, json_serializer=json.JSONEncoder(ensure_ascii=False).encode)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def exists(self, url: URL) -> bool:
        """Whether the file is there."""
        return url.database in (None, "", ":memory:") or isfile(str(url.database))

    def lock(self, connection: Connection, name: str) -> None:
        """Do nothing: a writing transaction already holds the only write lock."""

    def insert_missing(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write the rows that are not there yet."""
        if rows:
            connection.execute(insert(table).on_conflict_do_nothing(), rows)

    def insert(self, connection: Connection, table: Table, columns: Columns) -> None:
        """Write many rows with one prepared statement."""
        names = [column.name for column in table.c if column.name in columns]
        dialect = connection.dialect
        kinds = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
        plain = [_plain(columns[name]) for name in names]
        values = [
            column if process is None else _processed(process, column)
            for process, column in zip(kinds, plain, strict=True)
        ]
        rows = list(zip(*values, strict=True))
        if rows:
            statement = str(insert(table).compile(dialect=dialect, column_keys=names))
            connection.exec_driver_sql(statement, rows)

    def prepare_database(self, connection: Connection) -> None:
        """Do nothing: every connection supports geometry."""

    def create_indexes(self, connection: Connection) -> None:
        """Create the R*Tree over the datums' locations, and statistics for the query planner.

        Without statistics SQLite assumes that a version has ten datums and scans them all.
        """
        for statement in (
            f"CREATE VIRTUAL TABLE {_PLACES} USING rtree(id, west, east, south, north)",
            "ANALYZE",
            *(
                f"INSERT INTO sqlite_stat1 VALUES ('version_datums', '{index}', '{rows}')"
                for index, rows in STATISTICS.items()
            ),
            "ANALYZE sqlite_schema",
        ):
            connection.execute(text(statement))

    def index_locations(
        self, connection: Connection, ids: Sequence[int], locations: Sequence[BaseGeometry | None]
    ) -> None:
        """Add the bounds of new locations to the R*Tree."""
        rows = [
            (number, location.bounds[0], location.bounds[2], location.bounds[1], location.bounds[3])
            for number, location in zip(ids, locations, strict=True)
            if location is not None
        ]
        if rows:
            connection.exec_driver_sql(f"INSERT INTO {_PLACES} VALUES (?, ?, ?, ?, ?)", rows)

    def value(self, path: Sequence[str], kind: str) -> Column:
        """SQL for metadata by ``json_type`` and ``json_extract``."""
        document, where = _at(path, TAGS.get("datetime" if kind == "day" else kind))
        value: Column = func.json_extract(document, where)
        if kind == "day":
            return func.substr(value, 1, 10)
        if kind in TAGS:
            return value
        is_kind = func.json_type(document, where)
        if kind == "number":
            value = cast(value, REAL)
        return case((is_kind.in_(_KINDS[kind]), value))

    def absent(self, path: Sequence[str]) -> Condition:
        """Condition: nothing is there, or JSON's null."""
        return func.coalesce(func.json_type(*_at(path)), "null") == "null"

    def text(self, value: Column) -> Column:
        """Return the text: SQLite compares bytes of UTF-8, which have the order of code points."""
        return value

    def casefold(self, text: Column) -> Column:
        """SQL for a text folded by a function in Python."""
        return func.velour_casefold(text)

    def like(self, text: Column, pattern: str) -> Condition:
        """Condition by LIKE, case-sensitive by a setting of every connection."""
        return text.like(pattern, escape="\\")

    def one_of(self, value: Column, values: Sequence[Any]) -> Condition:
        """Condition with one parameter, however many values there are."""
        items = func.json_each(json.dumps(list(values))).table_valued("value")
        return value.in_(select(items.c.value))

    def holds(self, path: Sequence[str], kind: str, value: Any) -> Condition:
        """Condition that compares the items one by one."""
        document, where = _at(path)
        items = func.json_each(document, where).table_valued("value", "type", "fullkey")
        extracted: Column = items.c.value
        if kind in TAGS or kind == "day":
            is_kind = items.c.type == "object"
            extracted = func.json_extract(
                extracted, f'$."{TAGS["datetime" if kind == "day" else kind]}"'
            )
        else:
            is_kind = items.c.type.in_(_KINDS[kind])
        extracted = func.substr(extracted, 1, 10) if kind == "day" else extracted
        expected = literal(value, REAL) if isinstance(value, float) else literal(value)
        held = exists(select(1).select_from(items).where(case((is_kind, extracted == expected))))
        return case((func.json_type(document, where) == "array", held))

    def location(self) -> Column:
        """SQL for the WKB of a datum's location."""
        return datums.c.location

    def geometry(self, path: Sequence[str]) -> Column:
        """SQL for GeoJSON as WKB, by a function in Python."""
        return func.velour_geometry(func.json_extract(*_at(path)))

    def shape(self, geometry: BaseGeometry) -> Column:
        """SQL for a geometry's WKB."""
        return literal(shapely.to_wkb(geometry), LargeBinary)

    def related(self, op: str, left: Column, right: Column) -> Condition:
        """Condition by a function that calls shapely for each geometry."""
        related: Condition = getattr(func, f"velour_{op}")(left, right)
        return related == 1

    def within_distance(
        self, path: Sequence[str], longitude: float, latitude: float, metres: float
    ) -> Condition:
        """Condition by a function that computes the distance of each geometry."""
        location = self.geometry(path) if path else datums.c.location
        return func.velour_distance(location, longitude, latitude) <= metres

    def near(self, longitude: float, latitude: float, metres: float) -> Condition | None:
        """Condition that looks up the R*Tree for locations near a point."""
        return _in_box(box_around(longitude, latitude, metres))

    def touching(self, geometry: BaseGeometry) -> Condition | None:
        """Condition that looks up the R*Tree for locations in a geometry's bounds."""
        return _in_box(geometry.bounds)

    def containing(self, path: Sequence[str], value: Any) -> Condition | None:
        """Return ``None``: SQLite has no index over metadata."""
        return None


def _in_box(bounds: tuple[float, float, float, float]) -> Condition:
    west, south, east, north = bounds
    within = (
        (_places.c.west <= east)
        & (_places.c.east >= west)
        & (_places.c.south <= north)
        & (_places.c.north >= south)
    )
    return datums.c.id.in_(select(_places.c.id).where(within))


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy issues BEGIN, so that schema changes roll back
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA case_sensitive_like = ON")
    connection.execute("PRAGMA busy_timeout = 30000")
    for name, (count, function) in FUNCTIONS.items():
        connection.create_function(name, count, function, deterministic=True)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("velour_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _plain(column: Sequence[Any] | NDArray[Any]) -> Sequence[Any]:
    """A column as Python values: the driver does not accept numpy's."""
    return column.tolist() if isinstance(column, np.ndarray) else column


def _processed(process: Callable[[Any], Any], column: Sequence[Any]) -> list[Any]:
    """Convert values for the database; ``None`` is converted once, as most values are."""
    nothing = process(None)
    return [nothing if value is None else process(value) for value in column]


def _at(path: Sequence[str], tag: str | None = None) -> tuple[Column, Column]:
    """A JSON document and a path in it, to metadata or to its tagged value."""
    end = "" if tag is None else f'."{tag}"'
    whole = ".".join(path)
    if any(character in whole for character in _UNSPELLABLE):
        member = func.velour_member(datums.c.metadata, json.dumps(list(path)))
        return member, literal(f"${end}")
    nested = "$" + "".join(f'."{step}"' for step in path)
    if len(path) == 1:
        return datums.c.metadata, literal(nested + end)
    flat = f'$."{whole}"'
    there = func.json_type(datums.c.metadata, flat).is_not(None)
    return datums.c.metadata, case((there, flat + end), else_=nested + end)
