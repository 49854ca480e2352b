"""``velour evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from velour_plugin.cli.options import (
    json_object,
    json_option,
    labels_option,
    parameters_option,
    print_json,
    printed_text,
    store_option,
    strict_option,
    where_option,
)


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--truth", metavar="FILE", help="Ground truth; a stored dataset when left out.")
@click.option(
    "--predictions", multiple=True, metavar="FILE", help="Predictions of a model; repeatable."
)
@click.option(
    "--model",
    "names",
    multiple=True,
    metavar="NAME",
    help="The model's name, one for each; by default that of its file, or in MLflow.",
)
@click.option(
    "--dataset",
    metavar="NAME[@VERSION]",
    help="The dataset's name, by default the truth file's; without --truth a stored one.",
)
@click.option("--format", default="coco", show_default=True, help="See velour plugins.")
@click.option(
    "--metadata",
    metavar="FILE",
    help="CSV or JSON, one record a datum: uid, image_id or file_name; latitude, longitude; more.",
)
@labels_option
@click.option(
    "--task", help="See velour plugins; by default that of the format, or object-detection."
)
@parameters_option
@click.option("--experiment", metavar="NAME", help="Log files as MLflow runs of this one.")
@click.option(
    "--no-store", is_flag=True, help="Only print the metrics: no store is opened or created."
)
@where_option
@strict_option
@json_option
@store_option
def evaluate(
    models: tuple[str, ...],
    truth: str | None,
    predictions: tuple[str, ...],
    names: tuple[str, ...],
    dataset: str | None,
    format: str,
    metadata: str | None,
    labels: str | None,
    task: str | None,
    parameters: str,
    experiment: str | None,
    no_store: bool,
    where: str | None,
    as_json: bool,
    store: str | None,
) -> None:
    """Evaluate models or their predictions, and keep the evaluations in the store.

    A MODEL is an MLflow URI or a Python function, module:function, from a pandas frame with one
    row a datum to a list with one output a row. It is evaluated in an MLflow run; files of
    predictions are when --experiment is passed. Several are ranked in the end, if there is a store.

    \b
    $ velour evaluate --no-store --truth instances.json --predictions results.json
    $ velour evaluate --truth instances.json --predictions results.json \\
        --model yolo-s --dataset fires --metadata images.csv
    $ velour evaluate --no-store --format label-images --truth true/ --predictions unet/ \\
        --labels classes.txt --parameters '{"ignore_label": "void"}'
    $ velour evaluate models:/fire-detector/3 models:/fire-detector@champion \\
        my_models:baseline --dataset fires
    """
    import datetime as dt

    import velour_plugin as velour
    from velour_plugin.helpers.progress import waiting
    from velour_plugin.use_cases.evaluate_many import BatchEvaluation, read_inputs, stored_dataset

    started = dt.datetime.now(dt.UTC)
    if no_store:
        _refuse_what_needs_a_store(
            {
                "a MODEL": models,
                "--experiment": experiment,
                "--store": store,
                "--dataset without --truth": dataset if truth is None else None,
            }
        )
    if truth is not None:
        with waiting(f"reading {truth}"):
            data = velour.read_dataset(
                truth, format, name=dataset, metadata=metadata, labels=labels
            )
    elif dataset is not None and metadata is labels is None:
        data = stored_dataset(dataset, store)
    else:
        raise velour.errors.InvalidInput(
            "no ground truth: pass a file (--truth, and --metadata if there is some), or a stored "
            "dataset (--dataset NAME)."
        )
    batch = BatchEvaluation(
        task or _usual_task(format),
        json_object("--parameters", parameters),
        where,
        store,
        experiment,
        keep=not no_store,
    )
    with waiting("reading predictions"):
        inputs = read_inputs(data, models, predictions, names)
    with waiting(f"evaluating on {data.name}"):
        outputs = batch.evaluate(inputs)
    for output in outputs:
        _note_if_known(output.evaluation, started)
    leaderboard = batch.leaderboard(outputs) if len(outputs) > 1 and not no_store else None
    if as_json:
        contents = [output.evaluation.to_dict() for output in outputs]
        ranked = {} if leaderboard is None else {"leaderboard": leaderboard.to_dict()}
        print_json({"evaluations": contents, **ranked} if len(contents) > 1 else contents[0])
    else:
        parts = [_headline(output.evaluation) for output in outputs]
        click.echo(
            "\n\n".join(parts if leaderboard is None else [*parts, printed_text(leaderboard)])
        )


def _refuse_what_needs_a_store(options: Mapping[str, object]) -> None:
    """Refuse to go without a store where one is needed.

    Raises:
        InvalidInput: one of the options has a value.
    """
    from velour_plugin.errors import InvalidInput

    for name, value in options.items():
        if value:
            raise InvalidInput(
                f"--no-store and {name}: that needs a store; leave one of them out. Without a "
                "store, files are evaluated: --truth FILE --predictions FILE."
            )


def _usual_task(format: str) -> str:
    """The usual task of a format; object-detection for those of several tasks."""
    from velour_plugin.plugins.installed import installed

    usual = "object-detection"
    if format == "coco":  # which need not be imported for this
        return usual
    return str(getattr(installed().format(format), "usual_task", usual))


def _note_if_known(evaluation: Any, started: Any) -> None:
    """Say on standard error that an evaluation is one that the store had already."""
    if evaluation.created_at < started:
        click.echo(
            f"{evaluation.model} on {evaluation.certificate.dataset} was already evaluated, with "
            f"the same predictions and parameters, at {evaluation.created_at:%Y-%m-%d %H:%M} UTC.",
            err=True,
        )


def _headline(evaluation: Any) -> str:
    """The headline metrics of an evaluation, one a line, below what they are of."""
    from velour_plugin.plugins.installed import installed

    about = f"{evaluation.model} on {evaluation.certificate.dataset}, {evaluation.task}"
    stated = installed().evaluator(evaluation.task).stated_parameters(evaluation.ledger)
    about = ", ".join([about, *(f"{name} {value}" for name, value in stated.items())])
    width = max(12, *map(len, evaluation.headline))
    numbers = [
        f"{metric:<{width}} {'undefined' if value is None else f'{value:.4f}'}"
        for metric, value in evaluation.headline.items()
    ]
    return "\n".join([about, *numbers])
