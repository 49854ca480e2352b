"""COCO files: what is read from them, and which entry is wrong when one is."""

from __future__ import annotations

import copy
import datetime as dt
import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_masks
from velour_integrations.formats.coco.coco_columns import Places

import velour_plugin as velour
from velour_plugin.errors import BadDataset, BadMetadata, InvalidInput

Json = Any
Write = Callable[..., Path]

EIGHT = dt.datetime(2024, 6, 1, 20, tzinfo=dt.UTC)
SQUARE = [0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 4.0]
TRIANGLE = [6.0, 6.0, 9.0, 6.0, 9.0, 9.0]
INSTANCES: Json = {
    "images": [
        {"id": 10, "file_name": "ten.jpg", "height": 20, "width": 30},
        {"id": 9, "file_name": "nine.jpg", "height": 20, "width": 30},
    ],
    "categories": [{"id": 7, "name": "smoke"}, {"id": 2, "name": "fire"}],
    "annotations": [
        {"id": 1, "image_id": 10, "category_id": 2, "bbox": [1, 2, 3, 4], "area": 11.5,
         "iscrowd": 0},
        {"id": 2, "image_id": 9, "category_id": 7, "bbox": [0, 0, 5, 5], "iscrowd": 1},
        {"id": 3, "image_id": 10, "category_id": 7, "segmentation": [SQUARE]},
    ],
}  # fmt: skip
RESULTS: Json = [
    {"image_id": 10, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.9},
    {"image_id": 9, "category_id": 7, "bbox": [0, 0, 5, 5], "score": 0.25},
]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write JSON, or text as it is, into a file."""

    def written(content: Any, name: str = "instances.json") -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return path

    return written


def changed(content: Json, *path: Any, **values: Any) -> Json:
    """A copy in which the entry at a path says something else; ``...`` leaves a key out."""
    copied = copy.deepcopy(content)
    entry = copied
    for step in path:
        entry = entry[step]
    for key, value in values.items():
        if value is ...:
            del entry[key]
        else:
            entry[key] = value
    return copied


def test_instances_are_datums_with_annotations(write: Write) -> None:
    data = velour.read_dataset(write(INSTANCES), name="fires")
    nine, ten = data.groundtruths
    assert (data.name, data.uids) == ("fires", ("9", "10"))
    assert ten.datum.metadata == {"file_name": "ten.jpg", "height": 20, "width": 30}
    assert [item.labels[0].name for item in ten.annotations] == [
        ("class", "fire"), ("class", "smoke"),
    ]  # fmt: skip
    assert ten.annotations[0].bounding_box == velour.BoundingBox(1, 2, 4, 6)
    assert [item.area for item in ten.annotations] == [11.5, None]
    assert ten.annotations[1].polygon == velour.Polygon(np.reshape(SQUARE, (-1, 2)))
    assert nine.annotations[0].is_crowd
    assert nine.annotations[0].area is None


def test_the_file_names_the_dataset_unless_somebody_does(write: Write) -> None:
    assert velour.read_dataset(write(INSTANCES, "val.2014.json")).name == "val.2014"


def test_classes_are_in_the_order_of_their_ids_and_stay_without_annotations(write: Write) -> None:
    ten = {"id": 10, "name": "tree"}
    content = changed(INSTANCES, categories=[*INSTANCES["categories"], ten])
    assert [value for _, value in velour.read_dataset(write(content)).truth.labels] == [
        "fire", "smoke", "tree",
    ]  # fmt: skip


def test_the_order_of_entries_does_not_matter(write: Write) -> None:
    """But for those of one image, whose order COCO breaks ties by."""
    first, second, third = INSTANCES["annotations"]
    others = changed(
        INSTANCES,
        images=INSTANCES["images"][::-1],
        categories=INSTANCES["categories"][::-1],
        annotations=[second, first, third],
    )
    swapped = changed(INSTANCES, annotations=[third, second, first])
    digests = [velour.read_dataset(write(one)).digest for one in (INSTANCES, others, swapped)]
    assert digests[0] == digests[1] != digests[2]


def test_results_are_the_predictions_of_a_model(write: Write) -> None:
    data = velour.read_dataset(write(INSTANCES))
    dataset = data.with_predictions(write(RESULTS, "results.json"), model="yolo")
    nine, ten = dataset.predicted
    assert dataset.model == "yolo"
    assert nine.annotations[0].labels == (velour.Label("class", "smoke", 0.25),)
    assert ten.annotations[0].labels == (velour.Label("class", "fire", 0.9),)
    assert ten.annotations[0].area == 12.0, "a detection's area is its box's, as in COCO"


def test_no_results_are_predictions_of_nothing(write: Write) -> None:
    data = velour.read_dataset(write(INSTANCES))
    with pytest.warns(velour.ReadingWarning, match="1 empty predictions"):
        data = data.with_predictions(write([], "results.json"), "m")
    assert [len(message.annotations) for message in data.predicted] == [0, 0]


def test_results_fit_a_part_of_the_dataset(write: Write) -> None:
    """What is said of images that were left out is left out."""
    ten = velour.read_dataset(write(INSTANCES)).subset(np.array([False, True]))
    (message,) = ten.with_predictions(write(RESULTS, "results.json"), "m").predicted
    assert [item.labels[0].score for item in message.annotations] == [0.9]


def test_ids_may_be_text(write: Write) -> None:
    content = json.loads(json.dumps(INSTANCES).replace('"id": 10', '"id": "ten"').replace(
        '"image_id": 10', '"image_id": "ten"'))  # fmt: skip
    assert velour.read_dataset(write(content)).uids == ("9", "ten")


def test_annotations_need_no_ids(write: Write) -> None:
    """One that has none is no double of one that has."""
    content = changed(INSTANCES, "annotations", 0, id=...)
    assert len(velour.read_dataset(write(changed(content, "annotations", 1, id=0))).truth) == 3


# Masks


def read_segmentation(write: Write, segmentation: Json, **more: Any) -> velour.Annotation:
    entry = {"id": 1, "image_id": 9, "category_id": 2, "segmentation": segmentation, **more}
    data = velour.read_dataset(write(changed(INSTANCES, annotations=[entry])))
    return next(data.groundtruths).annotations[0]


def test_several_polygons_are_one_object(write: Write) -> None:
    """16 pixels and half of 9."""
    item = read_segmentation(write, [SQUARE, TRIANGLE])
    assert item.multipolygon is not None
    assert item.multipolygon.area == 20.5


def test_a_mask_comes_back_from_every_spelling(write: Write) -> None:
    mask = np.random.default_rng(0).random((20, 30)) < 0.3
    compressed = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    flips = np.flatnonzero(np.diff(np.r_[False, mask.ravel("F")]))
    runs = np.diff(np.r_[0, flips, mask.size]).tolist()
    for counts in (compressed["counts"].decode(), runs):
        item = read_segmentation(write, {"size": [20, 30], "counts": counts}, iscrowd=1)
        assert item.raster == velour.Raster(mask)
        assert item.raster is not None
        assert item.raster.to_rle()["counts"] == compressed["counts"].decode()
        assert item.is_crowd


def test_whole_floats_are_sizes_and_run_lengths(write: Write) -> None:
    item = read_segmentation(write, {"size": [20.0, 30], "counts": [1.0, 599]})
    assert item.raster is not None
    assert item.raster.area == 599


def test_an_empty_segmentation_is_none(write: Write) -> None:
    item = read_segmentation(write, [], bbox=[1, 2, 3, 4])
    assert (item.shape, item.bounding_box) == (None, velour.BoundingBox(1, 2, 4, 6))


# What is wrong in the ground truth

BAD_INSTANCES: Mapping[str, tuple[Json, str, str]] = {
    "unknown image": (
        changed(INSTANCES, "annotations", 1, image_id=11),
        "annotation number 2: image_id 11", "none of the 2 in the instances file (9, 10",
    ),
    "unknown category": (
        changed(INSTANCES, "annotations", 2, category_id=3),
        "annotation number 3: category_id 3", "none of the 2 in the instances file (2, 7",
    ),
    "no image": (
        changed(INSTANCES, "annotations", 0, image_id=...),
        "annotation number 1: image_id None", "none of the 2",
    ),
    "image that is no id": (
        changed(INSTANCES, "annotations", 0, image_id=[9]),
        "annotation number 1: image_id [9]", "none of the 2",
    ),
    "negative width": (
        changed(INSTANCES, "annotations", 0, bbox=[1, 2, -3, 4]),
        "annotation number 1: bbox [1, 2, -3, 4]", "sizes >= 0, in pixels",
    ),
    "negative height": (
        changed(INSTANCES, "annotations", 0, bbox=[1, 2, 3, -4]),
        "annotation number 1: bbox [1, 2, 3, -4]", "sizes >= 0, in pixels",
    ),
    "NaN in a box": (
        changed(INSTANCES, "annotations", 0, bbox=[float("nan"), 2, 3, 4]),
        "annotation number 1: bbox [nan, 2, 3, 4]", "expected finite [x, y, width, height]",
    ),
    "box of NaN": (
        changed(INSTANCES, "annotations", 0, bbox=[float("nan")] * 4),
        "annotation number 1: bbox [nan, nan, nan, nan]", "expected finite",
    ),
    "infinite box": (
        changed(INSTANCES, "annotations", 0, bbox=[0, 0, float("inf"), 4]),
        "annotation number 1: bbox [0, 0, inf, 4]", "expected finite",
    ),
    "three numbers": (
        changed(INSTANCES, "annotations", 0, bbox=[1, 2, 3]),
        "annotation number 1: bbox [1, 2, 3]", "[x, y, width, height]",
    ),
    "five numbers": (
        changed(INSTANCES, "annotations", 0, bbox=[1, 2, 3, 4, 5]),
        "annotation number 1: bbox [1, 2, 3, 4, 5]", "[x, y, width, height]",
    ),
    "a word in a box": (
        changed(INSTANCES, "annotations", 0, bbox=[1, 2, "wide", 4]),
        "annotation number 1: bbox [1, 2, 'wide', 4]", "[x, y, width, height]",
    ),
    "box that is none": (
        changed(INSTANCES, "annotations", 0, bbox=7),
        "annotation number 1: bbox 7", "[x, y, width, height]",
    ),
    "no region": (
        changed(INSTANCES, "annotations", 0, bbox=...),
        "annotation number 1", "has neither bbox nor segmentation",
    ),
    "negative area": (
        changed(INSTANCES, "annotations", 0, area=-1),
        "annotation number 1: area -1", "expected pixels >= 0",
    ),
    "infinite area": (
        changed(INSTANCES, "annotations", 0, area=float("inf")),
        "annotation number 1: area inf", "expected pixels >= 0",
    ),
    "area of NaN": (
        changed(INSTANCES, "annotations", 0, area=float("nan")),
        "annotation number 1: area nan", "expected pixels >= 0",
    ),
    "area that is no number": (
        changed(INSTANCES, "annotations", 0, area="big"),
        "annotation number 1: area 'big'", "expected pixels >= 0",
    ),
    "image twice": (
        changed(INSTANCES, "images", 1, id=10), "image number 2: id 10", "occurs twice",
    ),
    "image twice, as number and text": (
        changed(INSTANCES, "images", 1, id="10"), "image number 2: id '10'", "occurs twice",
    ),
    "category twice": (
        changed(INSTANCES, "categories", 1, id=7), "category number 2: id 7", "occurs twice",
    ),
    "annotation twice": (
        changed(INSTANCES, "annotations", 2, id=1), "annotation number 3: id 1", "occurs twice",
    ),
    "image without id": (
        changed(INSTANCES, "images", 0, id=...), "image number 1: id None", "whole number or text",
    ),
    "image with a fraction for an id": (
        changed(INSTANCES, "images", 0, id=1.5), "image number 1: id 1.5", "whole number or text",
    ),
    "two categories of one name": (
        changed(INSTANCES, "categories", 0, name="fire"),
        "two categories are called 'fire'", "a name of its own",
    ),
    "point in a polygon": (
        changed(INSTANCES, "annotations", 2, segmentation=[[1, 1, 2, 2]]),
        "annotation number 3: has neither bbox nor segmentation", "at least three",
    ),
    "half a point": (
        changed(INSTANCES, "annotations", 2, segmentation=[SQUARE[:-1]]),
        "annotation number 3: segmentation", "",
    ),
    "NaN in a polygon": (
        changed(INSTANCES, "annotations", 2, segmentation=[[*SQUARE[:-1], float("nan")]]),
        "annotation number 3: segmentation", "at least three finite",
    ),
    "segmentation that is none": (
        changed(INSTANCES, "annotations", 2, segmentation=7),
        "annotation number 3: segmentation", "",
    ),
    "runs that do not fill the image": (
        changed(INSTANCES, "annotations", 2, segmentation={"size": [20, 30], "counts": [1, 2]}),
        "annotation number 3: segmentation: RLE of size 20x30 with runs for 3 pixels",
        "fill 600 pixels",
    ),
    "runs that are no text": (
        changed(INSTANCES, "annotations", 2, segmentation={"size": [20, 30], "counts": "é"}),
        "annotation number 3: segmentation: RLE", "'counts'",
    ),
    "runs without a size": (
        changed(INSTANCES, "annotations", 2, segmentation={"counts": [600]}),
        "annotation number 3: segmentation: RLE", "'size'",
    ),
    "no images": (changed(INSTANCES, images=...), "no list 'images'", "as COCO has"),
    "no categories": (changed(INSTANCES, categories={}), "no list 'categories'", "as COCO has"),
    "no annotations": (changed(INSTANCES, annotations=[7]), "no list 'annotations'", "as COCO"),
    "empty": (changed(INSTANCES, images=[], annotations=[]), "has no datum", "nothing to evaluate"),
    "a list": ([INSTANCES], "holds a list, expected an object with images", "COCO"),
    "no JSON": ("{'images': []}", "is not valid JSON", "line 1, column 2"),
    "an empty file": ("", "is empty", "expected JSON"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", BAD_INSTANCES)
def test_a_mistake_in_the_instances_is_named(write: Write, mistake: str) -> None:
    content, message, rule = BAD_INSTANCES[mistake]
    path = write(content)
    with pytest.raises(BadDataset) as refusal:
        velour.read_dataset(path)
    assert message in str(refusal.value)
    assert rule in str(refusal.value)
    if mistake != "empty":
        assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there_is_named(write: Write, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent\.json' cannot be read: No such file"):
        velour.read_dataset(tmp_path / "absent.json")
    with pytest.raises(InvalidInput, match="cannot be read: it is a folder, expected a file"):
        velour.read_dataset(tmp_path)
    with pytest.raises(InvalidInput, match=r"absent\.json' cannot be read: No such file"):
        velour.read_dataset(write(INSTANCES)).with_predictions(tmp_path / "absent.json", "m")


def test_a_file_of_another_encoding_is_refused(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "latin.json"
    path.write_bytes('{"images": "Zürich"}'.encode("latin-1"))
    with pytest.raises(BadDataset, match=r"latin\.json' is not valid JSON"):
        velour.read_dataset(path)


# What is wrong in the results

BAD_RESULTS: Mapping[str, tuple[Json, str, str]] = {
    "unknown image": (
        changed(RESULTS, 1, image_id=11),
        "result number 2: image_id 11", "none of the 2 in the instances file",
    ),
    "unknown category": (
        changed(RESULTS, 1, category_id=3),
        "result number 2: category_id 3", "none of the 2 in the instances file",
    ),
    "score above 1": (changed(RESULTS, 1, score=1.01), "result number 2: score 1.01", "[0, 1]"),
    "score below 0": (changed(RESULTS, 1, score=-0.1), "result number 2: score -0.1", "[0, 1]"),
    "score of NaN": (
        changed(RESULTS, 1, score=float("nan")), "result number 2: score nan", "sigmoid",
    ),
    "infinite score": (
        changed(RESULTS, 1, score=float("inf")), "result number 2: score inf", "sigmoid",
    ),
    "score that is no number": (
        changed(RESULTS, 1, score=None), "result number 2: score None", "[0, 1]",
    ),
    "no score": (changed(RESULTS, 1, score=...), "result number 2", "an object with a score"),
    "result that is none": ([*RESULTS, 7], "result number 3", "an object with a score"),
    "negative box": (
        changed(RESULTS, 0, bbox=[1, 2, -3, 4]), "result number 1: bbox [1, 2, -3, 4]", ">= 0",
    ),
    "box of NaN": (
        changed(RESULTS, 0, bbox=[1, 2, float("nan"), 4]), "result number 1: bbox", "finite",
    ),
    "infinite box": (
        changed(RESULTS, 0, bbox=[1, 2, float("inf"), 4]), "result number 1: bbox", "finite",
    ),
    "no region": (changed(RESULTS, 0, bbox=...), "result number 1", "neither bbox nor"),
    "bad mask": (
        changed(RESULTS, 0, segmentation={"size": [2, 2], "counts": "!"}),
        "result number 1: segmentation: RLE", "'counts'",
    ),
    "an object": ({"boxes": RESULTS}, "holds a dict of 'boxes', expected a list", "COCO"),
    "ground truth": (INSTANCES, "result number 1: expected an object with a score", "ground truth"),
    "no JSON": ("[", "is not valid JSON", "line 1, column 2"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", BAD_RESULTS)
def test_a_mistake_in_the_results_is_named(write: Write, mistake: str) -> None:
    content, message, rule = BAD_RESULTS[mistake]
    data, path = velour.read_dataset(write(INSTANCES)), write(content, "results.json")
    with pytest.raises(BadDataset) as refusal:
        data.with_predictions(path, model="yolo")
    assert f"{str(path)!r}" in str(refusal.value)
    assert message in str(refusal.value)
    assert rule in str(refusal.value)


# What is read as it is meant, and counted

BOX = {"bbox": [1, 2, 3, 4]}
MEANT: Mapping[str, tuple[Json, str]] = {
    "empty ring": ({"segmentation": [[]], **BOX}, "1 rings of fewer than three points"),
    "two points": ({"segmentation": [[1, 1, 2, 2]], **BOX}, "1 rings of fewer than three points"),
    "ring outside a list": ({"segmentation": SQUARE}, "1 rings that stand alone"),
    "ring of points outside a list": (
        {"segmentation": [[0, 0], [4, 0], [4, 4], [0, 4]]}, "1 rings that stand alone",
    ),
    "numbers as text": ({"bbox": ["1", "2", "3", "4"]}, "4 numbers written as text"),
    "area as text": ({"area": "12", **BOX}, "1 numbers written as text"),
    "flag as text": ({"iscrowd": "no", **BOX}, "1 flags written as text"),
    "ids as text": (
        {"image_id": "9", "category_id": " 2 ", **BOX}, "2 ids written as text here and as",
    ),
    "file name for an id": ({"image_id": "nine", **BOX}, "1 names of images .*extension"),
    "class for an id": ({"category_id": "fire", **BOX}, "1 categories named by their class"),
}  # fmt: skip


@pytest.mark.parametrize("entry", MEANT)
def test_an_annotation_is_read_as_it_is_meant_and_counted(write: Write, entry: str) -> None:
    values, remark = MEANT[entry]
    annotation = {"id": 1, "image_id": 9, "category_id": 2, **values}
    path = write(changed(INSTANCES, annotations=[annotation]))
    with pytest.warns(velour.ReadingWarning, match=remark):
        data = velour.read_dataset(path)
    nine, _ = data.groundtruths
    (item,) = nine.annotations
    assert item.labels[0].value == "fire"
    assert not item.is_crowd
    if "bbox" in values:
        assert (item.bounding_box, item.shape) == (velour.BoundingBox(1, 2, 4, 6), None)
    else:
        assert item.polygon == velour.Polygon(np.reshape(SQUARE, (-1, 2)))
    with pytest.raises(BadDataset, match=r"annotation number 1|'nine'|'fire'"):
        velour.read_dataset(path, strict=True)


@pytest.mark.parametrize(
    "values",
    [{"area": None}, {"area": 12.0}, {"iscrowd": None}, {"iscrowd": 0.0}, {"iscrowd": False},
     {"segmentation": None}, {"segmentation": []}, {"segmentation": {}}, {"image_id": 9.0}],
)  # fmt: skip
def test_what_is_only_written_otherwise_needs_no_word(write: Write, values: Json) -> None:
    entry = {"id": 1, "image_id": 9, "category_id": 2, **BOX, **values}
    data = velour.read_dataset(write(changed(INSTANCES, annotations=[entry])))
    assert next(data.groundtruths).annotations[0].bounding_box == velour.BoundingBox(1, 2, 4, 6)
    assert data.reading is not None
    assert data.reading.read == {"images": 2, "annotations": 1}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"iscrowd": 2}, "iscrowd 2: expected 0 or 1"),
        ({"iscrowd": "maybe"}, "iscrowd 'maybe': expected 0 or 1"),
        ({"iscrowd": [0]}, r"iscrowd \[0\]: expected 0 or 1"),
        ({"bbox": "1234"}, "bbox '1234': expected finite"),
        ({"bbox": [True, 2, 3, 4]}, r"bbox \[True, 2, 3, 4\]: expected finite"),
        ({"bbox": {"x": 1}}, "bbox {'x': 1}: expected finite"),
        ({"area": True}, "area True: expected pixels"),
        ({"image_id": True}, "image_id True is none of the 2"),
        ({"image_id": 9.5}, "image_id 9.5 is none of the 2"),
        ({"category_id": False}, "category_id False is none of the 2"),
        ({"category_id": "Fire"}, "category_id 'Fire' is none of the 2"),
        ({"segmentation": "abc"}, "segmentation: 'abc': expected a list of rings"),
        ({"segmentation": [7, [1, 2]]}, "segmentation: 7: expected a ring of numbers"),
        ({"segmentation": [["0", "0", "4", "0", "4", "4"]]}, "expected a ring of numbers"),
        ({"segmentation": [[True, 0, 4, 0, 4, 4]]}, "expected a ring of numbers"),
        ({"segmentation": [[[SQUARE, SQUARE]]]}, "expected a ring of numbers"),
        ({"segmentation": [[1, 1, 2, 2, 3]]}, "a ring of 5 numbers: expected an x and a y"),
        ({"segmentation": {"size": "99", "counts": [81]}}, "RLE of 'size' '99': expected whole"),
        ({"segmentation": {"size": [True, 9], "counts": [9]}}, "RLE with True in its 'size'"),
        ({"segmentation": {"size": [9.5, 9], "counts": [81]}}, "expected whole numbers"),
        ({"segmentation": {"size": [1e999, 1], "counts": [1]}}, "RLE with inf in its 'size'"),
        ({"segmentation": {"size": [9, 9], "counts": [True, 80]}}, "RLE with True in its 'counts'"),
        ({"segmentation": {"size": [9, 9], "counts": ["81"]}}, "RLE with '81' in its 'counts'"),
        ({"segmentation": {"size": [9, 9], "counts": [[81]]}}, "RLE with .* in its 'counts'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_nobody_means_is_refused(write: Write, values: Json, message: str) -> None:
    entry = {"id": 1, "image_id": 9, "category_id": 2, **BOX, **values}
    with pytest.raises(BadDataset, match=f"annotation number 1: .*{message}"):
        velour.read_dataset(write(changed(INSTANCES, annotations=[entry])))


def test_a_twin_of_a_category_that_nothing_uses_is_left_out(write: Write) -> None:
    """As Roboflow writes it; a result of the twin is one of no category."""
    twin = [{"id": 0, "name": "fire"}, {"id": 2, "name": "fire"}, {"id": 7, "name": "smoke"}]
    path = write(changed(INSTANCES, categories=twin))
    with pytest.warns(velour.ReadingWarning, match="1 categories without annotations .*category 0"):
        data = velour.read_dataset(path)
    assert data.truth.labels == (("class", "fire"), ("class", "smoke"))
    dataset = data.with_predictions(write(RESULTS, "results.json"), "m")
    assert [message.annotations[0].labels[0].value for message in dataset.predicted] == [
        "smoke",
        "fire",
    ]
    with pytest.raises(BadDataset, match="category_id 0 is none of the 2"):
        data.with_predictions(write(changed(RESULTS, 0, category_id=0), "results.json"), "m")


@pytest.mark.parametrize("name", [True, ["fire"], {"en": "fire"}, 1.5])
def test_a_name_of_a_category_that_is_no_text_is_refused(write: Write, name: Json) -> None:
    with pytest.raises(BadDataset, match=r"category 7: name .*: expected a text"):
        velour.read_dataset(write(changed(INSTANCES, "categories", 0, name=name)))


def test_a_category_without_a_name_is_called_by_its_id(write: Write) -> None:
    content = changed(INSTANCES, "categories", 0, name=None)
    assert velour.read_dataset(write(content)).truth.labels == (("class", "fire"), ("class", "7"))


def test_many_categories_take_no_longer_than_they_are_many(write: Write) -> None:
    """A quarter of a second, not the minutes of comparing each with each."""
    many = [{"id": number, "name": f"species {number}"} for number in range(30_000)]
    content = changed(INSTANCES, categories=many)
    assert len(velour.read_dataset(write(content)).truth.labels) == 30_000


def test_sizes_of_images_that_boxes_do_not_need_are_read_or_left_out(write: Write) -> None:
    content = changed(INSTANCES, "images", 0, height="20", width="wide")
    with pytest.warns(velour.ReadingWarning, match=r"(?s)1 numbers written as text.*1 sizes of"):
        data = velour.read_dataset(write(content))
    assert data.datums[1].metadata == {"file_name": "ten.jpg", "height": 20}


@pytest.mark.parametrize("key", ["annotations", "predictions", "results", "detections"])
def test_results_inside_an_object_are_taken_out(write: Write, key: str) -> None:
    data = velour.read_dataset(write(INSTANCES))
    plain = data.with_predictions(write(RESULTS, "results.json"), "m")
    with pytest.warns(velour.ReadingWarning, match="1 lists of results inside an object"):
        dataset = data.with_predictions(write({"info": {}, key: RESULTS}, "results.json"), "m")
    assert dataset.predictions_digest == plain.predictions_digest


def test_results_in_an_instances_file_are_found_by_its_own_numbers(write: Write) -> None:
    """Some tools number images and categories anew in what they export."""
    data = velour.read_dataset(write(INSTANCES))
    plain = data.with_predictions(write(RESULTS, "results.json"), "m")
    renumbered = {
        "images": [{"id": 10, "file_name": "nine.jpg"}, {"id": 0, "file_name": "ten.jpg"}],
        "categories": [{"id": 7, "name": "fire"}, {"id": 2, "name": "smoke"}],
        "annotations": [
            {**RESULTS[0], "image_id": 0, "category_id": 7},
            {**RESULTS[1], "image_id": 10, "category_id": 2},
        ],
    }
    with pytest.warns(velour.ReadingWarning, match="1 lists of results inside an object"):
        dataset = data.with_predictions(write(renumbered, "results.json"), "m")
    assert dataset.predictions_digest == plain.predictions_digest


def test_results_name_images_and_categories_by_id_name_or_file(write: Write) -> None:
    data = velour.read_dataset(write(INSTANCES))
    plain = data.with_predictions(write(RESULTS, "results.json"), "m")
    named = [{**RESULTS[0], "image_id": "ten.jpg", "category_id": "2"},
             {**RESULTS[1], "image_id": "9", "category_id": "smoke"}]  # fmt: skip
    with pytest.warns(velour.ReadingWarning, match=r"(?s)2 ids written as.*1 categories named"):
        dataset = data.with_predictions(write(named, "results.json"), "m")
    assert dataset.predictions_digest == plain.predictions_digest


@pytest.mark.parametrize(
    ("score", "remark"), [(1.0000001, "1 scores outside"), ("0.9", "1 numbers written as text")]
)
def test_a_score_is_read_as_it_is_meant(write: Write, score: Json, remark: str) -> None:
    data = velour.read_dataset(write(INSTANCES))
    with pytest.warns(velour.ReadingWarning, match=remark):
        dataset = data.with_predictions(write(changed(RESULTS, 0, score=score), "r.json"), "m")
    assert dataset.predictions is not None
    assert max(dataset.predictions.score) == min(float(score), 1)
    with pytest.raises(BadDataset, match="score True: expected a number"):
        data.with_predictions(write(changed(RESULTS, 0, score=True), "r.json"), "m")


@pytest.mark.parametrize("packed", [gzip.compress, lambda text: b"\xef\xbb\xbf" + text,
                                    lambda text: text.decode().encode("utf-16")])  # fmt: skip
def test_packed_and_marked_files_are_read(
    write: Write, tmp_path: Path, packed: Callable[[bytes], bytes]
) -> None:
    plain = velour.read_dataset(write(INSTANCES))
    (tmp_path / "instances.json.gz").write_bytes(packed(json.dumps(INSTANCES).encode()))
    data = velour.read_dataset(tmp_path / "instances.json.gz")
    assert (data.digest, data.name) == (plain.digest, "instances")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation><folder/></annotation>", "This is Pascal VOC: read it with --format voc"),
        ('{"type": "FeatureCollection", "features": []}', "read it with --format geojson"),
        ("ImageId,BuildingId,PolygonWKT_Pix\n", "read it with --format spacenet"),
        ("0 0.5 0.5 0.25 0.25\n", "This is YOLO: read it with --format yolo"),
        ("train: images\nnc: 2\nnames: [a, b]\n", "This is YOLO: read it with --format yolo"),
        ('{"version": "5.0", "shapes": [{"points": []}]}', "This is LabelMe: export it as COCO i"),
    ],
)
def test_a_file_of_another_format_is_named(write: Write, text: str, message: str) -> None:
    with pytest.raises(BadDataset, match=message):
        velour.read_dataset(write(text))
    with pytest.raises(BadDataset, match=message):
        velour.read_dataset(write(INSTANCES)).with_predictions(write(text, "r.json"), "m")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("a.xml", "This is Pascal VOC: read it with --format voc"),
        ("data.yaml", "This is YOLO: read it with --format yolo"),
        ("a.geojson", "This is GeoJSON: read it with --format geojson"),
        ("instances_val.json", "Name the file in it, such as 'instances_val.json'"),
    ],
)
def test_a_folder_of_another_format_is_named(tmp_path: Path, file: str, message: str) -> None:
    (tmp_path / file).write_text("")
    with pytest.raises(InvalidInput, match=f"it is a folder, expected a file.*{message}"):
        velour.read_dataset(tmp_path)


# Metadata beside the images

CSV = """image_id,latitude,longitude,hour,share,night,code,taken,note
9,36.17,-115.14,20,0.5,true,007,2024-06-01T20:00:00Z,"dry, windy"
10,,,1,,FALSE,1_000,2024-06-01,
"""


def test_a_table_says_more_of_each_image(write: Write) -> None:
    """Numbers, booleans, days and moments have their type; an empty cell says nothing."""
    data = velour.read_dataset(write(INSTANCES), metadata=write(CSV, "images.csv"))
    nine, ten = (dict(datum.metadata) for datum in data.datums)
    message = {"file_name": "nine.jpg", "height": 20, "width": 30}
    assert nine == {
        **message, "hour": 20, "share": 0.5, "night": True, "code": "007", "note": "dry, windy",
        "taken": EIGHT,
    }  # fmt: skip
    assert ten == {
        **message, "file_name": "ten.jpg", "hour": 1, "night": False, "code": "1_000",
        "taken": dt.date(2024, 6, 1),
    }  # fmt: skip
    assert [datum.location for datum in data.datums][1] is None
    place = data.datums[0].location
    assert (place.x, place.y) == (-115.14, 36.17)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("7", 7), ("-7", -7), ("+7", 7), ("0", 0), ("0.50", 0.5), ("1e3", 1000.0), (".5", 0.5),
        ("007", "007"), ("-01", "-01"), ("00.5", "00.5"), ("1_000", "1_000"), ("1_0.5", "1_0.5"),
        ("nan", "nan"), ("inf", "inf"), (".", "."), ("٣", "٣"), ("0x10", "0x10"),
        ("true", True), ("False", False), ("yes", "yes"), ("2024", 2024),
        ("2024-06-01", dt.date(2024, 6, 1)),
        ("20240601", 20240601), ("20240601T200000", "20240601T200000"),
        ("2024-06-01T20:00+00:00", EIGHT), ("2024-06-01T20:00Z", EIGHT),
        ("2024-06-01 20:00:00", EIGHT.replace(tzinfo=None)),
        ("2024-06-01T20:00:00.250Z", EIGHT.replace(microsecond=250_000)),
        ("20:00", "20:00"),
    ],
)  # fmt: skip
def test_a_cell_has_the_type_that_it_looks_like(write: Write, cell: str, value: Any) -> None:
    """The same on every Python; what has leading zeros is a code."""
    table = write(f"uid,x\n9,{cell}\n10,\n", "images.csv")
    data = velour.read_dataset(write(INSTANCES), metadata=table)
    read = data.datums[0].metadata["x"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    "cell",
    ["1e999", "2024-06-31", "2024-06-01T25:00:00Z", "9999-12-31T23:59:59-23:59",
     "0001-01-01T00:00:00+23:59", "9" * 5000],
)  # fmt: skip
def test_a_cell_that_looks_like_what_cannot_be_stays_text_and_is_counted(
    write: Write, cell: str
) -> None:
    table = write(f"uid,x\n9,{cell}\n10,\n", "images.csv")
    with pytest.warns(velour.ReadingWarning, match=r"1 numbers, dates and times .*record 1: x\)"):
        data = velour.read_dataset(write(INSTANCES), metadata=table)
    assert data.datums[0].metadata["x"] == cell


@pytest.mark.parametrize("column", ["uid", "image_id", "file_name"])
@pytest.mark.parametrize(("latitude", "longitude"), [("latitude", "longitude"), ("lat", "lng")])
def test_a_record_finds_its_image_by_any_name(
    write: Write, column: str, latitude: str, longitude: str
) -> None:
    name = "nine.jpg" if column == "file_name" else "9"
    record = {column: name, latitude: 36.17, longitude: -115.14, "hour": 20}
    other = {column: "ten.jpg" if column == "file_name" else 10}
    rows = [record, {**record, **other}]
    text = "\n".join([",".join(record), *(",".join(map(str, row.values())) for row in rows)])
    for table in (
        write(rows, "images.json"), write(text, "images.csv"), write("\ufeff" + text, "b.csv"),
    ):  # fmt: skip
        datum = velour.read_dataset(write(INSTANCES), metadata=table).datums[0]
        assert datum.metadata["hour"] == 20
        assert (datum.location.x, datum.location.y) == (-115.14, 36.17)


def test_a_record_of_several_names_is_found_by_the_one_that_an_image_has(write: Write) -> None:
    """Another tool's ids, beside names of files."""
    table = write("image_id,file_name,hour\n17,nine.jpg,20\n18,set/ten.jpg,1\n", "m.csv")
    with pytest.warns(velour.ReadingWarning, match="1 names of images in another spelling"):
        data = velour.read_dataset(write(INSTANCES), metadata=table)
    assert [datum.metadata["hour"] for datum in data.datums] == [20, 1]


