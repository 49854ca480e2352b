"""``velour threshold``."""

from __future__ import annotations

import click

from velour_plugin.cli.options import (
    groups_option,
    json_object,
    json_option,
    label_named,
    parameters_option,
    print_result,
    store_option,
    where_option,
)


@click.command()
@click.argument("run")
@click.option("--precision", type=float, help="The lowest threshold with at least this precision.")
@click.option("--recall", type=float, help="The highest threshold with at least this recall.")
@click.option("--f1", is_flag=True, help="The threshold with the best F1.")
@click.option("--label", metavar="[KEY=]VALUE", help="Only of this class.")
@click.option(
    "--dataset", metavar="NAME", help="On which RUN was evaluated; its newest if not given."
)
@where_option
@parameters_option
@groups_option
@click.option("--confidence", default=0.95, show_default=True, help="Of the intervals.")
@click.option("--seed", default=0, show_default=True, help="Of the tenths that are judged apart.")
@json_option
@store_option
def threshold(
    run: str,
    precision: float | None,
    recall: float | None,
    f1: bool,
    label: str | None,
    dataset: str | None,
    where: str | None,
    parameters: str,
    groups: tuple[str, ...],
    confidence: float,
    seed: int,
    as_json: bool,
    store: str | None,
) -> None:
    """Choose the score from which on RUN is believed, for each class.

    Precision, recall and F1 are what to expect on other data: the datums that choose a threshold
    do not judge it.

    \b
    $ velour threshold day-model --precision 0.9
    $ velour threshold day-model --f1 --parameters '{"iou_threshold": 0.75}'
    """
    import velour_plugin as velour

    answer = velour.threshold(
        run,
        precision=precision,
        recall=recall,
        f1=f1,
        where=where,
        label=label_named(label),
        dataset=dataset,
        parameters=json_object("--parameters", parameters),
        groups=groups or None,
        confidence=confidence,
        seed=seed,
        store=store,
    )
    print_result(answer, as_json)
