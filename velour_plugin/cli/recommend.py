"""``velour recommend``."""

from __future__ import annotations

import click

from velour_plugin.cli.options import (
    json_option,
    print_result,
    statistics_options,
    store_option,
    where_option,
)


@click.command()
@click.argument("metric", default="mAP")
@click.option(
    "--dataset", "datasets", multiple=True, metavar="NAME", help="Only this one; repeatable."
)
@where_option
@statistics_options
@json_option
@store_option
def recommend(
    metric: str,
    datasets: tuple[str, ...],
    where: str | None,
    confidence: float,
    resamples: int,
    seed: int,
    as_json: bool,
    store: str | None,
) -> None:
    """Recommend the model with the best evidence by METRIC (default mAP), across datasets.

    \b
    $ velour recommend mAP --where "time_of_day = 'night'"
    """
    import velour_plugin as velour

    answer = velour.recommend(
        metric,
        where=where,
        datasets=datasets or None,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        store=store,
    )
    print_result(answer, as_json)
