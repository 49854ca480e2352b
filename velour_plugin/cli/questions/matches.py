"""``velour matches``."""

from __future__ import annotations

import click

from velour_plugin.cli.options import (
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
@click.option("-n", default=20, show_default=True, help="How many rows at most.")
@click.option(
    "--outcome",
    metavar="NAME",
    help="Only such as 'true positive', 'false negative', or a kind of error such as duplicate.",
)
@click.option("--label", metavar="[KEY=]VALUE", help="Only predictions and missed truths of it.")
@click.option(
    "--dataset", metavar="NAME", help="On which RUN was evaluated; its newest if not given."
)
@where_option
@parameters_option
@json_option
@store_option
def matches(
    run: str,
    n: int,
    outcome: str | None,
    label: str | None,
    dataset: str | None,
    where: str | None,
    parameters: str,
    as_json: bool,
    store: str | None,
) -> None:
    """List detections of RUN with the truths that they match, and what is left of either.

    True and false positives and false negatives, at the score and IoU threshold of the evaluation
    or of --parameters, the highest scores first.

    \b
    $ velour matches day-model --outcome duplicate
    $ velour matches day-model --where "uid = '17'" \\
        --parameters '{"iou_threshold": 0.75, "score_threshold": 0.3}'
    """
    import velour_plugin as velour

    answer = velour.matches(
        run,
        n,
        outcome=outcome,
        label=label_named(label),
        where=where,
        dataset=dataset,
        parameters=json_object("--parameters", parameters),
        store=store,
    )
    print_result(answer, as_json)
