"""Names of frames that nobody named: after the file or table they came from, or the experiment.

MLflow calls every such frame "dataset"; evaluations of different data would then look like
versions of one dataset.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import mlflow

UNNAMED = "dataset"
"""What MLflow calls a dataset without a name."""

_LOCATIONS = ("delta_table_name", "table_name", "uri", "url", "path")
"""Keys by which MLflow's sources of datasets say where data are; the first that is set counts."""


def frame_name(source: Mapping[str, Any] | None, experiment_id: str | None = None) -> str:
    """Return the name of a frame: its source's, else that of its experiment.

    Args:
        source: what MLflow's source of the frame gives as ``to_dict()``; ``None`` without one.
        experiment_id: of the frame's run; ``None`` for the active run's, or the one in use.
    """
    return source_name(source or {}) or experiment_name(experiment_id)


def source_name(source: Mapping[str, Any]) -> str | None:
    """Return the file name without suffix, or the table's name; ``None`` if there is neither.

    >>> source_name({"uri": "s3://bucket/2026/fires.csv?versionId=7"})
    'fires'
    >>> source_name({"tags": {"mlflow.source.name": "train.py"}}) is None
    True
    """
    location = next((str(source[key]) for key in _LOCATIONS if source.get(key)), "")
    return PurePosixPath(urlsplit(location).path.replace("\\", "/")).stem or None


def experiment_name(experiment_id: str | None = None) -> str:
    """Return the last part of an experiment's name, which on Databricks is a path.

    Args:
        experiment_id: ``None`` for the active run's experiment, or the one in use.
    """
    from mlflow.tracking.fluent import _get_experiment_id

    if experiment_id is None:
        run = mlflow.active_run()
        experiment_id = run.info.experiment_id if run else _get_experiment_id()
    name = str(mlflow.MlflowClient().get_experiment(str(experiment_id)).name)
    return PurePosixPath(name).name if name.startswith("/") else name


def name_of_input(run_id: str, dataset: Any) -> str:
    """Return the name of an MLflow evaluation dataset that is an input of a run.

    Args:
        run_id: of the run.
        dataset: MLflow's evaluation dataset, which keeps no source of its own.
    """
    if dataset.name != UNNAMED:
        return str(dataset.name)
    if dataset.path:
        return frame_name({"path": dataset.path})
    run = mlflow.MlflowClient().get_run(run_id)
    inputs = run.inputs.dataset_inputs if run.inputs else ()
    sources = [
        json.loads(item.dataset.source)
        for item in inputs
        if item.dataset.source_type != "code" and item.dataset.digest == dataset.digest
    ]
    return frame_name(sources[-1] if sources else None, run.info.experiment_id)
