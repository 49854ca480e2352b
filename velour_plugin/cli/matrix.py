"""``velour matrix``."""

from __future__ import annotations

from typing import Literal

import click

from velour_plugin.cli.options import (
    json_option,
    label_named,
    mismatch_option,
    print_result,
    statistics_options,
    store_option,
    where_option,
)


@click.command()
@click.argument("metric", default="mAP")
@click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Only this column.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only this row.")
@click.option("--by", multiple=True, metavar="CUT", help="A column a slice; see velour slices.")
@click.option("--label", metavar="[KEY=]VALUE", help="Of this class, with a metric like AP.")
@where_option
@mismatch_option
@statistics_options
@json_option
@store_option
def matrix(
    metric: str,
    datasets: tuple[str, ...],
    models: tuple[str, ...],
    by: tuple[str, ...],
    label: str | None,
    where: str | None,
    on_mismatch: Literal["refuse", "intersect"],
    confidence: float,
    resamples: int,
    seed: int,
    as_json: bool,
    store: str | None,
) -> None:
    """Show METRIC (default mAP) of every model on every dataset, and which cells are missing.

    \b
    $ velour matrix mAP --where "time_of_day = 'night'"
    """
    import velour_plugin as velour

    answer = velour.matrix(
        metric,
        where=where,
        label=label_named(label),
        datasets=datasets or None,
        models=models or None,
        by=by,
        on_mismatch=on_mismatch,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        store=store,
    )
    print_result(answer, as_json)
