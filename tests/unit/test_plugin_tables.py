"""Tables of a plugin's own: made, upgraded, refused and deleted, beside Velour's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

import velour_plugin as velour
from velour_plugin.cli import main
from velour_plugin.errors import (
    BadPlugin,
    InvalidInput,
    NewerSchema,
    PluginConflict,
    StoreUnavailable,
    UnknownName,
)
from velour_plugin.store import StoreTables, upgrade_store
from velour_plugin.store.sql.opening import delete_tables
from velour_plugin.testing.plugins import plugin_installed

MIGRATIONS = {
    "0001": """
        op.create_table(
            "notes",
            sa.Column("datum_id", sa.BigInteger, sa.ForeignKey("datums.id"), nullable=False),
            sa.Column("note", sa.Text, nullable=False),
        )
""",
    "0002": """
        op.add_column("notes", sa.Column("author", sa.Text))
""",
}


def notes(*columns: str) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
        "notes",
        metadata,
        sa.Column("datum_id", sa.BigInteger, sa.ForeignKey("datums.id"), nullable=False),
        *(sa.Column(name, sa.Text) for name in ("note", *columns)),
    )
    return metadata


Offer = Callable[..., Any]


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Install a plugin with a table of notes at a revision."""
    package = tmp_path / "100% mine" / "notes_migrations"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delitem(sys.modules, package.name, raising=False)

    @contextmanager
    def installed(head: str = "0001", **changed: Any) -> Iterator[None]:
        previous = None
        for revision, body in MIGRATIONS.items():
            if revision <= head:
                (package / f"v{revision}.py").write_text(
                    "import sqlalchemy as sa\nfrom alembic import op\n"
                    f"revision, down_revision = {revision!r}, {previous!r}\n"
                    f"def upgrade():{body}"
                )
            previous = revision
        values = {"name": "notes", "metadata": notes(), "migrations": package.name, "head": head}
        with plugin_installed(offering(StoreTables(**{**values, **changed})), "note-taker"):
            yield

    return installed


def offering(*tables: StoreTables) -> Any:
    return type("Plugin", (), {"velour_tables": staticmethod(velour.hookimpl(lambda: tables))})


def fires(*uids: str) -> velour.Dataset:
    return velour.Dataset.from_groundtruths(
        [velour.GroundTruth(velour.Datum(uid)) for uid in uids], "fires"
    )


def query(url: str, statement: str) -> list[Any]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        result = connection.execute(sa.text(statement))
        return list(result) if result.returns_rows else []


def tables_of(url: str) -> set[str]:
    return set(sa.inspect(sa.create_engine(url, poolclass=sa.NullPool)).get_table_names())


def take_a_note(url: str) -> None:
    with velour.open_store(url) as store, store.transaction() as connection:
        connection.execute(sa.text("INSERT INTO notes (datum_id, note) VALUES (1, 'smoke')"))


def test_tables_of_a_plugin_stand_beside_velours_own(store_url: str, offer: Offer) -> None:
    """A row may point to a datum; each group has a version table of its own."""
    with offer():
        upgrade_store(store_url)
        with velour.open_store(store_url) as store:
            store.save_dataset(fires("1"))
        take_a_note(store_url)
    assert query(store_url, "SELECT note FROM notes JOIN datums ON id = datum_id") == [("smoke",)]
    assert query(store_url, "SELECT version_num FROM velour_schema_notes") == [("0001",)]


def test_sqlite_makes_them_when_the_store_is_opened(sqlite_url: str, offer: Offer) -> None:
    """Also in a store that was there before the plugin."""
    velour.open_store(sqlite_url).close()
    assert "notes" not in tables_of(sqlite_url)
    with offer(), velour.open_store(sqlite_url):
        assert "notes" in tables_of(sqlite_url)


def test_postgresql_is_upgraded_by_its_owner(postgis_url: str, offer: Offer) -> None:
    upgrade_store(postgis_url)
    with offer():
        with pytest.raises(StoreUnavailable) as refusal:
            velour.open_store(postgis_url)
        message = str(refusal.value)
        assert "has tables 'notes' none, and plugin 'note-taker' needs 0001" in message
        assert "velour db upgrade --store" in message
        upgrade_store(postgis_url)
        velour.open_store(postgis_url).close()


def test_a_plugins_next_version_keeps_what_is_there(store_url: str, offer: Offer) -> None:
    with offer():
        upgrade_store(store_url)
        with velour.open_store(store_url) as store:
            store.save_dataset(fires("1"))
        take_a_note(store_url)
    with offer("0002", metadata=notes("author")):
        upgrade_store(store_url)
    assert query(store_url, "SELECT note, author FROM notes") == [("smoke", None)]


