"""What tests with a real MLflow share: quiet about its own warnings, and eyes on its runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import velour_plugin as velour

QUIET = [
    pytest.mark.filterwarnings(line)
    for line in (
        r"ignore:::mlflow\.",
        "ignore:The ``noload`` loader strategy",  # MLflow's mappers, on SQLAlchemy 2.1
        "ignore:_ImportHookChainedLoader:ImportWarning",
        "ignore:Valid config keys have changed in V2:UserWarning",  # MLflow 3.5, on any Pydantic 2
    )
]
"""Marks of a module that imports MLflow: its own warnings are no errors of ours."""

CURVES = ("precision_at_recall/", "true_positive_rate_at/")
"""How the names of metric histories begin that are curves."""


def evaluate(data: Any, run_id: str | None = None, name: str | None = None, **options: Any) -> str:
    """Evaluate in a run, as people do; returns the run's id."""
    import mlflow

    options = {"model_type": "object-detection", "evaluators": "velour", **options}
    if isinstance(data, velour.Dataset):
        data = mlflow.data.from_velour(data)
    with mlflow.start_run(run_id=run_id, run_name=name) as run:
        mlflow.models.evaluate(data=data, **options)
    return str(run.info.run_id)


def metrics(run_id: str) -> dict[str, float]:
    """Last values of a run's metrics; curves, which have many, are left out."""
    import mlflow

    logged = mlflow.get_run(run_id).data.metrics
    return {name: value for name, value in logged.items() if not name.startswith(CURVES)}


def history_lengths(run_id: str) -> set[int]:
    """How often metrics of a run were logged."""
    import mlflow

    client = mlflow.MlflowClient()
    return {len(client.get_metric_history(run_id, name)) for name in metrics(run_id)}


def tags(run_id: str) -> dict[str, str]:
    """Velour's tags of a run."""
    import mlflow

    logged = mlflow.get_run(run_id).data.tags
    return {key: value for key, value in logged.items() if key.startswith("velour.")}


def artifacts(run_id: str) -> list[str]:
    """Paths of Velour's artifacts of a run."""
    import mlflow

    return sorted(item.path for item in mlflow.MlflowClient().list_artifacts(run_id, "velour"))


def download(run_id: str, path: str) -> Path:
    """One artifact of a run, as a file."""
    import mlflow

    return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path))


def evaluation_json(run_id: str) -> dict[str, Any]:
    """What the run's artifact says of the evaluation."""
    content = download(run_id, "velour/evaluation.json").read_text(encoding="utf-8")
    return dict(json.loads(content))


def last_run() -> str:
    """The run that was started last."""
    import mlflow

    return str(mlflow.search_runs(max_results=1, output_format="list")[0].info.run_id)


def evaluations(dataset: str) -> int:
    """How many evaluations of a dataset the default store holds; 0 when it knows no dataset."""
    with velour.open_store() as store:
        known = dataset in store.dataset_names()
        return len(store.candidates(dataset)) if known else 0
