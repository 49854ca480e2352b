"""Half a million boxes into PostGIS: our insert, against a bare COPY of the same bytes.

Run ``python -m tests.benchmarks.ingest``. Both sides write the same rows into the same empty
table with its indexes, in turn; the bare side is handed what is already encoded, so it is the
fastest that the server can be written to. Times are medians.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import text

import velour_plugin as velour
from tests.postgis import postgis_server
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.store import Store, upgrade_store
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.copying import binary_rows
from velour_plugin.store.sql.records.annotation_rows import label_ids
from velour_plugin.store.sql.records.columns import region_columns

BOXES, DATUMS = 500_000, 10_000


class Row(NamedTuple):
    """Rows a second of our insert, of a bare COPY, and their ratio."""

    ours: float
    bare: float
    ratio: float


def boxes(count: int = BOXES, datums: int = DATUMS, seed: int = 0) -> AnnotationTable:
    """Boxes of 80 labels on ``datums`` images."""
    rng = np.random.default_rng(seed)
    return AnnotationTable.from_columns(
        [("class", str(number)) for number in range(80)],
        np.sort(rng.integers(0, datums, count)),
        rng.integers(0, 80, count),
        box=rng.uniform(1, 600, (count, 4)),
    )


def ingest_row(count: int = BOXES, runs: int = 3) -> Row:
    """Measure both."""
    with postgis_server() as server, server.database() as url:
        upgrade_store(url)
        with velour.open_store(url) as store:
            table = boxes(count)
            encoded, names = _encoded(store, table)
            pairs = [(_ours(store, table), _bare(store, encoded, names)) for _ in range(runs)]
    ours, bare = (count / statistics.median(times) for times in zip(*pairs, strict=True))
    return Row(ours, bare, ours / bare)


def _columns(store: Store, connection: Any, table: AnnotationTable) -> dict[str, Any]:
    ids = label_ids(connection, store.backend, table.labels)
    return {"datum_id": table.datum, **region_columns(table, ids)}


def _ours(store: Store, table: AnnotationTable) -> float:
    """From columns in memory to rows in the database."""
    with store._writing() as connection:
        _empty(connection)
        start = time.perf_counter()
        columns = _columns(store, connection, table)
        store.backend.insert(connection, schema.annotations, columns)
        return time.perf_counter() - start


def _bare(store: Store, encoded: bytes, names: str) -> float:
    with store._writing() as connection:
        _empty(connection)
        driver = connection.connection.driver_connection
        assert driver is not None
        start = time.perf_counter()
        with driver.cursor() as cursor:
            statement = f"COPY annotations ({names}) FROM STDIN WITH (FORMAT binary)"
            cursor.copy_expert(statement, io.BytesIO(encoded))
        return time.perf_counter() - start


def _encoded(store: Store, table: AnnotationTable) -> tuple[bytes, str]:
    with store._writing() as connection:
        columns = _columns(store, connection, table)
    return binary_rows(schema.annotations, columns), ", ".join(f'"{name}"' for name in columns)


def _empty(connection: Any) -> None:
    """No rows, and no rows of other tables that they refer to."""
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    connection.execute(text("TRUNCATE annotations"))


def main() -> None:
    """Print the rates."""
    row = ingest_row(*map(int, sys.argv[1:]))
    print(f"ours {row.ours:,.0f} rows/s, bare COPY {row.bare:,.0f} rows/s: {row.ratio:.2f} of it")


if __name__ == "__main__":
    main()
