"""``mlflow.models.evaluate`` under autologging: classifiers are judged by Velour as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import EvaluationResult
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.autologging import QUIET, all_runs, off_afterwards, warned
from tests.fires import fires

__all__ = ["off_afterwards", "warned"]
pytestmark = [
    *QUIET,
    pytest.mark.usefixtures("tracking"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # MLflow's evaluator, on scikit-learn
    pytest.mark.filterwarnings("ignore::UserWarning:mlflow.*"),
]

X, y = load_iris(return_X_y=True, as_frame=True)
FRAME = X.assign(species=y, predicted=np.where(np.arange(len(y)) % 3 == 0, (y + 1) % 3, y))
SMALL = {"log_explainer": False, "log_model_explainability": False}


def evaluate(**options: Any) -> tuple[EvaluationResult, str]:
    """Evaluate a classifier in a run of its own."""
    options = {
        "data": FRAME,
        "targets": "species",
        "model_type": "classifier",
        "evaluator_config": SMALL,
        **options,
    }
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(**options)
    return result, str(run.info.run_id)


def test_static_predictions_of_a_classifier() -> None:
    velour.autolog()
    result, run_id = evaluate(predictions="predicted")
    assert runs.tags(run_id)["velour.task"] == "tabular-classification"
    assert runs.metrics(run_id)["accuracy"] == pytest.approx(2 / 3)
    assert "balanced_accuracy" in runs.metrics(run_id)
    assert "velour/evaluation.json" in runs.artifacts(run_id)
    assert "balanced_accuracy" not in result.metrics
    with velour.open_store() as store:
        assert len(store.candidates(runs.tags(run_id)["velour.dataset"])) == 1


def test_the_result_is_that_of_mlflows_own_evaluator() -> None:
    plain, _ = evaluate(predictions="predicted")
    velour.autolog(log_artifacts=False)
    result, _ = evaluate(predictions="predicted")
    assert result.metrics == plain.metrics
    assert result.artifacts.keys() == plain.artifacts.keys()


def test_a_model_is_asked_for_probabilities(tmp_path: Path) -> None:
    model = LogisticRegression(max_iter=500).fit(X, y)
    mlflow.sklearn.save_model(
        model, tmp_path / "model", serialization_format="cloudpickle", pip_requirements=[]
    )
    velour.autolog(log_artifacts=False)
    _, run_id = evaluate(model=str(tmp_path / "model"), data=X.assign(species=y))
    metrics = runs.metrics(run_id)
    assert metrics["accuracy"] == pytest.approx(model.score(X, y))
    assert metrics["ece"] > 0


def test_whoever_chose_evaluators_has_chosen() -> None:
    velour.autolog()
    _, run_id = evaluate(predictions="predicted", evaluators="default")
    assert runs.tags(run_id).get("velour.task") is None


def test_velours_own_tasks_are_evaluated_once() -> None:
    velour.autolog()
    run_id = runs.evaluate(fires(["2", "10"]), evaluators=None)
    assert runs.tags(run_id)["velour.task"] == "object-detection"
    assert len(all_runs()) == 1


def test_a_regressor_is_not_ours() -> None:
    velour.autolog()
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 2.0], "predicted": [1.5, 2.0]})
    _, run_id = evaluate(data=frame, targets="y", predictions="predicted", model_type="regressor")
    assert runs.tags(run_id).get("velour.task") is None


def test_a_failure_of_ours_leaves_the_result(
    monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    from velour_integrations.autologging import mlflow_evaluate

    def broken(**asked: Any) -> None:
        raise RuntimeError("a mistake of Velour's")

    monkeypatch.setenv("MLFLOW_AUTOLOGGING_TESTING", "false")
    velour.autolog()
    monkeypatch.setattr(mlflow_evaluate, "_evaluate", broken)
    result, _ = evaluate(predictions="predicted")
    assert result.metrics["accuracy_score"] == pytest.approx(2 / 3)
    assert any("a mistake of Velour's" in warning for warning in warned)


def test_disabled_it_takes_no_part() -> None:
    velour.autolog()
    velour.autolog(disable=True)
    _, run_id = evaluate(predictions="predicted")
    assert runs.tags(run_id).get("velour.task") is None
