"""Stored bytes that cannot be read back: one error names the evaluation; evaluating repairs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, true, update

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.errors import DamagedContent
from velour_plugin.store import upgrade_store
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.store import SqlStore

DATASETS = [fires(found, model) for found, model in ((["2"], "a"), (["2", "10"], "b"))]


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        assert isinstance(opened, SqlStore)
        yield opened


def evaluated(store: SqlStore) -> list[velour.Evaluation]:
    return [velour.evaluate(dataset, "object-detection", store=store) for dataset in DATASETS]


def which(table: str, evaluation_id: str) -> Any:
    """The condition for the row of an evaluation; all share their list of datums."""
    columns = schema.metadata.tables[table].c
    return columns.evaluation_id == evaluation_id if "evaluation_id" in columns else true()


def damage(store: SqlStore, table: str, content: bytes, evaluation_id: str) -> None:
    """Write other bytes in place of those of one evaluation."""
    of = schema.metadata.tables[table]
    with store.transaction("") as connection:
        connection.execute(update(of).where(which(table, evaluation_id)).values(content=content))
    store.known_ledgers.forget(evaluation_id)


def bytes_of(store: SqlStore, table: str, evaluation_id: str) -> bytes:
    query = select(schema.metadata.tables[table].c.content).where(which(table, evaluation_id))
    with store.transaction() as connection:
        return bytes(connection.scalars(query).one())


def board(store: SqlStore) -> list[tuple[str, float | None]]:
    rows = velour.rank("mAP", dataset="fires", where="hour >= 10", resamples=10, store=store)
    return [(row.model, row.value) for row in rows]


def variants(content: bytes) -> Iterator[bytes]:
    """Cut, flipped and foreign bytes."""
    chance = random.Random(7)
    yield from (b"", b"VLD", b"no ledger at all", content[:100], content[:-1], content + b"12")
    for _ in range(40):
        at = chance.randrange(len(content))
        yield content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]
        yield content[:at]


@pytest.mark.parametrize("table", ["ledger_contents", "uid_lists"])
def test_what_is_damaged_is_named_and_replaced(store: SqlStore, table: str) -> None:
    number = evaluated(store)[0].id
    whole, known = bytes_of(store, table, number), board(store)
    for content in variants(whole):
        damage(store, table, content, number)
        with pytest.raises(DamagedContent, match=r"evaluation \w{32} is damaged.* again") as caught:
            board(store)
        assert table != "ledger_contents" or number in str(caught.value)
    assert evaluated(store)[0].id == number
    assert (bytes_of(store, table, number), board(store)) == (whole, known)


def test_a_ledger_without_a_checksum_is_read_whole_before_it_is_believed(store: SqlStore) -> None:
    """Older versions of Velour wrote none."""
    number = evaluated(store)[0].id
    older = bytes_of(store, "ledger_contents", number)[:-4]
    known = board(store)
    damage(store, "ledger_contents", older, number)
    assert board(store) == known
    at = older.index(b"PAR1") + 4  # the pages of the first table
    damage(store, "ledger_contents", older[:at] + bytes(20) + older[at + 20 :], number)
    with pytest.raises(DamagedContent):
        store.load(number)
    evaluated(store)
    assert board(store) == known


def test_details_that_are_damaged_are_matched_again(store: SqlStore) -> None:
    number = evaluated(store)[0].id
    curves = str(store.load(number).value("confusion_matrix"))
    whole = bytes_of(store, "ledger_details", number)
    for content in (b"", whole[:50], whole[:-9] + b"123456789"):
        damage(store, "ledger_details", content, number)
        assert str(store.load(number).value("confusion_matrix")) == curves
        assert bytes_of(store, "ledger_details", number) == whole


@pytest.mark.parametrize(
    ("statement"),
    [
        "UPDATE versions SET metadata = '{\"a'",
        "UPDATE evaluations SET certificate = '{'",
        "UPDATE datums SET location = x'0101'",
        "UPDATE metrics SET packed = x'00'",
    ],
)
def test_a_file_that_was_tampered_with_is_no_traceback(sqlite_url: str, statement: str) -> None:
    with velour.open_store(sqlite_url) as store:
        assert isinstance(store, SqlStore)
        evaluation = evaluated(store)[0]
        with store.transaction("") as connection:
            connection.exec_driver_sql(statement)
        with pytest.raises(DamagedContent, match="restore it from a backup"):
            _ = store.candidates("fires"), store.load_dataset("fires"), store.load(evaluation.id)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet", b"PAR1" * 30])
def test_predictions_that_are_damaged_are_named(store: SqlStore, content: bytes) -> None:
    number = evaluated(store)[0].id
    with store.transaction() as connection:
        connection.execute(update(schema.prediction_contents).values(content=content))
    with pytest.raises(DamagedContent, match=f"evaluation {number} is damaged"):
        store.load_predictions(number)
    with pytest.raises(DamagedContent, match=f"evaluation {number} is damaged"):
        next(store.predictions([(number, ["2"])]))
