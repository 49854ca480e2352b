"""From the landed schema with data in it to facts, models and reserved prefixes."""

from __future__ import annotations

import datetime as dt
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, NullPool, column, create_engine, insert, select, table

import velour_plugin as velour
from velour_plugin.filters import parse_filter
from velour_plugin.store import upgrade_store
from velour_plugin.store.sql import migrate
from velour_plugin.store.sql.opening import _connect
from velour_plugin.store.sql.schema import Json, Moment

NOW = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
PLAIN = '{"args":[{"property":"hour"},1.5],"op":"="}'
OF_FACT = '{"args":[{"property":"fact.x"},1],"op":"="}'
SPELLED = '{"args":[{"property":"metadata.fact.x"},1],"op":"="}'

LANDED: dict[str, list[dict[str, Any]]] = {
    "datasets": [{"id": 1, "name": "old"}, {"id": 2, "name": "plain"}],
    "versions": [
        {"id": number, "dataset_id": owner, "number": version, "digest": str(number) * 64,
         "metadata": {}, "labels": [["class", "fire"]], "properties": names, "datums": 1,
         "created_at": NOW}
        for number, owner, version, names in (
            (1, 1, 1, ["datum.x", "hour"]), (2, 1, 2, ["fact", "hour"]), (3, 2, 1, ["factory"]))
    ],
    "datums": [
        {"id": 1, "dataset_id": 1, "digest": "1" * 64, "uid": "a",
         "metadata": {"fact": {"x": 1}, "hour": 1}},
        {"id": 2, "dataset_id": 2, "digest": "2" * 64, "uid": "b", "metadata": {"factory": 1}},
    ],
    "version_datums": [
        {"version_id": version, "position": 0, "datum_id": 2 if version == 3 else 1}
        for version in (1, 2, 3)
    ],
    "labels": [{"id": 1, "key": "class", "value": "fire"}],
    "annotations": [{"datum_id": 1, "row": 0, "annotation": 0, "label_id": 1, "crowd": 0,
                     "x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0}],
    "prediction_sets": [
        {"id": 1, "version_id": 2, "model": "m", "digest": "3" * 64, "created_at": NOW}
    ],
    "evaluations": [
        {"id": str(number) * 32, "version_id": 2, "set_id": 1, "task": "object-detection",
         "model": "m", "certificate": {"filter": where, "dataset": "old"}, "created_at": NOW}
        for number, where in enumerate((None, PLAIN, OF_FACT))
    ],
}  # fmt: skip
TYPES: dict[str, Any] = {
    **dict.fromkeys(("metadata", "labels", "properties", "certificate"), Json),
    "created_at": Moment,
}


@pytest.fixture
def landed(store_url: str) -> Iterator[Engine]:
    """A database of each kind at the first revision, with two datasets and three evaluations."""
    store = _connect(store_url)
    with store.engine.connect() as connection:
        writer = connection.execution_options(velour_writes=True)
        with writer.begin():
            command.upgrade(migrate.configuration(writer), "0001")
            for name, rows in LANDED.items():
                columns = [column(key, TYPES.get(key)) for key in rows[0]]
                writer.execute(insert(table(name, *columns)), rows)
    store.close()
    engine = create_engine(store_url, poolclass=NullPool)
    yield engine
    engine.dispose()


def test_the_upgrade_names_datasets_with_metadata_of_reserved_names(
    landed: Engine, store_url: str
) -> None:
    """And only those, with the names that filters now ask by; all data are there afterwards."""
    with pytest.warns(UserWarning, match="'fact' and 'datum' now begin") as caught:
        assert upgrade_store(store_url) == migrate.HEAD
    (message,) = [str(one.message) for one in caught]
    assert message.startswith("dataset 'old': ")
    assert message.endswith("ask for its metadata as metadata.datum.x, metadata.fact.")
    with velour.open_store(store_url) as store:
        version = store.versions("old")[0]
        where = "metadata.fact.x = 1 AND 'fire' IN (datum.labels) AND datum.truths = 1"
        assert list(store.select_datums(version, parse_filter(where)).uids) == ["a"]
        assert store.load_dataset("old").location is None
        assert store.tag("old", "night") == 1
        store.save_model(velour.Model("m", {"backbone": "swin"}))
        assert store.models()[0].metadata == {"backbone": "swin"}


def test_filters_of_stored_evaluations_are_spelled_anew(landed: Engine, store_url: str) -> None:
    """Only where they ask for such metadata: all others are as they were, to the letter."""
    with pytest.warns(UserWarning, match="dataset 'old'"):
        upgrade_store(store_url)
    evaluations = table("evaluations", column("id"), column("certificate", Json))
    with landed.connect() as connection:
        rows = connection.execute(select(evaluations).order_by(evaluations.c.id))
        filters = [certificate["filter"] for _, certificate in rows]
    assert filters == [None, PLAIN, SPELLED]
    assert parse_filter(json.loads(SPELLED)) is not None


def test_an_upgrade_without_such_metadata_says_nothing(store_url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert upgrade_store(store_url) == migrate.HEAD
