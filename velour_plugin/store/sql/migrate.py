"""Keep a store's schema at the version that this code needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError

from velour_plugin.errors import StoreUnavailable
from velour_plugin.store.sql.backend import Backend

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0002"
"""The newest revision; a test holds it to the migrations."""

_VERSION_TABLE = "velour_schema"


@contextmanager
def reachable(label: str) -> Iterator[None]:
    """Turn a database's silence into an error with a way out."""
    try:
        yield
    except DBAPIError as error:
        reason = f"store {label} failed: {str(error.orig).strip()}"
        if isinstance(error, OperationalError):
            reason += (
                "\nIs the server running and may this user write there? Another store is named "
                "with --store or VELOUR_STORE_URI."
            )
        raise StoreUnavailable(reason) from error


def prepare(engine: Engine, backend: Backend, label: str) -> None:
    """Make sure of the schema: SQLite is upgraded on the spot, PostgreSQL by its owner.

    Raises:
        StoreUnavailable: the database does not answer, or needs ``velour db upgrade``.
    """
    found = _known_revision(engine, label)
    if found == HEAD:
        return
    if not backend.upgrades_itself:
        raise StoreUnavailable(
            f"store {label} has schema {found or 'none'}, and this Velour needs {HEAD}: "
            f"run 'velour db upgrade --store {label}'."
        )
    upgrade(engine, backend, label)


def upgrade(engine: Engine, backend: Backend, label: str) -> str:
    """Run the migrations that are missing, in one transaction.

    Raises:
        StoreUnavailable: the database does not answer, or its schema is newer than this code.
    """
    from alembic import command

    _known_revision(engine, label)
    with reachable(label), engine.connect() as connection:
        writer = connection.execution_options(velour_writes=True)
        with writer.begin():
            command.upgrade(configuration(writer, backend), "head")
    return HEAD


def _known_revision(engine: Engine, label: str) -> str | None:
    """The schema's revision; one from the future is refused."""
    with reachable(label):
        found = _revision(engine)
    if found is not None and found > HEAD:
        raise StoreUnavailable(
            f"store {label} has schema {found}, newer than {HEAD} of this Velour: "
            "pip install --upgrade velour-plugin."
        )
    return found


def configuration(connection: Any, backend: Backend) -> Config:
    """Alembic's configuration for one open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "velour_plugin.store.sql:migrations")
    config.attributes.update(connection=connection, backend=backend, version_table=_VERSION_TABLE)
    return config


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table(_VERSION_TABLE):
            return None
        row = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).first()
        return None if row is None else str(row[0])
