"""Answer a filter for datums in memory; the meaning that both stores must agree with."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.errors import UnknownName
from velour_plugin.filters.geodesy import distances
from velour_plugin.filters.tree import METRES, Call, Literal, Node, Property, properties

BUILT_IN = ("uid", "dataset", "location")
"""Properties that every datum has, beside its metadata."""

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SPATIAL: dict[str, Callable[[Any, Any], Any]] = {
    "s_intersects": shapely.intersects,
    "s_within": shapely.within,
    "s_contains": shapely.contains,
    "s_disjoint": shapely.disjoint,
}


def matching(
    node: Node | None, datums: Sequence[Datum], dataset: str, strict: bool = True
) -> NDArray[np.bool_]:
    """Say which datums a filter selects.

    Args:
        node: as :func:`velour_plugin.filters.parse_filter` made it; ``None`` selects all.
        datums: of one dataset.
        dataset: its name.
        strict: refuse properties that none of these datums has; say no when they are but a part.

    Returns:
        ``(datums,)`` bool; what is unknown is not selected.

    Raises:
        UnknownName: no datum has a property that the filter names.
    """
    if node is None:
        return np.ones(len(datums), bool)
    records = [encode_metadata(datum.metadata) for datum in datums]
    if strict:
        check_properties(node, {name for record in records for name in record})
    return np.array(
        [
            _truth(node, datum, {**record, "uid": datum.uid, "dataset": dataset}) is True
            for datum, record in zip(datums, records, strict=True)
        ],
        dtype=bool,
    )


def check_properties(node: Node, known: set[str]) -> None:
    """Refuse a filter on a property that no datum has: its answer would be a silent nothing."""
    for prop in properties(node):
        if prop.path[0] not in known and prop.path[0] not in BUILT_IN:
            raise UnknownName("property", prop.name, {*known, *BUILT_IN})


def like_pattern(pattern: str) -> re.Pattern[str]:
    """SQL's LIKE as a regular expression: case counts, % is any text, _ one character."""
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(char, re.escape(char)) for char in pattern), re.DOTALL)


def _truth(node: Node, datum: Datum, record: Mapping[str, Any]) -> bool | None:
    assert isinstance(node, Call)
    if node.op in ("and", "or"):
        return _junction(node.op, [_truth(arg, datum, record) for arg in node.args])
    if node.op == "not":
        inner = _truth(node.args[0], datum, record)
        return None if inner is None else not inner
    if node.op in _SPATIAL or node.op == "dwithin":
        return _place(node, datum)
    if node.op == "isnull" and node.args[0] == Property("location"):
        return datum.location is None
    return _scalar(node, record)


def _junction(op: str, truths: list[bool | None]) -> bool | None:
    decisive = op == "or"
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _place(node: Call, datum: Datum) -> bool | None:
    if datum.location is None:
        return None
    value = _literal(node.args[1])
    if node.op == "dwithin":
        metres = _literal(node.args[2]) * METRES[_literal(node.args[3])]
        return bool(distances([datum.location], value.x, value.y)[0] <= metres)
    return bool(_SPATIAL[node.op](datum.location, value))


def _scalar(node: Call, record: Mapping[str, Any]) -> bool | None:
    prop, *others = node.args
    assert isinstance(prop, Property)
    value: Any = record
    for step in prop.path:
        value = value.get(step) if isinstance(value, Mapping) else None
    if node.op == "isnull":
        return value is None
    literals = [_literal(other) for other in others]
    if node.op == "in":
        return _junction("or", [_compare("=", value, item) for item in literals])
    if node.op == "between":
        low, high = literals
        return _junction("and", [_compare(">=", value, low), _compare("<=", value, high)])
    if node.op == "like":
        pattern = like_pattern(literals[0])
        return bool(pattern.fullmatch(value)) if isinstance(value, str) else None
    return _compare(node.op, value, literals[0])


def _compare(op: str, value: Any, literal: Any) -> bool | None:
    return _OPERATORS[op](value, literal) if _kind(value) == _kind(literal) else None


def _kind(value: Any) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else None


def _literal(node: Node) -> Any:
    assert isinstance(node, Literal)
    return node.value
