"""One question is answered from one moment of the store, in few statements, holding up nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

import velour_plugin as velour
from tests.fires import IMAGES, fires
from velour_plugin.errors import NotFound
from velour_plugin.store import upgrade_store
from velour_plugin.store.spool import Spool
from velour_plugin.store.sql.schema import answers
from velour_plugin.store.sql.store import SqlStore


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """Five runs on one dataset."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        assert isinstance(opened, SqlStore)
        for number in range(5):
            dataset = fires([list(IMAGES)[number % 4]], f"model {number}")
            velour.evaluate(dataset, "object-detection", store=opened)
        yield opened


@contextmanager
def statements(store: SqlStore) -> Iterator[list[str]]:
    """What is sent to the database, with every BEGIN."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):  # SQLite's, which the next listener counts for both
            sent.append(statement)

    def note_begin(_connection: Any) -> None:
        sent.append("BEGIN")

    event.listen(store.engine, "before_cursor_execute", note)
    event.listen(store.engine, "begin", note_begin)
    yield sent
    event.remove(store.engine, "before_cursor_execute", note)
    event.remove(store.engine, "begin", note_begin)


@pytest.mark.parametrize("where", [None, "hour >= 20"])
def test_a_new_ranking_takes_eight_statements_however_many_runs(
    store: SqlStore, where: str | None
) -> None:
    """Two transactions, one that reads all and one that keeps the answer, are among them."""
    with statements(store) as sent:
        board = velour.rank("mAP", "fires", where=where, resamples=20, store=store)
    assert len(board) == 5
    assert sent.count("BEGIN") == 2
    assert len(sent) <= 8, sent


@pytest.mark.parametrize("groups", ["sensor", ["sensor", "hour"], "location:10"])
def test_groups_take_one_statement_more(store: SqlStore, groups: Any) -> None:
    with statements(store) as sent:
        board = velour.rank("mAP", "fires", groups=groups, resamples=20, store=store)
    assert board.group_count is not None
    assert len(sent) <= 9, sent


def test_a_known_answer_takes_one_statement(store: SqlStore) -> None:
    first = velour.rank("mAP", "fires", store=store)
    with statements(store) as sent:
        assert velour.rank("mAP", "fires", store=store) == first
    assert sent[0] == "BEGIN"
    assert len(sent) == 2


def test_an_answer_that_another_velour_kept_is_computed_again(store: SqlStore) -> None:
    first = velour.rank("mAP", "fires", store=store)
    with store._writing() as connection:
        connection.execute(answers.update().values(content={"rows": [], "of_a_newer": "Velour"}))
    assert velour.rank("mAP", "fires", store=store) == first


@pytest.mark.parametrize(
    "query",
    [
        lambda store: velour.compare(
            "model 0", "model 1", dataset="fires", permutations=5, store=store
        ),
        lambda store: velour.slices("model 0", by=["sensor", "hour"], store=store),
        lambda store: velour.worst("model 0", store=store),
        lambda store: velour.recommend("mAR_100", store=store, resamples=5),
        lambda store: velour.matrix("mAR_100", by="sensor", store=store, resamples=5),
        lambda store: velour.rank("mAP", ["fires", "embers"], store=store, resamples=5),
    ],
)
def test_every_question_reads_in_one_transaction(store: SqlStore, query: Any) -> None:
    images = [*IMAGES, *(f"more {number}" for number in range(2))][:4]
    velour.evaluate(
        fires(["2"], "model 0", images=images, name="embers"), "object-detection", store=store
    )
    for item in store.candidates("fires"):
        store.load(item.evaluation_id).ledger.load_details()  # or they would be kept now
    with statements(store) as sent:
        try:
            query(store)
        except NotFound:  # four datums recommend nothing
            assert sent.count("BEGIN") == 1
        else:
            assert sent.count("BEGIN") == 2  # the second keeps the answer


def test_a_snapshot_sees_nothing_that_is_written_later(store: SqlStore) -> None:
    with store.snapshot() as reader:
        before = reader.revision()
        if store.backend.name == "postgresql":  # an SQLite writer waits for readers
            velour.evaluate(fires(["2", "10"], "late"), "object-detection", store=store)
            assert len(reader.candidates("fires")) == 5
            assert reader.revision() == before
            reader.release()
        else:
            reader.release()
            velour.evaluate(fires(["2", "10"], "late"), "object-detection", store=store)
        assert len(reader.candidates("fires")) == 6
        assert reader.revision() > before


def test_ledgers_are_there_after_the_snapshot_is_released(store: SqlStore) -> None:
    """So that an SQLite writer does not wait for arithmetic."""
    with store.snapshot() as reader:
        ids = [item.evaluation_id for item in reader.candidates("fires")]
        ledgers = reader.ledgers(ids)
        reader.release()
        velour.evaluate(fires(["2", "10"], "late"), "object-detection", store=store)
        assert [ledger.task for ledger in ledgers] == ["object-detection"] * 5


def test_a_ledger_that_is_not_there_is_named(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="no evaluation 'nobody'"):
        store.ledgers(["nobody"])


def test_large_blobs_wait_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that fit stay in memory."""
    monkeypatch.setattr("velour_plugin.store.spool.MOST_IN_MEMORY", 15)
    blobs = {str(number): bytes([number]) * 7 for number in range(5)}
    spool = Spool(iter(blobs.items()))
    assert list(spool._in_memory) == ["0", "1"]
    assert spool._file is not None
    assert spool._file.tell() == 21
    assert {name: spool[name] for name in reversed(blobs)} == blobs
    assert "5" not in spool
