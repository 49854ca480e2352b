"""Compile a filter's tree to a function: the reference meaning of every operator.

Both databases must agree with it; tests compare them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from velour_plugin.filters.comparable_values import (
    Readings,
    calculate,
    compare,
    literal_readings,
    readings,
)
from velour_plugin.filters.geodesy import distances, is_on_earth
from velour_plugin.filters.language.tree import (
    ARITHMETIC,
    METRES,
    SPATIAL,
    Call,
    Literal,
    Node,
    Property,
)
from velour_plugin.helpers.libraries import shapely


class Subject(Protocol):
    """What a filter is evaluated on: a datum, a label, an annotation or a run."""

    def value(self, prop: Property) -> Any:
        """Return a property as JSON; ``None`` where it is missing."""

    def geometry(self, prop: Property) -> shapely.Geometry | None:
        """Return a property as a geometry; ``None`` where it is missing or no geometry."""


Truth = Callable[[Subject], "bool | None"]
Scalar = Callable[[Subject], Readings]


def is_related(op: str, left: shapely.Geometry, right: shapely.Geometry) -> bool:
    """Whether a spatial operator such as ``s_within`` holds for two geometries."""
    return bool(getattr(shapely, op.removeprefix("s_"))(left, right))


def compiled(node: Node) -> Truth:
    """Make a function of a subject: whether a filter is true of it; ``None`` for unknown."""
    assert isinstance(node, Call)
    if node.op in ("and", "or"):
        parts = [compiled(arg) for arg in node.args]
        decisive = node.op == "or"
        return lambda subject: junction(decisive, (part(subject) for part in parts))
    if node.op == "not":
        return _negated(compiled(node.args[0]))
    if node.op in SPATIAL:
        return _related(node)
    return _CONDITIONS.get(node.op, _compared)(node)


def junction(decisive: bool, truths: Iterable[bool | None]) -> bool | None:
    """Join values by OR (``decisive`` is true) or AND; ``None`` is unknown."""
    results = list(truths)
    if decisive in results:
        return decisive
    return None if None in results else not decisive


def like_pattern(pattern: str) -> re.Pattern[str]:
    r"""Convert SQL's LIKE to a regular expression.

    Case counts; ``%`` is any text, ``_`` one character, and after ``\`` both are themselves.
    """
    tokens = re.findall(r"\\.|.", pattern, re.DOTALL)
    parts = {"%": ".*", "_": "."}
    return re.compile(
        "".join(parts.get(token, re.escape(token[-1])) for token in tokens), re.DOTALL
    )


def related(op: str, left: shapely.Geometry | None, right: shapely.Geometry | None) -> bool | None:
    """Compare two geometries; ``None`` where one crosses itself, is a collection or is missing."""
    if not (is_comparable(left) and is_comparable(right)):
        return None
    return is_related(op, left, right)


def is_comparable(geometry: shapely.Geometry | None) -> bool:
    """Whether a geometry is there, does not cross itself, and is no collection."""
    if geometry is None or geometry.geom_type == "GeometryCollection":
        return False
    return bool(shapely.is_valid(geometry))


def _negated(inner: Truth) -> Truth:
    def negated(subject: Subject) -> bool | None:
        truth = inner(subject)
        return None if truth is None else not truth

    return negated


def _compared(node: Call) -> Truth:
    op, (left, right) = node.op, map(_scalar, node.args)
    return lambda subject: compare(op, left(subject), right(subject))


def _between(node: Call) -> Truth:
    value, low, high = map(_scalar, node.args)

    def between(subject: Subject) -> bool | None:
        left = value(subject)
        bounds = (compare(">=", left, low(subject)), compare("<=", left, high(subject)))
        return junction(False, bounds)

    return between


def _in(node: Call) -> Truth:
    first, *items = node.args
    if isinstance(first, Literal):
        return _held(literal_readings(first.value), items)
    if all(isinstance(item, Literal) for item in items):
        return _among(_scalar(first), [literal_readings(_value(item)) for item in items])
    scalars, value = [_scalar(item) for item in items], _scalar(first)

    def among(subject: Subject) -> bool | None:
        left = value(subject)
        return junction(True, (compare("=", left, item(subject)) for item in scalars))

    return among


def _among(value: Scalar, literals: Sequence[Readings]) -> Truth:
    """One of many literals; a set for each combination of types that a literal is read as."""
    groups: dict[tuple[str, ...], dict[str, set[Any]]] = {}
    for literal in literals:
        group = groups.setdefault(tuple(literal), {kind: set() for kind in literal})
        for kind, reading in literal.items():
            group[kind].add(reading)

    def among(subject: Subject) -> bool | None:
        left = value(subject)
        return junction(True, (_is_in(left, group) for group in groups.values()))

    return among


def _is_in(left: Readings, group: dict[str, set[Any]]) -> bool | None:
    shared = [kind for kind in group if kind in left]
    return any(left[kind] in group[kind] for kind in shared) if shared else None


def _held(literal: Readings, holders: Sequence[Node]) -> Truth:
    """``'x' IN (tags)``: a property equals it, or is a list that holds it."""

    def holds(holder: Node) -> Truth:
        if not isinstance(holder, Property):
            scalar = _scalar(holder)
            return lambda subject: compare("=", scalar(subject), literal)

        def held(subject: Subject) -> bool | None:
            value = subject.value(holder)
            if isinstance(value, list):
                return any(compare("=", readings(item), literal) for item in value)
            return compare("=", readings(value), literal)

        return held

    parts = [holds(holder) for holder in holders]
    return lambda subject: junction(True, (part(subject) for part in parts))


def _listed(node: Call) -> Truth:
    """``A_CONTAINS``: the list holds every value; ``A_OVERLAPS``: at least one."""
    prop, *items = node.args
    assert isinstance(prop, Property)
    literals = [literal_readings(_value(literal)) for literal in items]
    enough = all if node.op == "a_contains" else any

    def listed(subject: Subject) -> bool | None:
        values = subject.value(prop)
        if not isinstance(values, list):
            return None
        items = [readings(value) for value in values]
        return enough(any(compare("=", item, literal) for item in items) for literal in literals)

    return listed


def _is_null(node: Call) -> Truth:
    (prop,) = node.args
    assert isinstance(prop, Property)
    if prop.name in ("location", "annotation.geometry"):
        return lambda subject: subject.geometry(prop) is None
    return lambda subject: subject.value(prop) is None


def _like(node: Call) -> Truth:
    value, pattern = _scalar(node.args[0]), like_pattern(_value(node.args[1]))

    def like(subject: Subject) -> bool | None:
        text = value(subject).get("string")
        return None if text is None else bool(pattern.fullmatch(text))

    return like


def _related(node: Call) -> Truth:
    left, right = map(_geometry, node.args)
    return lambda subject: related(node.op, left(subject), right(subject))


def _near(node: Call) -> Truth:
    geometry = _geometry(node.args[0])
    point, distance, unit = map(_value, node.args[1:])
    metres = distance * METRES[unit]

    def near(subject: Subject) -> bool | None:
        location = geometry(subject)
        if location is None or not is_on_earth(location):
            return None
        return bool(distances([location], point.x, point.y)[0] <= metres)

    return near


def _scalar(node: Node) -> Scalar:
    if isinstance(node, Literal):
        constant = literal_readings(node.value)
        return lambda _: constant
    if isinstance(node, Property):
        return lambda subject: readings(subject.value(node))
    if node.op in ARITHMETIC:
        return _calculated(node)
    inner = _scalar(node.args[0])
    return lambda subject: _folded(inner(subject))


def _folded(value: Readings) -> Readings:
    return {"string": value["string"].casefold()} if "string" in value else {}


def _calculated(node: Call) -> Scalar:
    left, right = map(_scalar, node.args)

    def calculated(subject: Subject) -> Readings:
        numbers = (left(subject).get("number"), right(subject).get("number"))
        result = calculate(node.op, *numbers)
        return {} if result is None else {"number": result}

    return calculated


def _geometry(node: Node) -> Callable[[Subject], shapely.Geometry | None]:
    if isinstance(node, Property):
        return lambda subject: subject.geometry(node)
    constant = _value(node)
    return lambda _: constant


def _value(node: Node) -> Any:
    assert isinstance(node, Literal)
    return node.value


_CONDITIONS: dict[str, Callable[[Call], Truth]] = {
    "in": _in,
    "between": _between,
    "isnull": _is_null,
    "like": _like,
    "dwithin": _near,
    "a_contains": _listed,
    "a_overlaps": _listed,
}
