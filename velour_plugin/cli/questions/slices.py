"""``velour slices``."""

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
@click.option(
    "--by",
    multiple=True,
    required=True,
    metavar="CUT",
    help="Metadata, or location:DEGREES, wind:PARTS, captured_at:hour; repeatable.",
)
@click.option("--metric", metavar="NAME", help="The task's first headline metric if not given.")
@click.option(
    "--dataset", metavar="NAME", help="On which RUN was evaluated; its newest if not given."
)
@click.option("--label", metavar="[KEY=]VALUE", help="Of this class, with a metric like AP.")
@where_option
@groups_option
@statistics_options
@json_option
@store_option
def slices(
    run: str,
    by: tuple[str, ...],
    metric: str | None,
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
    """Measure a metric of RUN on slices of its data: by location, time, weather.

    \b
    $ velour slices night-model --by time_of_day --by location:5
    """
    import velour_plugin as velour

    answer = velour.slices(
        run,
        by,
        metric=metric,
        where=where,
        label=label_named(label),
        dataset=dataset,
        groups=groups or None,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        store=store,
    )
    print_result(answer, as_json)
