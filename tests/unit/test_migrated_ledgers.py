"""A store of schema 0004, whose ledgers were in one piece, is upgraded and answers as it did.

``store_0004.json`` holds the rows that the code of schema 0004 wrote, of two models evaluated on
all datums, on some, and without details; and the answers that it gave to eight questions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, inspect, text

import velour_plugin as velour
from tests.unit.test_migrated_predictions import numbers, write_store
from velour_plugin.plugins.installed import installed
from velour_plugin.store import upgrade_store

UNSURE = {"interval", "rank_interval", "p_best", "tied_with_best", "p"}
"""Fields of rows that say how sure the others are: they are computed by other methods now."""

KNOWN = json.loads((Path(__file__).parent / "store_0004.json").read_text(encoding="utf-8"))


@pytest.fixture
def old_url(store_url: str) -> str:
    """A store as schema 0004 left it."""
    write_store(store_url, "0004", KNOWN["tables"])
    return store_url


@pytest.fixture
def _version_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """The evaluator that wrote the store is installed, so that its ledgers are read."""
    monkeypatch.setattr(type(installed().evaluator("object-detection")), "version", "1")


@pytest.mark.usefixtures("_version_1")
@pytest.mark.parametrize("number", range(len(KNOWN["answers"])))
def test_every_question_is_answered_as_before(old_url: str, number: int) -> None:
    again, before, _ = answers(old_url, number)
    assert again == before


@pytest.mark.parametrize("number", range(len(KNOWN["answers"])))
def test_a_newer_evaluator_matches_again_and_says_so(old_url: str, number: int) -> None:
    again, before, notes = answers(old_url, number)
    assert again["rows"] == before["rows"]
    assert "by version 1 of object-detection" in notes[0]


def answers(url: str, number: int) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """What the upgraded store answers to a question, what it did before, and its notes now."""
    upgrade_store(url)
    query, before = KNOWN["answers"][number]
    with velour.open_store(url) as store:
        again = store.ask(velour.Query.from_dict(query)).to_dict()
    again = json.loads(json.dumps(again))  # where pairs are lists
    return settled(again, before), settled(before, before), again["notes"]


def settled(answer: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """What an answer has that a known one has too, but for how sure it is.

    Datums that cost nothing, which older versions listed, are left out.
    """
    fields = {name for row in known["rows"] for name in row} - UNSURE
    costly = [row for row in answer["rows"] if row.get("cost", 1) > 0]
    rows = [{name: row[name] for name in row if name in fields} for row in costly]
    return {name: answer[name] for name in known if name != "notes"} | {"rows": rows}


def test_ledgers_lie_in_pieces(old_url: str) -> None:
    """Six ledgers on all datums or on four of them; two have no details."""
    upgrade_store(old_url)
    engine = create_engine(old_url, poolclass=NullPool)
    with engine.connect() as connection:
        counts = [
            connection.scalar(text(f"SELECT count(*) FROM {name}"))
            for name in ("ledger_contents", "ledger_details", "uid_lists")
        ]
    assert counts == [6, 4, 2]
    assert "ledgers" not in inspect(engine).get_table_names()
    with velour.open_store(old_url) as store:
        for candidate in store.candidates("fires"):
            known = store.load(candidate.evaluation_id)
            data = store.load_version(candidate.version).with_predictions(
                store.load_predictions(candidate.evaluation_id), candidate.model
            )
            parameters = dict(candidate.certificate.parameters)
            where = json.loads(candidate.certificate.filter or "null")
            again = velour.evaluate(
                data, candidate.task, parameters=parameters, where=where, save=False
            )
            digests = ("dataset_digest", "datums_digest", "groundtruth_digest", "filter")
            assert not set(digests) & set(again.certificate.differences(known.certificate))
            assert again.predictions_digest == known.predictions_digest
            assert numbers(again) == numbers(known)
            assert again.ledger.datums == known.ledger.datums
            for name, columns in again.ledger.tables.items():
                for column, values in columns.items():
                    assert known.ledger.tables[name][column].tobytes() == values.tobytes()


def test_a_migration_that_fails_leaves_every_ledger(
    old_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from velour_plugin.store.sql import migrate

    with monkeypatch.context() as patch:
        patch.setattr(json, "loads", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            upgrade_store(old_url)
    with create_engine(old_url, poolclass=NullPool).connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM velour_schema")) == "0004"
        assert connection.scalar(text("SELECT count(*) FROM ledgers")) == 6
    assert upgrade_store(old_url) == migrate.HEAD
