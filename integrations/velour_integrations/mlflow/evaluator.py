"""The bridge: ``mlflow.models.evaluate(..., evaluators="velour")``.

It reads MLflow's dataset and model, calls the core, and logs back to the run. It answers
for Velour's own tasks only, so that other people's evaluations are not disturbed.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from mlflow.models.evaluation import EvaluationResult, ModelEvaluator

import velour_plugin as velour
from velour_integrations.mlflow.cells import annotations_of
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName
from velour_plugin.plugins import installed

CONFIG = {
    "task": "what is judged, when model_type does not say",
    "model": "the model's name; that of the dataset's predictions, or of the run, when left out",
    "dataset": "the dataset's name, for plain frames",
    "parameters": "the task's parameters",
    "where": "a filter: only its datums are judged",
    "store": "URL of the store; VELOUR_STORE_URI or sqlite:///velour.db when left out",
    "uid": "column of the datum's name, for plain frames; the row number when left out",
    "latitude": "column of the latitude, for plain frames",
    "longitude": "column of the longitude, for plain frames",
}
"""Keys of ``evaluator_config``, and what each says."""

_PLAIN = (str, bool, int, float, np.generic, dt.date, dt.time, dt.timedelta)
_logger = logging.getLogger("velour")


class VelourEvaluator(ModelEvaluator):
    """Judges what Velour has an evaluator for, and keeps it in the store."""

    @classmethod
    def can_evaluate(
        cls, *, model_type: str, evaluator_config: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        """Say whether the model type is one of Velour's tasks, or the configuration names one.

        A task that a configuration of ours misspells is ours too: :meth:`evaluate` refuses it
        by name. A misspelt model type may be somebody else's, so it gets a hint only.
        """
        tasks, config = installed().evaluators, evaluator_config or {}
        task = config.get("task")
        if model_type in tasks or task in tasks:
            return True
        if (
            isinstance(task, str)
            and get_close_matches(task, tasks)
            and config.keys() <= CONFIG.keys()
        ):
            return True
        for near in get_close_matches(str(model_type), tasks, n=1, cutoff=0.9):
            _logger.warning("Velour has no task %r: did you mean %r?", model_type, near)
        return False

    def evaluate(
        self,
        *,
        model_type: str,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any] | None,
        model: Any = None,
        predictions: str | None = None,
        model_id: str | None = None,
        **kwargs: Any,
    ) -> EvaluationResult:
        """Judge, store, and log: headline metrics, artifacts, tags.

        MLflow itself logs the metrics of a result when it knows the logged model; only
        when it does not are they logged here, so that they stand once.
        """
        from velour_integrations.mlflow.run import (
            log_artifacts,
            log_metrics,
            mlflow_metrics,
            run_of,
        )

        config = _checked(evaluator_config or {})
        run = run_of(run_id)
        asked, uids = _dataset_of(dataset, config)
        judged = _with_predictions(asked, uids, dataset, model, predictions)
        name = config.get("model") or judged.model or model_id or run.name or run_id
        judged = replace(judged, model=str(name))
        with velour.open_store(config.get("store")) as store:
            evaluation = velour.evaluate(
                judged,
                config.get("task", model_type),
                config.get("parameters"),
                config.get("where"),
                store,
                run,
            )
        metrics = mlflow_metrics(evaluation)
        if model_id is None:
            log_metrics(run_id, metrics, dataset.name, dataset.digest)
        artifacts = log_artifacts(run_id, evaluation, judged)
        return EvaluationResult(metrics=metrics, artifacts=artifacts, run_id=run_id)


def _checked(config: Mapping[str, Any]) -> Mapping[str, Any]:
    if set(config) == {"velour"}:  # as a list of evaluators wants it
        config = config["velour"]
    for key in config:
        if key not in CONFIG:
            raise UnknownName("key of evaluator_config", key, CONFIG)
    return config


def _dataset_of(dataset: Any, config: Mapping[str, Any]) -> tuple[velour.Dataset, Sequence[str]]:
    """The Velour dataset behind MLflow's, or one of a plain frame; and the uid of each row."""
    known = getattr(dataset, "velour", None)
    if known is not None:
        return known, known.uids
    frame = dataset.features_data
    if not hasattr(frame, "columns") or dataset.labels_data is None:
        raise BadDataset(
            "data: expected mlflow.data.from_velour(dataset), or a pandas frame with a column of "
            "ground truth named by targets=."
        )
    used = {role: config[role] for role in ("uid", "latitude", "longitude") if role in config}
    for column in used.values():
        if column not in frame.columns:
            raise UnknownName("column", column, map(str, frame.columns))
    rows = frame.to_dict("records")
    uids = [_uid(row[used["uid"]], at) if "uid" in used else str(at) for at, row in enumerate(rows)]
    truths = [
        velour.GroundTruth(_datum(uid, row, used), annotations_of(cell, uid, "ground truth"))
        for uid, row, cell in zip(uids, rows, dataset.labels_data, strict=True)
    ]
    name = config.get("dataset") or dataset.name
    return velour.Dataset.from_groundtruths(truths, name), uids


