"""Datasets built step by step are those built at once; what does not fit is refused when added."""

from __future__ import annotations

from typing import Any

import pytest

import velour_plugin as velour
from velour_plugin.errors import BadDataset, BadMetadata, VelourError
from velour_plugin.store import upgrade_store

BOX = velour.BoundingBox(0, 0, 10, 10)
IMAGES = [velour.Datum(uid, {"night": uid == "2"}) for uid in ("10", "2")]


def truth(datum: velour.Datum) -> velour.GroundTruth:
    return velour.GroundTruth(datum, [velour.Annotation([velour.Label("class", "fire")], BOX)])


def prediction(datum: velour.Datum) -> velour.Prediction:
    label = velour.Label("class", "fire", 0.9)
    return velour.Prediction(datum, [velour.Annotation([label], BOX)])


def builder(*datums: velour.Datum) -> velour.DatasetBuilder:
    """Ground truth of some images."""
    building = velour.build_dataset("fires", {"sensor": "AVIRIS"})
    for datum in datums:
        building.add_groundtruth(truth(datum))
    return building


def test_a_dataset_built_step_by_step_is_the_one_built_at_once() -> None:
    building = builder(*IMAGES)
    building.add_prediction(prediction(IMAGES[0]))
    built = building.finalize(model="yolo")
    whole = velour.Dataset.from_groundtruths(map(truth, IMAGES), "fires", {"sensor": "AVIRIS"})
    whole = whole.with_predictions([prediction(IMAGES[0])], "yolo")
    assert (built.name, built.model) == ("fires", "yolo")
    assert built.digest == whole.digest
    assert built.predictions_digest == whole.predictions_digest


def test_what_was_built_is_evaluated_and_stored_as_a_version(store_url: str) -> None:
    """One of two fires is detected."""
    building = builder(*IMAGES)
    building.add_prediction(prediction(IMAGES[0]))
    dataset = building.finalize(model="yolo")
    assert velour.evaluate(dataset, "object-detection", save=False)["mAR_100"] == 0.5
    upgrade_store(store_url)
    with velour.open_store(store_url) as store:
        version = store.save_dataset(dataset)
    assert (version.dataset, version.number, version.digest) == ("fires", 1, dataset.digest)


def test_without_predictions_it_is_ground_truth() -> None:
    assert builder(*IMAGES).finalize().predictions is None


def test_a_model_that_found_nothing_has_predictions() -> None:
    found = builder(*IMAGES).finalize(model="blind").predictions
    assert found is not None
    assert len(found) == 0


def test_it_says_how_far_it_is() -> None:
    building = builder(*IMAGES)
    building.add_prediction(prediction(IMAGES[0]))
    assert repr(building) == "<DatasetBuilder 'fires': 2 ground truths, 1 predictions>"


# What does not fit


def test_a_datum_is_added_once() -> None:
    building = builder(IMAGES[0])
    with pytest.raises(BadDataset, match=r"datum '10' .* has a velour\.GroundTruth already"):
        building.add_groundtruth(truth(IMAGES[0]))
    building.add_prediction(prediction(IMAGES[0]))
    with pytest.raises(BadDataset, match=r"datum '10' .* has a velour\.Prediction already"):
        building.add_prediction(prediction(IMAGES[0]))


def test_a_prediction_needs_ground_truth() -> None:
    with pytest.raises(BadDataset, match="'2', which is not in dataset 'fires': add its ground"):
        builder(IMAGES[0]).add_prediction(prediction(IMAGES[1]))


def test_predictions_need_a_model() -> None:
    """And the builder is as it was: what is missing can be given."""
    building = builder(IMAGES[0])
    building.add_prediction(prediction(IMAGES[0]))
    with pytest.raises(BadDataset, match=r"finalize\(model='name'\)"):
        building.finalize()
    building.add_groundtruth(truth(IMAGES[1]))
    assert len(building.finalize(model="yolo")) == 2


def test_nothing_is_added_to_what_is_finalized() -> None:
    building = builder(IMAGES[0])
    building.finalize()
    with pytest.raises(BadDataset, match="'fires' is finalized: nothing is added"):
        building.add_groundtruth(truth(IMAGES[1]))
    with pytest.raises(BadDataset, match="'fires' is finalized: nothing is added"):
        building.add_prediction(prediction(IMAGES[0]))


def test_a_dataset_without_a_datum_is_refused() -> None:
    with pytest.raises(BadDataset, match="'fires' has no datum"):
        builder().finalize()


@pytest.mark.parametrize("item", [None, "1", IMAGES[1], truth(IMAGES[1]), prediction(IMAGES[1])])
def test_ground_truths_and_predictions_are_not_mixed_up(item: Any) -> None:
    building = builder(IMAGES[0])
    if not isinstance(item, velour.GroundTruth):
        with pytest.raises(BadDataset, match=r"expected a velour\.GroundTruth"):
            building.add_groundtruth(item)
    if not isinstance(item, velour.Prediction):
        with pytest.raises(BadDataset, match=r"expected a velour\.Prediction"):
            building.add_prediction(item)
    assert len(building.finalize()) == 1


@pytest.mark.parametrize(
    ("name", "metadata", "error"),
    [
        ("", None, BadDataset),
        (None, None, BadDataset),
        ("nul\x00", None, BadDataset),
        ("fires", {"licence": {"MIT"}}, BadMetadata),
    ],
)
def test_name_and_metadata_are_checked_at_once(
    name: Any, metadata: Any, error: type[VelourError]
) -> None:
    with pytest.raises(error):
        velour.build_dataset(name, metadata)
