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
    from velour_plugin.store import upgrade_store

    click.echo(f"The store's schema is {upgrade_store(store)}.")
