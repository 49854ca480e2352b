"""Label images from PNG files: numbers as they were written, files that belong together."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import velour_plugin as velour
from tests.label_pngs import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk, write_png
from velour_plugin.cli import main
from velour_plugin.domain.columns.label_images import annotations_of_label_image
from velour_plugin.domain.columns.label_png import read_label_png
from velour_plugin.domain.inputs.reading import ReadingWarning
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName

NAMES = ["road", "car", "255: void"]
TRUTH = {"1": [[0, 0, 1], [0, 255, 1]], "10": [[1, 1], [1, 1]], "a/2": [[0, 0]]}
PREDICTED = {"1": [[0, 1, 1], [0, 1, 0]], "10": [[1, 1], [0, 255]], "a/2": [[0, 1]]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three images of different sizes, with one model's predictions."""
    for side, images in (("true", TRUTH), ("unet", PREDICTED)):
        for uid, image in images.items():
            write_png(tmp_path / side / f"{uid}.png", image)
    (tmp_path / "classes.txt").write_text("\n".join(NAMES), "utf-8")
    return tmp_path


def read(home: Path, **options: Any) -> velour.Dataset:
    dataset = velour.read_dataset(home / "true", "label-images", **options)
    return dataset.with_predictions(home / "unet", model="unet")


def values(dataset: velour.Dataset) -> dict[str, float | None]:
    evaluation = velour.evaluate(
        dataset, "semantic-segmentation", parameters={"ignore_label": "void"}, save=False
    )
    return dict(evaluation)


def test_images_are_named_by_their_paths_and_know_their_sizes(home):
    """Numbers first and by size; the folder names the dataset."""
    dataset = read(home)
    assert dataset.uids == ("1", "10", "a/2")
    assert dataset.name == "true"
    assert dataset.datums[2].metadata == {"file_name": "2.png", "height": 1, "width": 2}
    assert dataset.labels == (("class", "road"), ("class", "car"), ("class", "void"))


def test_numbers_are_those_of_counting_by_hand(home):
    """11 true pixels count, 6 are right: road 3 of 7, car 3 of 8; a predicted void is none."""
    found = values(read(home))
    assert found["pixel_accuracy"] == 6 / 11
    assert found["mIoU"] == (3 / 7 + 3 / 8) / 2


def test_files_are_the_same_dataset_as_their_arrays(home, monkeypatch):
    """To the digest, in pieces or at once, and to the last bit of every number."""
    monkeypatch.setattr("velour_plugin.domain.encoding.content._AT_ONCE", 3)
    numbers = {0: "road", 1: "car", 255: "void"}
    dataset = read(home)
    sides = [
        [annotations_of_label_image(np.array(images[uid]), numbers) for uid in dataset.uids]
        for images in (TRUTH, PREDICTED)
    ]
    labels = [("class", name) for name in numbers.values()]
    other = velour.Dataset.from_groundtruths(
        map(velour.GroundTruth, dataset.datums, sides[0]), "other", labels=labels
    ).with_predictions(map(velour.Prediction, dataset.datums, sides[1]), "unet")
    assert dataset.digest == other.digest
    assert dataset.predictions_digest == other.predictions_digest
    assert values(dataset) == values(other)


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_numbers_equal_a_plain_confusion_matrix(tmp_path, noise, engine, monkeypatch):
    """Random images of three sizes; 16 bits on one side."""
    monkeypatch.setenv("VELOUR_ENGINE", engine)
    random = np.random.default_rng(3)
    confusion = np.zeros((5, 5), np.int64)
    for number, size in enumerate([(40, 30), (7, 90), (64, 64)]):
        truth = np.kron(random.integers(0, 5, size), np.ones((3, 2), int))
        predicted = np.where(random.random(truth.shape) < noise, 4 - truth, truth)
        truth[0] = 255
        write_png(tmp_path / f"true/{number}.png", truth)
        write_png(tmp_path / f"unet/{number}.png", predicted, depth=16)
        np.add.at(confusion, (truth[1:], predicted[1:]), 1)
    names = {**{number: f"n{number}" for number in range(5)}, 255: "void"}
    hits = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - hits
    found = values(read(tmp_path, labels=names))
    assert found["pixel_accuracy"] == pytest.approx(hits.sum() / confusion.sum(), abs=1e-15)
    assert found["mIoU"] == pytest.approx((hits / union).mean(), abs=1e-15)


