"""Notice when the coordinates of a filter seem to be the wrong way round."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from velour_plugin.errors import BadGeometry
from velour_plugin.filters.evaluate import related
from velour_plugin.filters.geodesy import distances
from velour_plugin.filters.places import REGION, checked_geometry
from velour_plugin.filters.tree import METRES, SPATIAL, Call, Literal, Node, Property, mapped


class SwappedCoordinates(UserWarning):
    """A filter selects nothing, and would if its latitude and longitude were exchanged."""


def swapped(node: Node) -> Node | None:
    """The same filter with x and y of its geometries exchanged; ``None`` when there is none.

    Geometries in an image stay as they are, as do filters that would then leave the Earth.
    """
    try:
        other = _swapped(node)
    except BadGeometry:
        return None
    return None if other == node else other


def warn_if_swapped(node: Node, selects: Callable[[Node], bool]) -> None:
    """Warn about a filter that selects nothing, if exchanged coordinates select something.

    Args:
        node: the filter, which selects nothing.
        selects: says whether another filter selects anything.
    """
    other = swapped(node)
    if other is not None and selects(other):
        warnings.warn(
            "the filter selects nothing, but would with latitude and longitude exchanged: CQL2 and "
            "GeoJSON put the longitude first, POINT(lon lat).",
            SwappedCoordinates,
            stacklevel=4,
        )


def looks_swapped(node: Node, places: Sequence[BaseGeometry | None]) -> bool:
    """Say whether a spatial condition holds for none of the places, and for some if exchanged.

    Args:
        node: a filter; each of its spatial conditions on ``location`` is looked at by itself.
        places: of the datums, in WGS84.
    """
    known = [place for place in places if place is not None]
    for one in _conditions(node):
        other = swapped(one)
        if other is not None and not _any(one, known) and _any(other, known):
            return True
    return False


def _conditions(node: Node) -> list[Call]:
    if not isinstance(node, Call):
        return []
    if node.op in SPATIAL or node.op == "dwithin":
        return [node] if node.args[0] == Property("location") else []
    return [one for arg in node.args for one in _conditions(arg)]


def _any(node: Node, places: Sequence[BaseGeometry]) -> bool:
    assert isinstance(node, Call)
    values: list[Any] = [arg.value if isinstance(arg, Literal) else None for arg in node.args[1:]]
    if node.op == "dwithin":
        point, distance, unit = values
        far = distances(places, point.x, point.y)
        return bool((far <= distance * METRES[unit]).any())
    return any(related(node.op, place, values[0]) for place in places)


def _swapped(node: Node) -> Node:
    if isinstance(node, Call) and (node.op in SPATIAL or node.op == "dwithin"):
        return node if Property(REGION) in node.args else mapped(node, _turned)
    if isinstance(node, Call):
        return Call(node.op, tuple(_swapped(arg) for arg in node.args))
    return node


def _turned(literal: Literal) -> Literal:
    if not isinstance(literal.value, BaseGeometry):
        return literal
    turned = shapely.transform(literal.value, lambda points: points[:, ::-1])
    return Literal(checked_geometry(turned, pixels=False))
