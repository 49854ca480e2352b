"""Decisions of classification and their reasons against scikit-learn and against loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import multilabel_confusion_matrix

import velour_plugin as velour
from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.plugins.installed import installed

LABELS = ("bird", "cat", "dog", "newt")
Sets = list[set[str]]
Scores = list[dict[str, float]]


def scene(seed: int, most: int) -> tuple[Sets, Scores]:
    """True labels, and scores of some of all labels, with ties and datums without any."""
    rng = np.random.default_rng(seed)
    truths, scores = [], []
    for _ in range(int(rng.integers(1, 40))):
        truths.append({str(name) for name in rng.choice(LABELS[:3], rng.integers(1, most + 1))})
        named = rng.choice(LABELS, rng.integers(0, 5), replace=False)
        raw = rng.integers(0, 5, len(named)) / 4
        if most == 1:  # probabilities
            raw = raw + 0.25
            raw = raw / raw.sum() if len(raw) else raw
        scores.append({str(name): float(score) for name, score in zip(named, raw, strict=True)})
    return truths, scores


def evaluated(truths: Sets, scores: Scores, **parameters: Any) -> Evaluation:
    datums = [velour.Datum(str(number)) for number in range(len(truths) + 1)]
    truth = [
        velour.GroundTruth(datum, [velour.Annotation([velour.Label("class", name)])
                                   for name in sorted(names)])
        for datum, names in zip(datums, [*truths, set()], strict=True)
    ]  # fmt: skip
    predictions = [
        velour.Prediction(datum, [velour.Annotation([velour.Label("class", *item)])
                                  for item in sorted(of.items())])
        for datum, of in zip(datums, scores, strict=False)
    ]  # fmt: skip
    dataset = velour.Dataset.from_groundtruths(truth, "pets").with_predictions(predictions, "m")
    return velour.evaluate(dataset, "image-classification", parameters=parameters, save=False)


def counted(truths: Sets, decided: Sets, label: str) -> dict[str, int]:
    """What each datum is for a label, one after the other."""
    counts = dict.fromkeys(
        ("tp", "fp", "fn", "tn", "fn_misclassified", "fn_missing", "tn_correct",
         "tn_misclassified", "tn_missing"), 0,
    )  # fmt: skip
    for true, names in zip(truths, decided, strict=True):
        name = ("t" if (label in true) == (label in names) else "f") + (
            "p" if label in names else "n"
        )
        counts[name] += 1
        wrong = "misclassified" if names - true else "missing"
        if name == "fn":
            counts[f"fn_{wrong}"] += 1
        if name == "tn":
            counts["tn_correct" if names & true else f"tn_{wrong}"] += 1
    return counts


def labels_of(evaluation: Evaluation) -> list[str]:
    return [value for _, value in evaluation.ledger.labels]


@pytest.mark.parametrize("seed", range(25))
def test_decisions_for_one_label_are_those_of_the_confusion_matrix(seed: int) -> None:
    truths, scores = scene(seed, 1)
    evaluation = evaluated(truths, scores)
    matrix = np.array(evaluation.value("confusion_matrix")["counts"])
    labels = labels_of(evaluation)
    (answers,) = [evaluation.ledger.tables["answers"]]
    decided = [{labels[index]} if index >= 0 else set() for index in answers["predicted"].tolist()]
    true = [next(iter(names)) for names in truths]
    sklearn = multilabel_confusion_matrix(
        true, [next(iter(names), "none") for names in decided], labels=[*labels, "none"]
    )
    for index, label in enumerate(labels):
        counts = evaluation.value("decision_counts", label=label)
        assert counts == counted(truths, decided, label)
        quarters = [counts[name] for name in ("tn", "fp", "fn", "tp")]
        assert quarters == sklearn[index].ravel().tolist()
        assert counts["fn_missing"] == matrix[index, -1]
        assert counts["fn_misclassified"] == matrix[index, :-1].sum() - matrix[index, index]


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("threshold", [0.25, 0.5, 1.0])
def test_decisions_for_sets_are_those_of_a_loop(seed: int, threshold: float) -> None:
    truths, scores = scene(seed, 3)
    evaluation = evaluated(truths, scores, multi_label=True, score_threshold=threshold)
    decided = [{name for name, score in of.items() if score >= threshold} for of in scores]
    for label in labels_of(evaluation):
        assert evaluation.value("decision_counts", label=label) == counted(truths, decided, label)


@pytest.mark.parametrize(("seed", "most"), [(seed, most) for seed in range(20) for most in (1, 3)])
def test_decisions_at_every_threshold_are_those_of_a_loop(seed: int, most: int) -> None:
    truths, scores = scene(seed, most)
    evaluation = evaluated(truths, scores, multi_label=most > 1)
    if not any(scores):
        return
    for label in labels_of(evaluation):
        counts = evaluation.value("threshold_counts", label=label)
        for row, threshold in enumerate(counts["threshold"]):
            decided = [{name for name, score in of.items() if score >= threshold} for of in scores]
            expected = counted(truths, decided, label)
            assert {name: counts[name][row] for name in expected} == expected


def test_parts_of_a_dataset_are_counted_alone() -> None:
    """A datum that counts twice is counted twice, one that does not count never."""
    truths, scores = scene(3, 1)
    evaluation = evaluated(truths, scores)
    evaluator = installed().evaluator("image-classification")
    weights = np.random.default_rng(0).integers(0, 3, len(evaluation.ledger.datums))
    weighted = evaluator.details(evaluation.ledger, None, weights)
    several = [number for number, often in enumerate(weights[:-1]) for _ in range(often)]
    repeated = evaluated([truths[number] for number in several],
                         [scores[number] for number in several])  # fmt: skip
    for metric in weighted:
        known = metric.label is not None and metric.label.value in labels_of(repeated)
        if known and metric.name in ("decision_counts", "threshold_counts"):
            assert metric.value == repeated.value(metric.name, label=metric.label)
