"""The filter language, operator by operator: a handful of datums, counted by hand, on every store.

The same questions go to plain Python, SQLite and PostGIS; all must give the same datums.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import shapely

import velour_plugin as velour
from tests.postgis import Server
from velour_plugin.errors import BadFilter, BadGeometry, InvalidInput, UnknownName
from velour_plugin.filters import parse_filter
from velour_plugin.filters.interpret import select
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.swapped import SwappedCoordinates
from velour_plugin.filters.language.tree import filter_digest, to_json
from velour_plugin.store import Version, upgrade_store
from velour_plugin.store.sql.store import SqlStore

UTC = dt.UTC
HAWAII = dt.timezone(dt.timedelta(hours=-10))
BOSTON, SUEZ = (42.36, -71.03), (29.97, 32.55)
BOWTIE = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])

DATUMS = [
    velour.Datum(
        "dawn",
        {
            "captured_at": dt.datetime(2026, 7, 1, 4, 30, tzinfo=UTC),
            "day": dt.date(2026, 7, 1),
            "time": dt.time(4, 30),
            "exposure": dt.timedelta(seconds=0.5),
            "city": "Straße",
            "width": 640,
            "height": 480,
            "boxes": 4,
            "tags": ["fog", "river"],
            "footprint": shapely.box(0, 0, 2, 2),
            "camera": {"lens": {"mm": 35}},
        },
        BOSTON,
    ),
    velour.Datum(
        "dusk",
        {
            "captured_at": dt.datetime(2026, 6, 30, 20, tzinfo=HAWAII),  # 06:00 UTC on July 1st
            "day": dt.date(2026, 6, 30),
            "time": dt.time(20),
            "exposure": dt.timedelta(seconds=2),
            "city": "STRASSE",
            "width": 480,
            "height": 640,
            "boxes": 0,
            "tags": ["fog"],
            "footprint": shapely.Point(5, 5),
            "camera.lens.mm": 50,
        },
        SUEZ,
    ),
    velour.Datum(
        "text",
        {
            "captured_at": "2026-07-01T04:30:00+00:00",
            "day": "2026-07-01",
            "time": "20:00",
            "exposure": "PT2S",
            "city": "ÉVORA",
            "width": "640",
            "tags": "fog",
            "footprint": BOWTIE,
        },
    ),
    velour.Datum(
        "late",
        {
            "captured_at": dt.datetime(2026, 7, 1, 23, 59, 59, 999_999),
            "time": dt.time(23, 59, 59, 999_999),
            "city": "évora",
            "width": 0.1,
            "height": 0.2,
            "tags": [1, True, "river"],
        },
    ),
    velour.Datum("silent"),
]
NAMES = [datum.uid for datum in DATUMS]


@pytest.fixture(scope="module")
def stores(
    postgis: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[SqlStore, Version]]:
    """One store of each kind, with the version that holds the datums."""
    dataset = velour.Dataset.from_groundtruths(map(velour.GroundTruth, DATUMS), "language")
    folder = tmp_path_factory.mktemp("language")
    with postgis.database() as url:
        upgrade_store(url)
        with (
            velour.open_store(f"sqlite:///{folder / 'velour.db'}") as sqlite,
            velour.open_store(url) as postgresql,
        ):
            yield {store: store.save_dataset(dataset) for store in (sqlite, postgresql)}


def chosen(where: Any, stores: dict[SqlStore, Version]) -> list[str]:
    """Uids of what a filter selects, when all agree."""
    node = parse_filter(where)
    mask = select(node, DATUMS, "language")
    found = [uid for uid, keep in zip(NAMES, mask, strict=True) if keep]
    for store, version in stores.items():
        assert sorted(store.select_datums(version, node).uids) == sorted(found), store
    return found


ANSWERS: dict[str, Sequence[tuple[str, list[str]]]] = {
    "a moment is an instant, whatever its zone": (
        ("captured_at = TIMESTAMP('2026-07-01T04:30:00Z')", ["dawn"]),
        ("captured_at = TIMESTAMP('2026-06-30T20:00:00-10:00')", ["dusk"]),
        ("captured_at > TIMESTAMP('2026-07-01T04:30:00Z')", ["dusk", "late"]),
        ("captured_at <> TIMESTAMP('2026-07-01T04:30:00Z')", ["dusk", "late"]),
        ("captured_at < TIMESTAMP('2026-07-02T00:00:00Z')", ["dawn", "dusk", "late"]),
        ("TIMESTAMP('2026-07-01T05:00:00Z') > captured_at", ["dawn"]),
        ("captured_at BETWEEN TIMESTAMP('2026-07-01T04:30:00Z') "
         "AND TIMESTAMP('2026-07-01T06:00:00Z')", ["dawn", "dusk"]),
        ("captured_at IN (TIMESTAMP('2026-07-01T06:00:00Z'))", ["dusk"]),
        ("T_AFTER(captured_at, TIMESTAMP('2026-07-01T06:00:00Z'))", ["late"]),
        ("T_BEFORE(captured_at, TIMESTAMP('2026-07-01T06:00:00Z'))", ["dawn"]),
        ("T_EQUALS(captured_at, TIMESTAMP('2026-07-01T06:00:00Z'))", ["dusk"]),
        ("T_AFTER(TIMESTAMP('2026-07-01T06:00:00Z'), captured_at)", ["dawn"]),
    ),
    "no string is a moment": (
        ("captured_at = '2026-07-01T04:30:00+00:00'", ["text"]),
        ("day = '2026-07-01'", ["text"]),
    ),
    "a date is a day, and that of a moment in UTC": (
        ("day = DATE('2026-07-01')", ["dawn"]),
        ("day < DATE('2026-07-01')", ["dusk"]),
        ("captured_at = DATE('2026-07-01')", ["dawn", "dusk", "late"]),
        ("captured_at > DATE('2026-06-30')", ["dawn", "dusk", "late"]),
        ("captured_at > DATE('2026-07-01')", []),
        ("T_BEFORE(captured_at, DATE('2026-07-02'))", ["dawn", "dusk", "late"]),
        ("day IN (DATE('2026-06-30'), DATE('2026-07-01'))", ["dawn", "dusk"]),
        ("day = TIMESTAMP('2026-07-01T00:00:00Z')", []),
    ),
    "between two moments without its ends, between two days with them": (
        ("T_DURING(captured_at, INTERVAL('2026-07-01T04:30:00Z', '2026-07-01T06:00:01Z'))",
         ["dusk"]),
        ("T_DURING(captured_at, INTERVAL('2026-07-01', '2026-07-01'))", ["dawn", "dusk", "late"]),
        ("T_DURING(day, INTERVAL('2026-07-01', '2026-07-31'))", ["dawn"]),
        ("T_DURING(captured_at, INTERVAL('2026-07-01T05:00:00Z', '..'))", ["dusk", "late"]),
        ("T_DURING(captured_at, INTERVAL('..', '2026-07-01T05:00:00Z'))", ["dawn"]),
        ("T_AFTER(captured_at, INTERVAL('2026-07-01T00:00:00Z', '2026-07-01T05:00:00Z'))",
         ["dusk", "late"]),
        ("T_BEFORE(captured_at, INTERVAL('2026-07-01T05:00:00Z', '..'))", ["dawn"]),
    ),
    "a string that looks like a time of day is one too": (
        ("time >= '20:00'", ["dusk", "text", "late"]),
        ("time = '20:00'", ["dusk", "text"]),
        ("time = '20:00:00'", ["dusk"]),
        ("time < '20:00'", ["dawn"]),
        ("time BETWEEN '04:30' AND '20:00'", ["dawn", "dusk", "text"]),
        ("time IN ('04:30', '23:59:59.999999')", ["dawn", "late"]),
        ("NOT time IN ('04:30', 'noon')", ["text"]),
    ),
    "a string that looks like a duration is one too": (
        ("exposure > 'PT0.5S'", ["dusk", "text"]),
        ("exposure = 'PT0.5S'", ["dawn"]),
        ("exposure < 'PT1M'", ["dawn", "dusk"]),
        ("exposure > '-P1D'", ["dawn", "dusk", "text"]),
        ("exposure > 2", []),
    ),
    "case is folded in every script": (
        ("CASEI(city) = CASEI('strasse')", ["dawn", "dusk"]),
        ("CASEI(city) = 'strasse'", ["dawn", "dusk"]),
        ("CASEI(city) = CASEI('Évora')", ["text", "late"]),
        ("CASEI(city) LIKE CASEI('ÉV%')", ["text", "late"]),
        ("CASEI(city) IN (CASEI('STRASSE'), CASEI('x'))", ["dawn", "dusk"]),
        ("CASEI(uid) = CASEI('DAWN')", ["dawn"]),
        ("CASEI(width) = '640'", ["text"]),
    ),
    "arithmetic is on numbers": (
        ("width * height = 307200", ["dawn", "dusk"]),
        ("width - height > 0", ["dawn"]),
        ("width + height = 0.30000000000000004", ["late"]),
        ("width / 3 > 200", ["dawn"]),
        ("-width < -600", ["dawn"]),
        ("(width + 20) * 2 - 1 = 999", ["dusk"]),
        ("2 * 320 = width", ["dawn"]),
        ("width / boxes = 160", ["dawn"]),
        ("NOT width / boxes = 160", []),
        ("width * 1e150 * 1e150 > 0", ["late"]),
    ),
    "a property is compared with another": (
        ("width > height", ["dawn"]),
        ("height >= width", ["dusk", "late"]),
        ("uid = city", []),
        ("uid <> city", ["dawn", "dusk", "text", "late"]),
        ("width = city", []),
        ("width BETWEEN boxes AND height", ["dusk"]),
        ("width IN (height, boxes)", []),
    ),
    "lists hold values": (
        ("A_CONTAINS(tags, ('fog'))", ["dawn", "dusk"]),
        ("A_CONTAINS(tags, ('river', 'fog'))", ["dawn"]),
        ("A_OVERLAPS(tags, ('river', 'snow'))", ["dawn", "late"]),
        ("A_CONTAINS(tags, (1, TRUE))", ["late"]),
        ("NOT A_CONTAINS(tags, ('river'))", ["dusk"]),
        ("'fog' IN (tags)", ["dawn", "dusk", "text"]),
        ("'fog' IN tags", ["dawn", "dusk", "text"]),
        ("NOT 'fog' IN (tags)", ["late"]),
    ),
    "GeoJSON metadata is a place": (
        ("S_INTERSECTS(footprint, POINT(1 1))", ["dawn"]),
        ("S_WITHIN(footprint, BBOX(4, 4, 6, 6))", ["dusk"]),
        ("S_WITHIN(POINT(1 1), footprint)", ["dawn"]),
        ("S_DISJOINT(footprint, POINT(1 1))", ["dusk"]),
        ("S_DISJOINT(footprint, location)", ["dawn", "dusk"]),
        ("DWITHIN(footprint, POINT(5 5), 1, 'km')", ["dusk"]),
        ("footprint IS NULL", ["late", "silent"]),
    ),
    "what is nested is found, and a key with dots comes first": (
        ("camera.lens.mm = 35", ["dawn"]),
        ("camera.lens.mm >= 35", ["dawn", "dusk"]),
        ("camera.lens.mm IS NOT NULL", ["dawn", "dusk"]),
    ),
    "LIKE escapes its wildcards with a backslash": (
        ("uid LIKE 'd%'", ["dawn", "dusk"]),
        ("uid LIKE 'd\\%'", []),
        ("time LIKE '20_00'", ["text"]),
        ("time LIKE '20\\_00'", []),
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", ANSWERS)
def test_every_operator_selects_what_it_says(rule: str, stores: dict[SqlStore, Version]) -> None:
    for where, expected in ANSWERS[rule]:
        assert chosen(where, stores) == expected, where


@pytest.mark.parametrize("where", [where for asked in ANSWERS.values() for where, _ in asked])
def test_a_filter_is_the_same_after_it_was_spelled(where: str) -> None:
    """As JSON and as text."""
    node = parse_filter(where)
    assert node is not None
    assert filter_digest(parse_filter(to_json(node))) == filter_digest(node)
    assert filter_digest(parse_filter(to_text(node))) == filter_digest(node)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 < a", "a > 3"),
        ("a < b", "b > a"),
        ("a + b = 3", "3 = b + a"),
        ("a = 1", {"op": "=", "args": [1.0, {"property": "metadata.a"}]}),
        ("a = 1 AND (b = 2 AND c = 3)", "(c = 3 AND a = 1) AND b = 2 AND b = 2"),
        ("NOT NOT a = 1", "a = 1"),
        ("A_CONTAINS(t, ('x', 'y'))", "A_CONTAINS(t, ('y', 'x', 'x'))"),
        ("S_WITHIN(POINT(1 1), f)", "S_CONTAINS(f, POINT(1 1))"),
        ("T_AFTER(t, TIMESTAMP('2026-07-01T00:00:00Z'))",
         "TIMESTAMP('2026-07-01T02:00:00+02:00') < t"),
        ("CASEI(a) = CASEI('X')", "CASEI(a) = 'x'"),
        ("S_INTERSECTS(location, BBOX(0, 0, 1, 1))",
         "S_INTERSECTS(location, POLYGON((1 1, 0 1, 0 0, 1 0, 1 1)))"),
    ],
)  # fmt: skip
def test_what_means_the_same_has_one_digest(one: Any, other: Any) -> None:
    assert filter_digest(parse_filter(one)) == filter_digest(parse_filter(other))


def test_metadata_named_like_a_property_of_its_own_is_still_asked_for() -> None:
    """A datum's score is metadata; a prediction's is not."""
    assert filter_digest(parse_filter("metadata.score > 1")) != filter_digest(
        parse_filter("score > 1")
    )
    datums = [velour.Datum("a", {"score": 2, "model": "x", "label": {"key": "y"}})]
    for where in ("metadata.score > 1", "metadata.model = 'x'", "metadata.label.key = 'y'"):
        assert select(parse_filter(where), datums, "d").all(), where


REFUSED: Sequence[tuple[Any, str, str]] = (
    ("hour >= 20 AND nearby(location)", "unknown operator 'nearby'", "column 16"),
    ("a = 1\nAND b ^ 2 = 4", "unknown operator '^'", "line 2, column 5"),
    ("a = 1 AND uid > 5", "uid is a string and 5 is a number", "column 11"),
    ("a = 1 AND (b = 2 OR c LIKE 5)", "LIKE takes", "column 21"),
    ("a = 'x' AND a = NULL", "IS NULL", "column 17"),
    ("day = DATE('2026-02-30')", "no date", "column 7"),
    ("t > TIMESTAMP('yesterday')", "no moment", "column 5"),
    ("t > TIMESTAMP('2026-07-01T00:00:00.1234567Z')", "microseconds", "column 5"),
    ("T_AFTER(t, '2026-07-01')", "TIMESTAMP(", "column 1"),
    ("T_DURING(t, TIMESTAMP('2026-07-01T00:00:00Z'))", "INTERVAL", "column 1"),
    ("T_DURING(t, INTERVAL('..', '..'))", "an end", "column 1"),
    ("T_AFTER(t, INTERVAL('2026-07-01', '..'))", "ends on that side", "column 1"),
    ("a + 'x' > 1", "'x' is a string", "column 1"),
    ("a / 0 > 1", "other than 0", "column 1"),
    ("a < 'b' < c", "condition", "column 1"),
    ("A_CONTAINS(uid, ('x'))", "a list", "column 1"),
    ("1 = 1", "takes a property", "column 1"),
    ("CASEI(5) = 'x'", "CASEI takes", "column 1"),
    ("uid LIKE 'a\\'", "escape character", "column 1"),
    ("a = 1 AND label.name = 'car'", "unknown property 'label.name'", "column 11"),
    ("a = 1 AND S_INTERSECTS(location, POINT(0 91))", "±90", "column 34"),
    ("S_WITHIN(annotation.geometry, BBOX(170, 0, 17, 10))", "antimeridian", "column 31"),
    ("S_WITHIN(location, BBOX(170, 10, -170, 0))", "south <= north", "column 20"),
    ("S_WITHIN(location, POLYGON((0 0, 2 2, 2 0, 0 2, 0 0)))", "intersect", "column 20"),
    ({"op": "and", "args": [{"op": "=", "args": [{"property": "a"}, 1]},
                            {"op": "=", "args": [{"property": "b"}, {"op": "foo"}]}]},
     "unknown operator 'foo'", "args[1].args[1]"),
    ({"op": ">", "args": [{"property": "t"}, {"timestamp": "never"}]}, "no moment", "args[1]"),
)  # fmt: skip


@pytest.mark.parametrize(("where", "message", "place"), REFUSED)
def test_a_refusal_says_what_is_wrong_and_where(where: Any, message: str, place: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_filter(where)
    assert message in str(refusal.value)
    assert f"In the filter, at {place}" in str(refusal.value)


def test_an_unknown_property_is_named_with_its_place_and_what_is_known() -> None:
    with pytest.raises(UnknownName) as refusal:
        select(parse_filter("width = 1 AND heigth = 2"), DATUMS, "language")
    assert "did you mean 'height'?" in str(refusal.value)
    assert "column 15" in str(refusal.value)


@pytest.mark.parametrize("where", ["score > 0.5", "label.value = 'car'", "annotation.area > 9"])
def test_what_is_not_about_datums_selects_none_of_them(where: str) -> None:
    with pytest.raises(BadFilter, match="not about datums"):
        select(parse_filter(where), DATUMS, "language")


@pytest.mark.parametrize(
    "where",
    ["(" * 200 + "a = 1" + ")" * 200, " AND ".join(["a = 1"] * 2000), "NOT " * 5000 + "a = 1",
     "a = " + "-" * 5000 + "b"],
)  # fmt: skip
def test_what_would_overrun_a_stack_is_refused(where: str) -> None:
    with pytest.raises(BadFilter, match="the filter nests deeper than"):
        parse_filter(where)


def test_many_values_are_one_operator(stores: dict[SqlStore, Version]) -> None:
    """More than SQLite has parameters for."""
    values = ", ".join(f"'{number}'" for number in range(40_000))
    assert chosen(f"uid IN ({values}, 'dawn')", stores) == ["dawn"]


NEAR_BOSTON = "DWITHIN(location, POINT(-71.03 42.36), 5, 'km')"
TURNED = "DWITHIN(location, POINT(42.36 -71.03), 5, 'km')"


@pytest.mark.parametrize(
    "where", [TURNED, f"width = 640 AND {TURNED}", "S_INTERSECTS(location, BBOX(42, -72, 43, -71))"]
)
def test_exchanged_coordinates_are_noticed(where: str) -> None:
    """Only where something would be found with them the other way round."""
    with pytest.warns(SwappedCoordinates, match="longitude first"):
        assert not select(parse_filter(where), DATUMS, "language").any()


@pytest.mark.parametrize(
    "where", [NEAR_BOSTON, "DWITHIN(location, POINT(1 2), 5, 'km')", f"width = 1 AND {TURNED}"]
)
def test_coordinates_that_are_right_are_not_suspected(where: str) -> None:
    select(parse_filter(where), DATUMS, "language")


def test_only_places_are_suspected_of_being_exchanged() -> None:
    for where, expected in ((TURNED, True), (NEAR_BOSTON, False), ("width = 1", False)):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            select(parse_filter(where), DATUMS, "language")
        assert any(one.category is SwappedCoordinates for one in heard) is expected


def test_a_geometry_that_is_none_is_refused() -> None:
    for spelled in ({"type": "Point", "coordinates": []}, {"type": "Polygon"}, {"type": "Point"}):
        with pytest.raises(BadGeometry):
            parse_filter({"op": "s_within", "args": [{"property": "location"}, spelled]})


EXOTIC = [
    "POINT EMPTY", "POLYGON EMPTY", "MULTIPOLYGON EMPTY", "GEOMETRYCOLLECTION EMPTY",
    "POINT Z (1 1 9)",
    "LINESTRING (0 0, 0 0)", "LINESTRING (0 0, 2 2, 2 0, 0 2)", "MULTIPOINT (0 0, 1 1, 1 1)",
    "MULTILINESTRING ((0 0, 2 2), (5 5, 6 6))", "MULTIPOLYGON (((0 0, 2 0, 2 2, 0 0)), EMPTY)",
    "MULTIPOLYGON (((0 0, 3 0, 3 3, 0 3, 0 0)), ((1 1, 2 1, 2 2, 1 1)))",
    "GEOMETRYCOLLECTION (POINT (1 1), POLYGON ((0 0, 2 0, 2 2, 0 0)))",
    "POLYGON ((0 0, 0 0, 0 0, 0 0))",
    "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 1 3, 3 3, 3 1, 1 1))", "POINT (500 -500)",
    "POLYGON ((-200 -100, 200 -100, 200 100, -200 100, -200 -100))", "POINT (1e300 1e-300)",
]  # fmt: skip


def test_no_geometry_in_metadata_aborts_a_query(stores: dict[SqlStore, Version]) -> None:
    """Empty ones, flat ones, those that cross themselves or leave the Earth."""
    datums = [
        velour.Datum(str(n), {"g": shapely.from_wkt(message)}) for n, message in enumerate(EXOTIC)
    ]
    dataset = velour.Dataset.from_groundtruths(map(velour.GroundTruth, datums), "exotic")
    others = ("POINT(1 1)", "LINESTRING(0 1, 3 1)", "POLYGON((0 0, 2 0, 2 2, 0 2, 0 0))")
    asked = [
        f"{negated}{op}(g, {other})"
        for negated in ("", "NOT ")
        for op in ("S_INTERSECTS", "S_WITHIN", "S_CONTAINS", "S_DISJOINT")
        for other in others
    ] + ["DWITHIN(g, POINT(1 1), 50, 'km')", "NOT DWITHIN(g, POINT(1 1), 50, 'km')"]
    for store in stores:
        version = store.save_dataset(dataset)
        for where in asked:
            node = parse_filter(where)
            mask = select(node, dataset.datums, "exotic")
            found = [uid for uid, keep in zip(dataset.uids, mask, strict=True) if keep]
            assert list(store.select_datums(version, node).uids) == found, (store, where)
