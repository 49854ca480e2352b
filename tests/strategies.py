"""Hypothesis strategies: datums with awkward metadata and places, and filters about them.

Values come from small pools, so that filters find something; texts, keys and numbers
are those that databases disagree about. A filter is CQL2 JSON, made of conditions::

    filters(st.one_of(*CONDITIONS))   # all that there are, below AND, OR and NOT

To cover a new operator, write the strategy of its condition and add it to ``CONDITIONS``.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import shapely
from hypothesis import strategies as st
from shapely.geometry import mapping

import velour_plugin as velour

Json = dict[str, Any]

KEYS = ("a", "b", "two words", 'a "quote"', "it's", "back\\slash", "100%", "ключ", "from")
STEPS = ("x", "y z", "0", 'in "ner', "火")
"""Keys of nested metadata; ``0`` is also the place of a list's first item."""

PATHS = tuple(KEYS) + tuple(f"{key}.{step}" for key in KEYS[:3] for step in STEPS)

numbers = st.one_of(
    st.sampled_from([0, 1, -1, 2, 1.5, -0.5, 0.1, 0.30000000000000004, 2**53, 1e300, -1e-300]),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
)
texts = st.one_of(
    st.sampled_from(
        ["", "a", "A", "ab", "b", "a%b", "a_b", "%", "_", "\\", "\\%", "it's", '"', "Zürich",
         "zürich", "火", "🔥", "é", "e\u0301", "true", "1", "null", "a\nb", " a ", "ß", "SS"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=4),
)  # fmt: skip
booleans = st.booleans()
scalars = st.one_of(numbers, texts, booleans)
folded = st.sampled_from(
    ["straße", "STRASSE", "ΣΑΣ", "σας", "σασ", "ﬁn", "FIN", "İ", "i̇", "I", "ı", "Å", "å", "Ǆ", "ﬀi"]
)
"""Texts whose case is not that of ASCII."""
ZONES = (dt.UTC, dt.timezone(dt.timedelta(hours=-4)), dt.timezone(dt.timedelta(hours=14)))
MIDNIGHT = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
moments = st.one_of(
    st.sampled_from([0, 1e-6, -1e-6, 0.5, 3600, -3600, 86400]).map(
        lambda seconds: MIDNIGHT + dt.timedelta(seconds=seconds)
    ),
    st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2100, 1, 1)),
)
zoned = st.builds(lambda moment, zone: moment.astimezone(zone) if moment.tzinfo else moment,
                  moments, st.sampled_from(ZONES))  # fmt: skip
days = st.one_of(
    st.sampled_from([MIDNIGHT.date(), dt.date(2026, 6, 30), dt.date(2026, 7, 2)]), st.dates()
)
clocks = st.one_of(
    st.sampled_from([dt.time(20), dt.time(20, 0, 0, 500_000), dt.time(19, 59, 59, 999_999)]),
    st.times(),
)
durations = st.one_of(
    st.sampled_from([dt.timedelta(seconds=2), dt.timedelta(0), dt.timedelta(days=1)]),
    st.timedeltas(dt.timedelta(days=-2), dt.timedelta(days=1000)),
)
nested = st.recursive(
    st.one_of(st.none(), scalars),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(STEPS), inner, max_size=3)
    ),
    max_leaves=4,
)
values = st.one_of(
    st.none(), scalars, folded, st.lists(scalars, max_size=3), nested, zoned, days, clocks,
    durations, st.sampled_from(["20:00", "20:00:00.5", "PT2S", "2026-07-01"]),
    st.deferred(lambda: shapes),
)  # fmt: skip
metadata = st.dictionaries(
    st.one_of(st.sampled_from(KEYS), st.sampled_from(["a", "b", "a.x"])), values, max_size=5
)

degrees = st.integers(-3, 3)
points = st.builds(shapely.Point, degrees, degrees)
cities = st.sampled_from(
    [(-71.03, 42.36), (-115.14, 36.17), (32.56, 15.50), (179.9, -17), (-179.9, -17), (0, 89.9)]
).map(shapely.Point)

SIDES = st.integers(1, 3)


@st.composite
def squares(draw: st.DrawFn, sizes: st.SearchStrategy[float] = SIDES) -> shapely.Polygon:
    """Axis-aligned, with corners on a grid that places share, so that borders touch."""
    west, south, size = draw(degrees), draw(degrees), draw(sizes)
    return shapely.box(west, south, west + size, south + size)


small_squares = squares(st.sampled_from([0.125, 0.25, 0.5]))
locations = st.one_of(st.none(), points, cities, small_squares)


@st.composite
def datums(draw: st.DrawFn, max_size: int = 8) -> list[velour.Datum]:
    """Datums of one dataset; the last has every key, so that each filter is about a property."""
    drawn = draw(st.lists(st.tuples(metadata, locations), max_size=max_size))
    items = [velour.Datum(str(place), *one) for place, one in enumerate(drawn)]
    return [*items, velour.Datum("last", dict.fromkeys(KEYS))]


