"""Rankings read what is measured and nothing else, once; what is matched again is read at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

import velour_plugin as velour
from tests.fires import IMAGES, fires
from tests.unit.test_snapshots import statements
from velour_plugin.store import upgrade_store
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.store import SqlStore

AGAIN = "annotation.area > {area} AND hour >= 10"


@pytest.fixture
def url(store_url: str) -> str:
    """Five runs on one dataset, saved by another process, as it were."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as store:
        for number in range(5):
            dataset = fires({list(IMAGES)[number % 4], "roof"}, f"model {number}")
            velour.evaluate(dataset, "object-detection", store=store)
    return store_url


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    with velour.open_store(url) as opened:
        assert isinstance(opened, SqlStore)
        yield opened


def count(store: SqlStore, table: Any) -> int:
    with store.engine.connect() as connection:
        return int(connection.scalars(select(func.count()).select_from(table)).one())


def test_ledgers_of_the_same_datums_share_one_list(store: SqlStore) -> None:
    velour.evaluate(fires(["2"], "night"), "object-detection", where="hour > 20", store=store)
    assert count(store, schema.ledger_contents) == 6
    assert count(store, schema.uid_lists) == 2


def test_a_ranking_reads_no_details_and_no_ledger_twice(store: SqlStore) -> None:
    with statements(store) as sent:
        velour.rank("mAP", "fires", where="hour >= 10", resamples=5, store=store)
    assert not any("ledger_details" in each for each in sent)
    assert sum("ledger_contents" in each for each in sent) == 1
    with statements(store) as sent:
        velour.rank("mAP", "fires", where="hour >= 11 AND score > 0.1", resamples=5, store=store)
        velour.slices("model 1", by="sensor", resamples=0, store=store)
        velour.worst("model 2", store=store)
    assert not any("ledger" in each for each in sent)


def test_ledgers_that_do_not_fit_are_read_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("velour_plugin.store.sql.store.LEDGERS_IN_MEMORY", 100)
    with velour.open_store(url) as store:
        assert isinstance(store, SqlStore)
        first = velour.rank("mAP", "fires", where="hour >= 10", resamples=0, store=store)
        assert len(store.known_ledgers) == 0
        with statements(store) as sent:
            again = velour.rank("mAP", "fires", where="hour > 9", resamples=0, store=store)
        assert sum("ledger_contents" in each for each in sent) == 1
        assert [row.value for row in again] == [row.value for row in first]


def test_who_looks_at_details_reads_those_of_one_ledger(store: SqlStore) -> None:
    number = store.candidates("fires")[0].evaluation_id
    store.load(number).ledger.load_details()
    with statements(store) as sent:
        known = store.load(number)
        assert not any("ledger_details" in each for each in sent)
        assert set(known.ledger.tables) > {"pairs", "truth_boxes", "detection_boxes"}
        assert not any("ledger_details" in each for each in sent)
        assert len(known.ledger.tables["pairs"]["iou"]) == 2
        assert len(known.ledger.tables["truth_boxes"]["x"]) == 4
    assert sum("ledger_details" in each for each in sent) == 1


def test_a_ranking_by_a_detail_is_as_evaluated(store: SqlStore) -> None:
    board = velour.rank("oLRP", "fires", where="hour >= 10", resamples=0, store=store)
    for row in board:
        number = int(row.model.split()[1])
        dataset = fires({list(IMAGES)[number % 4], "roof"}, row.model)
        alone = velour.evaluate(dataset, "object-detection", where="hour >= 10", save=False)
        assert row.value == alone.value("oLRP")


def test_matching_again_takes_as_many_statements_for_one_run_as_for_five(store: SqlStore) -> None:
    sizes = []
    for area, runs in ((10, ["model 0"]), (11, None)):
        with statements(store) as sent:
            where = AGAIN.format(area=area)
            velour.rank("mAP", "fires", where=where, runs=runs, resamples=0, store=store)
        sizes.append(sum("prediction_contents" in each for each in sent))
    assert sizes == [1, 1]
    with statements(store) as sent:
        velour.rank("mAP", "fires", where=AGAIN.format(area=12), resamples=0, store=store)
    assert not any("annotations" in each for each in sent)  # the ground truth is still known
    assert len(sent) <= 9


def test_what_is_matched_again_is_as_evaluated(store: SqlStore) -> None:
    where = AGAIN.format(area=50)
    board = velour.rank("mAP", "fires", where=where, resamples=0, store=store)
    assert len(board) == 5
    for row in board:
        number = int(row.model.split()[1])
        dataset = fires({list(IMAGES)[number % 4], "roof"}, row.model)
        alone = velour.evaluate(dataset, "object-detection", where=where, save=False)
        assert row.value == alone["mAP"]


def test_a_known_version_cannot_be_written_to(store: SqlStore) -> None:
    """Many questions share it."""
    version = store.versions("fires")[0]
    dataset = store.load_version(version)
    assert store.load_version(version) is dataset
    with pytest.raises(ValueError, match="read-only"):
        dataset.truth.box[0] = 1


def test_long_metrics_come_back_from_their_packing(store: SqlStore) -> None:
    dataset = fires({next(iter(IMAGES)), "roof"}, "model 5")
    alone = velour.evaluate(dataset, "object-detection", save=False)
    store.save(replace(alone, metrics=list(alone.metrics)), dataset)  # as they were stored before
    assert store.load(alone.id).metrics == list(alone.metrics)
    packed = select(func.count(schema.metrics.c.packed))
    with store.engine.connect() as connection:
        assert connection.scalars(packed).one() > 0
