"""What detection answers, on cases that can be counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from velour_evaluators.detection.evaluator import InstanceSegmentation, ObjectDetection

import velour_plugin as velour
from tests.scenes import (
    ELSEWHERE,
    FOUND,
    ITS_LEFT_HALF,
    TEN_BY_TEN,
    TRUE,
    annotation,
    match,
    measured,
    scene,
    values,
)
from velour_plugin.errors import InvalidInput, UnknownName

PERFECT = pytest.approx(1.0, rel=1e-12)
"""COCO adds a hair to the denominator of a precision, so 1 is 0.9999999999999998."""


def test_a_detection_like_its_truth_is_perfect() -> None:
    answer = measured(scene(([TRUE], [FOUND])))
    assert [answer[name] for name in ("mAP", "mAP_50", "mAP_small")] == [PERFECT] * 3
    assert answer["mAR_1"] == 1.0
    assert answer["precision/fire"] == answer["recall/fire"] == answer["f1/fire"] == 1.0


def test_a_range_without_truths_is_undefined() -> None:
    """100 square pixels are small: there is nothing medium to find."""
    answer = measured(scene(([TRUE], [FOUND])))
    assert answer["mAP_medium"] is None
    assert answer["mAR_large"] is None


def test_half_found_is_half_recall_and_51_of_101_precisions() -> None:
    other = annotation(ELSEWHERE)
    answer = measured(scene(([TRUE, other], [FOUND])))
    assert answer["mAR_100"] == answer["recall/fire"] == 0.5
    assert answer["mAP"] == pytest.approx(51 / 101)


def test_an_overlap_of_exactly_the_threshold_matches() -> None:
    """The left half shares 50 of 100 pixels; COCO's threshold is inclusive."""
    answer = measured(scene(([TRUE], [annotation(ITS_LEFT_HALF, score=0.9)])))
    assert (answer["mAP_50"], answer["mAP_75"]) == (PERFECT, 0.0)
    assert answer["mAP"] == pytest.approx(0.1)


def test_a_label_without_truth_is_undefined_and_not_in_the_mean() -> None:
    smoke = annotation(ELSEWHERE, "smoke", 0.8)
    answer = measured(scene(([TRUE], [FOUND, smoke])))
    assert answer["AP/smoke"] is None
    assert answer["recall/smoke"] is None
    assert answer["precision/smoke"] == 0.0
    assert answer["mAP"] == PERFECT


def test_nothing_found_is_zero_and_precision_undefined() -> None:
    answer = measured(scene(([TRUE], [])))
    assert (answer["mAP"], answer["mAR_100"], answer["recall/fire"]) == (0.0, 0.0, 0.0)
    assert answer["precision/fire"] is None


def test_nothing_to_find_is_undefined_not_zero() -> None:
    answer = measured(scene(([], [FOUND])))
    assert all(answer[name] is None for name in ObjectDetection.headline)


def test_neither_truth_nor_detection_is_undefined() -> None:
    answer = measured(scene(([], [])))
    assert answer == dict.fromkeys(ObjectDetection.headline)


def test_a_second_detection_of_one_truth_is_wrong() -> None:
    again = annotation(TEN_BY_TEN, score=0.8)
    answer = measured(scene(([TRUE], [FOUND, again])))
    assert answer["precision/fire"] == 0.5
    assert answer["mAP"] == PERFECT  # the wrong one comes after everything is found


def test_detections_in_a_crowd_count_neither_way() -> None:
    crowd = annotation(velour.BoundingBox(40, 40, 80, 80), is_crowd=True)
    inside = [annotation(ELSEWHERE, score=0.95)] * 5
    answer = measured(scene(([TRUE, crowd], [FOUND, *inside])))
    assert (answer["mAP"], answer["precision/fire"], answer["recall/fire"]) == (PERFECT, 1.0, 1.0)


def test_a_low_score_does_not_count_for_precision_at_the_threshold() -> None:
    low = annotation(ELSEWHERE, score=0.49)
    assert measured(scene(([TRUE], [FOUND, low])))["precision/fire"] == 1.0
    lenient = measured(scene(([TRUE], [FOUND, low])), score_threshold=0.49)
    assert lenient["precision/fire"] == 0.5


def test_max_detections_are_those_of_an_image_and_label() -> None:
    truths = [TRUE, annotation(ELSEWHERE), annotation(ELSEWHERE, "smoke")]
    found = [FOUND, annotation(ELSEWHERE, score=0.8), annotation(ELSEWHERE, "smoke", 0.1)]
    answer = measured(scene((truths, found)))
    assert answer["mAR_1"] == 0.75  # one of two fires, the only smoke
    assert answer["mAR_10"] == 1.0


def test_other_recalls_are_named_after_their_numbers_of_detections() -> None:
    answer = measured(scene(([TRUE], [FOUND])), max_detections=[3, 7])
    assert answer["mAR_3"] == answer["mAR_7"] == answer["AR_7/fire"] == 1.0
    assert "mAR_100" not in answer