def test_opening_a_store_reads_every_revision_in_one_statement(
    store_url: str, offer: Offer
) -> None:
    statements: list[str] = []

    def record(_: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    with offer():
        upgrade_store(store_url)
        sa.event.listen(sa.Engine, "before_cursor_execute", record)
        try:
            velour.open_store(store_url).close()
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", record)
    (statement,) = (text for text in statements if text != "BEGIN")
    assert "velour_schema_notes" in statement


def test_tables_of_a_newer_plugin_are_refused_and_nothing_is_written(
    store_url: str, offer: Offer
) -> None:
    with offer():
        upgrade_store(store_url)
        query(store_url, "UPDATE velour_schema_notes SET version_num = '0007'")
        before = tables_of(store_url)
        for action in (velour.open_store, upgrade_store, lambda url: delete_tables("notes", url)):
            with pytest.raises(NewerSchema) as refusal:
                action(store_url)
            message = str(refusal.value)
            assert "tables 'notes' 0007, newer than 0001 of plugin 'note-taker'" in message
            assert "upgrade the plugin" in message
        assert refusal.value.exit_code == 2
    assert tables_of(store_url) == before
    assert query(store_url, "SELECT version_num FROM velour_schema_notes") == [("0007",)]


def test_a_store_with_tables_of_a_plugin_that_is_gone_is_opened(
    store_url: str, offer: Offer
) -> None:
    with offer():
        upgrade_store(store_url)
    velour.open_store(store_url).close()
    assert "notes" in tables_of(store_url)


def test_tables_are_deleted_with_all_that_is_in_them(store_url: str, offer: Offer) -> None:
    """Velour's own stay; while the plugin is installed, upgrading makes them again, empty."""
    upgrade_store(store_url)
    alone = tables_of(store_url)
    with offer():
        upgrade_store(store_url)
        with velour.open_store(store_url) as store:
            store.save_dataset(fires("1"))
        take_a_note(store_url)
        arguments = ("db", "delete-tables", "notes", "--store", store_url)
        refused = CliRunner().invoke(main, arguments, input="n\n")
        assert (refused.exit_code, query(store_url, "SELECT note FROM notes")) == (1, [("smoke",)])
        deleted = CliRunner().invoke(main, (*arguments, "--yes"))
        assert (deleted.exit_code, deleted.output) == (0, "The tables 'notes' are deleted.\n")
        assert tables_of(store_url) == alone
        delete_tables("notes", store_url)
        upgrade_store(store_url)
        assert query(store_url, "SELECT note FROM notes") == []
    with velour.open_store(store_url) as store:
        assert store.load_dataset("fires").uids == ("1",)


def test_tables_that_no_plugin_has_are_refused(sqlite_url: str, offer: Offer) -> None:
    with offer(), pytest.raises(UnknownName, match="'nots': did you mean 'notes'"):
        delete_tables("nots", sqlite_url)


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    store_url: str, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade_store(store_url)
    before = tables_of(store_url)
    monkeypatch.setitem(MIGRATIONS, "0001", f"{MIGRATIONS['0001']}\n        op.execute('SELEKT')\n")
    with offer():
        with pytest.raises(StoreUnavailable, match="SELEKT"):
            upgrade_store(store_url)
        assert tables_of(store_url) - {"velour_schema_notes"} == before


def test_a_plugin_that_names_tables_of_others_is_refused(sqlite_url: str, offer: Offer) -> None:
    """Deleting its tables would delete theirs."""
    metadata = notes()
    sa.Table("datums", metadata, sa.Column("id", sa.Integer))
    with offer(metadata=metadata), pytest.raises(BadPlugin, match="'datums' belongs to Velour"):
        velour.open_store(sqlite_url)
    again = offering(StoreTables("others", notes(), "notes_migrations", "0001"))
    with (
        offer(),
        plugin_installed(again, "copyist"),
        pytest.raises(BadPlugin, match=r"table 'notes' belongs to the tables '(notes|others)'"),
    ):
        velour.open_store(sqlite_url)


def test_two_plugins_with_tables_of_one_name_are_refused(sqlite_url: str, offer: Offer) -> None:
    again = offering(StoreTables("notes", notes(), "notes_migrations", "0001"))
    with (
        offer(),
        plugin_installed(again, "copyist"),
        pytest.raises(
            PluginConflict, match=r"tables 'notes' .*(note-taker.*copyist|copyist.*note)"
        ),
    ):
        velour.open_store(sqlite_url)


def test_migrations_that_do_not_end_at_the_head_are_refused(sqlite_url: str, offer: Offer) -> None:
    """The head is said apart from the migrations, so that opening a store need not read them."""
    with offer("0002"):
        pass  # which leaves both migrations in the package
    reason = r"'note-taker': migrations of tables 'notes' end at \['0002'\].*head is '0001'"
    with offer("0001"), pytest.raises(BadPlugin, match=reason):
        velour.open_store(sqlite_url)


@pytest.mark.parametrize("name", ["", "Notes", "my-notes", "notes; DROP TABLE datums", "n" * 41])
def test_a_name_that_no_table_can_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="lower-case letters, digits"):
        StoreTables(name, notes(), "notes_migrations", "0001")


@pytest.mark.parametrize("package", ["no_such_package", "json"])
def test_migrations_that_cannot_be_read_are_refused(
    sqlite_url: str, offer: Offer, package: str
) -> None:
    """There is no such package, or what is in it are no migrations."""
    reason = f"'note-taker' failed when migrations were read from '{package}': .*uninstall it"
    with offer(migrations=package), pytest.raises(BadPlugin, match=reason):
        velour.open_store(sqlite_url)
