"""Predictions are of the classes of the ground truth, or somebody hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import velour_plugin as velour
from velour_plugin.errors import BadDataset, BadFilter, UnknownName
from velour_plugin.plugin import parse_filter

BOX = velour.BoundingBox(0, 0, 10, 10)


def dataset(truth: Sequence[Any], predicted: Sequence[Any], key: str = "class") -> velour.Dataset:
    """One image a class, with one box of it on each side; ``None`` for none."""
    datums = [velour.Datum(str(number)) for number in range(len(truth))]

    def boxes(name: Any, score: float | None, key: str) -> list[velour.Annotation]:
        label = None if name is None else velour.Label(key, name, score)
        return [] if label is None else [velour.Annotation([label], bounding_box=BOX)]

    truths = [
        velour.GroundTruth(datum, boxes(name, None, "class"))
        for datum, name in zip(datums, truth, strict=True)
    ]
    predictions = [
        velour.Prediction(datum, boxes(name, 0.5, key))
        for datum, name in zip(datums, predicted, strict=True)
    ]
    return velour.Dataset.from_groundtruths(truths, "d").with_predictions(predictions, "m")


def evaluated(data: velour.Dataset, **parameters: Any) -> float | None:
    evaluation = velour.evaluate(data, "object-detection", parameters=parameters, save=False)
    value = evaluation.metrics[0].value
    return None if value is None else round(value, 6)


WRONG = [
    (["cat", "dog"], ["0", "1"], "class", r"Numbers stand where .* has names: .*labels="),
    (["cat", "dog"], [0, 1], "class", r"'0', '1'; the ground truth has 'cat', 'dog'.*labels="),
    ([0, 1], ["cat", "dog"], "class", "Names stand where the ground truth has numbers"),
    (["cat", "dog"], ["Cat", "DOG"], "class", "Did you mean 'cat' by 'Cat'"),
    (["cat", "dog"], ["cat ", None], "class", "Did you mean 'cat' by 'cat '"),
    (["motorbike"], ["motorcycle"], "class", "Did you mean 'motorbike' by 'motorcycle'"),
    (["cat"], ["comp4_det_test_cat"], "class", "Did you mean 'cat' by 'comp4"),
    (["cat"], ["xyz"], "class", "A label_map makes"),
    (["cat"], ["cat"], "Class", r"'Class=cat'.*label keys differ"),
]


@pytest.mark.parametrize(("truth", "predicted", "key", "message"), WRONG)
@pytest.mark.parametrize("save", [False, True])
def test_predictions_of_no_true_class_are_refused(
    truth: Any, predicted: Any, key: str, message: str, save: bool, tmp_path: Any
) -> None:
    data = dataset(truth, predicted, key)
    with pytest.raises(BadDataset, match=message):
        velour.evaluate(data, "object-detection", save=save, store=f"sqlite:///{tmp_path}/x.db")


def test_a_label_map_joins_both_sides() -> None:
    data = dataset(["cat", "dog"], ["Cat", "Dog"])
    assert evaluated(data, label_map={"Cat": "cat", "Dog": "dog"}) == 1.0
    with pytest.raises(BadDataset, match="no prediction is of a class"):
        evaluated(data, label_map={"cat": "pet", "dog": "pet"})


def test_some_unknown_classes_are_counted() -> None:
    data = dataset(["cat", "dog", "dog"], ["cat", "cow", "cow"])
    with pytest.warns(velour.ReadingWarning, match=r"2 predictions of classes .*'cow'"):
        assert evaluated(data) == 0.5


def test_a_stored_evaluation_counts_them_again(tmp_path: Any) -> None:
    data = dataset(["cat", "dog"], ["cat", "cow"])
    for _ in range(2):
        with pytest.warns(velour.ReadingWarning, match="1 predictions of classes"):
            velour.evaluate(data, "object-detection", store=f"sqlite:///{tmp_path}/x.db")


def test_images_without_anything_to_find_are_evaluated() -> None:
    """Without true annotations there are no classes to compare with."""
    assert evaluated(dataset([None, None], ["cat", None])) is None
    assert evaluated(dataset(["cat", "dog"], [None, None])) == 0.0


def test_parts_of_a_dataset_are_looked_at_together() -> None:
    """A part whose predictions are all unknown is no reason to refuse the whole."""
    data = dataset(["cat", "dog", "dog", "cat"], ["cat", "cow", "cow", "cow"])
    with pytest.warns(velour.ReadingWarning, match="3 predictions of classes"):
        velour.evaluate(data, "object-detection", n_jobs=2, save=False)


def test_only_the_chosen_keys_are_looked_at() -> None:
    data = dataset(["cat", "dog"], ["cat", "dog"])
    assert evaluated(data, label_keys=["class"]) == 1.0


def street(**options: Any) -> velour.Dataset:
    images = [[[0, 0, 1, 2]]]
    names = {0: "road", 1: "car", 2: "void"}
    return velour.Dataset.from_label_images("s", images, images, labels=names, **options)


@pytest.mark.parametrize(
    ("ignored", "message"),
    [
        ("viod", "unknown ignore_label 'viod': did you mean 'void'"),
        ("Void", "did you mean 'void'"),
        (2, "ignore_label '2': it is the name of a label, not the number of its pixels; known"),
        (("class", "sky"), "ignore_label 'class=sky': .*class=car"),
        (("kind", "void"), "did you mean 'class=void'"),
    ],
)
def test_a_label_to_ignore_is_one_of_the_labels(ignored: Any, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        velour.evaluate(
            street(), "semantic-segmentation", parameters={"ignore_label": ignored}, save=False
        )


@pytest.mark.parametrize("ignored", ["void", ("class", "void"), None])
@pytest.mark.parametrize("where", [None, "uid = '0'"])
def test_a_label_that_is_there_is_ignored(ignored: Any, where: str | None) -> None:
    parameters = {"ignore_label": ignored}
    evaluation = velour.evaluate(
        street(), "semantic-segmentation", parameters=parameters, where=where, save=False
    )
    assert evaluation["mIoU"] == 1.0


def rows(**options: Any) -> velour.Dataset:
    return velour.Dataset.from_arrays("r", [True, False, True], [1, 1, 1], **options)


@pytest.mark.parametrize("positive", [True, 1, 1.0, "1"])
def test_parameters_name_classes_as_they_are_written(positive: Any) -> None:
    parameters = {"positive_label": positive}
    evaluation = velour.evaluate(
        rows(), "tabular-classification", parameters=parameters, save=False
    )
    assert evaluation["recall"] == 1.0


@pytest.mark.parametrize("mapping", [{True: "yes", 0: "no"}, {("class", 1): ("class", "yes")}])
def test_label_maps_name_classes_as_they_are_written(mapping: Any) -> None:
    evaluation = velour.evaluate(
        rows(), "tabular-classification", parameters={"label_map": mapping}, save=False
    )
    values = {(m.name, m.label and m.label.value): m.value for m in evaluation.metrics}
    assert values["recall", "yes"] == 1.0


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("label.value = 1", "label.value = '1'"),
        ("label.value = TRUE", "label.value = '1'"),
        ("1.0 = label.value", "label.value = '1'"),
        ("label.value IN (1, FALSE)", "label.value IN ('1', '0')"),
        ("NOT label.value <> 0", "NOT label.value <> '0'"),
    ],
)
def test_filters_name_classes_as_they_are_written(typed: str, text: str) -> None:
    assert parse_filter(typed) == parse_filter(text)
    velour.evaluate(rows(), "tabular-classification", where=typed, save=False)


def test_a_fraction_is_no_class_in_a_filter() -> None:
    with pytest.raises(BadFilter, match=r"label\.value is a string and 1\.5 is a number"):
        parse_filter("label.value = 1.5")


def test_a_closed_vocabulary_refuses_other_classes() -> None:
    datum = velour.Datum("a")

    def of(name: str) -> list[velour.Annotation]:
        return [velour.Annotation([velour.Label("class", name)])]

    closed = velour.Dataset.from_groundtruths(
        [velour.GroundTruth(datum, of("cat"))], "d", labels=["cat", "dog"]
    )
    assert closed.with_predictions([velour.Prediction(datum, of("dog"))], "m").labels == (
        ("class", "cat"),
        ("class", "dog"),
    )
    with pytest.raises(UnknownName, match="class of the prediction 'dgo': did you mean 'dog'"):
        closed.with_predictions([velour.Prediction(datum, of("dgo"))], "m")
    with pytest.raises(UnknownName, match="class of the ground truth 'cat'"):
        velour.Dataset.from_groundtruths([velour.GroundTruth(datum, of("cat"))], "d", labels=["c"])
    with pytest.raises(BadDataset, match="'c' is not among the labels"):
        velour.Dataset.from_arrays("d", ["a", "b"], ["a", "c"], labels=["a", "b"])
    arrays = velour.Dataset.from_arrays("d", ["a"], labels=["a", "b"])
    with pytest.raises(UnknownName, match="class of the prediction 'cow'"):
        arrays.with_predictions([velour.Prediction(velour.Datum("0"), of("cow"))], "m")
    assert closed.digest == closed.with_vocabulary(["cat", "dog", "cow"]).digest
