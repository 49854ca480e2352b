"""What a database or its driver refuses becomes an error of ours, with the cause and a way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import event, text

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.errors import InvalidInput, StoreUnavailable, VelourError
from velour_plugin.store import upgrade_store
from velour_plugin.store.sql.schema import labels
from velour_plugin.store.sql.store import SqlStore

READ_ONLY = "PRAGMA query_only = ON"


@pytest.fixture
def server_url(postgis_url: str) -> str:
    upgrade_store(postgis_url)
    return postgis_url


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    """Hold a table of a PostgreSQL store, so that whoever writes to it waits."""
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        connection.close()


@pytest.mark.parametrize("table", ["annotations", "version_datums", "datums", "metrics"])
@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
def test_a_limit_that_ends_a_copy_is_said(server_url: str, table: str, limit: str) -> None:
    """COPY is the driver's own call, beside SQLAlchemy's."""
    dataset = fires(["2"])
    option = f"?options=-c%20{limit}%3D200"
    with (
        velour.open_store(server_url + option) as store,
        locked(server_url, table),
        pytest.raises(StoreUnavailable, match=r"(?s)due to (lock|statement) timeout.*A limit"),
    ):
        velour.evaluate(dataset, "object-detection", store=store)
    with velour.open_store(server_url) as store:
        assert store.dataset_names() == []
        velour.evaluate(dataset, "object-detection", store=store)


def test_a_server_that_ends_the_connection_in_a_copy_is_said(server_url: str) -> None:
    with velour.open_store(server_url) as store:
        assert isinstance(store, SqlStore)

        def copy_after_the_end() -> None:
            with store.transaction() as connection:
                number = connection.scalars(text("SELECT pg_backend_pid()")).one()
                with store.transaction() as killer:
                    killer.execute(text(f"SELECT pg_terminate_backend({number})"))
                store.backend.insert(connection, labels, {"key": ["a"], "value": ["b"]})

        with pytest.raises(StoreUnavailable, match="failed"):
            copy_after_the_end()


def test_a_read_only_server_is_said(server_url: str) -> None:
    option = "?options=-c%20default_transaction_read_only%3Don"
    with (
        velour.open_store(server_url + option) as store,
        pytest.raises(StoreUnavailable, match=r"read-only transaction\nIt may only be read"),
    ):
        store.save_dataset(fires())


def test_a_read_only_file_is_said(tmp_path: Path) -> None:
    with velour.open_store(f"sqlite:///{tmp_path}/x.db") as store:
        assert isinstance(store, SqlStore)
        event.listen(store.engine, "begin", lambda each: each.exec_driver_sql(READ_ONLY))
        with pytest.raises(StoreUnavailable, match=r"readonly database\nIt may only be read"):
            store.save_model(velour.Model("m"))


def test_a_locked_file_is_said(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    with velour.open_store(url) as one, velour.open_store(url) as other:
        assert isinstance(one, SqlStore)
        assert isinstance(other, SqlStore)
        with one.transaction(), other.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 10")
            connection.close()
            with pytest.raises(StoreUnavailable, match=r"is locked\nAnother process"):
                other.save_model(velour.Model("m"))


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """A limit of SQLite's stands for the disk's."""
    with velour.open_store(f"sqlite:///{tmp_path}/x.db") as store:
        assert isinstance(store, SqlStore)
        full = "PRAGMA max_page_count = 1"
        event.listen(store.engine, "begin", lambda each: each.exec_driver_sql(full))
        with pytest.raises(StoreUnavailable, match=r"disk is full\nMake room"):
            store.save_model(velour.Model("big", {"text": "x" * 1_000_000}))


@pytest.mark.parametrize("name", ["a\x00b", "\ud800", "x" * 100_000, "'; --", "💡"])
def test_a_name_that_no_store_holds_is_no_traceback(store_url: str, name: str) -> None:
    upgrade_store(store_url)
    with velour.open_store(store_url) as store:
        store.save_dataset(fires())
        for look_up in (
            lambda: store.versions(name),
            lambda: store.load_dataset(name),
            lambda: store.candidates(name),
            lambda: store.evaluations_of(name),
            lambda: store.load(name),
            lambda: store.load_model(name),
            lambda: store.load_predictions(name),
            lambda: store.delete_facts(name, "s"),
            lambda: store.tag("fires", "t", uids=[name]),
            lambda: velour.rank("mAP", dataset=name, store=store),
            lambda: velour.slices(name, by=["hour"], store=store),
        ):
            with pytest.raises(VelourError):
                look_up()


@pytest.mark.parametrize("revision", ["0000", "", "0005'", "\u0660005", "x" * 32])
def test_a_revision_that_never_was_is_named(sqlite_url: str, revision: str) -> None:
    with velour.open_store(sqlite_url) as store:
        assert isinstance(store, SqlStore)
        with store.transaction() as connection:
            connection.execute(text("UPDATE velour_schema SET version_num = :it"), {"it": revision})
    with pytest.raises(StoreUnavailable, match="has schema"):
        velour.open_store(sqlite_url)
    with pytest.raises(VelourError, match="has schema"):
        velour.rank("mAP", dataset="fires", store=sqlite_url)


@pytest.mark.parametrize("option", ["timeout=abc", "check_same_thread=x"])
def test_a_wrong_option_is_refused(option: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be opened"):
        velour.open_store(f"sqlite:///x.db?{option}")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite+pysqlite:///"])
def test_a_store_that_would_vanish_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VELOUR_STORE_URI", url)
    with pytest.raises(InvalidInput, match="names no file"):
        velour.evaluate(fires(["2"]), "object-detection")
    with pytest.raises(InvalidInput, match="names no file"):
        velour.rank("mAP", dataset="fires")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///x\0.db",
        "sqlite:///\ud800.db",
        f"sqlite:///{'x' * 5000}",
        "sqlite+aiosqlite:///x.db",
        "sqlite+none:///x.db",
        "postgresql://127.0.0.1:1/d\0b",
        "postgresql://127.0.0.1:1/\ud800",
        "postgresql://127.0.0.1:1/db?foo=bar",
        "postgresql://127.0.0.1:1/db?connect_timeout=abc",
        "\n",
    ],
)
def test_a_url_that_names_nothing_is_no_traceback(url: str) -> None:
    with pytest.raises(VelourError):
        velour.rank("mAP", dataset="fires", store=url)
    with pytest.raises(VelourError):
        velour.evaluate(fires(["2"]), "object-detection", store=url)


@pytest.mark.parametrize("url", ["sqlite://ann:secret@host/x.db", "sqlite://host/x.db"])
def test_a_file_has_no_host(url: str) -> None:
    with pytest.raises(InvalidInput, match="three slashes") as caught:
        velour.open_store(url)
    assert "secret" not in str(caught.value)
