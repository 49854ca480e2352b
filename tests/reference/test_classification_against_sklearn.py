"""Classification equals scikit-learn, on random data full of ties."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from tests.classification_data import by_label, dataset_of_arrays, headline

CLOSE = 1e-12


def tied_probabilities(
    datums: int, labels: int, steps: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """True labels, and scores in so few steps that most of them are tied; rows add up to 1."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, labels, datums)
    truth[:labels] = np.arange(labels)
    chance = random.dirichlet(np.ones(labels), datums)
    chance[np.arange(datums), truth] += 0.5
    chance /= chance.sum(axis=1, keepdims=True)
    return truth, np.array([random.multinomial(steps, row) for row in chance]) / steps


def brier(truth: NDArray[Any], scores: NDArray[np.float64]) -> float:
    """The definition of scikit-learn 1.8, for those before it as well."""
    squares = ((np.eye(scores.shape[1])[truth] - scores) ** 2).sum(axis=1).mean()
    return float(squares / 2 if scores.shape[1] == 2 else squares)


def guo_error(truth: NDArray[Any], scores: NDArray[np.float64], bins: int) -> float:
    """Expected calibration error as in the code of Guo et al. 2017, bin by bin."""
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == truth
    edges, error = np.linspace(0, 1, bins + 1), 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += abs(confidence[inside].mean() - right[inside].mean()) * inside.mean()
    return error


# scikit-learn 1.4 clips scores of 0 before it adds them up, and wonders about the sum
@pytest.mark.filterwarnings("ignore:The y_pred values do not sum to one")
@pytest.mark.parametrize(
    ("datums", "labels", "steps"), [(60, 2, 4), (200, 3, 8), (500, 7, 8), (300, 20, 32)]
)
@pytest.mark.parametrize("seed", range(5))
def test_every_headline_number_is_that_of_scikit_learn(datums, labels, steps, seed):
    """Decisions, averages, rankings, losses and agreement, for two labels and for many."""
    truth, scores = tied_probabilities(datums, labels, steps, seed)
    predicted = scores.argmax(axis=1)
    average = {"average": "macro", "zero_division": 0}
    one_hot = np.eye(labels)[truth]
    expected = {
        "accuracy": sk.accuracy_score(truth, predicted),
        "precision_macro": sk.precision_score(truth, predicted, **average),
        "recall_macro": sk.recall_score(truth, predicted, **average),
        "f1_macro": sk.f1_score(truth, predicted, **average),
        "f1_weighted": sk.f1_score(truth, predicted, average="weighted", zero_division=0),
        "roc_auc": sk.roc_auc_score(one_hot, scores, average="macro"),
        "average_precision_macro": sk.average_precision_score(one_hot, scores, average="macro"),
        "log_loss": sk.log_loss(truth, scores, labels=range(labels)),
        "ece": guo_error(truth, scores, 15),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, predicted),
        "mcc": sk.matthews_corrcoef(truth, predicted),
        "cohen_kappa": sk.cohen_kappa_score(truth, predicted),
        "brier": brier(truth, scores),
        "missing_predictions": 0,
    }

    measured = headline(dataset_of_arrays(truth, scores))

    assert {name: measured[name] for name in expected} == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_top_k_accuracy_breaks_ties_as_scikit_learn_does(k, seed):
    """Of equal scores, it is the last label that ranks first."""
    truth, scores = tied_probabilities(300, 7, 5, seed)

    measured = headline(dataset_of_arrays(truth, scores), top_k=k)

    expected = sk.top_k_accuracy_score(truth, scores, k=k, labels=range(7))
    assert measured[f"top_{k}_accuracy"] == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize("seed", range(3))
def test_each_label_has_the_numbers_of_scikit_learn(seed):
    """Label by label: precision, recall, F1, support, and one against the rest."""
    truth, scores = tied_probabilities(400, 5, 6, seed)
    predicted, one_hot = scores.argmax(axis=1), np.eye(5)[truth]
    data = dataset_of_arrays(truth, scores)
    table = sk.precision_recall_fscore_support(truth, predicted)
    expected = dict(zip(("precision", "recall", "f1", "support"), table, strict=True))
    expected["roc_auc"] = sk.roc_auc_score(one_hot, scores, average=None)
    expected["average_precision"] = sk.average_precision_score(one_hot, scores, average=None)

    for name, values in expected.items():
        assert list(by_label(data, name).values()) == pytest.approx(list(values), abs=CLOSE)


