"""Numbers and flags as files write them: one table, and no truthiness."""

from __future__ import annotations

import math
from typing import Any

import pytest

import velour_plugin as velour
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import (
    parse_flag,
    parse_number,
    parse_score,
    parse_typed_flag,
    parse_typed_number,
)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0), (-0.5, -0.5), ("7", 7.0), (" -1.5e3 ", -1500.0), (".5", 0.5), ("5.", 5.0),
        ("+1", 1.0), (10**400, math.inf), (-(10**400), -math.inf), ("1e999", math.inf),
        (True, None), (False, None), (None, None), ("", None), ("nan", None), ("inf", None),
        ("1_000", None), ("٣", None), ("0x1A", None), ("1,5", None), ("5 px", None), ([1], None),
        ({}, None), (".", None),
    ],
    ids=lambda value: str(value)[:9],
)  # fmt: skip
def test_a_number_is_typed_or_a_decimal_text(value: Any, number: float | None) -> None:
    assert parse_number(value) == number


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True), (False, False), (1, True), (0, False), (1.0, True), (0.0, False),
        ("1", True), ("0", False), (" Yes", True), ("no", False), ("TRUE", True), ("False", False),
        (2, None), (0.5, None), ("", None), ("maybe", None), (None, None), ([], None), ([0], None),
        (float("nan"), None), (-1, None),
    ],
)  # fmt: skip
def test_a_flag_is_what_it_says(value: Any, flag: bool | None) -> None:
    assert parse_flag(value) is flag


def test_text_where_json_has_types_is_counted() -> None:
    with velour.reading(announce=lambda report: None) as log:
        assert parse_typed_number("7", "'a.json', record 1") == 7
        assert parse_typed_number(7, "'a.json', record 2") == 7
        assert parse_typed_number("seven", "'a.json', record 3") is None
        assert parse_typed_flag("no", "'a.json', record 4") is False
    assert str(log.report).splitlines() == [
        "repaired: 1 numbers written as text, read as numbers ('a.json', record 1)",
        "repaired: 1 flags written as text, read as true or false ('a.json', record 4)",
    ]


@pytest.mark.parametrize(
    ("value", "score"), [(1.0000001, 1.0), (-1e-9, 0.0), ("1.000001", 1.0), (1 + 1e-6, 1.0)]
)
def test_a_score_outside_by_rounding_is_clipped_and_counted(value: Any, score: float) -> None:
    with pytest.warns(velour.ReadingWarning, match="1 scores outside"), velour.reading():
        assert parse_score(value, "'run.json', result number 1") == score


@pytest.mark.parametrize("value", [1.00001, -1e-5, 95, True, None, "high", math.nan, math.inf, []])
def test_a_score_that_is_no_share_is_refused(value: Any) -> None:
    with pytest.raises(BadDataset, match=r"record 1: confidence .*expected a number in \[0, 1\]"):
        parse_score(value, "record 1", "confidence")


@pytest.mark.parametrize("value", [0, 1, 0.25, "0.25", 1.0, -0.0])
def test_a_score_in_its_range_stays(value: Any) -> None:
    with velour.reading() as log:
        assert parse_score(value, "record 1") == float(value)
    assert log.report.is_clean
