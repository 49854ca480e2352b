"""GeoJSON: features on Earth or in pixels, a file an image or one of all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely

import velour_plugin as velour
from velour_plugin.errors import BadDataset

VEGAS = (-115.17, 36.12)
Json = dict[str, Any]


def square(west: float, south: float, size: float = 0.001) -> Json:
    return dict(shapely.box(west, south, west + size, south + size).__geo_interface__)


def feature(geometry: Json | None, **properties: Any) -> Json:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def write(path: Path, *features: Any, **members: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"type": "FeatureCollection", "features": list(features), **members}
    path.write_text(json.dumps(content), "utf-8")
    return path


def read(path: Path, **options: Any) -> velour.Dataset:
    return velour.read_dataset(path, format="geojson", **options)


def annotations_of(dataset: velour.Dataset) -> dict[str, list[velour.Annotation]]:
    return {truth.datum.uid: list(truth.annotations) for truth in dataset.groundtruths}


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Two tiles in Las Vegas, one with two buildings and one without any."""
    home = tmp_path / "tiles"
    west, south = VEGAS
    there = feature(square(west, south), label="house", floors=2, roof=None, old=True)
    write(home / "a.geojson", there, feature(square(west + 0.002, south), label="barn"))
    write(home / "b.geojson")
    return home


def test_a_file_is_an_image_and_its_features_are_annotations(tiles: Path) -> None:
    dataset = read(tiles)
    house, barn = annotations_of(dataset)["a"]
    assert (house.labels[0].name, barn.labels[0].name) == (("class", "house"), ("class", "barn"))
    assert house.metadata == {"floors": 2, "old": True}
    assert annotations_of(dataset)["b"] == []
    assert dataset.name == "tiles"


def test_areas_are_square_metres_on_the_ground(tiles: Path) -> None:
    """What PROJ's geodesics say of the same squares, to a thousandth; north is up."""
    house, barn = annotations_of(read(tiles))["a"]
    west, south = VEGAS
    area, _ = pyproj.Geod(ellps="WGS84").geometry_area_perimeter(
        shapely.box(west, south, west + 0.001, south + 0.001)
    )
    assert house.polygon is not None
    assert barn.polygon is not None
    assert house.polygon.area == pytest.approx(abs(area), rel=1e-3)
    assert barn.polygon.shape.bounds[0] > house.polygon.shape.bounds[2]
    assert house.polygon.shape.bounds[3] < 0  # y goes down: the north has the smaller numbers


def test_an_image_lies_where_its_features_do(tiles: Path) -> None:
    a, b = read(tiles).datums
    west, south = VEGAS
    assert shapely.distance(a.location, shapely.Point(west + 0.0015, south + 0.0005)) < 1e-9
    assert b.location is None


