"""Oriented boxes are polygons: their overlap against clipping one side after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from velour_evaluators.detection.evaluator import InstanceSegmentation
from velour_evaluators.detection.kernels import overlap

import velour_plugin as velour
from tests.coco_oracle import headline
from tests.scenes import annotation, match, scene

Points = NDArray[np.float64]


def oriented(rng: np.random.Generator) -> Points:
    """The corners of a box of any size, place and angle."""
    half = rng.random(2) * 20 + 1
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    angle = rng.random() * 2 * np.pi
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(corners @ turn + rng.random(2) * 30 + 30)


def clipped_area(subject: Points, clip: Points) -> float:
    """Sutherland and Hodgman 1974: the area of what two convex polygons share."""
    points: Sequence[NDArray[np.float64]] = list(subject)
    for start, stop in zip(clip, np.roll(clip, -1, axis=0), strict=True):
        side = stop - start

        def left(point: Points, start: Points = start, side: Points = side) -> float:
            return float(side[0] * (point[1] - start[1]) - side[1] * (point[0] - start[0]))

        kept = []
        for here, after in zip(points, [*points[1:], *points[:1]], strict=True):
            if left(here) >= 0:
                kept.append(here)
            if (left(here) >= 0) != (left(after) >= 0):
                part = left(here) / (left(here) - left(after))
                kept.append(here + part * (after - here))
        points = kept
    return area(np.array(points)) if len(points) > 2 else 0.0


def area(points: Points) -> float:
    x, y = points.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


@pytest.mark.parametrize("seed", range(100))
def test_ious_of_oriented_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs = oriented(rng), oriented(rng)
    shared = clipped_area(ours, theirs)
    left, right = ([shapely.Polygon(points)] for points in (ours, theirs))
    zero = np.array([0])
    iou = overlap.polygon_ious(left, right, np.array([False]), zero, zero)
    in_crowd = overlap.polygon_ious(left, right, np.array([True]), zero, zero)
    assert iou[0] == pytest.approx(shared / (area(ours) + area(theirs) - shared), abs=1e-12)
    assert in_crowd[0] == pytest.approx(shared / area(theirs), abs=1e-12)


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 137])
def test_turning_everything_changes_no_number(degrees: float) -> None:
    """Polygons are exact at any angle; pixels and boxes are not."""
    rng = np.random.default_rng(7)
    truths = [shapely.Polygon(oriented(rng)) for _ in range(12)]
    moved = [shapely.affinity.translate(shape, *rng.normal(0, 2, 2)) for shape in truths]

    def numbers(angle: float) -> NDArray[np.float64]:
        turned, found = (
            [shapely.affinity.rotate(shape, angle, origin=(0, 0)) for shape in shapes]
            for shapes in (truths, moved)
        )
        image = (
            [annotation(velour.Polygon(shape)) for shape in turned],
            [
                annotation(velour.Polygon(shape), score=round(0.99 - place / 20, 2))
                for place, shape in enumerate(found)
            ],
        )
        ledger = match(scene(image), InstanceSegmentation, iou_type="polygon")
        return headline(InstanceSegmentation().measure(ledger))

    np.testing.assert_array_equal(numbers(degrees), numbers(0))
