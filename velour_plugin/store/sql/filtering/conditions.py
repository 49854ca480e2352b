"""Compile a filter's expression tree to an SQL condition on datums.

The reference is :mod:`velour_plugin.filters.predicates`; tests compare both
databases with it. A value that is missing or of another type is NULL, and so is its comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Float,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    true,
)

from velour_plugin.filters.comparable_values import (
    KINDS,
    LARGEST,
    OPERATORS,
    SMALLEST,
    is_moderate,
    literal_readings,
)
from velour_plugin.filters.language.kinds import kinds_of
from velour_plugin.filters.language.tree import (
    ARITHMETIC,
    ARRAYS,
    METRES,
    SPATIAL,
    Call,
    Literal,
    Node,
    Property,
)
from velour_plugin.store.sql.databases.backend import Backend, Column, Condition
from velour_plugin.store.sql.filtering import derived
from velour_plugin.store.sql.filtering.hints import hint
from velour_plugin.store.sql.schema import datums

__all__ = ("condition",)

_OF_FACTS = ("number", "string")


def condition(node: Node, backend: Backend, dataset: str) -> Condition:
    """Translate a filter to the SQL condition that selects its datums.

    Args:
        node: as :func:`velour_plugin.filters.parse_filter` made it.
        backend: of the store's database.
        dataset: name of the dataset.
    """
    exact = _Compiler(backend, dataset).condition(node)
    known = hint(node, backend)
    return exact if known is None else and_(known, exact)


class _Compiler:
    def __init__(self, backend: Backend, dataset: str) -> None:
        self.backend = backend
        self.columns = {"dataset": literal(dataset), "uid": datums.c.uid}

    def condition(self, node: Node) -> Condition:
        assert isinstance(node, Call)
        if node.op in ("and", "or"):
            join = and_ if node.op == "and" else or_
            return join(*(self.condition(arg) for arg in _cheap_first(node.args)))
        if node.op == "not":
            return ~self.condition(node.args[0]).self_group()
        if node.op in SPATIAL:
            return self.backend.related(node.op, *map(self._geometry, node.args))
        if node.op in ARRAYS:
            return self._listed(node)
        ask: Callable[[Call], Condition] = getattr(self, f"_{node.op}", self._compared)
        return ask(node)

    def _compared(self, node: Call) -> Condition:
        return self._compare(node.op, *node.args)

    def _between(self, node: Call) -> Condition:
        value, low, high = node.args
        return and_(self._compare(">=", value, low), self._compare("<=", value, high))

    def _in(self, node: Call) -> Condition:
        first, *items = node.args
        if isinstance(first, Literal):
            return or_(*(self._held(first, item) for item in items))
        groups: dict[tuple[str, ...], list[Any]] = {}
        for item in (item for item in items if isinstance(item, Literal)):
            readings = literal_readings(item.value)
            groups.setdefault(tuple(readings), []).append(readings)
        parts = [self._among(first, kinds, readings) for kinds, readings in groups.items()]
        others = [item for item in items if not isinstance(item, Literal)]
        return or_(*parts, *(self._compare("=", first, item) for item in others))

    def _among(self, node: Node, kinds: Sequence[str], readings: Sequence[Any]) -> Condition:
        """One of many literals that are read as the same types."""
        shared = [kind for kind in kinds if kind in kinds_of(node)]
        return _first_known(
            self.backend.one_of(self._value(node, kind), [value[kind] for value in readings])
            for kind in shared
        )

    def _held(self, item: Literal, holder: Node) -> Condition:
        """``'x' IN (tags)``: a property equals it, or is a list that holds it."""
        equal = self._compare("=", holder, item)
        if not isinstance(holder, Property) or "strings" not in kinds_of(holder):
            return equal
        held = self._item(holder, item)
        return held if holder.kind == "strings" else _first_known([held, equal])

    def _listed(self, node: Call) -> Condition:
        prop, *items = node.args
        assert isinstance(prop, Property)
        join = and_ if node.op == "a_contains" else or_
        return join(*(self._item(prop, item) for item in items if isinstance(item, Literal)))

    def _item(self, prop: Property, item: Literal) -> Condition:
        """A list holds a literal, read as any of its types."""
        readings = literal_readings(item.value)
        if not prop.path:
            kinds = [kind for kind in _OF_FACTS if kind in readings]
            return _first_known(derived.holds(prop, readings[kind]) for kind in kinds)
        return or_(*(self.backend.holds(prop.path, kind, read) for kind, read in readings.items()))

    def _isnull(self, node: Call) -> Condition:
        (prop,) = node.args
        assert isinstance(prop, Property)
        if prop.name == "location":
            return datums.c.location.is_(None)
        if prop.path:
            return self.backend.absent(prop.path)
        missing = derived.absent(prop)
        return false() if missing is None else missing

    def _like(self, node: Call) -> Condition:
        return self.backend.like(self._value(node.args[0], "string"), str(_constant(node.args[1])))

    def _dwithin(self, node: Call) -> Condition:
        prop = node.args[0]
        assert isinstance(prop, Property)
        point, distance, unit = map(_constant, node.args[1:])
        return self.backend.within_distance(prop.path, point.x, point.y, distance * METRES[unit])

    def _compare(self, op: str, left: Node, right: Node) -> Condition:
        kinds = kinds_of(left) & kinds_of(right)
        if {"datetime", "day"} <= kinds:
            kinds -= {"day"}
        if op not in ("=", "<>"):
            kinds -= {"boolean"}
        return _first_known(
            OPERATORS[op](self._value(left, kind), self._value(right, kind))
            for kind in KINDS
            if kind in kinds
        )

    def _value(self, node: Node, kind: str) -> Column:
        """An expression as a value of a type; NULL where it is of another."""
        if isinstance(node, Literal):
            return _bound(literal_readings(node.value)[kind])
        if isinstance(node, Property):
            if node.path:
                return self.backend.value(node.path, kind)
            column = self.columns.get(node.name)
            if column is not None:
                return self.backend.text(column)
            return derived.value(node, kind, self.backend)
        if node.op in ARITHMETIC:
            return _calculated(node.op, *(self._value(arg, "number") for arg in node.args))
        return self.backend.casefold(self._value(node.args[0], "string"))

    def _geometry(self, node: Node) -> Column:
        if isinstance(node, Literal):
            return self.backend.shape(node.value)
        assert isinstance(node, Property)
        return self.backend.geometry(node.path) if node.path else self.backend.location()


def _calculated(op: str, left: Column, right: Column) -> Column:
    """Arithmetic on moderate numbers, which overflows nowhere."""
    first, second = _moderate(left), _moderate(right)
    if op == "/":
        return first / func.nullif(second, literal(0.0, Float(53)), type_=Float(53))
    signs: dict[str, Callable[[Column, Column], Column]] = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
    }
    return signs[op](first, second)


def _moderate(value: Column) -> Column:
    constant = getattr(value, "value", None)
    if isinstance(constant, float):
        return value if is_moderate(constant) else cast(null(), Float(53))
    size = func.abs(value, type_=Float(53))
    fits = (value == 0.0) | size.between(SMALLEST, LARGEST)
    return case((fits, value))


def _first_known(truths: Any) -> Condition:
    """The first condition that is not NULL; each is about another type."""
    known = list(truths)
    if not known:
        return null() & false()
    return known[0] if len(known) == 1 else func.coalesce(*known, type_=Boolean)


def _cheap_first(nodes: Sequence[Node]) -> list[Node]:
    """Order conditions by cost: spatial ones come last."""
    return sorted(nodes, key=lambda node: isinstance(node, Call) and _about_places(node))


def _about_places(node: Call) -> bool:
    return node.op in SPATIAL or node.op == "dwithin"


def _bound(value: Any) -> Column:
    if isinstance(value, bool):
        return true() if value else false()
    return literal(value, Float(53)) if isinstance(value, float) else literal(value)


def _constant(node: Node) -> Any:
    assert isinstance(node, Literal)
    return node.value
