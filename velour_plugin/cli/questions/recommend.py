"""``velour recommend``."""

from __future__ import annotations

import click

from velour_plugin.cli.options import (
    all_runs_option,
    groups_option,
    json_option,
    print_result,
    refresh_option,
    statistics_options,
    store_option,
    where_option,
)


@click.command()
@click.argument("metric", required=False)
@click.option(
    "--dataset", "datasets", multiple=True, metavar="NAME", help="Only this one; repeatable."
)
@where_option
@all_runs_option
@groups_option
@statistics_options
@refresh_option
@json_option
@store_option
def recommend(
    metric: str | None,
    datasets: tuple[str, ...],
    where: str | None,
    all_runs: bool,
    groups: tuple[str, ...],
    confidence: float,
    resamples: int,
    seed: int,
    refresh: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Recommend the model with the best evidence by METRIC, across datasets.

    METRIC is the task's first headline metric if not given. With --all-runs every run is a
    candidate, and each dataset is ranked by itself.

    \b
    $ velour recommend mAP --where "time_of_day = 'night'"
    """
    import velour_plugin as velour

    answer = velour.recommend(
        metric,
        where=where,
        dataset=datasets or None,
        all_runs=all_runs,
        groups=groups or None,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        refresh=refresh or None,
        store=store,
    )
    print_result(answer, as_json)
