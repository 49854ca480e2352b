"""What classification refuses: each message gives the value, the rule and the way out."""

from __future__ import annotations

import pytest

from tests.classification_data import EVALUATOR, dataset_of, headline, ledger_of
from velour_plugin.domain.annotations import Annotation, Datum, GroundTruth, Prediction
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.geometry import BoundingBox, Raster
from velour_plugin.domain.labels import Label
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName

CATS = {"1": "cat", "2": "cat"}


def test_two_true_labels_under_one_key():
    data = dataset_of({"1": ["cat", "dog"]}, {"1": "cat"})

    with pytest.raises(BadDataset, match=r"'1'.*'class'.*'cat' and 'dog'.*multi_label=True"):
        headline(data)


def test_one_true_label_said_twice_is_one_label():
    assert headline(dataset_of({"1": ["cat"]}, {"1": "cat"}))["accuracy"] == 1.0


@pytest.mark.parametrize(
    "region", [{"bounding_box": BoundingBox(0, 0, 1, 1)}, {"raster": Raster([[True]])}]
)
def test_a_region(region):
    labelled = Annotation([Label("class", "cat")])
    located = Annotation([Label("class", "cat")], **region)
    data = Dataset.from_groundtruths([GroundTruth(Datum("a"), [labelled])], "pets")
    predictions = data.with_predictions([Prediction(Datum("a"), [located])], model="m")

    with pytest.raises(
        BadDataset, match=r"'a' has a region: image-classification.*object-detection"
    ):
        headline(predictions)


def test_scores_on_some_predictions_only():
    data = dataset_of(CATS, {"1": {"cat": 0.5}, "2": "cat"})

    with pytest.raises(BadDataset, match=r"'class'.*score on datum '1' and none on datum '2'"):
        headline(data)


def test_scores_on_some_parts_only():
    """Each part is sound for itself."""
    scored = ledger_of(dataset_of({"1": "cat"}, {"1": {"cat": 0.5}}))
    hard = ledger_of(dataset_of({"2": "cat"}, {"2": "cat"}))

    with pytest.raises(BadDataset, match="score on datum '1' and none on datum '2'"):
        EVALUATOR.concatenate([hard, scored])


def test_two_predicted_labels_without_scores():
    data = dataset_of(CATS, {"2": ["cat", "dog"]})

    with pytest.raises(BadDataset, match=r"'2' is predicted as 'cat' and as 'dog'.*multi_label"):
        headline(data)


def test_no_predictions():
    data = Dataset.from_groundtruths([GroundTruth(Datum("a"))], "pets")

    with pytest.raises(BadDataset, match="'pets' has no predictions: use with_predictions"):
        ledger_of(data)


def test_no_ground_truth():
    data = dataset_of({"1": None}, {"1": "cat"})

    with pytest.raises(BadDataset, match="'pets' has no ground truth"):
        headline(data)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("top_k", 0, "a whole number of at least 1"),
        ("top_k", True, "a whole number of at least 1"),
        ("calibration_bins", 1.5, "a whole number of at least 1"),
        ("positive_label", "", "the value of a label, or None"),
        ("multi_label", "yes", "True or False"),
        ("score_threshold", 0, "a number above 0 and up to 1"),
        ("score_threshold", float("nan"), "a number above 0 and up to 1"),
        ("examples", -1, "a whole number of at least 0"),
    ],
)
def test_a_parameter_that_breaks_its_rule(name, value, rule):
    with pytest.raises(InvalidInput, match=f"{name} = .*expected {rule}"):
        EVALUATOR.parameters({name: value})


def test_a_parameter_that_is_not_known():
    with pytest.raises(UnknownName, match="did you mean 'top_k'"):
        EVALUATOR.parameters({"topk": 3})


def test_a_positive_label_that_is_not_known():
    with pytest.raises(UnknownName, match="positive_label 'cats': did you mean 'cat'"):
        headline(dataset_of(CATS, {"1": "cat"}), positive_label="cats")
