"""``mlflow.models.evaluate``: classifiers are evaluated by Velour as well, beside MLflow's own.

Model types of Velour's are evaluated by its evaluator anyway, so all that is added there is
silence: what evaluators and metrics call within is part of the evaluation. For
``model_type="classifier"`` without a choice of evaluators, one more is entered in MLflow's
registry; it takes part only in calls that are watched, returns nothing, and never fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from velour_integrations.autologging import recording
from velour_plugin import Autologger
from velour_plugin.plugin import Watch

logger = logging.getLogger("mlflow.velour")

NAME = "velour_autolog"
"""Of the evaluator in MLflow's registry."""

TASK = "tabular-classification"
"""What MLflow's classifiers are to Velour."""

_taking_part: ContextVar[bool] = ContextVar("velour_evaluate", default=False)


def _watch(module: ModuleType, watch: Watch) -> None:
    import mlflow

    watch(module, "evaluate", _capture)
    watch(mlflow, "evaluate", _capture)


def _enter() -> None:
    """Put the evaluator into MLflow's registry: by a name of its own, once."""
    try:
        from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry

        if not _model_evaluation_registry.is_registered(NAME):
            _model_evaluation_registry.register(NAME, _evaluator())
    except (ImportError, AttributeError) as error:
        logger.warning("Velour cannot join mlflow.models.evaluate of this MLflow: %s", error)


def _capture(original: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    config = kwargs.get("evaluator_config") or ()
    is_velours = "velour" in config or "task" in config  # which evaluates it by itself
    _enter()
    token = _taking_part.set(recording.is_listening() and not is_velours)
    try:
        with recording.quiet():
            original(*args, **kwargs)
    finally:
        _taking_part.reset(token)


def _evaluator() -> type:
    from mlflow.models.evaluation import ModelEvaluator
    from mlflow.utils.autologging_utils.safety import is_testing

    class AutologEvaluator(ModelEvaluator):
        """Velour's share in the evaluation of a classifier."""

        @classmethod
        def can_evaluate(
            cls, *, model_type: str, evaluator_config: Mapping[str, Any] | None, **kwargs: Any
        ) -> bool:
            return _taking_part.get() and model_type == "classifier"

        def evaluate(self, **kwargs: Any) -> None:
            try:
                _evaluate(**kwargs)
            except Exception as error:
                if is_testing():
                    raise
                logger.warning("mlflow.models.evaluate: not logged: %s", error)

    return AutologEvaluator


def _evaluate(*, dataset: Any, run_id: str, model: Any, predictions: Any, **kwargs: Any) -> None:
    """As if the configuration had named a task of Velour's."""
    from velour_integrations.mlflow.evaluation.collecting import collecting
    from velour_integrations.mlflow.evaluation.evaluator import VelourEvaluator

    chosen = {key: recording.option(key) for key in ("store", "dataset")}
    with collecting() as evaluations:
        VelourEvaluator().evaluate(
            model_type=TASK,
            dataset=dataset,
            run_id=run_id,
            model=model,
            predictions=predictions,
            evaluator_config={key: value for key, value in chosen.items() if value is not None},
        )
    recording.announce("mlflow.models.evaluate", evaluations[-1])


AUTOLOGGER = Autologger("mlflow", {"mlflow.models": _watch}, ">=3.5")
