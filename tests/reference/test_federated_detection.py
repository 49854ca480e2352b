"""Federated data sets, against COCO's evaluation with the two rules of LVIS put into it."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import velour_plugin as velour
from tests.coco_oracle import Json, dataset_of, headline, matched, random_boxes

Lists = dict[int, list[int]]


class FederatedEval(COCOeval):  # type: ignore[misc]
    """``LVISEval.evaluate_img``: what finds nothing of a partly annotated label is ignored."""

    def __init__(self, truth: COCO, detections: COCO, partial: Lists) -> None:
        super().__init__(truth, detections, "bbox")
        self.partial = partial

    def evaluateImg(self, imgId: int, catId: int, aRng: Any, maxDet: int) -> Any:  # noqa: N802, N803
        """Evaluate one image and label."""
        found = super().evaluateImg(imgId, catId, aRng, maxDet)
        if found is not None and catId in self.partial[imgId]:
            found["dtIgnore"] = np.logical_or(found["dtIgnore"], found["dtMatches"] == 0)
        return found


def _expected(truth: Json, detections: list[Json], absent: Lists, partial: Lists) -> Any:
    """``LVISEval._prepare``: detections of labels that nobody looked for are left out."""
    present = {(item["image_id"], item["category_id"]) for item in truth["annotations"]}
    known = [
        item
        for item in detections
        if (item["image_id"], item["category_id"]) in present
        or item["category_id"] in absent[item["image_id"]]
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        left, right = COCO(), COCO()
        left.dataset = truth
        left.createIndex()
        if known:
            right = left.loadRes([dict(item) for item in known])
        else:
            right.dataset = {**truth, "annotations": []}
            right.createIndex()
        evaluation = FederatedEval(left, right, partial)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(40))
def test_the_twelve_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, detections = random_boxes(rng)
    classes = [item["id"] for item in truth["categories"]]
    absent: Lists = {}
    partial: Lists = {}
    for image in truth["images"]:
        absent[image["id"]] = [number for number in classes if rng.random() < 0.4]
        partial[image["id"]] = [number for number in classes if rng.random() < 0.3]
    dataset = dataset_of(truth, detections)
    datums = tuple(_told(datum, absent, partial) for datum in dataset.datums)
    dataset = velour.Dataset(
        "lvis", datums, dataset.truth, predictions=dataset.predictions, model="model"
    )
    evaluator, ledger = matched(dataset, federated=True)
    np.testing.assert_array_equal(
        headline(evaluator.measure(ledger)), _expected(truth, detections, absent, partial)
    )


def _told(datum: velour.Datum, absent: Lists, partial: Lists) -> velour.Datum:
    number = int(datum.uid)
    lists = {"absent_labels": absent[number], "partial_labels": partial[number]}
    spelled = {name: [str(label) for label in labels] for name, labels in lists.items()}
    return velour.Datum(datum.uid, {**datum.metadata, **spelled})
