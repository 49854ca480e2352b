"""From CQL2 text or JSON to the expression tree, refusing what has no meaning.

The grammar is the ``cql2`` package's; what operators take is in
:mod:`velour_plugin.filters.language.operators`. A refusal says where in the filter it stands.
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
from velour_plugin.filters.language.positions import Positions, place_of
from velour_plugin.filters.language.spatial_operators import REGION, checked_geometry
from velour_plugin.filters.language.tree import ARRAYS, Call, Literal, Node, Property
from velour_plugin.filters.property_names import checked_name
from velour_plugin.helpers.libraries import is_geometry, shapely

MOST_NESTED, MOST_OPERATORS = 100, 500
"""What is deeper or longer is refused: parsers and databases have stacks that end."""

Where = str | Mapping[str, Any] | Node | Expression | None
"""What people filter by: CQL2 text or JSON, an expression of Python, a tree; ``None`` for all."""

_MALFORMED = (ValueError, TypeError, LookupError, AttributeError)
_WORDS = re.compile(r"'(?:[^']|'')*'|\b(?:and|or|not)\b|[-+*/^%()]", re.IGNORECASE)


def parse_filter(given: Where) -> Node | None:
    """Read a filter.

    Args:
        given: CQL2 text, CQL2 JSON, an expression of Python, a tree, or ``None`` for no filter.

    Raises:
        BadFilter: it does not parse, or an operand has the wrong type; and where.
        UnknownName: an operator, property or unit is none of those that exist.
        BadGeometry: a coordinate is outside latitude ±90 or longitude ±180.
    """
    if isinstance(given, Expression):
        return as_condition(given.node)
    if given is None or isinstance(given, (Property, Literal, Call)):
        return given if given is None else as_condition(given)
    if isinstance(given, str):
        return _Reader(Positions(given)).filter(_json_of_text(given), given)
    return _Reader(None).filter(given, given)


def _json_of_text(text: str) -> Any:
    import cql2

    if not text.strip():
        raise BadFilter("the filter is empty: leave it out to select every datum.")
    _refuse_depth(text)
    try:
        return cql2.parse_text(text).to_json()
    except Exception as error:
        said = str(error).strip()
        found = re.search(r"--> (\d+):(\d+)", said)
        at = f" at line {found[1]}, column {found[2]}" if found else ""
        raise BadFilter(
            f"the filter does not parse as CQL2{at}:\n{said}\n"
            "An example: city = 'Boston' AND hour >= 20"
        ) from error


def _refuse_depth(text: str) -> None:
    depth = operators = 0
    for found in _WORDS.finditer(text):
        word = found.group()
        depth += (word == "(") - (word == ")")
        operators += word[0] not in "'()"
        if depth > MOST_NESTED or operators > MOST_OPERATORS:
            raise _too_long(place_of(text, found.start()))


def _too_long(place: str) -> BadFilter:
    return BadFilter(
        f"the filter nests deeper than {MOST_NESTED} or has more than {MOST_OPERATORS} operators "
        f"at {place}: ask for one of many values with IN ('a', 'b', …)."
    )


class _Reader:
    """Reads CQL2 JSON; keeps its place, so that the innermost refusal can name it."""

    def __init__(self, positions: Positions | None) -> None:
        self.positions = positions
        self.placed = False
        self.operators = 0

    def filter(self, spelled: Any, given: object) -> Node:
        """Read the whole."""
        node = self.node(spelled, "")
        if isinstance(node, Literal):
            raise BadFilter(f"filter {given!r} is a constant: compare a property with it.")
        return as_condition(node)

    def node(self, spelled: Any, path: str, pixels: bool = False) -> Node:
        """Read one part of it; ``pixels`` says that a geometry is in an image."""
        place = self.place(path)
        try:
            return self._node(spelled, path, pixels, place)
        except InvalidInput as error:
            if not self.placed:
                self.placed = True
                error.args = (f"{error}\nIn the filter, at {place}{self._shown(place)}",)
            raise

    def place(self, path: str) -> str:
        """Where we are: a column of a text, a path into JSON."""
        return self.positions.here() if self.positions else path.lstrip(".") or "its top"

    def _shown(self, place: str) -> str:
        if self.positions is None or not place.startswith("column"):
            return "."
        return f":\n  {self.positions.text}\n  {'^':>{int(place.split()[1])}}"

    def _node(self, spelled: Any, path: str, pixels: bool, place: str) -> Node:
        if isinstance(spelled, Mapping) and "op" in spelled:
            return self._call(spelled, path)
        if self.positions is not None:
            self.positions.passed(spelled)
        if isinstance(spelled, Mapping) and "property" in spelled:
            return Property(checked_name(spelled["property"]), place)
        return Literal(_literal(spelled, pixels))

    def _call(self, spelled: Mapping[str, Any], path: str) -> Node:
        op, args = str(spelled["op"]).lower(), spelled.get("args", ())
        if not isinstance(args, (list, tuple)):
            raise BadFilter(f"args {args!r} of {op!r}: expected a list.")
        self.operators += 1
        if self.operators > MOST_OPERATORS or path.count("args") > MOST_NESTED:
            raise _too_long(self.place(path))
        if self.positions is not None:
            self.positions.passed({"op": op})
        return call(op, self._args(op, args, path))

    def _args(self, op: str, args: Sequence[Any], path: str) -> list[Node | Interval]:
        pixels = {"property": REGION} in args
        nodes: list[Node | Interval] = []
        for number, arg in enumerate(args):
            at = f"{path}.args[{number}]"
            if number == 1 and (op == "in" or op in ARRAYS) and isinstance(arg, (list, tuple)):
                nodes += [self.node(item, f"{at}[{place}]") for place, item in enumerate(arg)]
            elif isinstance(arg, Mapping) and "interval" in arg:
                nodes.append(self._interval(arg["interval"]))
            else:
                nodes.append(self.node(arg, at, pixels))
        return nodes

    def _interval(self, ends: Any) -> Interval:
        if self.positions is not None:
            self.positions.passed({"interval": []})
        if not isinstance(ends, (list, tuple)) or len(ends) != 2:
            raise BadFilter(f"INTERVAL {ends!r}: expected two ends, '..' where it is open.")
        return Interval(*map(_end, ends))


def _end(spelled: Any) -> dt.date | None:
    """One end of an interval; ``None`` where it is open."""
    if spelled == "..":
        return None
    if isinstance(spelled, str):
        return date_of(spelled) if len(spelled) == 10 else moment_of(spelled)
    if isinstance(spelled, (dt.date, dt.datetime)):
        return spelled
    value = _literal(spelled, False)
    if isinstance(value, dt.date):
        return value
    raise BadFilter(f"INTERVAL end {spelled!r}: expected a date, a moment or '..'.")


def _literal(spelled: Any, pixels: bool) -> Any:
    if isinstance(spelled, Mapping):
        return _typed(spelled, pixels)
    if is_geometry(spelled):
        return checked_geometry(spelled, pixels)
    if isinstance(spelled, str) and is_storable(spelled):
        return spelled
    if isinstance(spelled, (bool, dt.date)):
        return spelled
    if isinstance(spelled, (int, float)) and _is_finite(spelled):
        return spelled
    way_out = "IS NULL asks whether a value is missing" if spelled is None else "CQL2 has these"
    raise BadFilter(
        f"{spelled!r} in a filter: expected a property, literal or operator; {way_out}."
    )


def _typed(spelled: Mapping[str, Any], pixels: bool) -> Any:
    """A literal that CQL2 JSON spells as a mapping."""
    if "timestamp" in spelled:
        return moment_of(spelled["timestamp"])
    if "date" in spelled:
        return date_of(spelled["date"])
    if "bbox" in spelled:
        return checked_geometry(_box(spelled["bbox"]), pixels)
    if spelled.get("type") in GEOJSON_TYPES:
        return checked_geometry(_geometry(spelled), pixels)
    raise BadFilter(f"{dict(spelled)!r} in a filter: expected a property, literal or operator.")


def _geometry(spelled: Mapping[str, Any]) -> shapely.Geometry:
    try:
        return shapely.geometry.shape(dict(spelled))
    except (shapely.errors.ShapelyError, *_MALFORMED) as error:
        raise BadGeometry(f"geometry {dict(spelled)!r} in a filter: {error}") from error


def _box(corners: Any) -> shapely.Geometry:
    if (
        not isinstance(corners, (list, tuple))
        or len(corners) != 4
        or not all(isinstance(corner, (int, float)) for corner in corners)
        or corners[0] > corners[2]
        or corners[1] > corners[3]
    ):
        raise BadGeometry(
            f"BBOX {corners!r}: expected west, south, east, north with west <= east and "
            "south <= north; one over the antimeridian is two, joined by OR."
        )
    return shapely.box(*corners)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
