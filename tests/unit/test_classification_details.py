"""What classification shows once: confusion matrix, reliability, curves; and large vocabularies."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sklearn import metrics as sk

from tests.classification_data import (
    EVALUATOR,
    dataset_of,
    dataset_of_arrays,
    detail,
    ledger_of,
)
from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.datasets import Dataset

FURTHER = {"precision_micro", "recall_micro", "f1_micro", "rms_ece"}
"""Numbers that are details, defined or not."""

CATS_AND_DOGS = {"1": "cat", "2": "cat", "3": "dog", "4": "dog"}


def test_the_confusion_matrix_has_a_column_for_what_is_missing():
    """Rows are truths, in the order of the labels."""
    matrix = detail(
        dataset_of(CATS_AND_DOGS, {"1": "cat", "2": "dog", "4": "dog"}), "confusion_matrix"
    )

    assert matrix["columns"] == ["cat", "dog", "missing"]
    assert matrix["counts"] == [[1, 1, 0], [0, 1, 1]]
    assert matrix["errors"] == [
        {"truth": "cat", "predicted": "dog", "count": 1, "examples": ["2"]},
        {"truth": "dog", "predicted": None, "count": 1, "examples": ["3"]},
    ]


def test_examples_are_the_first_datums_and_the_largest_cell_comes_first():
    """Numbers sort by size: 9 comes before 10."""
    truths = {str(number): "dog" for number in range(8, 12)} | {"1": "cat"}
    predictions = dict.fromkeys(truths, "cat") | {"1": "dog"}

    matrix = detail(dataset_of(truths, predictions), "confusion_matrix", examples=2)

    assert [cell["count"] for cell in matrix["errors"]] == [4, 1]
    assert matrix["errors"][0]["examples"] == ["8", "9"]


def test_reliability_sorts_datums_by_confidence():
    """Two bins, [0, 0.5] and (0.5, 1]."""
    predictions = {
        "1": {"cat": 0.5, "dog": 0.25},
        "2": {"cat": 0.75},
        "3": {"cat": 0.875},
    }

    bins = detail(dataset_of(CATS_AND_DOGS, predictions), "reliability", calibration_bins=2)

    assert bins == {
        "from": [0.0, 0.5],
        "to": [0.5, 1.0],
        "count": [1, 2],
        "confidence": [0.5, 0.8125],
        "accuracy": [1.0, 0.5],
    }


def test_an_empty_bin_has_no_confidence():
    bins = detail(dataset_of({"1": "cat"}, {"1": {"cat": 1.0}}), "reliability", calibration_bins=2)

    assert bins["confidence"] == [None, 1.0]


def test_curves_of_four_datums():
    """From high to low the scores are of a cat, a dog, a cat, a dog."""
    scores = {"1": 0.875, "3": 0.75, "2": 0.5, "4": 0.25}
    data = dataset_of(CATS_AND_DOGS, {uid: {"cat": score} for uid, score in scores.items()})

    assert detail(data, "roc_curve", "cat") == {
        "false_positive_rate": [0, 0, 0.5, 0.5, 1],
        "true_positive_rate": [0, 0.5, 0.5, 1, 1],
        "threshold": [None, 0.875, 0.75, 0.5, 0.25],
    }
    assert detail(data, "precision_recall_curve", "cat") == {
        "recall": [0.5, 1.0],
        "precision": [1.0, 2 / 3],
        "threshold": [0.875, 0.5],
    }


def test_a_curve_ends_where_all_datums_are_decided_for_the_label():
    """The second cat is not named: it scores 0, with both dogs."""
    data = dataset_of(CATS_AND_DOGS, {"1": {"cat": 0.5}, "3": {"dog": 0.5}})

    curve = detail(data, "precision_recall_curve", "cat")

    assert curve == {"recall": [0.5, 1.0], "precision": [1.0, 0.5], "threshold": [0.5, 0.0]}


def test_a_label_without_truths_has_no_curve():
    data = dataset_of({"1": "cat"}, {"1": {"cat": 0.5, "cow": 0.5}})

    assert detail(data, "roc_curve", "cow") is None
    assert detail(data, "precision_recall_curve", "cow") is None
    assert detail(data, "roc_curve", "cat") is None


def test_long_curves_are_thinned_to_points_of_the_whole_curve():
    """At most 101 and 201 points, all of them scikit-learn's, both ends included."""
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 5000)
    score = np.clip(random.normal(0.4 + 0.2 * truth, 0.2), 0.001, 0.999)
    data = dataset_of_arrays(truth, np.column_stack([1 - score, score]))

    roc = detail(data, "roc_curve", "001")
    precision = detail(data, "precision_recall_curve", "001")

    x, y, _ = sk.roc_curve(truth, score, drop_intermediate=False)
    exact = set(zip(x.tolist(), y.tolist(), strict=True))
    thinned = list(zip(roc["false_positive_rate"], roc["true_positive_rate"], strict=True))
    assert set(thinned) <= exact
    assert 90 < len(thinned) <= 101
    assert (thinned[0], thinned[-1]) == ((0, 0), (1, 1))
    y, x, _ = sk.precision_recall_curve(truth, score)
    thinned = list(zip(precision["recall"], precision["precision"], strict=True))
    assert set(thinned) <= set(zip(x.tolist(), y.tolist(), strict=True))
    assert 180 < len(thinned) <= 201


