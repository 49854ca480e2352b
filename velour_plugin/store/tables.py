"""Tables that a plugin owns in an SQL store, beside Velour's own in the same database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from velour_plugin.errors import InvalidInput

if TYPE_CHECKING:
    from sqlalchemy import MetaData

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class StoreTables:
    """A group of tables that is created, upgraded and deleted together.

    Migrations are Alembic's, one file a revision, in a package of the plugin's; they have a
    version table of their own, so they follow neither Velour's migrations nor another plugin's.

    Args:
        name: of the group: lower-case letters, digits and ``_``.
        metadata: SQLAlchemy's description of the tables at ``head``. A foreign key to a table of
            Velour's names it as text: ``ForeignKey("datums.id")``.
        migrations: the package with the migrations, such as ``my_package.migrations``.
        head: the newest revision, so that opening a store need not read the migrations.

    Raises:
        InvalidInput: the name has another character, or more than 40.
    """

    name: str
    metadata: MetaData
    migrations: str
    head: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(
                f"tables {self.name!r}: expected a name of 1 to 40 lower-case letters, digits and "
                "'_' that begins with a letter, such as 'quality'."
            )

    @property
    def version_table(self) -> str:
        """Name of the table that holds the revision of these tables in a database."""
        return f"velour_schema_{self.name}"
