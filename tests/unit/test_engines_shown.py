"""``velour plugins`` names the engine that an evaluator really runs on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from velour_evaluators.kernels.native import library
from velour_integrations.mlflow.datasets.cells import annotations_of

import velour_plugin as velour
from tests.five_tasks import TASKS, dataset_of
from velour_plugin.cli import main

needs_kernel = pytest.mark.skipif(library.functions is None, reason="needs the compiled kernel")


class CountingKernel:
    """The compiled module, counting what is called."""

    def __init__(self, functions: Any) -> None:
        self.functions, self.calls = functions, 0

    def __getattr__(self, name: str) -> Any:
        self.calls += 1
        return getattr(self.functions, name)


def evaluate(task: str) -> None:
    """Evaluate the small dataset of a task."""
    dataset = dataset_of(task)
    predictions = [
        velour.Prediction(
            datum, annotations_of(TASKS[task].outputs[datum.uid], datum.uid, "predicted")
        )
        for datum in dataset.datums
    ]
    velour.evaluate(dataset.with_predictions(predictions, model="m"), task, save=False)


def engines() -> dict[str, str]:
    """The engine of each evaluator, as the command prints it."""
    result = CliRunner().invoke(main, ["plugins", "--json"], catch_exceptions=False)
    rows = json.loads(result.stdout)
    return {row["name"]: row["engine"] for row in rows if row["kind"] == "evaluator"}


@needs_kernel
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_the_engine_shown_is_the_one_that_runs(
    task: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled functions are called where "compiled" is printed, and only there."""
    monkeypatch.setenv("VELOUR_ENGINE", engine)
    kernel = CountingKernel(library.functions)
    monkeypatch.setattr(library, "functions", kernel)
    evaluate(task)
    assert engines()[task].startswith("compiled" if kernel.calls else "numpy")
    assert bool(kernel.calls) == (engine == "native")


def test_without_a_compiled_kernel_every_evaluator_runs_on_numpy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Embeddings have no compiled kernel; the others say why they do without."""
    monkeypatch.setattr(library, "functions", None)
    assert all(engine.startswith("numpy") for engine in engines().values())
    assert "no compiled kernel" in engines()["image-classification"]
    assert engines()["embedding"] == "numpy"
