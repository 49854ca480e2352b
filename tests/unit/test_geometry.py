"""Boxes, polygons and rasters: areas that can be counted, forms that agree, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from pycocotools import mask as coco_masks

import velour_plugin as velour
from velour_plugin.errors import BadGeometry

NAN, INF = float("nan"), float("inf")
SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
HOLE = [(1, 1), (3, 1), (3, 3), (1, 3)]


def test_corners_of_a_box_are_half_open() -> None:
    """From pixel 0 up to, not including, pixel 1: one pixel."""
    assert velour.BoundingBox(0, 0, 1, 1).area == 1.0


def test_a_box_keeps_the_size_that_it_was_read_with() -> None:
    """0.1 + 0.2 - 0.1 is not 0.2 in floating point."""
    box = velour.BoundingBox.from_xywh(0.1, 0.0, 0.2, 1.0)
    assert box.xywh == (0.1, 0.0, 0.2, 1.0)
    assert box.xmax - box.xmin != 0.2


def test_equal_boxes_are_equal_however_they_were_given() -> None:
    assert velour.BoundingBox.from_xywh(1, 2, 3, 4) == velour.BoundingBox(1, 2, 4, 6)
    assert hash(velour.BoundingBox.from_xywh(1, 2, 3, 4)) == hash(velour.BoundingBox(1, 2, 4, 6))


def test_a_box_without_area_exists() -> None:
    assert velour.BoundingBox(5, 5, 5, 9).area == 0.0


@pytest.mark.parametrize(
    ("corners", "message", "way_out"),
    [
        ((3, 0, 1, 1), "xmin=3", "BoundingBox.from_xywh"),
        ((0, 3, 1, 1), "ymin=3", "BoundingBox.from_xywh"),
        ((0, 0, NAN, 1), "nan", "finite"),
        ((0, 0, INF, 1), "inf", "finite"),
        ((0, "top", 1, 1), "ymin 'top'", "number of pixels"),
        ((None, 0, 1, 1), "xmin None", "number of pixels"),
    ],
)
def test_a_box_that_cannot_exist_is_refused(corners: Any, message: str, way_out: str) -> None:
    with pytest.raises(BadGeometry, match=message) as refusal:
        velour.BoundingBox(*corners)
    assert way_out in str(refusal.value)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 0, -3, 1), "width -3"),
        ((0, 0, 1, -3), "height -3"),
        ((0, 0, NAN, 1), "nan"),
        ((1e308, 0, 1e308, 1), "inf"),
        ((0, 0, "wide", 1), "width 'wide'"),
    ],
)
def test_a_size_below_zero_is_refused(sizes: Any, message: str) -> None:
    with pytest.raises(BadGeometry, match=message):
        velour.BoundingBox.from_xywh(*sizes)


@pytest.mark.parametrize(
    "given",
    [
        SQUARE,
        [SQUARE],
        np.array(SQUARE),
        np.array([SQUARE], float),
        [np.array(SQUARE).ravel()],
        shapely.Polygon(SQUARE),
        shapely.Polygon([(x, y, 7) for x, y in SQUARE]),
    ],
)
def test_a_polygon_takes_rings_and_shapely(given: Any) -> None:
    polygon = velour.Polygon(given)
    assert polygon == velour.Polygon(shapely.Polygon(SQUARE))
    assert not polygon.shape.has_z
    assert polygon.area == 16.0


def test_a_hole_is_not_part_of_a_polygon() -> None:
    """4 x 4 pixels less 2 x 2."""
    assert velour.Polygon([SQUARE, HOLE]).area == 12.0
    assert velour.Raster.from_geometry(velour.Polygon([SQUARE, HOLE]), 4, 4).area == 12.0


@pytest.mark.parametrize(
    "given",
    [
        [],
        [[]],
        [(0, 0), (1, 1)],
        [(0, 0), (1, 1), (NAN, 0)],
        [(0, 0), (1, 1), (INF, 0)],
        [0, 0, 1, 1, 2, 0],
        [[0, 0, 1, 1, 2]],
        "ring",
        7,
        None,
        shapely.Polygon(),
        [SQUARE, [(1, 1)]],
    ],
)
def test_a_polygon_needs_three_finite_points(given: Any) -> None:
    with pytest.raises(BadGeometry, match=r"^polygon .*at least three") as refusal:
        velour.Polygon(given)
    if not isinstance(given, shapely.Polygon):
        assert repr(given) in str(refusal.value)


def test_parts_of_a_multipolygon_that_overlap_count_once() -> None:
    """Two squares of 16, 8 of them shared."""
    shifted = [(x + 2, y) for x, y in SQUARE]
    assert velour.MultiPolygon([[SQUARE], [shifted]]).area == 24.0


@pytest.mark.parametrize(
    "given",
    [
        [[SQUARE]],
        [velour.Polygon(SQUARE)],
        [shapely.Polygon(SQUARE)],
        shapely.Polygon(SQUARE),
        shapely.MultiPolygon([shapely.Polygon(SQUARE)]),
    ],
)
def test_a_multipolygon_takes_polygons_of_every_kind(given: Any) -> None:
    assert velour.MultiPolygon(given).area == 16.0


@pytest.mark.parametrize("given", [[], None, 7, shapely.MultiPolygon(), [[SQUARE], [[(0, 0)]]]])
def test_a_multipolygon_needs_a_polygon(given: Any) -> None:
    with pytest.raises(BadGeometry, match="polygon"):
        velour.MultiPolygon(given)


def test_a_raster_is_its_mask() -> None:
    mask = np.array([[0, 1, 1], [0, 0, 1]], bool)
    raster = velour.Raster(mask)
    assert (raster.height, raster.width, raster.area) == (2, 3, 3.0)
    assert (raster.mask == mask).all()
    assert raster.bounding_box == velour.BoundingBox(1, 0, 3, 2)
    assert repr(raster) == "Raster(2x3, 3 pixels)"


def test_an_empty_raster_has_no_area_and_an_empty_box() -> None:
    assert velour.Raster(np.zeros((2, 3), bool)).bounding_box.area == 0.0


def test_runs_go_down_the_columns() -> None:
    """2 x 3 pixels: one of background, three set, two of background."""
    runs = velour.Raster({"size": [2, 3], "counts": [1, 3, 2]})
    assert runs.mask.tolist() == [[False, True, False], [True, True, False]]


def test_every_spelling_of_a_mask_is_the_same_raster() -> None:
    mask = np.random.default_rng(0).random((31, 17)) < 0.4
    compressed = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = {**compressed, "counts": compressed["counts"].decode()}
    flips = np.flatnonzero(np.diff(np.r_[False, mask.ravel("F")]))
    counts = np.diff(np.r_[0, flips, mask.size]).tolist()
    spellings = [mask, mask.astype(np.uint8), compressed, text, {**text, "counts": counts}]
    assert len({velour.Raster(spelling) for spelling in spellings}) == 1
    assert velour.Raster(mask).to_rle() == text


def test_rasters_of_other_sizes_differ_though_their_runs_agree() -> None:
    assert velour.Raster(np.ones((2, 3))) != velour.Raster(np.ones((3, 2)))


def test_a_polygon_becomes_the_pixels_that_coco_gives_it() -> None:
    triangle = [1.5, 0.5, 8.0, 2.0, 3.0, 9.0]
    theirs = coco_masks.frPyObjects([triangle], 10, 10)[0]
    ours = velour.Raster.from_geometry(velour.Polygon([triangle]), 10, 10)
    assert ours.to_rle()["counts"] == theirs["counts"].decode()
    assert ours.area == coco_masks.area(theirs) > 0


def test_what_lies_outside_the_image_is_cut_off() -> None:
    assert velour.Raster.from_geometry(velour.BoundingBox(2, 2, 9, 9), 4, 4).area == 4.0
    assert velour.Raster.from_geometry(velour.BoundingBox(7, 7, 9, 9), 4, 4).area == 0.0


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(4, bool), "(4,)"),
        (np.ones((1, 2, 2), bool), "(1, 2, 2)"),
        (np.ones((0, 4), bool), "(0, 4)"),
        ({"size": [2, 2]}, "counts"),
        ({"size": [2], "counts": [4]}, "size"),
        ({"size": [2, 2], "counts": [1, 2]}, "runs for 3 pixels"),
        ({"size": [2, 2], "counts": [5, -1]}, "runs >= 0"),
        ({"size": [0, 2], "counts": []}, "0x2"),
        ({"size": [2, 2], "counts": "!"}, "size"),
        ({"size": [2, 2], "counts": ""}, "runs for 0 pixels"),
        ({"size": [2, 2], "counts": [10**30]}, "size"),
        ({"size": [2, 2], "counts": [1.5, 2.5]}, "whole"),
        ({"size": ["two", 2], "counts": [4]}, "two"),
    ],
)
def test_a_mask_that_fills_no_image_is_refused(mask: Any, message: str) -> None:
    with pytest.raises(BadGeometry) as refusal:
        velour.Raster(mask)
    assert message in str(refusal.value)
    assert "expected" in str(refusal.value)
