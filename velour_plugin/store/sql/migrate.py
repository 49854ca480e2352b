"""Create and upgrade the tables of a store to the versions that this installation needs.

A store holds Velour's own tables and those of plugins (hook ``velour_tables``). Each group
has a chain of migrations and a version table of its own; all are upgraded in one transaction.
A new schema is created at once; a test compares it with the result of all migrations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    inspect,
    text,
)
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.schema import CreateIndex, CreateTable

from velour_plugin.errors import BadPlugin, NewerSchema, StoreUnavailable, UnknownName
from velour_plugin.helpers.store_urls import masked_url
from velour_plugin.plugins.installed import installed
from velour_plugin.plugins.manager import blamed
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.databases.driver_errors import reachable
from velour_plugin.store.sql.head import HEAD, VERSION_TABLE
from velour_plugin.store.tables import StoreTables

if TYPE_CHECKING:
    from alembic.config import Config


@dataclass(frozen=True, slots=True)
class Chain:
    """The migrations of one group of tables.

    Args:
        subject: the group, for messages.
        owner: of the tables, for messages.
        remedy: how to get a newer version of the owner, for messages.
        version_table: the table that holds the revision in a database.
        migrations: the package of the migration files.
        head: the newest revision.
    """

    subject: str
    owner: str
    remedy: str
    version_table: str
    migrations: str
    head: str

    @classmethod
    def of(cls, tables: StoreTables) -> Chain:
        """Make the chain of migrations of a plugin's tables."""
        return cls(
            f"tables {tables.name!r}",
            f"plugin {installed().provider('tables', tables.name)!r}",
            "upgrade the plugin",
            tables.version_table,
            tables.migrations,
            tables.head,
        )


CORE = Chain(
    "schema",
    "this Velour",
    "pip install --upgrade velour-plugin",
    VERSION_TABLE,
    "velour_plugin.store.sql.migrations.versions",
    HEAD,
)
"""Velour's own tables."""


def prepare(engine: Engine, backend: Backend, url: str) -> None:
    """Check all tables: SQLite is upgraded on the spot, PostgreSQL by ``velour db upgrade``.

    Raises:
        NewerSchema: some of them were made by a newer version than the one that is installed.
        StoreUnavailable: the database does not answer, or needs ``velour db upgrade``.
    """
    behind = _behind(engine, url, _chains())
    if not behind:
        return
    if not backend.upgrades_itself:
        chain, revision = behind[0]
        store = masked_url(url)
        raise StoreUnavailable(
            f"store {store} has {chain.subject} {revision or 'none'}, and {chain.owner} needs "
            f"{chain.head}: run 'velour db upgrade --store {store}'."
        )
    upgrade(engine, backend, url)


def upgrade(engine: Engine, backend: Backend, url: str) -> str:
    """Create the schema or run the migrations that are missing, in one transaction.

    Returns:
        The revision of the schema.

    Raises:
        NewerSchema: some tables were made by a newer version than the one that is installed.
        BadPlugin: the migrations of a plugin do not end at its head.
        StoreUnavailable: the database does not answer.
    """
    chains = _chains()
    _behind(engine, url, chains)
    _refuse_shared_tables()
    with _writing(engine, url) as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            _create(connection, backend)
            chains.remove(CORE)
        for chain in chains:
            _migrate(connection, chain)
    return HEAD


def _create(connection: Connection, backend: Backend) -> None:
    """Create all tables at the newest revision."""
    backend.prepare_database(connection)
    for table in schema.metadata.sorted_tables:
        connection.execute(CreateTable(table))
        for index in table.indexes:
            connection.execute(CreateIndex(index))
    backend.create_indexes(connection)
    _VERSIONS.create(connection)
    connection.execute(_VERSIONS.insert().values(version_num=HEAD))


