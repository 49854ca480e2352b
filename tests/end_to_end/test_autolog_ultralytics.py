"""Ultralytics under autologging, in front of a stand-in for its validators.

Ultralytics needs torchvision, which has no build for every CPU. So what is watched here has the
names, arguments and data of its validators (as of 8.4), and judges nothing. The
letterbox is undone by hand below.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pytest

import velour_plugin as velour
from tests.autologging import QUIET, all_runs, history, off_afterwards, warned

__all__ = ["off_afterwards", "warned"]
pytestmark = [*QUIET, pytest.mark.usefixtures("tracking")]

DETECT = "ultralytics.models.yolo.detect.val"
CLASSIFY = "ultralytics.models.yolo.classify.val"


class BaseValidator:
    """Walks through batches, as ``ultralytics.engine.validator.BaseValidator`` does."""

    def __init__(self, batches: Sequence[Any], task: str, images: int) -> None:
        self.batches = batches
        self.args = SimpleNamespace(task=task, data="datasets/ships.yaml", split="val")
        self.names = {0: "tug", 1: "ferry"}
        self.dataloader = SimpleNamespace(dataset=range(images))
        self.updated = 0

    def __call__(self, trainer: Any = None, model: Any = None) -> dict[str, float]:
        for preds, batch in self.batches:
            self.update_metrics(preds, batch)
        return {"metrics/mAP50(B)": 0.5}

    def update_metrics(self, preds: Any, batch: Any) -> None:
        self.updated += 1


@pytest.fixture
def ultralytics(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The two modules that are watched, as if they were imported."""

    class DetectionValidator(BaseValidator):
        def update_metrics(self, preds: Any, batch: Any) -> None:
            super().update_metrics(preds, batch)

    class ClassificationValidator(BaseValidator):
        def update_metrics(self, preds: Any, batch: Any) -> None:
            super().update_metrics(preds, batch)

    from mlflow.utils.import_hooks import _post_import_hooks

    found = SimpleNamespace(detect=DetectionValidator, classify=ClassificationValidator)
    for name, attribute, value in (
        (DETECT, "DetectionValidator", DetectionValidator),
        (CLASSIFY, "ClassificationValidator", ClassificationValidator),
    ):
        module = ModuleType(name)
        setattr(module, attribute, value)
        monkeypatch.setitem(sys.modules, name, module)
        _post_import_hooks.pop(name, None)
    velour.autolog(log_artifacts=False)
    yield found
    for name in (DETECT, CLASSIFY):
        _post_import_hooks.pop(name, None)


def batch(boxes: Sequence[Sequence[float]], images: int = 2) -> dict[str, Any]:
    """Images of 200 x 104 pixels, resized to 100 x 50 and padded to 100 x 100: by 25 above."""
    rows = np.array(boxes, float).reshape(-1, 6)
    return {
        "img": np.zeros((images, 3, 100, 100)),
        "im_file": [f"ships/{number}.jpg" for number in range(images)],
        "ori_shape": [(104, 200)] * images,
        "ratio_pad": [((50 / 104, 0.5), (0.0, 25.0))] * images,
        "batch_idx": rows[:, 0],
        "cls": rows[:, 1:2],
        "bboxes": rows[:, 2:],
    }


# letterboxed 10, 30 to 40, 50; of the original image left 20, top 10.4, 60 wide, 41.6 high
SHIP = [0.25, 0.4, 0.3, 0.2]


def results(*boxes: Sequence[float]) -> dict[str, Any]:
    """Corners in the letterboxed image, score, class."""
    rows = np.array(boxes, float).reshape(-1, 6)
    return {"bboxes": rows[:, :4], "conf": rows[:, 4], "cls": rows[:, 5]}


FOUND = [results([10, 30, 40, 50, 0.9, 0]), results()]
TRUE = batch([[0, 0, *SHIP], [1, 1, *SHIP]])


