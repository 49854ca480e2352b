"""Shapes on Earth: across the antimeridian, round a pole, and where they lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from velour_integrations.formats.earth import (
    centroid,
    crosses_antimeridian,
    cut_at_antimeridian,
)

import velour_plugin as velour
from velour_plugin.errors import BadDataset, BadGeometry, InvalidInput
from velour_plugin.store import upgrade_store

GEOD = pyproj.Geod(ellps="WGS84")
SPLIT = shapely.MultiPolygon(
    [shapely.box(179.999, -17, 180, -16), shapely.box(-180, -17, -179.999, -16)]
)
CROSSING = shapely.box(179.999, -17, -179.999, -16)
POLE = shapely.Polygon([(0, 89), (90, 89), (180, 89), (-90, 89)])


def area(shape: Any) -> float:
    return sum(abs(GEOD.geometry_area_perimeter(part)[0]) for part in shapely.get_parts(shape))


@pytest.mark.parametrize(
    "ring",
    [
        [(179, -17), (-179, -17), (-179, -16), (179, -16)],
        [(179, -17), (179, -16), (-179, -16), (-179, -17)],
        [(-179, -16), (179, -16), (179, -17), (-179, -17)],
    ],
)
def test_a_ring_over_the_antimeridian_is_cut_in_two(ring: list[tuple[float, float]]) -> None:
    shape = shapely.Polygon(ring)
    assert crosses_antimeridian(shape)
    cut = cut_at_antimeridian(shape)
    assert not crosses_antimeridian(cut)
    expected = shapely.MultiPolygon(
        [shapely.box(179, -17, 180, -16), shapely.box(-180, -17, -179, -16)]
    )
    assert cut.equals(expected)


def test_a_hole_stays_in_its_outline() -> None:
    outline = [(179, -18), (-179, -18), (-179, -16), (179, -16)]
    for hole in (
        [(179.5, -17.5), (-179.5, -17.5), (-179.5, -16.5), (179.5, -16.5)],
        [(-179.8, -17.5), (-179.2, -17.5), (-179.2, -16.5), (-179.8, -16.5)],
        [(179.2, -17.5), (179.8, -17.5), (179.8, -16.5), (179.2, -16.5)],
    ):
        wide = 1.0 if hole[0][0] > hole[1][0] else 0.6
        assert cut_at_antimeridian(shapely.Polygon(outline, [hole])).area == pytest.approx(4 - wide)


def test_a_ring_round_a_pole_holds_it() -> None:
    north = cut_at_antimeridian(POLE)
    assert north.equals(shapely.box(-180, 89, 180, 90))
    south = cut_at_antimeridian(shapely.Polygon([(x, -y) for x, y in POLE.exterior.coords][::-1]))
    assert south.equals(shapely.box(-180, -90, 180, -89))


@pytest.mark.parametrize(
    "shape", [SPLIT, shapely.box(-180, -90, 180, 90), shapely.box(0, 0, 170, 1)]
)
def test_what_does_not_cross_stays_as_it_is(shape: Any) -> None:
    assert cut_at_antimeridian(shape) is shape


def test_a_centroid_is_the_same_wherever_longitudes_begin() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        ring = rng.uniform((-8, -8), (8, 8), (3, 2))
        ring[:, 1] += rng.uniform(-70, 70)
        here = centroid([shapely.Polygon(ring)])
        other_side = np.column_stack([ring[:, 0] % 360 - 180, ring[:, 1]])
        there = cut_at_antimeridian(shapely.Polygon(other_side))
        moved = centroid([there])
        assert here is not None
        assert moved is not None
        assert abs((moved.x - here.x) % 360 - 180) < 1e-3  # where sides are bent differs
        assert moved.y == pytest.approx(here.y, abs=1e-3)


def test_a_centroid_is_by_area_and_may_be_a_pole() -> None:
    pole = centroid([shapely.box(-180, 89, 180, 90)])
    assert pole is not None
    assert pole.y == pytest.approx(90, abs=1e-6)
    near = centroid([shapely.box(0, 89.9, 90, 89.95), shapely.box(-180, 89.9, -90, 89.95)])
    assert near is not None
    assert near.y == pytest.approx(90, abs=1e-6)
    small = centroid([shapely.box(5, 5, 5.01, 5.01)])
    assert small is not None
    assert small.equals_exact(shapely.Point(5.005, 5.005), 1e-12)
    assert centroid([]) is None


def write(path: Path, *shapes: Any, score: float | None = None, **members: Any) -> Path:
    scored = {} if score is None else {"score": score}
    features = [
        {"type": "Feature", "properties": {"label": "reef", **scored},
         "geometry": shapely.geometry.mapping(shape)}
        for shape in shapes
    ]  # fmt: skip
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return path


def read(folder: Path, truth: Any, predicted: Any, **members: Any) -> velour.Dataset:
    truths, predictions = (
        side if isinstance(side, list) else [side] for side in (truth, predicted)
    )
    dataset = velour.read_dataset(write(folder / "truth.geojson", *truths, **members), "geojson")
    run = write(folder / "run.geojson", *predictions, score=0.9, **members)
    return dataset.with_predictions(run, "m")


def mean_ap(dataset: velour.Dataset, **given: Any) -> Any:
    return velour.evaluate(dataset, "object-detection", parameters=given, save=False)["mAP"]


@pytest.mark.parametrize("form", ["box", "polygon"])
def test_an_image_across_the_antimeridian_is_one(tmp_path: Path, form: str) -> None:
    """A prediction of its eastern half alone overlaps it by half."""
    assert mean_ap(read(tmp_path, SPLIT, SPLIT), iou_type=form) == pytest.approx(1)
    half = shapely.box(-180, -17, -179.999, -16)
    assert mean_ap(read(tmp_path, SPLIT, half), iou_type=form) == pytest.approx(0.1)
    assert mean_ap(read(tmp_path, half, SPLIT), iou_type=form) == pytest.approx(0.1)


def test_what_crosses_is_cut_and_counted(tmp_path: Path) -> None:
    with pytest.warns(velour.ReadingWarning, match="1 outlines across the antimeridian"):
        dataset = velour.read_dataset(write(tmp_path / "truth.geojson", CROSSING), "geojson")
    location = dataset.datums[0].location
    assert location is not None
    assert abs(location.x) == pytest.approx(180)
    (truth,) = dataset.groundtruths
    assert truth.annotations[0].polygon is not None
    assert truth.annotations[0].polygon.area == pytest.approx(area(SPLIT), rel=1e-3)
    predicted = dataset.with_predictions(write(tmp_path / "run.geojson", SPLIT, score=0.5), "m")
    assert mean_ap(predicted) == pytest.approx(1)
    with pytest.raises(BadDataset, match="outlines across the antimeridian"):
        velour.read_dataset(tmp_path / "truth.geojson", "geojson", strict=True)


def test_longitudes_beyond_180_are_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match=r"cut at 180 .*RFC 7946"):
        velour.read_dataset(write(tmp_path / "t.geojson", shapely.box(179, 0, 181, 1)), "geojson")


def test_maps_of_the_world_are_laid_out_as_maps_are(tmp_path: Path) -> None:
    squares = [shapely.box(west, 0, west + 10, 10) for west in range(-180, 180, 30)]
    assert mean_ap(read(tmp_path, squares, squares)) == pytest.approx(1)
    whole = shapely.box(-180, -90, 180, 90)
    assert mean_ap(read(tmp_path, whole, whole)) == pytest.approx(1)


def test_areas_on_earth_have_ranges_in_square_metres(tmp_path: Path) -> None:
    """Squares of 5, 20 and 100 metres near the equator, where a degree is some 110 km."""
    squares = [
        shapely.box(0.01 * number, 0, 0.01 * number + size / 111_000, size / 111_000)
        for number, size in enumerate((5, 20, 100))
    ]
    dataset = read(tmp_path, squares, squares[:2])
    evaluation = velour.evaluate(dataset, "object-detection", save=False)
    sizes = {name: evaluation[f"mAR_{name}"] for name in ("small", "medium", "large")}
    assert sizes == {"small": 1.0, "medium": 1.0, "large": 0.0}
    assert evaluation.certificate.parameters["area_ranges"] == [
        ["all", 0.0, None], ["small", 0.0, 100.0], ["medium", 100.0, 900.0], ["large", 900.0, None]
    ]  # fmt: skip
    given = {"area_ranges": {"all": (0, None), "tiny": (0, 50)}}
    evaluation = velour.evaluate(dataset, "object-detection", parameters=given, save=False)
    assert (evaluation["mAR_tiny"], evaluation["mAR_100"]) == (1.0, pytest.approx(2 / 3))


def test_pixels_of_a_geojson_keep_cocos_ranges(tmp_path: Path) -> None:
    square = shapely.box(0, 0, 20, 20)
    evaluation = velour.evaluate(
        read(tmp_path, square, square, crs=None), "object-detection", save=False
    )
    assert (evaluation["mAR_small"], evaluation["mAR_medium"]) == (1.0, None)


def test_an_object_of_more_than_ten_thousand_square_kilometres_counts(tmp_path: Path) -> None:
    large, small = shapely.box(10, 42, 12, 44), shapely.box(20, 42, 20.1, 42.1)
    assert mean_ap(read(tmp_path, large, large)) == pytest.approx(1)
    assert mean_ap(read(tmp_path, [large, small], [small])) == pytest.approx(51 / 101)


def test_the_unit_survives_the_store_and_other_metadata(tmp_path: Path, store_url: str) -> None:
    square = shapely.box(0, 0, 0.0001, 0.0001)
    dataset = read(tmp_path, square, square)
    upgrade_store(store_url)
    with velour.open_store(store_url) as store:
        first = velour.evaluate(dataset, "object-detection", store=store)
        stored = store.load_dataset("truth").with_predictions(dataset.predictions, "m")
        again = velour.evaluate(stored, "object-detection", save=False)
        board = velour.rank(
            "mAR_medium", "truth", parameters={"iou_threshold": 0.3}, resamples=0, store=store
        )
    assert again.id == first.id
    assert board[0].value == 1.0
    described = dataset.with_metadata({"sensor": "WV3"})
    assert described.metadata == {"area_unit": "square metre", "sensor": "WV3"}


def test_metres_have_no_masks(tmp_path: Path) -> None:
    square = shapely.box(0, 0, 0.0001, 0.0001)
    dataset = read(tmp_path, square, square)
    with pytest.raises(BadDataset, match=r"square metre.*iou_type='polygon'"):
        velour.evaluate(dataset, "instance-segmentation", save=False)
    by_polygons = velour.evaluate(
        dataset, "instance-segmentation", parameters={"iou_type": "polygon"}, save=False
    )
    assert by_polygons["mAP"] == pytest.approx(1)


@pytest.mark.parametrize("unit", ["acre", 7, ["pixel"]])
def test_an_unknown_unit_is_refused(tmp_path: Path, unit: Any) -> None:
    square = shapely.box(0, 0, 0.0001, 0.0001)
    dataset = read(tmp_path, square, square).with_metadata({"area_unit": unit})
    with pytest.raises(InvalidInput, match="expected 'pixel' or 'square metre'"):
        velour.evaluate(dataset, "object-detection", save=False)


def test_datasets_in_pixels_and_on_earth_are_not_ranked_together(
    tmp_path: Path, sqlite_url: str
) -> None:
    square = shapely.box(0, 0, 0.0001, 0.0001)
    earth = read(tmp_path, square, square)
    pixels = read(tmp_path, square, square, crs=None).with_name("slides")
    with velour.open_store(sqlite_url) as store:
        for dataset in (earth, pixels):
            velour.evaluate(dataset, "object-detection", store=store)
        with pytest.raises(velour.errors.NotComparable, match=r"parameters\.area_ranges"):
            velour.rank("mAP", ["truth", "slides"], resamples=0, store=store)


def test_the_centroid_of_a_shape_without_area_lies_in_its_middle() -> None:
    point = centroid([shapely.Polygon([(0, 0), (1, 1), (1, 1), (0, 0)])])
    assert point is not None
    assert (point.x, point.y) == (0.5, 0.5)


@pytest.mark.parametrize("far", [1e7, 1e300])
def test_what_is_no_longitude_is_refused_before_it_costs_anything(far: float) -> None:
    ring = shapely.Polygon([(0, 0), (far, 0), (1, 1)])
    with pytest.raises(BadGeometry, match="expected degrees, the longitude first"):
        centroid([ring])
    over = shapely.Polygon([(-179, 0), (179, 0), (179, far)])
    with pytest.raises(BadGeometry, match="expected degrees, the longitude first"):
        cut_at_antimeridian(over)
