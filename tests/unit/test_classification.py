"""Classification, counted by hand: decisions, scores, several keys, and sets of labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from velour_evaluators.classification.evaluator import ImageClassification, TabularClassification

import velour_plugin as velour
from tests.classification_data import (
    EVALUATOR,
    by_label,
    dataset_of,
    dataset_of_arrays,
    headline,
    ledger_of,
)
from velour_plugin.domain.labels import Label
from velour_plugin.partitions import PartitionedDataset, split

CATS_AND_DOGS = {"1": "cat", "2": "cat", "3": "dog", "4": "dog"}


def test_accuracy_counts_a_missing_prediction_as_wrong():
    """Two of four datums are predicted, both right."""
    metrics = headline(dataset_of(CATS_AND_DOGS, {"1": "cat", "3": "dog"}))

    assert metrics["accuracy"] == 0.5
    assert metrics["recall_macro"] == 0.5
    assert metrics["precision_macro"] == 1.0
    assert metrics["missing_predictions"] == 2


def test_the_two_tasks_differ_in_name_only():
    names = [ImageClassification.task, TabularClassification.task]

    assert names == ["image-classification", "tabular-classification"]
    assert ImageClassification.defaults == TabularClassification.defaults


def test_the_highest_score_decides_and_of_equal_ones_the_first_label():
    """Labels stand in the order of the dataset: here cat, dog."""
    predictions = {"1": {"dog": 0.5, "cat": 0.5}, "3": {"dog": 0.6, "cat": 0.4}}

    metrics = headline(dataset_of({"1": "cat", "3": "dog"}, predictions))

    assert metrics["accuracy"] == 1.0


def test_without_scores_the_predicted_label_decides_and_nothing_is_ranked():
    metrics = headline(dataset_of(CATS_AND_DOGS, dict(CATS_AND_DOGS, **{"4": "cat"})))

    assert metrics["accuracy"] == 0.75
    assert metrics["f1_macro"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    for name in ("top_5_accuracy", "roc_auc", "average_precision_macro", "log_loss", "ece"):
        assert metrics[name] is None


def test_a_label_that_was_never_predicted_has_no_precision_and_counts_as_0_in_the_mean():
    data = dataset_of(CATS_AND_DOGS, dict.fromkeys(CATS_AND_DOGS, "cat"))

    assert by_label(data, "precision") == {"cat": 0.5, "dog": None}
    assert headline(data)["precision_macro"] == 0.25


def test_a_predicted_label_that_is_never_true_takes_part():
    """A cow was seen: one more label in the mean, with an F1 of 0."""
    data = dataset_of({"1": "cat", "2": "cat"}, {"1": "cat", "2": "cow"})

    assert by_label(data, "recall") == {"cat": 0.5, "cow": None}
    assert headline(data)["f1_macro"] == pytest.approx((2 / 3 + 0) / 2)


def test_a_label_that_does_not_occur_is_in_no_mean():
    data = dataset_of({"1": "cat"}, {"1": {"cat": 1.0}}, labels=["yak", "cat"])

    assert headline(data)["f1_macro"] == 1.0
    assert by_label(data, "f1") == {"yak": None, "cat": 1.0}


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.9, 0.8, 0.2, 0.1), 1.0),
        ((0.5, 0.5, 0.5, 0.5), 0.5),
        ((1.0, 0.0, 1.0, 0.0), 0.5),
        ((0.9, 0.5, 0.5, 0.1), 0.875),
        ((0.1, 0.2, 0.8, 0.9), 0.0),
    ],
)
def test_roc_auc_gives_half_a_win_to_a_tie(scores, expected):
    """Two cats, two others: four pairs."""
    predictions = {
        uid: {"cat": score, "dog": 1 - score}
        for uid, score in zip(CATS_AND_DOGS, scores, strict=True)
    }

    assert headline(dataset_of(CATS_AND_DOGS, predictions))["roc_auc"] == expected


def test_roc_auc_scores_0_what_a_prediction_does_not_name():
    """Of the two cats one is named; the other ties with both dogs."""
    predictions = {uid: {"cat": 0.7} if uid == "1" else {"dog": 0.4} for uid in CATS_AND_DOGS}

    assert by_label(dataset_of(CATS_AND_DOGS, predictions), "roc_auc")["cat"] == (2 + 2 * 0.5) / 4


def test_roc_auc_is_undefined_when_all_datums_have_the_label():
    data = dataset_of({"1": "cat", "2": "cat"}, {"1": {"cat": 0.5}, "2": {"cat": 1.0}})

    assert headline(data)["roc_auc"] is None
    assert headline(data)["average_precision_macro"] == 1.0


def test_log_loss_and_brier_are_means_over_datums():
    """The true label got 1/2 and 1/4."""
    predictions = {"1": {"cat": 0.5, "dog": 0.5}, "3": {"cat": 0.75, "dog": 0.25}}

    metrics = headline(dataset_of({"1": "cat", "3": "dog"}, predictions))

    assert metrics["log_loss"] == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert metrics["brier"] == pytest.approx((0.5**2 + 0.75**2) / 2)


def test_log_loss_and_brier_need_scores_that_add_up_to_1():
    predictions = {"1": {"cat": 0.5, "dog": 0.5}, "3": {"cat": 0.9, "dog": 0.9}}

    metrics = headline(dataset_of({"1": "cat", "3": "dog"}, predictions))

    assert metrics["log_loss"] is None
    assert metrics["brier"] is None
    assert metrics["roc_auc"] is not None


def test_a_missing_prediction_gave_its_true_label_no_chance():
    """36.04 is what scikit-learn's clipping makes of a probability of 0."""
    metrics = headline(dataset_of({"1": "cat", "3": "dog"}, {"1": {"cat": 1.0}}))

    assert metrics["log_loss"] == pytest.approx(-math.log(2**-52) / 2)
    assert metrics["brier"] == pytest.approx((0 + 1 / 2) / 2)


