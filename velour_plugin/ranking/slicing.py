"""Cut datums into slices by their metadata, location or named filters.

A *cut* is a property, maybe with a way of cutting behind a colon:

==================  ==========================================================
``city``            each value; numbers of more than ten values in quarters
``wind:3``          a number in that many parts of about equal size
``captured_at:hour``  a moment's hour (also ``month``, ``weekday``, ``year``), in UTC
``location:1``      cells of that many degrees of latitude and longitude
==================  ==========================================================

or a mapping of a name to named filters, such as regions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.metadata import nested_value
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.filters import parse_filter
from velour_plugin.filters.interpret import select
from velour_plugin.queries.fields import Cut

Mask = NDArray[np.bool_]
FEW_VALUES = 10
"""Numbers of more different values than this are cut into parts."""

_CLOCK = {"hour": "%H h", "month": "%m %B", "weekday": "%u %A", "year": "%Y"}


def masks(
    datums: Sequence[Datum], cut: Cut, dataset: str, truth: AnnotationTable | None = None
) -> dict[str, Mask]:
    """Return which datums each slice holds.

    Args:
        datums: of one dataset.
        cut: how to cut them (see the module).
        dataset: its name.
        truth: their ground truth, for filters on what a datum shows.

    Returns:
        For each slice ``(datums,)`` bool, in the slices' natural order. A datum of which
        nothing is known is in none.

    Raises:
        UnknownName: no datum has that property, or there is no such way of cutting.
        InvalidInput: the property's values cannot be cut that way.
    """
    if not isinstance(cut, str):
        ((_, filters),) = cut.items()
        return {
            name: select(parse_filter(where), datums, dataset, truth=truth)
            for name, where in filters.items()
        }
    name, _, way = cut.partition(":")
    if name == "location":
        return _cells(datums, cut)
    values = property_values(datums, name)
    kind = next(value for value in values if value is not None)
    if isinstance(kind, dt.datetime):
        return _moments(values, cut, way or "month")
    if way or _is_continuous(values):
        return _parts(values, cut, way or "4")
    return _each_value(values)


def cut_name(cut: Cut) -> str:
    """Return the name of a cut: the text itself, or the only key of a mapping."""
    return cut if isinstance(cut, str) else next(iter(cut))


def property_values(datums: Sequence[Datum], name: str) -> list[Any]:
    """Return each datum's value of a property of its metadata; ``None`` where it has none.

    Raises:
        UnknownName: no datum has it; the nearest is named.
    """
    values = [nested_value(datum.metadata, name) for datum in datums]
    if all(value is None for value in values):
        raise UnknownName("property", name, {key for datum in datums for key in datum.metadata})
    return values


def _each_value(values: Sequence[Any]) -> dict[str, Mask]:
    distinct = sorted(
        {value for value in values if isinstance(value, (str, bool, int, float))}, key=_order
    )
    return {
        str(value): np.array([type(v) is type(value) and v == value for v in values])
        for value in distinct
    }


def _order(value: Any) -> tuple[str, Any]:
    return ("number", value) if isinstance(value, (int, float)) else (type(value).__name__, value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_continuous(values: Sequence[Any]) -> bool:
    return len({value for value in values if _is_number(value)}) > FEW_VALUES


def _parts(values: Sequence[Any], cut: str, way: str) -> dict[str, Mask]:
    if not way.isdigit() or not 2 <= int(way) <= 100:
        raise InvalidInput(f"cut {cut!r}: numbers are cut into 2 to 100 parts, as in 'wind:4'.")
    numbers = np.array([float(v) if _is_number(v) else np.nan for v in values])
    if np.isnan(numbers).all():
        raise InvalidInput(f"cut {cut!r}: no datum has a number there.")
    ends = np.unique(np.nanquantile(numbers, np.linspace(0, 1, int(way) + 1)))
    if len(ends) == 1:
        return {f"{ends[0]:g}": numbers == ends[0]}
    spans = list(pairwise(ends))
    return {
        f"{low:g} to {high:g}": (numbers >= low)
        & ((numbers <= high) if high == ends[-1] else (numbers < high))
        for low, high in spans
    }


def _moments(values: Sequence[Any], cut: str, way: str) -> dict[str, Mask]:
    if way not in _CLOCK:
        raise UnknownName(f"way to cut {cut!r}", way, _CLOCK)
    names = [v.strftime(_CLOCK[way]) if isinstance(v, dt.datetime) else None for v in values]
    distinct = sorted({name for name in names if name is not None})
    return {known: np.array([name == known for name in names]) for known in distinct}


def cell_names(datums: Sequence[Datum], cut: str) -> list[str | None]:
    """Return the name of each datum's cell; ``None`` where it has no location.

    Args:
        datums: by the centres of their locations.
        cut: ``location``, or ``location:DEGREES``.

    Raises:
        InvalidInput: cells have no such size.
    """
    size = _cell_size(cut)
    corners = _corners(datums, size)
    return [None if corner is None else _cell_name(corner, size) for corner in corners]


def _cells(datums: Sequence[Datum], cut: str) -> dict[str, Mask]:
    size = _cell_size(cut)
    corners = _corners(datums, size)
    return {
        _cell_name(corner, size): np.array([each == corner for each in corners])
        for corner in sorted({corner for corner in corners if corner is not None})
    }


def _corners(datums: Sequence[Datum], size: float) -> list[tuple[float, float] | None]:
    """The south-western corner of each datum's cell, in degrees."""
    centres = [None if d.location is None else d.location.centroid for d in datums]
    return [None if c is None else (c.y // size * size, c.x // size * size) for c in centres]


def _cell_name(corner: tuple[float, float], size: float) -> str:
    south, west = corner
    return f"{south:g} to {south + size:g} N, {west:g} to {west + size:g} E"


def _cell_size(cut: str) -> float:
    try:
        size = float(cut.partition(":")[2] or "1")
    except ValueError:
        size = 0.0
    if not 0 < size <= 90:
        raise InvalidInput(f"cut {cut!r}: cells have 0 to 90 degrees, as in 'location:1'.")
    return size
