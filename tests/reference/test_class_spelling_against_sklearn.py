"""Classes of any type, and degenerate data, give scikit-learn's numbers."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk
from sklearn.exceptions import UndefinedMetricWarning

import velour_plugin as velour

CLASSES: dict[str, list[Any]] = {
    "bool": [False, True],
    "int": [3, 10, 9],
    "negative": [-1, 1],
    "float": [0.0, 1.0, 2.0],
    "text": ["b", "a", "True", "1"],
    "numpy text": list(np.array(["x", "y", "zz"])),
}


def measured(dataset: velour.Dataset, **parameters: Any) -> dict[str, float]:
    """Headline metrics; NaN where they are undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", velour.ReadingWarning)
        evaluation = velour.evaluate(
            dataset, "tabular-classification", parameters=parameters, save=False
        )
    values = {metric.name: metric.value for metric in evaluation.metrics if metric.label is None}
    return {name: math.nan if value is None else value for name, value in values.items()}


def decisions(truth: NDArray[Any], predicted: NDArray[Any]) -> dict[str, float]:
    """scikit-learn's numbers; NaN where it calls a metric undefined."""
    average = {"average": "macro", "zero_division": 0}
    return {
        "accuracy": sk.accuracy_score(truth, predicted),
        "precision_macro": sk.precision_score(truth, predicted, **average),
        "recall_macro": sk.recall_score(truth, predicted, **average),
        "f1_macro": sk.f1_score(truth, predicted, **average),
        "f1_weighted": sk.f1_score(truth, predicted, average="weighted", zero_division=0),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, predicted),
        "mcc": sk.matthews_corrcoef(truth, predicted),
        "cohen_kappa": sk.cohen_kappa_score(truth, predicted),
    }


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("seed", range(12))
def test_decisions_of_classes_of_any_type(kind: str, seed: int) -> None:
    """Few rows, so that classes are often absent on one side and decisions constant."""
    random = np.random.default_rng(seed)
    classes = np.array(CLASSES[kind])
    rows = int(random.integers(1, 9))
    truth = classes[random.integers(0, random.integers(1, len(classes) + 1), rows)]
    predicted = classes[random.integers(0, random.integers(1, len(classes) + 1), rows)]
    predicted[0] = truth[0]  # so that some class is on both sides
    expected = decisions(truth, predicted)
    for as_given in (lambda values: values, lambda values: values.astype(object), list):
        dataset = velour.Dataset.from_arrays("d", as_given(truth), as_given(predicted))
        values = measured(dataset)
        assert {name: values[name] for name in expected} == pytest.approx(
            expected, abs=1e-12, nan_ok=True
        )


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("count", [2, 3])
def test_decision_values_rank_as_in_scikit_learn(seed: int, count: int) -> None:
    """Areas are those of the decision values; what needs probabilities is undefined."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, count, 40)
    truth[:count] = range(count)
    values = (random.normal(0, 3, (40, count)) + 2 * np.eye(count)[truth]).round(1)
    one_hot = np.eye(count)[truth]
    given = values
    if count == 2:
        given = values[:, 1] - values[:, 0]
        values = np.stack([-given, given], axis=1)
    with pytest.warns(velour.ReadingWarning, match="read as decision values"):
        dataset = velour.Dataset.from_arrays("d", truth, given)
    found = measured(dataset)
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(one_hot, values), abs=1e-12)
    assert found["average_precision_macro"] == pytest.approx(
        sk.average_precision_score(one_hot, values), abs=1e-12
    )
    assert found["accuracy"] == sk.accuracy_score(truth, values.argmax(axis=1))
    assert all(math.isnan(found[name]) for name in ("log_loss", "brier", "ece"))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("seed", range(10))
def test_probabilities_with_absent_classes(seed: int) -> None:
    """Nobody is of some class, or all are of one."""
    random = np.random.default_rng(seed)
    rows, most = int(random.integers(2, 12)), int(random.integers(1, 4))
    truth = random.integers(0, most, rows)
    scores = random.dirichlet(np.ones(3), rows)
    found = measured(velour.Dataset.from_arrays("d", truth, scores, labels=[0, 1, 2]))
    expected = decisions(truth, scores.argmax(axis=1))
    expected["log_loss"] = sk.log_loss(truth, scores, labels=[0, 1, 2])
    assert {name: found[name] for name in expected} == pytest.approx(
        expected, abs=1e-12, nan_ok=True
    )
    for label in range(3):
        _same_area(truth == label, scores[:, label], label, truth, scores)


def _same_area(
    is_true: NDArray[np.bool_],
    score: NDArray[np.float64],
    label: int,
    truth: NDArray[Any],
    scores: NDArray[np.float64],
) -> None:
    dataset = velour.Dataset.from_arrays("d", truth, scores, labels=[0, 1, 2])
    found = measured(dataset, positive_label=label)["roc_auc"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        try:
            expected = sk.roc_auc_score(is_true, score)
        except ValueError:  # scikit-learn before 1.6
            expected = math.nan
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
def test_one_probability_a_row_is_of_the_second_class(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.random(30) < 0.5
    truth[:2] = [False, True]
    chance = random.random(30)
    found = measured(velour.Dataset.from_arrays("d", truth, chance))
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(truth, chance), abs=1e-12)
    assert found["log_loss"] == pytest.approx(sk.log_loss(truth, chance), abs=1e-12)
    assert found["brier"] == pytest.approx(sk.brier_score_loss(truth, chance), abs=1e-12)
