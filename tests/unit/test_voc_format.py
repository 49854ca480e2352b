"""Pascal VOC: pixels from 1 with the last included, difficult objects, the devkit's lists."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.domain.inputs.reading import ReadingWarning
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
    for detections in ("without", "with"):
        dataset = read(home).with_predictions(tmp_path / detections, detections)
        evaluation = velour.evaluate(dataset, "object-detection", save=False)
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
    with pytest.warns(ReadingWarning, match=r"1 images without a metadata record \('000001'\)"):
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
        (page(thing("a", (1, 1, 2, 2), "<difficult>rather</difficult>")), "difficult 'rather'"),
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
        ("dog.txt", "000009 0.9 1 1 3 2", "run': predictions for '000009', which is not in"),
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
    detections = json.loads((shared_data / "detections.json").read_text())
    names = {category["id"]: category["name"] for category in truth["categories"]}
    for entries, folder in ((truth["annotations"], "truth"), (detections, "run")):
        pages: dict[int, list[str]] = {image["id"]: [] for image in truth["images"]}
        for entry in entries:
            x, y, w, h = entry["bbox"]
            sure = f"<confidence>{entry['score']}</confidence>" if "score" in entry else ""
            box = (x + 1, y + 1, x + w, y + h)
            pages[entry["image_id"]].append(thing(names[entry["category_id"]], box, sure))
        for number, objects in pages.items():
            write(tmp_path / folder / f"{number}.xml", page(*objects))
    dataset = read(tmp_path / "truth").with_predictions(tmp_path / "run", "m")
    published = json.loads((shared_data / "published.json").read_text())
    headline = velour.evaluate(dataset, "object-detection", save=False).headline
    assert {name: round(headline[name] or 0, 6) for name in published} == published


# Files as other tools write them


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("gb2312", "gb18030"),  # as most do, with characters that GB2312 does not have
        ("GBK", "gbk"),
        ("big5", "big5"),
        ("Shift_JIS", "shift_jis"),
        ("EUC-KR", "euc_kr"),
        ("utf-16", "utf-16"),
        ("utf-8", "utf-8-sig"),
        ("big5", "utf-8-sig"),
        ("utf-32", "utf-32"),
        (None, "utf-16"),
        (None, "utf-8"),
    ],
)
def test_a_file_is_read_in_the_encoding_that_it_names(
    tmp_path: Path, declared: str | None, codec: str
) -> None:
    name = {"EUC-KR": "고양이", "gb2312": "猫〡", "GBK": "猫"}.get(declared or "", "犬")
    head = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    path = write(tmp_path / "gt/a.xml", "")
    path.write_bytes((head + page(thing(name, (1, 1, 2, 2)))).encode(codec))
    assert read(tmp_path / "gt").truth.labels == (("class", name),)


@pytest.mark.parametrize(
    "declared", ["foo", "utf-7", "unicode_escape", "punycode", "idna", "rot13", "hex"]
)
def test_an_encoding_that_xml_is_not_written_in_is_refused(tmp_path: Path, declared: str) -> None:
    write(tmp_path / "gt/a.xml", f'<?xml version="1.0" encoding="{declared}"?>{page()}')
    with pytest.raises(
        BadDataset, match=rf"a\.xml': its first line names .*'{declared}', which is"
    ):
        read(tmp_path / "gt")


def test_an_encoding_that_the_file_does_not_have_is_refused_or_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "gt/a.xml", "")
    path.write_bytes(b'<?xml version="1.0" encoding="big5"?>' + page().encode() + b"\xff")
    with pytest.raises(BadDataset, match=r"a\.xml' is not in 'big5'.*save it in UTF-8"):
        read(tmp_path / "gt")
    path.write_bytes(page(thing("é", (1, 1, 2, 2))).encode("latin-1"))
    with pytest.raises(BadDataset, match=r"is no XML: .*it is not in UTF-8, and its first line"):
        read(tmp_path / "gt")
    write(path, f'<?xml version="1.0" encoding="utf-16"?>{page(thing("é", (1, 1, 2, 2)))}')
    with pytest.warns(ReadingWarning, match="1 XML files that call UTF-8 another encoding"):
        assert read(tmp_path / "gt").truth.labels == (("class", "é"),)


@pytest.mark.parametrize("text", ["Unspecified", "unspecified", " ", "0", "no", "False"])
def test_what_nobody_looked_at_is_not_difficult(tmp_path: Path, text: str) -> None:
    flags = "".join(f"<{flag}>{text}</{flag}>" for flag in ("difficult", "truncated", "occluded"))
    write(tmp_path / "gt/a.xml", page(thing("dog", (1, 1, 3, 2), flags)))
    (truth,) = read(tmp_path / "gt").groundtruths
    assert not truth.annotations[0].is_crowd
    assert truth.annotations[0].metadata == {}


def test_boxes_may_end_between_pixels(tmp_path: Path) -> None:
    write(tmp_path / "gt/a.xml", page(thing("dog", (1.5, 1.25, 3.5, 2.0))))
    (truth,) = read(tmp_path / "gt").groundtruths
    assert truth.annotations[0].bounding_box == velour.BoundingBox(0.5, 0.25, 3.5, 2.0)


def test_an_empty_object_is_left_out_and_counted(tmp_path: Path) -> None:
    write(
        tmp_path / "gt/a.xml", page("<object/>", thing("dog", (1, 1, 3, 2)), "<object> </object>")
    )
    with pytest.warns(ReadingWarning, match=r"skipped: 2 empty objects .*object number 1"):
        assert len(read(tmp_path / "gt").truth) == 1
    with pytest.raises(BadDataset, match="object number 1: 1 empty objects: reading is strict"):
        read(tmp_path / "gt", strict=True)


def test_another_region_is_named_where_the_box_is_missing(tmp_path: Path) -> None:
    write(tmp_path / "gt/a.xml", page("<object><name>a</name><robndbox/></object>"))
    with pytest.raises(BadDataset, match="has no bndbox; a robndbox is not read, write the box"):
        read(tmp_path / "gt")


def test_lists_of_runs_with_a_word_of_their_own_are_of_their_class(
    home: Path, tmp_path: Path
) -> None:
    salted = "comp4_0f0e9c1a-1111-4222-8333-444455556666_det_test_potted_plant.txt"
    write(tmp_path / "run" / salted, "000001 0.9 1 1 3 2\n")
    write(tmp_path / "run/Main/comp4_det_test_2012_dog.txt", "000002 0.9 1 1 3 2\n")
    predicted = read(home).with_predictions(tmp_path / "run", "m").predictions
    assert predicted is not None
    assert set(predicted.labels) == {("class", name) for name in ("cat", "dog", "potted_plant")}


def test_a_folder_without_predictions_is_no_model_that_finds_nothing(
    home: Path, tmp_path: Path
) -> None:
    write(tmp_path / "run/results.json", "[]")
    with pytest.raises(BadDataset, match="run' holds neither XML files nor lists"):
        read(home).with_predictions(tmp_path / "run", "m")
    write(tmp_path / "run/dog.txt", "\n")
    with pytest.warns(ReadingWarning, match="1 empty predictions, read as nothing found"):
        dataset = read(home).with_predictions(tmp_path / "run", "m")
    assert dataset.predictions_reading is not None
    assert dataset.predictions_reading.read == {"predictions": 0, "images without predictions": 2}


def test_the_report_counts_what_was_read(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "run/dog.txt", "000002 1.0000001 2 2 3 3\n")
    dataset = read(home)
    assert dataset.reading is not None
    assert dataset.reading.read == {"images": 2, "annotations": 3}
    with pytest.warns(ReadingWarning, match=r"1 scores outside \[0, 1\] by rounding"):
        predicted = dataset.with_predictions(tmp_path / "run", "m")
    assert predicted.predictions_reading is not None
    assert predicted.predictions_reading.read == {"predictions": 1, "images without predictions": 1}
    assert predicted.predictions is not None
    assert predicted.predictions.score.tolist() == [1.0]


def test_images_are_found_by_what_lists_call_them(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "run/dog.txt", "JPEGImages/000002.jpg 0.9 2 2 2 2\n")
    with pytest.warns(ReadingWarning, match="names of images .*'JPEGImages/000002.jpg' for"):
        _, second = read(home).with_predictions(tmp_path / "run", "m").predicted
    assert len(second.annotations) == 1


def test_text_files_beside_xml_files_are_counted(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "run/000002.xml", page(thing("dog", (2, 2, 2, 2), "<score>1</score>")))
    write(tmp_path / "run/dog.txt", "000001 0.9 1 1 3 2\n")
    with pytest.warns(ReadingWarning, match="1 text files beside XML files, no predictions"):
        dataset = read(home).with_predictions(tmp_path / "run", "m")
    assert dataset.predictions is not None
    assert len(dataset.predictions) == 1


def test_suffixes_may_be_in_capitals(home: Path) -> None:
    first = home / "Annotations/000001.xml"
    first.rename(first.with_suffix(".XML"))
    assert read(home).uids == ("000001", "000002")
    assert read(home / "ImageSets/Main/dog_val.txt").uids == ("000001", "000002")


# Files that cost much, or lead elsewhere

BOMB = "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(11))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'<!DOCTYPE x [<!ENTITY a0 "ha">{BOMB}]>{page("&a11;")}', "defines entities"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation/>', "defines entities"),
        ("<annotation>" + "<a>" * 100_000, "nested deeper than 200 elements"),
        (page(size="<size><width>1e300</width></size>"), "width '1e300'"),
        (page(thing("a", (1, 1, 2, float("inf")))), "ymax 'inf'"),
        (page(thing("a\0", (1, 1, 2, 2))), "is no XML"),
        ("", "is no XML: no element found"),
    ],
)
def test_hostile_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "gt/a.xml", text)
    with pytest.raises(BadDataset, match=rf"a\.xml'.*{message}"):
        read(tmp_path / "gt")


def test_folders_are_read_once_however_many_links_lead_there(tmp_path: Path) -> None:
    write(tmp_path / "gt/deep/a.xml", page())
    (tmp_path / "gt/deep/loop").symlink_to(tmp_path / "gt")
    (tmp_path / "gt/again").symlink_to(tmp_path / "gt/deep")
    (tmp_path / "gt/top").symlink_to("/")
    with pytest.warns(ReadingWarning, match="3 links to folders that are above or read already"):
        assert read(tmp_path / "gt").uids == ("deep/a",)
    write(tmp_path / "elsewhere/b.xml", page())
    for link in ("gt/deep/loop", "gt/again", "gt/top"):
        (tmp_path / link).unlink()
    (tmp_path / "gt/out").symlink_to(tmp_path / "elsewhere")
    assert read(tmp_path / "gt").uids == ("deep/a", "out/b")


def test_a_list_does_not_leave_its_folder(home: Path) -> None:
    write(home / "secret.xml", page())
    with pytest.raises(BadDataset, match=r"line 1: no folder above it has Annotations/\.\./secret"):
        read(write(home / "ImageSets/Main/val.txt", "../secret\n"))


def test_a_list_may_name_files_instead_of_images(home: Path) -> None:
    named = write(home / "ImageSets/Main/val.txt", "JPEGImages/000002.jpg Annotations/000002.xml\n")
    with pytest.warns(ReadingWarning, match="names of images .*'JPEGImages/000002.jpg'"):
        assert read(named).uids == ("000002",)


def test_an_image_that_is_listed_twice_is_read_once(home: Path) -> None:
    twice = write(home / "ImageSets/Main/val.txt", "000002\n000002\n")
    with pytest.warns(ReadingWarning, match="1 images that a list names twice, read once"):
        assert read(twice).uids == ("000002",)


def test_a_pipe_is_no_annotation(tmp_path: Path) -> None:
    (tmp_path / "gt").mkdir()
    os.mkfifo(tmp_path / "gt/a.xml")
    with pytest.raises(InvalidInput, match=r"a\.xml' cannot be read: it is a pipe"):
        read(tmp_path / "gt")
