"""Migrations lead to the schema that the code describes, and are harmless to repeat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text

import velour_plugin as velour
from velour_plugin.errors import StoreUnavailable
from velour_plugin.store import Store, upgrade_store
from velour_plugin.store.sql import migrate, schema
from velour_plugin.store.sql.opening import _connect

OWN_TABLES = {
    "velour_schema",  # Alembic's: which revision the database is at
    "spatial_ref_sys",  # PostGIS': coordinate systems
    "datum_places", "datum_places_node", "datum_places_parent", "datum_places_rowid",  # R*Tree
}  # fmt: skip
OWN_INDEXES = {
    "ix_datums_location", "ix_datums_place", "ix_datums_metadata",
    "ix_annotations_shape", "ix_expanded_predictions_box", "ix_expanded_predictions_shape",
}  # fmt: skip
"""Made by ``PostGIS.create_indexes``: SQLite has none of them, so the schema does not say them."""


def engine_of(url: str) -> Any:
    return create_engine(url, poolclass=NullPool)


def ours(item: Any, name: str | None, kind: str, reflected: bool, _: Any) -> bool:
    """Leave out what the databases have beside the schema."""
    return not (reflected and name in {"table": OWN_TABLES, "index": OWN_INDEXES}.get(kind, ()))


def revisions() -> ScriptDirectory:
    return ScriptDirectory.from_config(migrate.configuration(None))


def test_the_migrated_database_is_the_one_that_the_code_describes(store_url: str) -> None:
    """Tables, columns, types, keys and indexes."""
    upgrade_store(store_url)
    options = {"include_object": ours, "compare_type": True, "compare_server_default": True}
    with engine_of(store_url).connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []


def test_a_schema_made_at_once_is_the_one_that_migrations_lead_to(
    store_url: str, twin_url: str
) -> None:
    """Columns in their order, types, keys, constraints by name, indexes, triggers, statistics."""
    upgrade_store(store_url)
    migrate_step_by_step(twin_url)
    made, migrated = description(store_url), description(twin_url)
    assert made == migrated
    kinds = {kind for kind, *_ in made}
    assert kinds >= {"column", "constraint", "index", "revision"}
    assert len(made) > 100


def test_a_new_store_reads_no_migration(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "_migrate", None)
    assert upgrade_store(sqlite_url) == migrate.HEAD
    assert revision_of(sqlite_url) == migrate.HEAD


def test_what_is_left_out_of_that_comparison_is_there(postgis_url: str) -> None:
    upgrade_store(postgis_url)
    with engine_of(postgis_url).connect() as connection:
        found = set(connection.scalars(text("SELECT indexname FROM pg_indexes")))
    assert found >= OWN_INDEXES


def test_a_difference_would_be_noticed(sqlite_url: str) -> None:
    upgrade_store(sqlite_url)
    with engine_of(sqlite_url).begin() as connection:
        connection.execute(text("ALTER TABLE datums ADD COLUMN forgotten INTEGER"))
        context = MigrationContext.configure(connection, opts={"include_object": ours})
        assert [change[0] for change in compare_metadata(context, schema.metadata)] == [
            "remove_column"
        ]


def test_the_newest_revision_is_the_one_that_the_code_needs() -> None:
    assert revisions().get_heads() == [migrate.HEAD]


def test_revisions_follow_each_other_and_are_ordered_as_text() -> None:
    """The code compares revisions to tell an older store from a newer one."""
    newest_first = [script.revision for script in revisions().walk_revisions()]
    assert newest_first == sorted(newest_first, reverse=True)


def test_upgrading_twice_is_harmless(store_url: str) -> None:
    assert upgrade_store(store_url) == migrate.HEAD
    with velour.open_store(store_url) as store:
        store.save_dataset(
            velour.Dataset.from_groundtruths([velour.GroundTruth(velour.Datum("1"))], "fires")
        )
    assert upgrade_store(store_url) == migrate.HEAD
    with velour.open_store(store_url) as store:
        assert store.dataset_names() == ["fires"]


def test_sqlite_upgrades_itself_when_it_is_opened(sqlite_url: str) -> None:
    with velour.open_store(sqlite_url) as store:
        assert store.dataset_names() == []
    assert revision_of(sqlite_url) == migrate.HEAD


def test_a_store_newer_than_the_code_is_refused(store_url: str) -> None:
    upgrade_store(store_url)
    with engine_of(store_url).begin() as connection:
        connection.execute(text("UPDATE velour_schema SET version_num = '9999'"))
    for action in (velour.open_store, upgrade_store):
        with pytest.raises(StoreUnavailable, match=r"schema 9999, newer than .*pip install"):
            action(store_url)
    assert revision_of(store_url) == "9999"


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrations run in one transaction, on SQLite too."""

    def fail(*_: Any) -> None:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patch:
        for backend in ("sqlite.Sqlite", "postgis.PostGIS"):
            patch.setattr(f"velour_plugin.store.sql.databases.{backend}.create_indexes", fail)
        with pytest.raises(RuntimeError, match="the power went out"):
            upgrade_store(store_url)
    assert tables_of(store_url) <= OWN_TABLES - {"velour_schema"}
    upgrade_store(store_url)
    assert isinstance(velour.open_store(store_url), Store)


