"""A column of regions gives back what it was made of, and spells it as its objects are spelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

import velour_plugin as velour
from velour_plugin.domain.columns import region_masks
from velour_plugin.domain.columns.region_column import EDGES, TEXT, RegionColumn
from velour_plugin.domain.encoding.canonical import digest
from velour_plugin.domain.encoding.content import annotation_digests
from velour_plugin.domain.encoding.regions_at_rest import (
    column_at_rest,
    masks_to_numbers,
    polygons_to_wkb,
    region_bytes,
)
from velour_plugin.errors import BadGeometry

HEIGHT, WIDTH = 20, 30
SQUARE = velour.Polygon([(0, 0), (4, 0), (4, 4), (0, 4)])
RING = velour.Polygon(shapely.box(0, 0, 9, 9).difference(shapely.box(3, 3, 6, 6)))
TWO = velour.MultiPolygon([SQUARE, [(6, 6), (9, 6), (9, 9)]])
DOT = velour.Raster({"size": [2, 3], "counts": [2, 1, 3]})
SHAPES = [None, SQUARE, DOT, TWO, None, RING]


@pytest.fixture(params=["auto", "numpy"], autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VELOUR_ENGINE", request.param)


def test_objects_are_made_when_a_row_is_looked_at() -> None:
    column = RegionColumn.of_shapes(SHAPES)
    assert len(column) == 6
    assert list(column) == SHAPES
    assert column[2] == DOT
    assert column.is_mask.tolist() == [False, False, True, False, False, False]
    assert column.is_polygon.tolist() == [False, True, False, True, False, True]


@pytest.mark.parametrize("rows", [[5, 1], [3], [], [2, 0, 3, 5, 1, 4, 2]])
def test_rows_are_taken_by_position(rows: list[int]) -> None:
    column = RegionColumn.of_shapes(SHAPES)
    assert list(column[np.array(rows, int)]) == [SHAPES[row] for row in rows]


def test_rows_are_taken_by_mask() -> None:
    column = RegionColumn.of_shapes(SHAPES)
    assert list(column[column.is_present]) == [SQUARE, DOT, TWO, RING]


def test_a_small_part_does_not_keep_the_text_of_all() -> None:
    texts = RegionColumn.of_texts(
        b"[5221|" + b"x" * 99, *np.array([[1], [5]]), np.array([[3, 4]]), escaped=True
    )
    both = RegionColumn.joined([texts, RegionColumn.of_shapes([None] * 3)])
    assert both[:1].text == b"5221"
    assert both[1:3].text == b""


def test_rings_are_closed_as_shapely_closes_them() -> None:
    """Open, closed, and three points of which the first is the last."""
    rings = [[(0, 0), (1, 0), (1, 1)], [(0, 0), (1, 0), (1, 1), (0, 0)], [(0, 0), (1, 0), (0, 0)]]
    points = np.array([point for ring in rings for point in ring], float)
    starts, rows = np.array([0, 3, 7, 10]), np.array([0, 1, 1, 3])
    column = RegionColumn.of_rings(points, starts, rows)
    expected = [velour.Polygon(rings[0]), None, velour.MultiPolygon(rings[1:])]
    assert list(column) == expected
    assert polygons_to_wkb(column) == [wkb(shape) for shape in expected]


def test_a_malformed_text_is_refused() -> None:
    text = RegionColumn.of_texts(
        b"5221", *np.array([[0], [4]]), np.array([[3, 5]]), escaped=False
    )  # fills 12 of 15 pixels
    with pytest.raises(ValueError, match=r"run"):
        region_masks.check_texts(RegionColumn.joined([RegionColumn.of_shapes([DOT]), text]))


def test_a_row_without_a_region_takes_its_box() -> None:
    box = np.array([[1, 2, 3, 4], [0, 0, 9, 9], [np.nan] * 4], float)
    column = region_masks.with_boxes(RegionColumn.of_shapes([None, DOT, None]), box)
    assert column[0] == velour.Polygon(velour.BoundingBox.from_xywh(1, 2, 3, 4).shape)
    assert (column[1], column[2]) == (DOT, None)


@pytest.mark.parametrize("seed", range(20))
def test_columns_are_spelled_as_their_objects(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of digests, WKB and numbers at rest, and back; few masks at a time."""
    monkeypatch.setattr(region_masks, "AT_ONCE", int(np.random.default_rng(seed).integers(1, 200)))
    column, shapes = random_column(seed)
    assert list(column) == shapes
    assert list(region_bytes(column)) == [expected_bytes(shape) for shape in shapes]
    assert polygons_to_wkb(column) == [wkb(shape) for shape in shapes]
    numbers, bounds = masks_to_numbers(column)
    for row, shape in enumerate(shapes):
        mask = isinstance(shape, velour.Raster)
        expected = [shape.height, shape.width, *shape.edges] if mask else []
        assert numbers[bounds[row] : bounds[row + 1]].tolist() == expected
    read = column_at_rest(polygons_to_wkb(column), (numbers, bounds))
    assert read is not None
    assert list(read) == shapes
    assert list(region_bytes(read)) == [expected_bytes(shape) for shape in shapes]


