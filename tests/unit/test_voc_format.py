"""Pascal VOC: pixels from 1 with the last included, difficult objects, the devkit's lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.errors import BadDataset, InvalidInput

Corners = tuple[float, float, float, float]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def thing(name: str, corners: Corners, extra: str = "") -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{side}>{number}</{side}>" for side, number in sides)
    return f"<object><name>{name}</name>{extra}<bndbox>{box}</bndbox></object>"


def page(*objects: str, size: str = "<size><width>20</width><height>10</height></size>") -> str:
    return f"<annotation><filename>x.jpg</filename>{size}{''.join(objects)}</annotation>"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two images; the first has a dog of 3 × 2 pixels at the top left and a difficult cat."""
    home = tmp_path / "VOC2007"
    extra = "<pose>Left</pose><truncated>1</truncated><difficult>1</difficult>"
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    first = page(thing("dog", (1, 1, 3, 2), part), thing("cat", (5, 5, 9, 9), extra))
    write(home / "Annotations/000001.xml", first)
    write(home / "Annotations/000002.xml", page(thing("dog", (2, 2, 2, 2))))
    write(home / "ImageSets/Main/val.txt", "000002\n")
    write(home / "ImageSets/Main/dog_val.txt", "000001 -1\n000002  1\n")
    return home


def read(path: Path, **options: Any) -> velour.Dataset:
    return velour.read_dataset(path, format="voc", **options)


def test_pixels_are_counted_from_1_and_the_last_is_in_the_box(home: Path) -> None:
    """The dog stands on pixels 1 to 3: that is 0 up to 3 where corners are half-open."""
    dataset = read(home)
    first, second = dataset.groundtruths
    assert first.annotations[0] == velour.Annotation(
        [velour.Label("class", "dog")], velour.BoundingBox(0, 0, 3, 2)
    )
    assert second.annotations[0].bounding_box == velour.BoundingBox(1, 1, 2, 2)
    assert first.datum.metadata == {"file_name": "x.jpg", "width": 20, "height": 10}
    assert (dataset.name, dataset.uids) == ("VOC2007", ("000001", "000002"))


def test_difficult_objects_are_crowds_and_say_so(home: Path) -> None:
    first, _ = read(home).groundtruths
    cat = first.annotations[1]
    assert cat.is_crowd
    assert cat.metadata == {"difficult": True, "truncated": True, "pose": "Left"}
    assert not first.annotations[0].is_crowd