def test_equal_scores_are_ranked_as_given() -> None:
    wrong = annotation(ELSEWHERE, score=0.9)
    first = measured(scene(([TRUE], [FOUND, wrong])))
    second = measured(scene(([TRUE], [wrong, FOUND])))
    assert (first["mAP"], second["mAP"]) == (PERFECT, 0.5)


def test_labels_of_two_keys_are_two_evaluations() -> None:
    blue = annotation(ELSEWHERE, "color:blue")
    answer = measured(scene(([TRUE, blue], [FOUND])))
    assert (answer["mAP"], answer["color/mAP"]) == (PERFECT, 0.0)


def test_a_selection_counts_its_own_images_only() -> None:
    ledger = match(scene(([TRUE], [FOUND]), ([TRUE], [])))
    evaluator = ObjectDetection()
    assert values(evaluator.measure(ledger))["mAR_100"] == 0.5
    assert values(evaluator.measure(ledger, np.array([True, False])))["mAR_100"] == 1.0
    assert values(evaluator.measure(ledger, np.array([False, True])))["mAR_100"] == 0.0
    assert values(evaluator.measure(ledger, np.array([False, False])))["mAR_100"] is None


def test_weights_count_an_image_as_often_as_they_say() -> None:
    ledger = match(scene(([TRUE], [FOUND]), ([TRUE], [])))
    answer = values(ObjectDetection().measure(ledger, weights=np.array([3, 1])))
    assert answer["mAR_100"] == answer["recall/fire"] == 0.75


def test_weights_of_another_length_are_refused() -> None:
    ledger = match(scene(([TRUE], [FOUND])))
    with pytest.raises(ValueError, match="expected 1 numbers"):
        ObjectDetection().measure(ledger, weights=np.array([1, 2]))


def test_a_rotated_box_is_a_polygon_with_exact_areas() -> None:
    """A square on its corner in a square: half its area."""
    diamond = velour.Polygon([(5, 0), (10, 5), (5, 10), (0, 5)])
    square = velour.Polygon(shapely.box(0, 0, 10, 10))
    found = annotation(diamond, score=0.9)
    turned = scene(([annotation(square)], [found]))
    ledger = match(turned, InstanceSegmentation, iou_type="polygon")
    answer = values(InstanceSegmentation().measure(ledger))
    assert (answer["mAP_50"], answer["mAP_75"]) == (PERFECT, 0.0)


def test_a_hole_is_not_part_of_a_polygon() -> None:
    """A frame with a hole of 64 of 100 does not overlap its full square by half."""
    frame = shapely.box(0, 0, 10, 10).difference(shapely.box(1, 1, 9, 9))
    truth, found = annotation(velour.Polygon(frame)), annotation(TEN_BY_TEN, score=0.9)
    as_boxes = scene(([truth], [found]))
    assert measured(as_boxes)["mAP_50"] == PERFECT
    assert measured(as_boxes, iou_type="polygon")["mAP_50"] == 0.0


def test_a_polygon_meets_a_mask_as_pixels() -> None:
    mask = np.zeros((20, 20), bool)
    mask[:10, :10] = True
    square = annotation(velour.Polygon(shapely.box(0, 0, 10, 10)))
    found = annotation(velour.Raster(mask), score=0.9)
    ledger = match(scene(([square], [found])), InstanceSegmentation)
    assert ledger.parameters["iou_type"] == "raster"
    assert values(InstanceSegmentation().measure(ledger))["mAP"] == PERFECT


@pytest.mark.parametrize(
    "given",
    [
        {"iou_thresholds": [0.5, 0.4]},
        {"iou_thresholds": []},
        {"iou_thresholds": [0.0]},
        {"iou_thresholds": "half"},
        {"max_detections": [0, 10]},
        {"max_detections": [70_000]},
        {"score_threshold": 1.1},
        {"score_threshold": True},
        {"iou_threshold": "0.5"},
        {"area_ranges": {}},
        {"area_ranges": {"all": (10, 5)}},
        {"area_ranges": {f"range {n}": (0, 1) for n in range(9)}},
        {"iou_thresholds": np.linspace(0.1, 0.9, 30)},
    ],
)
def test_a_value_against_its_rule_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        ObjectDetection().parameters(given)


@pytest.mark.parametrize("given", [{"iou_type": "boxes"}, {"iou_treshold": 0.5}])
def test_an_unknown_name_names_the_nearest(given: dict[str, Any]) -> None:
    with pytest.raises(UnknownName, match="did you mean"):
        ObjectDetection().parameters(given)


def test_an_iou_threshold_beside_the_averaged_ones_does_not_enter_means() -> None:
    near = annotation(ITS_LEFT_HALF, score=0.9)
    answer = measured(scene(([TRUE], [near])), iou_threshold=0.3)
    assert answer["precision/fire"] == 1.0
    assert answer["mAP"] == pytest.approx(0.1)


def test_a_ledger_without_details_holds_no_more_than_the_metrics_need() -> None:
    ledger = match(scene(([TRUE], [FOUND])), details=False)
    assert set(ledger.tables) == {"detections", "matches", "truths"}
    assert values(ObjectDetection().measure(ledger)) == measured(scene(([TRUE], [FOUND])))