properties = st.builds(
    lambda prefix, path: {"property": prefix + path},
    st.sampled_from(["", "metadata."]),
    st.one_of(st.sampled_from(["a", "b"]), st.sampled_from(PATHS)),
)
names = st.sampled_from([{"property": "uid"}, {"property": "dataset"}])
LOCATION = {"property": "location"}


def call(op: str, *args: Any) -> Json:
    """An operator on its operands."""
    return {"op": op, "args": list(args)}


signs = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
equalities = st.builds(call, st.sampled_from(["=", "<>"]), properties, scalars)
comparisons = st.one_of(
    st.builds(call, signs, properties, st.one_of(numbers, texts)),
    st.builds(call, signs, properties, properties),
    st.builds(call, signs, names, texts),
)
memberships = st.one_of(
    st.builds(call, st.just("in"), properties, st.lists(scalars, min_size=1, max_size=4)),
    st.builds(call, st.just("in"), names, st.lists(texts, min_size=1, max_size=4)),
    st.builds(call, st.just("in"), scalars, st.lists(properties, min_size=1, max_size=2)),
)
ranges = st.one_of(
    st.builds(call, st.just("between"), properties, numbers, numbers),
    st.builds(call, st.just("between"), st.one_of(properties, names), texts, texts),
)
patterns = st.builds(
    call,
    st.just("like"),
    st.one_of(properties, names),
    texts.filter(lambda text: (len(text) - len(text.rstrip("\\"))) % 2 == 0),
)
absences = st.builds(call, st.just("isNull"), st.one_of(properties, names, st.just(LOCATION)))


def casei(value: Any) -> Json:
    """A text without its case."""
    return call("casei", value)


caseless = st.one_of(
    st.builds(
        lambda sign, left, right: call(sign, casei(left), casei(right)),
        signs, st.one_of(properties, names), st.one_of(texts, folded, properties),
    ),
    st.builds(
        lambda left, start: call("like", casei(left), casei(f"{start}%")),
        properties, st.sampled_from(["", "S", "σ", "F", "STRASS"]),
    ),
)  # fmt: skip
calculated = st.recursive(
    properties,
    lambda inner: st.builds(
        call, st.sampled_from(["+", "-", "*", "/"]), inner,
        st.one_of(inner, st.sampled_from([1, -1, 0.5, 3, 1e150, 1e300, -1e200, 1e-300])),
    ),
    max_leaves=3,
)  # fmt: skip
arithmetic = st.builds(call, signs, calculated, st.one_of(st.integers(-3, 3), calculated))

timestamps = zoned.map(lambda moment: {"timestamp": moment.isoformat()})
dates = days.map(lambda day: {"date": day.isoformat()})
ends = st.one_of(
    zoned.map(lambda moment: moment.isoformat()), days.map(lambda day: day.isoformat())
)
times = st.one_of(
    st.builds(call, signs, properties, st.one_of(timestamps, dates)),
    st.builds(
        call, st.sampled_from(["t_after", "t_before", "t_equals"]), properties,
        st.one_of(timestamps, dates),
    ),
    st.builds(
        lambda prop, first, last: call("t_during", prop, {"interval": [first, last]}),
        properties, ends, st.one_of(ends, st.just("..")),
    ),
    st.builds(
        call, signs, properties,
        st.sampled_from(["20:00", "20:00:00", "19:59:59.999999", "PT2S", "P1D", "-PT0.5S"]),
    ),
    st.builds(
        lambda prop, items: call("in", prop, items),
        properties,
        st.lists(st.one_of(timestamps, dates, st.sampled_from(["20:00", "PT2S", "a"])),
                 min_size=1, max_size=3),
    ),
)  # fmt: skip
arrays = st.builds(
    call,
    st.sampled_from(["a_contains", "a_overlaps"]),
    properties,
    st.lists(scalars, min_size=1, max_size=2),
)
bowtie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
shapes = st.one_of(
    points, squares(), st.just(bowtie), st.just(shapely.Point()), st.just(shapely.Point(200, 95)),
    st.just(shapely.GeometryCollection([shapely.Point(1, 1), shapely.Point(0, 0)])),
    st.just({"type": "Point", "coordinates": [1, 1], "note": "not only a geometry"}),
)  # fmt: skip
RELATIONS = st.sampled_from(["s_intersects", "s_within", "s_contains", "s_disjoint"])
shape_relations = st.one_of(
    st.builds(call, RELATIONS, properties, st.one_of(points, squares()).map(mapping)),
    st.builds(call, RELATIONS, st.one_of(points, squares()).map(mapping), properties),
    st.builds(call, RELATIONS, properties, st.one_of(properties, st.just(LOCATION))),
    st.builds(
        lambda prop, point: call("dwithin", prop, mapping(point), 100, "km"), properties, points
    ),
)
relations = st.builds(
    call,
    st.sampled_from(["s_intersects", "s_within", "s_contains", "s_disjoint"]),
    st.just(LOCATION),
    st.one_of(points, squares(), small_squares).map(mapping),
)
nearness = st.builds(
    call,
    st.just("dwithin"),
    st.just(LOCATION),
    st.one_of(points, cities).map(mapping),
    st.sampled_from([0, 1, 50, 100, 250, 1000, 5000]),
    st.sampled_from(["m", "km", "mi", "nmi"]),
)
CONDITIONS = (
    equalities, comparisons, memberships, ranges, patterns, absences, relations, nearness,
    caseless, arithmetic, times, arrays, shape_relations,
)  # fmt: skip

