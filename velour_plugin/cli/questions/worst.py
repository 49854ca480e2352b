"""``velour worst``."""

from __future__ import annotations

import click

from velour_plugin.cli.options import (
    groups_option,
    json_option,
    label_named,
    print_result,
    store_option,
    where_option,
)


@click.command()
@click.argument("run")
@click.option("-n", default=10, show_default=True, help="How many at most.")
@click.option("--metric", metavar="NAME", help="The task's first headline metric if not given.")
@click.option(
    "--dataset", metavar="NAME", help="On which RUN was evaluated; its newest if not given."
)
@click.option("--label", metavar="[KEY=]VALUE", help="Of this class, with a metric like AP.")
@where_option
@groups_option
@json_option
@store_option
def worst(
    run: str,
    n: int,
    metric: str | None,
    dataset: str | None,
    label: str | None,
    where: str | None,
    groups: tuple[str, ...],
    as_json: bool,
    store: str | None,
) -> None:
    """List the datums that cost RUN most: how much the metric gains without each.

    With --groups, whole groups of datums are left out.

    \b
    $ velour worst day-model -n 3
    $ velour worst day-model --groups video
    """
    import velour_plugin as velour

    answer = velour.worst(
        run,
        metric=metric,
        where=where,
        label=label_named(label),
        n=n,
        dataset=dataset,
        groups=groups or None,
        store=store,
    )
    print_result(answer, as_json)
