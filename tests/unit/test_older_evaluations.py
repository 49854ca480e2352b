"""Evaluations of an older version of their evaluator are matched again when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import velour_plugin as velour
from tests.scenes import ITS_LEFT_HALF, TEN_BY_TEN, annotation
from velour_plugin.errors import NotComparable
from velour_plugin.store import Store, upgrade_store

AREAS = [["all", 0, 1e10], ["small", 0, 1024], ["medium", 1024, 9216], ["large", 9216, 1e10]]
AGAIN = "Matched again from the stored annotations: {} by version 1 of object-detection"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store of each kind."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        yield opened


def predicted(model: str, mask: bool, part: float = 1.0) -> velour.Dataset:
    """Six images with one object each; a share of them is found, the others not."""
    datums = [velour.Datum(str(n), {"height": 20, "width": 20, "hour": n}) for n in range(6)]
    pixels = np.zeros((20, 20), bool)
    pixels[:10, :10] = True
    half = pixels.copy()
    half[:, 5:] = False
    half[9, 9] = True  # its box is the whole
    truth = annotation(TEN_BY_TEN, raster=velour.Raster(pixels))
    region = {"raster": velour.Raster(half)} if mask else {}
    whole, left = (annotation(box, score=0.9, **region) for box in (TEN_BY_TEN, ITS_LEFT_HALF))
    truths = [velour.GroundTruth(datum, [truth]) for datum in datums]
    found = round(part * len(datums))
    predictions = [
        velour.Prediction(datum, [whole if n < found else left]) for n, datum in enumerate(datums)
    ]
    return velour.Dataset.from_groundtruths(truths, "fires").with_predictions(predictions, model)


def keep_as_version_1(store: Store, dataset: velour.Dataset, chosen: str) -> velour.Evaluation:
    """Store what version 1 made of ``auto`` when the data made it choose."""
    made = velour.evaluate(dataset, "object-detection", parameters={"iou_type": chosen}, save=False)
    parameters = {**made.certificate.parameters, "iou_type": "auto", "area_ranges": AREAS}
    certificate = replace(made.certificate, evaluator_version="1", parameters=parameters)
    matched = {**made.ledger.parameters, "area_ranges": AREAS}
    old = replace(made, certificate=certificate, ledger=replace(made.ledger, parameters=matched))
    store.save(old, dataset)
    return old


def test_they_are_ranked_as_the_installed_version_matches(store: Store) -> None:
    """By masks, the second was behind; by boxes it finds all."""
    keep_as_version_1(store, predicted("boxes", mask=False, part=0.5), "box")
    masks = keep_as_version_1(store, predicted("masks", mask=True), "raster")
    assert masks["mAR_100"] == pytest.approx(0.1)
    for options in ({"resamples": 0}, {"resamples": 10}, {"resamples": 0, "where": "hour < 9"}):
        board = velour.rank("mAR_100", "fires", store=store, **options)  # type: ignore[arg-type]
        values = {row.model: row.value for row in board}
        assert values == {"masks": 1.0, "boxes": pytest.approx(0.55)}
        (note,) = [note for note in board.notes if "again" in note]
        assert note.startswith(AGAIN.format("2 evaluations"))


def test_they_are_ranked_with_new_ones_which_come_first(store: Store) -> None:
    boxes, masks = predicted("boxes", mask=False), predicted("masks", mask=True)
    keep_as_version_1(store, boxes, "box")
    keep_as_version_1(store, masks, "raster")
    new = velour.evaluate(masks, "object-detection", store=store)
    board = velour.rank("mAR_100", "fires", resamples=0, store=store)
    assert {row.model: row.value for row in board} == {"masks": 1.0, "boxes": 1.0}
    assert new.id in [row.evaluation_id for row in board]
    (note,) = [note for note in board.notes if "again" in note]
    assert note.startswith(AGAIN.format("1 evaluation"))
    velour.evaluate(boxes, "object-detection", store=store)
    board = velour.rank("mAR_100", "fires", resamples=0, store=store)
    assert not [note for note in board.notes if "again" in note]


def test_every_other_question_matches_them_again(store: Store) -> None:
    keep_as_version_1(store, predicted("boxes", mask=False, part=0.5), "box")
    keep_as_version_1(store, predicted("masks", mask=True), "raster")
    velour.evaluate(predicted("new", mask=True), "object-detection", store=store)
    slices = velour.slices("masks", "hour", metric="mAR_100", resamples=0, store=store)
    assert [row.value for row in slices] == [1.0] * 6
    comparison = velour.compare("masks", "new", metric="mAR_100", permutations=0, store=store)
    assert comparison[0].difference == 0
    matrix = velour.matrix("mAR_100", resamples=0, store=store)
    assert {cell.model: cell.value for cell in matrix}["masks"] == 1.0
    for answer, which in ((slices, "1 evaluation"), (comparison, "1 evaluation"),
                          (matrix, "2 evaluations")):  # fmt: skip
        assert answer.notes[0].startswith(AGAIN.format(which))


def test_what_is_stored_of_them_can_still_be_looked_at(store: Store) -> None:
    """With the numbers of their time, and the details that belong to these."""
    old = keep_as_version_1(store, predicted("masks", mask=True), "raster")
    known = store.load(old.id)
    assert dict(known) == pytest.approx(dict(old), nan_ok=True)
    assert known.value("confusion_matrix") == old.value("confusion_matrix")


def test_evaluations_by_boxes_and_by_masks_are_not_ranked_together(store: Store) -> None:
    velour.evaluate(predicted("boxes", mask=True), "object-detection", store=store)
    asked = {"iou_type": "raster"}
    velour.evaluate(
        predicted("masks", mask=True), "object-detection", parameters=asked, store=store
    )
    with pytest.raises(NotComparable, match=r'parameters.iou_type: "(box|raster)" in '):
        velour.rank("mAR_100", "fires", resamples=0, store=store)
    board = velour.rank("mAR_100", "fires", resamples=0, parameters=asked, store=store)
    assert {row.model: row.value for row in board} == {"masks": 0.1, "boxes": 0.1}


@pytest.mark.parametrize(
    ("task", "means"), [("object-detection", "box"), ("instance-segmentation", "raster")]
)
def test_auto_and_what_it_means_are_one_evaluation(task: str, means: str) -> None:
    dataset = predicted("m", mask=True)
    auto, spelled = (
        velour.evaluate(dataset, task, parameters=given, save=False)
        for given in ({}, {"iou_type": means})
    )
    assert auto.certificate.parameters["iou_type"] == means
    assert auto.id == spelled.id
