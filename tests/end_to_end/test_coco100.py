"""A hundred real COCO images through MLflow: the numbers that COCO's own implementation gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.coco_oracle import coco_eval

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]


@pytest.fixture
def run(shared_data: Path) -> str:
    """An MLflow run in which the detections were evaluated."""
    dataset = velour.read_dataset(shared_data / "ground_truth.json", name="coco100")
    return runs.evaluate(dataset.with_predictions(shared_data / "detections.json", "detector"))


def test_the_published_numbers_are_logged(run: str, shared_data: Path) -> None:
    published = json.loads((shared_data / "published.json").read_text())
    logged = runs.metrics(run)
    assert len(published) == 12
    assert {name: round(logged[name], 6) for name in published} == published
    assert runs.history_lengths(run) == {1}


def test_the_logged_numbers_equal_those_of_pycocotools(run: str, shared_data: Path) -> None:
    truth, detections = (
        json.loads((shared_data / f"{name}.json").read_text())
        for name in ("ground_truth", "detections")
    )
    published = json.loads((shared_data / "published.json").read_text())
    logged = runs.metrics(run)
    expected = coco_eval(truth, detections).stats
    assert [logged[name] for name in published] == pytest.approx(expected.tolist(), abs=1e-9)


def test_the_published_numbers_are_the_board(run: str, shared_data: Path) -> None:
    published = json.loads((shared_data / "published.json").read_text())
    (row,) = velour.rank("mAP", dataset="coco100", resamples=0)
    assert (row.run_id, row.datums) == (run, 100)
    assert row.value == pytest.approx(published["mAP"], abs=5e-7)