@pytest.mark.parametrize(
    ("depth", "colour"),
    [
        *((depth, GREY) for depth in (1, 2, 4, 8, 16)),
        *((depth, PALETTE) for depth in (1, 2, 4, 8)),
    ],
)
def test_every_number_is_read_as_it_was_written(tmp_path, depth, colour):
    """Pillow shows greys of 2 and 4 bits as shares of 255; a palette's colours mean nothing."""
    numbers = np.arange(min(2**depth, 4096))
    numbers[-1] = 2**depth - 1
    image = np.stack([numbers, numbers[::-1]])
    read = read_label_png(write_png(tmp_path / "x.png", image, depth, colour))
    assert read.dtype == (np.uint16 if depth == 16 else np.uint8)
    assert np.array_equal(read, image)


def test_what_pillow_writes_is_read_back(tmp_path):
    """Interlaced, one bit, palette with transparency."""
    image = np.array([[0, 3], [255, 7]], np.uint8)
    Image.fromarray(image).save(tmp_path / "grey.png", interlace=1)
    palette = Image.fromarray(image).convert("P")
    palette.putdata(image.ravel().tolist())
    palette.save(tmp_path / "palette.png", transparency=3)
    Image.fromarray(image > 3).save(tmp_path / "bits.png")
    assert np.array_equal(read_label_png(tmp_path / "grey.png"), image)
    assert np.array_equal(read_label_png(tmp_path / "palette.png"), image)
    assert np.array_equal(read_label_png(tmp_path / "bits.png"), image > 3)


def test_a_subset_takes_its_files_only(home):
    """Files of images that the subset left out are not even opened."""
    whole = velour.read_dataset(home / "true", "label-images")
    (home / "unet/1.png").write_bytes(b"broken")
    part = whole.subset(np.array([False, True, False]))
    found = values(part.with_predictions(home / "unet", model="unet"))
    assert found["pixel_accuracy"] == 2 / 4


def test_metadata_find_images_by_file_or_path(home):
    (home / "images.csv").write_text("uid,city\na/2,Rome\n1,Oslo\n", "utf-8")
    with pytest.warns(ReadingWarning, match=r"1 images without a metadata record \('10'\)"):
        dataset = read(home, metadata=home / "images.csv")
    assert [datum.metadata.get("city") for datum in dataset.datums] == ["Oslo", None, "Rome"]


