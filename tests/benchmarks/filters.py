"""A filter over a million datums, with the indexes and without.

Run ``python -m tests.benchmarks.filters``. The filter is a place and two conditions on
metadata; both sides run on the same store in one process, and select the same datums,
which is checked. Times are medians.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from sqlalchemy import create_engine

import velour_plugin as velour
from tests.filter_data import NEAR_BOSTON, fill
from tests.postgis import postgis_server
from velour_plugin.filters import Node, parse_filter
from velour_plugin.store import Version, upgrade_store
from velour_plugin.store.sql.filtering import conditions
from velour_plugin.store.sql.store import SqlStore

DATUMS = 1_000_000
FILTERS = (NEAR_BOSTON, NEAR_BOSTON.replace("50, 'mi'", "1000, 'km'"))


class Row(NamedTuple):
    """One line of the table: milliseconds with and without indexes."""

    store: str
    where: str
    selected: int
    indexed: float
    unindexed: float


def filter_rows(datums: int = DATUMS, runs: int = 5) -> Iterator[Row]:
    """Measure both stores; every row is a filter."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgis_server())
        url = stack.enter_context(server.database())
        upgrade_store(url)
        for address in (f"sqlite:///{folder / 'velour.db'}", url):
            with velour.open_store(address) as store:
                yield from _rows(store, fill(store, datums), runs)


def _rows(store: SqlStore, version: Version, runs: int) -> Iterator[Row]:
    for where in FILTERS:
        node = parse_filter(where)
        fast, found = _timed(lambda node=node: store.select_datums(version, node), runs)
        with patch.object(conditions, "hint", _no_hint), _no_index(store):
            slow, walked = _timed(lambda node=node: store.select_datums(version, node), 1)
        assert found.uids == walked.uids
        yield Row(store.backend.name, where, len(found), fast, slow)


def _no_hint(node: Node, backend: object) -> None:
    """Leave the exact condition alone."""


@contextmanager
def _no_index(store: SqlStore) -> Iterator[None]:
    """Forbid PostgreSQL the indexes that it finds by itself."""
    if store.backend.name == "sqlite":
        yield
        return
    options = {"options": "-c enable_indexscan=off -c enable_bitmapscan=off"}
    engine = create_engine(store.engine.url, connect_args=options)
    with patch.object(store, "engine", engine):
        yield
    engine.dispose()


def _timed(work: Callable[[], list[str]], runs: int) -> tuple[float, list[str]]:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        found = work()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times), found


def main() -> None:
    """Print the table."""
    for row in filter_rows(*map(int, sys.argv[1:])):
        print(
            f"{row.store:10s} {row.selected:6d} datums  {row.indexed:8.1f} ms  "
            f"without indexes {row.unindexed:8.1f} ms  {row.where}"
        )


if __name__ == "__main__":
    main()
