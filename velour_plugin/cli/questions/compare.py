"""``velour compare``."""

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
@click.argument("first")
@click.argument("second")
@click.option("--metric", metavar="NAME", help="The task's first headline metric if not given.")
@click.option("--by", multiple=True, metavar="CUT", help="Compare slices as well; repeatable.")
@click.option("--dataset", metavar="NAME", help="On which both were evaluated.")
@groups_option
@click.option("--no-worse", type=float, metavar="MARGIN", help="Is SECOND no worse than by this?")
@click.option("--min-lead", type=float, metavar="MARGIN", help="Is it better by more than this?")
@click.option("--confidence", default=0.95, show_default=True, help="Of intervals and margins.")
@click.option(
    "--permutations",
    default=1000,
    show_default=True,
    help="For p-values, at most: fewer where p is clear; 0 for no p and no intervals.",
)
@click.option("--seed", default=0, show_default=True, help="Of the permutations.")
@click.option("--label", metavar="[KEY=]VALUE", help="Of this class, with a metric like AP.")
@where_option
@json_option
@store_option
def compare(
    first: str,
    second: str,
    metric: str | None,
    by: tuple[str, ...],
    dataset: str | None,
    groups: tuple[str, ...],
    no_worse: float | None,
    min_lead: float | None,
    confidence: float,
    permutations: int,
    seed: int,
    label: str | None,
    where: str | None,
    as_json: bool,
    store: str | None,
) -> None:
    """Compare two runs by label, slice and kind of error, with p-values of the differences.

    \b
    $ velour compare day-model night-model --by time_of_day
    """
    import velour_plugin as velour

    answer = velour.compare(
        first,
        second,
        metric=metric,
        where=where,
        label=label_named(label),
        by=by,
        dataset=dataset,
        groups=groups or None,
        no_worse=no_worse,
        min_lead=min_lead,
        confidence=confidence,
        permutations=permutations,
        seed=seed,
        store=store,
    )
    print_result(answer, as_json)