# ---- refusals ----------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def bomb(path: Path) -> None:
    """A file of few bytes that claims to be 60,000 pixels square."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, GREY, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IEND", b""))


DAMAGE = {
    "cut": (cut, "'.*1.png' is a damaged PNG: "),
    "text": (lambda path: path.write_text("no image"), "1.png' is no PNG: label images are"),
    "empty": (lambda path: path.write_bytes(b""), "1.png' is no PNG"),
    "bomb": (bomb, "1.png' has 60000x60000 pixels by its head: at most 268,435,456 are decoded"),
    "rgb": (
        lambda path: write_png(path, np.zeros((2, 3, 3), int), colour=RGB),
        r"1.png' holds colours \(RGB\), not numbers of classes: write the number",
    ),
    "rgba": (
        lambda path: write_png(path, np.zeros((2, 3, 4), int), colour=RGBA),
        r"holds colours \(RGBA\)",
    ),
    "alpha": (
        lambda path: write_png(path, np.zeros((2, 3, 2), int), colour=GREY_ALPHA),
        r"holds colours \(grey and alpha\)",
    ),
    "class": (
        lambda path: write_png(path, [[0, 7, 7], [1, 1, 9]]),
        "1.png': class 7 in 2 pixels has no name: known are 0, 1, 255. Name it too, as in a line",
    ),
}


@pytest.mark.parametrize("side", ["true", "unet"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_no_label_image_is_refused_by_name(home, damage, side):
    harm, message = DAMAGE[damage]
    harm(home / side / "1.png")
    with pytest.raises(BadDataset, match=message):
        read(home)


def test_no_damage_of_a_file_is_a_traceback(tmp_path):
    """Each byte changed and each end cut off in turn: a label image, or a refusal."""
    path = write_png(tmp_path / "x.png", [[0, 1, 2], [2, 1, 0]], 4, PALETTE)
    whole, refused = path.read_bytes(), 0
    for place in range(len(whole)):
        for broken in (whole[:place], whole[:place] + b"\xff" + whole[place + 1 :]):
            path.write_bytes(broken)
            try:
                assert read_label_png(path).ndim == 2
            except BadDataset as error:
                refused += str(path) in str(error)
    assert refused > len(whole)


def test_a_prediction_of_another_size_is_refused(home):
    write_png(home / "unet/1.png", [[0, 1], [0, 1]])
    with pytest.raises(BadDataset, match=r"has 2x2 pixels, but the truth of '1' has 2x3: resize"):
        read(home)


def test_every_image_has_one_prediction(home):
    (home / "unet/10.png").unlink()
    (home / "unet/a/2.png").unlink()
    with pytest.raises(BadDataset, match=r"2 of 3 images have no prediction \('10', 'a/2'\)"):
        read(home)


def test_a_prediction_for_no_image_is_refused(home):
    write_png(home / "unet/b.png", [[0]])
    with pytest.raises(BadDataset, match=r"unet': predictions for 'b', which is not in dataset"):
        read(home)


def test_folders_are_needed(home):
    with pytest.raises(InvalidInput, match="expected a folder of PNG files"):
        velour.read_dataset(home / "true/1.png", "label-images")
    (home / "empty").mkdir()
    with pytest.raises(BadDataset, match="holds no PNG file"):
        velour.read_dataset(home / "empty", "label-images")


def test_numbers_need_names(home):
    (home / "classes.txt").unlink()
    with pytest.raises(BadDataset, match="have no names: give labels"):
        velour.read_dataset(home / "true", "label-images")


def test_labels_close_the_vocabulary_of_files_that_name_their_classes(home):
    category = {"id": 1, "name": "cat"}
    item = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": 0}
    image = {"id": 1, "width": 9, "height": 9, "file_name": "a.jpg"}
    content = {"images": [image], "categories": [category], "annotations": [item]}
    (home / "x.json").write_text(json.dumps(content))
    closed = velour.read_dataset(home / "x.json", "coco", labels=["cat", "dog"])
    assert closed.vocabulary == {("class", "cat"), ("class", "dog")}
    with pytest.raises(UnknownName, match="class of the ground truth 'cat': did you mean 'Cat'"):
        velour.read_dataset(home / "x.json", "coco", labels=["Cat"])


# ---- the command -------------------------------------------------------------------------------


def command(home: Path, *more: str) -> Any:
    words = ["evaluate", "--no-store", "--format", "label-images", "--truth", f"{home}/true"]
    words += ["--predictions", f"{home}/unet/", "--parameters", '{"ignore_label": "void"}']
    return CliRunner().invoke(main, [*words, *more])


def test_the_command_needs_no_task(home):
    """The format is about semantic segmentation; the folder names the model."""
    result = command(home, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["model"] == "unet"
    assert answer["task"] == "semantic-segmentation"


def test_the_command_takes_a_file_of_names(home):
    names = home / "names.json"
    names.write_text(json.dumps({"0": "street", "1": "car", "255": "void"}))
    result = command(home, "--labels", str(names))
    assert "mIoU           0.4018" in result.output


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_command_refuses_with_exit_code_2(home, damage):
    DAMAGE[damage][0](home / "unet/1.png")
    result = command(home)
    assert (result.exit_code, "1.png" in result.output) == (2, True), result.output
    assert "Traceback" not in result.output
