"""Classification by the compiled kernel has the bits of numpy: tables of ledgers, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from velour_evaluators.classification.evaluator import ImageClassification
from velour_evaluators.classification.kernels import class_scores, ranking_order
from velour_evaluators.classification.kernels.class_scores import ClassScores
from velour_evaluators.kernels.native import library, scores

import velour_plugin as velour
from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.datasets import Dataset
from velour_plugin.errors import BadDataset

pytestmark = pytest.mark.skipif(library.functions is None, reason="no compiled kernel")


def random_scores(rng: np.random.Generator, rows: int, labels: int, share: float) -> ClassScores:
    """Scores with ties, zeros, ones and neighbours that differ in their last bit."""
    cells = np.flatnonzero(rng.random(rows * labels) < share)
    kind = rng.integers(0, 4)
    score = rng.random(len(cells))
    if kind == 1:
        score = score.round(1)
    if kind == 2:
        score = 0.5 + rng.integers(0, 9, len(cells)) * 2.0**-53
    if kind == 3:
        score[rng.random(len(cells)) < 0.5] = 0.0
    row, label = (index.astype(np.int32) for index in np.divmod(cells, labels))
    return ClassScores(row, label, score, rows, labels)


@pytest.mark.parametrize("seed", range(80))
def test_both_engines_decide_and_rank_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, labels = int(rng.choice([1, 2, 70, 1500])), int(rng.choice([1, 2, 7, 9, 150]))
    predictions = random_scores(rng, rows, labels, rng.choice([0.0, 0.5, 1.0]))
    truth = rng.integers(0, labels, rows).astype(np.int32)
    ours, theirs = scores.decisions(predictions, truth), class_scores.decisions(predictions, truth)
    for name in ("predicted", "confidence", "rank", "log_loss", "brier"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)
    pairs = np.unique(np.append(np.flatnonzero(rng.random(rows * labels) < 0.1), 0))
    of = np.sort(rng.choice(9999, rows, replace=False)).astype(np.int32)
    true = [index.astype(np.int32) for index in np.divmod(pairs, labels)]
    for mine, reference in zip(
        scores.rank(predictions, of, *true), ranking_order.rank(predictions, of, *true), strict=True
    ):
        for name in mine.__slots__:
            np.testing.assert_array_equal(getattr(mine, name), getattr(reference, name), name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": np.array([0.5, np.nan])}, "score"),
        ({"score": np.array([0.5, 1.5])}, "score"),
        ({"row": np.array([1, 0], np.int32)}, "row"),
        ({"row": np.array([0, 7], np.int32)}, "row"),
        ({"label": np.array([0, -1], np.int32)}, "label"),
        ({"row": np.zeros(2, np.int32), "label": np.zeros(2, np.int32)}, "label"),
    ],
)
def test_what_is_out_of_bounds_is_named(change: dict[str, Any], message: str) -> None:
    columns = {
        "row": np.array([0, 1], np.int32),
        "label": np.array([0, 1], np.int32),
        "score": np.array([0.5, 0.5]),
    }
    predictions = ClassScores(**{**columns, **change}, rows=2, labels=2)
    truth = np.zeros(2, np.int32)
    with pytest.raises(ValueError, match=message):
        scores.rank(predictions, truth, np.arange(2, dtype=np.int32), truth)


def test_a_truth_that_comes_twice_is_refused() -> None:
    zeros = np.zeros(2, np.int32)
    predictions = ClassScores(zeros[:1], zeros[:1], np.array([0.5]), 1, 1)
    with pytest.raises(ValueError, match="truth"):
        scores.rank(predictions, zeros[:1], zeros, zeros)


@pytest.mark.parametrize("parameters", [{}, {"multi_label": True}, {"positive_label": "b"}])
def test_ledgers_and_metrics_have_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, parameters: dict[str, Any]
) -> None:
    """Some datums without prediction, some labels not named, two label keys."""
    rng = np.random.default_rng(7)
    names = [("class", "a"), ("class", "b"), ("kind", "x"), ("kind", "y")]
    cells = np.flatnonzero(rng.random(4 * 200) < 0.7)
    truth = AnnotationTable.from_columns(names, np.arange(200), rng.integers(0, 4, 200))
    table = AnnotationTable.from_columns(names, *np.divmod(cells, 4), score=rng.random(len(cells)))
    datums = [Datum(str(number)) for number in range(200)]
    dataset = Dataset.from_table("d", datums, truth).with_predictions(table, "m")
    evaluator, made = ImageClassification(), []
    for engine in ("native", "numpy"):
        monkeypatch.setenv("VELOUR_ENGINE", engine)
        ledger = evaluator.match(dataset, evaluator.parameters(parameters))
        made.append((ledger.tables, [item.to_dict() for item in evaluator.measure(ledger)]))
    for name, columns in made[0][0].items():
        for column, values in columns.items():
            np.testing.assert_array_equal(values, made[1][0][name][column], f"{name} {column}")
    assert made[0][1] == made[1][1]


def test_arrays_make_the_dataset_that_objects_make() -> None:
    chances = [[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]
    ours = Dataset.from_arrays("pets", ["cat", "dog", "dog"], chances, model="m")
    truths, predictions = [], []
    for row, (value, pair) in enumerate(zip(["cat", "dog", "dog"], chances, strict=True)):
        datum = velour.Datum(str(row))
        truths.append(
            velour.GroundTruth(datum, [velour.Annotation([velour.Label("class", value)])])
        )
        labels = [
            velour.Label("class", name, p) for name, p in zip(["cat", "dog"], pair, strict=True)
        ]
        predictions.append(velour.Prediction(datum, [velour.Annotation(labels)]))
    theirs = Dataset.from_groundtruths(truths, "pets").with_predictions(predictions, "m")
    assert (ours.content_digests, ours.datums) == (theirs.content_digests, theirs.datums)


def test_arrays_come_in_any_order_of_uids() -> None:
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    sorted_, mixed = (
        Dataset.from_arrays("d", truth, said_, uids=uids, metadata=facts)
        for truth, said_, uids, facts in (
            ([0, 1, 1], chances, ["2", "9", "10"], [{"n": 1}, {"n": 2}, {"n": 3}]),
            ([1, 1, 0], chances[[2, 1, 0]], ["10", "9", "2"], [{"n": 3}, {"n": 2}, {"n": 1}]),
        )
    )
    assert sorted_.content_digests == mixed.content_digests
    assert mixed.uids == ("2", "9", "10")
    assert mixed.datums[2] == Datum("10", {"n": 3})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"truth": [0, 1], "predictions": [[0.5, 0.5]]}, r"predictions of shape \(1, 2\)"),
        ({"truth": ["a"] * 2, "predictions": [[0.5, 0.5]] * 2}, "expected 1 columns"),
        ({"truth": ["c", "b"], "labels": ["a", "b"]}, "'c'"),
        ({"truth": ["a", "b"], "labels": ["a", "b", "a"]}, "'a' is named twice"),
        ({"truth": ["a", "b"], "uids": ["1", "1"]}, "occurs twice"),
        ({"truth": 3}, r"truth of shape \(\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadDataset, match=message):
        Dataset.from_arrays("d", **arguments)
