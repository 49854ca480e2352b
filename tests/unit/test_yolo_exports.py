"""YOLO files as tools export them, and files that cost much: read, counted or refused."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml
from velour_integrations.formats.yolo import yaml_text
from velour_integrations.formats.yolo.yaml_text import parse_yaml
from velour_integrations.formats.yolo.yolo_keypoints import has_keypoints

import velour_plugin as velour
from tests.label_pngs import chunk
from velour_plugin.domain.inputs.reading import ReadingWarning
from velour_plugin.errors import BadDataset, InvalidInput

BOX = "0 0.5 0.5 0.2 0.2\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def png_head(path: Path, width: int, height: int) -> Path:
    """A PNG file that says how large it is, and holds no pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    return path


def split(home: Path, yaml_lines: str, label: str = BOX) -> Path:
    """A split with one image of 20 x 10 pixels."""
    png_head(home / "images/a.png", 20, 10)
    write(home / "labels/a.txt", label)
    return write(home / "data.yaml", yaml_lines)


def read(path: Path, **options: Any) -> velour.Dataset:
    return velour.read_dataset(path, format="yolo", **options)


def classes(dataset: velour.Dataset) -> list[str]:
    return [value for _, value in dataset.truth.labels]


# ---- names of classes --------------------------------------------------------------------------


@pytest.mark.parametrize("loader", ["CBaseLoader", "BaseLoader"])
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("[no, yes, on, OFF, null, ~]", ["no", "yes", "on", "OFF", "null", "~"]),
        ("[2021-99-99, 1:30, 007, 1.0, 0x1F, 1_000]",
         ["2021-99-99", "1:30", "007", "1.0", "0x1F", "1_000"]),
        ('{"0": cat, "1": dog}', ["cat", "dog"]),
        ("{1: dog, 0: cat}", ["cat", "dog"]),
        ("\n  0: no\n  '1': 2", ["no", "2"]),
        ("\n- a: b\n".replace(": b", ""), ["a"]),
        ("&all [a, b]\nother: *all", ["a", "b"]),
        ("!!python/tuple [a, b]", ["a", "b"]),
        ("[" + "9" * 900 + "]", ["9" * 900]),
    ],
)  # fmt: skip
def test_names_are_the_text_that_stands_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loader: str, names: str, expected: list[str]
) -> None:
    monkeypatch.setattr(yaml_text, "_LOADER", getattr(yaml, loader))
    path = split(tmp_path, f"when: 2021-99-99\nmuch: {'9' * 5000}\nval: images\nnames: {names}\n")
    assert classes(read(path)) == expected


BOMB = "a: &a [x]\n" + "".join(
    f"{b}: &{b} [{f'*{a},' * 10}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("loader", ["CBaseLoader", "BaseLoader"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"val: images\n{BOMB}names: *i\n", "names: expected a list of texts"),
        (f"names: [a]\n{BOMB}val: *i\n", "path and val: expected a folder or file"),
        (f"val: images\n{BOMB}names: {{0: *i}}\n", "names: expected a list of texts"),
        ("val: images\nnames: &a [*a]\n", "names: expected a list of texts"),
        ("val: images\nnames: [a]\nx: " + "[" * 10_000, "no YAML: .*nest"),
        ("val: images\nnames: [a]\nx:\n" + "".join(" " * n + "-\n" for n in range(1, 99)),
         "no YAML: line 54 is nested deeper than 50"),
        ("val: images\nnames: [a]\n? [a]\n: 1\n", "no YAML: a key is a list or mapping"),
        ("val: images\nnames: *unknown\n", r"no YAML: line 2: \*unknown names nothing above"),
        ("val: images\nnames: [a]\nnames: [b]\n", "no YAML: the key 'names' stands twice"),
        ("val: images\n--- \nnames: [a]\n", "no YAML: it holds more than one document"),
        ('val: images\nnames: ["\\UFFFFFFFF"]\n', "no YAML"),
        ("val: images\nnames: [a]\nx: \0\n", "no YAML"),
        ("val: images\n<<: {names: [a]}\n", "'<<' is not read"),
        ("val: images\nnames: a.names\n", "names: expected a list of texts"),
        ("val: images\nnames: {0: a, 2: b}\n", "names: expected a name for every number"),
        ("val: images\nnames: {no: a, yes: b}\n", "names: expected a name for every number"),
        ("val: {a: 1}\nnames: [a]\n", "path and val: expected a folder or file"),
        ("path: [1]\nval: images\nnames: [a]\n", "path and val: expected a folder or file"),
        ("val: null\ntest: ~\ntrain:\nnames: [a]\n", "none of val, validation, test, train"),
        ("val: " + "a" * 5000 + "\nnames: [a]\n", "'a{100}' leads nowhere"),
        ('val: "a\\0b"\nnames: [a]\n', "leads nowhere"),
        ("val: [images, images]\nnames: [a]\n", "val has two images 'a'"),
        ("val: /proc/self\nnames: [a]\n", "/proc/"),
    ],
)  # fmt: skip
def test_a_data_yaml_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loader: str, text: str, message: str
) -> None:
    monkeypatch.setattr(yaml_text, "_LOADER", getattr(yaml, loader))
    with pytest.raises(InvalidInput, match=f"(?s){message}"):
        read(split(tmp_path, text))


