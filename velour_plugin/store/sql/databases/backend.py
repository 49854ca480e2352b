"""The protocol of a database backend; ``sqlite.py`` and ``postgis.py`` implement it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import URL, ColumnElement, Connection, Engine, Table

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Columns = Mapping[str, Any]
"""Values by column name, equally long sequences or numpy arrays: geometries as WKB, JSON as values;
NaN is NULL."""
Condition = ColumnElement[Any]
Column = ColumnElement[Any]


class Backend(Protocol):
    """One kind of database."""

    name: str
    upgrades_itself: bool
    snapshot_options: Mapping[str, Any]
    """Execution options of a connection that reads from one moment."""

    def open(self, url: URL) -> Engine:
        """Create and return an engine whose connections support geometry."""

    def exists(self, url: URL) -> bool:
        """Whether there is a database to open; true for a server, which is not contacted."""

    def insert(self, connection: Connection, table: Table, columns: Columns) -> None:
        """Write many rows at once."""

    def insert_missing(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write the rows whose unique names are not there yet."""

    def lock(self, connection: Connection, name: str) -> None:
        """Let one transaction at a time write to a dataset."""

    def prepare_database(self, connection: Connection) -> None:
        """Create extensions that the tables of a new schema need."""

    def create_indexes(self, connection: Connection) -> None:
        """Create the indexes of a new schema that only this database has."""

    def index_locations(
        self, connection: Connection, ids: Sequence[int], locations: Sequence[BaseGeometry | None]
    ) -> None:
        """Add new datums to the spatial index."""

    # Values; a path is the steps into a datum's metadata. A key that is written with dots
    # comes before what is nested.

    def value(self, path: Sequence[str], kind: str) -> Column:
        """SQL for metadata as a value of a type of ``filters/comparable_values.py``, else NULL."""

    def absent(self, path: Sequence[str]) -> Condition:
        """Condition: metadata has nothing, or null, at a path."""

    def text(self, value: Column) -> Column:
        """SQL for a text that is compared by code points."""

    def casefold(self, text: Column) -> Column:
        """SQL for a text as :meth:`str.casefold` gives it."""

    def like(self, text: Column, pattern: str) -> Condition:
        r"""Condition: a text matches a pattern of ``%`` and ``_``; backslash escapes them."""

    def one_of(self, value: Column, values: Sequence[Any]) -> Condition:
        """Condition: a value of a type is among others of that type."""

    def holds(self, path: Sequence[str], kind: str, value: Any) -> Condition:
        """Condition: a list of metadata has an item of a type and value; NULL without a list."""

    # Geometries

    def location(self) -> Column:
        """SQL for a datum's location, as a geometry that :meth:`related` compares."""

    def geometry(self, path: Sequence[str]) -> Column:
        """SQL for GeoJSON of metadata as such a geometry, NULL where there is none."""

    def shape(self, geometry: BaseGeometry) -> Column:
        """SQL for a literal as such a geometry."""

    def related(self, op: str, left: Column, right: Column) -> Condition:
        """Condition of a spatial operator; NULL if a geometry crosses itself or is a collection."""

    def within_distance(
        self, path: Sequence[str], longitude: float, latitude: float, metres: float
    ) -> Condition:
        """Condition: within a geodesic distance of a point; of the location if path is empty."""

    # For indexes: each is true wherever the exact condition is, and maybe elsewhere.

    def near(self, longitude: float, latitude: float, metres: float) -> Condition | None:
        """Condition for an index: may be within a distance of a point; ``None`` if of no use."""

    def touching(self, geometry: BaseGeometry) -> Condition | None:
        """Condition for an index: the location may have a point in common with a geometry."""

    def containing(self, path: Sequence[str], value: Any) -> Condition | None:
        """Condition for an index: metadata may have a JSON value at a path; ``None`` if no use."""
