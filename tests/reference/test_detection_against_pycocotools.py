"""Every number that COCO defines, equal to pycocotools to the last bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.coco_oracle import (
    coco_eval,
    dataset_of,
    headline,
    matched,
    of_label,
    random_boxes,
    random_masks,
)

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_twelve_numbers_of_boxes(seed: int) -> None:
    truth, detections = random_boxes(np.random.default_rng(seed))
    evaluator, ledger = matched(dataset_of(truth, detections))
    np.testing.assert_array_equal(
        headline(evaluator.measure(ledger)), coco_eval(truth, detections).stats
    )


@pytest.mark.parametrize("seed", range(5))
def test_more_than_a_hundred_detections_of_one_image_and_label(seed: int) -> None:
    """COCO looks at the best 100 only; ties at the cut are broken as it breaks them."""
    truth, detections = random_boxes(np.random.default_rng(seed), (40, 2000))
    for item in detections:
        item["image_id"] = truth["images"][0]["id"]
        item["category_id"] = truth["categories"][0]["id"]
    evaluator, ledger = matched(dataset_of(truth, detections))
    np.testing.assert_array_equal(
        headline(evaluator.measure(ledger)), coco_eval(truth, detections).stats
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_selection_of_images_is_an_evaluation_of_these_images(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, detections = random_boxes(rng)
    dataset = dataset_of(truth, detections)
    evaluator, ledger = matched(dataset)
    chosen = rng.random(len(dataset)) < 0.6
    chosen[int(rng.integers(len(dataset)))] = True
    images = [int(uid) for uid, keep in zip(dataset.uids, chosen, strict=True) if keep]
    expected = coco_eval(truth, detections, images=images).stats
    np.testing.assert_array_equal(headline(evaluator.measure(ledger, chosen)), expected)
    keys = [(name, None) for name in evaluator.headline]
    values = evaluator.values(ledger, keys, chosen[None].astype(np.int64))[0]
    np.testing.assert_array_equal(np.nan_to_num(values, nan=-1.0), expected)


@pytest.mark.parametrize("seed", range(30))
def test_the_twelve_numbers_of_masks(seed: int) -> None:
    truth, detections = random_masks(np.random.default_rng(seed))
    evaluator, ledger = matched(dataset_of(truth, detections, masks=True), masks=True)
    assert ledger.parameters["iou_type"] == "raster" or not detections
    expected = coco_eval(truth, detections, "segm").stats
    np.testing.assert_array_equal(headline(evaluator.measure(ledger)), expected)


@pytest.mark.parametrize("seed", range(20))
def test_numbers_of_each_label(seed: int) -> None:
    truth, detections = random_boxes(np.random.default_rng(seed))
    evaluator, ledger = matched(dataset_of(truth, detections))
    metrics = evaluator.measure(ledger)
    evaluated = coco_eval(truth, detections)
    precision, recall = evaluated.eval["precision"], evaluated.eval["recall"]
    for place, number in enumerate(evaluated.params.catIds):
        name = str(number)
        expected = {
            "AP": precision[:, :, place, 0, 2],
            "AP_50": precision[0, :, place, 0, 2],
            "AP_75": precision[5, :, place, 0, 2],
            "AR_100": recall[:, place, 0, 2],
        }
        for metric, values in expected.items():
            known = values[values > -1]
            assert of_label(metrics, metric)[name] == (known.mean() if known.size else None)


@pytest.mark.parametrize("seed", range(20))
def test_other_thresholds_areas_and_numbers_of_detections(seed: int) -> None:
    truth, detections = random_boxes(np.random.default_rng(seed))
    thresholds, areas = [0.3, 0.5, 0.75, 1.0], {"all": (0, 1e10), "tiny": (0, 600)}
    evaluator, ledger = matched(
        dataset_of(truth, detections),
        iou_thresholds=thresholds,
        max_detections=[2, 5, 20],
        area_ranges=areas,
    )
    evaluated = coco_eval(
        truth,
        detections,
        iouThrs=np.array(thresholds),
        maxDets=[2, 5, 20],
        areaRng=[list(span) for span in areas.values()],
        areaRngLbl=list(areas),
    ).eval
    values = {m.name: m.value for m in evaluator.measure(ledger) if m.label is None}
    cells = {
        "mAP": evaluated["precision"][:, :, :, 0, 2],
        "mAP_tiny": evaluated["precision"][:, :, :, 1, 2],
        "mAR_2": evaluated["recall"][:, :, 0, 0],
        "mAR_5": evaluated["recall"][:, :, 0, 1],
        "mAR_20": evaluated["recall"][:, :, 0, 2],
        "mAR_tiny": evaluated["recall"][:, :, 1, 2],
    }
    for name, cell in cells.items():
        known = cell[cell > -1]
        assert values[name] == (known.mean() if known.size else None), name


def test_published_numbers_of_a_hundred_coco_images(shared_data: Path) -> None:
    truth, detections, published = (
        json.loads((shared_data / f"{name}.json").read_text())
        for name in ("ground_truth", "detections", "published")
    )
    evaluator, ledger = matched(dataset_of(truth, detections))
    metrics = evaluator.measure(ledger)
    np.testing.assert_array_equal(headline(metrics), coco_eval(truth, detections).stats)
    for item in metrics[:12]:
        assert item.value == pytest.approx(published[item.name], abs=5e-7)