LABELS = (("class", "boat"), ("class", "swimmer"), ("color", "red"), ("color", "boat"))
FACTS = ("fact.s.a", "fact.s.b", "fact.other.two words")
"""Facts that the last datum has all of, so that each filter is about a fact that exists."""

fact_items = st.one_of(
    numbers.map(float).filter(lambda number: abs(number) < 1e300),
    st.sampled_from(["", "a", "Z", "1", "boat"]),
)
fact_values = st.one_of(fact_items, st.lists(fact_items, min_size=1, max_size=3).map(tuple))
tags = st.sampled_from(["night", "a", "it's", "%"])


@st.composite
def known_datums(draw: st.DrawFn) -> list[tuple[velour.GroundTruth, Json]]:
    """Datums with labels, and for each its facts by name."""
    made = []
    for number in range(draw(st.integers(0, 4))):
        labels = draw(st.lists(st.lists(st.sampled_from(LABELS), min_size=1, unique=True),
                               max_size=3))  # fmt: skip
        facts: Json = draw(st.dictionaries(st.sampled_from(FACTS), fact_values))
        tagged = draw(st.lists(tags, unique=True))
        if tagged:
            facts["fact.tags"] = tuple(tagged)
        annotations = [
            velour.Annotation([velour.Label(*name) for name in names]) for names in labels
        ]
        datum = velour.Datum(str(number), draw(st.sampled_from([{}, {"a": 1}, {"a": "a"}])))
        made.append((velour.GroundTruth(datum, annotations), facts))
    last = velour.Datum("last", {"a": 2})
    return [*made, (velour.GroundTruth(last), dict.fromkeys(FACTS, 0.5))]


fact_names = st.sampled_from(FACTS).map(lambda name: {"property": name})
lists = st.sampled_from(["fact.tags", "datum.labels"]).map(lambda name: {"property": name})
listed = st.one_of(tags, st.sampled_from(["boat", "class=boat", "color=boat", "red", "=", "class"]))
TRUTHS = {"property": "datum.truths"}
countable = st.one_of(fact_names, st.just(TRUTHS), st.just({"property": "a"}))
fact_conditions = st.one_of(
    st.builds(call, signs, st.one_of(fact_names, st.just(TRUTHS)), fact_items.filter(
        lambda item: not isinstance(item, str))),
    st.builds(call, signs, fact_names, st.one_of(fact_items, countable)),
    st.builds(call, signs, st.builds(call, st.sampled_from(["+", "-", "*", "/"]), countable,
                                     countable), st.integers(-3, 3)),
    st.builds(call, st.just("between"), fact_names, st.just(0), numbers),
    st.builds(call, st.just("in"), fact_names, st.lists(fact_items, min_size=1, max_size=3)),
    st.builds(call, st.just("like"), fact_names, st.sampled_from(["a", "%", "_", "b%"])),
    st.builds(call, st.just("isNull"), st.one_of(fact_names, lists, st.just(TRUTHS))),
    st.builds(lambda item, name: call("in", item, [name]), listed, lists),
    st.builds(lambda item, name: call("in", item, [name]), fact_items, fact_names),
    st.builds(lambda op, name, items: call(op, name, items),
              st.sampled_from(["a_contains", "a_overlaps"]), lists,
              st.lists(listed, min_size=1, max_size=2)),
    st.builds(lambda op, name, items: call(op, name, items),
              st.sampled_from(["a_contains", "a_overlaps"]), fact_names,
              st.lists(fact_items, min_size=1, max_size=2)),
)  # fmt: skip
"""On facts and on what ground truth shows."""


def filters(
    conditions: st.SearchStrategy[Json] | None = None, max_leaves: int = 6
) -> st.SearchStrategy[Json]:
    """Conditions under AND, OR and NOT."""
    return st.recursive(
        conditions if conditions is not None else st.one_of(*CONDITIONS),
        lambda inner: st.one_of(
            st.builds(lambda op, args: call(op, *args), st.sampled_from(["and", "or"]),
                      st.lists(inner, min_size=2, max_size=3)),
            st.builds(call, st.just("not"), inner),
        ),
        max_leaves=max_leaves,
    )  # fmt: skip