def test_thirty_thousand_classes_are_compared_by_a_set(tmp_path: Path) -> None:
    names = ",".join(f"n{number}" for number in range(30_000))
    assert len(classes(read(split(tmp_path, f"val: images\nnames: [{names}]\n")))) == 30_000


def test_yaml_may_be_in_utf_16() -> None:
    assert parse_yaml("names: [é]".encode("utf-16"), "x") == {"names": ["é"]}
    with pytest.raises(BadDataset, match="x is no YAML: unacceptable character"):
        parse_yaml("names: [é]".encode("latin-1"), "x")


# ---- folders of exports ------------------------------------------------------------------------


@pytest.mark.parametrize("where", [".", "obj.data", "train.txt", "obj_train_data"])
def test_cvats_export_is_found_from_any_of_its_files(tmp_path: Path, where: str) -> None:
    """Its lists name images from a folder ``data`` that the archive does not have."""
    home = tmp_path / "export"
    write(home / "obj.data", "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\n")
    write(home / "obj.names", "cat\n")
    write(home / "train.txt", "data/obj_train_data/f.png\n")
    png_head(home / "obj_train_data/f.png", 20, 10)
    write(home / "obj_train_data/f.txt", BOX)
    dataset = read(home / where)
    assert (dataset.uids, classes(dataset)) == (("f",), ["cat"])
    write(tmp_path / "run/f.txt", "0 0.5 0.5 0.2 0.2 0.9\n")
    predicted = dataset.with_predictions(tmp_path / "run", "m")
    assert velour.evaluate(predicted, "object-detection", save=False)["mAP_50"] == pytest.approx(
        1.0
    )


def test_cvats_validation_goes_before_its_training(tmp_path: Path) -> None:
    write(tmp_path / "obj.data", "train = data/train.txt\nvalid = data/valid.txt\n")
    for part in ("train", "valid"):
        write(tmp_path / f"{part}.txt", f"data/obj_{part}_data/{part}.png\n")
        png_head(tmp_path / f"obj_{part}_data/{part}.png", 20, 10)
        write(tmp_path / f"obj_{part}_data/{part}.txt", BOX)
    assert read(tmp_path).uids == ("valid",)
    write(tmp_path / "obj.data", "train = gone.txt\n")
    with pytest.raises(BadDataset, match="none of valid, test, train names a list of images"):
        read(tmp_path)


def test_a_list_from_another_machine_is_followed(tmp_path: Path) -> None:
    png_head(tmp_path / "JPEGImages/f.png", 20, 10)
    write(tmp_path / "labels/f.txt", BOX)
    for line in ("/home/eve/VOC/JPEGImages/f.png", "C:\\data\\JPEGImages\\f.png"):
        assert len(read(write(tmp_path / "val.txt", line)).truth) == 1


