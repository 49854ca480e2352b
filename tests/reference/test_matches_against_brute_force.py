"""Listed matches against loops over images, and against precision, recall and kinds of error."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import velour_plugin as velour
from tests.coco_oracle import Json, dataset_of, random_masks
from tests.reference.test_detection_details_against_brute_force import (
    Image,
    Scene,
    _claims,
    _kinds,
    counts,
    images,
    iou,
    scene,
)
from velour_plugin.answers import Match
from velour_plugin.answers.matches import OUTCOMES
from velour_plugin.domain.evaluation import Evaluation

CASES = [
    (seed, score, distinct)
    for seed in range(12)
    for score, distinct in ((0.0, True), (0.4, True), (0.4, False))
]


def evaluated(data: Scene, **parameters: Any) -> Evaluation:
    return velour.evaluate(dataset_of(*data), "object-detection", parameters=parameters, save=False)


def corners(item: Json | None) -> Any:
    if item is None:
        return None
    x, y, width, height = np.array(item["bbox"], np.float32).astype(float)
    return tuple(round(side, 2) for side in (x, y, x + width, y + height))


def row(outcome: str, kind: str, truth: Json | None, detection: Json | None) -> Match:
    overlap = iou(detection, truth) if truth and detection else None
    return Match(
        str((truth or detection or {})["image_id"]),
        outcome,
        kind,
        truth and str(truth["category_id"]),
        detection and str(detection["category_id"]),
        detection and detection["score"],
        overlap,
        corners(truth),
        corners(detection),
    )


def nearest(image: Image, detection: Json, kind: str) -> Json | None:
    """The truth that a false positive lies on; the first of equals."""
    own = kind in ("localisation", "duplicate")
    near = [
        truth
        for truth in image.truths
        if counts(truth)
        and (truth["category_id"] == detection["category_id"]) == own
        and iou(detection, truth) >= 0.1
    ]
    if kind == "background" or not near:
        return None
    return max(near, key=lambda truth: iou(detection, truth))


def expected(data: Scene, score: float) -> list[Match]:
    high = (data[0], [item for item in data[1] if item["score"] >= score])
    found = {id(truth) for image in images(data) for truth in image.found.values()}
    kinds = _kinds(high)
    claims = {
        truth: next(kind for _, other, kind, _ in kinds if other is detection)
        for truth, detection in _claims(kinds).items()
    }
    rows = [
        row("false positive", kind, nearest(image, detection, kind), detection)
        for image, detection, kind, _ in kinds
    ]
    for image in images(high):
        for place, truth in image.found.items():
            if place not in image.ignored:
                rows.append(row("true positive", "", truth, image.detections[place]))
        used = {id(truth) for truth in image.found.values()}
        for truth in image.truths:
            if counts(truth) and id(truth) not in used:
                unclaimed = "low score" if id(truth) in found else "missed"
                rows.append(row("false negative", claims.get(id(truth), unclaimed), truth, None))
    return rows


@pytest.mark.parametrize(("seed", "score", "distinct"), CASES)
def test_matches_are_those_of_a_loop(seed: int, score: float, distinct: bool) -> None:
    data = scene(seed, distinct)
    evaluation = evaluated(data, score_threshold=score, max_detections=[1, 10, 300])
    answer = velour.matches(evaluation, None)
    wanted = expected(data, score)
    if not distinct:  # of equal claims on a truth, either explains it
        answer, wanted = ([_unexplained(item) for item in rows] for rows in (answer, wanted))  # type: ignore[assignment]
    assert Counter(answer) == Counter(wanted)


def _unexplained(match: Match) -> tuple[Any, ...]:
    kind = "" if match.outcome == "false negative" else match.kind
    return (match.uid, match.outcome, kind, match.truth, match.score, match.truth_box,
            match.prediction_box)  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("threshold", [0.5, 0.75, 1.0])
def test_matches_are_what_precision_and_recall_count(seed: int, threshold: float) -> None:
    check_counts(evaluated(scene(seed, False), iou_threshold=threshold, score_threshold=0.4))


@pytest.mark.parametrize("seed", range(10))
def test_matches_of_masks_are_what_precision_and_recall_count(seed: int) -> None:
    dataset = dataset_of(*random_masks(np.random.default_rng(seed)), masks=True)
    check_counts(velour.evaluate(dataset, "instance-segmentation", save=False))


def check_counts(evaluation: Evaluation) -> None:
    answer = velour.matches(evaluation, None)
    for _, label in evaluation.ledger.labels:
        own = Counter(item.outcome for item in answer if (item.prediction or item.truth) == label)
        right, wrong, missed = (own[name] for name in OUTCOMES)
        counted = velour.matches(evaluation, 1, label=label).counts
        assert {name: sum(kinds.values()) for name, kinds in counted.items() if kinds} == own
        precision = right / (right + wrong) if right + wrong else None
        recall = right / (right + missed) if right + missed else None
        assert evaluation.value("precision", label=label) == precision
        assert evaluation.value("recall", label=label) == recall


@pytest.mark.parametrize("seed", range(20))
def test_kinds_are_those_that_the_metric_counts(seed: int) -> None:
    """The metric is about all scores; what scores low is missed there as well."""
    evaluation = evaluated(scene(seed), score_threshold=0.0)
    answer = velour.matches(evaluation, None)
    metric = evaluation.value("error_kinds")
    false = answer.counts["false positive"]
    for kind in ("classification", "localisation", "both", "duplicate", "background"):
        assert false.get(kind, 0) == metric["kinds"][kind]["count"]
    assert answer.counts["false negative"].get("missed", 0) == metric["kinds"]["missed"]["count"]
    assert sum(answer.counts["false negative"].values()) == metric["false_negatives"]["count"]
