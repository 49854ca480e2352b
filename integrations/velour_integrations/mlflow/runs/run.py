"""What Velour writes to an MLflow run and reads from it. Loaded only where a run exists."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.utils.time import get_current_time_millis

from velour_integrations.mlflow.runs.artifact_files import Shown, decorating, write_all
from velour_integrations.mlflow.runs.cleanup import delete_outdated_files
from velour_integrations.mlflow.runs.display_options import DisplayOptions
from velour_integrations.mlflow.runs.names import (
    class_metrics,
    defined,
    interval_metrics,
    mlflow_name,
    slice_metrics,
)
from velour_integrations.mlflow.runs.run_tags import SHOWN, describe
from velour_integrations.mlflow.runs.states import trackers
from velour_plugin import Dataset, EvaluatedRun, Evaluation, ReadingReport, Store
from velour_plugin.errors import BadFilter
from velour_plugin.plugin import (
    Findings,
    find,
    installed,
    leaderboard_beside,
    write_predictions,
)

_logger = logging.getLogger("velour")

FOLDER = "velour"
"""Where Velour's artifacts are in a run."""


def run_of(run_id: str) -> EvaluatedRun:
    """Read id, name and experiment of a run from MLflow."""
    info = mlflow.MlflowClient().get_run(run_id).info
    trackers.add(mlflow.get_tracking_uri())
    return EvaluatedRun(run_id, info.run_name, info.experiment_id)


def find_runs(query: str, experiments: Sequence[str] | None) -> list[str]:
    """Return ids of the runs that MLflow's filter string finds, in some experiments or in all.

    Raises:
        BadFilter: MLflow does not understand the query; its own words say why.
    """
    try:
        frame = mlflow.search_runs(
            experiment_ids=None if experiments is None else list(experiments),
            search_all_experiments=experiments is None,
            filter_string=query,
            output_format="list",
        )
    except mlflow.MlflowException as error:
        raise BadFilter(
            f"runs {query!r}: {error.message} An example: \"params.backbone = 'swin'\"."
        ) from error
    return [run.info.run_id for run in frame]


def tag_run(evaluation: Evaluation) -> None:
    """Tag the run with its evaluation, task, model and dataset."""
    assert evaluation.run is not None
    certificate = evaluation.certificate
    tags = {
        "velour.evaluation_id": evaluation.id,
        "velour.task": evaluation.task,
        "velour.model": evaluation.model,
        "velour.dataset": certificate.dataset,
        "velour.dataset_version": f"{certificate.dataset}@{certificate.dataset_digest[:12]}",
    }
    mlflow.MlflowClient().log_batch(
        evaluation.run.run_id, tags=[RunTag(key, value) for key, value in tags.items()]
    )


@dataclass(frozen=True, slots=True)
class Look:
    """What was looked up in an evaluation, to be logged in several ways.

    Args:
        options: what the caller wants to see.
        findings: what there is to see; ``None`` when looking failed.
    """

    options: DisplayOptions
    findings: Findings | None


def look(evaluation: Evaluation, dataset: Dataset, options: DisplayOptions | None = None) -> Look:
    """Compute what is shown of labels, slices and single datums; a failure is a warning.

    Args:
        evaluation: of ``dataset``.
        dataset: that was evaluated.
        options: how many labels, which slices; what is usual when left out.
    """
    options, findings = options or DisplayOptions(), None
    with decorating("everything but the headline"):
        findings = find(evaluation, dataset, options.slices, options.intervals)
    return Look(options, findings)


def with_leaderboard(seen: Look, evaluation: Evaluation, store: Store) -> Look:
    """Return it with the other models of the dataset, when the evaluation is in the store.

    Args:
        seen: of the evaluation.
        evaluation: that was published.
        store: where it and the others are.
    """
    findings = seen.findings
    if findings is None or not seen.options.report:
        return seen
    leaderboard = None
    with decorating("the other models in the report"):
        leaderboard = leaderboard_beside(evaluation, store, seen.options.intervals)
    return replace(seen, findings=replace(findings, leaderboard=leaderboard))


