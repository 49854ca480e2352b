"""What Velour writes to an MLflow run, and reads of it. Loaded only where a run exists."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric, RunTag
from mlflow.utils.time import get_current_time_millis

from velour_plugin.domain.canonical import canonical_json
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Evaluation, Run
from velour_plugin.errors import BadFilter
from velour_plugin.parquet import write_predictions

FOLDER = "velour"
"""Where Velour's artifacts are in a run."""

_FORBIDDEN = re.compile(r"[^\w.\- :/]")


def run_of(run_id: str) -> Run:
    """What a ranking wants to know of a run."""
    info = mlflow.MlflowClient().get_run(run_id).info
    return Run(run_id, info.run_name, info.experiment_id)


def find_runs(query: str, experiments: Sequence[str] | None) -> list[str]:
    """Ids of the runs that MLflow's filter string finds, in some experiments or in all.

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
    """Say on the run which evaluation is its own, of what task, on which dataset."""
    assert evaluation.run is not None
    tags = {
        "velour.evaluation_id": evaluation.id,
        "velour.task": evaluation.task,
        "velour.dataset": evaluation.certificate.dataset,
    }
    mlflow.MlflowClient().log_batch(
        evaluation.run.run_id, tags=[RunTag(key, value) for key, value in tags.items()]
    )


def mlflow_name(name: str) -> str:
    """Spell a metric's name in the letters that MLflow allows.

    >>> mlflow_name("mAP@[.5:.95]")
    'mAP__.5:.95_'
    """
    return _FORBIDDEN.sub("_", name)


def mlflow_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Headline metrics that are defined, under names that MLflow takes."""
    return {
        mlflow_name(name): float(value)
        for name, value in evaluation.headline.items()
        if value is not None
    }


def log_metrics(run_id: str, metrics: Mapping[str, float], name: str, digest: str) -> None:
    """Log metrics once, tied to the dataset that they are about."""
    now = get_current_time_millis()
    entities = [
        Metric(key, value, now, 0, dataset_name=name, dataset_digest=digest, run_id=run_id)
        for key, value in metrics.items()
    ]
    mlflow.MlflowClient().log_batch(run_id, metrics=entities)


def log_artifacts(run_id: str, evaluation: Evaluation, dataset: Dataset) -> dict[str, Any]:
    """Log the predictions and the evaluation; returns what :class:`EvaluationResult` lists.

    A second evaluation in the same run replaces the files of the first.
    """
    from mlflow.models.evaluation.artifacts import JsonEvaluationArtifact

    with tempfile.TemporaryDirectory() as folder:
        write_predictions(dataset, Path(folder) / "predictions.parquet")
        content = evaluation.to_dict()
        (Path(folder) / "evaluation.json").write_text(canonical_json(content), encoding="utf-8")
        mlflow.MlflowClient().log_artifacts(run_id, folder, FOLDER)
    root = mlflow.MlflowClient().get_run(run_id).info.artifact_uri
    return {
        "velour_evaluation": JsonEvaluationArtifact(
            uri=f"{root}/{FOLDER}/evaluation.json", content=content
        )
    }
