"""Filters written in Python make the tree that CQL2 makes, or are refused on the spot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely

import velour_plugin as velour
from velour_plugin.errors import BadFilter, BadGeometry, InvalidInput, UnknownName
from velour_plugin.filters import field, parse_filter
from velour_plugin.filters.language.tree import filter_digest

SQUARE = shapely.box(0, 0, 2, 2)
SQUARE_TEXT = "POLYGON((0 0, 2 0, 2 2, 0 2, 0 0))"
NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)

PAIRS: list[tuple[Any, str]] = [
    (field("time_of_day") == "night", "time_of_day = 'night'"),
    (field("hour") != 3, "hour <> 3"),
    (field("hour") < 3, "hour < 3"),
    (field("hour") <= 3, "hour <= 3"),
    (3 < field("hour"), "hour > 3"),  # noqa: SIM300
    (field("hour") >= np.float32(3), "hour >= 3"),
    (field("clear") == True, "clear = TRUE"),  # noqa: E712
    (field("a") == field("b"), "a = b"),
    (field("camera.lens.mm") == 35, "camera.lens.mm = 35"),
    (field("two words") == 1, '"two words" = 1'),
    ((field("a") == 1) & (field("b") == 2), "a = 1 AND b = 2"),
    ((field("a") == 1) | (field("b") == 2), "a = 1 OR b = 2"),
    (~(field("a") == 1), "NOT a = 1"),
    (~field("clear") & field("dry"), "NOT clear AND dry"),
    ((field("a") == 1) & ((field("b") == 2) & (field("c") == 3)), "c = 3 AND b = 2 AND a = 1"),
    (field("a").isin([1, "x"]), "a IN ('x', 1)"),
    (field("a").isin({2, 1}), "a IN (1, 2)"),
    (field("a").between(1, 2), "a BETWEEN 1 AND 2"),
    (field("a").like("x%"), "a LIKE 'x%'"),
    (field("a").is_null(), "a IS NULL"),
    (~field("a").is_null(), "a IS NOT NULL"),
    (field("city").casei() == "BOSTON", "CASEI(city) = CASEI('boston')"),
    (field("city").casei().like("B%"), "CASEI(city) LIKE CASEI('b%')"),
    (field("city").casei().isin(["A", "B"]), "CASEI(city) IN (CASEI('a'), CASEI('b'))"),
    (field("w") * field("h") / 2 - 1 > 0, "w * h / 2 - 1 > 0"),
    (1 - field("w") > 0, "1 - w > 0"),
    (2 / field("w") + 1 > 0, "2 / w + 1 > 0"),
    (-field("w") > 0, "-w > 0"),
    (field("at") > NOON, "at > TIMESTAMP('2026-07-01T12:00:00Z')"),
    (field("at") >= NOON.date(), "at >= DATE('2026-07-01')"),
    (field("time") >= dt.time(20), "time >= '20:00:00'"),
    (field("at") > np.datetime64("2026-07-01T12:00:00", "ns"),
     "at > TIMESTAMP('2026-07-01T12:00:00Z')"),
    (field("exposure") > np.timedelta64(2, "s"), "exposure > 'PT2.000000S'"),
    (field("tags").has("x", "y"), "A_CONTAINS(tags, ('y', 'x'))"),
    (field("tags").has_any("x"), "A_OVERLAPS(tags, ('x'))"),
    (field("location").within(50, "mi", of=(42.36, -71.03)),
     "DWITHIN(location, POINT(-71.03 42.36), 50, 'mi')"),
    (field("location").within(50, of=shapely.Point(1, 2)),
     "DWITHIN(location, POINT(1 2), 50, 'm')"),
    (field("location").intersects(SQUARE), f"S_INTERSECTS(location, {SQUARE_TEXT})"),
    (field("location").inside(SQUARE), f"S_WITHIN(location, {SQUARE_TEXT})"),
    (field("location").contains((2, 1)), "S_CONTAINS(location, POINT(1 2))"),
    (field("footprint").disjoint(SQUARE), f"S_DISJOINT(footprint, {SQUARE_TEXT})"),
    (field("footprint").intersects(field("location")), "S_INTERSECTS(footprint, location)"),
    (field("annotation.geometry").intersects(shapely.box(0, 0, 640, 480)),
     "S_INTERSECTS(annotation.geometry, POLYGON((0 0, 640 0, 640 480, 0 480, 0 0)))"),
    (field("annotation.geometry").inside(velour.BoundingBox(0, 0, 640, 480)),
     "S_WITHIN(annotation.geometry, POLYGON((0 0, 640 0, 640 480, 0 480, 0 0)))"),
    ((field("score") >= 0.5) & (field("label.value") == "car"),
     "label.value = 'car' AND score >= 0.5"),
]  # fmt: skip


@pytest.mark.parametrize(("python", "text"), PAIRS, ids=[text for _, text in PAIRS])
def test_python_and_cql2_write_the_same_filter(python: Any, text: str) -> None:
    assert filter_digest(parse_filter(python)) == filter_digest(parse_filter(text))
    assert filter_digest(parse_filter(python.node)) == filter_digest(parse_filter(text))


def test_a_duration_is_asked_for_as_itself() -> None:
    """ISO 8601 in a string is how CQL2 comes to it."""
    node = parse_filter(field("exposure") > dt.timedelta(seconds=1.5))
    assert filter_digest(node) == filter_digest(parse_filter("exposure > 'PT1.500000S'"))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: (field("a") == 1) and (field("b") == 2),
        lambda: (field("a") == 1) or (field("b") == 2),
        lambda: not (field("a") == 1),  # noqa: SIM201
        lambda: 1 < field("a") < 3,
        lambda: bool(field("a")),
        lambda: [1 for _ in [0] if field("a") == 1],
    ],
)
def test_words_of_python_cannot_join_filters(wrong: Callable[[], object]) -> None:
    """They would take the first or the last of them in silence."""
    with pytest.raises(TypeError, match="join filters with &"):
        wrong()


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: field(""), BadFilter, "expected the name"),
        (lambda: field(7), BadFilter, "expected the name"),  # type: ignore[arg-type]
        (lambda: field("label.name"), UnknownName, "did you mean"),
        (lambda: field("a") == None, BadFilter, "is_null"),  # noqa: E711
        (lambda: field("a") == [1], BadFilter, "expected a number"),
        (lambda: field("a") > float("nan"), BadFilter, "expected a number"),
        (lambda: field("a") > np.datetime64("NaT"), BadFilter, "expected a number"),
        (lambda: field("a") > dt.time(20, tzinfo=dt.UTC), BadFilter, "without a zone"),
        (lambda: field("a").isin("text"), BadFilter, "a list"),
        (lambda: field("a").isin([]), BadFilter, "a list"),
        (lambda: field("uid") > 5, BadFilter, "uid is a string"),
        (lambda: (field("a") > 1) & 1, BadFilter, "not a condition"),
        (lambda: field("a") / 0, BadFilter, "other than 0"),
        (lambda: field("uid").within(1, of=(0, 0)), BadFilter, "DWITHIN takes"),
        (lambda: field("location").within(1, "mile", of=(0, 0)), UnknownName, "km, m, mi, nmi"),
        (lambda: field("location").within(1, of=(100, 0)), BadGeometry, "latitude is within"),
        (lambda: field("location").within(1, of=SQUARE), BadFilter, "POINT"),
        (lambda: field("location").intersects("here"), BadGeometry, "expected"),
        (lambda: field("location") == "here", BadFilter, "DWITHIN"),
    ],
)
def test_what_has_no_meaning_is_refused_when_it_is_written(
    wrong: Callable[[], object], error: type[InvalidInput], message: str
) -> None:
    with pytest.raises(error, match=message):
        wrong()


def test_an_expression_shows_itself_as_cql2() -> None:
    assert repr(field("hour") >= 20) == "Condition(hour >= 20)"
    assert repr(field("two words").casei()) == '_CaseInsensitive(CASEI("two words"))'
    assert repr((field("a") == 1) & ~(field("b") == "it's")) == (
        "Condition(a = 1 AND NOT (b = 'it''s'))"
    )


def test_a_value_alone_is_no_filter() -> None:
    with pytest.raises(BadFilter, match="not a condition"):
        parse_filter(field("a") + 1)
