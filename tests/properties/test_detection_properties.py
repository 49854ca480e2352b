"""What is true of every detection, whatever the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from velour_evaluators.detection.evaluator import ObjectDetection
from velour_evaluators.detection.kernels import overlap
from velour_evaluators.detection.kernels.assignment import paired_up
from velour_evaluators.kernels.sorting import descending_order, stable_order

import velour_plugin as velour
from tests.coco_oracle import Json, dataset_of, headline, matched, random_boxes
from tests.scenes import annotation, match, measured, scene

seeds = st.integers(0, 2**32 - 1)
sides = st.floats(0, 1e6, width=32)
boxes = st.tuples(sides, sides, sides, sides)
lengths = st.floats(2**-9, 1e6, width=32)
sizable = st.tuples(sides, sides, lengths, lengths)
scores = st.floats(0, 1)

quick = settings(max_examples=40)


def data_of(seed: int) -> tuple[Json, list[Json]]:
    return random_boxes(np.random.default_rng(seed))


def numbers(dataset: velour.Dataset, **given_: Any) -> NDArray[np.float64]:
    evaluator, ledger = matched(dataset, **given_)
    return headline(evaluator.measure(ledger))


@given(st.lists(sizable, max_size=5), st.lists(sizable, max_size=5))
def test_iou_is_symmetric_and_bounded(left: list[Any], right: list[Any]) -> None:
    """Swapping the two sides transposes the answer; no answer leaves [0, 1].

    A side of a billionth of a pixel at pixel 1 has lost its last digits: COCO's IoU is above 1.
    """
    ours, theirs = (np.array(side, float).reshape(-1, 4) for side in (left, right))
    mine, other = (axis.ravel() for axis in np.indices((len(ours), len(theirs))))
    ious = overlap.box_ious(ours, theirs, np.zeros(len(ours), bool), mine, other)
    back = overlap.box_ious(theirs, ours, np.zeros(len(theirs), bool), other, mine)
    np.testing.assert_array_equal(ious, back)
    assert ((ious >= 0) & (ious <= 1 + 1e-9)).all()


@given(st.lists(scores, min_size=0, max_size=600))
def test_scores_are_ordered_as_a_stable_sort_orders_them(values: list[float]) -> None:
    column = np.array(values)
    np.testing.assert_array_equal(descending_order(column), np.argsort(-column, kind="stable"))


@given(st.lists(st.integers(0, 200_000), max_size=300))
def test_whole_numbers_are_ordered_as_a_stable_sort_orders_them(values: list[int]) -> None:
    column = np.array(values, np.int64)
    expected = np.argsort(column, kind="stable")
    np.testing.assert_array_equal(stable_order(column, 200_001), expected)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40, unique=True))
def test_pairs_are_taken_as_one_after_the_other(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, np.intp).reshape(-1, 2).T
    left: set[int] = set()
    right: set[int] = set()
    expected = []
    for member, other_member in pairs:
        expected.append(member not in left and other_member not in right)
        if expected[-1]:
            left.add(member)
            right.add(other_member)
    assert paired_up(first, second).tolist() == expected


@quick
@given(seeds)
def test_every_number_is_a_share_or_undefined(seed: int) -> None:
    values = numbers(dataset_of(*data_of(seed)))
    assert (((values >= 0) & (values <= 1)) | (values == -1)).all()


@quick
@given(seeds)
def test_a_perfect_detector_finds_everything(seed: int) -> None:
    truth, _ = data_of(seed)
    predictions = [
        {**{k: item[k] for k in ("image_id", "category_id", "bbox")}, "score": 0.5}
        for item in truth["annotations"]
    ]
    values = numbers(dataset_of(truth, predictions), max_detections=[1, 10, 1000])
    assert values[8] == -1 or values[8] == 1
    assert values[6] <= values[7] <= values[8]


@quick
@given(seeds, st.floats(0.1, 3))
def test_only_the_order_of_scores_matters(seed: int, power: float) -> None:
    truth, predictions = data_of(seed)
    order = np.argsort(np.argsort([item["score"] for item in predictions], kind="stable"))
    ranks = (order + 1) / (len(predictions) + 1)
    ranked = [{**item, "score": float(rank)} for item, rank in zip(predictions, ranks, strict=True)]
    other = [
        {**item, "score": float(rank**power)} for item, rank in zip(predictions, ranks, strict=True)
    ]
    np.testing.assert_array_equal(
        numbers(dataset_of(truth, ranked)), numbers(dataset_of(truth, other))
    )


@quick
@given(seeds)
def test_a_label_that_nobody_shows_changes_nothing(seed: int) -> None:
    truth, predictions = data_of(seed)
    more = {**truth, "categories": [*truth["categories"], {"id": 999, "name": "nothing"}]}
    np.testing.assert_array_equal(
        numbers(dataset_of(truth, predictions)), numbers(dataset_of(more, predictions))
    )


@quick
@given(seeds, st.lists(st.integers(0, 5), min_size=8, max_size=8))
def test_weights_times_anything_change_nothing(seed: int, weights: list[int]) -> None:
    """Without ties of scores between images, each counted twice is each counted once."""
    truth, predictions = data_of(seed)
    distinct = np.random.default_rng(seed).permutation(len(predictions)) / max(len(predictions), 1)
    predictions = [
        {**item, "score": float(score)} for item, score in zip(predictions, distinct, strict=True)
    ]
    evaluator, ledger = matched(dataset_of(truth, predictions))
    often = np.array(weights[: len(ledger.datums)], np.int64)
    often = np.resize(often, len(ledger.datums))
    recalls = [headline(evaluator.measure(ledger, weights=often * by))[6:] for by in (1, 3)]
    np.testing.assert_allclose(recalls[0], recalls[1], rtol=1e-12)


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("seed", range(25))
def test_values_are_those_of_measure_by_numpy_for_any_weighting(
    seed: int, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ties, crowds, sides without anything; images that count never, once, or many times."""
    rng = np.random.default_rng(seed)
    evaluator, ledger = matched(dataset_of(*random_boxes(rng)), iou_threshold=0.63)
    count = len(ledger.datums)
    weights = rng.integers(0, rng.choice([2, 5]), (10, count))
    weights[:2] = [[0], [1]]
    few = np.where(np.arange(count) < count // 2, weights, 0)  # which are cut out of the ledger
    monkeypatch.setenv("VELOUR_ENGINE", "numpy")
    for rows in (weights, few):
        values = [evaluator.measure(ledger, weights=row) for row in rows]
        keys = [(metric.name, metric.label) for metric in values[0]]
        expected = [[metric.value for metric in row] for row in values]
        monkeypatch.setenv("VELOUR_ENGINE", engine)
        values = evaluator.values(ledger, keys, rows)
        np.testing.assert_array_equal(values, np.array(expected, float))
        monkeypatch.setenv("VELOUR_ENGINE", "numpy")


@given(st.lists(st.tuples(boxes, scores), max_size=6), st.lists(boxes, max_size=6))
def test_any_boxes_are_answered(values: list[Any], truths: list[Any]) -> None:
    """Of no size, of enormous size, on one another: an answer and no warning."""
    image = (
        [annotation(velour.BoundingBox.from_xywh(*box)) for box in truths],
        [annotation(velour.BoundingBox.from_xywh(*box), score=score) for box, score in values],
    )
    answer = measured(scene(image))
    assert (answer["mAP"] is None) == (not truths)
    ObjectDetection().details(match(scene(image)))