def test_metadata_that_join_partly_are_counted(write: Write) -> None:
    table = write("file_name,hour\nnine.jpg,20\neleven.jpg,1\n", "m.csv")
    with pytest.warns(velour.ReadingWarning) as caught:
        data = velour.read_dataset(write(INSTANCES), metadata=table)
    assert str(caught[0].message).splitlines() == [
        "read: 2 metadata records, 2 images, 3 annotations",
        f"unmatched: 1 metadata records that name no image (metadata {str(table)!r}, record 2: "
        "'eleven.jpg')",
        "unmatched: 1 images without a metadata record ('10')",
    ]
    assert [datum.metadata.get("hour") for datum in data.datums] == [20, None]


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("uid;hour\n9;20\n10;1\n", "1 tables separated by semicolons"),
        ("uid|hour\n9|20\n10|1\n", "1 tables separated by bars"),
        ("uid, hour\n9, 20\n10, 1\n", "1 tables with blanks around their cells"),
        (",uid,hour\n0,9,20\n1,10,1\n", "1 columns without a name"),
        ("uid,hour,x\n9,20\n10,1,2\n", "1 rows shorter than their header"),
    ],
)
def test_tables_as_others_write_them_are_read_and_counted(
    write: Write, text: str, remark: str
) -> None:
    with pytest.warns(velour.ReadingWarning, match=remark):
        data = velour.read_dataset(write(INSTANCES), metadata=write(text, "m.csv"))
    assert [datum.metadata["hour"] for datum in data.datums] == [20, 1]