def test_listed_images_of_one_name_are_named_by_their_paths(tmp_path: Path) -> None:
    for camera in "ab":
        png_head(tmp_path / f"images/{camera}/1.png", 20, 10)
        write(tmp_path / f"labels/{camera}/1.txt", BOX)
    listed = write(tmp_path / "val.txt", "images/a/1.png\nimages/b/1.png\n")
    assert read(listed).uids == ("a/1", "b/1") == read(tmp_path / "images").uids


def test_text_files_that_are_no_labels_are_counted(tmp_path: Path) -> None:
    png_head(tmp_path / "a.png", 20, 10)
    write(tmp_path / "a.txt", BOX)
    write(tmp_path / "train.txt", "a.png\n")
    write(tmp_path / "README.roboflow.txt", "\nExported by somebody\n")
    write(tmp_path / "_darknet.labels", "fire\n")
    with pytest.warns(ReadingWarning, match=r"skipped: 2 text files that hold no labels"):
        dataset = read(tmp_path)
    assert (dataset.uids, classes(dataset)) == (("a",), ["fire"])
    write(tmp_path / "run/a.txt", "0 0.5 0.5 0.2 0.2 0.9\n")
    write(tmp_path / "run/labels.txt", "fire\n")
    with pytest.warns(ReadingWarning, match=r"skipped: 1 text files that hold no labels"):
        dataset.with_predictions(tmp_path / "run", "m")


def test_files_of_windows_are_read(tmp_path: Path) -> None:
    """PowerShell writes UTF-16, Notepad a mark before UTF-8; lines end in two characters."""
    path = split(tmp_path, "val: images\n")
    path.write_bytes("val: images\r\nnames: [feu]\r\n".encode("utf-8-sig"))
    (tmp_path / "labels/a.txt").write_bytes((BOX * 2).replace("\n", "\r\n").encode("utf-16"))
    dataset = read(path)
    assert (len(dataset.truth), classes(dataset)) == (2, ["feu"])


def test_tables_find_labels_without_images_by_file_names(tmp_path: Path) -> None:
    write(tmp_path / "labels/a.txt", BOX)
    table = write(tmp_path / "sizes.csv", "file_name,width,height\nimages/a.jpg,20,10\n")
    with pytest.warns(ReadingWarning, match="1 names of images with another extension"):
        dataset = read(tmp_path, metadata=table)
    assert dataset.datums[0].metadata == {"width": 20, "height": 10}
    with pytest.raises(BadDataset, match=r"or pass --metadata \(in Python metadata=\), a table"):
        read(tmp_path)


# ---- predictions -------------------------------------------------------------------------------


def test_a_folder_without_label_files_is_refused(tmp_path: Path) -> None:
    dataset = read(split(tmp_path / "home", "val: images\nnames: [a]\n"))
    write(tmp_path / "run/results.json", "[]")
    with pytest.raises(BadDataset, match=r"run' holds no label files \(.txt\)"):
        dataset.with_predictions(tmp_path / "run", "m")
    write(tmp_path / "run/b.txt", BOX)
    with pytest.raises(BadDataset, match=r"run': predictions for 'b'.* 1 of 1 names are not"):
        dataset.with_predictions(tmp_path / "run", "m")


def test_images_without_predictions_are_counted(tmp_path: Path) -> None:
    path = split(tmp_path, "val: images\nnames: [a]\n")
    png_head(tmp_path / "images/b.png", 20, 10)
    write(tmp_path / "run/a.txt", "0 0.5 0.5 0.2 0.2 0.9\n")
    predicted = read(path).with_predictions(tmp_path / "run", "m")
    assert predicted.reading is not None
    assert predicted.predictions_reading is not None
    assert predicted.reading.read == {"images": 2, "annotations": 1}
    assert predicted.predictions_reading.read == {"predictions": 1, "images without predictions": 1}
    assert predicted.predictions_reading.is_clean
    write(tmp_path / "run/a.txt", "")
    with pytest.warns(ReadingWarning, match="1 empty predictions, read as nothing"):
        read(path).with_predictions(tmp_path / "run", "m")


