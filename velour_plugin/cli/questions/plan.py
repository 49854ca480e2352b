"""``velour plan``."""

from __future__ import annotations

import click

from velour_plugin.cli.options import (
    groups_option,
    json_option,
    label_named,
    print_result,
    statistics_options,
    store_option,
    where_option,
)


@click.command()
@click.argument("run")
@click.option("--against", metavar="RUN", help="Plan for the difference to this run.")
@click.option("--width", type=float, help="Of the interval, low to high; 0.05 without a goal.")
@click.option("--detect", type=float, help="A difference that a test is to find, instead.")
@click.option("--power", default=0.8, show_default=True, help="Chance that the test finds it.")
@click.option("--metric", metavar="NAME", help="The task's first headline metric if not given.")
@click.option("--by", multiple=True, metavar="CUT", help="Plan for slices as well; repeatable.")
@click.option(
    "--dataset", metavar="NAME", help="On which RUN was evaluated; its newest if not given."
)
@click.option("--label", metavar="[KEY=]VALUE", help="Of this class, with a metric like AP.")
@where_option
@groups_option
@statistics_options
@json_option
@store_option
def plan(
    run: str,
    against: str | None,
    width: float | None,
    detect: float | None,
    power: float,
    metric: str | None,
    by: tuple[str, ...],
    dataset: str | None,
    label: str | None,
    where: str | None,
    groups: tuple[str, ...],
    confidence: float,
    resamples: int,
    seed: int,
    as_json: bool,
    store: str | None,
) -> None:
    """Say how many datums to collect, from those that RUN was evaluated on.

    \b
    $ velour plan night-model --width 0.05 --by time_of_day
    $ velour plan night-model --against day-model --detect 0.02
    """
    import velour_plugin as velour

    answer = velour.plan(
        run,
        against=against,
        width=width,
        detect=detect,
        metric=metric,
        where=where,
        label=label_named(label),
        by=by,
        dataset=dataset,
        groups=groups or None,
        confidence=confidence,
        power=power,
        resamples=resamples,
        seed=seed,
        store=store,
    )
    print_result(answer, as_json)
