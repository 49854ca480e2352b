"""torchmetrics' ``MeanAveragePrecision`` under autologging.

torchmetrics wants torchvision for one function, ``box_convert``, and torchvision has no build for
every CPU; where it is absent that function is the one below, and everything else is the real thing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import mlflow
import numpy as np
import pytest

import velour_plugin as velour
from tests.autologging import QUIET, TWELVE, all_runs, history, off_afterwards, stored, warned
from tests.coco_oracle import Json, random_boxes

torch = pytest.importorskip("torch", reason="torch is not installed: extra test-torch")
mean_ap = pytest.importorskip(
    "torchmetrics.detection.mean_ap", reason="torchmetrics is not installed: extra test-torch"
)

__all__ = ["off_afterwards", "warned"]
pytestmark = [*QUIET, pytest.mark.usefixtures("tracking")]

THEIRS = (
    "map", "map_50", "map_75", "map_small", "map_medium", "map_large",
    "mar_1", "mar_10", "mar_100", "mar_small", "mar_medium", "mar_large",
)  # fmt: skip


@pytest.fixture(autouse=True)
def torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one function that is asked of torchvision, where that is not installed."""
    if find_spec("torchvision") is None:
        ops = ModuleType("torchvision.ops")
        ops.box_convert = box_convert  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
        monkeypatch.setitem(sys.modules, "torchvision.ops", ops)
        monkeypatch.setattr(mean_ap, "_TORCHVISION_AVAILABLE", True)


def box_convert(boxes: Any, in_fmt: str, out_fmt: str) -> Any:
    """Corners to left, top, width, height."""
    assert (in_fmt, out_fmt) in (("xyxy", "xywh"), ("xywh", "xywh"))
    if in_fmt == "xywh":
        return boxes
    return torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], dim=1)


def update(metric: Any, truth: Json, found: Sequence[Json]) -> Any:
    """Show a metric the images, one after the other; returns it."""
    for image in truth["images"]:
        true = [item for item in truth["annotations"] if item["image_id"] == image["id"]]
        reported = [item for item in found if item["image_id"] == image["id"]]
        metric.update(
            [{**tensors(reported), "scores": torch.tensor([item["score"] for item in reported])}],
            [
                {
                    **tensors(true),
                    "area": torch.tensor([float(item["area"]) for item in true]),
                    "iscrowd": torch.tensor([item["iscrowd"] for item in true], dtype=torch.int),
                }
            ],
        )
    return metric


def tensors(items: Sequence[Json]) -> dict[str, Any]:
    return {
        "boxes": torch.tensor([item["bbox"] for item in items], dtype=torch.float).reshape(-1, 4),
        "labels": torch.tensor([item["category_id"] for item in items], dtype=torch.int),
    }


def boxes() -> tuple[Json, list[Json]]:
    return random_boxes(np.random.default_rng(1))


EXACT = {
    "rec_thresholds": np.linspace(0, 1, 101).tolist(),
    "iou_thresholds": np.linspace(0.5, 0.95, 10).tolist(),
}
"""COCO's levels; torchmetrics' own are these, rounded to float32."""


def metric(**options: Any) -> Any:
    return mean_ap.MeanAveragePrecision(box_format="xywh", **{**EXACT, **options})


@pytest.mark.parametrize("backend", ["pycocotools", "faster_coco_eval"])
@pytest.mark.parametrize("class_metrics", [False, True])
def test_compute_is_one_evaluation_with_its_numbers(backend: str, class_metrics: bool) -> None:
    velour.autolog(log_artifacts=False)
    asked = update(metric(backend=backend, class_metrics=class_metrics), *boxes())
    computed = asked.compute()
    (run,) = all_runs()
    assert run.info.status == "FINISHED"
    assert run.data.tags["velour.task"] == "object-detection"
    theirs = [float(computed[name]) for name in THEIRS]
    ours = [run.data.metrics.get(name, -1.0) for name in TWELVE]
    assert ours == pytest.approx(theirs, abs=1e-7)
    assert history(run.info.run_id, "mAP") == [(0, ours[0])]