def test_calibration_error_is_of_the_datums_with_a_prediction():
    """Confidence 0.75 and half of it right; datum 4 has no prediction and no confidence."""
    predictions = {uid: {"cat": 0.75, "dog": 0.25} for uid in ("1", "3")}

    assert headline(dataset_of(CATS_AND_DOGS, predictions))["ece"] == 0.25


def test_top_k_asks_whether_the_truth_is_among_the_best_named():
    """Ranks of the truth: 1, 2, 3, and unnamed."""
    scores = {"ant": 0.5, "bee": 0.3, "cat": 0.2}
    data = dataset_of(
        {"1": "ant", "2": "bee", "3": "cat", "4": "dog"},
        dict.fromkeys("1234", scores),
    )

    shares = [headline(data, top_k=k)[f"top_{k}_accuracy"] for k in (1, 2, 3, 5)]

    assert shares == [0.25, 0.5, 0.75, None]


def test_top_k_of_as_many_labels_is_undefined():
    """Of three labels, the truth is always among the best three: that says nothing."""
    scores = {"ant": 0.5, "bee": 0.3, "cat": 0.2}
    data = dataset_of({"1": "ant", "2": "bee", "3": "cat"}, dict.fromkeys("123", scores))

    assert headline(data)["top_5_accuracy"] is None
    assert headline(data, top_k=3)["top_3_accuracy"] is None
    assert headline(data, top_k=2)["top_2_accuracy"] == 2 / 3


def test_kappa_is_undefined_and_mcc_0_when_nothing_varies():
    """As in scikit-learn."""
    metrics = headline(dataset_of({"1": "cat", "2": "cat"}, {"1": "cat", "2": "cat"}))

    assert metrics["mcc"] == 0.0
    assert metrics["cohen_kappa"] is None
    assert metrics["balanced_accuracy"] == 1.0


