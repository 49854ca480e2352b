"""A filter taken apart, and its conditions on annotations answered row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

import velour_plugin as velour
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.errors import BadFilter
from velour_plugin.filters import parse_filter, split_filter
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.row_filter import matching_labels, matching_rows, region_of

CORNER = np.zeros((4, 6), bool)
CORNER[1:3, 2:5] = True  # columns 2 to 4, rows 1 and 2
TABLE = AnnotationTable.from_annotations(
    [
        (0, [
            velour.Annotation([velour.Label("class", "car", 0.9)],
                              velour.BoundingBox(0, 0, 10, 10), metadata={"occluded": True}),
            velour.Annotation(
                [velour.Label("class", "car", 0.3), velour.Label("color", "red", 0.8)],
                velour.BoundingBox(20, 0, 50, 10), metadata={"occluded": False}),
        ]),
        (1, [
            velour.Annotation([velour.Label("class", "bus", 0.5)], area=7.0,
                              polygon=velour.Polygon([(0, 0), (4, 0), (0, 4)])),
            velour.Annotation([velour.Label("class", "dog")], raster=velour.Raster(CORNER)),
            velour.Annotation([velour.Label("class", "scene")], metadata={"occluded": "no"}),
        ]),
    ]
)  # fmt: skip
"""Rows: car, (half a car, red), bus, dog, scene."""


def parts(where: str) -> dict[str, Any]:
    split = split_filter(parse_filter(where))
    texts = {"min_score": split.min_score}
    for name in ("datums", "annotations", "labels", "scores", "runs"):
        node = getattr(split, name)
        texts[name] = None if node is None else to_text(node)
    return {name: value for name, value in texts.items() if value is not None}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("label.value = 'car' AND score >= 0.3 AND time = 'night'",
         {"labels": "label.value = 'car'", "min_score": 0.3, "datums": "time = 'night'"}),
        ("a = 1 AND (b = 2 AND annotation.area > 9) AND annotation.metadata.occluded = FALSE",
         {"datums": "a = 1 AND b = 2",
          "annotations": "annotation.area > 9 AND annotation.metadata.occluded = FALSE"}),
        ("score >= 0.3 AND 0.5 <= score AND score >= 0.4", {"min_score": 0.5}),
        ("score > 0.5", {"min_score": np.nextafter(0.5, 1)}),
        ("score < 0.5 AND score >= 0.1", {"scores": "score < 0.5", "min_score": 0.1}),
        ("score BETWEEN 0.1 AND 0.5", {"scores": "score BETWEEN 0.1 AND 0.5"}),
        ("NOT score >= 0.5", {"scores": "NOT (score >= 0.5)"}),
        ("model = 'yolo' OR run_id = '1'", {"runs": "model = 'yolo' OR run_id = '1'"}),
        ("label.key = 'class' OR NOT label.value = 'car'",
         {"labels": "label.key = 'class' OR NOT (label.value = 'car')"}),
        ("metadata.score >= 0.5 AND metadata.model = 'x'",
         {"datums": "metadata.score >= 0.5 AND metadata.model = 'x'"}),
    ],
)  # fmt: skip
def test_a_filter_comes_apart_by_what_it_is_about(where: str, expected: dict[str, Any]) -> None:
    assert parts(where) == expected


def test_no_filter_has_no_parts() -> None:
    assert split_filter(None) == split_filter(None)
    assert parts("a = 1") == {"datums": "a = 1"}
    assert split_filter(None).datums is None


@pytest.mark.parametrize(
    ("where", "needs"),
    [("a = 1 AND score > 0.5 AND label.value = 'x'", False), ("annotation.area > 5", True),
     ("score < 0.5", True)],
)  # fmt: skip
def test_some_filters_need_matching_again(where: str, needs: bool) -> None:
    assert split_filter(parse_filter(where)).needs_matching is needs


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ("label.value = 'car' OR hour > 20", ("label.value", "hour")),
        ("a = 1 AND NOT (score > 0.5 AND hour > 20)", ("score", "hour")),
        ("annotation.area > width * height", ("annotation.area", "width")),
        ("label.value = 'car' OR score > 0.5", ("label.value", "score")),
        ("model = 'yolo' OR a = 1", ("model", "a ")),
    ],
)
def test_what_is_answered_in_two_places_cannot_be_joined_by_or(
    where: str, named: tuple[str, str]
) -> None:
    with pytest.raises(BadFilter, match="at the top only") as refusal:
        split_filter(parse_filter(where))
    assert all(name in str(refusal.value) for name in named)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("label.value = 'car'", [1, 1, 0, 0, 0]),
        ("label.key = 'color' AND label.value = 'red'", [0, 0, 1, 0, 0]),
        ("label.value LIKE 'c%' AND NOT label.value = 'cat'", [1, 1, 0, 0, 0]),
        ("score >= 0.5", [1, 0, 1, 1, 0]),
        ("NOT score >= 0.5", [0, 1, 0, 0, 0]),  # what has no score is unknown
        # the area that was given, else that of the finest region
        ("annotation.area = 100", [1, 0, 0, 0, 0]),
        ("annotation.area = 7", [0, 0, 0, 1, 0]),
        ("annotation.area = 6", [0, 0, 0, 0, 1]),
        ("annotation.area >= 100", [1, 1, 1, 0, 0]),
        ("annotation.metadata.occluded", [1, 0, 0, 0, 0]),
        ("NOT annotation.metadata.occluded", [0, 1, 1, 0, 0]),
        # conditions are on the same annotation: the small car is the hidden one
        ("annotation.metadata.occluded AND annotation.area > 200", [0, 0, 0, 0, 0]),
        ("annotation.area > 200 AND label.value = 'car'", [0, 1, 0, 0, 0]),
        ("S_INTERSECTS(annotation.geometry, POLYGON((0 0, 5 0, 5 5, 0 5, 0 0)))", [1, 0, 0, 1, 1]),
        ("S_WITHIN(annotation.geometry, BBOX(0, 0, 5, 5))", [0, 0, 0, 1, 1]),
        ("S_CONTAINS(annotation.geometry, POINT(30 5))", [0, 1, 1, 0, 0]),
        ("annotation.geometry IS NULL", [0, 0, 0, 0, 0]),
    ],
)
def test_rows_are_selected_by_what_is_true_of_each(where: str, expected: list[int]) -> None:
    """Rows: car, half a car, red (of the same annotation), bus, dog; and a whole scene."""
    texts = matching_rows(parse_filter(where), TABLE).astype(int).tolist()
    scene = texts.pop(int(np.flatnonzero([n[1] == "scene" for n in _names()])[0]))
    assert texts == expected
    assert scene == int("IS NULL" in where)


def _names() -> list[tuple[str, str]]:
    return [TABLE.labels[label] for label in TABLE.label]


def test_no_filter_selects_every_row_and_label() -> None:
    assert matching_rows(None, TABLE).all()
    assert matching_labels(None, TABLE.labels).all()
    empty = AnnotationTable.from_annotations([])
    assert matching_rows(parse_filter("label.value = 'x'"), empty).shape == (0,)
    assert matching_rows(parse_filter("annotation.area > 1"), empty).shape == (0,)


def test_rows_are_not_asked_about_datums() -> None:
    with pytest.raises(BadFilter, match="about a datum"):
        matching_rows(parse_filter("hour > 3"), TABLE)


@pytest.mark.parametrize("seed", range(20))
def test_a_mask_is_the_union_of_its_pixels(seed: int) -> None:
    mask = np.random.default_rng(seed).random((5, 4)) < 0.5
    if mask.any():
        region = region_of(velour.Raster(mask))
        pixels = [shapely.box(x, y, x + 1, y + 1) for y, x in np.argwhere(mask)]
        assert region.equals(shapely.union_all(pixels))
    assert region_of(velour.Raster(np.ones((5, 4), bool))).equals(shapely.box(0, 0, 4, 5))
