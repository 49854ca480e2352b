"""Operand rules of the spatial operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from velour_plugin.domain.metadata import checked_location
from velour_plugin.errors import BadFilter, BadGeometry, UnknownName
from velour_plugin.filters.language.tree import METRES, TURNED, Call, Literal, Node, Property
from velour_plugin.helpers.libraries import is_geometry, shapely
from velour_plugin.helpers.representation import shortened

REGION = "annotation.geometry"


def spatial(op: str, nodes: Sequence[Node]) -> Call:
    """Check the operands of ``S_INTERSECTS`` or the like, and return the call, a property first.

    Raises:
        BadFilter: they are not two places, or none of them is a property.
        BadGeometry: a literal cannot be compared.
    """
    fits = len(nodes) == 2 and all(map(_is_place, nodes))
    if not fits or all(isinstance(node, Literal) for node in nodes):
        raise BadFilter(
            f"operator {op.upper()} takes a property that is a place, such as location and a "
            "geometry, such as POINT(lon lat) or POLYGON((lon lat, …)); "
            "annotation.geometry and GeoJSON metadata are places too."
        )
    pixels = [node == Property(REGION) for node in nodes]
    for node in nodes:
        if isinstance(node, Literal):
            checked_geometry(node.value, pixels=any(pixels))
    if isinstance(nodes[0], Literal):
        op, nodes = TURNED.get(op, op), nodes[::-1]
    return Call(op, tuple(nodes))


def dwithin(op: str, nodes: Sequence[Node]) -> Call:
    """Check the operands of ``DWITHIN``: a place, a point, a distance, a unit; return the call.

    Raises:
        BadFilter: they are something else, or the distance is out of range.
        UnknownName: there is no such unit of length.
        BadGeometry: the point cannot be compared.
    """
    if not _is_nearness(nodes):
        raise BadFilter(
            "operator DWITHIN takes location or GeoJSON metadata, POINT(lon lat), a distance and "
            "a unit, as in DWITHIN(location, POINT(-71.03 42.36), 50, 'mi')."
        )
    point, distance, unit = map(_value, nodes[1:])
    checked_geometry(point, pixels=False)
    if unit not in METRES:
        raise UnknownName("unit of length", unit, METRES)
    if not (math.isfinite(distance) and 0 <= distance < 2e7 / METRES[unit]):
        raise BadFilter(
            f"DWITHIN {distance} {unit}: a distance is >= 0 and below half way round the Earth."
        )
    return Call(op, tuple(nodes))


def checked_geometry(geometry: shapely.Geometry, pixels: bool) -> shapely.Geometry:
    """Return a geometry that can be compared, or refuse it.

    Raises:
        BadGeometry: it is empty, crosses itself, is a collection, or leaves the Earth.
    """
    if not pixels:
        placed = checked_location(geometry)
        assert placed is not None
        geometry = placed
    finite = all(map(math.isfinite, shapely.get_coordinates(geometry).flat))
    if geometry.is_empty or not finite or not shapely.is_valid(geometry):
        reason = "is empty" if geometry.is_empty else shapely.is_valid_reason(geometry)
        raise BadGeometry(f"geometry {shortened(geometry)} in a filter: {reason}.")
    if geometry.geom_type == "GeometryCollection":
        raise BadGeometry(
            f"{shortened(geometry)} in a filter: use each part of a collection by itself."
        )
    return shapely.force_2d(geometry)


def is_number(value: Any) -> bool:
    """Whether a value is a number, which a boolean is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_place(node: Node) -> bool:
    if isinstance(node, Property):
        return node.kind in ("any", "geometry")
    return isinstance(node, Literal) and is_geometry(node.value)


def _is_nearness(nodes: Sequence[Node]) -> bool:
    if len(nodes) != 4 or not isinstance(nodes[0], Property) or nodes[0] == Property(REGION):
        return False
    point, distance, unit = map(_value, nodes[1:])
    is_point = is_geometry(point) and point.geom_type == "Point"
    fits = is_point and is_number(distance) and isinstance(unit, str)
    return fits and _is_place(nodes[0])


def _value(node: Node) -> Any:
    return node.value if isinstance(node, Literal) else None
