"""The store in an SQLite file: places as WKB with an R*Tree beside them.

Python's sqlite3 cannot load SpatiaLite; shapely and pyproj answer what it would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Table,
    case,
    create_engine,
    event,
    func,
    text,
)
from sqlalchemy.dialects.sqlite import insert

from velour_plugin.errors import StoreUnavailable
from velour_plugin.filters.geodesy import box_around, distances
from velour_plugin.store.backend import Columns
from velour_plugin.store.schema import datums

_PLACES = "datum_places"
_KINDS = {"number": ("integer", "real"), "string": ("text",), "boolean": ("true", "false")}
_PREDICATES: dict[str, Callable[[Any, Any], Any]] = {
    "s_intersects": shapely.intersects,
    "s_within": shapely.within,
    "s_contains": shapely.contains,
    "s_disjoint": shapely.disjoint,
}


class Sqlite:
    """Answers for SQLite."""

    name = "sqlite"
    upgrades_itself = True

    def open(self, url: URL) -> Engine:
        """Make an engine; the file is made when first written to, its folder must exist."""
        database = url.database
        if database and database != ":memory:" and not Path(database).resolve().parent.is_dir():
            raise StoreUnavailable(
                f"store {str(url)!r}: the folder {str(Path(database).resolve().parent)!r} does not "
                "exist; make it first, or name another place with --store or VELOUR_STORE_URI."
            )
        engine = create_engine(url)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def lock(self, connection: Connection, name: str) -> None:
        """Do nothing: a writing transaction began with the only write lock there is."""

    def insert_missing(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write the rows that are not there yet."""
        if rows:
            connection.execute(insert(table).on_conflict_do_nothing(), rows)

    def insert(self, connection: Connection, table: Table, columns: Columns) -> None:
        """Write many rows with one prepared statement."""
        names = list(columns)
        dialect = connection.dialect
        kinds = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
        values = [
            column if process is None else [process(value) for value in column]
            for process, column in zip(kinds, columns.values(), strict=True)
        ]
        rows = list(zip(*values, strict=True))
        if rows:
            statement = str(insert(table).compile(dialect=dialect, column_keys=names))
            connection.exec_driver_sql(statement, rows)

    def create_indexes(self, connection: Connection) -> None:
        """Make the R*Tree over the datums' places."""
        connection.execute(
            text(f"CREATE VIRTUAL TABLE {_PLACES} USING rtree(id, west, east, south, north)")
        )

    def index_places(
        self, connection: Connection, ids: Sequence[int], places: Sequence[BaseGeometry | None]
    ) -> None:
        """Add the bounds of new places to the R*Tree."""
        rows = [
            (number, place.bounds[0], place.bounds[2], place.bounds[1], place.bounds[3])
            for number, place in zip(ids, places, strict=True)
            if place is not None
        ]
        if rows:
            connection.exec_driver_sql(f"INSERT INTO {_PLACES} VALUES (?, ?, ?, ?, ?)", rows)

    def within_distance(
        self, longitude: float, latitude: float, metres: float
    ) -> ColumnElement[Any]:
        """Ask the R*Tree for what may be near, then measure it."""
        west, south, east, north = box_around(longitude, latitude, metres)
        near = datums.c.id.in_(
            text(
                f"SELECT id FROM {_PLACES} WHERE west <= :velour_east AND east >= :velour_west "
                "AND south <= :velour_north AND north >= :velour_south"
            ).bindparams(velour_west=west, velour_east=east, velour_south=south, velour_north=north)
        )
        far = func.velour_distance(datums.c.location, longitude, latitude)
        return case((datums.c.location.is_not(None), near & (far <= metres)))

    def spatial(self, op: str, geometry: BaseGeometry) -> ColumnElement[Any]:
        """Ask shapely, place by place."""
        condition: ColumnElement[Any] = getattr(func, f"velour_{op}")(
            datums.c.location, shapely.to_wkb(geometry)
        )
        return condition == 1

    def typed(
        self, path: Sequence[str], kind: str
    ) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Use ``json_type`` and ``json_extract``."""
        where = _json_path(path)
        is_kind = func.json_type(datums.c.metadata, where).in_(_KINDS[kind])
        return is_kind, func.json_extract(datums.c.metadata, where)

    def absent(self, path: Sequence[str]) -> ColumnElement[Any]:
        """Nothing there, or JSON's null."""
        kind = func.json_type(datums.c.metadata, _json_path(path))
        return func.coalesce(kind, "null") == "null"

    def like(self, value: ColumnElement[Any], pattern: str) -> ColumnElement[Any]:
        """LIKE, made to heed case on every connection."""
        return value.op("LIKE")(pattern)


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy says BEGIN, so that schema changes roll back
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA case_sensitive_like = ON")
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.create_function("velour_distance", 3, _distance, deterministic=True)
    for op, predicate in _PREDICATES.items():
        connection.create_function(f"velour_{op}", 2, _predicate(predicate), deterministic=True)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("velour_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _distance(place: bytes | None, longitude: float, latitude: float) -> float | None:
    if place is None:
        return None
    return float(distances([shapely.from_wkb(place)], longitude, latitude)[0])


def _predicate(predicate: Callable[[Any, Any], Any]) -> Callable[..., int | None]:
    def answer(place: bytes | None, other: bytes) -> int | None:
        if place is None:
            return None
        return int(predicate(shapely.from_wkb(place), shapely.from_wkb(other)))

    return answer


def _json_path(path: Sequence[str]) -> str:
    return "$" + "".join('."' + step.replace('"', '\\"') + '"' for step in path)
