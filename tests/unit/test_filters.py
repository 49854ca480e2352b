"""Filters: what parses, what each operator selects, what is refused and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import shapely

import velour_plugin as velour
from velour_plugin.errors import BadFilter, BadGeometry, InvalidInput, UnknownName
from velour_plugin.filters import parse_filter
from velour_plugin.filters.geodesy import distances
from velour_plugin.filters.interpret import select
from velour_plugin.filters.language.tree import filter_digest

LAS_VEGAS, KHARTOUM = (36.17, -115.14), (15.50, 32.56)
AROUND_VEGAS = shapely.box(-116, 36, -115, 37)

DATUMS = [
    velour.Datum("noon", {"hour": 12, "city": "Las Vegas", "clear": True}, LAS_VEGAS),
    velour.Datum("dusk", {"hour": 19.5, "city": "Khartoum", "clear": False}, KHARTOUM),
    velour.Datum("night", {"hour": 23, "city": "Khartoum", "sun": {"set": 18}}, KHARTOUM),
    velour.Datum("text", {"hour": "23", "clear": "True", "city": None}, AROUND_VEGAS),
    velour.Datum("unknown", {"hour": None, "wind": None}),
    velour.Datum("silent"),
]
ALL = [datum.uid for datum in DATUMS]


def chosen(where: Any) -> list[str]:
    """Uids of what a filter selects, in the order of ``DATUMS``."""
    mask = select(parse_filter(where), DATUMS, "fires")
    return [uid for uid, keep in zip(ALL, mask, strict=True) if keep]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        # a number never equals a text, and a text never a number
        ("hour = 23", ["night"]),
        ("hour = '23'", ["text"]),
        ("hour <> 23", ["noon", "dusk"]),
        ("hour < 19.5", ["noon"]),
        ("hour <= 19.5", ["noon", "dusk"]),
        ("hour > 19.5", ["night"]),
        ("hour >= 19.5", ["dusk", "night"]),
        ("19.5 < hour", ["night"]),
        ("19.5 >= hour", ["noon", "dusk"]),
        ("hour BETWEEN 12 AND 19.5", ["noon", "dusk"]),
        ("hour BETWEEN 19.5 AND 12", []),
        ("city BETWEEN 'Ka' AND 'L'", ["dusk", "night"]),
        ("city < 'L'", ["dusk", "night"]),
        ("hour IN (12, 23)", ["noon", "night"]),
        ("hour IN (12, '23')", ["noon", "text"]),
        ("city IN ('Khartoum')", ["dusk", "night"]),
        # LIKE heeds case; % is any text, _ one character, nothing else is special
        ("city LIKE 'K%'", ["dusk", "night"]),
        ("city LIKE 'k%'", []),
        ("city LIKE '_as%s'", ["noon"]),
        ("city LIKE 'K'", []),
        ("city LIKE '.*'", []),
        ("hour LIKE '2_'", ["text"]),
        # booleans are no numbers and no texts
        ("clear = TRUE", ["noon"]),
        ("clear = FALSE", ["dusk"]),
        ("clear <> TRUE", ["dusk"]),
        ("clear", ["noon"]),
        ("NOT clear", ["dusk"]),
        ("clear = 'True'", ["text"]),
        # nothing there and null are the same
        ("hour IS NULL", ["unknown", "silent"]),
        ("hour IS NOT NULL", ["noon", "dusk", "night", "text"]),
        ("city IS NULL", ["text", "unknown", "silent"]),
        # nested metadata by a dotted path, with or without its prefix
        ("sun.set = 18", ["night"]),
        ("metadata.sun.set = 18", ["night"]),
        ("metadata.hour = 23", ["night"]),
        ("sun.set.early IS NULL", ALL),
        # names
        ("uid = 'noon'", ["noon"]),
        ("uid IN ('noon', 'dusk')", ["noon", "dusk"]),
        ("uid LIKE 'n%'", ["noon", "night"]),
        ("dataset = 'fires'", ALL),
        ("dataset <> 'fires'", []),
        ("uid IS NULL", []),
        ("hour = 23 AND city = 'Khartoum'", ["night"]),
        ("hour = 12 OR hour = 23", ["noon", "night"]),
        ("hour = 12 OR (hour > 12 AND city = 'Khartoum')", ["noon", "dusk", "night"]),
    ],
)
def test_an_operator_selects_what_it_says(where: str, expected: Sequence[str]) -> None:
    assert chosen(where) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("S_INTERSECTS(location, POLYGON((-116 36, -115 36, -115 37, -116 37, -116 36)))",
         ["noon", "text"]),
        ("S_WITHIN(location, POLYGON((-117 35, -114 35, -114 38, -117 38, -117 35)))",
         ["noon", "text"]),
        ("S_WITHIN(location, POLYGON((-115.5 36, -115 36, -115 37, -115.5 37, -115.5 36)))",
         ["noon"]),
        ("S_CONTAINS(location, POINT(-115.5 36.5))", ["text"]),
        ("S_DISJOINT(location, POLYGON((-116 36, -115 36, -115 37, -116 37, -116 36)))",
         ["dusk", "night"]),
        ("location IS NULL", ["unknown", "silent"]),
        ("location IS NOT NULL", ["noon", "dusk", "night", "text"]),
        ("DWITHIN(location, POINT(32.56 15.50), 0, 'm')", ["dusk", "night"]),
        ("DWITHIN(location, POINT(-115.5 36.5), 0, 'm')", ["text"]),
        ("DWITHIN(location, POINT(-115.14 36.17), 50, 'mi')", ["noon", "text"]),
        ("DWITHIN(location, POINT(32.56 15.50), 19000, 'km')", ["noon", "dusk", "night", "text"]),
    ],
)  # fmt: skip
def test_a_place_is_asked_about_in_degrees_or_by_distance(
    where: str, expected: Sequence[str]
) -> None:
    assert chosen(where) == expected


@pytest.mark.parametrize(
    ("distance", "unit"), [(111_319.5, "m"), (111.3195, "km"), (69.17073, "mi"), (60.10773, "nmi")]
)
def test_distances_are_geodesic_in_every_unit(distance: float, unit: str) -> None:
    """A degree of the equator is 6 378 137 m * pi / 180 = 111 319.49 m long."""
    east = [velour.Datum("1", location=(0, 1))]
    for share, within in ((1.0, True), (0.99999, False)):
        where = f"DWITHIN(location, POINT(0 0), {distance * share}, '{unit}')"
        assert select(parse_filter(where), east, "x").tolist() == [within]


def test_a_place_is_as_far_alone_as_among_others() -> None:
    """To the bit, and without a warning: pyproj measures single places in another way."""
    longitudes, latitudes = np.random.default_rng(1).uniform((-180, -90), (180, 90), (50, 2)).T
    places = list(shapely.points(longitudes, latitudes))
    alone = [distances([place], -71.03, 42.36)[0] for place in places]
    assert distances(places, -71.03, 42.36).tolist() == alone


def test_distances_do_not_stop_at_the_antimeridian() -> None:
    fiji = [velour.Datum("1", location=(-17, -179.9))]
    near = parse_filter("DWITHIN(location, POINT(179.9 -17), 25, 'km')")
    assert select(near, fiji, "x").all()


def test_a_small_place_on_the_other_side_of_the_earth_is_far() -> None:
    """Drawn around the point that is asked about, it would be a ring around everything."""
    antipode = [velour.Datum("1", location=shapely.box(179, -1, 180, 1).buffer(0))]
    antipode.append(velour.Datum("2", location=shapely.box(100, -11, 120, -9)))
    for point in ("POINT(-0.5 0)", "POINT(-70 10)"):
        near = parse_filter(f"DWITHIN(location, {point}, 1000, 'km')")
        assert select(near, antipode, "x").tolist() == [False, False]


@pytest.mark.parametrize(
    ("where", "negated"),
    [
        ("hour = 23", ["noon", "dusk"]),
        ("hour > 20", ["noon", "dusk"]),
        ("hour IN (23, 'x')", []),
        ("hour BETWEEN 20 AND 24", ["noon", "dusk"]),
        ("hour LIKE '2%'", []),
        ("hour LIKE '1%'", ["text"]),
        ("DWITHIN(location, POINT(32.56 15.50), 1, 'km')", ["noon", "text"]),
        ("S_CONTAINS(location, POINT(-115.5 36.5))", ["noon", "dusk", "night"]),
        ("hour IS NULL", ["noon", "dusk", "night", "text"]),
    ],
)
def test_what_is_missing_or_of_another_type_is_neither_so_nor_otherwise(
    where: str, negated: Sequence[str]
) -> None:
    """Unknown is no answer: neither a condition nor its negation selects the datum."""
    assert chosen(f"NOT ({where})") == negated
    assert chosen(f"NOT (NOT ({where}))") == chosen(where)


def test_true_or_unknown_is_true_and_false_and_unknown_is_false() -> None:
    """The wind is known of no datum, and when the sun sets of *night* only."""
    assert chosen("hour = 12 OR wind = 1 OR sun.set = 1") == ["noon"]
    assert chosen("NOT (hour = 12 AND sun.set = 1)") == ["dusk", "night"]
    assert chosen("NOT (hour = 12 OR sun.set = 1)") == ["night"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = 1 AND b = 2", "b = 2 AND a = 1"),
        ("a = 1 OR b = 2", "b = 2 OR a = 1"),
        ("a = 1 AND b = 2 AND c = 3", "c = 3 AND (a = 1 AND b = 2)"),
        ("a = 1 OR (b = 2 OR c = 3)", "(c = 3 OR a = 1) OR b = 2"),
        ("a = 1 AND a = 1 AND b = 2", "b = 2 AND a = 1"),
        ("a IN (1, 2, 3)", "a IN (3, 1, 2, 1)"),
        ("a < 1", "1 > a"),
        ("a = 1", "a = 1.0"),
        ("a = 1", "metadata.a = 1"),
        ("a", "a = TRUE"),
        ("a = 1 and b = 2", "a = 1 AND b = 2"),
        (
            {"op": "and", "args": [{"op": "=", "args": [{"property": "a"}, 1]},
                                   {"args": [{"property": "b"}, 2], "op": "="}]},
            "b = 2 AND a = 1",
        ),
        (
            {"op": "in", "args": [{"property": "a"}, [1, 2]]},
            {"args": [{"property": "a"}, [2, 1]], "op": "IN"},
        ),
        ("S_INTERSECTS(location, POINT(1 2))",
         {"op": "s_intersects",
          "args": [{"property": "location"}, {"coordinates": [1.0, 2.0], "type": "Point"}]}),
    ],
)  # fmt: skip
def test_filters_that_mean_the_same_have_one_digest(one: Any, other: Any) -> None:
    assert filter_digest(parse_filter(one)) == filter_digest(parse_filter(other))


def test_filters_that_differ_have_digests_that_differ() -> None:
    filters = [
        "a = 1", "a = 2", "a = '1'", "a = TRUE", "b = 1", "a < 1", "NOT a = 1", "a IN (1)",
        "a = 1 AND b = 2", "a = 1 OR b = 2", "a BETWEEN 1 AND 2", "a BETWEEN 2 AND 1",
        "a LIKE '1'", "a IS NULL", "a.b = 1",
        "DWITHIN(location, POINT(1 2), 1, 'km')", "DWITHIN(location, POINT(1 2), 1, 'mi')",
        "DWITHIN(location, POINT(2 1), 1, 'km')", "S_WITHIN(location, POINT(1 2))",
    ]  # fmt: skip
    assert len({filter_digest(parse_filter(where)) for where in filters}) == len(filters)
    assert filter_digest(None) is None


def test_a_tree_is_a_filter_already() -> None:
    tree = parse_filter("hour = 12")
    assert parse_filter(tree) == tree
    assert chosen(tree) == ["noon"]
    assert chosen(None) == ALL


@pytest.mark.parametrize(
    ("where", "message", "way_out"),
    [
        # what does not parse, and where
        ("hour >", "1:7", "An example"),
        ("hour = 12 AND", "1:", "An example"),
        ("hour = = 12", "1:8", "An example"),
        ("DWITHIN(location, POINT(1 2), 5 'mi')", "1:", "An example"),
        ("hour = 'night", "1:", "An example"),
        ("", "is empty", "leave it out"),
        ("   ", "is empty", "leave it out"),
        # what is no condition
        ("12", "12", "compare a property"),
        ("TRUE", "TRUE", "compare a property"),
        ("hour = 12 AND 7", "7", "compare a property"),
        # operands
        ("hour LIKE 5", "LIKE", "pattern in quotes"),
        ("hour BETWEEN 1 AND 'b'", "BETWEEN", "two numbers or two strings"),
        ("hour BETWEEN TRUE AND FALSE", "BETWEEN", "two numbers or two strings"),
        ("clear > TRUE", ">", "booleans are = or <>"),
        ("location = 'Boston'", "location", "DWITHIN"),
        ("location LIKE 'B%'", "location", "DWITHIN"),
        ("S_INTERSECTS(uid, POINT(1 2))", "S_INTERSECTS", "location and a geometry"),
        ("uid = 7", "uid is a string", "a property and a number"),
        ("dataset > 7", "7 is a number", "a property and a number"),
        ("S_INTERSECTS(location, 'Boston')", "S_INTERSECTS", "location and a geometry"),
        ("DWITHIN(location, POINT(1 2), -5, 'mi')", "-5", "a distance is >= 0"),
        ("DWITHIN(location, POINT(1 2), 30000, 'km')", "30000", "half way round the Earth"),
        ("DWITHIN(location, POINT(1 2), 'far', 'km')", "DWITHIN", "50, 'mi'"),
        ("DWITHIN(location, POLYGON((0 0, 1 0, 1 1, 0 0)), 5, 'km')", "DWITHIN", "50, 'mi'"),
        ("DWITHIN(location, POINT(1 2), 5)", "DWITHIN", "50, 'mi'"),
        # CQL2 in JSON
        ({"op": "="}, "=", "a property and"),
        ({"op": "=", "args": [{"property": "hour"}, None]}, "None", "expected"),
        ({"op": "=", "args": [{"property": "hour"}]}, "=", "a property and"),
        ({"op": "=", "args": 7}, "7", "expected"),
        ({"op": "=", "args": [{"property": "hour"}, float("inf")]}, "inf", "expected"),
        ({"op": "=", "args": [{"property": "hour"}, float("nan")]}, "nan", "expected"),
        ({"op": "in", "args": [{"property": "hour"}, []]}, "IN", "a list of"),
        ({"op": "not", "args": []}, "NOT", "one condition"),
        ({"op": "and", "args": []}, "AND", "condition"),
        ({"op": "or", "args": []}, "OR", "condition"),
        ({"op": "like", "args": []}, "LIKE", "pattern"),
        ({"op": "isNull", "args": []}, "ISNULL", "one property"),
        ({"property": ""}, "''", "expected"),
        ({"property": 7}, "7", "expected"),
        ({"filter": "hour = 12"}, "hour = 12", "expected a property"),
        ([1, 2], "[1, 2]", "expected a property"),
        (7, "7", "compare a property"),
    ],
)
def test_what_has_no_meaning_is_refused(where: Any, message: str, way_out: str) -> None:
    with pytest.raises(BadFilter) as refusal:
        parse_filter(where)
    assert message in str(refusal.value)
    assert way_out in str(refusal.value)


@pytest.mark.parametrize(
    ("where", "name", "nearest"),
    [
        ("DWITHIN(location, POINT(1 2), 5, 'mile')", "'mile'", "known are: km, m, mi, nmi"),
        ("DWITHIN(location, POINT(1 2), 5, 'KM')", "'KM'", "known are: km, m, mi, nmi"),
        ({"op": "s_intersect", "args": []}, "'s_intersect'", "did you mean 's_intersects'?"),
        ({"op": "==", "args": []}, "'=='", "did you mean '='?"),
    ],
)
def test_an_unknown_operator_or_unit_names_the_nearest(where: Any, name: str, nearest: str) -> None:
    with pytest.raises(UnknownName) as refusal:
        parse_filter(where)
    assert name in str(refusal.value)
    assert nearest in str(refusal.value)


@pytest.mark.parametrize(
    ("where", "nearest"),
    [
        ("huor = 12", "did you mean 'hour'?"),
        ("hour = 12 OR citty = 'x'", "did you mean 'city'?"),
        ("metadata.cty = 'x'", "did you mean 'city'?"),
        ("NOT locaton IS NULL", "did you mean 'location'?"),
    ],
)
def test_a_property_that_no_datum_has_is_refused(where: str, nearest: str) -> None:
    """Its answer would be a silent nothing."""
    with pytest.raises(UnknownName, match="unknown property") as refusal:
        chosen(where)
    assert nearest in str(refusal.value)
    assert "sun" in str(refusal.value)


@pytest.mark.parametrize(
    "where",
    [
        "DWITHIN(location, POINT(42.36 -171.03), 50, 'mi')",
        "S_INTERSECTS(location, POINT(42.36 -171.03))",
        {"op": "s_within", "args": [{"property": "location"},
                                    {"type": "Point", "coordinates": [0, 91]}]},
    ],
)  # fmt: skip
def test_a_latitude_beyond_the_poles_is_refused(where: Any) -> None:
    with pytest.raises(BadGeometry, match="latitude is within ±90 and longitude within ±180"):
        parse_filter(where)


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": "here"},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Point"},
    ],
)
def test_a_geometry_that_is_none_is_refused(geometry: Any) -> None:
    with pytest.raises(InvalidInput):
        parse_filter({"op": "s_within", "args": [{"property": "location"}, geometry]})
