"""Operand rules of every operator: make a call, or refuse it naming the valid operands.

Text, JSON and Python expressions all come through :func:`call`, so they make one tree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from velour_plugin.domain.labels import class_text
from velour_plugin.errors import BadAnnotation, BadFilter, UnknownName
from velour_plugin.filters.comparable_values import calculate
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.kinds import described, kinds_of, may_hold, shared
from velour_plugin.filters.language.spatial_operators import dwithin, is_number, spatial
from velour_plugin.filters.language.tree import (
    ARITHMETIC,
    ARRAYS,
    COMPARISONS,
    FLIPPED,
    SPATIAL,
    Call,
    Literal,
    Node,
    Property,
)

LONGEST_PATTERN = 10_000

_EQUALITIES = ("=", "<>", "in")
_SIGNS = {"t_after": ">", "t_before": "<", "t_equals": "="}


@dataclass(frozen=True, slots=True)
class Interval:
    """``INTERVAL``: first and last date or moment; ``None`` where an end is open."""

    first: dt.date | None
    last: dt.date | None


def call(op: str, operands: Sequence[Node | Interval]) -> Node:
    """Make a call of an operator.

    Args:
        op: its name in lower case, as CQL2 JSON has it.
        operands: lists are given as further operands.

    Raises:
        BadFilter: an operand is of the wrong type, or there are too many or too few.
        UnknownName: there is no such operator.
        BadGeometry: a geometry is empty, invalid or a collection.
    """
    if op in _TEMPORAL:
        return _TEMPORAL[op](op, operands)
    if op not in _MAKERS:
        raise UnknownName("operator", op, (*_MAKERS, *_TEMPORAL))
    nodes = [node for node in operands if not isinstance(node, Interval)]
    if len(nodes) != len(operands):
        raise BadFilter(f"operator {op.upper()} takes no INTERVAL: T_DURING does.")
    return _MAKERS[op](op, _with_class_texts(nodes) if op in _EQUALITIES else nodes)


def _with_class_texts(nodes: Sequence[Node]) -> Sequence[Node]:
    """Numbers and booleans beside ``label.value`` as the texts that classes of them have."""
    if not any(isinstance(node, Property) and node.name == "label.value" for node in nodes):
        return nodes
    return [_class_literal(node) if isinstance(node, Literal) else node for node in nodes]


def _class_literal(literal: Literal) -> Literal:
    try:
        return Literal(class_text(literal.value))
    except BadAnnotation:  # a fraction or a date, which no class is called
        return literal


def as_condition(node: Node) -> Call:
    """Return a node as a condition; a bare property means that it is true.

    Raises:
        BadFilter: it is a value, not a condition.
    """
    if isinstance(node, Property) and "boolean" in kinds_of(node):
        return Call("=", (node, Literal(True)))
    if isinstance(node, Call) and kinds_of(node) == {"condition"}:
        return node
    raise BadFilter(f"{described(node)}, not a condition: compare a property with it.")


def _junction(op: str, nodes: Sequence[Node]) -> Node:
    """Join conditions by AND or OR: ``(a AND b) AND c`` is ``a AND b AND c``."""
    flat: list[Node] = []
    for node in nodes:
        flat.extend(node.args if isinstance(node, Call) and node.op == op else (node,))
    _expect(len(flat) > 0, op, "at least one condition")
    conditions = tuple(as_condition(node) for node in flat)
    return conditions[0] if len(conditions) == 1 else Call(op, conditions)


def _negation(op: str, nodes: Sequence[Node]) -> Node:
    _expect(len(nodes) == 1, op, "one condition")
    inner = as_condition(nodes[0])
    return inner.args[0] if inner.op == "not" else Call(op, (inner,))


def _comparison(op: str, nodes: Sequence[Node]) -> Node:
    takes = "a property and a number, string, boolean, date, moment or another property"
    _expect(len(nodes) == 2, op, takes)
    _refuse_places(op, nodes)
    _refuse_lists(op, nodes)
    constant = all(isinstance(node, Literal) for node in nodes)
    _expect(bool(shared(*nodes)) and not constant, op, takes, nodes)
    if isinstance(nodes[0], Literal):
        op, nodes = FLIPPED[op], nodes[::-1]
    if isinstance(nodes[1], Literal) and isinstance(nodes[1].value, bool):
        _expect(op in ("=", "<>"), op, "numbers or strings; booleans are = or <>")
    return Call(op, tuple(nodes))


def _membership(op: str, nodes: Sequence[Node]) -> Node:
    takes = "a property and a list of numbers, strings, booleans, dates or moments"
    _expect(len(nodes) > 1, op, takes)
    _refuse_places(op, nodes)
    first, *items = nodes
    listed = isinstance(first, Literal)
    fits = all(shared(first, item) or (listed and may_hold(item, first)) for item in items)
    constant = isinstance(first, Literal) and any(isinstance(item, Literal) for item in items)
    _expect(fits and not constant, op, takes, nodes[:2])
    return Call(op, tuple(nodes))


def _between(op: str, nodes: Sequence[Node]) -> Node:
    takes = "a property and two bounds of one type: two numbers or two strings, dates or moments"
    _expect(len(nodes) == 3, op, takes)
    _refuse_places(op, nodes)
    bounds = shared(*nodes[1:]) - {"boolean"}
    fits = bool(shared(*nodes) & bounds) and not isinstance(nodes[0], Literal)
    _expect(fits, op, takes, nodes)
    return Call(op, tuple(nodes))


def _is_null(op: str, nodes: Sequence[Node]) -> Node:
    _expect(len(nodes) == 1 and isinstance(nodes[0], Property), op, "one property")
    return Call(op, tuple(nodes))


def _like(op: str, nodes: Sequence[Node]) -> Node:
    takes = "a property and a pattern in quotes, % for any text and _ for one character"
    pattern = nodes[1].value if len(nodes) == 2 and isinstance(nodes[1], Literal) else None
    _refuse_places(op, nodes[:1])
    fits = isinstance(pattern, str) and not isinstance(nodes[0], Literal)
    _expect(fits and "string" in kinds_of(nodes[0]), op, takes, nodes)
    slashes = len(str(pattern)) - len(str(pattern).rstrip("\\"))
    _expect(
        slashes % 2 == 0 and len(str(pattern)) <= LONGEST_PATTERN,
        op,
        f"a pattern of at most {LONGEST_PATTERN} characters; its escape character \\ stands "
        "before %, _ or another \\",
    )
    return Call(op, tuple(nodes))


def _case_insensitive(op: str, nodes: Sequence[Node]) -> Node:
    _expect(len(nodes) == 1 and "string" in kinds_of(nodes[0]), op, "one property or string", nodes)
    if isinstance(nodes[0], Literal):
        return Literal(str(nodes[0].value).casefold())
    return nodes[0] if isinstance(nodes[0], Call) else Call(op, tuple(nodes))


def _arithmetic(op: str, nodes: Sequence[Node]) -> Node:
    takes = "two numbers: properties, literals or arithmetic on them"
    _expect(len(nodes) == 2, op, takes)
    _expect("number" in shared(*nodes), op, takes, nodes)
    values = [node.value for node in nodes if isinstance(node, Literal)]
    if op == "/" and isinstance(nodes[1], Literal):
        _expect(nodes[1].value != 0, op, "a divisor other than 0")
    if len(values) < 2:
        return Call(op, tuple(nodes))
    result = calculate(op, *map(float, values))
    _expect(result is not None, op, "numbers between 1e-150 and 1e150")
    return Literal(result)


def _array(op: str, nodes: Sequence[Node]) -> Node:
    takes = "a property that is a list and values in brackets, as in A_CONTAINS(tags, ('x', 'y'))"
    values = [node.value if isinstance(node, Literal) else None for node in nodes[1:]]
    plain = all(isinstance(value, (str, bool)) or is_number(value) for value in values)
    _expect(plain and bool(values) and isinstance(nodes[0], Property), op, takes)
    _expect(all(may_hold(nodes[0], item) for item in nodes[1:]), op, takes, nodes[:2])
    return Call(op, tuple(nodes))


def _temporal(op: str, operands: Sequence[Node | Interval]) -> Node:
    """``T_AFTER``, ``T_BEFORE`` and ``T_EQUALS`` are comparisons of moments."""
    takes = "a property and TIMESTAMP('2026-07-01T21:30:00Z') or DATE('2026-07-01')"
    _expect(len(operands) == 2, op, takes)
    left, right = operands
    sign = _SIGNS[op]
    if isinstance(left, Literal):
        left, right, sign = right, left, FLIPPED[sign]
    if isinstance(right, Interval) and op != "t_equals":
        end = right.last if sign == ">" else right.first
        _expect(end is not None, op, "an INTERVAL that ends on that side")
        right = Literal(end)
    if isinstance(left, Interval) or isinstance(right, Interval):
        raise BadFilter(f"operator {op.upper()} takes {takes}.")
    _expect(_is_moment(left) and _is_moment(right), op, takes, [left, right])
    return _comparison(sign, [left, right])


def _during(op: str, operands: Sequence[Node | Interval]) -> Node:
    """Between two moments, ends excluded; between two days, ends included."""
    takes = "a property and INTERVAL('2026-07-01', '2026-07-31'), '..' where an end is open"
    _expect(len(operands) == 2, op, takes)
    prop, interval = operands
    if not isinstance(prop, Property) or not isinstance(interval, Interval):
        raise BadFilter(f"operator T_DURING takes {takes}.")
    ends = [(">", interval.first), ("<", interval.last)]
    parts = [
        _comparison(sign if isinstance(end, dt.datetime) else f"{sign}=", [prop, Literal(end)])
        for sign, end in ends
        if end is not None
    ]
    _expect(len(parts) > 0, op, "an INTERVAL with an end")
    return _junction("and", parts)


def _is_moment(node: Node) -> bool:
    return bool(kinds_of(node) & {"datetime", "date"})


def _refuse_places(op: str, nodes: Sequence[Node]) -> None:
    for node in nodes:
        if kinds_of(node) == {"geometry"}:
            raise BadFilter(
                f"{described(node)} and {op.upper()} does not compare places: DWITHIN, "
                "S_INTERSECTS, S_WITHIN, S_CONTAINS and S_DISJOINT do."
            )


def _refuse_lists(op: str, nodes: Sequence[Node]) -> None:
    for node in nodes:
        if kinds_of(node) == {"strings"}:
            name = to_text(node)
            raise BadFilter(
                f"{described(node)} and {op.upper()} compares single values: use 'x' IN ({name}) "
                f"for an item, A_CONTAINS({name}, ('x', 'y')) for all of some, A_OVERLAPS for any."
            )


def _expect(holds: bool, op: str, takes: str, operands: Sequence[Node] = ()) -> None:
    if not holds:
        here = f"; here {' and '.join(map(described, operands))}" if operands else ""
        raise BadFilter(f"operator {op.upper()} takes {takes}{here}.")


_MAKERS: dict[str, Callable[[str, Sequence[Any]], Node]] = {
    **dict.fromkeys(COMPARISONS, _comparison),
    **dict.fromkeys(ARITHMETIC, _arithmetic),
    **dict.fromkeys(SPATIAL, spatial),
    **dict.fromkeys(ARRAYS, _array),
    **dict.fromkeys(("and", "or"), _junction),
    "not": _negation,
    "in": _membership,
    "between": _between,
    "isnull": _is_null,
    "like": _like,
    "casei": _case_insensitive,
    "dwithin": dwithin,
}
_TEMPORAL: dict[str, Callable[[str, Sequence[Node | Interval]], Node]] = {
    **dict.fromkeys(_SIGNS, _temporal),
    "t_during": _during,
}