@pytest.mark.parametrize("seed", range(3))
def test_the_positive_label_has_the_binary_numbers_of_scikit_learn(seed):
    """Precision, recall and F1 with ``average="binary"``; ROC AUC of that label's scores."""
    truth, scores = tied_probabilities(200, 2, 8, seed)
    predicted = scores.argmax(axis=1)
    expected = {
        "precision": sk.precision_score(truth, predicted),
        "recall": sk.recall_score(truth, predicted),
        "f1": sk.f1_score(truth, predicted),
        "roc_auc": sk.roc_auc_score(truth, scores[:, 1]),
        "average_precision": sk.average_precision_score(truth, scores[:, 1]),
        "brier": sk.brier_score_loss(truth, scores[:, 1]),
    }

    measured = headline(dataset_of_arrays(truth, scores), positive_label="001")

    assert {name: measured[name] for name in expected} == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize("seed", range(5))
def test_missing_predictions_are_one_more_label_that_is_never_true(seed):
    """As if scikit-learn were given a label "missing", with scores of 0 for all others."""
    truth, scores = tied_probabilities(200, 4, 6, seed)
    answered = np.random.default_rng(seed).random(200) < 0.8
    predicted = np.where(answered, scores.argmax(axis=1), 4)
    one_hot, scores = np.eye(4)[truth], np.where(answered[:, None], scores, 0.0)
    average = {"labels": range(4), "average": "macro", "zero_division": 0}
    expected = {
        "accuracy": sk.accuracy_score(truth, predicted),
        "precision_macro": sk.precision_score(truth, predicted, **average),
        "recall_macro": sk.recall_score(truth, predicted, **average),
        "f1_macro": sk.f1_score(truth, predicted, **average),
        "roc_auc": sk.roc_auc_score(one_hot, scores, average="macro"),
        "average_precision_macro": sk.average_precision_score(one_hot, scores, average="macro"),
        "mcc": sk.matthews_corrcoef(truth, predicted),
        "cohen_kappa": sk.cohen_kappa_score(truth, predicted),
        "brier": brier(truth, scores),
        "missing_predictions": 200 - answered.sum(),
    }

    measured = headline(dataset_of_arrays(truth, scores, answered))

    assert {name: measured[name] for name in expected} == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_sets_of_labels_are_evaluated_as_indicator_matrices(seed, threshold):
    """Scores of a datum add up to anything; a label counts from the threshold on."""
    random = np.random.default_rng(seed)
    truth = random.random((150, 6)) < 0.3
    truth[np.arange(150), random.integers(0, 6, 150)] = True
    scores = np.clip(random.random((150, 6)) * 0.7 + truth * 0.3, 0, 1).round(1)
    predicted = scores >= threshold
    average = {"average": "macro", "zero_division": 0}
    columns = range(6)
    expected = {
        "accuracy": sk.accuracy_score(truth, predicted),
        "precision_macro": sk.precision_score(truth, predicted, **average),
        "recall_macro": sk.recall_score(truth, predicted, **average),
        "f1_macro": sk.f1_score(truth, predicted, **average),
        "f1_weighted": sk.f1_score(truth, predicted, average="weighted", zero_division=0),
        "roc_auc": sk.roc_auc_score(truth, scores, average="macro"),
        "average_precision_macro": sk.average_precision_score(truth, scores, average="macro"),
        "log_loss": np.mean([sk.log_loss(truth[:, c], scores[:, c]) for c in columns]),
        "brier": np.mean([sk.brier_score_loss(truth[:, c], scores[:, c]) for c in columns]),
    }

    measured = headline(
        dataset_of_arrays(truth, scores), multi_label=True, score_threshold=threshold
    )

    assert {name: measured[name] for name in expected} == pytest.approx(expected, abs=CLOSE)


def test_a_large_column_is_ranked_as_a_small_one():
    """From 100,000 rows on, labels are sorted in threads; half of these scores are tied."""
    random = np.random.default_rng(0)
    truth, score = random.integers(0, 2, 60_000), random.random(60_000)
    score = np.where(random.random(60_000) < 0.5, score.round(2), score)
    scores = np.column_stack([1 - score, score])

    data = dataset_of_arrays(truth, scores)

    expected = {
        "000": sk.roc_auc_score(1 - truth, 1 - score),
        "001": sk.roc_auc_score(truth, score),
    }
    assert by_label(data, "roc_auc") == pytest.approx(expected, abs=CLOSE)
    expected = {
        "000": sk.average_precision_score(1 - truth, 1 - score),
        "001": sk.average_precision_score(truth, score),
    }
    assert by_label(data, "average_precision") == pytest.approx(expected, abs=CLOSE)
