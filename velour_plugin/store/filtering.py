"""From a filter's expression tree to an SQL condition on datums.

The meaning is that of :mod:`velour_plugin.filters.interpret`, which the tests
hold both databases to.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, and_, case, false, literal, null, or_

from velour_plugin.filters.tree import METRES, SPATIAL, Call, Literal, Node, Property
from velour_plugin.store.backend import Backend
from velour_plugin.store.schema import datums

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Condition = ColumnElement[Any]


def condition(node: Node, backend: Backend, dataset: str) -> Condition:
    """Make the condition that selects a filter's datums.

    Args:
        node: as :func:`velour_plugin.filters.parse_filter` made it.
        backend: of the store's database.
        dataset: name of the dataset that is asked.
    """
    return _Compiler(backend, dataset).condition(node)


class _Compiler:
    def __init__(self, backend: Backend, dataset: str) -> None:
        self.backend = backend
        self.constants = {"dataset": literal(dataset), "uid": datums.c.uid}

    def condition(self, node: Node) -> Condition:
        assert isinstance(node, Call)
        if node.op in ("and", "or"):
            join = and_ if node.op == "and" else or_
            return join(*(self.condition(arg) for arg in node.args))
        if node.op == "not":
            return ~self.condition(node.args[0]).self_group()
        if node.op in SPATIAL:
            geometry = _value(node.args[1])
            assert isinstance(geometry, BaseGeometry)
            return self.backend.spatial(node.op, geometry)
        if node.op == "dwithin":
            point, distance, unit = map(_value, node.args[1:])
            return self.backend.within_distance(point.x, point.y, distance * METRES[unit])
        return self._scalar(node)

    def _scalar(self, node: Call) -> Condition:
        prop = node.args[0]
        assert isinstance(prop, Property)
        values = [_value(arg) for arg in node.args[1:]]
        if node.op == "isnull":
            return self._absent(prop)
        if node.op == "in":
            return or_(*(self._compare("=", prop, value) for value in values))
        if node.op == "between":
            return and_(*map(self._compare, (">=", "<="), (prop, prop), values))
        if node.op == "like":
            return self._known(
                prop, "string", lambda column: self.backend.like(column, str(values[0]))
            )
        return self._compare(node.op, prop, values[0])

    def _compare(self, op: str, prop: Property, value: Any) -> Condition:
        return self._known(prop, _kind(value), lambda column: _OPERATORS[op](column, value))

    def _known(
        self, prop: Property, kind: str, ask: Callable[[ColumnElement[Any]], Condition]
    ) -> Condition:
        """Ask a value of the right type; of any other, the answer is unknown."""
        constant = self.constants.get(".".join(prop.path))
        if constant is not None:
            return ask(constant) if kind == "string" else null() & false()
        is_kind, column = self.backend.typed(prop.path, kind)
        return case((is_kind, ask(column)))

    def _absent(self, prop: Property) -> Condition:
        if prop.path == ("location",):
            return datums.c.location.is_(None)
        if ".".join(prop.path) in self.constants:
            return false()
        return self.backend.absent(prop.path)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else "string"


def _value(node: Node) -> Any:
    assert isinstance(node, Literal)
    return node.value


__all__: Sequence[str] = ("condition",)
