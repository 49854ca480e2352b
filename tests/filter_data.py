"""Many datums in a store, written as columns: to see what a query planner makes of a filter."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Connection, event, insert, text

from velour_plugin.filters import parse_filter
from velour_plugin.store import Version
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.store import SqlStore

NEAR_BOSTON = (
    "DWITHIN(location, POINT(-71.03 42.36), 50, 'mi') AND city = 'city 7' AND sensor = 'infrared'"
)
"""A place and two conditions on metadata."""

PROPERTIES = ("city", "hour", "sensor")


def fill(store: SqlStore, datums: int, name: str = "many", seed: int = 0) -> Version:
    """Write a version of ``datums`` datums all over the Earth, 50 cities, 4 sensors."""
    rng = np.random.default_rng(seed)
    with store._writing() as connection:
        owner = _insert(connection, schema.datasets, name=name)
        version = _insert(
            connection, schema.versions, dataset_id=owner, number=1, digest="0" * 64, metadata={},
            labels=[], properties=list(PROPERTIES), datums=datums,
            created_at=dt.datetime.now(dt.UTC),
        )  # fmt: skip
        first = 1 + (connection.execute(text("SELECT max(id) FROM datums")).scalar() or 0)
        for start in range(0, datums, 100_000):
            size = min(100_000, datums - start)
            _fill_part(store, connection, owner, version, first, start, size, rng)
    with store._writing() as connection:
        connection.execute(text("ANALYZE"))
    return store.versions(name)[0]


def _fill_part(
    store: SqlStore, connection: Connection, owner: int, version: int, first: int, start: int,
    size: int, rng: np.random.Generator,
) -> None:  # fmt: skip
    points = shapely.points(rng.uniform(-180, 180, size), rng.uniform(-80, 80, size))
    ids = np.arange(first + start, first + start + size)
    cities, sensors, hours = (rng.integers(0, top, size).tolist() for top in (50, 4, 24))
    kinds = ("infrared", "visible", "radar", "sonar")
    store.backend.insert(connection, schema.datums, {
        "id": ids,
        "dataset_id": np.full(size, owner),
        "digest": [f"{number:064x}" for number in ids.tolist()],
        "uid": [str(number) for number in ids.tolist()],
        "metadata": [
            {"city": f"city {city}", "sensor": kinds[sensor], "hour": hour}
            for city, sensor, hour in zip(cities, sensors, hours, strict=True)
        ],
        "location": [bytes(wkb) for wkb in shapely.to_wkb(points)],
    })  # fmt: skip
    store.backend.index_locations(connection, ids.tolist(), points.tolist())
    store.backend.insert(connection, schema.version_datums, {
        "version_id": np.full(size, version),
        "position": np.arange(start, start + size),
        "datum_id": ids,
    })  # fmt: skip


def plan(store: SqlStore, version: Version, where: str) -> str:
    """What the database would do to answer a filter."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        statements.append((statement, values))

    event.listen(store.engine, "before_cursor_execute", note)
    store.select_datums(version, parse_filter(where))
    event.remove(store.engine, "before_cursor_execute", note)
    statement, values = next(pair for pair in reversed(statements) if "metadata" in pair[0])
    explain = "EXPLAIN QUERY PLAN " if store.backend.name == "sqlite" else "EXPLAIN "
    with store.engine.connect() as connection:
        rows = connection.exec_driver_sql(explain + statement, values)
        return "\n".join(" ".join(map(str, row)) for row in rows)


def _insert(connection: Connection, table: Any, **values: Any) -> int:
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])
