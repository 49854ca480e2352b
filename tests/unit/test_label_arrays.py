"""Label images as models return them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import velour_plugin as velour
from tests.label_pngs import PALETTE, write_png
from velour_plugin.domain.columns.label_arrays import as_label_image
from velour_plugin.errors import BadAnnotation, BadDataset

NAMES = {0: "road", 1: "car", 2: "sky", 255: "void"}
IMAGE = np.array([[0, 1, 2, 2], [2, 0, 1, 1]])
ONE_HOT = np.eye(3, dtype=np.uint8)[IMAGE]
PARAMETERS = {"ignore_label": "void", "boundary_width": 1}


class Tensor:
    """What torch gives: numpy can read it once it is detached."""

    def detach(self) -> Tensor:
        """From the graph."""
        return self

    def cpu(self) -> np.ndarray[Any, Any]:
        """From the device."""
        return IMAGE


@pytest.mark.parametrize(
    "given",
    [
        IMAGE,
        IMAGE.tolist(),
        IMAGE.astype(np.uint16),
        Tensor(),
        ONE_HOT,
        ONE_HOT.astype(bool).transpose(2, 0, 1),
        ONE_HOT * 0.6 + 0.2,
        (ONE_HOT * 7.5 - 3).transpose(2, 0, 1).astype(np.float32),
        ONE_HOT.astype(np.float16),
    ],
)
def test_numbers_one_hot_and_scores_are_one_image(given):
    """With the classes at either end; void is no class of a volume."""
    assert np.array_equal(as_label_image(given, NAMES), IMAGE)


def test_paths_are_read(tmp_path):
    path = write_png(tmp_path / "a.png", IMAGE, 2, PALETTE)
    assert np.array_equal(as_label_image(path, NAMES), IMAGE)
    assert np.array_equal(as_label_image(str(path), NAMES), IMAGE)


def test_the_first_of_equal_scores_is_the_class():
    assert as_label_image(np.full((3, 1, 2), 0.5), NAMES).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (IMAGE * 0.5, "take the argmax of scores first"),
        (np.zeros((4, 5, 6)), r"volume of shape \(4, 5, 6\): no end has the 3 classes"),
        (np.zeros((3, 5, 3)), r"volume of shape \(3, 5, 3\): either end has the 3 classes"),
        (np.zeros((3, 2, 4), int), "in 8 pixels, expected exactly one class that is not 0"),
        (np.where(ONE_HOT, np.nan, 0.5), "in 8 pixels, a score is NaN"),
        (np.array([[["a"], ["b"], ["c"]]]), "expected numbers"),
        ([[1, 2], [3]], "label image: "),
        (np.zeros(3, int), "label image of shape"),
        (np.zeros((2, 3, 4, 5)), "label image of shape"),
    ],
)
def test_what_has_no_clear_classes_is_refused(given, message):
    with pytest.raises(BadAnnotation, match=message):
        as_label_image(given, NAMES)


# ---- datasets ----------------------------------------------------------------------------------


def pictures(number: int) -> list[Any]:
    """Three images of different sizes, some of them void."""
    random = np.random.default_rng(number)
    return [
        random.choice([0, 1, 2, 255], (4 + size, 5), p=[0.3, 0.3, 0.3, 0.1]) for size in (0, 3, 1)
    ]


def by_objects(uids: list[str], truth: list[Any], predicted: list[Any]) -> velour.Dataset:
    """The way without columns."""
    datums = [
        velour.Datum(uid, dict(zip(("height", "width"), image.shape, strict=True)))
        for uid, image in zip(uids, truth, strict=True)
    ]
    sides = [
        [velour.annotations_of_label_image(image, NAMES) for image in images]
        for images in (truth, predicted)
    ]
    labels = [("class", name) for name in NAMES.values()]
    return velour.Dataset.from_groundtruths(
        map(velour.GroundTruth, datums, sides[0]), "street", labels=labels
    ).with_predictions(map(velour.Prediction, datums, sides[1]), "unet")


def values(dataset: velour.Dataset) -> list[Any]:
    evaluation = velour.evaluate(
        dataset, "semantic-segmentation", parameters=PARAMETERS, save=False
    )
    return [(metric.name, metric.label, metric.value) for metric in evaluation.metrics]


@pytest.mark.parametrize("uids", [None, ["10", "9", "a"], ["b", "a", "1"]])
def test_arrays_are_the_same_dataset_as_their_annotations(uids):
    """Digests and every number, whatever the order of names."""
    truth, predicted = pictures(1), pictures(2)
    dataset = velour.Dataset.from_label_images(
        "street", iter(truth), iter(predicted), labels=NAMES, model="unet", uids=uids
    )
    other = by_objects(uids or ["0", "1", "2"], truth, predicted)
    assert dataset.uids == other.uids
    assert dataset.digest == other.digest
    assert dataset.predictions_digest == other.predictions_digest
    assert values(dataset) == values(other)


def test_predictions_may_come_later():
    truth, predicted = pictures(1), pictures(2)
    whole = velour.Dataset.from_label_images("street", truth, predicted, labels=NAMES)
    dataset = velour.Dataset.from_label_images("street", truth, labels=NAMES)
    later = dataset.with_label_images(predicted, "model", labels=NAMES)
    assert later.predictions_digest == whole.predictions_digest
    assert later.model == "model"


def test_metadata_stand_beside_the_size():
    dataset = velour.Dataset.from_label_images(
        "street", [IMAGE], labels=NAMES, metadata=[{"city": "Rome"}]
    )
    assert dataset.datums[0].metadata == {"height": 2, "width": 4, "city": "Rome"}


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        ([IMAGE], "1 label images as prediction of 2 datums: expected one for each, in order"),
        ([IMAGE] * 3, "more than 2 label images as prediction of 2 datums"),
        ([IMAGE, IMAGE + 7], "prediction of datum 'b': label image holds 7 in 2 pixels"),
        ([IMAGE, None], "prediction of datum 'b': label image of shape"),
    ],
)
def test_what_is_no_prediction_of_each_datum_is_refused(predicted, message):
    with pytest.raises(BadDataset, match=message):
        velour.Dataset.from_label_images(
            "street", [IMAGE] * 2, predicted, labels=NAMES, uids=["a", "b"]
        )


def test_a_prediction_of_another_size_is_refused_when_it_is_evaluated():
    dataset = velour.Dataset.from_label_images("street", [IMAGE], [IMAGE.T], labels=NAMES)
    with pytest.raises(BadDataset, match="has 4x2 pixels, but its image has 2x4"):
        values(dataset)