@pytest.fixture
def twin_url(store_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A second empty store of the same kind."""
    if store_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'twin.db'}"
    else:
        with request.getfixturevalue("postgis").database() as url:
            yield url


def migrate_step_by_step(url: str) -> None:
    store = _connect(url)
    with store.engine.connect() as connection:
        writer = connection.execution_options(velour_writes=True)
        for script in reversed(list(revisions().walk_revisions())):
            with writer.begin():
                command.upgrade(migrate.configuration(writer), script.revision)
    store.close()


def description(url: str) -> set[tuple[Any, ...]]:
    """All that a database's catalogue says of its tables, but for the numbers of objects."""
    with engine_of(url).connect() as connection:
        parts = _ON_SQLITE if url.startswith("sqlite") else _ON_POSTGRESQL
        return {(kind, *row) for kind, query in parts.items() for row in rows(connection, query)}


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(map(named, row)) for row in connection.execute(text(query))]


def named(value: Any) -> Any:
    """In place of a table's text, which quotes and breaks lines in its own way, its constraints."""
    if isinstance(value, str) and value.startswith("CREATE TABLE"):
        return tuple(sorted(re.findall(r"CONSTRAINT \S+ (?:UNIQUE|PRIMARY|FOREIGN|CHECK)", value)))
    return value


_ON_SQLITE = {
    "column": "SELECT t.name, c.* FROM pragma_table_list t, pragma_table_xinfo(t.name) c "
    "WHERE t.name NOT LIKE 'sqlite_%'",
    "constraint": "SELECT name, sql FROM sqlite_master WHERE type = 'table'",
    "foreign key": 'SELECT t.name, f."table", f."from", f."to", f.on_update, f.on_delete, f.match '
    "FROM pragma_table_list t, pragma_foreign_key_list(t.name) f",
    "index": 'SELECT t.name, i.name, i."unique", i.origin, i.partial, c.seqno, c.name, c."desc", '
    "c.coll, c.key FROM pragma_table_list t, pragma_index_list(t.name) i, "
    "pragma_index_xinfo(i.name) c",
    "trigger": "SELECT name, tbl_name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')",
    "statistics": "SELECT tbl, idx, stat FROM sqlite_stat1",
    "revision": "SELECT version_num FROM velour_schema",
}
_ON_POSTGRESQL = {
    "column": "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
    "pg_get_expr(d.adbin, d.adrelid), "
    "row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) "
    "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
    "AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum "
    "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'S')",
    "constraint": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
    "FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "index": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "trigger": "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger "
    "WHERE NOT tgisinternal",
    "revision": "SELECT version_num FROM velour_schema",
}


def revision_of(url: str) -> str:
    with engine_of(url).connect() as connection:
        return str(connection.scalar(text("SELECT version_num FROM velour_schema")))


def tables_of(url: str) -> set[str]:
    from sqlalchemy import inspect

    return set(inspect(engine_of(url)).get_table_names())
