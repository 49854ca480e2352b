"""Boxes of COCO files with masks as well, or masks alone: pycocotools' numbers for ``bbox``."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_masks

import velour_plugin as velour
from tests.coco_oracle import SIZE, coco_eval, random_boxes, random_masks

Json = dict[str, Any]


def mask_of(box: list[float]) -> Json:
    """A rectangle of other size than the box: masks and boxes do not tell the same."""
    x, y, width, height = box
    ring = [x, y, x + width, y, x + width, y + 0.6 * height + 1, x, y + 0.6 * height + 1]
    rle = coco_masks.merge(coco_masks.frPyObjects([ring], SIZE, SIZE))
    return {"size": [SIZE, SIZE], "counts": rle["counts"].decode()}


def headline(
    folder: Path, truth: Json, detections: list[Json], task: str = "object-detection", **given: Any
) -> tuple[np.ndarray[Any, Any], velour.Evaluation]:
    """The twelve numbers of files, and the evaluation."""
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "run.json").write_text(json.dumps(detections))
    dataset = velour.read_dataset(folder / "truth.json").with_predictions(folder / "run.json", "m")
    evaluation = velour.evaluate(dataset, task, parameters=given, save=False)
    return np.array(
        [-1.0 if value is None else value for value in list(evaluation.values())[:12]]
    ), evaluation


@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize("masks", ["truth", "some truths", "both", "one detection"])
@pytest.mark.parametrize("seed", range(8))
def test_masks_beside_boxes_change_no_number(
    tmp_path: Path, seed: int, masks: str, details: bool
) -> None:
    truth, detections = random_boxes(np.random.default_rng(seed))
    expected = coco_eval(truth, detections).stats
    for number, item in enumerate(truth["annotations"]):
        if masks in ("truth", "both") or (masks == "some truths" and number % 3):
            item["segmentation"] = mask_of(item["bbox"])
    for item in detections if masks == "both" else detections[:1] * (masks == "one detection"):
        item["segmentation"] = mask_of(item["bbox"])
    numbers, evaluation = headline(tmp_path, truth, detections, details=details)
    np.testing.assert_array_equal(numbers, expected)
    assert evaluation.certificate.parameters["iou_type"] == "box"
    assert evaluation.ledger.parameters["iou_type"] == "box"


@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_masks_alone_have_the_boxes_around_them(tmp_path: Path, seed: int, details: bool) -> None:
    """And detections have the areas of their masks: so pycocotools reads results without bbox."""
    truth, detections = random_masks(np.random.default_rng(seed))
    for item in truth["annotations"]:  # pycocotools has no box without one
        segmentation = item["segmentation"]
        rle = (
            segmentation
            if isinstance(segmentation, dict)
            else coco_masks.merge(coco_masks.frPyObjects(segmentation, SIZE, SIZE))
        )
        item["bbox"] = coco_masks.toBbox(rle).tolist()
    expected = coco_eval(truth, detections).stats
    numbers, _ = headline(tmp_path, truth, detections, details=details)
    np.testing.assert_array_equal(numbers, expected)
    for item in truth["annotations"]:
        if isinstance(item["segmentation"], dict):
            del item["bbox"]
    numbers, _ = headline(tmp_path, truth, detections, details=details)
    np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_beside_masks_change_no_number_of_instances(tmp_path: Path, seed: int) -> None:
    truth, detections = random_masks(np.random.default_rng(seed))
    expected = coco_eval(truth, detections, "segm").stats
    boxed = copy.deepcopy(truth)
    for item in boxed["annotations"]:
        item["bbox"] = [1.0, 2.0, 3.0, 4.0]
    task = "instance-segmentation"
    for content in (truth, boxed):
        numbers, evaluation = headline(tmp_path, content, detections, task)
        np.testing.assert_array_equal(numbers, expected)
        assert evaluation.certificate.parameters["iou_type"] == "raster"
