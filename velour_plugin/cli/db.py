"""``velour db``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from velour_plugin.cli.options import store_option

if TYPE_CHECKING:
    from velour_plugin.store import Candidate


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


@db.command()
@click.argument("evaluation")
@click.option("--drop", is_flag=True, help="Remove these rows again.")
@store_option
def expand(evaluation: str, drop: bool, store: str | None) -> None:
    """Lay out the predictions of an EVALUATION as rows with geometry, for SQL and QGIS.

    EVALUATION is its id, or a run or model that has one evaluation. The rows are a copy, in the
    table expanded_predictions: Velour itself reads predictions from columns.

    \b
    $ velour db expand night-model
    120 rows of evaluation 3f2a… in expanded_predictions.
    """
    from velour_plugin.store.opening import store_url
    from velour_plugin.store.sql.opening import open_sql_store

    with open_sql_store(store_url(store), create=False) as opened:
        number = _only(evaluation, opened.evaluations_of(evaluation))
        rows = opened.drop_expanded(number) if drop else opened.expand_predictions(number)
    removed = "removed from" if drop else "in"
    click.echo(f"{rows:,} rows of evaluation {number} {removed} expanded_predictions.")


def _only(name: str, candidates: Sequence[Candidate]) -> str:
    """The id of the one evaluation that a name stands for.

    Raises:
        InvalidInput: there are several.
    """
    from velour_plugin.errors import InvalidInput

    numbers = list(dict.fromkeys(item.evaluation_id for item in candidates))
    if len(numbers) > 1:
        raise InvalidInput(
            f"{name!r} has {len(numbers)} evaluations: name one of them by its id: "
            f"{', '.join(numbers)}."
        )
    return numbers[0]
