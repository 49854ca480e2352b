"""A filter may ask for the form that annotations were stored in."""

from __future__ import annotations

import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.errors import UnknownName
from velour_plugin.filters import parse_filter
from velour_plugin.filters.row_filter import matching_rows
from velour_plugin.store import upgrade_store

BOX = velour.BoundingBox(0, 0, 4, 4)
TRIANGLE = velour.Polygon([[(0, 0), (4, 0), (0, 4)]])
PAIR = velour.MultiPolygon([TRIANGLE.shape, velour.Polygon([[(9, 9), (12, 9), (9, 12)]]).shape])
MASK = velour.Raster(np.eye(4, dtype=bool))
FORMS = {
    "box": {"bounding_box": BOX},
    "polygon": {"polygon": TRIANGLE, "bounding_box": BOX},  # as COCO has both
    "multipolygon": {"multipolygon": PAIR},
    "raster": {"raster": MASK},
    "embedding": {"embedding": [0.5, 1.0]},
    "label": {},
}


def annotation(form: str, score: float | None = None) -> velour.Annotation:
    return velour.Annotation([velour.Label("class", form, score)], **FORMS[form])


TABLE = AnnotationTable.from_annotations([(0, [annotation(form) for form in FORMS])])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("annotation.form = 'box'", {"box"}),
        ("annotation.form IN ('polygon', 'multipolygon')", {"polygon", "multipolygon"}),
        ("annotation.form LIKE '%polygon'", {"polygon", "multipolygon"}),
        ("annotation.form <> 'box'", {"polygon", "multipolygon", "raster", "embedding"}),
        ("NOT annotation.form = 'raster'", {"box", "polygon", "multipolygon", "embedding"}),
        ("annotation.form IS NULL", {"label"}),  # of a whole datum
        ("annotation.form = 'box' OR annotation.form = 'raster'", {"box", "raster"}),
        ("annotation.form = 'raster' AND annotation.area > 3", {"raster"}),
        ("annotation.form = 'raster' AND annotation.area > 4", set()),
        ("annotation.form = label.value AND annotation.form > 'p'", {"polygon", "raster"}),
    ],
)
def test_annotations_are_selected_by_form(where: str, expected: set[str]) -> None:
    rows = matching_rows(parse_filter(where), TABLE)
    assert {name for _, name in np.array(TABLE.labels)[TABLE.label[rows]]} == expected


def dataset() -> velour.Dataset:
    """One image with a box and a polygon of the same class; both are found."""
    image = velour.Datum("1", {"width": 20, "height": 20})
    far = velour.BoundingBox(10, 10, 16, 16)
    truth = [
        velour.Annotation([velour.Label("class", "fire")], bounding_box=far),
        velour.Annotation([velour.Label("class", "fire")], polygon=TRIANGLE),
    ]
    boxes = [velour.Annotation([velour.Label("class", "fire", 0.9)], bounding_box=far)]
    data = velour.Dataset.from_groundtruths([velour.GroundTruth(image, truth)], "forms")
    return data.with_predictions([velour.Prediction(image, boxes)], "model")


def test_an_evaluation_is_of_the_annotations_of_one_form(store_url: str) -> None:
    upgrade_store(store_url)
    assert velour.evaluate(dataset(), "object-detection", store=store_url)["mAR_100"] == 0.5
    for form, recall in (("box", 1), ("polygon", 0)):
        where = f"annotation.form = '{form}'"
        evaluation = velour.evaluate(dataset(), "object-detection", where=where, save=False)
        (row,) = velour.rank("mAR_100", where=where, store=store_url, resamples=0)
        assert evaluation["mAR_100"] == row.value == recall


@pytest.mark.parametrize("where", ["annotation.form = 'bbox'", "annotation.form IN ('mask')"])
def test_a_form_that_does_not_exist_is_refused(where: str) -> None:
    """It would select nothing without a word."""
    with pytest.raises(UnknownName, match=r"known are: box, embedding, multipolygon, .*raster"):
        velour.evaluate(dataset(), "object-detection", where=where, save=False)