def test_decisions_are_counted_at_every_twentieth():
    """At 0.5, one cat and one dog score enough."""
    scores = {"1": 0.9, "2": 0.3, "3": 0.5, "4": 0.1}
    data = dataset_of(CATS_AND_DOGS, {uid: {"cat": score} for uid, score in scores.items()})

    counts = detail(data, "threshold_counts", "cat")

    at = counts["threshold"].index(0.5)
    assert len(counts["threshold"]) == 19
    assert {name: values[at] for name, values in counts.items()} == {
        "threshold": 0.5,
        "tp": 1,
        "fp": 1,
        "fn": 1,
        "tn": 1,
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "fn_misclassified": 0,
        "fn_missing": 1,
        "tn_correct": 0,
        "tn_misclassified": 0,
        "tn_missing": 1,
    }
    assert counts["precision"][-1] is None


def test_without_scores_there_is_a_matrix_and_no_curve():
    ledger = ledger_of(dataset_of(CATS_AND_DOGS, {"1": "cat"}))

    names = {metric.name for metric in EVALUATOR.details(ledger)}

    assert names == {"confusion_matrix", "decision_counts", *FURTHER}


def test_sets_of_labels_have_curves_and_a_soft_matrix():
    data = dataset_of({"1": ["cat", "dog"], "2": ["dog"]}, {"1": {"cat": 0.5}, "2": {"dog": 0.5}})
    ledger = ledger_of(data, multi_label=True)

    names = {metric.name for metric in EVALUATOR.details(ledger)}

    curves = {"roc_curve", "precision_recall_curve", "threshold_counts"}
    assert names == {*curves, "soft_confusion_matrix", "decision_counts", *FURTHER}


@pytest.mark.parametrize("many", [False, True])
def test_a_hundred_thousand_labels_fit_in_little_memory(many):
    """A square matrix of them would take 80 GB; a thousand cells are listed."""
    labels, datums = 100_000, 3_000
    random = np.random.default_rng(0)
    truth = random.integers(0, labels, datums)
    names = [("class", str(label)) for label in range(labels)]
    data = Dataset.from_table(
        "many",
        [Datum(str(index)) for index in range(datums)],
        AnnotationTable.from_columns(names, np.arange(datums), truth),
    ).with_predictions(
        AnnotationTable.from_columns(
            names,
            np.repeat(np.arange(datums), 5),
            random.integers(0, labels, datums * 5),
            score=random.random(datums * 5),
        ),
        model="m",
    )

    tracemalloc.start()
    ledger = ledger_of(data, multi_label=many)
    details = EVALUATOR.details(ledger)
    headline = EVALUATOR.values(ledger, [("accuracy", None)], np.ones((1, datums), np.int64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 300e6
    assert headline[0, 0] < 0.01
    assert sum(metric.name == "roc_curve" for metric in details) == 1000
    if not many:
        assert details[0].value["counts"] is None
        assert len(details[0].value["errors"]) == 1000
        assert details[0].value["errors_not_listed"] > 1000
