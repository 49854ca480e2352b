"""``velour evaluate`` in MLflow runs: what ``mlflow.models.evaluate`` does, called by the core."""

from __future__ import annotations

from typing import Any

import mlflow

from velour_integrations.mlflow.evaluation.collecting import collecting
from velour_integrations.mlflow.evaluation.predictions import name_of
from velour_integrations.mlflow.registry.versions import LOGGED, SCHEME, ModelVersion, named
from velour_plugin import Evaluation
from velour_plugin.errors import InvalidInput, NotFound
from velour_plugin.plugin import TrackedEvaluation


def evaluate_tracked(request: TrackedEvaluation) -> Evaluation:
    """Evaluate a model or predictions in an MLflow run of its own.

    Raises:
        NotFound: MLflow cannot load the model.
        UnknownName: there is no such registered model or version.
        InvalidInput: the model or the experiment breaks a rule.
    """
    model, name = _loaded(request.model)
    name = request.name or name
    config = {
        "model": name,
        "parameters": dict(request.parameters) or None,
        "where": request.where,
        "store": request.store,
    }
    experiment = None if request.experiment is None else _experiment(request.experiment)
    with mlflow.start_run(experiment_id=experiment, run_name=name), collecting() as evaluations:
        mlflow.models.evaluate(
            model=model,
            data=mlflow.data.from_velour(request.dataset),  # type: ignore[attr-defined]  # by entry point
            model_type=request.task,
            evaluators="velour",
            evaluator_config={key: value for key, value in config.items() if value is not None},
        )
    return evaluations[-1]


def _loaded(model: Any) -> tuple[Any, str | None]:
    """A model that MLflow can ask, and its name; ``None`` where Velour's evaluator names it.

    A version of the registry is loaded by its logged model, so that MLflow links the two.
    """
    if not isinstance(model, str) or model.startswith("endpoints:/"):
        return model, None
    uri, name = model, None
    if model.startswith(SCHEME) and not model.startswith(LOGGED):
        version = _version(model)
        uri, name = f"{SCHEME}{version.model_id}" if version.model_id else model, version.name
    try:
        loaded = mlflow.pyfunc.load_model(uri)
    except mlflow.MlflowException as error:
        raise NotFound(
            f"model {model!r}: MLflow at {mlflow.get_tracking_uri()} cannot load it: "
            f"{error.message}"
        ) from error
    return loaded, name or name_of(loaded, loaded.model_id)


def _version(uri: str) -> ModelVersion:
    """The one version behind a URI of the registry."""
    found = named(uri)
    if "@" not in uri and uri.count("/") == 1:
        raise InvalidInput(
            f"{uri!r} names no version: {SCHEME}{found[0].name}, {uri}@ALIAS or {uri}/latest."
        )
    return found[0]


def _experiment(name: str) -> str:
    """The id of an experiment, which is made when it is not there."""
    client = mlflow.MlflowClient()
    known = client.get_experiment_by_name(name)
    if known is None:
        return str(client.create_experiment(name))
    if known.lifecycle_stage != "active":
        raise InvalidInput(f"experiment {name!r} is deleted: restore it, or name another one.")
    return str(known.experiment_id)
