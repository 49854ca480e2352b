"""Runs that were deleted, restored or renamed in MLflow, seen from leaderboards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from velour_integrations.mlflow.runs import states

import velour_plugin as velour
from tests.fires import fires
from tests.mlflow_runs import QUIET, evaluate

pytestmark = QUIET


@pytest.fixture(autouse=True)
def _no_tracker_in_use() -> None:
    states.trackers.clear()


def run_of(found: list[str], name: str) -> str:
    config = {"report": False}
    return evaluate(fires(found, name), name=name, evaluator_config=config)


def board(**options: object) -> list[tuple[str, str | None]]:
    rows = velour.rank("mAP", dataset="fires", resamples=0, **options)  # type: ignore[arg-type]
    return [(row.model, row.run) for row in rows]


def test_deleted_restored_and_renamed() -> None:
    import mlflow

    good, leaked = run_of(["2"], "good"), run_of(["2", "10"], "leaked")
    client = mlflow.MlflowClient()
    client.delete_run(leaked)
    assert board() == [("good", "good")]
    client.restore_run(leaked)
    client.set_tag(good, "mlflow.runName", "renamed")
    assert board() == [("leaked", "leaked"), ("good", "renamed")]
    states.trackers.clear()  # as in a process of its own
    client.delete_run(leaked)
    assert board() == [("leaked", "leaked"), ("good", "renamed")]
    assert board(refresh=True) == board() == [("good", "renamed")]


def test_evaluating_refreshes_for_those_who_cannot_ask() -> None:
    import mlflow

    leaked = run_of(["2", "10"], "leaked")
    mlflow.MlflowClient().delete_run(leaked)
    run_of(["2"], "good")
    assert board(refresh=False) == [("good", "good")]


@pytest.mark.parametrize("scheme", ["sqlite", "file"])
def test_runs_of_a_deleted_experiment_are_deleted(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    if scheme == "file":
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/mlruns")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "old")
    run_of(["2", "10"], "leaked")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "new")
    run_of(["2"], "good")
    number = mlflow.get_experiment_by_name("old").experiment_id
    mlflow.MlflowClient().delete_experiment(number)
    assert board() == [("good", "good")]


def test_runs_of_another_tracker_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of(["2", "10"], "elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/another.db")
    run_of(["2"], "here")
    assert board(refresh=True) == [("elsewhere", "elsewhere"), ("here", "here")]


def test_ranking_loads_no_mlflow() -> None:
    """In a process of its own, unless it is asked to."""
    run_of(["2"], "good")
    code = (
        "import sys, velour_plugin as velour\n"
        "velour.rank('mAP', dataset='fires', resamples=0)\n"
        "print('mlflow' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.split() == ["False"], result.stderr