def test_everything_is_undefined_without_datums_but_the_number_missing():
    """No truth is left: 0 predictions are missing, and nothing else is known."""
    ledger = ledger_of(dataset_of(CATS_AND_DOGS, {"1": {"cat": 1.0}}))

    metrics = EVALUATOR.measure(ledger, np.zeros(4, bool))

    values = {item.name: item.value for item in metrics if item.label is None}
    assert {name for name, value in values.items() if value is not None} == {"missing_predictions"}


def test_a_label_named_twice_has_its_higher_score():
    """As when a label map makes one label of two."""
    truths, twice = {"1": "cat", "3": "dog"}, {"cat": 0.25, "dog": 0.5}
    once = dataset_of(truths, {"1": twice, "3": twice})
    assert once.predictions is not None
    repeated = once.predictions.take(np.array([0, 0, 1, 2, 3]))
    repeated.score[1] = 0.125

    again = once.with_predictions(repeated, model="guesser")

    assert headline(again) == headline(once)


def test_the_positive_label_is_evaluated_against_the_rest():
    """Two fires, one found, one false alarm."""
    data = dataset_of(
        {"1": "fire", "2": "fire", "3": "calm"}, {"1": "fire", "2": "calm", "3": "fire"}
    )

    metrics = headline(data, positive_label="fire")

    assert [metrics[name] for name in ("precision", "recall", "f1")] == [0.5, 0.5, 0.5]
    assert "precision" not in headline(data)


def test_label_keys_are_evaluated_apart_and_all_but_the_first_are_named():
    """The order is that of the dataset's labels; a datum counts where it has a truth."""
    animal, size = ("animal", "cat"), ("size", "big")
    data = dataset_of(
        {"1": {animal: None, size: None}, "2": {("animal", "dog"): None}},
        {"1": {animal: 0.9, ("size", "small"): 0.8}, "2": {animal: 0.6, size: 0.5}},
    )

    metrics = headline(data)

    assert metrics["accuracy"] == 0.5
    assert metrics["size/accuracy"] == 0.0
    assert list(metrics)[: len(EVALUATOR.headline)] == list(EVALUATOR.headline)
    assert by_label(data, "support") == {"cat": 1, "dog": 1, "big": 1, "small": 0}


def test_the_first_key_is_that_of_the_datasets_first_label():
    data = dataset_of(
        {"1": {("b", "x"): None, ("a", "y"): None}},
        {"1": {("b", "x"): 1.0}},
        labels=[("b", "x"), ("a", "y")],
    )

    metrics = headline(data)

    assert (metrics["accuracy"], metrics["a/accuracy"]) == (1.0, 0.0)


def test_a_set_of_labels_is_right_as_a_whole():
    """A score at the threshold decides; datum 2 has a label too many."""
    truths = {"1": ["cat", "dog"], "2": ["cat"]}
    predictions = {"1": {"cat": 0.9, "dog": 0.5}, "2": {"cat": 0.8, "dog": 0.6}}
    data = dataset_of(truths, predictions)

    metrics = headline(data, multi_label=True)

    assert metrics["accuracy"] == 0.5
    assert by_label(data, "precision", multi_label=True) == {"cat": 1.0, "dog": 0.5}
    assert headline(data, multi_label=True, score_threshold=0.7)["accuracy"] == 0.5
    assert metrics["ece"] is None
    assert metrics["mcc"] is None


def test_sets_of_labels_may_have_no_scores():
    truths = {"1": ["cat", "dog"], "2": ["cat"]}
    predictions = {"1": ["dog", "cat"], "2": ["dog"]}

    metrics = headline(dataset_of(truths, predictions), multi_label=True)

    assert metrics["accuracy"] == 0.5
    assert metrics["recall_macro"] == (1 / 2 + 1) / 2
    assert metrics["roc_auc"] is None


