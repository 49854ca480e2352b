"""What a ledger holds, what it can answer, and how ledgers go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from velour_evaluators.detection.evaluator import InstanceSegmentation, ObjectDetection

import velour_plugin as velour
from tests.coco_oracle import dataset_of, matched, random_boxes
from tests.scenes import ELSEWHERE, FOUND, ITS_LEFT_HALF, TEN_BY_TEN, TRUE, annotation, match, scene
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.testing.evaluators import as_json, repeated, same_ledgers, without_examples

Images = Sequence[tuple[Sequence[velour.Annotation], Sequence[velour.Annotation]]]


def test_pairs_are_of_any_labels_of_one_key_and_image() -> None:
    smoke, blue = annotation(ITS_LEFT_HALF, "smoke", 0.8), annotation(TEN_BY_TEN, "color:blue", 0.7)
    far = annotation(ELSEWHERE, score=0.6)
    pairs = match(scene(([TRUE], [FOUND, smoke, blue, far]), ([], [FOUND]))).tables["pairs"]
    assert pairs["iou"].tolist() == [1.0, 0.5]
    assert pairs["truth"].tolist() == [0, 0]


def test_pairs_are_sorted() -> None:
    truth, detections = random_boxes(np.random.default_rng(3), (60, 300))
    _, ledger = matched(dataset_of(truth, detections))
    pairs = ledger.tables["pairs"]
    order = np.lexsort((pairs["truth"], pairs["detection"]))
    np.testing.assert_array_equal(order, np.arange(len(order)))


ANSWERED: list[dict[str, Any]] = [
    {"iou_thresholds": [0.5, 0.75]},
    {"iou_thresholds": [0.9], "iou_threshold": 0.75},
    {"max_detections": [1, 5]},
    {"area_ranges": {"all": (0, 1e10), "big": (9216, 1e10)}},
    {"area_ranges": {"little": (0, 1024)}},
    {"score_threshold": 0.7},
    {"details": False, "score_threshold": 0.2},
    {"examples": 1, "calibration_bins": 10},
    {"iou_thresholds": [0.95], "max_detections": [3], "area_ranges": {"m": (1024, 9216)}},
]

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"iou_thresholds": [0.52]}, "it was matched at IoU 0.5, 0.55"),
    ({"iou_threshold": 0.3}, "it was matched at IoU"),
    ({"max_detections": [200]}, "it keeps the best 100 detections"),
    ({"area_ranges": {"all": (0, 1e10), "tiny": (0, 100)}}, "no area range like 'tiny'"),
    ({"score_threshold": 0.4}, "it shows detections from a score of 0.5 on"),
    ({"iou_type": "polygon"}, "it compares regions as box"),
    ({"federated": True}, "it was matched with federated=False"),
]


@pytest.mark.parametrize("given", ANSWERED)
@pytest.mark.parametrize("seed", range(3))
def test_a_narrowed_ledger_is_the_one_of_a_new_match(given: dict[str, Any], seed: int) -> None:
    dataset = dataset_of(*random_boxes(np.random.default_rng(seed), (60, 300)))
    evaluator, ledger = matched(dataset)
    assert evaluator.supports(ledger, given)
    assert same_ledgers(evaluator.narrow(ledger, given), matched(dataset, **given)[1])


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_a_ledger_cannot_answer_exactly_is_refused(given: dict[str, Any], reason: str) -> None:
    ledger = match(scene(([TRUE], [FOUND])))
    assert not ObjectDetection().supports(ledger, given)
    with pytest.raises(InvalidInput, match=reason):
        ObjectDetection().narrow(ledger, given)


def test_a_small_ledger_cannot_answer_for_details() -> None:
    ledger = match(scene(([TRUE], [FOUND])), details=False)
    with pytest.raises(InvalidInput, match="details=False"):
        ObjectDetection().narrow(ledger, {})


def parts(*images: Images, **given: Any) -> list[Ledger]:
    """Ledgers of several datasets, whose datums are numbered on."""
    whole = scene(*(image for part in images for image in part))
    part_of = np.repeat(np.arange(len(images)), [len(part) for part in images])
    return [match(whole.subset(part_of == part), **given) for part in range(len(images))]


def test_partitions_with_vocabularies_of_their_own_share_one() -> None:
    fire = match(scene(([TRUE], [FOUND])))
    smoke = annotation(TEN_BY_TEN, "smoke")
    datum = velour.Datum("1")
    other = velour.Dataset.from_groundtruths([velour.GroundTruth(datum, [smoke])], "fires")
    other = other.with_predictions([velour.Prediction(datum, [])], "model")
    together = ObjectDetection().concatenate([match(other), fire])
    assert together.datums == ("0", "1")
    assert together.labels == (("class", "fire"), ("class", "smoke"))
    answer = {m.name: m.value for m in ObjectDetection().measure(together) if m.label is None}
    assert answer["mAR_100"] == 0.5


def test_partitions_that_share_a_datum_are_refused() -> None:
    ledger = match(scene(([TRUE], [FOUND])))
    with pytest.raises(BadDataset, match="'0' is in two ledgers"):
        ObjectDetection().concatenate([ledger, ledger])


def test_no_partition_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        ObjectDetection().concatenate([])


def test_partitions_matched_otherwise_are_refused() -> None:
    one, _ = parts([([TRUE], [FOUND])], [([TRUE], [FOUND])])
    _, other = parts([([TRUE], [FOUND])], [([TRUE], [FOUND])], iou_threshold=0.75)
    with pytest.raises(InvalidInput, match="iou_threshold"):
        ObjectDetection().concatenate([one, other])


def test_a_partition_without_regions_goes_with_the_others() -> None:
    mask = velour.Raster(np.ones((20, 20), bool))
    images = [([annotation(mask)], [annotation(mask, score=0.9)]), ([], [])]
    whole = scene(*images)
    evaluator = InstanceSegmentation()
    ledgers = [
        match(whole.subset(np.array(kept)), InstanceSegmentation)
        for kept in ([False, True], [True, False])
    ]
    assert [ledger.parameters["iou_type"] for ledger in ledgers] == ["raster", "raster"]
    assert same_ledgers(evaluator.concatenate(ledgers), match(whole, InstanceSegmentation))


def federated(
    truths: Sequence[velour.Annotation], predictions: Sequence[velour.Annotation], **metadata: Any
) -> dict[str, Any]:
    """Metrics of one image that says what it is annotated for."""
    data = scene((truths, predictions), **metadata)
    metrics = ObjectDetection().measure(match(data, federated=True))
    return {f"{m.name}/{m.label.value}": m.value for m in metrics if m.label is not None}


SMOKE = annotation(ELSEWHERE, "smoke", 0.8)


def test_a_detection_of_a_label_that_nobody_looked_for_does_not_count() -> None:
    assert federated([TRUE], [FOUND, SMOKE], absent_labels=[])["precision/smoke"] is None


@pytest.mark.parametrize("name", ["smoke", ["class", "smoke"]])
def test_a_detection_of_a_label_known_to_be_absent_is_wrong(name: Any) -> None:
    assert federated([TRUE], [FOUND, SMOKE], absent_labels=[name])["precision/smoke"] == 0.0


def test_a_partly_annotated_label_forgives_what_finds_nothing() -> None:
    more = annotation(ELSEWHERE, score=0.8)
    assert federated([TRUE], [FOUND, more], absent_labels=[])["precision/fire"] == 0.5
    assert federated([TRUE], [FOUND, more], partial_labels=["fire"])["precision/fire"] == 1.0


def test_a_dataset_that_says_nothing_of_its_labels_is_not_federated() -> None:
    with pytest.raises(BadDataset, match="is not federated"):
        federated([TRUE], [FOUND])


@pytest.mark.parametrize("listed", ["smoke", [1], [["a", "b", "c"]]])
def test_a_list_of_labels_in_another_form_is_refused(listed: Any) -> None:
    with pytest.raises(BadDataset, match="expected a list of label values"):
        federated([TRUE], [FOUND], absent_labels=listed)


@pytest.mark.parametrize("seed", range(20))
def test_copies_of_datums_break_ties_of_scores_as_weights_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dataset = dataset_of(*random_boxes(rng, (40, 120)))
    weights = rng.integers(0, 4, len(dataset))
    weights[0] = 2
    evaluator, ledger = matched(dataset)
    _, copied = matched(repeated(dataset, weights))
    for answer in (evaluator.measure, evaluator.details):
        weighted = [without_examples(as_json(item)) for item in answer(ledger, weights=weights)]
        assert weighted == [without_examples(as_json(item)) for item in answer(copied)]
