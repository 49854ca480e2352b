"""``velour rank``."""

from __future__ import annotations

from typing import Literal

import click

from velour_plugin.cli.options import (
    all_runs_option,
    groups_option,
    json_object,
    json_option,
    label_named,
    mismatch_option,
    parameters_option,
    print_result,
    refresh_option,
    statistics_options,
    store_option,
    where_option,
)


class _RankCommand(click.Command):
    """A command whose help ends with what the columns of its answer mean."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the meanings below the options."""
        from velour_plugin.answers.leaderboard import MEANINGS

        with formatter.section("Columns"):
            formatter.write_dl(
                [
                    (title.format(confidence=0.95), meaning.format(confidence=0.95))
                    for title, meaning in MEANINGS.items()
                ]
            )


@click.command(cls=_RankCommand)
@click.argument("metric", required=False)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="NAME",
    help="The store's only one if not given; repeated, models are ranked over all together.",
)
@where_option
@click.option("--label", metavar="[KEY=]VALUE", help="Rank by this class, with a metric like AP.")
@click.option("--run", "named", multiple=True, metavar="RUN", help="Only this run; repeatable.")
@click.option("--runs", metavar="QUERY", help="Only runs that this MLflow filter string finds.")
@click.option("--experiment", "experiments", multiple=True, metavar="ID", help="Only its runs.")
@all_runs_option
@mismatch_option
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME",
    help="A further metric, or mlflow.metrics.NAME, mlflow.params.NAME; repeatable.",
)
@click.option("--having", metavar="CQL2", help='Only rows such as "mAP_50 >= 0.5".')
@parameters_option
@groups_option
@statistics_options
@refresh_option
@json_option
@store_option
def rank(
    metric: str | None,
    datasets: tuple[str, ...],
    where: str | None,
    label: str | None,
    named: tuple[str, ...],
    runs: str | None,
    experiments: tuple[str, ...],
    all_runs: bool,
    on_mismatch: Literal["refuse", "intersect"],
    columns: tuple[str, ...],
    having: str | None,
    parameters: str,
    groups: tuple[str, ...],
    confidence: float,
    resamples: int,
    seed: int,
    refresh: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Rank the models that were evaluated on a dataset, by METRIC.

    Each model has one row, its newest run. METRIC is the task's first headline metric if not given.

    A filter is answered from what was matched once; only what a ledger cannot answer, such as
    conditions on annotations, is matched again.

    \b
    $ velour rank mAP_50 --dataset fires \\
        --where "hour >= 20 AND DWITHIN(location, POINT(-71.03 42.36), 50, 'mi')"
    """
    import velour_plugin as velour

    leaderboard = velour.rank(
        metric,
        datasets or None,
        where=where,
        label=label_named(label),
        runs=runs or named or None,
        experiments=experiments or None,
        all_runs=all_runs,
        parameters=json_object("--parameters", parameters),
        columns=columns,
        having=having,
        on_mismatch=on_mismatch,
        groups=groups or None,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        refresh=refresh or None,
        store=store,
    )
    print_result(leaderboard, as_json)
