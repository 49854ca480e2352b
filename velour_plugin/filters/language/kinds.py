"""The types that an expression can have, known before any datum is seen."""

from __future__ import annotations

from typing import Any

from velour_plugin.filters.comparable_values import KINDS, literal_readings
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.tree import (
    ARITHMETIC,
    COMPARISONS,
    Call,
    Literal,
    Node,
    Property,
    conjuncts,
)
from velour_plugin.helpers.libraries import is_geometry

ANY = frozenset((*KINDS, "geometry", "strings"))
"""Metadata may be of any type."""
FACT = frozenset(("number", "string", "strings"))
"""Facts may be of these types."""

_DESCRIPTIONS = {
    "geometry": "a place",
    "condition": "a condition",
    "datetime": "a moment",
    "strings": "a list of strings",
}


def kinds_of(node: Node) -> frozenset[str]:
    """Return the types that the values of an expression can have, such as ``number``."""
    if isinstance(node, Property):
        return {"any": ANY, "fact": FACT}.get(node.kind, frozenset((node.kind,)))
    if isinstance(node, Literal):
        geometry = is_geometry(node.value)
        return frozenset(("geometry",) if geometry else literal_readings(node.value))
    if node.op == "casei":
        return frozenset(("string",))
    return frozenset(("number",) if node.op in ARITHMETIC else ("condition",))


def shared(*nodes: Node) -> frozenset[str]:
    """Return the types that all of the expressions can have, other than geometry."""
    return frozenset.intersection(frozenset(KINDS), *map(kinds_of, nodes))


def may_hold(holder: Node, item: Node) -> bool:
    """Whether an expression can be a list that a literal is in."""
    kinds = kinds_of(holder)
    return "strings" in kinds and (kinds != {"strings"} or "string" in kinds_of(item))


def described(node: Node) -> str:
    """Say an expression's type, for a message: ``uid is a string``."""
    kinds = kinds_of(node)
    if kinds == ANY:
        return f"{to_text(node)} is metadata"
    if kinds == FACT:
        return f"{to_text(node)} is a number, a string or a list of these"
    first: Any = next(
        (kind for kind in (*KINDS, "geometry", "strings", "condition") if kind in kinds), "value"
    )
    first = "date" if {"day", "date"} <= kinds else first
    return f"{to_text(node)} is {_DESCRIPTIONS.get(first, f'a {first}')}"


def contradictions(node: Node | None) -> list[str]:
    """Return a line for each property that a filter compares with two types: it selects nothing.

    Only conditions that must all be true are looked at.
    """
    literals_of: dict[str, list[Node]] = {}
    for part in conjuncts(node):
        if isinstance(part, Call) and part.op in COMPARISONS:
            named = [arg for arg in part.args if isinstance(arg, Property)]
            literals = [arg for arg in part.args if isinstance(arg, Literal)]
            if len(named) == len(literals) == 1:
                literals_of.setdefault(named[0].name, []).append(literals[0])
    return [
        f"No {name} can be all at once: {', '.join(map(described, literals))}."
        for name, literals in literals_of.items()
        if not shared(*literals)
    ]
