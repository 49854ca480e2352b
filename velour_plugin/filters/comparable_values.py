"""How values compare: only values of the same type do.

A value can be read in more than one way. ``DATE('2026-07-01')`` is a date, and the day (in
UTC) of a moment; ``'20:00'`` is a string, and a time of day; ``'PT2S'`` is a string, and a
duration. The first type in ``KINDS`` that two values share decides; with none, the answer is
unknown. Numbers are compared as float64, strings by code points, moments by instant.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from velour_plugin.domain.metadata import GEOJSON_TYPES, encode_metadata
from velour_plugin.errors import BadFilter
from velour_plugin.helpers.libraries import is_geometry, shapely
from velour_plugin.helpers.representation import shortened

Readings = Mapping[str, Any]
"""A value by each type that it can be read as."""

KINDS = ("number", "string", "boolean", "datetime", "day", "date", "time", "duration")
TAGS = {"datetime": "$datetime", "date": "$date", "time": "$time", "duration": "$duration"}
"""Keys by which metadata marks the types that JSON does not have."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
LARGEST, SMALLEST = 1e150, 1e-150
"""Operands of arithmetic outside these are unknown, so that no database overflows."""

_KIND_OF_TAG = {tag: kind for kind, tag in TAGS.items()}
_CLOCK = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_DURATION = re.compile(
    r"(?P<minus>-)?P(?=.)((?P<weeks>\d+)W)?((?P<days>\d+)D)?"
    r"(T(?=.)((?P<hours>\d+)H)?((?P<minutes>\d+)M)?((?P<seconds>\d+(\.\d{1,6})?)S)?)?"
)
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d)?(\.\d{1,6})?0*([Zz]|[+-]\d\d:?\d\d)?"
)


def readings(encoded: Any) -> Readings:
    """Return what metadata, as JSON, can be compared as: values by type; none of a list.

    >>> readings({"$datetime": "2026-07-01T12:00:00+00:00"})["day"]
    '2026-07-01'
    """
    if isinstance(encoded, bool):
        return {"boolean": encoded}
    if isinstance(encoded, (int, float)):
        return {"number": float(encoded)}
    if isinstance(encoded, str):
        return {"string": encoded}
    if isinstance(encoded, Mapping) and len(encoded) == 1:
        ((tag, value),) = encoded.items()
        kind = _KIND_OF_TAG.get(tag)
        if kind is not None:
            return {kind: value, "day": value[:10]} if kind == "datetime" else {kind: value}
    return {}


def literal_readings(value: Any) -> Readings:
    """Return what a literal of a filter can be compared as: values by type."""
    if is_geometry(value):
        return {}
    if isinstance(value, str):
        return {"string": value, **_clock(value), **_duration(value)}
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return {"day": value.isoformat(), "date": value.isoformat()}
    result = dict(readings(encode_metadata({"literal": value})["literal"]))
    result.pop("day", None)
    return result


def compare(op: str, left: Readings, right: Readings) -> bool | None:
    """Compare two values; ``None`` when they share no type, or booleans are put in order."""
    for kind in KINDS:
        if kind in left and kind in right:
            if kind == "boolean" and op not in ("=", "<>"):
                return None
            return bool(OPERATORS[op](left[kind], right[kind]))
    return None


def calculate(op: str, left: float | None, right: float | None) -> float | None:
    """Add, subtract, multiply or divide; ``None`` for division by zero and out of range."""
    if not (is_moderate(left) and is_moderate(right)) or left is None or right is None:
        return None
    if op == "/":
        return left / right if right else None
    return {"+": left + right, "-": left - right}.get(op, left * right)


def geometry_of(value: Any) -> shapely.Geometry | None:
    """Read a value of metadata as GeoJSON; ``None`` when it is none."""
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        return None
    inside = "geometries" if value["type"] == "GeometryCollection" else "coordinates"
    if value["type"] not in GEOJSON_TYPES or set(value) != {"type", inside}:
        return None
    try:
        return shapely.geometry.shape(dict(value))
    except (shapely.errors.ShapelyError, OverflowError, ValueError, TypeError, IndexError):
        return None


def moment_of(text: object) -> dt.datetime:
    """Read what ``TIMESTAMP`` holds; without a zone it is in UTC.

    Raises:
        BadFilter: it is no moment.
    """
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    try:
        if match is None:
            raise ValueError("of another form")
        day, minute, second, fraction, zone = match.groups()
        fraction = (fraction or ".").ljust(7, "0")
        zone = "+00:00" if (zone or "Z") in "Zz" else f"{zone[:3]}:{zone[-2:]}"
        moment = dt.datetime.fromisoformat(f"{day}T{minute}{second or ':00'}{fraction}{zone}")
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise BadFilter(
            f"{shortened(text)} is no moment: expected TIMESTAMP('2026-07-01T21:30:00Z'), "
            "with microseconds at most."
        ) from error


def date_of(text: object) -> dt.date:
    """Read what ``DATE`` holds.

    Raises:
        BadFilter: it is no day of the calendar.
    """
    try:
        if not isinstance(text, str) or len(text) != 10:
            raise ValueError("of another form")
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise BadFilter(f"{shortened(text)} is no date: expected DATE('2026-07-01').") from error


def is_moderate(number: float | None) -> bool:
    """Whether a number may take part in arithmetic."""
    return number is not None and (number == 0 or SMALLEST <= abs(number) <= LARGEST)


def _clock(text: str) -> Readings:
    if not _CLOCK.fullmatch(text):
        return {}
    whole, dot, fraction = text.partition(".")
    try:
        time = dt.time.fromisoformat(whole + dot + (fraction.ljust(6, "0") if dot else ""))
    except ValueError:
        return {}
    return {"time": time.isoformat()}


def _duration(text: str) -> Readings:
    match = _DURATION.fullmatch(text)
    if not match:
        return {}
    parts = {
        name: float(digits or 0) for name, digits in match.groupdict().items() if name != "minus"
    }
    try:
        duration = dt.timedelta(**parts)
    except OverflowError:
        return {}
    return {"duration": (-duration if match["minus"] else duration).total_seconds()}
