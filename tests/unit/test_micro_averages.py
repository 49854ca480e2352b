"""Averages over all labels together, and the confusion matrix of sets, against references."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from sklearn import metrics as sk

import velour_plugin as velour
from tests.classification_data import EVALUATOR, dataset_of_arrays, detail, ledger_of
from tests.coco_oracle import dataset_of, matched, random_boxes

MICRO = ("precision_micro", "recall_micro", "f1_micro")


@pytest.mark.parametrize("seed", range(10))
def test_of_one_label_a_datum_they_equal_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, scores = random.integers(0, 4, 50), random.random((50, 4)).round(1)
    predicted = random.random(50) < 0.8
    dataset = dataset_of_arrays(truth, scores, predicted)
    chosen = np.where(predicted, scores.argmax(axis=1), 4)
    expected = sk.precision_recall_fscore_support(
        truth, chosen, labels=range(4), average="micro", zero_division=0
    )
    assert [detail(dataset, name) for name in MICRO] == pytest.approx(expected[:3])


@pytest.mark.parametrize("seed", range(10))
def test_of_sets_of_labels_they_equal_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.random((40, 5)) < 0.3
    truth[~truth.any(axis=1), 0] = True
    scores = random.random((40, 5)).round(1)
    dataset = dataset_of_arrays(truth, scores)
    expected = sk.precision_recall_fscore_support(truth, scores >= 0.5, average="micro")
    values = [detail(dataset, name, multi_label=True) for name in MICRO]
    assert values == pytest.approx(expected[:3])


def test_without_decisions_there_is_no_precision() -> None:
    dataset = dataset_of_arrays(np.array([0, 1]), np.ones((2, 2)), np.zeros(2, bool))
    assert [detail(dataset, name) for name in MICRO] == [None, 0.0, 0.0]


def test_they_are_ranked_by_as_fast_as_what_is_measured() -> None:
    """A weighting of 0 and 1 is the selection."""
    random = np.random.default_rng(0)
    dataset = dataset_of_arrays(random.integers(0, 3, 30), random.random((30, 3)))
    ledger, chosen = ledger_of(dataset), random.random(30) < 0.5
    values = EVALUATOR.values(ledger, [(name, None) for name in MICRO], chosen[None].astype(int))
    of_part = {metric.name: metric.value for metric in EVALUATOR.details(ledger, chosen)}
    assert values[0].tolist() == [of_part[name] for name in MICRO]


@pytest.mark.parametrize("seed", range(6))
def test_of_detections_they_are_of_all_true_positives(seed: int) -> None:
    dataset = dataset_of(*random_boxes(np.random.default_rng(seed)))
    detection, ledger = matched(dataset, score_threshold=0.3)
    outcome = detection.matches(ledger)["outcome"]
    right, false, missed = (
        int((outcome == name).sum())
        for name in ("true positive", "false positive", "false negative")
    )
    expected = [
        right / (right + false) if right + false else None,
        right / (right + missed) if right + missed else None,
        2 * right / (2 * right + false + missed) if right + missed else None,
    ]
    details = {metric.name: metric.value for metric in detection.details(ledger)}
    assert [details[name] for name in MICRO] == expected
    keys = [(name, None) for name in MICRO]
    values = detection.values(ledger, keys, np.ones((1, len(ledger.datums)), np.int64))
    assert np.array_equal(values[0], np.array(expected, float), equal_nan=True)


def contribution(true: set[int], decided: set[int], labels: int) -> np.ndarray:
    """One datum's part of the matrix, case by case as the paper has them."""
    matrix = np.zeros((labels, labels + 1))
    found, missed, others = true & decided, true - decided, decided - true
    if not decided:
        matrix[list(true), labels] = 1
    elif not missed:
        for label in true:
            matrix[label, label] = len(true) / len(decided)
            matrix[label, list(others)] = 1 / len(decided)
    else:
        matrix[list(found), list(found)] = 1
        targets = others or decided
        for label, target in product(missed, targets):
            matrix[label, target] += 1 / len(targets)
    return matrix


@pytest.mark.parametrize("seed", range(10))
def test_a_soft_confusion_matrix_is_the_sum_of_its_datums(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.random((30, 4)) < 0.4
    truth[~truth.any(axis=1), 0] = True
    scores = (random.random((30, 4)) * random.integers(0, 2, (30, 4))).round(1)
    matrix = detail(dataset_of_arrays(truth, scores), "soft_confusion_matrix", multi_label=True)
    expected = sum(
        contribution(set(np.flatnonzero(row)), set(np.flatnonzero(score >= 0.5)), 4)
        for row, score in zip(truth, scores, strict=True)
    )
    counts = np.array(matrix["counts"])
    assert counts == pytest.approx(expected)
    assert counts.sum(axis=1) == pytest.approx(truth.sum(axis=0))
    assert matrix["columns"][-1] == "missing"


def test_of_one_label_each_it_is_the_common_matrix() -> None:
    random = np.random.default_rng(0)
    truth, chosen = random.integers(0, 3, 40), random.integers(0, 3, 40)
    dataset = dataset_of_arrays(truth, np.eye(3)[chosen])
    soft = detail(dataset, "soft_confusion_matrix", multi_label=True)
    assert soft["counts"] == detail(dataset, "confusion_matrix")["counts"]


def test_a_leaderboard_by_a_micro_average_has_intervals() -> None:
    random = np.random.default_rng(0)
    dataset = dataset_of_arrays(random.integers(0, 3, 60), random.random((60, 3)))
    velour.evaluate(dataset, "image-classification")
    row = velour.rank("f1_micro", resamples=50)[0]
    assert row.value == detail(dataset, "f1_micro")
    assert row.interval is not None
