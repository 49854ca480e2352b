"""Velour's own evaluators keep the contract of evaluators."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from velour_evaluators.detection.evaluator import InstanceSegmentation, ObjectDetection

import velour_plugin as velour
from tests.coco_oracle import dataset_of, distinct_scores, random_boxes, random_masks
from velour_plugin.testing.evaluators import EvaluatorContract


class TestObjectDetection(EvaluatorContract):
    """Boxes."""

    evaluator = ObjectDetection()

    def dataset(self, seed: int) -> velour.Dataset:
        """COCO data with everything nasty but ties."""
        rng = np.random.default_rng(seed)
        truth, detections = distinct_scores(rng, random_boxes(rng))
        for item in detections:  # no two truths overlap it alike
            item["bbox"] = (item["bbox"] + rng.uniform(0, 0.01, 4)).tolist()
        return dataset_of(truth, detections)


class TestObjectDetectionWithoutDetails(TestObjectDetection):
    """The small ledger."""

    given: ClassVar[dict[str, Any]] = {"details": False}


class TestInstanceSegmentation(EvaluatorContract):
    """Polygons and masks."""

    evaluator = InstanceSegmentation()
    given: ClassVar[dict[str, Any]] = {"iou_type": "raster"}

    def dataset(self, seed: int) -> velour.Dataset:
        """COCO instances, as polygons and RLE."""
        rng = np.random.default_rng(seed)
        return dataset_of(*distinct_scores(rng, random_masks(rng)), True)
