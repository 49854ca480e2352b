"""YOLO: labels as shares of their images, wherever exports put them, and a model's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import velour_plugin as velour
from tests.coco_oracle import coco_eval
from velour_plugin.errors import BadDataset, InvalidInput

NAMES = "names: [fire, smoke]\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def draw(path: Path, width: int, height: int, orientation: int = 1) -> Path:
    """Save an image file."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (width, height)).save(path, exif=exif)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two images of 200 × 100; one has a box and a triangle, the other is empty."""
    home = tmp_path / "fires"
    write(home / "data.yaml", f"train: images/train\nval: images/val\n{NAMES}")
    draw(home / "images/val/7.jpg", 200, 100)
    draw(home / "images/val/10.png", 200, 100)
    lines = "1 0.25 0.5 0.1 0.2\n\n0 0.5 0.5 1 0.5 1.0 1.0\n"
    write(home / "labels/val/7.txt", lines)
    return home


def read(path: Path, **options: Any) -> velour.Dataset:
    return velour.read_dataset(path, format="yolo", **options)


def annotations_of(dataset: velour.Dataset) -> dict[str, list[velour.Annotation]]:
    return {truth.datum.uid: list(truth.annotations) for truth in dataset.groundtruths}


def test_lines_are_regions_of_an_image_by_its_size(home: Path) -> None:
    dataset = read(home / "data.yaml")
    seven = annotations_of(dataset)["7"]
    assert seven[0] == velour.Annotation(
        [velour.Label("class", "smoke")], velour.BoundingBox.from_xywh(40, 40, 20, 20)
    )
    assert seven[1] == velour.Annotation(
        [velour.Label("class", "fire")], polygon=velour.Polygon([(100, 50), (200, 50), (200, 100)])
    )
    assert annotations_of(dataset)["10"] == []
    assert dataset.uids == ("7", "10")
    assert dataset.datums[0].metadata == {"file_name": "7.jpg", "width": 200, "height": 100}
    assert (dataset.name, dataset.truth.labels) == (
        "fires",
        (("class", "fire"), ("class", "smoke")),
    )


@pytest.mark.parametrize("where", ["data.yaml", ".", "images/val", "labels/val", "val.txt"])
def test_a_split_is_found_from_any_of_its_files(home: Path, where: str) -> None:
    write(home / "val.txt", "./images/val/7.jpg\nimages/val/10.png\n")
    assert read(home / where, name="x").digest == read(home / "data.yaml", name="x").digest


@pytest.mark.parametrize("val", ["../valid/images", "valid/images", "[valid/images]"])
def test_roboflows_folders_are_found(tmp_path: Path, val: str) -> None:
    """Its ``../valid`` is a folder beside data.yaml."""
    write(tmp_path / "export/data.yaml", f"val: {val}\nnc: 2\n{NAMES}")
    draw(tmp_path / "export/valid/images/a.jpg", 10, 10)
    write(tmp_path / "export/valid/labels/a.txt", "0 0.5 0.5 1 1")
    assert len(annotations_of(read(tmp_path / "export"))["a"]) == 1


@pytest.mark.parametrize("classes", ["classes.txt", "labels/classes.txt"])
def test_label_studios_folders_and_classes_are_found(tmp_path: Path, classes: str) -> None:
    write(tmp_path / classes, "fire\nsmoke\n")
    draw(tmp_path / "images/a.jpg", 10, 10)
    write(tmp_path / "labels/a.txt", "1 0.5 0.5 1 1")
    (only,) = annotations_of(read(tmp_path))["a"]
    assert only.labels[0].value == "smoke"


def test_images_beside_their_labels_are_found(tmp_path: Path) -> None:
    draw(tmp_path / "deep/a.jpg", 10, 20)
    write(tmp_path / "deep/a.txt", "3 0.5 0.5 1 1")
    dataset = read(tmp_path)
    (only,) = annotations_of(dataset)["deep/a"]
    assert only.bounding_box == velour.BoundingBox(0, 0, 10, 20)
    assert only.labels[0].value == "3"  # nobody says what class 3 is called


def test_names_by_number_and_a_path_are_understood(home: Path) -> None:
    numbered = "path: .\nval: images/val\nnames:\n  1: smoke\n  0: fire\n"
    assert (
        read(write(home / "numbered.yaml", numbered), name="x").digest
        == read(home, name="x").digest
    )


