"""What tests of autologging share: COCO evaluated as trainers do it, and runs that are counted."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.coco_oracle import Json

QUIET = [
    *runs.QUIET,
    pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning"),  # MLflow's hooks
]
"""Marks of a module in which libraries are imported after autologging is on."""

TWELVE = (
    "mAP", "mAP_50", "mAP_75", "mAP_small", "mAP_medium", "mAP_large",
    "mAR_1", "mAR_10", "mAR_100", "mAR_small", "mAR_medium", "mAR_large",
)  # fmt: skip


@pytest.fixture(autouse=True)
def off_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow's test mode: what a watcher raises is raised, arguments and left runs are checked."""
    monkeypatch.setenv("MLFLOW_AUTOLOGGING_TESTING", "true")
    yield
    velour.autolog(disable=True)


@pytest.fixture
def warned() -> Iterator[list[str]]:
    """What Velour's and MLflow's autologging says aloud, as MLflow's loggers do not propagate."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING:
                heard.append(record.getMessage())

    ear, logger = Ear(), logging.getLogger("mlflow")
    logger.addHandler(ear)
    yield heard
    logger.removeHandler(ear)


def coco(module: Any, truth: Json, detections: Sequence[Json]) -> tuple[Any, Any]:
    """Truth and detections as the ``COCO`` objects of a library, made as people make them."""
    with contextlib.redirect_stdout(io.StringIO()):
        left = module.COCO()
        left.dataset = copy.deepcopy(truth)
        left.createIndex()
        return left, left.loadRes(copy.deepcopy(list(detections)))


def summarize(evaluation: Any, **params: Any) -> Any:
    """Set params and let an evaluation run to its end; returns it."""
    for name, value in params.items():
        setattr(evaluation.params, name, value)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def twelve(metrics: dict[str, float]) -> list[float]:
    """A run's numbers in COCO's order, and -1 where there is none."""
    return [metrics.get(name, -1.0) for name in TWELVE]


def all_runs() -> list[Any]:
    """Every run of every experiment, the last first."""
    import mlflow

    return list(mlflow.search_runs(search_all_experiments=True, output_format="list"))


def history(run_id: str, name: str) -> list[tuple[int, float]]:
    """Steps and values of a metric."""
    import mlflow

    points = mlflow.MlflowClient().get_metric_history(run_id, name)
    return [(point.step, point.value) for point in points]


def stored(run: Any) -> velour.Evaluation:
    """The evaluation that a run's tag names, from the store."""
    with velour.open_store() as store:
        return store.load(run.data.tags["velour.evaluation_id"])
