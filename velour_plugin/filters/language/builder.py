"""Filters as Python expressions; they make the same tree as CQL2.

An example::

    night = velour.field("time_of_day") == "night"
    near = velour.field("location").within(50, "mi", of=(42.36, -71.03))
    velour.rank("mAP", dataset="fires", where=night & near)

The rules of CQL2 are checked when the expression is made.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from velour_plugin.domain.metadata import checked_location
from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import BadFilter
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.operators import call
from velour_plugin.filters.language.spatial_operators import REGION, checked_geometry
from velour_plugin.filters.language.tree import Literal, Node, Property
from velour_plugin.filters.property_names import checked_name
from velour_plugin.helpers.representation import shortened


def field(name: str) -> Field:
    """Name a property, to be compared in a filter.

    Args:
        name: of metadata, with a dotted path into nested metadata; or a property of a family
            (see :mod:`velour_plugin.filters`), such as ``score`` or ``fact.quality.blur``.

    Raises:
        BadFilter: it is not a non-empty text.
        UnknownName: the family of that prefix has no such property.

    >>> field("hour") >= 20
    Condition(hour >= 20)
    """
    return Field(Property(checked_name(name)))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Expression:
    """A part of a filter in Python: a condition, or a value to compare; ``node`` is its tree."""

    node: Node

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({to_text(self.node)})"

    def __bool__(self) -> bool:
        raise TypeError(
            f"{to_text(self.node)} is a filter, which is neither true nor false by itself: join "
            "filters with & | ~ and brackets, not with and, or, not or a < b < c."
        )

    def __and__(self, other: object) -> Condition:
        return Condition(call("and", [self.node, _node(other)]))

    def __or__(self, other: object) -> Condition:
        return Condition(call("or", [self.node, _node(other)]))

    def __invert__(self) -> Condition:
        return Condition(call("not", [self.node]))


class Condition(Expression):
    """A filter that is true, false or unknown for a datum; join with ``&``, ``|``, ``~``."""

    __slots__ = ()


class Value(Expression):
    """A value of each datum; comparing it makes a condition, calculating another value."""

    __slots__ = ()

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("=", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("<>", other)

    def __lt__(self, other: object) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: object) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Condition:
        return self._compared(">=", other)

    def __add__(self, other: object) -> Value:
        return self._calculated("+", self, other)

    def __sub__(self, other: object) -> Value:
        return self._calculated("-", self, other)

    def __mul__(self, other: object) -> Value:
        return self._calculated("*", self, other)

    def __truediv__(self, other: object) -> Value:
        return self._calculated("/", self, other)

    def __radd__(self, other: object) -> Value:
        return self._calculated("+", other, self)

    def __rsub__(self, other: object) -> Value:
        return self._calculated("-", other, self)

    def __rmul__(self, other: object) -> Value:
        return self._calculated("*", other, self)

    def __rtruediv__(self, other: object) -> Value:
        return self._calculated("/", other, self)

    def __neg__(self) -> Value:
        return self._calculated("*", -1, self)

    def isin(self, values: Iterable[object]) -> Condition:
        """True where the value equals one of some values."""
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise BadFilter(f"isin({shortened(values)}): expected a list of values.")
        return Condition(call("in", [self.node, *map(_node, values)]))

    def between(self, low: object, high: object) -> Condition:
        """True where the value is from ``low`` to ``high``, both included."""
        return Condition(call("between", [self.node, _node(low), _node(high)]))

    def like(self, pattern: str) -> Condition:
        """True where a text matches a pattern: ``%`` is any text, ``_`` a letter; case counts."""
        return Condition(call("like", [self.node, _node(pattern)]))

    def casei(self) -> Value:
        """Ignore the case of a text: ``field("city").casei() == "BOSTON"``."""
        return _CaseInsensitive(call("casei", [self.node]))

    def _compared(self, op: str, other: object) -> Condition:
        if other is None:
            raise BadFilter(f"{to_text(self.node)} {op} None: use .is_null() for missing values.")
        return Condition(call(op, [self.node, self._operand(other)]))

    def _operand(self, other: object) -> Node:
        return _node(other)

    @staticmethod
    def _calculated(op: str, left: object, right: object) -> Value:
        return Value(call(op, [_node(left), _node(right)]))


class _CaseInsensitive(Value):
    """Text compared without case: the other side is folded too."""

    __slots__ = ()

    def isin(self, values: Iterable[object]) -> Condition:
        return Value.isin(self, [Value(self._operand(value)) for value in values])

    def like(self, pattern: str) -> Condition:
        return Condition(call("like", [self.node, self._operand(pattern)]))

    def _operand(self, other: object) -> Node:
        return call("casei", [_node(other)])


class Field(Value):
    """A property of datums or of what belongs to them, to be compared."""

    __slots__ = ()

    def is_null(self) -> Condition:
        """True where the property is missing, or null."""
        return Condition(call("isnull", [self.node]))

    def within(self, distance: float, unit: str = "m", *, of: object) -> Condition:
        """True within a distance of a point, on the Earth.

        Args:
            distance: >= 0.
            unit: ``m``, ``km``, ``mi`` or ``nmi``.
            of: ``(latitude, longitude)``, GeoJSON or a shapely point.
        """
        point = Literal(checked_location(of))
        return Condition(call("dwithin", [self.node, point, Literal(distance), Literal(unit)]))

    def intersects(self, geometry: object) -> Condition:
        """True where the property has a point in common with a geometry."""
        return self._related("s_intersects", geometry)

    def inside(self, geometry: object) -> Condition:
        """True where the property lies in a geometry, borders excluded."""
        return self._related("s_within", geometry)

    def contains(self, geometry: object) -> Condition:
        """True where a geometry lies in the property, borders excluded."""
        return self._related("s_contains", geometry)

    def disjoint(self, geometry: object) -> Condition:
        """True where the property has no point in common with a geometry."""
        return self._related("s_disjoint", geometry)

    def has(self, *values: object) -> Condition:
        """True where the property is a list that holds all of these values."""
        return Condition(call("a_contains", [self.node, *map(_node, values)]))

    def has_any(self, *values: object) -> Condition:
        """True where the property is a list that holds at least one of these values."""
        return Condition(call("a_overlaps", [self.node, *map(_node, values)]))

    def _related(self, op: str, geometry: object) -> Condition:
        if isinstance(geometry, Expression):
            return Condition(call(op, [self.node, geometry.node]))
        return Condition(call(op, [self.node, Literal(_geometry(geometry, self.node))]))


def _geometry(geometry: Any, compared: Node) -> Any:
    """A checked geometry: shapely or GeoJSON in pixels; a location may be (latitude, longitude)."""
    in_pixels = compared == Property(REGION)
    if not in_pixels:
        return checked_geometry(checked_location(geometry), False)
    from shapely.geometry import shape

    region = getattr(geometry, "shape", geometry)
    return checked_geometry(shape(region) if isinstance(region, dict) else region, True)


def _node(value: object) -> Node:
    if isinstance(value, Expression):
        return value.node
    plain = _plain(value)
    if isinstance(plain, dt.time) and plain.tzinfo is None:
        return Literal(plain.isoformat())
    if isinstance(plain, dt.timedelta):
        return Literal(_duration(plain))
    if _is_literal(plain):
        return Literal(plain)
    raise BadFilter(
        f"{shortened(value)} in a filter: expected a number, string, boolean, date, datetime, "
        "time of day without a zone, or timedelta, or another velour.field."
    )


def _plain(value: Any) -> Any:
    """A numpy scalar as Python's value, which has no nanoseconds."""
    if getattr(value, "ndim", None) != 0:
        return value
    kind = value.dtype.kind
    return (value.astype(f"{kind}8[us]") if kind in "mM" else value).item()


def _is_literal(value: object) -> bool:
    if isinstance(value, str):
        return is_storable(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value == value and isinstance(value, (bool, int, dt.date))  # NaT is not itself


def _duration(value: dt.timedelta) -> str:
    """A duration as ISO 8601 writes it, exact to the microsecond."""
    micro = abs(value) // dt.timedelta(microseconds=1)
    sign = "-" if value < dt.timedelta(0) else ""
    return f"{sign}PT{micro // 1_000_000}.{micro % 1_000_000:06d}S"
