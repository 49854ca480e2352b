"""The expression tree of a filter: properties, literals, and calls of operators on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Union

from velour_plugin.domain.encoding.canonical import canonical_json, digest
from velour_plugin.filters import property_names
from velour_plugin.filters.properties import PropertyFamily, family_of
from velour_plugin.helpers.libraries import is_geometry, shapely

COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
FLIPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Each comparison with its sides exchanged."""
ARITHMETIC = ("+", "-", "*", "/")
SPATIAL = ("s_intersects", "s_within", "s_contains", "s_disjoint")
TURNED = {"s_within": "s_contains", "s_contains": "s_within"}
"""Spatial operators with their sides exchanged; others keep their names."""
ARRAYS = ("a_contains", "a_overlaps")
METRES = {"m": 1.0, "km": 1000.0, "mi": 1609.344, "nmi": 1852.0}
"""Length of each unit that ``DWITHIN`` knows."""

_UNORDERED = ("and", "or")


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a filter, with its family, kind and path.

    Args:
        name: canonical, without a redundant ``metadata.``.
        at: position in the filter, for messages; properties of one name are equal.
        family: that it belongs to; ``None`` for metadata of datums.
        kind: of its values, as families name kinds; ``any`` for metadata.
        path: steps into the metadata that it is in; empty where it is no metadata.
        fact: the fact that answers it, such as ``fact.quality.blur``; ``None`` for all others.
    """

    name: str
    at: str = field(default="", compare=False, repr=False)
    family: PropertyFamily | None = field(init=False, compare=False, repr=False)
    kind: str = field(init=False, compare=False, repr=False)
    path: tuple[str, ...] = field(init=False, compare=False, repr=False)
    fact: str | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        name = property_names.canonical_name(self.name)
        family = family_of(name)
        meaning = {
            "name": name,
            "family": family,
            "kind": "any" if family is None else family.kind_of(name),
            "path": property_names.path_of(name, family),
            "fact": property_names.fact_of(name, family),
        }
        for key, value in meaning.items():
            object.__setattr__(self, key, value)

    @property
    def about(self) -> str:
        """What it belongs to, such as ``datum``, ``label`` or ``run``; ``Split`` divides by it."""
        return "datum" if self.family is None else self.family.about


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, boolean, moment, date or shapely geometry."""

    value: Any


@dataclass(frozen=True, slots=True)
class Call:
    """An operator with its arguments; ``in`` and arrays hold their list as further arguments."""

    op: str
    args: tuple[Node, ...]


Node = Union[Property, Literal, Call]


def properties(node: Node) -> Iterator[Property]:
    """Yield every property in an expression."""
    if isinstance(node, Property):
        yield node
    elif isinstance(node, Call):
        for arg in node.args:
            yield from properties(arg)


def conjuncts(node: Node | None) -> tuple[Node, ...]:
    """Return the conditions that are joined by AND at the top; empty for no filter."""
    if isinstance(node, Call) and node.op == "and":
        return tuple(part for arg in node.args for part in conjuncts(arg))
    return () if node is None else (node,)


def conjunction(parts: list[Node]) -> Node | None:
    """Join conditions by AND; ``None`` for no condition."""
    return Call("and", tuple(parts)) if len(parts) > 1 else parts[0] if parts else None


def to_json(node: Node) -> Any:
    """Convert an expression to canonical CQL2 JSON: operands without an order are sorted."""
    if isinstance(node, Property):
        return {"property": node.name}
    if isinstance(node, Literal):
        return _literal_json(node.value)
    args = [to_json(arg) for arg in node.args]
    if node.op in _UNORDERED:
        args = _sorted([part for arg in args for part in _parts(node.op, arg)])
        return args[0] if len(args) == 1 else {"op": node.op, "args": args}
    if node.op == "not" and isinstance(args[0], dict) and args[0].get("op") == "not":
        return args[0]["args"][0]  # a double NOT appears once equal operands are merged
    if node.op == "in" or node.op in ARRAYS:
        return {"op": node.op, "args": [args[0], _sorted(args[1:])]}
    op, args = _turned(node.op, args)
    return {"op": op, "args": args}


def filter_digest(node: Node | None) -> str | None:
    """Digest a filter, whatever the order of its operands; ``None`` for no filter."""
    return None if node is None else digest(canonical_json(to_json(node)))


def utc_text(moment: dt.datetime) -> str:
    """Write a moment as CQL2 does, in UTC; one without a zone is in UTC already."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return aware.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _literal_json(value: Any) -> Any:
    if is_geometry(value):
        return shapely.geometry.mapping(shapely.normalize(value))
    if isinstance(value, dt.datetime):
        return {"timestamp": utc_text(value)}
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    return value


def _parts(op: str, json_node: Any) -> list[Any]:
    nested = isinstance(json_node, dict) and json_node.get("op") == op
    return list(json_node["args"]) if nested else [json_node]


def _turned(op: str, args: list[Any]) -> tuple[str, list[Any]]:
    """Exchange two operands that are not in canonical order, where the meaning stays."""
    new = _EXCHANGED.get(op)
    if new is None or len(args) != 2 or _rank(args[0]) <= _rank(args[1]):
        return op, args
    return new, args[::-1]


_EXCHANGED: dict[str, str] = {
    **FLIPPED,
    **{op: TURNED.get(op, op) for op in SPATIAL},
    "+": "+",
    "*": "*",
}


def _rank(operand: Any) -> tuple[bool, str]:
    """Sort key of operands: properties come before literals."""
    literal = not isinstance(operand, dict) or not {"op", "property"} & set(operand)
    return literal, canonical_json(operand)


def _sorted(operands: list[Any]) -> list[Any]:
    """Operands sorted by their canonical JSON, equal ones once."""
    return [value for _, value in sorted({canonical_json(item): item for item in operands}.items())]


def mapped(node: Node, change: Callable[[Literal], Node]) -> Node:
    """Return the expression with each literal replaced by what ``change`` makes of it."""
    if isinstance(node, Call):
        return Call(node.op, tuple(mapped(arg, change) for arg in node.args))
    return change(node) if isinstance(node, Literal) else node
