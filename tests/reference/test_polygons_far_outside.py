"""Polygons that reach far beyond their image: pycocotools' pixels, at the cost of the image."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_masks

from velour_plugin.domain.columns import rle
from velour_plugin.errors import BadGeometry
from velour_plugin.native import masks as native_masks
from velour_plugin.native.library import library

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
COMPILED = pytest.mark.skipif(not library.available(), reason="there is no compiled kernel")


def _far(rng: np.random.Generator, reach: float) -> NDArray[np.float64]:
    """A ring with points near and far on all sides of an image."""
    points = rng.uniform(-60, 120, (int(rng.integers(3, 9)), 2))
    far = rng.random(points.shape) < 0.4
    points[far] *= 10.0 ** rng.uniform(0, np.log10(reach) - 2, int(far.sum()))
    return points.round() if rng.random() < 0.3 else points


def _compiled(ring: NDArray[np.float64], height: int, width: int) -> rle.Edges:
    starts = np.array([0, len(ring)]), np.array([0, 1]), np.array([0, 1])
    return native_masks.rasterise(ring, *starts, np.array([[height, width]])).edges


def _both(ring: NDArray[np.float64], height: int, width: int) -> rle.Edges:
    edges = rle.edges_of_rings([ring], height, width)
    if library.available():
        np.testing.assert_array_equal(_compiled(ring, height, width), edges)
    return edges


def _zigzag(points: int, width: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(points)
    across = np.where(np.arange(points) % 2, width + 10.0, -10.0)
    return np.column_stack([across, rng.uniform(-5, 25, points)])


@pytest.mark.parametrize("seed", range(300))
def test_pixels_are_those_of_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 70, 2).tolist()
    ring = _far(rng, 1e5)
    encoded = coco_masks.frPyObjects([ring.ravel().tolist()], height, width)[0]
    mask = rle.mask_of_edges(_both(ring, height, width), height, width)
    np.testing.assert_array_equal(mask, coco_masks.decode(encoded))


@pytest.mark.parametrize("reach", [1e7, 1e9, 1e12, 1e15])
def test_both_engines_agree_however_far(reach: float) -> None:
    rng = np.random.default_rng(int(np.log10(reach)))
    for _ in range(100):
        height, width = rng.integers(1, 70, 2).tolist()
        _both(np.clip(_far(rng, 100 * reach), -1e15, 1e15), height, width)


@pytest.mark.parametrize("x", [5e7, -5e7, 1e12])
def test_a_stray_point_takes_no_memory(x: float) -> None:
    """The triangle (0, 0), (x, 40), (0, 40) covers the image's lower part, or nothing of it."""
    ring = np.array([[0.0, 0.0], [x, 40.0], [0.0, 40.0]])
    tracemalloc.start()
    edges = _both(ring, 40, 60)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
    assert rle.area_of_edges(edges, 40, 60) == (40 * 60 if x > 0 else 0)


@pytest.mark.parametrize("points", [3, 400, 5_000])
def test_a_ring_that_crosses_an_image_often_keeps_as_many_edges_as_there_are_pixels(
    points: int,
) -> None:
    ring = _zigzag(points, 30)
    encoded = coco_masks.frPyObjects([ring.ravel().tolist()], 20, 30)[0]
    edges = _both(ring, 20, 30)
    np.testing.assert_array_equal(rle.mask_of_edges(edges, 20, 30), coco_masks.decode(encoded))
    assert len(edges) <= 21 * 30


def test_points_beyond_all_measure_are_refused() -> None:
    with pytest.raises(BadGeometry, match=r"reaches to 1e\+300 pixels: expected points within"):
        rle.edges_of_rings([np.array([[0.0, 0], [1e300, 0], [0, 9]])], 5, 5)


@COMPILED
def test_compiled_kernel_leaves_such_points_to_numpy() -> None:
    with pytest.raises(ValueError, match="point"):
        _compiled(np.array([[0.0, 0], [1e300, 0], [0, 9]]), 5, 5)


@pytest.mark.parametrize("seed", range(30))
def test_many_parts_are_united(seed: int) -> None:
    """More edges than the image has pixels, so that parts are united on the way."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(2, 12, 2).tolist()
    parts = [rng.uniform(-3, 14, (int(rng.integers(3, 6)), 2)) for _ in range(int(seed) * 4 + 2)]
    edges = rle.union_of_edges(
        [rle.edges_of_rings([part], height, width) for part in parts], height, width
    )
    united = coco_masks.merge(
        coco_masks.frPyObjects([part.ravel().tolist() for part in parts], height, width)
    )
    mask = rle.mask_of_edges(edges, height, width)
    np.testing.assert_array_equal(mask, coco_masks.decode(united))
    if library.available():
        starts = np.cumsum([0, *map(len, parts)])
        alone = np.arange(len(parts) + 1)
        drawn = native_masks.rasterise(
            np.concatenate(parts), starts, alone, alone[[0, -1]], np.array([[height, width]])
        )
        np.testing.assert_array_equal(drawn.edges, edges)