def test_boxes_are_those_of_the_original_image(ultralytics: SimpleNamespace) -> None:
    validator = ultralytics.detect([(FOUND, TRUE)], "detect", 2)
    assert validator() == {"metrics/mAP50(B)": 0.5}
    assert validator.updated == 1
    (run,) = all_runs()
    assert run.data.tags["velour.dataset"] == "ships-val"
    assert run.data.metrics["mAP"] == pytest.approx(0.5)  # a tug found, a ferry missed
    with velour.open_store() as store:
        dataset = store.load_dataset("ships-val")
    assert dataset.uids == ("0.jpg", "1.jpg")
    expected = np.array([[20, 10.4, 60, 41.6]] * 2)
    assert dataset.truth.box == pytest.approx(expected)
    assert dataset.datums[0].metadata == {"file_name": "0.jpg", "height": 104, "width": 200}


def test_predictions_of_older_versions_are_tables(ultralytics: SimpleNamespace) -> None:
    older = [np.array([[10, 30, 40, 50, 0.9, 0]]), np.zeros((0, 6))]
    ultralytics.detect([(older, TRUE)], "detect", 2)()
    assert all_runs()[0].data.metrics["mAP"] == pytest.approx(0.5)


def test_classes_may_not_count(ultralytics: SimpleNamespace) -> None:
    ferry = [results([10, 30, 40, 50, 0.9, 1]), results([10, 30, 40, 50, 0.8, 0])]
    validator = ultralytics.detect([(ferry, batch([[0, 0, *SHIP], [1, 0, *SHIP]]))], "detect", 2)
    validator.args.single_cls = True
    validator()
    assert all_runs()[0].data.metrics["mAP"] == pytest.approx(1)


def test_epochs_are_the_trainers(ultralytics: SimpleNamespace) -> None:
    with mlflow.start_run() as run:
        for epoch in (0, 1):
            ultralytics.detect([(FOUND, TRUE)], "detect", 2)(SimpleNamespace(epoch=epoch))
        ultralytics.detect([(FOUND, TRUE)], "detect", 2)(model="best.pt")
    assert [step for step, _ in history(run.info.run_id, "mAP")] == [0, 1, 2]


def test_classes_of_images(ultralytics: SimpleNamespace) -> None:
    shares = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    batches = [(shares[:2], {"cls": np.array([0, 1])}), (shares[2:], {"cls": np.array([1])})]
    ultralytics.classify(batches, "classify", 3)()
    (run,) = all_runs()
    assert run.data.tags["velour.task"] == "image-classification"
    assert run.data.metrics["accuracy"] == pytest.approx(2 / 3)
    assert run.data.metrics["log_loss"] == pytest.approx(-np.log([0.9, 0.6, 0.3]).mean())


@pytest.mark.parametrize(
    ("weights", "model"),
    [
        ("yolo11n.pt", "yolo11n"),
        ("runs/detect/train3/weights/best.pt", "train3-best"),
        ("weights/ships.pt", "ships"),
        (None, None),
    ],
)
def test_a_model_is_called_after_its_weights(
    ultralytics: SimpleNamespace, weights: Any, model: str | None
) -> None:
    """Without weights, after the run."""
    validator = ultralytics.detect([(FOUND, TRUE)], "detect", 2)
    validator.args.model = weights
    with mlflow.start_run(run_name="monday") as run:
        validator()
    assert mlflow.get_run(run.info.run_id).data.tags["velour.model"] == (model or "monday")


def test_images_that_other_devices_evaluated_are_a_warning(
    ultralytics: SimpleNamespace, warned: list[str]
) -> None:
    ultralytics.detect([(FOUND, TRUE)], "detect", 4)()
    assert all_runs() == []
    assert "2 of 4 images were evaluated here" in warned[0]


def test_rotated_boxes_are_left_alone(ultralytics: SimpleNamespace, warned: list[str]) -> None:
    ultralytics.detect([(FOUND, TRUE)], "obb", 2)()
    assert (all_runs(), warned) == ([], [])


def test_a_failure_of_ours_is_a_warning(
    ultralytics: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    monkeypatch.setenv("MLFLOW_AUTOLOGGING_TESTING", "false")
    broken = {key: value for key, value in TRUE.items() if key != "ratio_pad"}
    validator = ultralytics.detect([(FOUND, broken)], "detect", 2)
    assert validator() == {"metrics/mAP50(B)": 0.5}
    assert validator.updated == 1
    assert any("velour autologging" in line for line in warned)