def test_levels_that_were_rounded_are_taken_for_those_that_were_meant() -> None:
    """An overlap of 0.8 is below float32's 0.8, so torchmetrics misses at a threshold of ten."""
    velour.autolog(log_artifacts=False)
    asked = mean_ap.MeanAveragePrecision(box_format="xywh")
    true, found = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[0.0, 0, 10, 8]])
    label = torch.tensor([1])
    asked.update(
        [{"boxes": found, "labels": label, "scores": torch.tensor([0.9])}],
        [{"boxes": true, "labels": label}],
    )
    assert float(asked.compute()["map"]) == pytest.approx(0.6)
    (run,) = all_runs()
    assert run.data.metrics["mAP"] == pytest.approx(0.7)
    assert stored(run).certificate.parameters["iou_thresholds"][6] == 0.8


def test_what_compute_returns_is_unchanged() -> None:
    plain = update(metric(class_metrics=True), *boxes()).compute()
    velour.autolog(log_artifacts=False)
    watched = update(metric(class_metrics=True), *boxes()).compute()
    assert plain.keys() == watched.keys()
    assert all(torch.equal(plain[name], watched[name]) for name in plain)


def test_boxes_and_masks_are_in_one_run() -> None:
    velour.autolog(log_artifacts=False)
    mask = torch.zeros((1, 20, 20), dtype=torch.bool)
    mask[0, 2:12, 2:12] = True
    other = torch.zeros_like(mask)
    other[0, 2:12, 2:10] = True
    shared = {"boxes": torch.tensor([[2.0, 2.0, 10.0, 10.0]]), "labels": torch.tensor([3])}
    asked = metric(iou_type=("bbox", "segm"))
    asked.update(
        [{**shared, "masks": other, "scores": torch.tensor([0.9])}], [{**shared, "masks": mask}]
    )
    computed = asked.compute()
    (run,) = all_runs()
    assert run.data.metrics["mAP"] == pytest.approx(float(computed["bbox_map"]))
    masks = run.data.metrics["instance-segmentation/mAP"]
    assert masks == pytest.approx(float(computed["segm_map"]))
    assert masks < run.data.metrics["mAP"]


def test_epochs_are_steps() -> None:
    velour.autolog(log_artifacts=False)
    truth, found = boxes()
    reported = []
    with mlflow.start_run() as run:
        for epoch in (1, 2):
            asked = update(metric(), truth, found[: len(found) * epoch // 2])
            reported.append(float(asked.compute()["map"]))
            asked.compute()  # its own cache: nothing is computed
    steps = history(run.info.run_id, "mAP")
    assert [step for step, _ in steps] == [0, 1]
    assert [value for _, value in steps] == pytest.approx(reported)


def test_a_failure_of_ours_is_a_warning(monkeypatch: pytest.MonkeyPatch, warned: list[str]) -> None:
    from velour_integrations.autologging import coco_eval

    def broken(*args: Any) -> Any:
        raise RuntimeError("a mistake of Velour's")

    plain = update(metric(), *boxes()).compute()
    monkeypatch.setenv("MLFLOW_AUTOLOGGING_TESTING", "false")
    velour.autolog(log_artifacts=False)
    monkeypatch.setattr(coco_eval, "_captured", broken)
    assert torch.equal(update(metric(), *boxes()).compute()["map"], plain["map"])
    assert any("a mistake of Velour's" in reported for reported in warned)
    assert all_runs() == []


def test_other_processes_of_a_training_do_not_log(monkeypatch: pytest.MonkeyPatch) -> None:
    velour.autolog(log_artifacts=False)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda *group: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda *group: 1)
    asked = update(metric(sync_on_compute=False), *boxes())
    asked.compute()
    assert all_runs() == []