def test_sizes_come_from_the_table_where_there_are_no_images(home: Path, tmp_path: Path) -> None:
    table = write(tmp_path / "sizes.csv", "uid,width,height,hour\n7,200,100,23\n10,200,100,4\n")
    bare = tmp_path / "bare"
    write(bare / "data.yaml", f"val: images/val\n{NAMES}")
    write(bare / "labels/val/7.txt", (home / "labels/val/7.txt").read_text())
    write(bare / "labels/val/10.txt", "")
    dataset = read(bare, metadata=table)
    assert annotations_of(dataset) == annotations_of(read(home))
    assert dataset.datums[0].metadata == {"width": 200, "height": 100, "hour": 23}


def test_an_image_is_as_large_as_it_is_shown(tmp_path: Path) -> None:
    """A phone held upright writes a wide image and how to turn it."""
    draw(tmp_path / "images/a.jpg", 200, 100, orientation=6)
    write(tmp_path / "labels/a.txt", "0 0.5 0.5 1 1")
    (only,) = annotations_of(read(tmp_path))["a"]
    assert only.bounding_box == velour.BoundingBox(0, 0, 100, 200)


def test_predictions_are_label_files_with_a_confidence(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "run/labels/7.txt", "1 0.25 0.5 0.1 0.2 0.9\n0 .5 .5 1 .5 1 1 0.25\n")
    predictions = read(home).with_predictions(tmp_path / "run", "yolo-s")
    first, _ = predictions.predicted
    assert [item.labels[0].score for item in first.annotations] == [0.9, 0.25]
    assert first.annotations[0].bounding_box == velour.BoundingBox.from_xywh(40, 40, 20, 20)
    assert first.annotations[1].polygon == annotations_of(predictions)["7"][1].polygon


def test_predictions_with_their_own_order_of_classes_are_read_by_it(
    home: Path, tmp_path: Path
) -> None:
    """Class 0 of one export may be class 1 of another: scores would be zero, and no one told."""
    write(tmp_path / "run/classes.txt", "smoke\nfire\n")
    write(tmp_path / "run/7.txt", "0 0.25 0.5 0.1 0.2 0.9\n")
    first, _ = read(home).with_predictions(tmp_path / "run", "yolo-s").predicted
    assert first.annotations[0].labels[0].value == "smoke"


def test_predictions_for_images_that_a_subset_left_out_are_left_out(
    home: Path, tmp_path: Path
) -> None:
    write(tmp_path / "run/7.txt", "0 0.5 0.5 1 1 0.9\n")
    write(tmp_path / "run/10.txt", "1 0.5 0.5 1 1 0.9\n")
    part = read(home).subset(np.array([False, True])).with_predictions(tmp_path / "run", "")
    (only,) = part.predicted
    assert (only.datum.uid, only.annotations[0].labels[0].value) == ("10", "smoke")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.1", "4 numbers: expected class x y width height"),
        ("0 0.5 0.5 0.1 0.1 0.9", "6 numbers.*with no confidence"),
        ("0 0.5 0.5 wide 0.1", "'wide': expected numbers"),
        ("2 0.5 0.5 0.1 0.1", "class 2: expected a whole number from 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "class -1"),
        ("0.5 0.5 0.5 0.1 0.1", "class 0.5"),
        ("fire 0.5 0.5 0.1 0.1", "'fire'"),
        ("nan 0.5 0.5 0.1 0.1", "class nan"),
        ("0 100 50 20 20", "100 is outside .* not pixels"),
        ("0 0.5 0.5 nan 0.1", "nan is outside"),
        ("0 0.5 0.5 -0.1 0.1", "-0.1 is outside"),
        ("0 0.5 0.5 -0.001 0.1", "a box of width -0.001"),
    ],
)
def test_a_line_that_is_none_is_refused_by_file_and_number(
    home: Path, line: str, message: str
) -> None:
    write(home / "labels/val/10.txt", f"0 0.5 0.5 1 1\n{line}\n")
    with pytest.raises(BadDataset, match=rf"(?s)labels/val/10\.txt', line 2: .*{message}"):
        read(home)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.1 0.1", "5 numbers.*save_conf=True"),
        ("0 0.5 0.5 0.1 0.1 1.5", "confidence 1.5: expected a number in"),
        ("0 0.5 0.5 0.1 0.1 nan", "confidence nan"),
        ("0 100 50 20 20 0.9", "not pixels"),
    ],
)
def test_a_predicted_line_that_is_none_is_refused(
    home: Path, tmp_path: Path, line: str, message: str
) -> None:
    write(tmp_path / "run/7.txt", f"0 0.5 0.5 1 1 0.9\n{line}\n")
    with pytest.raises(BadDataset, match=rf"(?s)7\.txt', line 2: .*{message}"):
        read(home).with_predictions(tmp_path / "run", "m")