def test_names_keep_their_leading_zeros(write: Write) -> None:
    """What a spreadsheet made of them is the image's number all the same, and counted."""
    content = json.loads(json.dumps(INSTANCES).replace('id": 9', 'id": "0009"'))
    table = "uid,hour\n{},20\n10,1\n"
    data = velour.read_dataset(write(content), metadata=write(table.format("0009"), "m.csv"))
    assert data.datums[0].metadata["hour"] == 20
    with pytest.warns(velour.ReadingWarning, match=r"1 names of images with other leading zeros"):
        data = velour.read_dataset(write(content), metadata=write(table.format("9"), "m.csv"))
    assert data.datums[0].metadata["hour"] == 20


@pytest.mark.parametrize(
    ("name", "content", "message", "way_out"),
    [
        ("m.csv", "uid,hour\n77,20\n", "none of its 1 records", "uid, image_id or file_name"),
        ("m.csv", "picture,hour\n9,20\n", "names no datum", "its header is picture, hour"),
        ("m.csv", "uid,hour\n9,20\n,21\n", "record 2: names no datum", "uid, image_id"),
        ("m.csv", "uid,hour\n9,20\n10,1\n9,21\n", "record 3: '9'", "occurs twice"),
        ("m.csv", "uid,latitude\n9,36.17\n", "record 1: latitude 36.17, longitude None", "degrees"),
        ("m.csv", "uid,lat,lon\n9,north,west\n", "record 1: latitude 'north'", "degrees"),
        ("m.json", "{}", "holds a dict", "expected a list of objects"),
        ("m.json", '{"9": {"hour": 20}}', "holds a dict", "expected a list of objects"),
        ("m.json", "[9]", "holds a list of other values", "expected a list of objects"),
        ("m.json", "[]", "holds no record", "one for each image"),
        ("m.json", "[", "is not valid JSON", "line 1, column 2"),
        ("m.json", '[{"uid": true}]', "record 1: uid True", "a text or a whole number"),
        ("m.json", '[{"uid": [9]}]', "record 1: uid [9]", "a text or a whole number"),
        ("m.json", '[{"uid": 9, "lat": true, "lon": 1}]', "latitude True", "degrees as numbers"),
        ("m.json", '[{"uid": 9, "lat": 91, "lon": 1}]', "latitude 91", "within ±90"),
        ("m.json", '[{"uid": 9, "lat": 1e999, "lon": 1}]', "latitude inf", "within ±90"),
        ("m.csv", "", "is empty", "a CSV with a header"),
        ("m.csv", "uid,hour\n", "holds no record", "one for each image"),
        ("m.csv", "uid,uid\n9,10\n", "two columns 'uid'", "a name of its own"),
        ("m.csv", "uid,hour\n9,20,Rome\n", "line 2: 3 cells for 2 columns", "quote cells"),
        ("m.csv", 'uid,hour\n9,"20\n', "unexpected end of data", "quoted"),
        ("m.csv", "uid,hour\nNINE,20\n9.jpg,20\n", "'NINE' and '9.jpg' both name", "once"),
    ],
)
def test_a_mistake_in_the_table_is_named(
    write: Write, name: str, content: str, message: str, way_out: str
) -> None:
    path = write(content, name)
    with pytest.raises(BadDataset) as refusal:
        velour.read_dataset(write(INSTANCES), metadata=path)
    assert str(path) in str(refusal.value)
    assert message in str(refusal.value)
    assert way_out in str(refusal.value)


