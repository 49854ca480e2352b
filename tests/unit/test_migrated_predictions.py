"""A store of the first schema, with data in it, is upgraded and answers as it did.

``store_0001.json`` holds the rows that the code of schema 0001 wrote: datums with places and
metadata, predictions of every kind of region, some with embeddings and metadata, an empty set.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import NullPool, create_engine, inspect, text

import velour_plugin as velour
from velour_plugin.domain.encoding.codec import table_to_bytes
from velour_plugin.matching.vocabulary import ClassCounts
from velour_plugin.plugins.installed import installed
from velour_plugin.store import Store, upgrade_store
from velour_plugin.store.sql import migrate
from velour_plugin.store.sql.opening import _connect

STORED = json.loads((Path(__file__).parent / "store_0001.json").read_text(encoding="utf-8"))
JSON = ("metadata", "properties", "certificate", "parameters")
ON_POSTGIS = {
    "location": "ST_GeogFromWKB(:location)",
    "shape": "ST_GeomFromWKB(:shape)",
    **{name: f"CAST(:{name} AS JSONB)" for name in JSON},
    "versions.labels": "CAST(:labels AS JSONB)",
    "metrics.content": "CAST(:content AS JSONB)",
}

LOGARITHM = "log_loss"
"""The one number that is made by a logarithm."""


@pytest.fixture
def old_url(store_url: str) -> str:
    """A store as schema 0001 left it."""
    write_store(store_url, "0001", STORED)
    return store_url


@pytest.fixture
def any_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One model predicts boats only, of which there are none; that is refused since."""
    monkeypatch.setattr(ClassCounts, "check", lambda counts: None)


def write_store(url: str, revision: str, stored: dict[str, Any]) -> None:
    """Make the tables of a revision, and write rows that its code wrote."""
    store = _connect(url)
    with store.engine.connect() as connection:
        writer = connection.execution_options(velour_writes=True)
        with writer.begin():
            command.upgrade(migrate.configuration(writer), revision)
            for name, table in stored.items():
                rows = [dict(zip(table["columns"], map(plain, row), strict=True))
                        for row in table["rows"]]  # fmt: skip
                writer.execute(text(insertion(name, table["columns"], store.backend.name)), rows)
    store.close()


def plain(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value


def insertion(table: str, columns: list[str], database: str) -> str:
    def spelled(name: str) -> str:
        known = ON_POSTGIS if database == "postgresql" else {}
        return known.get(f"{table}.{name}", known.get(name, f":{name}"))

    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join(map(spelled, columns))})"


def rows_of(name: str) -> list[dict[str, Any]]:
    return [dict(zip(STORED[name]["columns"], row, strict=True)) for row in STORED[name]["rows"]]


def every_candidate(store: Store) -> list[Any]:
    return [item for name in store.dataset_names() for item in store.candidates(name)]


def near(values: list[float]) -> Any:
    """Equal to those of another numpy, whose logarithm may differ in the last bit."""
    return pytest.approx(values, rel=1e-15, nan_ok=True)


def settled(metrics: Iterable[velour.Metric]) -> list[velour.Metric]:
    """Metrics without that bit, and without the one that is undefined for few classes by now."""
    return [
        replace(metric, value=round(metric.value, 14))
        if metric.name == LOGARITHM and metric.value is not None
        else metric
        for metric in metrics
        if metric.name != "top_5_accuracy"
    ]


def test_predictions_come_back_equal(old_url: str) -> None:
    """The digest that was stored with a set is that of what is read."""
    upgrade_store(old_url)
    sets = rows_of("prediction_sets")
    digests = {(row["version_id"], row["model"]): row["digest"] for row in sets}
    with velour.open_store(old_url) as store:
        candidates = every_candidate(store)
        assert len(candidates) == len(rows_of("evaluations")) == 6
        for item in candidates:
            dataset = store.load_version(item.version)
            assert dataset.digest == item.certificate.dataset_digest
            predictions = store.load_predictions(item.evaluation_id)
            assert list(predictions.labels) == sorted(predictions.labels)
            back = dataset.with_predictions(predictions, item.model)
            assert back.predictions_digest == digests[item.version.id, item.model]