def test_losses_of_sets_are_means_over_labels():
    """Two labels, one true with 3/4, one false with 1/2."""
    data = dataset_of({"1": ["cat"]}, {"1": {"cat": 0.75, "dog": 0.5}})

    metrics = headline(data, multi_label=True)

    assert metrics["log_loss"] == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    assert metrics["brier"] == pytest.approx((0.25**2 + 0.5**2) / 2)


def test_float32_softmax_is_ranked_as_its_float64_copy():
    """Scores that differ in their last bits only are not ties."""
    close = np.nextafter(0.5, 1)
    scores = np.array([[close, 1 - close], [0.5, 0.5]])
    data = dataset_of_arrays(np.array([0, 1]), scores)

    assert by_label(data, "roc_auc")["000"] == 1.0


def test_bounds_say_what_a_metric_can_be():
    bounds = [EVALUATOR.bounds(name) for name in ("accuracy", "size/mcc", "log_loss")]

    assert bounds == [(0.0, 1.0), (-1.0, 1.0), (0.0, None)]


def test_support_names_the_datums_that_have_each_label():
    data = dataset_of(CATS_AND_DOGS, {"1": "cow"})

    support = EVALUATOR.support(ledger_of(data))

    assert {name: datums.tolist() for name, datums in support.items()} == {
        ("class", "cat"): [0, 1],
        ("class", "dog"): [2, 3],
        ("class", "cow"): [],
    }


def test_a_metric_of_a_key_that_is_the_beginning_of_another():
    """Three keys, one of them named like a path."""
    keys = {("x", "1"): None, ("a", "2"): None, ("a/b", "3"): None}
    predictions = {("a/b", "3"): None}
    ledger = ledger_of(dataset_of({"1": keys}, {"1": predictions}, labels=list(keys)))

    alone = [
        EVALUATOR.values(ledger, [(f"{key}accuracy", None)], np.ones((1, 1), np.int64))[0, 0]
        for key in ("", "a/", "a/b/")
    ]

    assert alone == [0.0, 0.0, 1.0]


def test_a_resample_of_what_is_not_measured_is_undefined():
    ledger = ledger_of(dataset_of(CATS_AND_DOGS, {"1": "cat"}))
    weights = np.ones((2, 4), np.int64)

    for key in [
        ("mAP", None),
        ("f1", Label("class", "yak")),
        ("mAP", Label("class", "cat")),
    ]:
        assert np.isnan(EVALUATOR.values(ledger, [key], weights)).all()


def test_parts_whose_models_used_different_labels_make_the_ledger_of_all(tmp_path):
    """Each part knows the labels of the truth, and those that were predicted in it."""
    predictions = {
        "1": {"yak": 0.75},
        "2": {"cat": 0.5, "ape": 0.5},
        "3": {"dog": 1.0},
        "4": {"emu": 0.5},
    }
    whole = dataset_of(CATS_AND_DOGS, predictions)

    parts = PartitionedDataset.write(tmp_path, split(whole, 3))
    together = EVALUATOR.concatenate([ledger_of(part) for part in parts])

    assert together.labels == ledger_of(whole).labels
    assert EVALUATOR.measure(together) == EVALUATOR.measure(ledger_of(whole))


def test_probabilities_of_labels_that_become_one_are_added():
    """0.4 for car and 0.3 for truck are 0.7 for a vehicle."""
    scores = {"car": 0.4, "truck": 0.3, "boat": 0.3}
    labels = [Label("class", name, share) for name, share in scores.items()]
    datum = velour.Datum("1")
    truth = velour.GroundTruth(datum, [velour.Annotation([Label("class", "car")])])
    predictions = velour.Prediction(datum, [velour.Annotation(labels)])
    dataset = velour.Dataset.from_groundtruths([truth], "roads").with_predictions(
        [predictions], "model"
    )
    became = {"car": "vehicle", "truck": "vehicle"}

    evaluation = velour.evaluate(
        dataset, "image-classification", parameters={"label_map": became}, save=False
    )

    assert evaluation["log_loss"] == pytest.approx(-math.log(0.7))
