"""Warn when latitude and longitude of a filter seem to be exchanged."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from velour_plugin.errors import BadGeometry
from velour_plugin.filters.language.spatial_operators import REGION, checked_geometry
from velour_plugin.filters.language.tree import SPATIAL, Call, Literal, Node, Property, mapped
from velour_plugin.helpers.libraries import is_geometry, shapely


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


def _swapped(node: Node) -> Node:
    if isinstance(node, Call) and (node.op in SPATIAL or node.op == "dwithin"):
        return node if Property(REGION) in node.args else mapped(node, _turned)
    if isinstance(node, Call):
        return Call(node.op, tuple(_swapped(arg) for arg in node.args))
    return node


def _turned(literal: Literal) -> Literal:
    if not is_geometry(literal.value):
        return literal
    turned = shapely.transform(literal.value, lambda points: points[:, ::-1])
    return Literal(checked_geometry(turned, pixels=False))