def test_a_table_may_know_the_place_better(tiles: Path, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("uid,lat,lon,sensor\nb,36.2,-115.2,WV3\na,,,WV2\n")
    _, b = read(tiles, metadata=tmp_path / "m.csv").datums
    assert (b.location, b.metadata) == (shapely.Point(-115.2, 36.2), {"sensor": "WV3"})


def test_one_file_may_hold_many_images(tmp_path: Path) -> None:
    """A feature without geometry says that its image was looked at, or what it is."""
    path = write(
        tmp_path / "all.geojson",
        feature(square(*VEGAS), image_id="10.tif", type_id=73),
        feature(None, image_id="9.tif"),
        feature(None, image_id="11.tif", type_id=74),
    )
    dataset = read(path)
    assert dataset.uids == ("10.tif", "11.tif", "9.tif")
    assert [len(items) for items in annotations_of(dataset).values()] == [1, 1, 0]
    whole = velour.Annotation([velour.Label("class", "74")])
    assert annotations_of(dataset)["11.tif"] == [whole]


def test_pixels_are_what_they_are(tmp_path: Path) -> None:
    """QuPath's classification; a crowd; several parts; no place on Earth."""
    parts = shapely.MultiPolygon([shapely.box(0, 0, 2, 2), shapely.box(300, 0, 302, 2)])
    path = write(
        tmp_path / "slide.json",
        feature(dict(parts.__geo_interface__), classification={"name": "Tumor"}, iscrowd=1),
        crs=None,
    )
    dataset = read(path)
    (only,) = annotations_of(dataset)["slide"]
    assert only.multipolygon is not None
    assert (only.multipolygon.shape, only.labels[0].value) == (parts, "Tumor")
    assert only.is_crowd
    assert dataset.datums[0].location is None


@pytest.mark.parametrize("name", ["EPSG:32611", "urn:ogc:def:crs:EPSG::32611"])
def test_a_file_in_another_system_is_the_same_ground(tiles: Path, name: str) -> None:
    """UTM 11 north holds the tiles of Las Vegas in metres."""
    moved = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:32611", always_xy=True)
    for path in tiles.iterdir():
        content = json.loads(path.read_text())
        for item in content["features"]:
            ring = np.array(item["geometry"]["coordinates"][0])
            item["geometry"]["coordinates"] = [np.transpose(moved.transform(*ring.T)).tolist()]
        crs = {"type": "name", "properties": {"name": name}}
        write(tiles.parent / "utm" / path.name, *content["features"], crs=crs)
    degrees, metres = read(tiles), read(tiles.parent / "utm")
    for one, other in zip(annotations_of(degrees)["a"], annotations_of(metres)["a"], strict=True):
        assert one.polygon is not None
        assert other.polygon is not None
        assert shapely.hausdorff_distance(one.polygon.shape, other.polygon.shape) < 1e-3
    assert shapely.distance(degrees.datums[0].location, metres.datums[0].location) < 1e-8


def test_features_without_any_class_are_of_one(tmp_path: Path) -> None:
    """Footprints name no class; a model's footprints neither."""
    truth = write(tmp_path / "truth.geojson", feature(square(*VEGAS)))
    run = write(tmp_path / "run.geojson", feature(square(*VEGAS), score=0.5))
    dataset = read(truth).with_predictions(run, "m")
    assert dataset.truth.labels == (("class", "object"),)
    assert velour.evaluate(dataset, "object-detection", save=False)["mAP"] == pytest.approx(1)


def test_predictions_are_the_same_files_with_a_score(tiles: Path, tmp_path: Path) -> None:
    west, south = VEGAS
    write(tmp_path / "run/a.json", feature(square(west, south), label="house", score=0.9))
    write(tmp_path / "run/b.json", feature(square(west, south), label="mill", confidence=0.3))
    dataset = read(tiles).with_predictions(tmp_path / "run", "m")
    a, b = dataset.predicted
    assert a.annotations[0].labels[0] == velour.Label("class", "house", 0.9)
    assert b.annotations[0].labels[0] == velour.Label("class", "mill", 0.3)
    with pytest.warns(velour.ReadingWarning, match=r"1 predictions of classes .* \('mill'\)"):
        evaluation = velour.evaluate(dataset, "object-detection", save=False)
    assert {m.label.value: m.value for m in evaluation.metrics if m.name == "AP" and m.label} == {
        "house": pytest.approx(1), "barn": 0.0, "mill": None
    }  # fmt: skip


def test_predictions_for_images_that_a_subset_left_out_are_left_out(
    tiles: Path, tmp_path: Path
) -> None:
    run = write(
        tmp_path / "run.json",
        feature(square(*VEGAS), image="a", label="house", score=0.9),
        feature(square(*VEGAS), image="b", label="barn", score=0.8),
    )
    part = read(tiles).subset(np.array([False, True])).with_predictions(run, "m")
    (only,) = part.predicted
    assert [item.labels[0].score for item in only.annotations] == [0.8]


@pytest.mark.parametrize(
    ("properties", "label"),
    [
        ({"class_name": "house"}, "house"), ({"ClassName": "house"}, "house"),
        ({"class name": "house", "class_id": 3}, "house"), ({"category_id": 3}, "3"),
        ({"label": 3.0}, "3"), ({"classification": {"names": ["Tumor", "Positive"]}},
        "Tumor: Positive"), ({"classification": {"name": "Tumor"}}, "Tumor"),
        ({"Class": "Tree", "Confidence": 1}, "Tree"),
    ],
)  # fmt: skip
def test_a_class_stands_in_the_property_that_a_tool_gives_it(
    tmp_path: Path, properties: Json, label: str
) -> None:
    dataset = read(write(tmp_path / "t.geojson", feature(square(*VEGAS), **properties)))
    assert dataset.truth.labels == (("class", label),)
    assert annotations_of(dataset)["t"][0].metadata == {}


@pytest.mark.parametrize("properties", [{"kind": "house"}, {"name": "house"}, {"Klasse": "Haus"},
                                        {"building_type": 3}, {"DN": 3}, {"value": 3}])  # fmt: skip
def test_a_property_that_may_be_the_class_is_refused_by_name(
    tmp_path: Path, properties: Json
) -> None:
    path = write(tmp_path / "t.geojson", feature(square(*VEGAS), **properties))
    (key,) = properties
    with pytest.raises(BadDataset, match=f"no feature has a class, but '{key}', .*call that prope"):
        read(path)


def test_what_maps_keep_beside_a_class_is_none(tmp_path: Path) -> None:
    item = feature(
        square(*VEGAS), id="way/1", source="osm", height=7.5, levels=2, date="2020-01-01"
    )
    assert read(write(tmp_path / "t.geojson", item)).truth.labels == (("class", "object"),)


def test_classes_in_different_properties_are_counted(tmp_path: Path) -> None:
    items = [feature(square(*VEGAS), label="house"), feature(square(*VEGAS), category="barn")]
    path = write(tmp_path / "t.geojson", *items)
    with pytest.warns(velour.ReadingWarning, match="1 classes in 'category', where others are in"):
        assert len(read(path).truth.labels) == 2


@pytest.mark.parametrize(("flag", "crowd"), [(1, True), (0, False), (True, True), (None, False)])
def test_a_flag_is_no_truth_value_of_python(tmp_path: Path, flag: Any, crowd: bool) -> None:
    path = write(tmp_path / "t.geojson", feature(square(*VEGAS), label="a", iscrowd=flag))
    assert annotations_of(read(path))["t"][0].is_crowd == crowd


def test_a_feature_with_an_empty_geometry_is_left_out(tmp_path: Path) -> None:
    """It is no class of the whole image, which has none."""
    empty = feature({"type": "Polygon", "coordinates": [[]]}, label="a")
    path = write(tmp_path / "t.geojson", empty, feature(square(*VEGAS), label="a"))
    with pytest.warns(velour.ReadingWarning, match="1 features whose geometry has no point"):
        assert len(read(path).truth) == 1


def test_flags_and_scores_written_otherwise_are_counted_or_refused(
    tiles: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.geojson", feature(square(*VEGAS), label="a", iscrowd="no"))
    with pytest.warns(velour.ReadingWarning, match="1 flags written as text"):
        assert not annotations_of(read(path))["t"][0].is_crowd
    write(tmp_path / "t.geojson", feature(square(*VEGAS), label="a", iscrowd="maybe"))
    with pytest.raises(BadDataset, match="iscrowd 'maybe': expected 0 or 1"):
        read(path)
    run = write(tmp_path / "run.json", feature(square(*VEGAS), image="a", label="b", score=True))
    with pytest.raises(BadDataset, match="confidence True: expected a number"):
        read(tiles).with_predictions(run, "m")
    write(run, feature(square(*VEGAS), image="A.tif", label="house", score=1.0000001))
    with pytest.warns(velour.ReadingWarning, match="1 names of images .*\n.*1 scores outside"):
        dataset = read(tiles).with_predictions(run, "m")
    assert dataset.predictions is not None
    assert dataset.predictions.score.tolist() == [1.0]


def test_a_file_without_predictions_is_said_aloud(tiles: Path, tmp_path: Path) -> None:
    run = write(tmp_path / "run.json", feature(None, image="a"))
    with pytest.warns(velour.ReadingWarning, match="1 empty predictions"):
        assert not read(tiles).with_predictions(run, "m").predictions


POINT = {"type": "Point", "coordinates": [0, 0]}
FINE = feature(square(*VEGAS), label="house")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (7, 'expected an object of "type": "Feature"'),
        ({"type": "Polygon"}, 'expected an object of "type": "Feature"'),
        ({**FINE, "properties": [1]}, r"its properties are \[1\]: expected an object"),
        (feature(POINT, label="a"), "a Point has no area"),
        (feature({"type": "Polygon"}, label="a"), "its geometry is no GeoJSON"),
        (feature({"type": "Cube", "coordinates": []}, label="a"), "its geometry is no GeoJSON"),
        (feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}), "no GeoJSON"),
        (feature({"type": "Polygon", "coordinates": [[["a", 0]] * 4]}), "no GeoJSON"),
        (feature(square(0, 0, 200), label="a"), 'for pixels write "crs": null'),
        (feature(square(0, 0)), r"has no class \(None\)"),
        (feature(square(0, 0), label=1.5), r"has no class \(1.5\)"),
        (feature(square(0, 0), label=" "), r"has no class \(' '\)"),
        (feature(square(0, 0), label=["a", "b"]), r"has no class \(\['a', 'b'\]\)"),
        (feature(square(0, 0), classification={"names": []}), r"has no class \({'names': \[\]}\)"),
        (feature(square(0, 0), kind="a"), r"has no class \(None\).*its properties are 'kind'"),
        (feature(square(0, 0), label={"id": 7}), r"has no class \({'id': 7}\)"),
    ],
)
def test_a_feature_that_is_none_is_refused_by_its_number(
    tiles: Path, item: Any, message: str
) -> None:
    write(tiles / "b.geojson", FINE, item)
    with pytest.raises(BadDataset, match=rf"(?s)b\.geojson', feature number 2: .*{message}"):
        read(tiles)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON"),
        ("[[", "is not valid JSON"),
        ("<annotation><filename>", "holds XML or HTML.*This is Pascal VOC: read it with"),
        ('{"images": [], "categories": []}', "This is COCO: read it with --format coco"),
        ("7", "has no list of features"),
        ('{"features": {}}', "has no list of features"),
        ('{"features": [], "crs": 7}', "crs 7: expected"),
        ('{"features": [], "crs": null}', "expected one for all files"),
    ],
)
def test_a_file_that_is_none_is_refused(tiles: Path, text: str, message: str) -> None:
    (tiles / "b.geojson").write_text(text)
    with pytest.raises(BadDataset, match=rf"(?s)b\.geojson' .*{message}|b\.geojson': {message}"):
        read(tiles)