def test_a_place_or_value_that_cannot_be_is_refused_with_its_file(
    write: Write, tmp_path: Path
) -> None:
    nan = [{"uid": "9", "x": float("nan")}, {"uid": 10}]
    with pytest.raises(InvalidInput, match="'x' is nan"):
        velour.read_dataset(write(INSTANCES), metadata=write(nan, "images.json"))
    with pytest.raises(BadMetadata, match=r"'\$x': expected a non-empty string"):
        velour.read_dataset(write(INSTANCES), metadata=write([{"uid": "9", "$x": 1}], "i.json"))
    with pytest.raises(InvalidInput, match=r"absent\.csv' cannot be read"):
        velour.read_dataset(write(INSTANCES), metadata=tmp_path / "absent.csv")


def test_an_unknown_format_names_the_nearest(write: Write) -> None:
    with pytest.raises(InvalidInput, match="unknown format 'cocoa': did you mean 'coco'"):
        velour.read_dataset(write(INSTANCES), format="cocoa")


@pytest.mark.parametrize("wide", [1, 10**12], ids=["by a table", "by searching"])
def test_positions_of_ids_are_found_or_all_refused(wide: int) -> None:
    """Negative ids too; one that is unknown, between, below or above, refuses them all."""
    known = {-3 * wide: 2, 0: 0, 7 * wide: 1, "text": 3, 2**70: 4}
    places = Places(known)
    found = places.of(np.array([7 * wide, -3 * wide, 0, 0]))
    assert found is not None
    assert found.tolist() == [1, 2, 0, 0]
    for unknown in (-4 * wide, -1, 5, 7 * wide + 1, 2**63 - 1):
        assert places.of(np.array([0, unknown])) is None
    assert places.of(np.array([], np.int64)) is not None
    assert Places({}).of(np.array([1])) is None
