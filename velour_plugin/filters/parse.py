"""From CQL2 text or JSON to the expression tree, refusing what has no meaning.

The grammar is the ``cql2`` package's; here names are checked: operators exist,
have the right number of operands, and compare a property with a literal that it can equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry import Point, shape
from shapely.geometry.base import BaseGeometry

from velour_plugin.domain.metadata import GEOJSON_TYPES, checked_location
from velour_plugin.errors import BadFilter, BadGeometry, UnknownName
from velour_plugin.filters.tree import COMPARISONS, METRES, SPATIAL, Call, Literal, Node, Property

LOCATION = "location"
_FLIPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPERATORS = (
    *COMPARISONS, *SPATIAL, "and", "or", "not", "in", "between", "isnull", "like", "dwithin",
)  # fmt: skip


def parse_filter(given: str | Mapping[str, Any] | Node | None) -> Node | None:
    """Read a filter.

    Args:
        given: CQL2 text, CQL2 JSON, an expression tree, or ``None`` for no filter.

    Raises:
        BadFilter: it does not parse, and where; or an operand has the wrong type.
        UnknownName: an operator or unit is none of those that exist.
        BadGeometry: a coordinate is outside latitude ±90 or longitude ±180.
    """
    if given is None or isinstance(given, (Property, Literal, Call)):
        return given
    spelled = _json_of_text(given) if isinstance(given, str) else given
    node = _node(spelled)
    if isinstance(node, Literal):
        raise BadFilter(f"filter {given!r} is a constant: compare a property with it.")
    return _as_condition(node)


def _json_of_text(text: str) -> Any:
    import cql2

    if not text.strip():
        raise BadFilter("the filter is empty: leave it out to select every datum.")
    try:
        return cql2.parse_text(text).to_json()
    except Exception as error:
        raise BadFilter(
            f"the filter does not parse as CQL2:\n{str(error).strip()}\n"
            "An example: city = 'Boston' AND hour >= 20"
        ) from error


def _node(spelled: Any) -> Node:
    if isinstance(spelled, Mapping):
        if "property" in spelled:
            return Property(str(spelled["property"]))
        if "op" in spelled:
            return _call(str(spelled["op"]).lower(), list(spelled.get("args", ())))
        if spelled.get("type") in GEOJSON_TYPES:
            return Literal(_geometry(spelled))
    if isinstance(spelled, (str, bool, int, float)):
        return Literal(spelled)
    if isinstance(spelled, BaseGeometry):
        return Literal(checked_location(spelled))
    raise BadFilter(f"{spelled!r} in a filter: expected a property, literal or operator of CQL2.")


def _geometry(spelled: Mapping[str, Any]) -> BaseGeometry:
    try:
        geometry = shape(dict(spelled))
    except (ShapelyError, ValueError, TypeError, IndexError) as error:
        raise BadGeometry(f"geometry {dict(spelled)!r} in a filter: {error}") from error
    checked = checked_location(geometry)
    assert checked is not None
    return checked


def _call(op: str, args: list[Any]) -> Call:
    if op not in _OPERATORS:
        raise UnknownName("operator", op, _OPERATORS)
    if op == "in" and len(args) == 2 and isinstance(args[1], (list, tuple)):
        args = [args[0], *args[1]]
    nodes = [_node(arg) for arg in args]
    if op in ("and", "or"):
        return Call(op, tuple(_as_condition(node) for node in _flattened(op, nodes)))
    if op == "not":
        _expect(len(nodes) == 1, op, "one condition")
        return Call(op, (_as_condition(nodes[0]),))
    checked: Call = _CHECKS[op](op, nodes)
    return checked


def _flattened(op: str, nodes: list[Node]) -> list[Node]:
    """``(a AND b) AND c`` is ``a AND b AND c``."""
    flat: list[Node] = []
    for node in nodes:
        flat.extend(node.args if isinstance(node, Call) and node.op == op else (node,))
    return flat


def _as_condition(node: Node) -> Call:
    """A bare property stands for a boolean that is true."""
    if isinstance(node, Property):
        return Call("=", (node, Literal(True)))
    if isinstance(node, Literal):
        raise BadFilter(f"{node.value!r} is not a condition: compare a property with it.")
    return node


def _comparison(op: str, nodes: list[Node]) -> Call:
    if len(nodes) == 2 and isinstance(nodes[0], Literal) and isinstance(nodes[1], Property):
        op, nodes = _FLIPPED[op], nodes[::-1]
    _expect(
        len(nodes) == 2 and isinstance(nodes[0], Property) and _is_scalar(nodes[1]),
        op,
        "a property and a number, string or boolean",
    )
    if isinstance(nodes[1], Literal) and isinstance(nodes[1].value, bool):
        _expect(op in ("=", "<>"), op, "numbers or strings; booleans are = or <>")
    return _about_metadata(op, nodes)


def _membership(op: str, nodes: list[Node]) -> Call:
    _expect(
        len(nodes) > 1 and isinstance(nodes[0], Property) and all(map(_is_scalar, nodes[1:])),
        op,
        "a property and a list of numbers, strings or booleans",
    )
    return _about_metadata(op, nodes)


def _between(op: str, nodes: list[Node]) -> Call:
    bounds = [node.value for node in nodes[1:] if isinstance(node, Literal)]
    same = all(isinstance(bound, str) for bound in bounds) or all(map(_is_number, bounds))
    _expect(
        len(nodes) == 3 and isinstance(nodes[0], Property) and len(bounds) == 2 and same,
        op,
        "a property and two numbers or two strings",
    )
    return _about_metadata(op, nodes)


def _is_null(op: str, nodes: list[Node]) -> Call:
    _expect(len(nodes) == 1 and isinstance(nodes[0], Property), op, "one property")
    return Call(op, tuple(nodes))


def _like(op: str, nodes: list[Node]) -> Call:
    pattern = nodes[1] if len(nodes) == 2 else None
    _expect(
        isinstance(nodes[0], Property)
        and isinstance(pattern, Literal)
        and isinstance(pattern.value, str),
        op,
        "a property and a pattern in quotes, % for any text and _ for one character",
    )
    return _about_metadata(op, nodes)


def _spatial(op: str, nodes: list[Node]) -> Call:
    _expect(
        len(nodes) == 2 and _is_location(nodes[0]) and _is_geometry(nodes[1]),
        op,
        "the property location and a geometry",
    )
    return Call(op, tuple(nodes))


def _dwithin(op: str, nodes: list[Node]) -> Call:
    example = "location, POINT(lon lat), a distance and a unit, as in "
    example += "DWITHIN(location, POINT(-71.03 42.36), 50, 'mi')"
    _expect(len(nodes) == 4 and _is_location(nodes[0]), op, example)
    point, distance, unit = map(_value, nodes[1:])
    fits = isinstance(point, Point) and _is_number(distance) and isinstance(unit, str)
    _expect(fits, op, example)
    if unit not in METRES:
        raise UnknownName("unit of length", unit, METRES)
    if not 0 <= distance < 2e7 / METRES[unit]:
        raise BadFilter(
            f"DWITHIN {distance} {unit}: a distance is >= 0 and below half way round the Earth."
        )
    return Call(op, tuple(nodes))


_CHECKS: dict[str, Any] = {
    **dict.fromkeys(COMPARISONS, _comparison),
    **dict.fromkeys(SPATIAL, _spatial),
    "in": _membership,
    "between": _between,
    "isnull": _is_null,
    "like": _like,
    "dwithin": _dwithin,
}


def _about_metadata(op: str, nodes: list[Node]) -> Call:
    if _is_location(nodes[0]):
        raise BadFilter(
            f"location {op} …: a place is asked about with DWITHIN, "
            "S_INTERSECTS, S_WITHIN, S_CONTAINS or S_DISJOINT."
        )
    return Call(op, tuple(nodes))


def _is_scalar(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, (str, bool, int, float))


def _value(node: Node) -> Any:
    return node.value if isinstance(node, Literal) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_location(node: Node) -> bool:
    return isinstance(node, Property) and node.path == (LOCATION,)


def _is_geometry(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, BaseGeometry)


def _expect(holds: bool, op: str, expected: str) -> None:
    if not holds:
        raise BadFilter(f"operator {op.upper()} takes {expected}.")