def _uid(said: Any, at: int) -> str:
    if not _is_told(said):
        raise BadDataset(f"row {at} has no uid ({said!r}): every datum has a name of its own.")
    return str(said)


def _datum(uid: str, said: Mapping[str, Any], used: Mapping[str, str]) -> velour.Datum:
    """A row's plain values are the datum's metadata; empty cells are absent."""
    metadata = {
        str(column): value
        for column, value in said.items()
        if column not in used.values() and isinstance(value, _PLAIN) and _is_told(value)
    }
    place = tuple(said[used[role]] for role in ("latitude", "longitude") if role in used)
    try:
        return velour.Datum(uid, metadata, place if any(map(_is_told, place)) else None)
    except InvalidInput as error:
        raise BadDataset(f"datum {uid!r}: {error}") from error


def _is_told(value: Any) -> bool:
    """Pandas says nothing by ``None``, NaN or NaT; the latter two differ from themselves."""
    return value is not None and bool(value == value)


def _with_predictions(
    judged: velour.Dataset,
    uids: Sequence[str],
    dataset: Any,
    model: Any,
    column: str | None,
) -> velour.Dataset:
    """Ask the model, or take the predictions that came with the data."""
    if model is not None:
        answers = _column(model.predict(dataset.features_data), column)
        return _answered(judged, uids, answers, "the model")
    if judged.predictions is not None:
        return judged
    if dataset.predictions_data is None:
        raise BadDataset(
            "there is nothing to judge: give a model, or predictions with the data: "
            "mlflow.data.from_velour(dataset.with_predictions(...)) or predictions='column'."
        )
    return _answered(judged, uids, list(dataset.predictions_data), "the column of predictions")


def _column(answers: Any, column: str | None) -> list[Any]:
    """A model's answers, one for each row."""
    if not hasattr(answers, "columns"):
        if isinstance(answers, (str, Mapping)) or not hasattr(answers, "__iter__"):
            raise BadDataset(
                f"the model gave a {type(answers).__name__}: expected a list with an answer for "
                "each row, in order; [] where nothing was found."
            )
        return list(answers)
    names = list(map(str, answers.columns))
    if column is None and len(names) != 1:
        raise BadDataset(
            f"the model gave {len(names)} columns, {', '.join(names)}: name the one to judge with "
            "predictions='column'."
        )
    if (column or names[0]) not in names:
        raise UnknownName("column of the model's output", column, names)
    return list(answers[column or names[0]])


def _answered(
    judged: velour.Dataset, uids: Sequence[str], answers: Sequence[Any], who: str
) -> velour.Dataset:
    if len(answers) != len(uids):
        raise BadDataset(
            f"{who} gave {len(answers)} answers for {len(uids)} rows: one for each, in order; [] "
            "where nothing was found."
        )
    said = [
        velour.Prediction(velour.Datum(uid), annotations_of(cell, uid, "prediction"))
        for uid, cell in zip(uids, answers, strict=True)
    ]
    return judged.with_predictions(said, model="")