def test_predictions_for_an_unknown_image_are_refused(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "run/8.txt", "0 0.5 0.5 1 1 0.9\n")
    with pytest.raises(BadDataset, match=r"run': .*'8', which is not in dataset 'fires'"):
        read(home).with_predictions(tmp_path / "run", "m")
    with pytest.raises(InvalidInput, match="expected a folder of label files"):
        read(home).with_predictions(tmp_path / "nowhere", "m")


@pytest.mark.parametrize(
    ("files", "where", "message"),
    [
        ({}, "nowhere", "no such file or folder"),
        ({"a.csv": ""}, "a.csv", "expected a data.yaml"),
        ({"a/b.csv": ""}, "a", "neither labels"),
        ({"data.yaml": "names: ["}, "data.yaml", "is no YAML"),
        ({"data.yaml": "just text"}, "data.yaml", "expected names and val"),
        ({"data.yaml": NAMES}, ".", "none of val, validation, test, train"),
        ({"data.yaml": f"val: images\n{NAMES}"}, ".", "'images' leads nowhere"),
        ({"data.yaml": "val: x\nkpt_shape: [17, 3]\n"}, ".", "keypoints are not read"),
        ({"data.yaml": "val: .\nnames: {1: a, 2: b}", "labels/a.txt": ""}, ".", "from 0 to 1"),
        ({"images/a.jpg": ""}, ".", "none of its 1 images has a label file"),
        ({"labels/a.txt": "0 0 0 0 0"}, ".", "size of image 'a' is not known"),
        ({"labels/a.txt": "", "images/a.jpg": "text"}, ".", "is no image that Pillow reads"),
        ({"val.txt": "images/a.csv"}, "val.txt", "line 1: 'images/a.csv' is no image's path"),
        ({"images/a.jpg": "", "images/a.png": ""}, "images", r"a\.jpg and a\.png are both 'a'"),
    ],
)
def test_what_is_no_yolo_is_refused(
    tmp_path: Path, files: dict[str, str], where: str, message: str
) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    with pytest.raises(InvalidInput, match=f"(?s){message}"):
        read(tmp_path / where)


# Against COCO's own reading of the same boxes


def converted(entries: list[dict[str, Any]], images: dict[int, Any], folder: Path) -> None:
    """Write COCO entries as Ultralytics' converter does: six digits of the image's size."""
    lines: dict[int, list[str]] = {number: [] for number in images}
    for entry in entries:
        (x, y, w, h), image = entry["bbox"], images[entry["image_id"]]
        across, down = image["width"], image["height"]
        numbers = [(x + w / 2) / across, (y + h / 2) / down, w / across, h / down]
        words = [f"{number:.6f}" for number in numbers]
        confidence = [str(entry["score"])] if "score" in entry else []
        lines[entry["image_id"]].append(" ".join([str(entry["category_id"]), *words, *confidence]))
    for number, annotations_of in lines.items():
        write(folder / f"{number}.txt", "\n".join(annotations_of))


def test_coco_converted_to_yolo_has_the_same_numbers(shared_data: Path, tmp_path: Path) -> None:
    """The oracle is pycocotools on the numbers that a reader of the text files would compute."""
    truth = json.loads((shared_data / "ground_truth.json").read_text())
    annotations_of = json.loads((shared_data / "detections.json").read_text())
    images = {image["id"]: image for image in truth["images"]}
    converted(truth["annotations"], images, tmp_path / "labels")
    converted(annotations_of, images, tmp_path / "run")
    rows = "".join(f"{n},{i['width']},{i['height']}\n" for n, i in images.items())
    sizes = write(tmp_path / "sizes.csv", "uid,width,height\n" + rows)
    predictions = read(tmp_path / "labels", metadata=sizes).with_predictions(tmp_path / "run", "m")
    for entry in [*truth["annotations"], *annotations_of]:
        image = images[entry["image_id"]]
        across, down = image["width"], image["height"]
        x, y, w, h = entry["bbox"]
        x, w = (round(number / across, 6) for number in (x + w / 2, w))
        y, h = (round(number / down, 6) for number in (y + h / 2, h))
        box = [(x - w / 2) * across, (y - h / 2) * down, w * across, h * down]
        entry.update(bbox=[round(number, 6) for number in box])
        entry.update(area=entry["bbox"][2] * entry["bbox"][3])
    expected = coco_eval(truth, annotations_of).stats
    headline = velour.evaluate(predictions, "object-detection", save=False).headline
    assert len(predictions.truth) == 830
    assert list(headline.values())[:12] == pytest.approx(list(expected), abs=1e-12)
    published = json.loads((shared_data / "published.json").read_text())
    assert headline["mAP"] == pytest.approx(published["mAP"], abs=5e-3)
