"""What a store holds: its evaluated runs, its models and its datasets, the newest first.

Functions are given a snapshot of a store, see :func:`velour_plugin.store.opening.read_store`.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from typing import Any

from velour_plugin.domain.inputs.reading import ReadingReport
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.domain.models import Model
from velour_plugin.errors import NotFound, UnknownName
from velour_plugin.plugins.installed import installed
from velour_plugin.store.protocol import Reader
from velour_plugin.store.values import Candidate, Version

Entry = dict[str, Any]
"""One thing that a store holds, as JSON."""


def list_runs(reader: Reader, dataset: str | None = None, model: str | None = None) -> list[Entry]:
    """List evaluations of runs, the newest first, each with the first headline metric of its task.

    Args:
        reader: of the store.
        dataset: only those on it.
        model: only those of it.

    Raises:
        UnknownName: there is no such dataset, or no evaluated model of that name.
    """
    candidates = evaluations(reader, dataset, model)
    by_task: dict[str, list[str]] = {}
    for item in candidates:
        by_task.setdefault(item.task, []).append(item.evaluation_id)
    values = {task: reader.metric_values(ids, _headline(task)[0]) for task, ids in by_task.items()}
    return [
        _run_entry(item)
        | {"metric": _headline(item.task)[0], "value": values[item.task].get(item.evaluation_id)}
        for item in candidates
    ]


def show_run(reader: Reader, run: str, dataset: str | None = None) -> Entry:
    """Return the newest evaluation of a run: metrics, certificate, dataset version, MLflow run.

    Args:
        reader: of the store.
        run: a run's id or name, a model's name, or an evaluation's id.
        dataset: that it was evaluated on; ``None`` for any.

    Raises:
        UnknownName: there is no such run, or it was not evaluated on the dataset.
    """
    known = reader.evaluations_of(run)
    on_dataset = [item for item in known if dataset in (None, item.version.dataset)]
    if not on_dataset:
        raise UnknownName(
            f"dataset of run {run!r}", dataset, {item.version.dataset for item in known}
        )
    newest, *older = on_dataset
    number = newest.evaluation_id
    metrics = {
        name: reader.metric_values([number], name).get(number) for name in _headline(newest.task)
    }
    return {
        **_run_entry(newest),
        "dataset_digest": newest.version.digest,
        "mlflow": mlflow_address(newest),
        "reading": _report(reader.predictions_reading(number)),
        "metrics": metrics,
        "certificate": newest.certificate.to_dict(),
        "older_evaluations": [item.evaluation_id for item in older],
    }


def list_models(reader: Reader, dataset: str | None = None) -> list[Entry]:
    """List models that were evaluated, the newest first, then those that are only described.

    Args:
        reader: of the store.
        dataset: only models that were evaluated on it.

    Raises:
        UnknownName: there is no such dataset.
    """
    described = {model.name: model for model in reader.models()}
    of_models: dict[str, list[Candidate]] = {}
    for item in evaluations(reader, dataset):
        of_models.setdefault(item.model, []).append(item)
    rest = described if dataset is None else {}
    names = dict.fromkeys([*of_models, *rest])
    return [_model_entry(name, described.get(name), of_models.get(name, ())) for name in names]


def list_datasets(
    reader: Reader, dataset: str | None = None, model: str | None = None
) -> list[Entry]:
    """List versions of datasets, the newest first, and how many evaluations are on each.

    Args:
        reader: of the store.
        dataset: only versions of it.
        model: only versions on which it was evaluated.

    Raises:
        UnknownName: there is no such dataset, or no evaluated model of that name.
    """
    counts: dict[int, int] = {}
    for item in evaluations(reader, dataset, model):
        counts[item.version.id] = counts.get(item.version.id, 0) + 1
    names = reader.dataset_names() if dataset is None else [dataset]
    versions = [version for name in names for version in reader.versions(name)]
    kept = [version for version in versions if model is None or version.id in counts]
    newest_first = sorted(kept, key=lambda version: -version.id)
    return [_version_entry(version, counts.get(version.id, 0)) for version in newest_first]


def show_dataset(reader: Reader, dataset: str, number: int | None = None) -> Entry:
    """A version of a dataset, what its reader noted, and the evaluations on it.

    Args:
        reader: of the store.
        dataset: its name.
        number: of the version; ``None`` for the newest.

    Raises:
        UnknownName: there is no such dataset.
        NotFound: it has no version of that number.
    """
    known = reader.versions(dataset)
    version = next((each for each in known if number in (None, each.number)), None)
    if version is None:
        newest = known[0].number
        raise NotFound(f"dataset {dataset!r} has versions 1 to {newest}, not {number}.")
    of_version = [item for item in reader.candidates(dataset) if item.version.id == version.id]
    return {
        **_version_entry(version, len(of_version)),
        "models": list(dict.fromkeys(item.model for item in of_version)),
        "reading": _report(reader.reading(version)),
    }


def _report(report: ReadingReport | None) -> Entry | None:
    return None if report is None else report.to_dict()


def evaluations(
    reader: Reader, dataset: str | None = None, model: str | None = None
) -> list[Candidate]:
    """Return the evaluations in a store, once for each run, the newest first.

    Raises:
        UnknownName: there is no such dataset, or no evaluated model of that name.
    """
    names = reader.dataset_names() if dataset is None else [dataset]
    every = [item for name in names for item in reader.candidates(name)]
    kept = [item for item in every if model in (None, item.model)]
    if model is not None and not kept:
        raise UnknownName("model", model, {item.model for item in every})
    return sorted(kept, key=lambda item: (item.created_at, item.evaluation_id), reverse=True)


def mlflow_address(item: Candidate) -> str | None:
    """Return where MLflow shows a run: a URL, or its end if the server is unknown; or ``None``."""
    if item.run is None:
        return None
    page = f"#/experiments/{item.run.experiment_id}/runs/{item.run.run_id}"
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    return f"{server.rstrip('/')}/{page}" if server.startswith("http") else page


def _headline(task: str) -> Sequence[str]:
    return installed().evaluator(task).headline


def _utc(item: Candidate) -> str:
    return item.created_at.astimezone(dt.UTC).isoformat(timespec="seconds")


def _run_entry(item: Candidate) -> Entry:
    run = item.run
    return {
        "run": None if run is None else run.name,
        "run_id": None if run is None else run.run_id,
        "experiment_id": None if run is None else run.experiment_id,
        "deleted": item.run_is_deleted,
        "model": item.model,
        "dataset": item.version.dataset,
        "version": item.version.number,
        "task": item.task,
        "evaluated_at": _utc(item),
        "evaluation_id": item.evaluation_id,
    }


def _model_entry(name: str, model: Model | None, items: Sequence[Candidate]) -> Entry:
    location = None if model is None else model.location
    return {
        "name": name,
        "evaluations": len(items),
        "datasets": list(dict.fromkeys(item.version.dataset for item in items)),
        "evaluated_at": _utc(items[0]) if items else None,
        "metadata": {} if model is None else encode_metadata(model.metadata),
        "location": None if location is None else location.wkt,
    }


def _version_entry(version: Version, count: int) -> Entry:
    names = ("dataset", "number", "digest", "datums", "properties")
    known = {name: getattr(version, name) for name in names}
    return {**known, "groups": list(version.groups), "evaluations": count}