def test_a_difficult_object_is_neither_found_nor_missed(home: Path, tmp_path: Path) -> None:
    """As in VOC: two dogs count; the cat does not, found twice or not at all."""
    lines = "000001 0.9 1 1 3 2\n000002 0.8 2 2 2 2\n"
    write(tmp_path / "without/comp4_det_val_dog.txt", lines)
    write(tmp_path / "with/comp4_det_val_dog.txt", lines)
    write(tmp_path / "with/comp4_det_val_cat.txt", "000001 1 5 5 9 9\n" * 2)
    for said in ("without", "with"):
        judged = read(home).with_predictions(tmp_path / said, said)
        evaluation = velour.evaluate(judged, "object-detection", save=False)
        assert (evaluation["mAP"], evaluation["mAR_100"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("where", "uids"),
    [
        ("Annotations", ("000001", "000002")),
        ("Annotations/000001.xml", ("000001",)),
        ("ImageSets/Main/val.txt", ("000002",)),
        ("ImageSets/Main/dog_val.txt", ("000001", "000002")),
    ],
)
def test_an_image_set_or_a_folder_is_read(home: Path, where: str, uids: tuple[str, ...]) -> None:
    assert read(home / where).uids == uids


def test_a_table_knows_more(home: Path, tmp_path: Path) -> None:
    table = write(tmp_path / "m.csv", "uid,lat,lon,hour\n000002,42.36,-71.03,23\n")
    _, second = read(home, metadata=table).datums
    assert (second.metadata["hour"], second.location.x) == (23, -71.03)


def test_predictions_are_the_same_files_with_a_confidence(home: Path, tmp_path: Path) -> None:
    sure = "<confidence>0.75</confidence>"
    write(tmp_path / "run/000002.xml", page(thing("dog", (2, 2, 2, 2), sure)))
    write(tmp_path / "run/000001.xml", page(thing("fox", (1, 1, 3, 2), "<score>0.5</score>")))
    first, second = read(home).with_predictions(tmp_path / "run", "m").predicted
    assert first.annotations[0].labels[0] == velour.Label("class", "fox", 0.5)
    assert second.annotations[0].labels[0].score == 0.75
    assert second.annotations[0].bounding_box == velour.BoundingBox(1, 1, 2, 2)


def test_predictions_are_the_lists_of_the_devkit(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "run/comp4_det_test_potted_plant.txt", "000001 0.9 1 1 3 2\n\n")
    write(tmp_path / "run/dog.txt", "000002 0.8 2.5 2.5 3 3\n")
    first, second = read(home).with_predictions(tmp_path / "run", "m").predicted
    assert first.annotations[0].labels[0] == velour.Label("class", "potted_plant", 0.9)
    assert second.annotations[0].labels[0] == velour.Label("class", "dog", 0.8)
    assert second.annotations[0].bounding_box == velour.BoundingBox(1.5, 1.5, 3, 3)


def test_predictions_for_images_that_a_subset_left_out_are_left_out(
    home: Path, tmp_path: Path
) -> None:
    write(tmp_path / "run/dog.txt", "000001 0.9 1 1 3 2\n000002 0.8 2 2 2 2\n")
    part = read(home).subset(np.array([False, True])).with_predictions(tmp_path / "run", "m")
    (only,) = part.predicted
    assert [item.labels[0].score for item in only.annotations] == [0.8]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation>", r"000003\.xml' is no XML: .* line 1"),
        ("<list/>", "holds <list>, expected <annotation>"),
        (page("<object><pose/></object>"), "object number 1: has no name"),
        (page(thing("a", (1, 1, 2, 2)), "<object><name>b</name></object>"),
         "object number 2: has no bndbox"),
        (page(thing("a", (3, 1, 2, 2))), "object number 1: the box 3, 1, 2, 2 is turned over"),
        (page("<object><name>b</name><bndbox><xmin>1</xmin></bndbox></object>"), "ymin None"),
        (page(thing("a", (1, float("nan"), 2, 2))), "ymin 'nan': expected a number of pixels"),
        (page(thing("a", (1, 1, 2, 2), "<difficult>yes</difficult>")), "difficult 'yes'"),
        (page(size="<size><width>wide</width></size>"), "width 'wide'"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(home: Path, text: str, message: str) -> None:
    write(home / "Annotations/000003.xml", text)
    with pytest.raises(BadDataset, match=f"(?s)000003.*{message}|{message}"):
        read(home)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("dog.txt", "000001 0.9 1 1 3", "line 1: 5 words"),
        ("dog.txt", "000001 high 1 1 3 2", "line 1: confidence 'high'"),
        ("dog.txt", "000001 0.9 1 1 3 two", "line 1: ymax 'two'"),
        ("dog.txt", "000001 0.9 3 1 1 2", "line 1: the box 3, 1, 1, 2 is turned over"),
        ("dog.txt", "000009 0.9 1 1 3 2", "line 1: predictions for '000009', which is not in"),
        ("000009.xml", page(), "predictions for '000009', which is not in dataset 'VOC2007'"),
        ("000001.xml", page(thing("a", (1, 1, 2, 2))), "object number 1: confidence None"),
    ],
)
def test_predictions_that_are_none_are_refused(
    home: Path, tmp_path: Path, name: str, text: str, message: str
) -> None:
    write(tmp_path / "run" / name, text)
    with pytest.raises(BadDataset, match=message):
        read(home).with_predictions(tmp_path / "run", "m")


def test_what_is_no_voc_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadDataset, match="holds no XML file"):
        read(tmp_path / "empty")
    with pytest.raises(BadDataset, match=r"val\.txt', line 1: .* Annotations/000009\.xml"):
        read(write(home / "ImageSets/Main/val.txt", "000009\n"))
    with pytest.raises(InvalidInput, match="cannot be read"):
        read(tmp_path / "nowhere.txt")
    with pytest.raises(InvalidInput, match="expected a folder"):
        read(home).with_predictions(tmp_path / "nowhere", "m")


def test_coco_converted_to_voc_has_the_same_numbers(shared_data: Path, tmp_path: Path) -> None:
    """Boxes as exact numbers, one pixel on: all twelve of COCO's numbers, to six digits."""
    truth = json.loads((shared_data / "ground_truth.json").read_text())
    said = json.loads((shared_data / "detections.json").read_text())
    names = {category["id"]: category["name"] for category in truth["categories"]}
    for entries, folder in ((truth["annotations"], "truth"), (said, "run")):
        pages: dict[int, list[str]] = {image["id"]: [] for image in truth["images"]}
        for entry in entries:
            x, y, w, h = entry["bbox"]
            sure = f"<confidence>{entry['score']}</confidence>" if "score" in entry else ""
            box = (x + 1, y + 1, x + w, y + h)
            pages[entry["image_id"]].append(thing(names[entry["category_id"]], box, sure))
        for number, objects in pages.items():
            write(tmp_path / folder / f"{number}.xml", page(*objects))
    judged = read(tmp_path / "truth").with_predictions(tmp_path / "run", "m")
    published = json.loads((shared_data / "published.json").read_text())
    headline = velour.evaluate(judged, "object-detection", save=False).headline
    assert {name: round(headline[name] or 0, 6) for name in published} == published
