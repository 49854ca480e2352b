"""What must hold of classification for any dataset, to the bit."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from velour_evaluators.classification.kernels.ranking_order import fall

from tests.classification_data import EVALUATOR, by_label, dataset_of, ledger_of, spelled
from velour_plugin.testing.evaluators import same_ledgers

TRUTH = {"animal": ["ant", "bee", "cat"], "size": ["large", "small"]}
PREDICTIONS = {"animal": ["ant", "bee", "cat", "dog"], "size": ["large", "small"]}
VOCABULARY = [(key, value) for key, values in PREDICTIONS.items() for value in values]

shares = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.75, 1.0])


def near_half(steps: int) -> float:
    """The float so many steps above 0.5."""
    return 0.5 + steps * 2.0**-53


@st.composite
def truths(draw, many=False):
    """What is true of one datum: of each key one label, none, or (``many``) several."""
    most = 3 if many else 1
    return {
        (key, value): None
        for key, values in TRUTH.items()
        for value in draw(st.lists(st.sampled_from(values), max_size=most, unique=True))
    }


@st.composite
def answers(draw, scored=True):
    """Predictions of one datum: scores of a few labels, probabilities of all, or hard labels."""
    predictions = {}
    for key, values in PREDICTIONS.items():
        named = draw(st.lists(st.sampled_from(values), max_size=4 if scored else 1, unique=True))
        scores = [draw(shares) if scored else None for _ in named]
        if scored and draw(st.booleans()) and sum(scores):
            scores = [score / sum(scores) for score in scores]
        predictions.update(
            {(key, value): score for value, score in zip(named, scores, strict=True)}
        )
    return predictions


@st.composite
def cases(draw, most=7):
    """Truths and answers by uid, and parameters that go with them."""
    many, scored = draw(st.booleans()), draw(st.booleans())
    true = {f"d{index}": draw(truths(many)) for index in range(draw(st.integers(1, most)))}
    true["d0"] = {("animal", "ant"): None, ("size", "small"): None}
    predictions = {uid: draw(answers(scored)) for uid in true if draw(st.booleans())}
    predictions["d0"] = {("animal", "ant"): 0.5 if scored else None}
    parameters = {
        "multi_label": many,
        "top_k": draw(st.integers(1, 3)),
        "calibration_bins": draw(st.integers(1, 5)),
        "positive_label": draw(st.sampled_from([None, "ant", "small"])),
    }
    return true, predictions, parameters


def everything(ledger, datums=None, weights=None):
    """All metrics and details in JSON."""
    return spelled(
        EVALUATOR.measure(ledger, datums, weights) + EVALUATOR.details(ledger, datums, weights)
    )


@given(cases(), st.data())
def test_a_subset_of_the_ledger_is_a_subset_of_the_data(case, data):
    """To measure some datums of a ledger is to evaluate a dataset of these alone."""
    true, predictions, parameters = case
    dataset = dataset_of(true, predictions)
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=len(true), max_size=len(true))))

    of_ledger = everything(ledger_of(dataset, **parameters), chosen)

    assert of_ledger == everything(ledger_of(dataset.subset(chosen), **parameters))


@given(cases(most=5), st.data())
def test_a_weight_is_so_many_copies(case, data):
    """To weight a datum by three is to have it in the data three times."""
    true, predictions, parameters = case
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(true), max_size=len(true)))
    counts[0] = max(counts[0], 1)
    copies = {
        f"{uid}.{copy}": uid
        for uid, count in zip(true, counts, strict=True)
        for copy in range(count)
    }
    repeated = dataset_of(
        {copy: true[uid] for copy, uid in copies.items()},
        {copy: predictions[uid] for copy, uid in copies.items() if uid in predictions},
        labels=VOCABULARY,
    )
    single = dataset_of(true, predictions, labels=VOCABULARY)
    parameters["examples"] = 0

    weighted = everything(ledger_of(single, **parameters), weights=np.array(counts))

    assert weighted == everything(ledger_of(repeated, **parameters))


@given(cases(), st.randoms())
def test_the_order_of_datums_and_annotations_changes_nothing(case, shuffler):
    """A dataset is what it says, in whatever order."""
    true, predictions, parameters = case

    shuffled = dataset_of(_shuffled(true, shuffler), _shuffled(predictions, shuffler))

    straight = everything(ledger_of(dataset_of(true, predictions), **parameters))
    assert straight == everything(ledger_of(shuffled, **parameters))


def _shuffled(by_uid: dict, shuffler: random.Random) -> dict:
    uids = shuffler.sample(list(by_uid), len(by_uid))
    return {uid: dict(shuffler.sample(list(by_uid[uid].items()), len(by_uid[uid]))) for uid in uids}


@given(cases(), st.data())
def test_ledgers_of_partitions_are_the_ledger_of_all(case, data):
    """However the datums are dealt out, and whatever labels each part's model uses."""
    true, predictions, parameters = case
    dataset = dataset_of(true, predictions)
    dealt = st.lists(st.integers(0, 2), min_size=len(true), max_size=len(true))
    part = np.array(data.draw(dealt))
    parts = [dataset.subset(part == number) for number in set(part.tolist())]

    together = EVALUATOR.concatenate([ledger_of(one, **parameters) for one in parts])

    assert same_ledgers(together, ledger_of(dataset, **parameters))


