"""Parse CQL2 text or JSON to an expression tree; refuse filters without a meaning.

The grammar is the ``cql2`` package's; what operators take is in
:mod:`velour_plugin.filters.language.operators`. Errors name the position in the filter.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from velour_plugin.domain.metadata import GEOJSON_TYPES
from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import BadFilter, BadGeometry, InvalidInput
from velour_plugin.filters.comparable_values import date_of, moment_of
from velour_plugin.filters.language.builder import Expression
from velour_plugin.filters.language.operators import Interval, as_condition, call
from velour_plugin.filters.language.positions import Positions, position_in
from velour_plugin.filters.language.spatial_operators import REGION, checked_geometry
from velour_plugin.filters.language.tree import ARRAYS, Call, Literal, Node, Property
from velour_plugin.filters.property_names import checked_name
from velour_plugin.helpers.libraries import is_geometry, shapely
from velour_plugin.helpers.representation import shortened

MOST_CHARACTERS = 1_000_000
MOST_NESTED, MOST_OPERATORS = 100, 500
"""Deeper or longer filters are refused: the stacks of parsers and databases are limited."""

Where = str | Mapping[str, Any] | Node | Expression | None
"""A filter: CQL2 text or JSON, a Python expression, a tree; ``None`` for all datums."""

_SHOWN = 200
"""Characters on either side of a wrong one that are shown."""
_WORDS = re.compile(r"'(?:[^']|'')*'|\b(?:and|or|not)\b|[-+*/^%()]", re.IGNORECASE)


def parse_filter(where: Where) -> Node | None:
    """Parse a filter into its tree; ``None`` for no filter.

    Args:
        where: CQL2 text, CQL2 JSON, a Python expression, a tree, or ``None`` for no filter.

    Raises:
        BadFilter: it does not parse, or an operand has the wrong type; the position is named.
        UnknownName: an operator, property or unit does not exist.
        BadGeometry: a coordinate is outside latitude ±90 or longitude ±180.
    """
    if isinstance(where, Expression):
        return as_condition(where.node)
    if where is None or isinstance(where, (Property, Literal, Call)):
        return where if where is None else as_condition(where)
    if isinstance(where, str):
        return _Reader(Positions(where)).filter(_json_of_text(where), where)
    return _Reader(None).filter(where, where)


def _json_of_text(text: str) -> Any:
    import cql2

    if not text.strip():
        raise BadFilter("the filter is empty: leave it out to select every datum.")
    if len(text) > MOST_CHARACTERS:
        raise BadFilter(
            f"the filter has {len(text):,} characters, {shortened(text)}: expected at most "
            f"{MOST_CHARACTERS:,}; name what many datums share as metadata or a fact."
        )
    _refuse_depth(text)
    try:
        return cql2.parse_text(text).to_json()
    except Exception as error:
        message = "\n".join(line[:200] for line in str(error).strip().splitlines())
        match = re.search(r"--> (\d+):(\d+)", message)
        at = f" at line {match[1]}, column {match[2]}" if match else ""
        raise BadFilter(
            f"the filter does not parse as CQL2{at}:\n{message}\n"
            "An example: city = 'Boston' AND hour >= 20"
        ) from error


def _refuse_depth(text: str) -> None:
    depth = operators = 0
    for match in _WORDS.finditer(text):
        word = match.group()
        depth += (word == "(") - (word == ")")
        operators += word[0] not in "'()"
        if depth > MOST_NESTED or operators > MOST_OPERATORS:
            raise _too_long(position_in(text, match.start()))


def _too_long(position: str) -> BadFilter:
    return BadFilter(
        f"the filter nests deeper than {MOST_NESTED} or has more than {MOST_OPERATORS} operators "
        f"at {position}: compare with many values by IN ('a', 'b', …)."
    )


class _Reader:
    """Reads CQL2 JSON, and adds the position to the innermost error."""

    def __init__(self, positions: Positions | None) -> None:
        self.positions = positions
        self.is_located = False
        self.operators = 0

    def filter(self, json_node: Any, where: object) -> Node:
        """Read a whole filter from CQL2 JSON."""
        node = self.node(json_node, "")
        if isinstance(node, Literal):
            raise BadFilter(f"filter {shortened(where)} is a constant: compare a property with it.")
        return as_condition(node)

    def node(self, json_node: Any, path: str, pixels: bool = False) -> Node:
        """Read a part of a filter; ``pixels``: its geometries are in image coordinates."""
        position = self.position_of(path)
        try:
            return self._node(json_node, path, pixels, position)
        except InvalidInput as error:
            if not self.is_located:
                self.is_located = True
                error.args = (f"{error}\nIn the filter, at {position}{self._shown(position)}",)
            raise

    def position_of(self, path: str) -> str:
        """Return the current position: a column of the text, or a path into JSON."""
        return self.positions.here() if self.positions else path.lstrip(".") or "its top"

    def _shown(self, position: str) -> str:
        if self.positions is None or not position.startswith("column"):
            return "."
        text, column = self.positions.text, int(position.split()[1])
        start = max(column - 1 - _SHOWN, 0) if len(text) > 2 * _SHOWN else 0
        return f":\n  {text[start : start + 2 * _SHOWN]}\n  {'^':>{column - start}}"

    def _node(self, json_node: Any, path: str, pixels: bool, position: str) -> Node:
        if isinstance(json_node, Mapping) and "op" in json_node:
            return self._call(json_node, path)
        if self.positions is not None:
            self.positions.passed(json_node)
        if isinstance(json_node, Mapping) and "property" in json_node:
            return Property(checked_name(json_node["property"]), position)
        return Literal(_literal(json_node, pixels))

    def _call(self, json_node: Mapping[str, Any], path: str) -> Node:
        op, args = json_node["op"], json_node.get("args", ())
        if not isinstance(op, str):
            raise BadFilter(f"op {shortened(op)}: expected the name of an operator.")
        op = op.lower()
        if not isinstance(args, (list, tuple)):
            raise BadFilter(f"args {shortened(args)} of {op!r}: expected a list.")
        self.operators += 1
        if self.operators > MOST_OPERATORS or path.count("args") > MOST_NESTED:
            raise _too_long(self.position_of(path))
        if self.positions is not None:
            self.positions.passed({"op": op})
        return call(op, self._args(op, args, path))

    def _args(self, op: str, args: Sequence[Any], path: str) -> list[Node | Interval]:
        pixels = {"property": REGION} in args
        nodes: list[Node | Interval] = []
        for number, arg in enumerate(args):
            at = f"{path}.args[{number}]"
            if number == 1 and (op == "in" or op in ARRAYS) and isinstance(arg, (list, tuple)):
                nodes += [self.node(item, f"{at}[{position}]") for position, item in enumerate(arg)]
            elif isinstance(arg, Mapping) and "interval" in arg:
                nodes.append(self._interval(arg["interval"]))
            else:
                nodes.append(self.node(arg, at, pixels))
        return nodes

    def _interval(self, ends: Any) -> Interval:
        if self.positions is not None:
            self.positions.passed({"interval": []})
        if not isinstance(ends, (list, tuple)) or len(ends) != 2:
            raise BadFilter(
                f"INTERVAL {shortened(ends)}: expected two ends, '..' where it is open."
            )
        return Interval(*map(_end, ends))


def _end(json_node: Any) -> dt.date | None:
    """One end of an interval; ``None`` where it is open."""
    if json_node == "..":
        return None
    if isinstance(json_node, str):
        return date_of(json_node) if len(json_node) == 10 else moment_of(json_node)
    if isinstance(json_node, (dt.date, dt.datetime)):
        return json_node
    value = _literal(json_node, False)
    if isinstance(value, dt.date):
        return value
    raise BadFilter(f"INTERVAL end {shortened(json_node)}: expected a date, a moment or '..'.")


def _literal(json_node: Any, pixels: bool) -> Any:
    if isinstance(json_node, Mapping):
        return _typed(json_node, pixels)
    if is_geometry(json_node):
        return checked_geometry(json_node, pixels)
    if isinstance(json_node, str) and is_storable(json_node):
        return json_node
    if isinstance(json_node, (bool, dt.date)):
        return json_node
    if isinstance(json_node, (int, float)) and _is_finite(json_node):
        return json_node
    way_out = "IS NULL tests for missing values" if json_node is None else "CQL2 has these"
    raise BadFilter(
        f"{shortened(json_node)} in a filter: expected a property, literal or operator; {way_out}."
    )


def _typed(json_node: Mapping[str, Any], pixels: bool) -> Any:
    """A literal that is a mapping in CQL2 JSON."""
    if "timestamp" in json_node:
        return moment_of(json_node["timestamp"])
    if "date" in json_node:
        return date_of(json_node["date"])
    if "bbox" in json_node:
        return checked_geometry(_box(json_node["bbox"], pixels), pixels)
    kind = json_node.get("type")
    if isinstance(kind, str) and kind in GEOJSON_TYPES:
        return checked_geometry(_geometry(json_node), pixels)
    raise BadFilter(
        f"{shortened(dict(json_node))} in a filter: expected a property, literal or operator."
    )


def _geometry(json_node: Mapping[str, Any]) -> shapely.Geometry:
    try:
        return shapely.geometry.shape(dict(json_node))
    except Exception as error:  # shapely raises errors of many kinds
        raise BadGeometry(f"geometry {shortened(dict(json_node))} in a filter: {error}") from error


def _box(corners: Any, pixels: bool) -> shapely.Geometry:
    """A box of four corners; on Earth, one whose west is beyond its east is two."""
    if (
        not isinstance(corners, (list, tuple))
        or len(corners) != 4
        or not all(isinstance(corner, (int, float)) and _is_finite(corner) for corner in corners)
        or (pixels and corners[0] > corners[2])
        or corners[1] > corners[3]
    ):
        raise BadGeometry(
            f"BBOX {shortened(corners)}: expected west, south, east, north with south <= north, "
            "and west <= east but for one across the antimeridian."
        )
    west, south, east, north = corners
    if west <= east:
        return shapely.box(*corners)
    halves = [(west, 180.0), (-180.0, east)]  # as RFC 7946 says, 5.2
    wide = [shapely.box(left, south, right, north) for left, right in halves if left < right]
    return wide[0] if len(wide) == 1 else shapely.MultiPolygon(wide)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
