"""Classification, semantic segmentation and embeddings keep the contract of evaluators."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from velour_evaluators.classification.evaluator import ImageClassification, TabularClassification
from velour_evaluators.embedding.evaluator import EmbeddingEvaluator
from velour_evaluators.semantic.evaluator import SemanticSegmentation
from velour_evaluators.semantic.label_image_counts import annotations_of_label_image

import velour_plugin as velour
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName
from velour_plugin.testing.evaluators import EvaluatorContract


def classes(rng: np.random.Generator, datums: int = 20) -> velour.Dataset:
    """Four classes with probabilities; some datums without a prediction."""
    truths, predictions = [], []
    for number in range(datums):
        datum = velour.Datum(str(number))
        label = velour.Label("class", "abcd"[rng.integers(4)])
        truths.append(velour.GroundTruth(datum, [velour.Annotation([label])]))
        scores = rng.dirichlet(np.ones(4))
        labels = [velour.Label("class", "abcd"[at], float(scores[at])) for at in range(4)]
        if rng.random() < 0.9:
            predictions.append(velour.Prediction(datum, [velour.Annotation(labels)]))
    return velour.Dataset.from_groundtruths(truths, "classes").with_predictions(
        predictions, "model"
    )


class TestImageClassification(EvaluatorContract):
    """Many classes, one a datum."""

    evaluator = ImageClassification()

    def dataset(self, seed: int) -> velour.Dataset:
        """Random classes and probabilities."""
        return classes(np.random.default_rng(seed))


class TestMultiLabelClassification(EvaluatorContract):
    """Any number of classes a datum."""

    evaluator = TabularClassification()
    given: ClassVar[dict[str, Any]] = {"multi_label": True}

    def dataset(self, seed: int) -> velour.Dataset:
        """One class a datum is a set of one."""
        return classes(np.random.default_rng(seed))


class TestSemanticSegmentation(EvaluatorContract):
    """Label images of three classes and background."""

    evaluator = SemanticSegmentation()
    names_datums = frozenset({"confusion_matrix"})

    def dataset(self, seed: int) -> velour.Dataset:
        """Images of eight by nine pixels in blocks."""
        rng = np.random.default_rng(seed)
        names = {1: "road", 2: "tree", 3: "sky"}
        truths, predictions = [], []
        for number in range(6):
            datum = velour.Datum(str(number), {"height": 8, "width": 9})
            image = np.kron(rng.integers(0, 4, (4, 3)), np.ones((2, 3), int))
            guess = np.where(rng.random(image.shape) < 0.2, rng.integers(0, 4, image.shape), image)
            truths.append(
                velour.GroundTruth(datum, annotations_of_label_image(image, names, ignore=[0]))
            )
            predictions.append(
                velour.Prediction(datum, annotations_of_label_image(guess, names, ignore=[0]))
            )
        return velour.Dataset.from_groundtruths(truths, "scenes").with_predictions(
            predictions, "model"
        )


def vectors(rng: np.random.Generator) -> velour.Dataset:
    """Eighteen items of three classes about three points."""
    truths, predictions = [], []
    for number in range(18):
        datum = velour.Datum(str(number), {"role": ("query", "candidate")[number % 2]})
        label = velour.Label("class", "abc"[number % 3])
        truths.append(velour.GroundTruth(datum, [velour.Annotation([label])]))
        vector = rng.normal(0, 1, 5) + 2 * np.eye(5)[number % 3]
        predictions.append(velour.Prediction(datum, [velour.Annotation([label], embedding=vector)]))
    return velour.Dataset.from_groundtruths(truths, "vectors").with_predictions(
        predictions, "model"
    )


class TestEmbedding(EvaluatorContract):
    """Nearest neighbours among all others."""

    evaluator = EmbeddingEvaluator()

    def dataset(self, seed: int) -> velour.Dataset:
        """Items about their class's point."""
        return vectors(np.random.default_rng(seed))


class TestQueriesAndCandidates(TestEmbedding):
    """Queries seek among candidates."""

    given: ClassVar[dict[str, Any]] = {"role_key": "role", "neighbours": [1, 5, 10]}


def test_neighbours_of_four_vectors_are_countable_by_hand() -> None:
    """A and a lie together, b lies with them, c has nobody to find and does not count."""
    items = {"0": ("a", [0.0, 1.0]), "1": ("a", [0.0, 2.0]), "2": ("b", [0.1, 1.0]),
             "3": ("c", [1.0, 0.0])}  # fmt: skip
    truths = [
        velour.GroundTruth(velour.Datum(uid), [velour.Annotation([velour.Label("class", name)])])
        for uid, (name, _) in items.items()
    ]
    predictions = [
        velour.Prediction(
            velour.Datum(uid),
            [velour.Annotation([velour.Label("class", "?")], embedding=vector)],
        )
        for uid, (_, vector) in items.items()
    ]
    dataset = velour.Dataset.from_groundtruths(truths, "four").with_predictions(
        predictions, "model"
    )

    found = velour.evaluate(dataset, "embedding", parameters={"neighbours": [1]}, save=False)

    assert found.headline == {
        "recall_1": 1.0,
        "purity_1": 0.5,
        "separation": pytest.approx(1.0),
    }


def test_what_embeddings_cannot_be_is_refused() -> None:
    dataset = vectors(np.random.default_rng(0))
    with pytest.raises(UnknownName, match="did you mean 'cosine'"):
        velour.evaluate(dataset, "embedding", parameters={"distance": "cosin"}, save=False)
    with pytest.raises(InvalidInput, match="rising whole numbers"):
        velour.evaluate(dataset, "embedding", parameters={"neighbours": [5, 1]}, save=False)
    with pytest.raises(BadDataset, match="'query' or 'candidate'"):
        velour.evaluate(dataset, "embedding", parameters={"role_key": "kind"}, save=False)
    with pytest.raises(BadDataset, match="have no embeddings"):
        velour.evaluate(classes(np.random.default_rng(0)), "embedding", save=False)