def test_what_cannot_be_put_together_is_refused(tiles: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadDataset, match=r"holds no \.geojson"):
        read(tmp_path / "empty")
    unknown = {"type": "name", "properties": {"name": "EPSG:1"}}
    with pytest.raises(BadDataset, match="crs 'EPSG:1'"):
        read(write(tmp_path / "x.json", FINE, crs=unknown))
    with pytest.raises(BadDataset, match=r"feature number 1: image \[1\]: expected a text"):
        read(write(tmp_path / "x.json", feature(square(*VEGAS), image=[1])))
    with pytest.raises(BadDataset, match="feature number 2: names no image, as others do"):
        read(write(tmp_path / "x.json", feature(square(*VEGAS), image="a"), FINE))
    pixels = write(tmp_path / "x.json", feature(square(0, 0), image="a", score=1), crs=None)
    with pytest.raises(BadDataset, match="is in pixels, the ground truth on Earth"):
        read(tiles).with_predictions(pixels, "m")
    for properties, message in (
        (
            {"image": "c", "score": 0.5, "label": "x"},
            r"x\.json': predictions for 'c', which is not in dataset 'tiles'",
        ),
        ({"image": "a", "label": "x"}, "feature number 1: confidence None"),
        ({"image": "a", "label": "x", "score": 7}, "feature number 1: confidence 7"),
        ({"image": "a", "score": 0.7}, "feature number 1: has no class"),
    ):
        path = write(tmp_path / "x.json", feature(square(*VEGAS), **properties))
        with pytest.raises(BadDataset, match=message):
            read(tiles).with_predictions(path, "m")


