"""What SQLite asks Python: places, distances, and what its JSON paths cannot spell."""

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


def _distance(place: bytes | None, longitude: float, latitude: float) -> float | None:
    there = None if place is None else shapely.from_wkb(place)
    if there is None or not is_on_earth(there):
        return None
    return float(distances([there], longitude, latitude)[0])


def _geometry(spelled: object) -> bytes | None:
    value = json.loads(spelled) if isinstance(spelled, str) and spelled[:1] == "{" else None
    place = geometry_of(value)
    return None if place is None else bytes(shapely.to_wkb(place))


def _casefold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _member(document: str, keys: str) -> str | None:
    """Metadata under keys that a JSON path cannot spell, as JSON."""
    value = looked_up(json.loads(document), json.loads(keys))
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _relation(op: str) -> Callable[[bytes | None, bytes | None], bool | None]:
    def relation(left: bytes | None, right: bytes | None) -> bool | None:
        one, other = _comparable(left), _comparable(right)
        return None if one is None or other is None else is_related(op, one, other)

    return relation


@lru_cache(maxsize=64)  # a filter's own geometry comes again with every datum
def _comparable(place: bytes | None) -> BaseGeometry | None:
    geometry = None if place is None else shapely.from_wkb(place)
    return geometry if is_comparable(geometry) else None


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "velour_distance": (3, _distance),
    "velour_geometry": (1, _geometry),
    "velour_casefold": (1, _casefold),
    "velour_member": (2, _member),
    **{f"velour_{op}": (2, _relation(op)) for op in SPATIAL},
}
"""Functions of SQL by name: how many arguments they take, and what answers."""