@pytest.mark.parametrize(("confidence", "score"), [("1.0000001", 1.0), ("-1e-7", 0.0)])
def test_confidences_that_left_their_range_by_rounding_are_counted(
    tmp_path: Path, confidence: str, score: float
) -> None:
    dataset = read(split(tmp_path, "val: images\nnames: [a]\n"))
    write(tmp_path / "run/a.txt", f"0 0.5 0.5 0.2 0.2 {confidence}\n")
    with pytest.warns(ReadingWarning, match=r"1 scores outside \[0, 1\] by rounding"):
        predicted = dataset.with_predictions(tmp_path / "run", "m")
    assert predicted.predictions is not None
    assert predicted.predictions.score.tolist() == [score]
    with pytest.raises(BadDataset, match="strict"):
        dataset.with_predictions(tmp_path / "run", "m", strict=True)


# ---- keypoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "is_pose"),
    [
        ("0.5 0.5 0.2 0.2 0.45 0.45 0.55 0.55", True),
        ("0.5 0.5 0.2 0.2 0.45 0.45 2 0.55 0.55 1", True),
        ("0.5 0.5 0.2 0.2 0.45 0.45 2 0.55 0.55 1 0 0 0", True),
        ("0.3 0.6 0.1 0.2 0.3 0.55 0.28 0.6 0.33 0.65", True),
        ("0.3 0.6 0.1 0.2 0.3 0.55 0.98 0.28 0.6 0.71 0.33 0.65 0.4 0.31 0.61 0.9", True),
        ("0.4 0.4 0.6 0.4 0.6 0.6 0.4 0.6", False),  # a square
        ("0.5 0.4 0.6 0.5 0.5 0.6 0.4 0.5", False),  # a rotated one
        ("0.1 0.1 0.9 0.1 0.5 0.9", False),  # a triangle
        ("0.51 0.5 0.55 0.52 0.56 0.58 0.5 0.6 0.45 0.57", False),
        ("0 0 1 0 1 1 0 1 0 0", False),  # a whole image
    ],
)  # fmt: skip
def test_a_box_with_points_in_it_is_no_outline(line: str, is_pose: bool) -> None:
    assert has_keypoints([float(word) for word in line.split()]) == is_pose


def test_poses_are_refused_and_polygons_are_not(tmp_path: Path) -> None:
    pose = "0 0.5 0.5 0.2 0.2 0.45 0.45 0.55 0.55\n"
    path = split(tmp_path, "val: images\nnames: [a]\n", pose)
    with pytest.raises(BadDataset, match=r"a\.txt', line 1: a box with keypoints, it seems: key"):
        read(path)
    split(tmp_path, "val: images\nnames: [a]\n", "0 0.5 0.5 0.2 0.2 0.45 0.45 2 0.55 0.55 2\n")
    with pytest.raises(BadDataset, match="a box with keypoints, it seems"):
        read(path)
    split(tmp_path, "val: images\nnames: [a]\n", "0 0.5 0.5 0.2 0.2" + " 0.5 0.5 2" * 17)
    with pytest.raises(BadDataset, match=r"56 numbers: .*; keypoints are not read"):
        read(path)
    split(tmp_path, "val: images\nnames: [a]\n", pose + "0 0.1 0.1 0.9 0.1 0.5 0.9\n")
    assert len(read(path).truth) == 2  # lines of two lengths are polygons, however thin one is


def test_predicted_poses_are_refused(tmp_path: Path) -> None:
    dataset = read(split(tmp_path, "val: images\nnames: [a]\n"))
    write(tmp_path / "run/a.txt", "0 0.5 0.5 0.2 0.2 0.45 0.45 0.55 0.55 0.9\n")
    with pytest.raises(BadDataset, match=r"a\.txt', line 1: a box with keypoints"):
        dataset.with_predictions(tmp_path / "run", "m")


