"""``velour db``."""

from __future__ import annotations

import click

from velour_plugin.cli.options import store_option


@click.group()
def db() -> None:
    """Look after the store's database."""


@db.command()
@store_option
def upgrade(store: str | None) -> None:
    """Bring the store's tables up to this version of Velour.

    \b
    $ velour db upgrade --store postgresql://velour@localhost/velour
    """
    from velour_plugin.store.sql.opening import upgrade_store

    click.echo(f"The store's schema is {upgrade_store(store)}.")


@db.command()
@click.argument("name")
@store_option
@click.confirmation_option(prompt="Delete these tables with all that is in them?")
def delete_tables(name: str, store: str | None) -> None:
    """Delete the tables of a plugin, by the name that 'velour plugins' lists them under.

    While the plugin is installed, opening or upgrading the store makes them again, empty.

    \b
    $ velour db delete-tables quality --yes
    """
    from velour_plugin.store.sql import opening

    opening.delete_tables(name, store)
    click.echo(f"The tables {name!r} are deleted.")
