"""An answer that is kept is read without opening the store, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.helpers.store_urls import masked_url
from velour_plugin.helpers.usage import in_use
from velour_plugin.ranking import cache_key
from velour_plugin.store import upgrade_store
from velour_plugin.store.opening import known_answer
from velour_plugin.store.sql import opening
from velour_plugin.store.sql.head import HEAD, VERSION_TABLE
from velour_plugin.store.sql.plain.known_answer import known_answer as read
from velour_plugin.store.sql.store import SqlStore
from velour_plugin.testing.plugins import plugin_installed

KEPT = {"answer": [1, 0.1, None, "Zürich", 2**40, 1e-300]}
QUERY = velour.RankQuery(metric="mAP", datasets=["fires"], resamples=0)


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """A store with one evaluation, and an answer that is kept under ``key``."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        assert isinstance(opened, SqlStore)
        velour.evaluate(fires(["2"], "first"), "object-detection", store=opened)
        opened.keep_answer("key", opened.revision(["fires"]), KEPT)
        yield opened


def refuse_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening an SQL store is an error from here on."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the store was opened")

    monkeypatch.setattr(opening, "open_sql_store", refuse)


@pytest.mark.usefixtures("store")
def test_it_is_the_answer_that_the_store_gives(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_open(monkeypatch)
    assert known_answer(store_url, "key", ["fires"]) == KEPT
    assert in_use.store == masked_url(store_url)


@pytest.mark.usefixtures("store")
def test_another_key_or_other_datasets_have_none(store_url: str) -> None:
    assert known_answer(store_url, "another", ["fires"]) is None
    assert known_answer(store_url, "key", ["boats"]) is None


def test_a_write_makes_it_out_of_date(store: SqlStore, store_url: str) -> None:
    assert known_answer(store_url, "key", None) == KEPT
    store.tag("fires", "seen", uids=["2"])
    assert known_answer(store_url, "key", ["fires"]) is None
    store.keep_answer("key", store.revision(["fires"]), KEPT)
    assert known_answer(store_url, "key", ["fires"]) == KEPT
    store.save_model(velour.Model("first", {"depth": 50}))
    assert known_answer(store_url, "key", ["fires"]) is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE velour_schema SET version_num = '0000'",
        "DELETE FROM velour_schema",
        "DROP TABLE velour_schema",
        "DROP TABLE answers",
        "ALTER TABLE answers RENAME COLUMN content TO text",
    ],
)
def test_a_strange_schema_is_left_to_the_store(
    store: SqlStore, store_url: str, change: str
) -> None:
    with store.transaction() as connection:
        connection.execute(text(change))
    assert known_answer(store_url, "key", ["fires"]) is None


@pytest.mark.usefixtures("store")
def test_tables_of_a_plugin_that_are_missing_are_left_to_the_store(store_url: str) -> None:
    tables = SimpleNamespace(name="quality", version_table="velour_schema_quality", head="0001")
    hook = velour.hookimpl(lambda: [tables])
    offering = type("Plugin", (), {"velour_tables": staticmethod(hook)})
    with plugin_installed(offering, "quality"):
        assert known_answer(store_url, "key", ["fires"]) is None
    assert known_answer(store_url, "key", ["fires"]) == KEPT


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{}/missing.db",
        "sqlite:///{}/nowhere/velour.db",
        "sqlite:///{}/broken.db",
        "sqlite:///{}/broken.db?timeout=3",
        "sqlite://",
        "postgresql://nobody@127.0.0.1:1/nowhere",
        "postgresql://nobody@127.0.0.1:1/nowhere?sslmode=disable",
    ],
)
def test_what_cannot_be_read_is_left_to_the_store(url: str, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_text("no database")
    assert read(url.format(tmp_path), "key", None, {VERSION_TABLE: HEAD}) is None
    assert [path.name for path in tmp_path.iterdir()] == ["broken.db"]


def test_a_question_by_url_is_answered_from_the_cache_alone(
    store: SqlStore, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.ask(QUERY)
    refuse_to_open(monkeypatch)
    again = velour.rank("mAP", "fires", resamples=0, store=store_url)
    assert again.to_dict() == first.to_dict()
    assert str(again) == str(first)


def test_an_answer_of_another_velour_is_computed_again(store: SqlStore, store_url: str) -> None:
    first = store.ask(QUERY)
    key = cache_key(QUERY)
    assert key is not None
    store.keep_answer(key, store.revision(["fires"]), {"of": "another Velour"})
    assert velour.rank("mAP", "fires", resamples=0, store=store_url) == first
