"""The classification evaluators keep the contract of evaluators."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from velour_evaluators.classification.evaluator import ImageClassification, TabularClassification

import velour_plugin as velour
from tests.classification_data import dataset_of
from velour_plugin.testing.evaluators import EvaluatorContract

KEYS = {"zoo": ["zebra", "ape", "bear"], "age": ["old", "young"]}


def answers(random: np.random.Generator, scored: bool, many: bool) -> velour.Dataset:
    """Twelve datums, two keys, missing truths and predictions, a label that is never true."""
    truths: dict[str, Any] = {}
    predictions: dict[str, Any] = {}
    for number in range(12):
        truths[str(number)] = {
            (key, str(value)): None
            for key, values in KEYS.items()
            for value in random.choice(values, int(random.integers(0, 3 if many else 2)), False)
        }
        named = {
            (key, str(value)): float(random.random()) if scored else None
            for key, values in KEYS.items()
            for value in random.permutation([*values, "other"])[: 4 if scored else 1]
        }
        if random.random() < 0.8:
            predictions[str(number)] = named
    truths["0"] = {(key, values[0]): None for key, values in KEYS.items()}
    labels = [(key, value) for key, values in KEYS.items() for value in (*values, "other")]
    return dataset_of(truths, predictions, labels=labels)


class TestImageClassification(EvaluatorContract):
    """Scores that are no probabilities, two label keys."""

    evaluator = ImageClassification()

    def dataset(self, seed: int) -> velour.Dataset:
        """Scored answers."""
        return answers(np.random.default_rng(seed), scored=True, many=False)


class TestTabularClassification(TestImageClassification):
    """The same under its other name."""

    evaluator = TabularClassification()


class TestHardPredictions(EvaluatorContract):
    """Labels without scores."""

    evaluator = ImageClassification()

    def dataset(self, seed: int) -> velour.Dataset:
        """One predicted label of each key."""
        return answers(np.random.default_rng(seed), scored=False, many=False)


class TestSetsOfLabels(EvaluatorContract):
    """Many labels on a datum."""

    evaluator = ImageClassification()
    given: ClassVar[dict[str, Any]] = {"multi_label": True, "score_threshold": 0.4}

    def dataset(self, seed: int) -> velour.Dataset:
        """Scored answers."""
        return answers(np.random.default_rng(seed), scored=True, many=True)

    def test_what_is_better_when_lower_is_a_metric(self) -> None:
        """The clause asks with default parameters, which refuse sets of labels."""
        names = {item["name"] for item in self.answers(self.match(self.dataset(0)))}
        assert self.evaluator.lower_is_better <= names


class TestProbabilities(EvaluatorContract):
    """Scores that add up to 1: losses are defined."""

    evaluator = ImageClassification()
    given: ClassVar[dict[str, Any]] = {"positive_label": "b", "top_k": 5, "examples": 2}

    def dataset(self, seed: int) -> velour.Dataset:
        """Twenty datums, three labels."""
        random = np.random.default_rng(seed)
        names, scores = np.array(["a", "b", "c"]), random.dirichlet(np.ones(3), 20)
        return dataset_of(
            {str(index): str(name) for index, name in enumerate(random.choice(names, 20))},
            {
                str(index): dict(zip(names.tolist(), row, strict=True))
                for index, row in enumerate(scores.tolist())
            },
        )