@pytest.mark.parametrize("seed", range(20))
def test_masks_are_rasterised_and_measured_as_their_objects(seed: int) -> None:
    column, shapes = random_column(seed)
    size = np.tile([HEIGHT, WIDTH], (len(column), 1))
    for mask, shape in zip(region_masks.rasterised(column, size), shapes, strict=True):
        if shape is None or isinstance(shape, velour.Raster):
            assert mask == shape
        else:
            assert mask == velour.Raster.from_geometry(shape, HEIGHT, WIDTH)
    areas, boxes = region_masks.mask_areas(column), region_masks.boxes_around(column)
    for row, shape in enumerate(shapes):
        if isinstance(shape, velour.Raster):
            assert areas[row] == shape.area
            assert boxes[row].tolist() == list(shape.bounding_box.xywh)
        elif shape is None:
            assert np.isnan([areas[row], *boxes[row]]).all()
        else:
            around = velour.BoundingBox(*shape.shape.bounds)
            assert (np.isnan(areas[row]), boxes[row].tolist()) == (True, list(around.xywh))


@pytest.mark.parametrize("seed", range(10))
def test_digests_are_of_the_same_bytes(seed: int) -> None:
    column, shapes = random_column(seed)
    rng = np.random.default_rng(seed)
    rows = len(column)
    datum, box = np.sort(rng.integers(0, 5, rows)).astype(np.int32), rng.random((rows, 4))
    table = velour.AnnotationTable.from_columns(
        [("class", "a")], datum, np.zeros(rows, np.int32), box=box, shape=column
    )
    objects = velour.AnnotationTable.from_columns(
        [("class", "a")], datum, np.zeros(rows, np.int32), box=box, shape=shapes
    )
    uids = [f"image {number}" for number in range(6)]
    assert list(annotation_digests(table, uids)) == list(annotation_digests(objects, uids))
    nan = float("nan")
    for number, uid in enumerate(uids):
        mine = np.flatnonzero(datum == number)
        numbers = [[nan, *box[row], nan, 0.0] for row in mine]
        content = (
            np.arange(len(mine), dtype=np.int32).tobytes()
            + b'["class","a"]' * len(mine)
            + np.array(numbers, float).tobytes()
            + b"".join(expected_bytes(shapes[row]) for row in mine)
            + b"{}" * len(mine)
            + b"0;" * len(mine)
        )
        assert annotation_digests(table, uids)[number] == digest(uid, content)


def random_column(seed: int) -> tuple[RegionColumn, list[Any]]:
    """Polygons, masks as edges, and masks as texts with doubled backslashes, in any order."""
    rng = np.random.default_rng(seed)
    makers: list[Callable[[np.random.Generator], Any]] = [
        lambda rng: None, polygon, mask, lambda rng: RING,
        lambda rng: velour.MultiPolygon([polygon(rng) for _ in range(rng.integers(1, 4))]),
    ]  # fmt: skip
    shapes = [makers[rng.integers(5)](rng) for _ in range(rng.integers(1, 30))]
    column = RegionColumn.of_shapes(shapes)
    texts = np.flatnonzero((column.kind == EDGES) & (rng.random(len(shapes)) < 0.7))
    spelled = [shapes[row].to_rle()["counts"].replace("\\", "\\\\").encode() for row in texts]
    start = np.cumsum([2, *(len(text) + 2 for text in spelled)])
    column.kind[texts], column.start[texts] = TEXT, start[:-1]
    column.stop[texts] = start[1:] - 2
    whole = b'["' + b'""'.join(spelled) + b'"]'
    return RegionColumn(
        column.kind, column.start, column.stop, column.size, column.outlines, whole, True,
        column.edges,
    ), shapes  # fmt: skip


def polygon(rng: np.random.Generator) -> velour.Polygon:
    points: NDArray[np.float64] = rng.uniform(-3, 33, (rng.integers(3, 7), 2)).round(1)
    return velour.Polygon(points)


def mask(rng: np.random.Generator) -> velour.Raster:
    pixels = rng.random((HEIGHT, WIDTH)) < rng.choice([0.0, 0.02, 0.5, 1.0])
    return velour.Raster(pixels)


def wkb(shape: Any) -> bytes | None:
    if shape is None or isinstance(shape, velour.Raster):
        return None
    return bytes(shapely.to_wkb(shape.shape, byte_order=1))


def expected_bytes(shape: Any) -> bytes:
    if shape is None:
        return b"\x00"
    if isinstance(shape, velour.Raster):
        return b"R%d,%d;" % (shape.height, shape.width) + shape.edges.astype("<i8").tobytes()
    return b"P" + bytes(shapely.to_wkb(shape.shape, byte_order=1))


def test_an_image_too_large_for_masks_is_refused_and_the_limit_can_be_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    column = RegionColumn.of_shapes([SQUARE])
    size = np.array([[5, 2_000_000]])
    with pytest.raises(BadGeometry, match="image of 5x2,000,000 pixels: expected sides of at most"):
        region_masks.rasterised(column, size)
    monkeypatch.setenv("VELOUR_MAX_IMAGE_SIDE", "2000000")
    assert region_masks.mask_areas(region_masks.rasterised(column, size)).tolist() == [16]


def test_masks_beyond_what_is_stored_are_refused() -> None:
    """Positions of pixels are stored in 32 bits: larger ones came back as others."""
    size, counts = [100_000, 100_000], [5 * 10**9, 10, 5 * 10**9 - 10]
    with pytest.raises(BadGeometry, match="a mask has at most 2,147,483,647 pixels"):
        velour.Raster({"size": size, "counts": counts})
    edges = np.cumsum(counts[:-1])
    column = RegionColumn.of_edges(edges, np.array([0, 2]), np.array([size]))
    with pytest.raises(BadGeometry, match=r"the mask in row 0 is 100,000x100,000"):
        velour.AnnotationTable.from_columns(
            [("class", "a")], np.zeros(1), np.zeros(1, int), shape=column
        )
