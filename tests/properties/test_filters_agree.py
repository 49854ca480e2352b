"""SQLite, PostGIS and plain Python answer every filter alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import velour_plugin as velour
from tests import strategies
from tests.postgis import Server
from velour_plugin.domain.facts import Facts
from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import BadFilter, BadMetadata
from velour_plugin.filters import Call, Node, parse_filter
from velour_plugin.filters.geodesy import distances
from velour_plugin.filters.interpret import select
from velour_plugin.filters.language.tree import METRES, filter_digest, to_json
from velour_plugin.store import Store, upgrade_store

pytestmark = pytest.mark.filterwarnings(
    "ignore::velour_plugin.filters.language.swapped.SwappedCoordinates"  # one in a hundred is
)

FRESH = count()
"""Numbers the datasets of a session: every example has one of its own."""


@pytest.fixture(scope="module")
def stores(postgis: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """One store of each kind for all examples."""
    folder = tmp_path_factory.mktemp("stores")
    with postgis.database() as url:
        upgrade_store(url)
        with (
            velour.open_store(f"sqlite:///{folder / 'velour.db'}") as sqlite,
            velour.open_store(url) as postgresql,
        ):
            yield {"sqlite": sqlite, "postgis": postgresql}


def answers(
    stores: dict[str, Store], datums: Sequence[velour.Datum], filters: Sequence[Node]
) -> Iterator[dict[str, list[str]]]:
    """Who selects what, filter by filter."""
    name = f"example {next(FRESH)}"
    dataset = velour.Dataset.from_groundtruths(map(velour.GroundTruth, datums), name)
    versions = {kind: store.save_dataset(dataset) for kind, store in stores.items()}
    for node in filters:
        mask = select(node, dataset.datums, name)
        answers_of = {"python": [uid for uid, keep in zip(dataset.uids, mask, strict=True) if keep]}
        for kind, store in stores.items():
            answers_of[kind] = list(store.select_datums(versions[kind], node).uids)
        yield answers_of


def conditions(node: Node) -> Iterator[Call]:
    """What stands below AND, OR and NOT."""
    assert isinstance(node, Call)
    if node.op in ("and", "or", "not"):
        for arg in node.args:
            yield from conditions(arg)
    else:
        yield node


def is_on_the_edge(node: Node, datums: Sequence[velour.Datum]) -> bool:
    """Whether a datum is so near a distance that is asked for that rounding decides."""
    places = [datum.location for datum in datums if datum.location is not None]
    for asked in conditions(node):
        if asked.op == "dwithin" and places:
            point, distance, unit = (getattr(arg, "value", None) for arg in asked.args[1:])
            metres = distance * METRES[unit]
            far = distances(places, point.x, point.y)
            if (np.abs(far - metres) <= 0.001 * metres)[far > 0].any():
                return True
    return False


def disagreements(
    stores: dict[str, Store], datums: Sequence[velour.Datum], asked: Sequence[Any]
) -> list[Any]:
    """Each filter that is not answered alike, with the answers."""
    nodes = [node for node in map(parse_filter, asked) if node is not None]
    return [
        (spelled, answers_of)
        for spelled, answers_of in zip(asked, answers(stores, datums, nodes), strict=True)
        if not answers_of["python"] == answers_of["sqlite"] == answers_of["postgis"]
    ]


@pytest.mark.filterwarnings("ignore::velour_plugin.filters.language.swapped.SwappedCoordinates")
@settings(max_examples=100)
@given(strategies.datums(), st.lists(strategies.filters(), min_size=1, max_size=8))
def test_stores_and_python_select_the_same_datums(
    stores: dict[str, Store], datums: list[velour.Datum], asked: list[Any]
) -> None:
    """Whatever the metadata holds and whatever is asked of it."""
    nodes = [node for node in map(parse_filter, asked) if node is not None]
    assume(not any(is_on_the_edge(node, datums) for node in nodes))
    assert disagreements(stores, datums, asked) == []


ANY_CHARACTER = st.one_of(st.characters(), st.sampled_from("\0\ud800\udfff\uffff%_'\\"))


@settings(max_examples=60)
@given(st.text(ANY_CHARACTER, max_size=4))
def test_any_text_is_refused_by_all_or_found_by_all(stores: dict[str, Store], text: str) -> None:
    """U+0000 and halves of surrogate pairs are refused before a database is asked."""
    equal = strategies.call("=", {"property": "a"}, text)
    if not is_storable(text):
        with pytest.raises(BadMetadata):
            velour.Datum("1", {"a": text})
        with pytest.raises(BadFilter):
            parse_filter(equal)
        return
    datums = [velour.Datum("1", {"a": text}), velour.Datum("2", {"a": "other"})]
    slashes = len(text) - len(text.rstrip("\\"))
    pattern = text + "\\" * (slashes % 2)  # none that escapes the end, which is refused
    like = strategies.call("like", {"property": "a"}, pattern)
    asked = [equal, strategies.call("not", equal), like]
    assert disagreements(stores, datums, asked) == []


def facts_of(truths: Sequence[tuple[velour.GroundTruth, dict[str, Any]]], source: str) -> Facts:
    """What a source says of the datums."""
    values: dict[str, dict[str, Any]] = {}
    for truth, facts in truths:
        for name, value in facts.items():
            start, _, rest = name.removeprefix("fact.").partition(".")
            if start == source:
                values.setdefault(rest, {})[truth.datum.uid] = value
    return Facts(source, "1", values)


@settings(max_examples=100)
@given(
    strategies.known_datums(),
    st.lists(strategies.filters(strategies.fact_conditions), min_size=1, max_size=8),
)
def test_facts_and_labels_select_the_same_datums(
    stores: dict[str, Store],
    truths: list[tuple[velour.GroundTruth, dict[str, Any]]],
    asked: list[Any],
) -> None:
    """Whatever is said of datums, and whatever their ground truth shows."""
    name = f"example {next(FRESH)}"
    dataset = velour.Dataset.from_groundtruths([truth for truth, _ in truths], name)
    facts = {truth.datum.uid: values for truth, values in truths}
    versions = {}
    for kind, store in stores.items():
        versions[kind] = store.save_dataset(dataset)
        for source in ("s", "other"):
            store.write_facts(name, facts_of(truths, source))
        for uid, values in facts.items():
            for tag in values.get("fact.tags", ()):
                store.tag(name, tag, uids=[uid])
    for node in filter(None, map(parse_filter, asked)):
        mask = select(node, dataset.datums, name, truth=dataset.truth, facts=facts)
        python = [uid for uid, keep in zip(dataset.uids, mask, strict=True) if keep]
        for kind, store in stores.items():
            assert list(store.select_datums(versions[kind], node).uids) == python, (
                kind,
                to_json(node),
            )


@pytest.mark.parametrize("key", strategies.KEYS)
@pytest.mark.parametrize("inside", [False, True])
def test_metadata_is_found_under_any_key(stores: dict[str, Store], key: str, inside: bool) -> None:
    """Spelled in JSON, some keys look different from what they are."""
    datums = [velour.Datum("1", {"a": {key: 1}} if inside else {key: 1})]
    name = f"a.{key}" if inside else key
    is_one = strategies.call("=", {"property": name}, 1)
    assert (
        disagreements(stores, datums, [is_one, strategies.call("isNull", {"property": name})]) == []
    )


def is_one(path: str) -> Any:
    return strategies.call("=", {"property": path}, 1)


EXAMPLES: dict[str, tuple[list[Any], list[Any]]] = {
    "a list has no steps": (
        [[1, 2], {"0": 1}, {"-1": 1}, [[1]]],
        [is_one("a.0"), is_one("a.-1"), is_one("a.0.0"), "a.x IS NULL"],
    ),
    "whole numbers beyond 2^53 are compared as float64": (
        [2**53, 2**53 + 1, 2**62, 2**62 + 1, 2**63, -(2**63), 2**64, 10**30, 1e30],
        [
            strategies.call(op, {"property": "a"}, number)
            for op in ("=", "<", ">=")
            for number in (2**53, 2**53 + 1, 2.0**53, 2**62 + 1, 2**63, 2**64, 10**30, 1e30)
        ],
    ),
    "numbers that only just are": (
        [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, -0.0, 0],
        ["a > 0", "a = 0", "a >= 1e308", "a = 0.1", "a < 1e-300"],
    ),
    "arithmetic that would overflow is unknown": (
        [-1e300, 1e308, 1.0, 1e-300, -1e-300, 0, 7, 1e150, 1e151, 5e-324],
        [
            "a * 1e300 * 1e300 > 0", "a * 1e300 * 1e300 < 0", "a + 1e308 > 0", "a - 1e308 < 0",
            "a / 1e-300 > 0", "1e308 * a > 0", "a * a > 0", "a * a * a * a > 0", "a / a = 1",
            "a < 1e150 * 1e150", "a * 1e150 > 1e150", "1 / a > 0",
            "a BETWEEN a * 1e300 AND a * 1e300", "a IN (a * 1e300, 7)",
        ],
    ),
    "LIKE has two special characters": (
        ["a%b", "a_b", "axb", "a\\b", "a\\\\b", "AXB", "a\nb", "a💡b", "a.b", "ab"],
        [
            strategies.call("like", {"property": "a"}, pattern)
            for pattern in ("a%b", "a_b", "a\\%b", "a\\_b", "a\\b", "a.b", "%", "", "_%_", "a\\\\")
        ],
    ),
    "text is ordered by code points": (
        ["a", "B", "b", "é", "e\u0301", "z", "Ω", "\uffff", "😀", "", " "],
        ["a < 'b'", "a > 'Z'", "a >= 'é'", "a BETWEEN 'a' AND 'z'", "a > '\uffff'"],
    ),
    "a spelling is not what it spells": (
        [True, "true", 1, "1", None, "null", [1], {"$": 1}.get("x"), {"x": 1}, "{}"],
        ["a = TRUE", "a = 'true'", "a = 1", "a = '1'", "a = 'null'", "a IS NULL", "NOT a"],
    ),
    "a word of SQL is a word": (
        ["'; DROP TABLE datums; --", "%s", "%(x)s", ":x", "?", "{0}"],
        [
            strategies.call(op, {"property": "a"}, text)
            for op in ("=", "like")
            for text in ("'; DROP TABLE datums; --", "%s", "%(x)s", ":x", "?", "{0}")
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_answered_alike(stores: dict[str, Store], example: str) -> None:
    """What went wrong once, or what databases are known to disagree about."""
    answers_of, asked = EXAMPLES[example]
    datums = [velour.Datum(str(place), {"a": value}) for place, value in enumerate(answers_of)]
    assert (
        disagreements(
            stores, datums, [*asked, *(strategies.call("not", _json(one)) for one in asked)]
        )
        == []
    )


NAMED = [
    strategies.call(op, {"property": name}, *values)
    for name in ("uid", "dataset")
    for op, values in (
        ("=", ["1"]), ("<>", ["1"]), ("between", ["0", "2"]), ("like", ["1%"]), ("isNull", []),
        (">", ["1"]), ("in", [["1", "b", "É"]]),
    )
]  # fmt: skip


def test_names_are_texts_like_others(stores: dict[str, Store]) -> None:
    """A uid is never equal to a number, nor different from one."""
    datums = [velour.Datum(uid) for uid in ("1", "10", "a", "B", "é")]
    asked = [*NAMED, *(strategies.call("not", one) for one in NAMED)]
    assert disagreements(stores, datums, asked) == []


def test_a_key_may_have_the_name_of_a_property(stores: dict[str, Store]) -> None:
    """What every datum has is meant; what lies deeper is metadata."""
    answers_of = {"uid": {"x": 1}, "dataset": 1, "location": {"x": 1}}
    asked = ["uid = '1'", "uid.x = 1", "uid.x IS NULL", "location.x = 1", "metadata.dataset = 1",
             "location IS NULL", "metadata.uid = '1'"]  # fmt: skip
    datums = [velour.Datum("1", answers_of), velour.Datum("2", {}, (1, 1))]
    assert disagreements(stores, datums, asked) == []


PLACES = {
    "line": shapely.LineString([(0, 0), (2, 2)]),
    "points": shapely.MultiPoint([(0, 0), (3, 3)]),
    "squares": shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)]),
    "collection": shapely.GeometryCollection([shapely.Point(0, 0), shapely.box(1, 1, 2, 2)]),
    "hole": shapely.Polygon([(0, 0), (3, 0), (3, 3), (0, 3)], [[(1, 1), (2, 1), (2, 2), (1, 2)]]),
    "pole": shapely.Point(0, 90),
    "other side of the line": shapely.Point(-179.9, 0),
    "line itself": shapely.Point(180, 0),
    "far side": shapely.box(179.5, -0.5, 180, 0.5),
}


@pytest.mark.parametrize("place", PLACES)
def test_places_of_every_kind_are_found_alike(stores: dict[str, Store], place: str) -> None:
    points = [shapely.Point(xy) for xy in ((0, 0), (1.5, 1.5), (5, 5), (179.9, 0), (-180, 0))]
    others = [*points, shapely.box(0, 0, 2, 2), shapely.LineString([(0, 0), (5, 5)])]
    asked = [
        strategies.call(op, strategies.LOCATION, shapely.geometry.mapping(other))
        for op in ("s_intersects", "s_within", "s_contains", "s_disjoint")
        for other in others
    ] + [
        strategies.call(
            "dwithin", strategies.LOCATION, shapely.geometry.mapping(point), distance, "km"
        )
        for point in points
        for distance in (10, 100, 300, 10_000)
    ]
    datums = [velour.Datum("1", location=PLACES[place]), velour.Datum("2")]
    assert disagreements(stores, datums, asked) == []


SAME_PLACE = [
    ((180.0, -17.0), (-180.0, -17.0)),
    ((0.0, 90.0), (77.0, 90.0)),
    ((-180.0, -90.0), (12.5, -90.0)),
    ((-0.0, 0.0), (0.0, -0.0)),
    ((5e-324, 1e-300), (0.0, 0.0)),
    ((179.99999999999997, 0.1), (179.99999999999997, 0.1)),
    *(
        (place, place)
        for place in np.random.default_rng(3).uniform((-180, -90), (180, 90), (40, 2))
    ),
]


def test_a_place_is_within_nothing_of_itself(stores: dict[str, Store]) -> None:
    """Also where longitudes begin again, and at a pole, where they all meet."""
    for place, same in SAME_PLACE:
        datums = [velour.Datum("1", location=shapely.Point(place)), velour.Datum("2")]
        point = shapely.geometry.mapping(shapely.Point(same))
        asked = parse_filter(strategies.call("dwithin", strategies.LOCATION, point, 0, "m"))
        assert asked is not None
        (answers_of,) = answers(stores, datums, [asked])
        assert answers_of == {"python": ["1"], "sqlite": ["1"], "postgis": ["1"]}, (place, same)


ACROSS = shapely.MultiPolygon([shapely.box(179, -18, 180, -16), shapely.box(-180, -18, -179, -16)])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("S_INTERSECTS(location, BBOX(178.5, -17.5, -178.5, -16.5))", ["across", "east", "west"]),
        ("S_INTERSECTS(location, BBOX(179.5, -17.5, -179.9, -16.5))", ["across", "east"]),
        ("S_WITHIN(location, BBOX(178, -19, -178, -15))", ["across", "east", "west"]),
        ("S_WITHIN(location, BBOX(180, -19, -178, -15))", ["west"]),
        ("S_DISJOINT(location, BBOX(178.5, -17.5, -178.5, -16.5))", ["africa"]),
        ("S_CONTAINS(location, POINT(-179.5 -17))", ["across"]),
        ("DWITHIN(location, POINT(180 -17), 0, 'm')", ["across"]),
        ("DWITHIN(location, POINT(-180 -17), 0, 'm')", ["across"]),
        ("DWITHIN(location, POINT(-179.9 -17), 0, 'm')", ["across"]),
        ("DWITHIN(location, POINT(-179.9 -17), 50, 'km')", ["across", "east"]),
    ],
)
def test_places_across_the_antimeridian_are_found(
    stores: dict[str, Store], where: str, expected: list[str]
) -> None:
    datums = [
        velour.Datum("across", location=ACROSS),
        velour.Datum("africa", location=(-17, 20)),
        velour.Datum("east", location=(-17, 179.8)),
        velour.Datum("west", location=(-17, -179.2)),
    ]
    asked = parse_filter(where)
    assert asked is not None
    (answers_of,) = answers(stores, datums, [asked])
    assert answers_of == {"python": expected, "sqlite": expected, "postgis": expected}


@settings(max_examples=200)
@given(strategies.filters())
def test_a_filter_is_the_same_in_text_as_in_json(asked: Any) -> None:
    import cql2

    text = cql2.Expr(asked).to_text()
    assert filter_digest(parse_filter(text)) == filter_digest(parse_filter(asked)), text


def _json(asked: Any) -> Any:
    return to_json(parse_filter(asked))  # type: ignore[arg-type]
