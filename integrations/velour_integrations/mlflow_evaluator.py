"""The bridge: ``mlflow.models.evaluate(..., evaluators="velour")``.

It reads MLflow's dataset and model, calls the core, and logs back to the run. It answers
for Velour's own tasks only, so that other people's evaluations are not disturbed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mlflow.models.evaluation import EvaluationResult, ModelEvaluator

import velour_plugin as velour
from velour_integrations.cells import annotations_of
from velour_plugin.errors import BadDataset, UnknownName
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


class VelourEvaluator(ModelEvaluator):
    """Judges what Velour has an evaluator for, and keeps it in the store."""

    @classmethod
    def can_evaluate(
        cls, *, model_type: str, evaluator_config: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        """Say whether the model type, or the task in the configuration, is one of Velour's."""
        tasks = installed().evaluators
        return model_type in tasks or (evaluator_config or {}).get("task") in tasks

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
        from velour_integrations import mlflow_run

        config = _checked(evaluator_config or {})
        run = mlflow_run.run_of(run_id)
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
        metrics = mlflow_run.mlflow_metrics(evaluation)
        if model_id is None:
            mlflow_run.log_metrics(run_id, metrics, dataset.name, dataset.digest)
        artifacts = mlflow_run.log_artifacts(run_id, evaluation, judged)
        return EvaluationResult(metrics=metrics, artifacts=artifacts, run_id=run_id)


def _checked(config: Mapping[str, Any]) -> Mapping[str, Any]:
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
    uids = [str(row[used["uid"]] if "uid" in used else at) for at, row in enumerate(rows)]
    truths = [
        velour.GroundTruth(_datum(uid, row, used), annotations_of(cell, uid, "ground truth"))
        for uid, row, cell in zip(uids, rows, dataset.labels_data, strict=True)
    ]
    name = config.get("dataset") or dataset.name
    return velour.Dataset.from_groundtruths(truths, name), uids


def _datum(uid: str, said: Mapping[str, Any], used: Mapping[str, str]) -> velour.Datum:
    """A row's plain values are the datum's metadata; empty cells are absent."""
    metadata = {
        str(column): value
        for column, value in said.items()
        if column not in used.values()
        and isinstance(value, (str, bool, int, float, np.generic))
        and value == value  # NaN is how pandas says nothing
    }
    place = tuple(said[used[role]] for role in ("latitude", "longitude") if role in used)
    return velour.Datum(uid, metadata, place if len(place) == 2 and place == place else None)


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
    if not hasattr(answers, "columns"):
        return list(answers)
    names = list(map(str, answers.columns))
    chosen = column or (names[0] if len(names) == 1 else None)
    if chosen not in names:
        raise UnknownName("column of the model's output", chosen, names)
    return list(answers[chosen])


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
