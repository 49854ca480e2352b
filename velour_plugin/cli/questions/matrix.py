"""``velour matrix``."""

from __future__ import annotations

from typing import Literal

import click

from velour_plugin.cli.options import (
    all_runs_option,
    groups_option,
    json_option,
    label_named,
    mismatch_option,
    print_result,
    refresh_option,
    statistics_options,
    store_option,
    where_option,
)


@click.command()
@click.argument("metric", required=False)
@click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Only this column.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only this row.")
@click.option("--by", multiple=True, metavar="CUT", help="A column a slice; see velour slices.")
@click.option("--label", metavar="[KEY=]VALUE", help="Of this class, with a metric like AP.")
@where_option
@all_runs_option
@mismatch_option
@groups_option
@statistics_options
@refresh_option
@json_option
@store_option
def matrix(
    metric: str | None,
    datasets: tuple[str, ...],
    models: tuple[str, ...],
    by: tuple[str, ...],
    label: str | None,
    where: str | None,
    all_runs: bool,
    on_mismatch: Literal["refuse", "intersect"],
    groups: tuple[str, ...],
    confidence: float,
    resamples: int,
    seed: int,
    refresh: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Show METRIC of every model on every dataset, and which cells are missing.

    METRIC is the task's first headline metric if not given.

    \b
    $ velour matrix mAP --where "time_of_day = 'night'"
    """
    import velour_plugin as velour

    answer = velour.matrix(
        metric,
        where=where,
        label=label_named(label),
        dataset=datasets or None,
        models=models or None,
        by=by,
        all_runs=all_runs,
        on_mismatch=on_mismatch,
        groups=groups or None,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        refresh=refresh or None,
        store=store,
    )
    print_result(answer, as_json)
