"""``velour evaluate``."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from velour_plugin.cli.options import json_option, print_json, store_option, where_option


@click.command()
@click.option("--truth", required=True, metavar="FILE", help="Ground truth.")
@click.option("--predictions", required=True, metavar="FILE", help="What the model said.")
@click.option(
    "--model", metavar="NAME", help="The model's name; the predictions file's if not given."
)
@click.option(
    "--dataset", metavar="NAME", help="The dataset's name; the truth file's if not given."
)
@click.option("--format", default="coco", show_default=True, help="See velour plugins.")
@click.option(
    "--metadata",
    metavar="FILE",
    help="CSV or JSON, one record a datum: uid, image_id or file_name; latitude, longitude; more.",
)
@click.option("--task", default="object-detection", show_default=True, help="See velour plugins.")
@click.option("--parameters", metavar="JSON", default="{}", help="The task's parameters.")
@where_option
@json_option
@store_option
def evaluate(
    truth: str,
    predictions: str,
    model: str | None,
    dataset: str | None,
    format: str,
    metadata: str | None,
    task: str,
    parameters: str,
    where: str | None,
    as_json: bool,
    store: str | None,
) -> None:
    """Judge a model's predictions and keep the evaluation in the store.

    \b
    $ velour evaluate --truth instances.json --predictions results.json \\
        --model yolo-s --dataset fires --metadata images.csv
    """
    import velour_plugin as velour

    read = velour.read_dataset(truth, format, dataset, metadata)
    name = model or os.path.splitext(os.path.basename(predictions))[0]
    judged = read.with_predictions(predictions, model=name)
    with velour.open_store(store) as opened:
        evaluation = velour.evaluate(judged, task, _parameters(parameters), where, opened)
    if as_json:
        print_json(evaluation.to_dict())
        return
    click.echo(f"{evaluation.model} on {evaluation.certificate.dataset}, {evaluation.task}")
    for metric, value in evaluation.headline.items():
        click.echo(f"{metric:<12} {'undefined' if value is None else format_number(value)}")


def format_number(value: float) -> str:
    """Four decimals, as people compare metrics."""
    return f"{value:.4f}"


def _parameters(text: str) -> Any:
    from velour_plugin.errors import InvalidInput

    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"--parameters {text!r} is no JSON: {error}.") from error
    if not isinstance(given, dict):
        raise InvalidInput(f"--parameters {text!r}: expected a JSON object, such as {{}}.")
    return given