# ---- images ------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [10_000, 15_000, 60_000])
def test_large_images_are_measured_and_not_decoded(tmp_path: Path, side: int) -> None:
    path = split(tmp_path, "val: images\nnames: [a]\n")
    png_head(tmp_path / "images/a.png", side, side)
    assert dict(read(path).datums[0].metadata)["width"] == side


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    path = split(tmp_path, "val: images\nnames: [a]\n")
    (tmp_path / "images/a.png").unlink()
    os.mkfifo(tmp_path / "images/a.png")
    with pytest.raises(InvalidInput, match=r"a\.png'.*pipe"):
        read(path)


def test_damaged_exif_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    path = split(tmp_path, "val: images\nnames: [a]\n")
    (tmp_path / "images/a.png").unlink()
    Image.new("L", (20, 10)).save(tmp_path / "images/a.jpg")

    def damaged(image: Any) -> None:
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(Image.Image, "getexif", damaged)
    with pytest.warns(ReadingWarning, match="1 images with damaged EXIF, taken as not turned"):
        assert dict(read(path).datums[0].metadata)["width"] == 20


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n\0", b"II*\0\x08\0\0\0\xff\xff", b"GIF89a"]
)
def test_what_pillow_does_not_read_is_refused(tmp_path: Path, content: bytes) -> None:
    path = split(tmp_path, "val: images\nnames: [a]\n")
    (tmp_path / "images/a.png").write_bytes(content)
    with pytest.raises(BadDataset, match=r"a\.png' is no image.* or pass --metadata"):
        read(path)


@pytest.mark.parametrize(
    "line",
    ["0 0.5 0.5 1_0e-1 0.1", "٠ .5 .5 .1 .1", "0 .5 .5 .1 0x1", "0 ,5 ,5 ,1 ,1", "0 .5 .5 .1 .1\0"],
)
def test_numbers_are_written_as_numbers(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadDataset, match=r"a\.txt', line 1: .*: expected numbers"):
        read(split(tmp_path, "val: images\nnames: [a]\n", line))


def test_a_number_of_20_digits_is_no_class(tmp_path: Path) -> None:
    write(tmp_path / "labels/a.txt", "99999999999999999999 .5 .5 .1 .1")
    png_head(tmp_path / "images/a.png", 20, 10)
    with pytest.raises(BadDataset, match=r"class 1e\+20: expected a whole number"):
        read(tmp_path)


# ---- classes of one name -----------------------------------------------------------------------


def test_a_class_that_no_label_uses_may_have_the_name_of_another(tmp_path: Path) -> None:
    """As in files of Roboflow that were converted, where class 0 is the group of all."""
    second = BOX.replace("0", "1", 1)
    path = split(tmp_path, "val: images\nnames: [fire, fire, smoke, '']\n", second)
    rule = r"1 classes without annotations that share another's name \('.*data.yaml', class 0\)"
    with pytest.warns(ReadingWarning, match=rule):
        dataset = read(path)
    assert classes(dataset) == ["fire", "smoke"]
    for number in "03":
        write(tmp_path / "run/a.txt", f"{number} 0.5 0.5 0.2 0.2 0.9\n")
        with pytest.raises(BadDataset, match=f"line 1: class {number} has no name of its own"):
            dataset.with_predictions(tmp_path / "run", "m")
    split(tmp_path, "val: images\nnames: [fire, fire]\n", BOX + second)
    with pytest.raises(BadDataset, match=r"two classes are called 'fire' \(0 and 1\)"):
        read(path)


def test_images_that_are_listed_twice_are_read_once(tmp_path: Path) -> None:
    png_head(tmp_path / "images/f.png", 20, 10)
    write(tmp_path / "labels/f.txt", BOX)
    with pytest.warns(ReadingWarning, match=r"1 images that a list names twice.*line 2"):
        assert read(write(tmp_path / "val.txt", "images/f.png\n./images/f.png\n")).uids == ("f",)
