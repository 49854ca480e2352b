"""What people are told where a name, a format or a label is not what they meant."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.cli import main
from velour_plugin.errors import BadDataset, InvalidInput


def judge(dataset: velour.Dataset, **parameters: object) -> velour.Evaluation:
    return velour.evaluate(dataset, "object-detection", parameters=parameters)


def test_a_name_of_several_evaluations_says_which_is_meant() -> None:
    judge(fires(["2"], "a"))
    assert not velour.slices("a", "hour", resamples=0).notes
    newest = judge(fires(["2"], "a"), iou_threshold=0.7)
    note = velour.worst("a").notes[0]
    assert note.startswith("a has 2 evaluations on fires: this is about the newest, of 20")
    assert note in velour.slices("a", "hour", resamples=0).notes
    assert not velour.slices(newest.id, "hour", resamples=0).notes


def test_a_named_run_says_that_older_evaluations_are_not_ranked() -> None:
    first, second = (judge(fires(found, "a")) for found in (["2"], ["2", "10"]))
    (row,), notes = (board := velour.rank("mAP", runs=["a"], resamples=0)), board.notes
    assert row.evaluation_id == second.id
    assert "a has 2 evaluations, of which the newest is ranked; 'velour runs list'" in notes[0]
    both = velour.rank("mAP", runs=[first.id, second.id], resamples=0)
    assert {each.evaluation_id for each in both} == {first.id, second.id}
    assert not both.notes


def test_a_name_on_several_datasets_says_which_is_meant() -> None:
    judge(fires(["2"], "a").with_name("smoke"))
    judge(fires(["2"], "a"))
    judge(fires(["2"], "b"))
    note = (
        "a was evaluated on fires, smoke: this is about fires, the newest; dataset= (--dataset) "
        "names another."
    )
    assert note in velour.compare("a", "b", permutations=0).notes
    assert not velour.slices("a", "hour", dataset="smoke", resamples=0).notes


def test_a_column_of_a_label_says_what_to_type() -> None:
    """The line that the message gives is answered."""
    judge(fires(["2"], "a"))
    with pytest.raises(InvalidInput, match="column f1 is about one label") as refusal:
        velour.rank("mAP", columns=["f1"])
    (line,) = re.findall(r"'velour (.*?)'", str(refusal.value))
    assert line == "rank AP --dataset fires --label fire --column f1"
    assert CliRunner().invoke(main, line.split()).exit_code == 0
    with pytest.raises(InvalidInput, match=r"such as --label fire; there are: fire\."):
        velour.rank("f1")
    with pytest.raises(InvalidInput, match=r"of one label it is AP: name that metric, or leave"):
        velour.rank("mAP", label="fire")
    with pytest.raises(InvalidInput, match=r"mAP_small is about all labels: leave label="):
        velour.rank("mAP_small", label="fire")


EXAMPLES = Path(__file__).parents[2] / "examples" / "fires"


def test_what_was_evaluated_before_is_said() -> None:
    files = ["--truth", str(EXAMPLES / "instances.json"),
             "--predictions", str(EXAMPLES / "day-model.json")]  # fmt: skip
    first, second = (CliRunner().invoke(main, ["evaluate", *files]) for _ in range(2))
    assert first.stdout == second.stdout
    assert first.stderr == ""
    assert re.fullmatch(
        r"day-model on instances was already evaluated, with the same predictions and parameters, "
        r"at 20\d\d-\d\d-\d\d \d\d:\d\d UTC\.\n",
        second.stderr,
    )


@pytest.mark.parametrize(
    ("file", "format"),
    [
        ("data/labels/a.txt", "yolo"),
        ("data/annotations/a.xml", "voc"),
        ("data/a.png", "label-images"),
        ("data/chips/a.geojson", "spacenet"),
    ],
)
def test_a_folder_of_another_format_is_recognised(tmp_path: Path, file: str, format: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("?")
    with pytest.raises(InvalidInput, match=rf"looks like '{format}': pass format='{format}'"):
        velour.read_dataset(tmp_path / "data")
    with pytest.raises(InvalidInput) as refusal:
        velour.read_dataset(tmp_path / "data", "label-images" if format == "yolo" else format)
    assert "looks like" not in str(refusal.value)


def test_a_file_of_another_format_is_recognised(tmp_path: Path) -> None:
    for name, likely in (("data.yaml", "yolo"), ("a.xml", "voc")):
        (tmp_path / name).write_text("?")
        with pytest.raises(InvalidInput, match=rf"--format {likely}"):
            velour.read_dataset(tmp_path / name)
    (tmp_path / "a.json").write_text("?")
    with pytest.raises(InvalidInput) as refusal:
        velour.read_dataset(tmp_path / "a.json")
    assert "looks like" not in str(refusal.value)


def test_label_images_are_sent_where_they_are_read() -> None:
    images = [np.array([[0, 1], [1, 1]])] * 2
    with pytest.raises(BadDataset, match=r"from_label_images\(name, truth, predictions, labels="):
        velour.Dataset.from_arrays("streets", images, images)
    dataset = velour.Dataset.from_label_images("streets", images, labels=["road", "car"])
    with pytest.raises(BadDataset, match="with_label_images"):
        dataset.with_predictions(images, "unet")
