"""Details of detection on scenes that can be counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from velour_evaluators.detection.evaluator import ObjectDetection

import velour_plugin as velour
from tests.scenes import (
    ELSEWHERE,
    FOUND,
    ITS_LEFT_HALF,
    TEN_BY_TEN,
    TRUE,
    annotation,
    match,
    scene,
    values,
)

FAR = velour.BoundingBox(100, 100, 110, 110)
SHIFTED = velour.BoundingBox(0, 4, 10, 14)  # 60 of 140 shared: an IoU of 3/7


def details(data: velour.Dataset, selection: Any = None, **given: Any) -> dict[str, Any]:
    return values(ObjectDetection().details(match(data, **given), selection))


def matrix_of(data: velour.Dataset, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = details(data, **given)["confusion_matrix"]
    return found


def counts_of(matrix: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {
        (row, column): count
        for row, counts in zip(matrix["rows"], matrix["counts"], strict=True)
        for column, count in zip(matrix["columns"], counts, strict=True)
        if count
    }


def test_a_confusion_names_both_labels_and_shows_both_boxes() -> None:
    smoke = annotation(TEN_BY_TEN, "smoke", 0.8)
    matrix = matrix_of(scene(([TRUE], [smoke])))
    assert counts_of(matrix) == {("fire", "smoke"): 1}
    (error,) = matrix["errors"]
    assert error["examples"] == [
        {
            "datum": "0",
            "truth": [0, 0, 10, 10],
            "predicted": [0, 0, 10, 10],
            "score": 0.8,
            "iou": 1.0,
            "why": "it has another label",
        }
    ]


def test_the_better_overlap_wins_whatever_its_label() -> None:
    """The smoke lies exactly on the fire; the fire on half of it is background then."""
    smoke = annotation(TEN_BY_TEN, "smoke", 0.6)
    half = annotation(ITS_LEFT_HALF, score=0.9)
    assert counts_of(matrix_of(scene(([TRUE], [smoke, half])))) == {
        ("fire", "smoke"): 1,
        ("background", "fire"): 1,
    }


def test_of_equal_overlaps_the_own_label_wins() -> None:
    smoke = annotation(TEN_BY_TEN, "smoke", 0.99)
    matrix = matrix_of(scene(([TRUE], [smoke, FOUND])))
    assert counts_of(matrix) == {("fire", "fire"): 1, ("background", "smoke"): 1}


@pytest.mark.parametrize(
    ("detection", "why"),
    [
        (FAR, "no detection overlaps by 0.1"),
        (SHIFTED, "the nearest detection, 'fire', overlaps by 0.43 only"),
    ],
)
def test_a_missed_truth_says_why(detection: velour.BoundingBox, why: str) -> None:
    matrix = matrix_of(scene(([TRUE], [annotation(detection, score=0.9)])))
    assert counts_of(matrix) == {("fire", "missed"): 1, ("background", "fire"): 1}
    missed = next(error for error in matrix["errors"] if error["predicted"] is None)
    assert missed["examples"][0]["why"] == why
    assert missed["examples"][0]["predicted"] is None


def test_a_truth_found_with_a_low_score_only_says_so() -> None:
    matrix = matrix_of(scene(([TRUE], [annotation(TEN_BY_TEN, score=0.25)])))
    (missed,) = matrix["errors"]
    assert missed["examples"][0]["why"] == "the detection 'fire', overlapping by 1.00, scores 0.25"


def test_a_second_detection_says_that_another_lies_better() -> None:
    matrix = matrix_of(scene(([TRUE], [FOUND, annotation(ITS_LEFT_HALF, score=0.8)])))
    (error,) = matrix["errors"]
    expected = "the truth 'fire', overlapping by 0.50, has a detection that lies better"
    assert error["examples"][0]["why"] == expected


def test_examples_are_the_most_confident_and_no_more_than_asked_for() -> None:
    scores = (0.6, 0.9, 0.7, 0.8)
    data = scene(*(([], [annotation(FAR, score=score)]) for score in scores))
    (error,) = matrix_of(data, examples=2)["errors"]
    assert error["count"] == 4
    assert [example["datum"] for example in error["examples"]] == ["1", "3"]


def test_detections_in_a_crowd_are_no_background() -> None:
    crowd = annotation(velour.BoundingBox(40, 40, 80, 80), is_crowd=True)
    matrix = matrix_of(scene(([crowd], [annotation(ELSEWHERE, score=0.9)])))
    assert counts_of(matrix) == {}


def test_labels_of_two_keys_are_never_confused() -> None:
    blue = annotation(TEN_BY_TEN, "color:blue", 0.9)
    found = details(scene(([TRUE], [blue])))
    assert counts_of(found["confusion_matrix"]) == {("fire", "missed"): 1}
    assert counts_of(found["color/confusion_matrix"]) == {("background", "blue"): 1}


@pytest.mark.parametrize(
    ("region", "label", "kind"),
    [
        (SHIFTED, "fire", "localisation"),
        (TEN_BY_TEN, "smoke", "classification"),
        (SHIFTED, "smoke", "both"),
        (FAR, "fire", "background"),
    ],
)
def test_a_wrong_detection_has_one_reason(
    region: velour.BoundingBox, label: str, kind: str
) -> None:
    answer = details(scene(([TRUE], [annotation(region, label, 0.9)])))["error_kinds"]
    found = {name: item["count"] for name, item in answer["kinds"].items() if item["count"]}
    missed = {} if kind in ("localisation", "classification") else {"missed": 1}
    assert found == {kind: 1, **missed}


def test_correcting_the_place_brings_all_the_precision() -> None:
    answer = details(scene(([TRUE], [annotation(SHIFTED, score=0.9)])))["error_kinds"]
    assert answer["AP"] == 0.0
    assert answer["kinds"]["localisation"]["dAP"] == pytest.approx(1.0)
    assert answer["kinds"]["classification"]["dAP"] == 0.0


def test_a_second_detection_is_a_duplicate_and_costs_what_comes_after() -> None:
    """Right, wrong, right: the second half of the recalls has a precision of 2/3."""
    images = [([TRUE], [FOUND, annotation(TEN_BY_TEN, score=0.8)])]
    images += [([TRUE], [annotation(TEN_BY_TEN, score=0.7)])]
    answer = details(scene(*images))["error_kinds"]
    assert answer["kinds"]["duplicate"]["count"] == 1
    assert answer["kinds"]["duplicate"]["dAP"] == pytest.approx(50 / 101 / 3)


def test_recall_of_any_label_forgives_the_label() -> None:
    smoke = annotation(TEN_BY_TEN, "smoke", 0.8)
    answer = details(scene(([TRUE], [smoke])))
    assert answer["recall_any_label_1"] == 1.0
    assert answer["oLRP"] == 1.0


def test_optimal_error_of_one_hit_and_one_miss() -> None:
    """A perfect hit weighs 0, a miss 1; at any lower score there is a mistake more."""
    wrong = annotation(FAR, score=0.3)
    answer = details(scene(([TRUE, annotation(ELSEWHERE)], [FOUND, wrong])))
    assert answer["oLRP/fire"] == answer["oLRP"] == 0.5
    assert answer["oLRP_score/fire"] == 0.9
    assert answer["oLRP_localisation/fire"] == answer["oLRP_FP/fire"] == 0.0
    assert answer["oLRP_FN/fire"] == 0.5


def test_the_best_threshold_leaves_out_what_is_wrong() -> None:
    images = [([TRUE], [FOUND, annotation(FAR, score=0.6)])]
    answer = details(scene(*images))
    assert (answer["best_f1/fire"], answer["best_f1_score/fire"]) == (1.0, 0.9)
    counts = answer["threshold_counts/fire"]
    assert (counts["tp"][0], counts["fp"][0], counts["fn"][0]) == (1, 1, 0)
    assert (counts["tp"][-1], counts["precision"][-1], counts["recall"][-1]) == (0, None, 0.0)


def test_scores_are_calibrated_when_they_are_how_often_they_are_right() -> None:
    right, wrong = annotation(TEN_BY_TEN, score=0.5), annotation(FAR, score=0.5)
    answer = details(scene(([TRUE], [right, wrong])))
    assert answer["ece"] == 0.0
    assert answer["reliability"]["count"][7] == 2
    assert answer["reliability"]["accuracy"][7] == 0.5


def test_details_of_nothing_are_undefined() -> None:
    answer = details(scene(([TRUE], [FOUND])), np.array([False]))
    for name in ("ece", "oLRP", "recall_any_label_100"):
        assert answer[name] is None
    assert answer["error_kinds"]["AP"] is None
    assert answer["confusion_matrix"]["errors"] == []


def test_details_without_any_annotation() -> None:
    answer = details(scene(([], [])))
    assert answer["confusion_matrix"]["rows"] == ["background"]
    assert answer["error_kinds"]["kinds"]["missed"] == {"count": 0, "dAP": None}


def test_a_ledger_without_pairs_still_has_curves() -> None:
    answer = details(scene(([TRUE], [FOUND])), details=False)
    assert answer["best_f1/fire"] == 1.0
    assert "confusion_matrix" not in answer
