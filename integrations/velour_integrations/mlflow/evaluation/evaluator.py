"""The bridge: ``mlflow.models.evaluate(..., evaluators="velour")``.

It reads MLflow's dataset and model, calls the core, and logs back to the run. It takes part
for Velour's own tasks only, so that other people's evaluations are not disturbed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from mlflow.models.evaluation import EvaluationResult, ModelEvaluator

import velour_plugin as velour
from velour_integrations.mlflow.datasets.frames import dataset_of
from velour_integrations.mlflow.evaluation.collecting import collect
from velour_integrations.mlflow.evaluation.config import CONFIG, checked_config, velour_config
from velour_integrations.mlflow.evaluation.extras import EvaluatedRows, Extras
from velour_integrations.mlflow.evaluation.predictions import (
    checked_question,
    link_model,
    name_of,
    predicted,
)
from velour_integrations.mlflow.runs.display_options import DisplayOptions
from velour_plugin.plugin import (
    compute,
    evaluate_question,
    fixed_filter,
    installed,
    publish,
    refresh_runs,
)

_logger = logging.getLogger("velour")


class VelourEvaluator(ModelEvaluator):
    """Evaluates the tasks that Velour has an evaluator for, and stores the evaluations."""

    @classmethod
    def can_evaluate(
        cls, *, model_type: str, evaluator_config: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        """Whether the model type is one of Velour's tasks, or the configuration names one.

        A task that a configuration of ours misspells is ours too: :meth:`evaluate` refuses it
        by name. A misspelt model type may be somebody else's, so it gets a hint only, and only
        when the caller of MLflow named Velour.
        """
        tasks, config = installed().evaluators, velour_config(evaluator_config)
        task = config.get("task")
        if model_type in tasks or task in tasks:
            return True
        if (
            isinstance(task, str)
            and get_close_matches(task, tasks)
            and config.keys() <= CONFIG.keys()
        ):
            return True
        near = nearest_tasks(str(model_type), tasks)
        if near and _is_named():
            _logger.warning(
                "Velour has no task %r: did you mean model_type=%s?", model_type, " or ".join(near)
            )
        return False

    def evaluate(
        self,
        *,
        model_type: str,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any] | None,
        model: Any = None,
        extra_metrics: Sequence[Any] | None = None,
        custom_artifacts: Sequence[Any] | None = None,
        predictions: str | None = None,
        model_id: str | None = None,
        **kwargs: Any,
    ) -> EvaluationResult:
        """Evaluate, store, and log: metrics, artifacts, tags.

        Parameters are checked before a model runs, and everything is read and evaluated before
        anything is stored or logged. MLflow itself logs the metrics of a result when it knows
        the logged model; only when it does not are they logged here, so that they stand once.
        """
        from velour_integrations.mlflow.runs.run import (
            log_artifacts,
            log_metrics,
            log_parameters,
            look,
            mlflow_metrics,
            run_of,
            with_leaderboard,
        )
        from velour_integrations.mlflow.runs.tagged_models import save_tagged_model

        config = checked_config(evaluator_config)
        task = config.get("task", model_type)
        question = checked_question(task, config.get("parameters"), config.get("where"))
        extras = Extras(extra_metrics or (), custom_artifacts or (), config, run_id)
        run = run_of(run_id)
        with (
            velour.reading(config.get("strict", False), _log_report),
            velour.open_store(config.get("store")) as store,
        ):
            truth, uids = dataset_of(dataset, {**config, "task": task}, run_id)
            where = fixed_filter(config.get("where"), truth, store)
            config = {**config, "where": where}
            question = replace(question, where=where)
            options = DisplayOptions.of(config, truth)
            with velour.reading() as log:
                outputs = predicted(
                    truth, uids, dataset, model, predictions, task, config, bool(extras)
                )
            logged = model_id or getattr(model, "model_id", None)
            name = config.get("model") or outputs.dataset.model or name_of(model, logged)
            evaluated = outputs.dataset.with_model(str(name or run.name or run_id))
            if not log.report.is_clean:
                evaluated = evaluated.with_predictions_reading(log.report)
            if extras:  # which may fail: nothing is kept before them
                evaluation = compute(evaluated, question, run)
            else:
                evaluation = evaluate_question(evaluated, question, store, run)
            seen = look(evaluation, evaluated, options)
            metrics = mlflow_metrics(evaluation, seen)
            if extras:
                rows = EvaluatedRows.of(dataset, outputs.rows, outputs.uids, outputs.outputs)
                metrics |= extras.measure(rows, metrics)
                publish(evaluation, evaluated, store)
            save_tagged_model(store, run_id, evaluation.model)
            refresh_runs(store, [evaluation.certificate.dataset], None)
            seen = with_leaderboard(seen, evaluation, store)
        collect(evaluation)
        prefix = config.get("metric_prefix", "")
        metrics = {f"{prefix}{name}": value for name, value in metrics.items()}
        if model_id is None:
            link_model(run_id, logged)
            log_metrics(run_id, metrics, dataset.name, dataset.digest, model_id=logged)
        log_parameters(run_id, evaluation, prefix)
        artifacts = log_artifacts(run_id, evaluation, evaluated, seen) | extras.log()
        return EvaluationResult(metrics=metrics, artifacts=artifacts, run_id=run_id)


def _log_report(report: velour.ReadingReport) -> None:
    _logger.warning("Velour did not read everything as it was written.\n%s", report)


_OFTEN_MEANT = {
    "detector": "object-detection",
    "classifier": "tabular-classification",
}
"""Model types that people try, MLflow's own among them, and the task that each may mean."""


def nearest_tasks(model_type: str, tasks: Iterable[str]) -> list[str]:
    """Return tasks, in quotes, that a model type nearly is, that end like it or that it may mean.

    >>> nearest_tasks("detection", ["object-detection", "embedding"])
    ["'object-detection'"]
    """
    name = model_type.lower().replace("_", "-").replace(" ", "-")
    near = [*get_close_matches(name, tasks, n=1, cutoff=0.85), _OFTEN_MEANT.get(name)]
    return [repr(task) for task in tasks if task in near or task.endswith(f"-{name}")]


def _is_named() -> bool:
    """Whether ``evaluators=`` names Velour.

    Otherwise MLflow asks every evaluator, and does so in a function of its own, two frames up.
    """
    return sys._getframe(2).f_code.co_name != "resolve_evaluators_and_configs"
