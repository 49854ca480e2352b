"""``extra_metrics`` and ``custom_artifacts`` of ``mlflow.models.evaluate``, treated as MLflow does.

A metric is a function of ``predictions`` and ``targets`` – a cell for each evaluated row, as the
data have it – of ``metrics``, and of columns of the data by their names; an artifact one of a
frame with ``prediction`` and ``target``, of the metrics and a folder. What their signatures mean is
MLflow's affair, so its own evaluators' base class reads them; it is semi-private, and where a
version of MLflow has it no more, extras are left out with a warning.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mlflow

from velour_integrations.mlflow.runs.names import mlflow_name
from velour_integrations.mlflow.runs.tables import TAG, tag_of_tables

TABLE = "velour_extra_metrics.json"
"""Table in the run: the values of extra metrics for single rows."""

_NEEDED = ("evaluate_metrics", "evaluate_and_log_custom_artifacts", "_update_aggregate_metrics")
_logger = logging.getLogger("velour")


@dataclass(frozen=True)
class EvaluatedRows:
    """The evaluated rows of a dataset, with the attributes that MLflow's functions read.

    Args:
        uids: the datum of each row.
        features_data: the model's input.
        labels_data: the ground truth of each row.
        predictions_data: the prediction of each row, as the model or the data have it.
        targets_name: the truth's column.
        predictions_name: the predictions' column; ``None`` when a model gave them.
        name: of the dataset.
        digest: of the dataset.
    """

    uids: Sequence[str]
    features_data: Any
    labels_data: Any
    predictions_data: Any
    targets_name: str | None
    predictions_name: str | None
    name: str
    digest: str
    has_targets: bool = True

    @classmethod
    def of(
        cls, dataset: Any, rows: Sequence[int], uids: Sequence[str], answers: Sequence[Any]
    ) -> EvaluatedRows:
        """Select rows of an MLflow dataset, with their datums and predictions."""
        frame = dataset.features_data
        return cls(
            uids,
            frame.iloc[rows].reset_index(drop=True),
            [dataset.labels_data[row] for row in rows],
            answers,
            dataset.targets_name,
            dataset.predictions_name,
            dataset.name,
            dataset.digest,
        )

    @property
    def feature_names(self) -> list[str]:
        """Columns that a model is given."""
        return [str(column) for column in self.features_data.columns]


@dataclass
class Extras:
    """A caller's own metrics and artifacts: measured before anything is kept, logged last.

    Args:
        metrics: of ``mlflow.models.make_metric``.
        artifacts: functions that make artifacts.
        config: Velour's part of the configuration.
        run_id: of the run.
    """

    metrics: Sequence[Any]
    artifacts: Sequence[Any]
    config: Mapping[str, Any]
    run_id: str
    _rows: EvaluatedRows | None = None
    _values: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.metrics or self.artifacts)

    def measure(self, rows: EvaluatedRows, metrics: Mapping[str, float]) -> dict[str, float]:
        """Compute the caller's metrics; nothing is logged.

        Args:
            rows: that were evaluated.
            metrics: Velour's.

        Returns:
            Finite ones, under names that MLflow takes.

        Raises:
            MlflowException: a metric wants what is not there, or fails; in MLflow's words.
        """
        from mlflow.metrics.base import MetricValue

        values = {
            name: MetricValue(aggregate_results={name: value}) for name, value in metrics.items()
        }
        self._rows, self._values = rows, values
        machine = _machine(values, self.config)
        if machine is None:
            return {}
        machine.run(rows, self.run_id, extra_metrics=self.metrics)
        self._values = machine.metrics_values
        return {
            mlflow_name(name): float(value)
            for name, value in machine.aggregate_metrics.items()
            if name not in metrics and math.isfinite(value)
        }

    def log(self) -> dict[str, Any]:
        """Make and log artifacts; return what an ``EvaluationResult`` lists.

        Raises:
            MlflowException: an artifact is of no kind that MLflow can log; in MLflow's words.
        """
        machine = _machine(self._values, self.config) if self else None
        if machine is None or self._rows is None:
            return {}
        machine.run(self._rows, self.run_id, custom_artifacts=self.artifacts)
        return {**self._log_scores(self._rows), **machine.artifacts}

    def _log_scores(self, rows: EvaluatedRows) -> dict[str, Any]:
        """Log metrics of single rows; a table of an earlier evaluation is replaced."""
        from mlflow.models.evaluation.artifacts import JsonEvaluationArtifact

        scores = {f"{name}/score": value.scores for name, value in self._values.items()}
        columns = {name: list(value) for name, value in scores.items() if value}
        if not columns:
            return {}
        table = rows.features_data.drop(columns="uid", errors="ignore").assign(**columns)
        table.insert(0, "uid", list(rows.uids))
        text = table.to_json(orient="split", index=False, default_handler=str)
        client = mlflow.MlflowClient()
        client.log_text(self.run_id, text, TABLE)
        run = client.get_run(self.run_id)
        listed = tag_of_tables(run.data.tags.get(TAG), [TABLE], [TABLE])
        client.set_tag(self.run_id, TAG, listed)
        uri = f"{run.info.artifact_uri}/{TABLE}"
        return {TABLE.removesuffix(".json"): JsonEvaluationArtifact(uri=uri)}


def _machine(values: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    """MLflow's own machinery, knowing some metrics; ``None`` where it has another form."""
    from mlflow.models.evaluation import default_evaluator

    base: Any = getattr(default_evaluator, "BuiltInEvaluator", None)
    if not all(hasattr(base, name) for name in _NEEDED):
        _logger.warning(
            "extra_metrics and custom_artifacts are left out: MLflow %s reads them in another "
            "way than Velour knows.",
            mlflow.__version__,
        )
        return None

    class Machine(base):  # type: ignore[misc]
        @classmethod
        def can_evaluate(cls, **_: Any) -> bool:
            return True

        def run(self, rows: EvaluatedRows, run_id: str, **extras: Any) -> None:
            self.evaluate(
                model_type=None,
                dataset=rows,
                run_id=run_id,
                evaluator_config=dict(config),
                predictions=rows.predictions_name,
                **extras,
            )

        def _evaluate(
            self, model: Any, extra_metrics: Any, custom_artifacts: Any = None, **_: Any
        ) -> None:
            import pandas as pd

            cells = list(self.dataset.predictions_data)
            outputs, targets = (
                pd.Series(cells, dtype=_kind_of(self.dataset)),
                self.dataset.labels_data,
            )
            self.metrics_values = dict(values)
            self.evaluate_metrics(extra_metrics, outputs, targets)
            self.evaluate_and_log_custom_artifacts(custom_artifacts, outputs, targets)
            self._update_aggregate_metrics()

    return Machine()


def _kind_of(rows: EvaluatedRows) -> Any:
    """Cells that are lists stay objects; classes get the type that pandas gives them."""
    first = next(iter(rows.predictions_data), None)
    return object if isinstance(first, (list, dict)) else None
