"""Labels, datums and annotations refuse nonsense at birth, and say how to do better."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.errors import BadAnnotation, BadDataset, InvalidInput

FIRE = velour.Label("class", "fire")
BOX = velour.BoundingBox(0, 0, 2, 2)
POLYGON = velour.Polygon([(0, 0), (2, 0), (0, 2)])
RASTER = velour.Raster(np.ones((2, 2), bool))


def test_a_label_is_named_by_key_and_value_alone() -> None:
    """How sure a model is does not make another class."""
    assert velour.Label("class", "fire", 0.9).name == FIRE.name == ("class", "fire")
    assert velour.Label("class", "fire", 0.9) != FIRE


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("", "fire", "label key ''"),
        ("class", "", "label value ''"),
        (None, "fire", "label key None"),
    ],
)
def test_a_label_without_key_or_value_is_refused(key: Any, value: Any, message: str) -> None:
    with pytest.raises(BadAnnotation, match=message) as refusal:
        velour.Label(key, value)
    assert "non-empty strings" in str(refusal.value)
    assert "write str(...)" in str(refusal.value)


@pytest.mark.parametrize("score", [0, 1, 0.5, np.float32(0.5), True])
def test_a_score_becomes_a_float(score: Any) -> None:
    assert type(velour.Label("class", "fire", score).score) is float


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf"), "high", [0.5]])
def test_a_score_that_is_no_share_is_refused(score: Any) -> None:
    with pytest.raises(BadAnnotation, match=r"a score is a number in \[0, 1\]") as refusal:
        velour.Label("class", "fire", score)
    assert repr(score) in str(refusal.value)
    assert "sigmoid or softmax" in str(refusal.value)


@pytest.mark.parametrize("text", ["nul\x00", "half of a pair \ud800"])
@pytest.mark.parametrize("make", ["key", "value", "uid", "dataset"])
def test_text_that_no_store_can_hold_is_refused(make: str, text: str) -> None:
    """PostgreSQL has no U+0000, and half of a surrogate pair has no UTF-8."""
    with pytest.raises(InvalidInput, match=r"U\+0000"):
        {
            "key": lambda: velour.Label(text, "fire"),
            "value": lambda: velour.Label("class", text),
            "uid": lambda: velour.Datum(text),
            "dataset": lambda: velour.Dataset.from_groundtruths(
                [velour.GroundTruth(velour.Datum("1"))], text
            ),
        }[make]()


@pytest.mark.parametrize("uid", ["", None, 7, b"seven"])
def test_a_datum_needs_a_name(uid: Any) -> None:
    with pytest.raises(BadDataset, match="expected a non-empty string") as refusal:
        velour.Datum(uid)
    assert repr(uid) in str(refusal.value)


def test_values_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        velour.Datum("1").uid = "2"  # type: ignore[misc]


def test_one_label_needs_no_list() -> None:
    assert velour.Annotation(FIRE).labels == (FIRE,)


@pytest.mark.parametrize("labels", [[], "fire", [("class", "fire")]])
def test_an_annotation_says_something(labels: Any) -> None:
    with pytest.raises(BadAnnotation, match=r"expected at least one velour\.Label"):
        velour.Annotation(labels)


@pytest.mark.parametrize(
    ("region", "wrong", "kind"),
    [
        ("bounding_box", (0, 0, 1, 1), "BoundingBox"),
        ("polygon", BOX, "Polygon"),
        ("multipolygon", POLYGON, "MultiPolygon"),
        ("raster", np.ones((2, 2), bool), "Raster"),
    ],
)
def test_a_region_of_the_wrong_type_is_refused(region: str, wrong: Any, kind: str) -> None:
    with pytest.raises(BadAnnotation, match=rf"expected a velour\.{kind}") as refusal:
        velour.Annotation(FIRE, **{region: wrong})
    assert str(refusal.value).startswith(f"{region} {wrong!r}")


def test_a_region_is_given_once_beside_its_box() -> None:
    """The coarser forms follow from the finest; two could contradict each other."""
    assert velour.Annotation(FIRE, BOX, raster=RASTER).shape == RASTER
    assert velour.Annotation(FIRE, BOX).shape is None
    with pytest.raises(BadAnnotation, match="give the finest"):
        velour.Annotation(FIRE, polygon=POLYGON, raster=RASTER)


@pytest.mark.parametrize("area", [-1, float("nan"), float("inf"), "big"])
def test_an_area_is_a_number_of_pixels(area: Any) -> None:
    with pytest.raises(BadAnnotation, match="expected square pixels >= 0") as refusal:
        velour.Annotation(FIRE, BOX, area=area)
    assert repr(area) in str(refusal.value)


def test_truths_have_no_score() -> None:
    sure = velour.Annotation(velour.Label("class", "fire", 0.9), BOX)
    with pytest.raises(BadAnnotation, match=r"score=0\.9.*ground truth of '1'.*no score"):
        velour.GroundTruth(velour.Datum("1"), [sure])
    assert velour.Prediction(velour.Datum("1"), [sure]).annotations == (sure,)


@pytest.mark.parametrize("kind", [velour.GroundTruth, velour.Prediction])
def test_what_is_said_is_said_of_a_datum_in_annotations(kind: Any) -> None:
    with pytest.raises(BadDataset, match=r"'1': expected a velour\.Datum"):
        kind("1", [])
    with pytest.raises(BadAnnotation, match=r"of '1': expected velour\.Annotation only"):
        kind(velour.Datum("1"), [FIRE])
    assert kind(velour.Datum("1")).annotations == ()
