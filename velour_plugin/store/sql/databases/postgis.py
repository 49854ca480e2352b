"""The backend for PostgreSQL with PostGIS: locations as geography, regions as planar geometry."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import (
    URL,
    Boolean,
    Connection,
    Engine,
    Float,
    LargeBinary,
    Table,
    case,
    cast,
    column,
    create_engine,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TEXT, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

from velour_plugin.domain.metadata import GEOJSON_TYPES
from velour_plugin.filters.comparable_values import TAGS
from velour_plugin.helpers.store_urls import HARMLESS
from velour_plugin.store.sql.databases.backend import Column, Columns, Condition
from velour_plugin.store.sql.databases.copying import binary_rows
from velour_plugin.store.sql.filtering.casefold import casefolded
from velour_plugin.store.sql.schema import datums

_FUNCTIONS = {
    "s_intersects": "ST_Intersects",
    "s_within": "ST_Within",
    "s_contains": "ST_Contains",
    "s_disjoint": "ST_Disjoint",
}
_LEAST = 0.001
"""Metres: nearer places are found with the index a little wider."""
_LOCATION: Column = literal_column("datums.location::geometry", NullType())
"""The plain column: its type would wrap it in ST_AsBinary."""
_EARTH = func.ST_MakeEnvelope(-180, -90, 180, 90, 4326)


class PostGIS:
    """The backend for PostgreSQL with PostGIS."""

    name = "postgresql"
    upgrades_itself = False
    snapshot_options: Mapping[str, Any] = {
        "isolation_level": "REPEATABLE READ",
        "postgresql_readonly": True,
    }

    def open(self, url: URL) -> Engine:
        """Create an engine; the database must exist, with or without tables."""
        # COPY needs this driver; options that may be secret are not in the engine's URL, which
        # SQLAlchemy shows
        secret = {name: url.query[name] for name in url.query if name not in HARMLESS}
        driver = url.set(drivername="postgresql+psycopg2").difference_update_query([*secret])
        patience = {} if "connect_timeout" in url.query else {"connect_timeout": 10}
        return create_engine(driver, connect_args={**patience, **secret})

    def exists(self, url: URL) -> bool:
        """Return true: opening it finds out."""
        return True

    def insert(self, connection: Connection, table: Table, columns: Columns) -> None:
        """Write many rows by binary COPY, on the transaction's own connection."""
        if not len(next(iter(columns.values()))):
            return
        names = ", ".join(f'"{name}"' for name in columns)
        statement = f"COPY {table.name} ({names}) FROM STDIN WITH (FORMAT binary)"
        driver = connection.connection.driver_connection
        assert driver is not None
        errors = connection.dialect.loaded_dbapi
        try:
            with driver.cursor() as cursor:
                cursor.copy_expert(statement, io.BytesIO(binary_rows(table, columns)))
        except (errors.Error, SystemError) as error:
            if driver.closed:  # or rolling back would fail as well, and hide this
                connection.invalidate(error)
            known = error if isinstance(error, errors.Error) else errors.OperationalError(error)
            raise DBAPIError.instance(
                statement, None, known, errors.Error, dialect=connection.dialect
            ) from error

    def lock(self, connection: Connection, name: str) -> None:
        """Let one transaction at a time write to a dataset; readers are not held up."""
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))

    def insert_missing(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write the rows that are not there yet."""
        if rows:
            connection.execute(insert(table).on_conflict_do_nothing(), rows)

    def prepare_database(self, connection: Connection) -> None:
        """Create the extension PostGIS."""
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS postgis"))

    def create_indexes(self, connection: Connection) -> None:
        """Create GiST indexes over locations and regions, and a GIN index over metadata."""
        for statement in (
            "CREATE INDEX ix_datums_location ON datums USING gist (location)",
            "CREATE INDEX ix_datums_place ON datums USING gist ((location::geometry))",
            "CREATE INDEX ix_datums_metadata ON datums USING gin (metadata jsonb_path_ops)",
            "CREATE INDEX ix_annotations_shape ON annotations USING gist (shape)",
            "CREATE INDEX ix_expanded_predictions_box ON expanded_predictions USING gist (box)",
            "CREATE INDEX ix_expanded_predictions_shape ON expanded_predictions USING gist (shape)",
        ):
            connection.execute(text(statement))

    def index_locations(
        self, connection: Connection, ids: Sequence[int], locations: Sequence[BaseGeometry | None]
    ) -> None:
        """Do nothing: the GiST index updates itself."""

    def value(self, path: Sequence[str], kind: str) -> Column:
        """SQL for metadata by ``jsonb_typeof``; numbers compare as float64, text by its bytes."""
        document = _there(path)
        if kind == "duration":
            return cast(_text_at(document, TAGS[kind]), Float(53))
        if kind in TAGS or kind == "day":
            extracted = _text_at(document, TAGS["datetime" if kind == "day" else kind])
            return self.text(func.left(extracted, 10, type_=TEXT) if kind == "day" else extracted)
        return _typed(document, kind)

    def absent(self, path: Sequence[str]) -> Condition:
        """Condition: nothing is there, or JSON's null."""
        return func.coalesce(func.jsonb_typeof(_there(path)), "null") == "null"

    def text(self, value: Column) -> Column:
        """SQL for a text that compares by bytes of UTF-8, whatever the database's collation."""
        return value.collate("C")

    def casefold(self, text: Column) -> Column:
        """SQL for a folded text, letter by letter: PostgreSQL knows lower case only."""
        return casefolded(text)

    def like(self, text: Column, pattern: str) -> Condition:
        """Condition by LIKE, whose escape character is the backslash."""
        return text.op("LIKE", is_comparison=True)(pattern)

    def one_of(self, value: Column, values: Sequence[Any]) -> Condition:
        """Condition by IN."""
        return value.in_(list(values))

    def holds(self, path: Sequence[str], kind: str, value: Any) -> Condition:
        """Condition that compares the items one by one."""
        document = _there(path)
        is_list = func.jsonb_typeof(document) == "array"
        items = func.jsonb_array_elements(case((is_list, document)))
        listed = items.table_valued(column("value", JSONB), name="items")
        item = listed.c.value
        extracted = _typed(item, kind)
        if kind in TAGS or kind == "day":
            extracted = _text_at(item, TAGS["datetime" if kind == "day" else kind])
            extracted = func.left(extracted, 10, type_=TEXT) if kind == "day" else extracted
        if kind == "duration":
            extracted = cast(extracted, Float(53))
        held = exists(select(1).select_from(listed).where(extracted == literal(value)))
        return case((is_list, held))

    def location(self) -> Column:
        """SQL for the geography of the location, in degrees on a plane."""
        return _comparable(_LOCATION)

    def geometry(self, path: Sequence[str]) -> Column:
        """SQL for GeoJSON, with nothing else beside it, as a geometry."""
        return _comparable(_geojson(path))

    def shape(self, geometry: BaseGeometry) -> Column:
        """SQL for a geometry in degrees on WGS84."""
        return func.ST_GeomFromWKB(
            literal(shapely.to_wkb(geometry), LargeBinary), 4326, type_=NullType()
        )

    def related(self, op: str, left: Column, right: Column) -> Condition:
        """Condition of a spatial operator, planar in degrees, as OGC's operators are on WGS84."""
        related: Condition = getattr(func, _FUNCTIONS[op])(left, right, type_=Boolean)
        return related

    def within_distance(
        self, path: Sequence[str], longitude: float, latitude: float, metres: float
    ) -> Condition:
        """Condition by ST_DWithin on geography: on the WGS84 ellipsoid."""
        srid_point = func.ST_SetSRID(func.ST_MakePoint(longitude, latitude), 4326)
        point = func.geography(srid_point, type_=NullType())
        if not path:
            wide = func.ST_DWithin(datums.c.location, point, max(metres, _LEAST), type_=Boolean)
            # the index has no width for 0: it would miss 180 at -180
            exact = func.ST_Distance(datums.c.location, point, type_=Float(53)) <= metres
            return wide if metres >= _LEAST else wide & exact
        geometry = _geojson(path)
        near = func.ST_DWithin(
            func.geography(geometry, type_=NullType()), point, metres, type_=Boolean
        )
        return case((func.ST_CoveredBy(geometry, _EARTH), near))

    def near(self, longitude: float, latitude: float, metres: float) -> Condition | None:
        """Return ``None``: ST_DWithin uses its index by itself."""
        return None

    def touching(self, geometry: BaseGeometry) -> Condition | None:
        """Condition for the index: bounding boxes that overlap."""
        return _LOCATION.op("&&", is_comparison=True)(self.shape(geometry))

    def containing(self, path: Sequence[str], value: Any) -> Condition | None:
        """Condition by ``@>``, which the index over metadata answers."""
        ways = [{".".join(path): value}]
        if len(path) > 1:
            ways.append(reduce(lambda inside, step: {step: inside}, reversed(path), value))
        contains = datums.c.metadata.op("@>", is_comparison=True)
        return or_(*(contains(cast(literal(json.dumps(way), TEXT), JSONB)) for way in ways))


def _there(path: Sequence[str]) -> Column:
    """Metadata at a path, of mappings only: a step is never an index in a list."""
    nested: Column = datums.c.metadata
    for step in path:
        nested = _member(nested, step)
    if len(path) == 1:
        return nested
    return func.coalesce(_member(datums.c.metadata, ".".join(path)), nested, type_=JSONB)


def _member(document: Column, name: str | Column) -> Column:
    return document.op("->", return_type=JSONB())(cast(name, TEXT))


def _text_at(document: Column, name: str) -> Column:
    return document.op("->>", return_type=TEXT())(cast(name, TEXT))


def _typed(there: Column, kind: str) -> Column:
    """A number, string or boolean; NULL where JSON has another type."""
    text = there.op("#>>", return_type=TEXT())(literal_column("'{}'::text[]"))
    extracted: Column = text.collate("C")
    if kind == "number":
        extracted = cast(there, Float(53))
    elif kind == "boolean":
        extracted = cast(there, Boolean)
    return case((func.jsonb_typeof(there) == kind, extracted))


def _geojson(path: Sequence[str]) -> Column:
    there = _there(path)
    collection = _text_at(there, "type") == "GeometryCollection"
    inside = case((collection, "geometries"), else_="coordinates")
    without = there.op("-", return_type=JSONB())(cast("type", TEXT))
    alone = without.op("-", return_type=JSONB())(inside) == literal_column("'{}'::jsonb")
    known = _text_at(there, "type").in_(sorted(GEOJSON_TYPES))
    whole = known & _member(there, inside).is_not(None) & alone
    made = func.ST_GeomFromGeoJSON(there, type_=NullType())
    return case((func.jsonb_typeof(there) == "object", case((whole, made))))


def _comparable(geometry: Column) -> Column:
    """A geometry, NULL where it crosses itself or is a collection."""
    collection = func.GeometryType(geometry, type_=TEXT) == "GEOMETRYCOLLECTION"
    return case((func.ST_IsValid(geometry, type_=Boolean) & ~collection, geometry))