COCO_RANGES = {
    "all": (0, None),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, None),
}
"""Of pixels, for ground in metres, which has ranges of its own."""


@pytest.mark.parametrize("on_earth", [False, True], ids=["pixels", "earth"])
def test_coco_converted_to_geojson_has_the_same_numbers(
    shared_data: Path, tmp_path: Path, on_earth: bool
) -> None:
    """Rectangles have COCO's numbers, also where a pixel is a metre of ground at the equator.

    Rounding may move a match at exactly a threshold.
    """
    truth = json.loads((shared_data / "ground_truth.json").read_text())
    annotations_of = json.loads((shared_data / "detections.json").read_text())
    names = {category["id"]: category["name"] for category in truth["categories"]}
    scale = np.array([1 / 111_319.49, -1 / 110_574.0]) if on_earth else np.ones(2)
    for entries, name in ((truth["annotations"], "truth"), (annotations_of, "run")):
        features = []
        for entry in entries:
            x, y, w, h = entry["bbox"]
            ring = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)]) * scale
            geometry = {"type": "Polygon", "coordinates": [ring.tolist()]}
            sure = {"score": entry["score"]} if "score" in entry else {}
            label, image = names[entry["category_id"]], entry["image_id"]
            features.append(feature(geometry, image_id=image, label=label, **sure))
        write(tmp_path / f"{name}.json", *features, **({} if on_earth else {"crs": None}))
    dataset = read(tmp_path / "truth.json").with_predictions(tmp_path / "run.json", "m")
    published = json.loads((shared_data / "published.json").read_text())
    headline = velour.evaluate(
        dataset, "object-detection", parameters={"area_ranges": COCO_RANGES}, save=False
    ).headline
    exact = {name: headline[name] for name in published}
    assert exact == pytest.approx(published, abs=2e-2 if on_earth else 1e-3)
