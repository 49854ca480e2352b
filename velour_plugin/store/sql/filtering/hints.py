"""Conditions for indexes: true wherever the filter is, and maybe elsewhere.

Three-valued logic hides conditions from a query planner. So the exact condition gets another
beside it that may be too wide, but that can use an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, or_

from velour_plugin.filters.comparable_values import TAGS, literal_readings
from velour_plugin.filters.language.tree import ARRAYS, METRES, Call, Literal, Node, Property
from velour_plugin.store.sql.databases.backend import Backend, Condition

_TOUCHING = ("s_intersects", "s_within", "s_contains")


def hint(node: Node, backend: Backend) -> Condition | None:
    """Return a condition for indexes, which a filter implies; ``None`` where none can help."""
    if not isinstance(node, Call):
        return None
    if node.op in ("and", "or"):
        join = _all if node.op == "and" else _any
        return join([hint(arg, backend) for arg in node.args])
    if node.op == "dwithin" or node.op in _TOUCHING:
        return _spatial(node, backend)
    if node.op in ("=", "in"):
        return _any(_equal(node.args[0], node.args[1:], backend))
    return _held(node, backend) if node.op in ARRAYS else None


def _all(parts: Sequence[Condition | None]) -> Condition | None:
    known = [part for part in parts if part is not None]
    return and_(*known) if known else None


def _any(parts: Sequence[Condition | None]) -> Condition | None:
    known = [part for part in parts if part is not None]
    return or_(*known) if known and len(known) == len(parts) else None


def _spatial(node: Call, backend: Backend) -> Condition | None:
    prop, *others = node.args
    values: list[Any] = [other.value if isinstance(other, Literal) else None for other in others]
    if prop != Property("location") or values[0] is None:
        return None
    if node.op == "dwithin":
        point, distance, unit = values
        return backend.near(point.x, point.y, distance * METRES[unit])
    return backend.touching(values[0])


def _equal(prop: Node, items: Sequence[Node], backend: Backend) -> list[Condition | None]:
    """A property is one of some literals, each read as any of its types."""
    if not isinstance(prop, Property) or not prop.path or len(items) > 100:
        return [None]
    return [
        _contains(prop, kind, value, backend)
        for item in items
        for kind, value in (_readings(item) or {"": None}).items()
    ]


def _held(node: Call, backend: Backend) -> Condition | None:
    prop, *items = node.args
    assert isinstance(prop, Property)
    if not prop.path:
        return None
    parts = [
        _any([_contains(prop, kind, [value], backend) for kind, value in _readings(item).items()])
        for item in items
    ]
    return _all(parts) if node.op == "a_contains" else _any(parts)


def _contains(prop: Property, kind: str, value: Any, backend: Backend) -> Condition | None:
    """Metadata has a value of a type; numbers only where JSON and float64 are equally exact."""
    plain = value[0] if isinstance(value, list) else value
    if kind in ("", "day") or (isinstance(plain, float) and abs(plain) >= 2**53):
        return None
    if kind in TAGS:
        value = [{TAGS[kind]: plain}] if isinstance(value, list) else {TAGS[kind]: plain}
    return backend.containing(prop.path, value)


def _readings(item: Node) -> dict[str, Any]:
    return dict(literal_readings(item.value)) if isinstance(item, Literal) else {}