@given(cases(), st.data())
def test_a_resample_of_one_metric_is_that_metric_measured(case, data):
    """What a bootstrap asks for alone is what it would find among all metrics."""
    true, predictions, parameters = case
    ledger = ledger_of(dataset_of(true, predictions), **parameters)
    counts = st.lists(st.integers(0, 3), min_size=len(true), max_size=len(true))
    weights = np.array([data.draw(counts), data.draw(counts)])
    measured = [EVALUATOR.measure(ledger, weights=row) for row in weights]

    keys = [(metric.name, metric.label) for metric in measured[0]]
    expected = [
        [np.nan if metric.value is None else metric.value for metric in metrics]
        for metrics in measured
    ]
    np.testing.assert_array_equal(EVALUATOR.values(ledger, keys, weights), expected)
    column = data.draw(st.integers(0, len(keys) - 1))
    alone = EVALUATOR.values(ledger, [keys[column]], weights)[:, 0]
    np.testing.assert_array_equal(alone, np.array(expected)[:, column])


@given(cases())
def test_every_number_is_within_its_bounds(case):
    """No share leaves [0, 1], no correlation [-1, 1]."""
    true, predictions, parameters = case

    for metric in EVALUATOR.measure(ledger_of(dataset_of(true, predictions), **parameters)):
        low, high = EVALUATOR.bounds(metric.name)
        if metric.value is not None:
            assert low is None or low <= metric.value
            assert high is None or metric.value <= high


@given(cases())
def test_everything_measured_is_json_without_nan(case):
    """Undefined is null, and no number is infinite."""
    true, predictions, parameters = case

    measured = everything(ledger_of(dataset_of(true, predictions), **parameters))

    assert json.loads(json.dumps(measured, allow_nan=False)) == measured


@given(st.lists(st.one_of(shares, st.floats(0, 1), st.integers(0, 9).map(near_half))))
def test_scores_fall_as_a_stable_sort_lets_them(scores):
    """Even where they differ in their last bits only, or are denormal, or -0.0."""
    order, falling = fall(np.array(scores, float))

    assert order.tolist() == np.argsort(-np.array(scores, float), kind="stable").tolist()
    assert falling.tolist() == sorted(scores, reverse=True)


@given(cases())
def test_roc_auc_is_the_share_of_pairs_won(case):
    """Of all pairs of a datum with the label and one without; a tie wins half."""
    true, predictions, parameters = case
    dataset = dataset_of(true, predictions)
    evaluated = [uid for uid, labels in true.items() if any(key == "animal" for key, _ in labels)]
    if any(score is None for answer in predictions.values() for score in answer.values()):
        return

    for value, measured in by_label(dataset, "roc_auc", **parameters).items():
        name = ("animal", value)
        score = {uid: predictions.get(uid, {}).get(name, 0.0) for uid in evaluated}
        won = [
            (score[uid] > score[other]) + (score[uid] == score[other]) / 2
            for uid in evaluated
            for other in evaluated
            if name in true[uid] and name not in true[other]
        ]
        if value in PREDICTIONS["animal"]:
            assert measured == (pytest.approx(np.mean(won)) if won else None)
