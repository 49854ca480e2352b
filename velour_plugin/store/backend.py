"""What the store asks of a database; each database answers in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shapely.geometry.base import BaseGeometry
from sqlalchemy import URL, ColumnElement, Connection, Engine, Table

Columns = Mapping[str, Sequence[Any]]
"""Values by column name, equally long: geometries as WKB, JSON as values; NaN is NULL."""


class Backend(Protocol):
    """One kind of database."""

    name: str
    upgrades_itself: bool

    def open(self, url: URL) -> Engine:
        """Make an engine whose connections understand geometry."""

    def insert(self, connection: Connection, table: Table, columns: Columns) -> None:
        """Write many rows at once."""

    def insert_missing(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write the rows whose unique names are not there yet."""

    def lock(self, connection: Connection, name: str) -> None:
        """Let one transaction at a time write to a dataset."""

    def create_indexes(self, connection: Connection) -> None:
        """Make the indexes that are this database's own; called by the first migration."""

    def index_places(
        self, connection: Connection, ids: Sequence[int], places: Sequence[BaseGeometry | None]
    ) -> None:
        """Tell the spatial index of new datums."""

    def within_distance(
        self, longitude: float, latitude: float, metres: float
    ) -> ColumnElement[Any]:
        """Condition: the datum's place is within a geodesic distance of a point."""

    def spatial(self, op: str, geometry: BaseGeometry) -> ColumnElement[Any]:
        """Condition: ``s_intersects`` and its kin, between the datum's place and a geometry."""

    def typed(
        self, path: Sequence[str], kind: str
    ) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Whether metadata at a path is a number, string or boolean; and its value if so."""

    def absent(self, path: Sequence[str]) -> ColumnElement[Any]:
        """Condition: metadata has nothing, or null, at a path."""

    def like(self, value: ColumnElement[Any], pattern: str) -> ColumnElement[Any]:
        """Condition: text matches a pattern of ``%`` and ``_``; case counts."""
