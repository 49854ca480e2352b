"""The predictions to evaluate: those that came with the data, or those of a model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
from mlflow.entities import LoggedModelInput

from velour_integrations.mlflow.datasets.cell_rules import CellRules
from velour_integrations.mlflow.evaluation.batch_predictor import batch_predictor, selected_rows
from velour_integrations.mlflow.evaluation.endpoints import endpoint_behind
from velour_integrations.mlflow.evaluation.model_outputs import cells_table
from velour_integrations.mlflow.registry.versions import SCHEME, named
from velour_plugin import AnnotationTable, Dataset
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import Question, installed

_logger = logging.getLogger("velour")


@dataclass(frozen=True)
class Predicted:
    """A dataset with predictions.

    Args:
        dataset: whose model is empty when the predictions do not say of which model they are.
        rows: ``(selected,)`` rows of MLflow's dataset that the filter selects; of no use but to
            extras, and empty without them.
        uids: the datum of each of these rows.
        outputs: the prediction of each of these rows, as the model or the data have it.
    """

    dataset: Dataset
    rows: Sequence[int] = ()
    uids: Sequence[str] = ()
    outputs: Sequence[Any] = ()


def checked_question(task: str, parameters: Any, where: Any) -> Question:
    """Check task, parameters and filter before a model works for an hour.

    Raises:
        UnknownName: there is no such task or parameter.
        InvalidInput: a parameter breaks a rule.
        BadFilter: the filter has no meaning.
    """
    return Question.of(installed().evaluator(task), parameters or {}, where)


def predicted(
    dataset: Dataset,
    uids: Sequence[str],
    source: Any,
    model: Any,
    column: str | None,
    task: str,
    config: Mapping[str, Any],
    keep: bool = False,
) -> Predicted:
    """Run the model, or take the predictions that came with the data, and return them.

    Args:
        dataset: the ground truth, maybe with predictions.
        uids: the datum of each row.
        source: MLflow's evaluation dataset, which it came from.
        model: what MLflow made of the caller's model; ``None`` for none.
        column: of the model's output, when it has several.
        task: whose parameters and rules hold.
        config: checked.
        keep: keep the outputs as they are, for extras.

    Raises:
        BadDataset: there are neither predictions nor a model, or something cannot be read.
    """
    if model is not None:
        features = source.features_data
        predictor = batch_predictor(dataset, uids, features, model, column, task, config, keep)
        with_predictions = dataset.with_predictions(predictor.table(), model="")
        return Predicted(with_predictions, *_kept(predictor.rows, uids, predictor.outputs, keep))
    with_predictions = _from_data(dataset, uids, source, CellRules.of({**config, "task": task}))
    if not keep:
        return Predicted(with_predictions)
    rows = selected_rows(dataset, uids, config.get("where"))
    outputs = [source.predictions_data[row] for row in rows]
    return Predicted(with_predictions, *_kept(rows, uids, outputs, keep))


def _kept(rows: Any, uids: Sequence[str], outputs: Sequence[Any], keep: bool) -> Sequence[Any]:
    return (rows.tolist(), [uids[row] for row in rows], outputs) if keep else ()


def _from_data(dataset: Dataset, uids: Sequence[str], source: Any, rules: CellRules) -> Dataset:
    if dataset.predictions is not None:
        return dataset
    if source.predictions_data is None:
        raise BadDataset(
            "nothing to evaluate: pass a model, or predictions with the data: "
            "mlflow.data.from_velour(dataset.with_predictions(...)) or predictions='column'."
        )
    indices = np.array([dataset.index_of[uid] for uid in uids], np.int32)
    table = cells_table(source.predictions_data, uids, indices, dataset.truth.labels, rules)
    return dataset.with_predictions(AnnotationTable.joined([table], dataset.truth.labels), model="")


def link_model(run_id: str, model_id: str | None) -> None:
    """Link a logged model to a run.

    MLflow follows the URI of a logged model itself; behind that of a registered version or an
    alias it finds the same model, and does not tell the run.
    """
    if model_id is not None:
        mlflow.MlflowClient().log_inputs(run_id, models=[LoggedModelInput(model_id)])


def name_of(model: Any, model_id: str | None) -> str | None:
    """Name a model that nobody named: by the registry, the logged model, or its endpoint.

    Args:
        model: what MLflow runs.
        model_id: of the logged model; ``None`` without one.

    Returns:
        ``fires/3`` of a logged model that was registered, by its first version; of any other its
        name and the beginning of its id, which tells models of one name apart.
    """
    if model_id is None:
        return endpoint_behind(model)
    try:
        registered = named(f"{SCHEME}{model_id}")
        name = mlflow.get_logged_model(model_id).name
    except mlflow.MlflowException as error:
        _logger.warning("logged model %s has no name that Velour can read: %s", model_id, error)
        return model_id
    if registered:
        return min(registered, key=lambda version: (version.model, version.number)).name
    return f"{name}@{model_id[:10]}" if name else model_id
