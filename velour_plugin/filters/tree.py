"""The expression tree of a filter: properties, literals, and calls of operators on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from velour_plugin.domain.canonical import canonical_json, digest

COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
SPATIAL = ("s_intersects", "s_within", "s_contains", "s_disjoint")
METRES = {"m": 1.0, "km": 1000.0, "mi": 1609.344, "nmi": 1852.0}
"""Length of each unit that ``DWITHIN`` knows."""

_UNORDERED = ("and", "or")


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a datum; ``path`` leads into nested metadata."""

    name: str

    @property
    def path(self) -> tuple[str, ...]:
        """Steps into the metadata; the prefix ``metadata.`` may be left out."""
        return tuple(self.name.removeprefix("metadata.").split("."))


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, boolean or shapely geometry."""

    value: Any


@dataclass(frozen=True, slots=True)
class Call:
    """An operator on its arguments; ``in`` holds its list as further arguments."""

    op: str
    args: tuple[Node, ...]


Node = Union[Property, Literal, Call]


def properties(node: Node) -> Iterator[Property]:
    """Every property that an expression asks for."""
    if isinstance(node, Property):
        yield node
    elif isinstance(node, Call):
        for arg in node.args:
            yield from properties(arg)


def to_json(node: Node) -> Any:
    """Spell an expression as CQL2 JSON in canonical form: operands of AND, OR and IN sorted."""
    if isinstance(node, Property):
        return {"property": ".".join(node.path)}
    if isinstance(node, Literal):
        return mapping(node.value) if isinstance(node.value, BaseGeometry) else node.value
    args = [to_json(arg) for arg in node.args]
    if node.op in _UNORDERED:
        args = _sorted(args)
    if node.op == "in":
        args = [args[0], _sorted(args[1:])]
    return {"op": node.op, "args": args}


def filter_digest(node: Node | None) -> str | None:
    """Name a filter; the order of operands does not matter. ``None`` for no filter."""
    return None if node is None else digest(canonical_json(to_json(node)))


def _sorted(spelled: list[Any]) -> list[Any]:
    """Sort by spelling and keep equal operands once."""
    return [value for _, value in sorted({canonical_json(item): item for item in spelled}.items())]
