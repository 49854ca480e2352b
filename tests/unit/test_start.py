"""What is not used is not imported: help, reading and evaluating files, questions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import velour_plugin as velour
from tests.fires import fires

FIRES = Path(__file__).resolve().parents[2] / "examples" / "fires"
HEAVY = {
    "alembic",
    "geoalchemy2",
    "joblib",
    "mlflow",
    "pandas",
    "plotly",
    "pyarrow",
    "pyproj",
    "rich",
    "shapely",
    "sqlalchemy",
}
NUMERIC = {"numpy", "velour_evaluators.detection", "velour_evaluators.kernels"}

EVALUATE = f"""
import velour_plugin as velour
dataset = velour.read_dataset({str(FIRES / "instances.json")!r})
predicted = dataset.with_predictions({str(FIRES / "day-model.json")!r}, "day-model")
assert velour.evaluate(predicted, "object-detection", save=False)["mAP_50"] > 0.7
"""
COMMAND = "from velour_plugin.cli import main; main({!r}, standalone_mode=False)"


def loaded(code: str) -> set[str]:
    """Names of the modules that a fresh process has imported in the end."""
    program = f"{code}\nimport sys\nprint('loaded', *sys.modules)"
    command = [sys.executable, "-W", "error", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def test_reading_files_and_evaluating_boxes_needs_no_store_and_no_table_library() -> None:
    assert loaded(EVALUATE) & HEAVY == set()


@pytest.mark.parametrize(
    "command",
    [["runs", "list"], ["runs", "show", "model"], ["models", "list"], ["datasets", "list"]],
)
def test_lists_need_no_orm(command: list[str]) -> None:
    with velour.open_store() as store:
        velour.evaluate(fires(["2", "20"]), "object-detection", store=store)
        store.save_dataset(fires(name="without evaluations"))
    assert loaded(COMMAND.format(command)) & HEAVY == set()


def test_help_imports_next_to_nothing() -> None:
    assert loaded(COMMAND.format(["rank", "--help"])) & (HEAVY | NUMERIC) == set()


@pytest.mark.parametrize("options", [[], ["--json"], ["--where", "hour >= 20", "--label", "fire"]])
def test_no_answer_needs_an_orm_and_one_that_is_kept_no_evaluator(options: list[str]) -> None:
    with velour.open_store() as store:
        velour.evaluate(fires(["2", "20"]), "object-detection", store=store)
    metric = "AP" if options[-1:] == ["fire"] else "mAP"
    command = COMMAND.format(["rank", metric, "--dataset", "fires", "--resamples", "0", *options])
    assert loaded(command) & (HEAVY - {"pyarrow"}) == set()  # ledgers rest in its format
    assert loaded(command) & (HEAVY | NUMERIC) == set()
