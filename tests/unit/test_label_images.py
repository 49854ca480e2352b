"""Label images to annotations and back."""

from __future__ import annotations

import numpy as np
import pytest
from velour_evaluators.semantic.label_image_counts import (
    annotations_of_label_image,
    label_image_of_annotations,
)

from tests.label_maps import mask
from velour_plugin.domain.annotations import Annotation
from velour_plugin.domain.geometry import Polygon
from velour_plugin.domain.labels import Label
from velour_plugin.errors import BadAnnotation, UnknownName

NAMES = {1: "car", 2: "road", 255: "void"}
IMAGE = np.array([[0, 1, 1], [2, 255, 1]], np.uint8)


def test_every_number_that_occurs_becomes_one_mask():
    """In the order of the numbers; what is ignored is background."""
    items = annotations_of_label_image(IMAGE, NAMES, ignore=[0])
    assert [item.labels[0] for item in items] == [
        Label("class", "car"),
        Label("class", "road"),
        Label("class", "void"),
    ]
    assert items[0].raster is not None
    assert items[0].raster.mask.tolist() == [[False, True, True], [False, False, True]]


def test_numbers_of_one_name_are_one_label():
    """As when two kinds of road are not told apart."""
    (item,) = annotations_of_label_image(np.array([[1, 2], [1, 3]]), dict.fromkeys((1, 2, 3), "x"))
    assert item.raster is not None
    assert item.raster.edges.tolist() == [0]


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint16, np.uint32])
def test_any_whole_numbers_will_do(kind):
    """Even those below 0."""
    image = np.array([[-1, 5], [7, 5]]).astype(kind)
    names = dict(zip(np.unique(image).tolist(), "abc", strict=True))
    items = annotations_of_label_image(image, names, key="kind")
    assert sorted(item.labels[0].value for item in items) == ["a", "b", "c"]
    numbers = {name: number for number, name in names.items()}
    again = label_image_of_annotations(items, numbers, 2, 2, key="kind")
    assert (again == image).all()


def test_a_label_image_survives_the_way_there_and_back():
    """Background gets the number that is asked for."""
    items = annotations_of_label_image(IMAGE, NAMES, ignore=[0])
    numbers = {name: number for number, name in NAMES.items()}
    assert (label_image_of_annotations(items, numbers, 2, 3) == IMAGE).all()
    assert label_image_of_annotations(items, numbers, 2, 3, background=9)[0, 0] == 9


def test_the_later_annotation_is_painted_over_the_earlier():
    """And polygons are painted too."""
    polygon = Annotation([Label("class", "b")], polygon=Polygon([(1, 0), (2, 0), (2, 1), (1, 1)]))
    items = [mask("##.", "a"), polygon, mask("..#", "c", key="other")]
    assert label_image_of_annotations(items, {"a": 1, "b": 2}, 1, 3).tolist() == [[1, 2, 0]]


def test_a_number_without_a_name_is_refused():
    """With how often it occurs, for it may be a void that was forgotten."""
    with pytest.raises(BadAnnotation, match="holds 255 in 1 pixels, and 255 has no name"):
        annotations_of_label_image(IMAGE, {1: "car", 2: "road"}, ignore=[0])


@pytest.mark.parametrize("image", [np.zeros((2, 2)), np.zeros(3, int), np.zeros((0, 2), int)])
def test_what_is_no_label_image_is_refused(image):
    """Scores want an argmax first."""
    with pytest.raises(BadAnnotation, match="take the argmax"):
        annotations_of_label_image(image, NAMES)


def test_masks_that_cannot_be_painted_are_refused():
    """No region, another size, no number."""
    with pytest.raises(BadAnnotation, match="no mask or polygon"):
        label_image_of_annotations([Annotation([Label("class", "a")])], {"a": 1}, 1, 2)
    with pytest.raises(BadAnnotation, match="has 1x2 pixels, but its image has 2x2"):
        label_image_of_annotations([mask("##", "a")], {"a": 1}, 2, 2)
    with pytest.raises(UnknownName, match="label 'a'"):
        label_image_of_annotations([mask("##", "a")], {"b": 1}, 1, 2)
