"""Inputs that people reported, with the right answer of each; they lie outside of the project.

Each is evaluated as it was reported, by the command in the list of them. What they stand for
is tested with inputs of our own where the code in question is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
HOME = Path(os.environ.get("VELOUR_REPORTED_INPUTS") or PROJECT.parent / "shared" / "cases")

pytestmark = pytest.mark.skipif(
    not (HOME / "README.md").is_file(), reason=f"no reported inputs in {HOME}"
)


@dataclass(frozen=True)
class Refusal:
    """Exit code 2 and words that name the trouble."""

    words: str


ANSWERS: dict[str, float | Refusal] = {
    "01_boxes_and_masks": 1.0,
    "04_geojson_class_name": 0.0,
    "05_geojson_over_1e10_m2": 0.5050,
    "06_antimeridian_location": 1.0,
    "08_voc_salted_lists": 1.0,
    "11_voc_gb2312": 1.0,
    "12_voc_unspecified": 1.0,
    "13_voc_no_predictions_in_folder": Refusal("run"),
    "15_yolo_pose_xy": Refusal("keypoints are not read"),
    "17_yolo_cvat_train_txt": 1.0,
    "18_yolo_text_keys": 1.0,
    "21_coco_empty_ring": 1.0,
    "23_coco_flat_ring": 1.0,
    "24_coco_roboflow_twin_category": 1.0,
    "26_coco_area_null": 1.0,
    "27_coco_ids_as_text": 1.0,
    "28_metadata_joins_one_of_six": 0.1683,
    "30_spacenet_bom": 1.0,
    "32_qupath_names": 1.0,
    "36_json_gz": 1.0,
}


def command_of(name: str) -> str:
    """The command of an input, from the list."""
    text = (HOME / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^- \*\*{name}\*\* `(velour [^`]+)`", text, re.MULTILINE)
    assert found, f"the list has no command for {name}"
    return found[1]


def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command of an input in a copy of its folder."""
    for each in HOME.glob("[0-9]*"):
        if each.name[:2] == name[:2]:  # some need two folders
            shutil.copytree(each, folder / each.name)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command_of(name),
        shell=True,
        cwd=folder / name,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("name", ANSWERS)
def test_a_reported_input_is_read_as_meant_or_refused(name: str, tmp_path: Path) -> None:
    answer, ran = ANSWERS[name], run(name, tmp_path)
    assert "Traceback" not in ran.stderr
    if isinstance(answer, Refusal):
        assert (ran.returncode, ran.stdout) == (2, "")
        assert answer.words in ran.stderr
    else:
        assert (ran.returncode, "Error" in ran.stderr) == (0, False), ran.stderr
        found = re.search(r"^mAP +(\S+)$", ran.stdout, re.MULTILINE)
        assert found, ran.stdout
        assert float(found[1]) == answer


def test_boxes_are_ranked_by_boxes_whatever_else_annotations_have(tmp_path: Path) -> None:
    ran = run("02_rank_box_vs_mask", tmp_path)
    assert ran.returncode == 0, ran.stderr
    values = re.findall(r"^(\S+) on truth.*\nmAP +(\S+)$", ran.stdout, re.MULTILINE)
    assert values == [("boxes-only", "0.9000"), ("boxes-and-masks", "1.0000")]
    rows = [line for line in ran.stdout.splitlines() if re.match(r"[ │]*[12] ", line)]
    assert [("boxes-and-masks" in row, "1.0000" in row) for row in rows[:1]] == [(True, True)]


def test_yes_and_no_are_names_of_classes(tmp_path: Path) -> None:
    shutil.copytree(HOME / "19_yolo_yes_no", tmp_path / "data")
    import velour_plugin as velour

    dataset = velour.read_dataset(tmp_path / "data" / "data.yaml", "yolo")
    assert [value for _, value in dataset.truth.labels] == ["no", "yes"]


SCRIPTS = {
    "bool_and_int_classes": r"1.0 expected.*\n1.0 expected.*\n1.0 expected",
    "multi_hot_truth": r"1.0 1.0 0.1053\d* expected",
    "password_in_tag": r"\npostgresql://ann:\*\*\*@127.0.0.1:1/velour expected",
    "probabilities_and_absent_class": r"(1.0 \| expected.*\n){3}(1.0|.*probabilit.*) \| expected",
}
"""What a script must print; each says what it expects."""


def run_script(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script, which works in a folder of its own."""
    return subprocess.run(
        [sys.executable, HOME / "evaluation" / f"{name}.py"],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_reported_script_prints_what_it_expects(name: str, tmp_path: Path) -> None:
    ran = run_script(name, tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert re.search(SCRIPTS[name], ran.stdout), ran.stdout


def test_a_run_that_mlflow_deleted_is_not_on_the_board(tmp_path: Path) -> None:
    """The script goes on with the second row, which there was when the deleted run was first."""
    assert run_script("deleted_run_still_wins", tmp_path).stdout.startswith("['good'] expected")
