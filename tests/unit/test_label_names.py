"""Names of the numbers of label images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from velour_plugin.domain.columns.label_names import class_count, numbered_names
from velour_plugin.errors import BadDataset, InvalidInput

NAMES = {0: "road", 1: "car", 255: "void"}


@pytest.mark.parametrize(
    "given",
    [
        {0: "road", 1: "car", 255: "void"},
        {"0": "road", " 1 ": "car", "255": "void"},
        ["road", "car", "255: void"],
        ("road", "255: void", "car"),
    ],
)
def test_lists_and_mappings_name_numbers(given):
    assert numbered_names(given) == NAMES


@pytest.mark.parametrize(
    "text",
    [
        "road\ncar\n255: void\n",
        "\ufeff0: road\r\n\r\n1 : car\r\n255:void",
        '["road", "car", "255: void"]',
        '{"0": "road", "1": "car", "255": "void"}',
    ],
)
def test_files_hold_either(tmp_path, text):
    (tmp_path / "names").write_text(text, "utf-8")
    assert numbered_names(tmp_path / "names") == NAMES
    assert numbered_names(str(tmp_path / "names")) == NAMES


def test_two_numbers_may_mean_one_class():
    """Where they are numbered: in a list a name that occurs twice is most likely a mistake."""
    assert numbered_names({0: "road", 1: "road"}) == {0: "road", 1: "road"}
    with pytest.raises(BadDataset, match="two classes are called 'road'"):
        numbered_names(["road", "road"])


def test_a_volume_has_the_classes_from_0_without_a_gap():
    assert class_count(NAMES) == 2
    assert class_count({1: "car"}) == 0


WRONG: list[tuple[Any, str]] = [
    ({-1: "road"}, "number -1: expected a whole number from 0 to 65,535"),
    ({65_536: "road"}, "number 65536"),
    ({True: "road"}, "number True"),
    ({"x": "road"}, "number 'x'"),
    ({0: ""}, "number 0: label value ''"),
    ([7.5], "number 0: class 7.5 is a float"),
    (["road", "0: car"], "number 0 is named twice: 'road', 'car'"),
    ([], "no class is named"),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_what_names_no_number_is_refused(given, message):
    with pytest.raises(BadDataset, match=message):
        numbered_names(given)


def test_what_is_no_list_is_refused():
    with pytest.raises(InvalidInput, match="labels 3: expected names in the order"):
        numbered_names(3)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        numbered_names(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(BadDataset, match="neither text in UTF-8 nor JSON"):
        numbered_names(tmp_path / "bytes")
    (tmp_path / "broken.json").write_text('{"0": ')
    with pytest.raises(BadDataset, match="is not valid JSON: Expecting value at line 1"):
        numbered_names(tmp_path / "broken.json")


def test_a_number_of_5000_digits_is_refused_in_few(tmp_path: Path):
    for number in (10**5000, -(10**5000), "9" * 5000):
        with pytest.raises(BadDataset, match=r"number .{1,90}: expected a whole number from 0"):
            numbered_names({number: "a"})
    (tmp_path / "classes.txt").write_text("9" * 5000 + ": a")
    with pytest.raises(BadDataset, match=r"number .{1,90}: expected a whole number from 0"):
        numbered_names(tmp_path / "classes.txt")
