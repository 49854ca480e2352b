"""Masks as run edges, equal to COCO's own masks in every pixel."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from pycocotools import mask as coco_masks
from velour_evaluators.detection.kernels import overlap

import velour_plugin as velour
from velour_plugin.domain.columns import rle

# pycocotools 2.0.11 under numpy 2 answers an array protocol that it does not fully know
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SEEDS = range(40)


def _mask(rng: np.random.Generator) -> NDArray[np.bool_]:
    height, width = rng.integers(1, 60, 2)
    return np.asarray(rng.random((height, width)) < rng.random())


def _encoded(mask: NDArray[np.bool_]) -> dict[str, object]:
    encoded: dict[str, object] = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    return encoded


def _points(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """A ring that may cross itself, leave the image, and lie on the pixel grid."""
    points = rng.random((int(rng.integers(3, 12)), 2)) * [width * 1.5, height * 1.5]
    points -= [width * 0.25, height * 0.25]
    kind = rng.random()
    return points.round() if kind < 0.3 else points.round(1) if kind < 0.5 else points


@pytest.mark.parametrize("seed", SEEDS)
def test_encoding_decoding_area_and_box(seed: int) -> None:
    mask = _mask(np.random.default_rng(seed))
    height, width = mask.shape
    edges, encoded = rle.edges_of_mask(mask), _encoded(mask)
    text = rle.text_of_counts(rle.counts_of_edges(edges, height, width))
    assert text.encode() == encoded["counts"]
    np.testing.assert_array_equal(rle.edges_of_counts(rle.counts_of_text(text)), edges)
    np.testing.assert_array_equal(rle.mask_of_edges(edges, height, width), mask)
    assert rle.area_of_edges(edges, height, width) == coco_masks.area(encoded)
    assert rle.box_of_edges(edges, height, width) == tuple(coco_masks.toBbox(encoded))


@pytest.mark.parametrize("seed", range(200))
def test_polygons_are_rasterised_as_coco_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(size) for size in rng.integers(1, 80, 2))
    points = _points(rng, height, width)
    encoded = coco_masks.frPyObjects([points.ravel().tolist()], height, width)[0]
    edges = rle.edges_of_rings([points], height, width)
    np.testing.assert_array_equal(
        rle.mask_of_edges(edges, height, width), coco_masks.decode(encoded)
    )


@pytest.mark.parametrize("seed", range(30))
def test_points_that_repeat_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = _points(rng, 40, 50)
    doubled = np.repeat(points, 2, axis=0)
    encoded = coco_masks.frPyObjects([doubled.ravel().tolist()], 40, 50)[0]
    edges = rle.edges_of_rings([doubled], 40, 50)
    np.testing.assert_array_equal(rle.mask_of_edges(edges, 40, 50), coco_masks.decode(encoded))


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_of_an_instance_are_united(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rings = [_points(rng, 40, 50) for _ in range(int(rng.integers(1, 4)))]
    encoded = coco_masks.merge(
        coco_masks.frPyObjects([ring.ravel().tolist() for ring in rings], 40, 50)
    )
    parts = [rle.edges_of_rings([ring], 40, 50) for ring in rings]
    united = rle.union_of_edges(parts, 40, 50)
    np.testing.assert_array_equal(rle.mask_of_edges(united, 40, 50), coco_masks.decode(encoded))


def test_a_ring_in_a_ring_is_a_hole() -> None:
    """A frame of 10 x 10 pixels around a hole of 4 x 4 has 84."""
    frame = shapely.box(0, 0, 10, 10).difference(shapely.box(3, 3, 7, 7))
    assert velour.Raster.from_geometry(velour.Polygon(frame), 20, 20).area == 84


@pytest.mark.parametrize("seed", SEEDS)
def test_ious_of_masks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 30, 2))
    masks = [np.asarray(rng.random(shape) < rng.random() ** 2) for _ in range(9)]
    masks[0][:], masks[1][:] = False, True
    crowd = rng.random(4) < 0.4
    expected = coco_masks.iou(
        [_encoded(mask) for mask in masks[4:]],
        [_encoded(mask) for mask in masks[:4]],
        crowd.astype(int).tolist(),
    )
    detection, truth = (axis.ravel() for axis in np.indices(expected.shape))
    rasters = [velour.Raster(mask) for mask in masks]
    ious = overlap.raster_ious(rasters[:4], rasters[4:], crowd, truth, detection)
    np.testing.assert_array_equal(ious, np.nan_to_num(expected.ravel()))


@pytest.mark.parametrize("seed", SEEDS)
def test_ious_of_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = rng.random((12, 4)) * [40, 40, 30, 30]
    boxes = boxes.round(int(rng.integers(0, 4)))
    crowd = rng.random(6) < 0.4
    some = (boxes[:, 2] * boxes[:, 3]) > 0
    expected = coco_masks.iou(boxes[6:], boxes[:6], crowd.astype(int).tolist())
    detection, truth = (axis.ravel() for axis in np.indices(expected.shape))
    ious = overlap.box_ious(boxes[:6], boxes[6:], crowd, truth, detection)
    known = some[:6][truth] & some[6:][detection]
    np.testing.assert_array_equal(ious[known], expected.ravel()[known])
    assert not ious[~known].any()
