"""Filters use the indexes: the planner is asked, on enough datums that it is worth its while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import velour_plugin as velour
from tests.filter_data import NEAR_BOSTON, fill, plan
from tests.postgis import Server
from velour_plugin.filters import parse_filter
from velour_plugin.store import Version, upgrade_store
from velour_plugin.store.sql.store import SqlStore

WITHIN = "S_WITHIN(location, POLYGON((-72 42, -70 42, -70 43, -72 43, -72 42))) AND hour > 3"


@pytest.fixture(scope="module", params=["sqlite", "postgis"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SqlStore, Version]]:
    """20,000 datums in a store of each kind, and their version."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("indexes") / "velour.db"
        with velour.open_store(f"sqlite:///{path}") as store:
            yield store, fill(store, 20_000)
        return
    server: Server = request.getfixturevalue("postgis")
    with server.database() as url:
        upgrade_store(url)
        with velour.open_store(url) as store:
            yield store, fill(store, 20_000)


@pytest.mark.filterwarnings("ignore::velour_plugin.filters.language.swapped.SwappedCoordinates")
@pytest.mark.parametrize("where", [NEAR_BOSTON, WITHIN])
def test_a_place_is_looked_up_in_the_spatial_index(
    filled: tuple[SqlStore, Version], where: str
) -> None:
    """Beside conditions on metadata too; the whole version is not walked through."""
    steps = plan(*filled, where)
    if filled[0].backend.name == "sqlite":
        assert "SCAN datum_places VIRTUAL TABLE INDEX" in steps
        assert "(version_id=?)" not in steps
    else:
        assert "ix_datums_location" in steps or "ix_datums_place" in steps
        assert "Seq Scan" not in steps


@pytest.mark.parametrize(
    "where",
    [
        "city = 'city 7' AND sensor = 'infrared'",
        "city IN ('city 7', 'city 9') AND hour = 3 AND NOT sensor = 'radar'",
        "city = 'city 7' AND (hour = 3 OR hour = 4)",
    ],
)
def test_equality_of_metadata_is_looked_up_on_postgresql(
    filled: tuple[SqlStore, Version], where: str
) -> None:
    """SQLite has no index over metadata."""
    store, version = filled
    if store.backend.name == "postgresql":
        steps = plan(store, version, where)
        assert "ix_datums_metadata" in steps
        assert "Seq Scan on datums" not in steps


@pytest.mark.parametrize(
    "where",
    [NEAR_BOSTON.replace("50, 'mi'", "2000, 'km'"), WITHIN, "city = 'city 7' AND hour = 3",
     "city = 'city 7' OR DWITHIN(location, POINT(0 0), 500, 'km')",
     "city IN ('city 7', 'city 8') OR S_CONTAINS(location, POINT(1 1))"],
)  # fmt: skip
def test_an_index_changes_no_answer(filled: tuple[SqlStore, Version], where: str) -> None:
    """Of what is joined to IS NULL by OR, indexes know nothing."""
    store, version = filled
    node = parse_filter(where)
    hidden = parse_filter(f"hour IS NULL OR ({where})")
    assert store.select_datums(version, node).uids == store.select_datums(version, hidden).uids