_VERSIONS = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""The version table as Alembic creates it."""


def _migrate(connection: Connection, chain: Chain) -> None:
    from alembic import command

    command.upgrade(configuration(connection, chain), "head")


def delete_tables(engine: Engine, url: str, name: str) -> None:
    """Drop the tables of a plugin and forget their revision, in one transaction.

    Raises:
        UnknownName: no installed plugin has tables of that name.
        NewerSchema: some tables were made by a newer version than the one that is installed.
        StoreUnavailable: the database does not answer.
    """
    known = installed().tables
    if name not in known:
        raise UnknownName("tables of a plugin", name, known)
    _refuse_shared_tables()
    _behind(engine, url, [Chain.of(known[name])])
    every = MetaData()  # with Velour's tables, so that foreign keys to them can be resolved
    for table in (*schema.metadata.tables.values(), *known[name].metadata.tables.values()):
        table.to_metadata(every)
    with _writing(engine, url) as connection:
        every.drop_all(connection, [every.tables[key] for key in known[name].metadata.tables])
        connection.execute(text(f"DROP TABLE IF EXISTS {known[name].version_table}"))


def configuration(connection: Any, chain: Chain = CORE) -> Config:
    """Make Alembic's configuration for one open connection and one chain of migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "velour_plugin.store.sql:migrations")
    location = str(files(chain.migrations)).replace("%", "%%")
    config.set_main_option("version_locations", location)
    for name in ("path_separator", "version_path_separator"):  # since Alembic 1.16, and before
        config.set_main_option(name, "os")
    config.attributes.update(connection=connection, version_table=chain.version_table)
    return config


def _chains() -> list[Chain]:
    return [CORE, *map(Chain.of, installed().tables.values())]


def _behind(engine: Engine, url: str, chains: Sequence[Chain]) -> list[tuple[Chain, str | None]]:
    """The chains whose tables are missing or old, with their revisions; newer ones are refused."""
    with reachable(url):
        revisions = _revisions(engine, chains)
    behind = [
        (chain, revision)
        for chain, revision in zip(chains, revisions, strict=True)
        if revision != chain.head
    ]
    for chain, revision in behind:
        if chain is CORE and revision is None:  # a new store, that needs no migration
            continue
        known = _known_revisions(chain)
        if revision is not None and revision not in known:
            shown = revision or "''"
            raise NewerSchema(
                f"store {masked_url(url)} has {chain.subject} {shown}, newer than {chain.head} of "
                f"{chain.owner}: {chain.remedy}."
            )
    return behind


def _known_revisions(chain: Chain) -> set[str]:
    """Revisions of a chain's migrations, which must end at its head.

    Raises:
        BadPlugin: they end elsewhere, or cannot be read.
    """
    from alembic.script import ScriptDirectory

    with blamed(chain.owner, f"when migrations were read from {chain.migrations!r}"):
        scripts = ScriptDirectory.from_config(configuration(None, chain))
        heads = scripts.get_heads()
    if heads != [chain.head]:
        raise BadPlugin(
            f"{chain.owner}: migrations of {chain.subject} end at {heads}, and its "
            f"head is {chain.head!r}: correct the plugin, or uninstall it."
        )
    return {script.revision for script in scripts.walk_revisions()}


def _revisions(engine: Engine, chains: Sequence[Chain]) -> list[str | None]:
    """The revision of each chain, in one statement where all of them have one."""
    with engine.connect() as connection:
        try:
            revisions = _select_revisions(connection, list(enumerate(chains)))
        except (OperationalError, ProgrammingError):  # a version table is missing
            connection.rollback()
            tables = set(inspect(connection).get_table_names())
            present = [pair for pair in enumerate(chains) if pair[1].version_table in tables]
            revisions = _select_revisions(connection, present)
    return [revisions.get(index) for index in range(len(chains))]


def _select_revisions(
    connection: Connection, numbered: Sequence[tuple[int, Chain]]
) -> dict[int, str]:
    if not numbered:
        return {}
    selects = (
        f"SELECT {index}, version_num FROM {chain.version_table}" for index, chain in numbered
    )
    rows = connection.execute(text(" UNION ALL ".join(selects)))
    return {index: str(revision) for index, revision in rows}


def _refuse_shared_tables() -> None:
    """Refuse a plugin whose table has the name of one of Velour's or of another plugin."""
    owners = dict.fromkeys(schema.metadata.tables, "Velour")
    for name, tables in installed().tables.items():
        for table in tables.metadata.tables:
            if table in owners:
                raise BadPlugin(
                    f"tables {name!r} of plugin {installed().provider('tables', name)!r}: table "
                    f"{table!r} belongs to {owners[table]}: rename it, or leave it out of the "
                    "metadata; a foreign key names it as text."
                )
            owners[table] = f"the tables {name!r}"


@contextmanager
def _writing(engine: Engine, url: str) -> Iterator[Connection]:
    with reachable(url), engine.connect() as connection:
        writer = connection.execution_options(velour_writes=True)
        with writer.begin():
            yield writer
