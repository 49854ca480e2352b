"""SQL functions in Python for SQLite: geometry, distances, and keys outside JSON paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from velour_plugin.filters.comparable_values import geometry_of
from velour_plugin.filters.geodesy import distances, is_on_earth
from velour_plugin.filters.interpret import looked_up
from velour_plugin.filters.language.tree import SPATIAL
from velour_plugin.filters.predicates import is_comparable, is_related
from velour_plugin.helpers.libraries import shapely

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


def _distance(wkb: bytes | None, longitude: float, latitude: float) -> float | None:
    location = None if wkb is None else shapely.from_wkb(wkb)
    if location is None or not is_on_earth(location):
        return None
    return float(distances([location], longitude, latitude)[0])


def _geometry(text: object) -> bytes | None:
    value = json.loads(text) if isinstance(text, str) and text[:1] == "{" else None
    wkb = geometry_of(value)
    return None if wkb is None else bytes(shapely.to_wkb(wkb))


def _casefold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _member(document: str, keys: str) -> str | None:
    """Metadata under keys that a JSON path cannot express, as JSON."""
    value = looked_up(json.loads(document), json.loads(keys))
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _relation(op: str) -> Callable[[bytes | None, bytes | None], bool | None]:
    def relation(left: bytes | None, right: bytes | None) -> bool | None:
        first, second = _comparable(left), _comparable(right)
        return None if first is None or second is None else is_related(op, first, second)

    return relation


@lru_cache(maxsize=64)  # a filter's geometry is the same for every datum
def _comparable(wkb: bytes | None) -> BaseGeometry | None:
    geometry = None if wkb is None else shapely.from_wkb(wkb)
    return geometry if is_comparable(geometry) else None


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "velour_distance": (3, _distance),
    "velour_geometry": (1, _geometry),
    "velour_casefold": (1, _casefold),
    "velour_member": (2, _member),
    **{f"velour_{op}": (2, _relation(op)) for op in SPATIAL},
}
"""SQL functions by name: number of arguments, and the Python function."""