def mlflow_metrics(evaluation: Evaluation, seen: Look | None = None) -> dict[str, float]:
    """Return the metrics that are defined, under names that MLflow takes.

    Args:
        evaluation: whose headline it is.
        seen: intervals, and numbers about labels and slices, to join the headline.
    """
    metrics = {mlflow_name(name): value for name, value in evaluation.headline.items()}
    if seen is not None and seen.findings is not None:
        metrics |= interval_metrics(seen.findings)
        metrics |= class_metrics(seen.findings, seen.options.classes)
        metrics |= slice_metrics(seen.findings)
    return defined(metrics)


def log_metrics(
    run_id: str,
    metrics: Mapping[str, float],
    name: str,
    digest: str,
    step: int = 0,
    model_id: str | None = None,
) -> None:
    """Log metrics to a run in one call, tied to their dataset and maybe to a logged model."""
    now, about = get_current_time_millis(), {"dataset_name": name, "dataset_digest": digest}
    entities = [
        Metric(key, value, now, step, model_id=model_id, run_id=run_id, **about)
        for key, value in metrics.items()
    ]
    mlflow.MlflowClient().log_batch(run_id, metrics=entities)


def log_parameters(run_id: str, evaluation: Evaluation, prefix: str = "") -> None:
    """Log the parameters without which the numbers would be taken for others, on a run.

    MLflow keeps the first value of a parameter: another one later is a warning.

    Args:
        run_id: of the run.
        evaluation: in it.
        prefix: of the names.
    """
    stated = installed().evaluator(evaluation.task).stated_parameters(evaluation.ledger)
    params = [Param(prefix + name, str(value)) for name, value in stated.items()]
    if not params:
        return
    try:
        mlflow.MlflowClient().log_batch(run_id, params=params)
    except mlflow.MlflowException as error:
        names = ", ".join(f"{param.key} {param.value}" for param in params)
        _logger.warning(
            "run %s: this evaluation has %s, and the run says otherwise: give it a metric_prefix "
            "or a run of its own (%s).", run_id, names, error.message,
        )  # fmt: skip


def _reading_reports(dataset: Dataset) -> dict[str, ReadingReport]:
    """Reports of the parts of a dataset that were not read just as they were written."""
    reports = {"dataset": dataset.reading, "predictions": dataset.predictions_reading}
    return {part: report for part, report in reports.items() if report and not report.is_clean}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, sort_keys=True, allow_nan=False), encoding="utf-8")


def log_artifacts(
    run_id: str, evaluation: Evaluation, dataset: Dataset, seen: Look | None = None
) -> dict[str, Any]:
    """Log predictions, evaluation and what shows it; return what an ``EvaluationResult`` lists.

    A second evaluation in the same run replaces what the first left.

    Args:
        run_id: of a run.
        evaluation: of ``dataset``.
        dataset: with the predictions.
        seen: what to show; what is usual when left out.
    """
    from mlflow.models.evaluation.artifacts import JsonEvaluationArtifact

    client = mlflow.MlflowClient()
    seen = seen or look(evaluation, dataset)
    options, findings = seen.options, seen.findings
    run, shown = client.get_run(run_id), Shown()
    with tempfile.TemporaryDirectory() as name:
        root, content = Path(name), evaluation.to_dict()
        (root / FOLDER).mkdir()
        write_predictions(dataset, root / FOLDER / "predictions.parquet")
        _write_json(root / FOLDER / "evaluation.json", content)
        for part, report in _reading_reports(dataset).items():
            _write_json(root / FOLDER / f"reading_of_{part}.json", report.to_dict())
        if findings is not None and options.report:
            shown = write_all(root, findings, dataset, options)
        client.log_artifacts(run_id, name)
        written = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    if findings is not None:
        with decorating("curves, note and saved view"):
            describe(run, findings, shown, options)
        if SHOWN in run.data.tags:
            with decorating("the removal of older files"):
                delete_outdated_files(run, written)
    at = run.info.artifact_uri
    tables = {
        name.removesuffix(".json"): JsonEvaluationArtifact(uri=f"{at}/{name}", content=table)
        for name, table in shown.tables.items()
    }
    file = JsonEvaluationArtifact(uri=f"{at}/{FOLDER}/evaluation.json", content=content)
    return {"velour_evaluation": file, **tables}