def numbers(evaluation: velour.Evaluation) -> list[velour.Metric]:
    """Metrics without curves and counts, and what newer versions have more of."""
    return [
        metric
        for metric in evaluation.metrics
        if not isinstance(metric.value, dict) and not metric.name.endswith(("_micro", "rms_ece"))
    ]


@pytest.mark.usefixtures("any_classes")
def test_evaluations_come_back_and_are_matched_again_to_the_same_numbers(old_url: str) -> None:
    upgrade_store(old_url)
    with velour.open_store(old_url) as store:
        for item in every_candidate(store):
            known = store.load(item.evaluation_id)
            data = store.load_version(item.version).with_predictions(
                store.load_predictions(item.evaluation_id), item.model
            )
            parameters = dict(known.certificate.parameters)
            where = json.loads(known.certificate.filter or "null")
            again = velour.evaluate(data, item.task, parameters=parameters, where=where, save=False)
            assert known.id == item.evaluation_id
            own = installed().evaluator(item.task)
            assert (again.id == known.id) == (known.certificate.evaluator_version == own.version)
            assert settled(numbers(again)) == settled(numbers(known))


@pytest.mark.usefixtures("any_classes")
def test_a_filter_on_annotations_matches_again(old_url: str) -> None:
    """As evaluating with it does."""
    upgrade_store(old_url)
    where = "annotation.area > 60 AND score >= 0.2"
    with velour.open_store(old_url) as store:
        board = velour.rank("mAP", "fires", where=where, resamples=0, store=store)
        values = {row.model: row.value for row in board.rows}
        assert values.keys() == {"strong", "weak", "silent"}
        for item in store.candidates("fires"):
            data = store.load_version(item.version).with_predictions(
                store.load_predictions(item.evaluation_id), item.model
            )
            alone = velour.evaluate(data, "object-detection", where=where, save=False)
            assert values[item.model] == alone["mAP"]


@pytest.mark.usefixtures("any_classes")
def test_ledgers_are_taken_apart_and_rank_as_they_did(old_url: str) -> None:
    """Those that were in one piece are as a match today makes them; their values are stored."""
    upgrade_store(old_url)
    lists = {row["evaluation_id"] for row in rows_of("ledgers")}
    with velour.open_store(old_url) as store:
        for item in every_candidate(store):
            lists.remove(item.evaluation_id)
            known = store.load(item.evaluation_id)
            data = store.load_version(item.version).with_predictions(
                store.load_predictions(item.evaluation_id), item.model
            )
            own = installed().evaluator(item.task)
            where = json.loads(known.certificate.filter or "null")
            again = velour.evaluate(
                data, item.task, parameters=dict(known.certificate.parameters), where=where,
                save=False,
            )  # fmt: skip
            assert known.ledger.datums == again.ledger.datums
            assert set(known.ledger.tables) == set(again.ledger.tables)
            for name, columns in again.ledger.tables.items():
                for column, values in columns.items():
                    stored = known.ledger.tables[name][column].tolist()
                    exact = column != LOGARITHM
                    assert stored == (values.tolist() if exact else near(values.tolist()))
            assert settled(own.measure(known.ledger)) == settled(own.measure(again.ledger))
    assert not lists
    tables = inspect(create_engine(old_url, poolclass=NullPool)).get_table_names()
    assert "ledgers" not in tables
    assert {"ledger_contents", "ledger_details", "uid_lists"} <= set(tables)


def test_the_rows_are_gone(old_url: str) -> None:
    upgrade_store(old_url)
    tables = inspect(create_engine(old_url, poolclass=NullPool)).get_table_names()
    assert "predictions" not in tables
    assert {"prediction_contents", "expanded_predictions"} <= set(tables)


def test_a_migration_that_fails_leaves_every_row(
    old_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third of five sets cannot be written: the first two are not moved either."""
    calls = []

    def full(*arguments: Any) -> bytes:
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError("no space left on device")
        return table_to_bytes(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("velour_plugin.domain.encoding.codec.table_to_bytes", full)
        with pytest.raises(OSError, match="no space"):
            upgrade_store(old_url)
    with create_engine(old_url, poolclass=NullPool).connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM velour_schema")) == "0001"
        count = connection.scalar(text("SELECT count(*) FROM predictions"))
    assert count == len(STORED["predictions"]["rows"]) == 52
    assert upgrade_store(old_url) == migrate.HEAD
