"""Annotations are drawn onto images where their coordinates are; image files are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import velour_plugin as velour
from tests.scenes import annotation
from velour_plugin.report.drawing import PREDICTED, SIDE, TRUTH, _sampled, drawn
from velour_plugin.report.image_files import ImageFolder, RefusedImage, image_file, image_folders

WHITE = (255, 255, 255)
BOX = velour.BoundingBox(20, 30, 60, 70)
RIGHT_HALF = np.zeros((100, 120), bool)
RIGHT_HALF[:, 60:] = True


def picture(
    folder: Path, truth: list[Any], predictions: list[Any], size: tuple[int, int] = (120, 100)
) -> Image.Image:
    """A white picture with ground truth and predictions drawn on it."""
    Image.new("RGB", size, WHITE).save(folder / "1.png")
    datum = velour.Datum("1", {"file_name": "1.png"})
    dataset = velour.Dataset.from_groundtruths([velour.GroundTruth(datum, truth)], "one")
    dataset = dataset.with_predictions([velour.Prediction(datum, predictions)], "model")
    (drawing,) = drawn(dataset, ["1"], folder, threshold=0.5)
    return drawing.image


def colours(image: Image.Image) -> set[Any]:
    return {colour for _, colour in image.getcolors(10_000) or ()}


def test_a_true_box_is_green_and_a_predicted_one_orange(tmp_path: Path) -> None:
    image = picture(tmp_path, [annotation(BOX)], [])
    assert image.getpixel((40, 30)) == TRUTH
    assert image.getpixel((60, 50)) == TRUTH
    assert image.getpixel((40, 50)) == WHITE
    image = picture(tmp_path, [], [annotation(BOX, score=0.9)])
    assert image.getpixel((40, 70)) == PREDICTED


def test_a_prediction_below_the_threshold_is_not_drawn(tmp_path: Path) -> None:
    assert colours(picture(tmp_path, [], [annotation(BOX, score=0.4)])) == {WHITE}


def test_what_is_drawn_shrinks_with_its_image(tmp_path: Path) -> None:
    wide = 4 * SIDE
    image = picture(
        tmp_path, [annotation(velour.BoundingBox(400, 400, 1200, 800))], [], (wide, wide)
    )
    assert image.size == (SIDE, SIDE)
    assert image.getpixel((200, 100)) == TRUTH
    assert image.getpixel((100, 150)) == TRUTH
    assert image.getpixel((200, 150)) == WHITE


def test_polygons_are_outlined_and_masks_tinted(tmp_path: Path) -> None:
    triangle = velour.Polygon([(10, 10), (100, 10), (100, 90)])
    image = picture(tmp_path, [annotation(triangle)], [])
    assert image.getpixel((50, 10)) == TRUTH
    assert image.getpixel((20, 80)) == WHITE
    image = picture(tmp_path, [], [annotation(velour.Raster(RIGHT_HALF), score=0.9)])
    assert image.getpixel((10, 50)) == WHITE
    assert image.getpixel((110, 50)) not in (WHITE, PREDICTED)


def test_labels_of_a_whole_image_are_written_on_it(tmp_path: Path) -> None:
    """The best label is, even one that scores little."""
    truth = velour.Annotation([velour.Label("class", "cat")])
    predicted = velour.Annotation([velour.Label("class", "dög ☂", 0.3)])
    assert colours(picture(tmp_path, [truth], [predicted])) != {WHITE}


@pytest.mark.parametrize("name", ["file_name", "image_path", "path"])
def test_an_image_is_found_by_what_the_metadata_say(tmp_path: Path, name: str) -> None:
    (tmp_path / "images").mkdir()
    path = tmp_path / "images" / "a.png"
    path.write_bytes(b"")
    named, here = list(image_folders(tmp_path)), list(image_folders(None))
    assert image_file(velour.Datum("1", {name: "a.png"}), named) == path
    assert image_file(velour.Datum("1", {name: str(path)}), here) == path
    assert image_file(velour.Datum("1", {name: "b.png"}), named) is None
    assert image_file(velour.Datum("1", {"photo": "a.png"}), named) == path  # ends as images do
    assert image_file(velour.Datum("1", {"photo": "a.txt"}), named) is None


@pytest.mark.parametrize(
    ("source", "image"),
    [
        ("truth.json", "a.png"),
        ("truth.json", "images/a.png"),
        ("annotations/instances_val2017.json", "val2017/a.png"),
        ("annotations/instances_val2017.json", "images/a.png"),
        ("VOC/ImageSets/Main/val.txt", "VOC/JPEGImages/a.png"),
        ("yolo/data.yaml", "yolo/images/val/a.png"),
        ("yolo/data.yaml", "yolo/val/images/a.png"),
    ],
)
def test_images_are_found_where_usual_layouts_keep_them(
    tmp_path: Path, source: str, image: str
) -> None:
    for name in (source, image):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    folders = list(image_folders(None, str(tmp_path / source)))
    path = image_file(velour.Datum("1", {"file_name": "a.png"}), folders)
    assert path is not None
    assert path.resolve() == tmp_path / image


@pytest.mark.parametrize("uid", ["a.png", "a", "sub/a.png", "sub/a"])
def test_an_image_whose_uid_is_its_file_with_or_without_its_ending_is_found(
    tmp_path: Path, uid: str
) -> None:
    path = (tmp_path / uid).with_suffix(".png")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    assert image_file(velour.Datum(uid), [ImageFolder(tmp_path, tmp_path)]) == path


@pytest.mark.parametrize("uid", ["x" * 2_500, "..", ".", "1"])
def test_a_uid_that_can_be_no_file_finds_nothing(tmp_path: Path, uid: str) -> None:
    assert image_file(velour.Datum(uid), [ImageFolder(tmp_path, tmp_path)]) is None


def test_a_folder_that_the_caller_names_is_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    folders = list(image_folders(tmp_path / "elsewhere", str(tmp_path / "truth.json")))
    assert image_file(velour.Datum("1", {"file_name": "a.png"}), folders) is None


def test_a_dataset_read_from_files_is_drawn_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the process is, and whatever the dataset was made into since."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    Image.new("RGB", (120, 100), WHITE).save(tmp_path / "data" / "images" / "1.png")
    picture = {"id": 1, "file_name": "1.png", "width": 120, "height": 100}
    coco = {"images": [picture], "annotations": [], "categories": [{"id": 1, "name": "fire"}]}
    (tmp_path / "data" / "truth.json").write_text(json.dumps(coco))
    monkeypatch.chdir(tmp_path)
    dataset = velour.read_dataset("data/truth.json")
    monkeypatch.chdir(tmp_path / "data" / "images" / "..")
    dataset = dataset.with_predictions([], "model").with_name("fires").with_model("other")
    assert [drawing.uid for drawing in drawn(dataset, ["1"], None)] == ["1"]


def test_what_is_no_image_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_text("no image")
    datum = velour.Datum("1", {"file_name": "1.png"})
    dataset = velour.Dataset.from_groundtruths([velour.GroundTruth(datum, [])], "one")
    assert list(drawn(dataset, ["1"], tmp_path)) == []


SECRET = (255, 0, 0)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with an image, beside one with a secret, and symbolic links between them."""
    folder, secret = tmp_path / "imgs", tmp_path / "secret"
    for each, colour in ((folder, "white"), (secret, SECRET)):
        each.mkdir()
        Image.new("RGB", (20, 20), colour).save(each / "a.png")
    (folder / "sub").mkdir()
    (folder / "sub" / "b.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "out.png").symlink_to(secret / "a.png")
    (folder / "away").symlink_to(secret)
    (folder / "in.png").symlink_to(folder / "sub" / "b.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    return folder


OUTSIDE = ["../secret/a.png", "{}/../secret/a.png", "sub/../../secret/a.png", "out.png",
           "{}/out.png", "away/a.png"]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("key", ["file_name", "photo", "uid"])
def test_an_image_outside_of_the_folder_is_refused(
    images: Path, name: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = name.format(images)
    datum = velour.Datum(name) if key == "uid" else velour.Datum("1", {key: name})
    folders = list(image_folders(images))
    with pytest.raises(RefusedImage, match=r"outside of the images' folder.*ANYWHERE"):
        image_file(datum, folders)
    monkeypatch.setenv("VELOUR_IMAGES_ANYWHERE", "1")
    assert image_file(datum, folders) is not None


@pytest.mark.parametrize(
    "name", ["a.png", "sub/b.png", "b.png", "in.png", "{}/a.png", "sub/../a.png", "./a.png"]
)
def test_an_image_inside_is_found_however_it_is_written(images: Path, name: str) -> None:
    datum = velour.Datum("1", {"file_name": name.format(images)})
    assert image_file(datum, list(image_folders(images))) is not None


def test_a_folder_may_itself_be_a_link(images: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(images)
    folders = list(image_folders(tmp_path / "link"))
    assert image_file(velour.Datum("1", {"file_name": "a.png"}), folders) is not None


def test_a_name_that_is_no_name_loses_only_its_image(
    images: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (9000, 8000)).save(images / "large.png")
    names = [
        "x" * 5000,
        "../secret/a.png",
        "loop.png",
        "large.png",
        "a.png",
        "/dev/zero",
        "x\udcff",
    ]
    truths = [
        velour.GroundTruth(velour.Datum(str(at), {"file_name": name} if name[0] != "x" else {}))
        for at, name in enumerate(names)
    ]
    dataset = velour.Dataset.from_groundtruths(truths, "d").with_predictions([], "m")
    assert [each.uid for each in drawn(dataset, dataset.uids, images)] == ["4"]
    assert "outside of the images' folder" in caplog.text
    assert "9,000 × 8,000 pixels, and 64,000,000 are read at most" in caplog.text
    monkeypatch.setenv("VELOUR_IMAGE_PIXELS", "72000000")
    assert [each.uid for each in drawn(dataset, dataset.uids, images)] == ["3", "4"]
    long = velour.Datum("1", {"file_name": "x" * 5000})
    assert image_file(long, list(image_folders(images))) is None


@pytest.mark.parametrize("size", [(7, 9), (14, 18), (3, 4)])
def test_masks_are_drawn_at_the_size_of_the_drawing(size: tuple[int, int]) -> None:
    """The middle of a pixel decides, as it does when each pixel of the mask is looked at."""
    mask = np.random.default_rng(7).random((7, 9)) < 0.5
    height, width = size
    rows, columns = (
        ((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size, (7, 9), strict=True)
    )
    expected = mask[rows[:, None], columns]
    np.testing.assert_array_equal(_sampled(velour.Raster(mask), width, height), expected)


def test_an_enormous_mask_of_a_few_bytes_costs_nothing() -> None:
    """Two billion pixels, of which the left half is covered."""
    half = 40_000 * 20_000
    raster = velour.Raster({"size": [40_000, 40_000], "counts": [0, half, half]})
    assert _sampled(raster, 4, 2).tolist() == [[True, True, False, False]] * 2
