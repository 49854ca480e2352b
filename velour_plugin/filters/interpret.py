"""Answer a filter for datums in memory; the meaning that both stores must agree with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.errors import BadFilter, UnknownName
from velour_plugin.filters.evaluate import Truth, compiled
from velour_plugin.filters.names import ABOUT_DATUMS, OWN
from velour_plugin.filters.swapped import warn_if_swapped
from velour_plugin.filters.tree import Node, Property, properties
from velour_plugin.filters.values import geometry_of


def matching(
    node: Node | None, datums: Sequence[Datum], dataset: str, strict: bool = True
) -> NDArray[np.bool_]:
    """Say which datums a filter selects.

    Args:
        node: as :func:`velour_plugin.filters.parse_filter` made it; ``None`` selects all.
        datums: of one dataset.
        dataset: its name.
        strict: refuse properties that none of these datums has; say no when they are but a part.

    Returns:
        ``(datums,)`` bool; what is unknown is not selected.

    Raises:
        UnknownName: no datum has a property that the filter names.
        BadFilter: a property is not about datums.

    Warns:
        SwappedCoordinates: nothing is selected, and would be with latitude and longitude exchanged.
    """
    if node is None:
        return np.ones(len(datums), bool)
    records = [encode_metadata(datum.metadata) for datum in datums]
    subjects = [
        _DatumSubject(datum, record, dataset) for datum, record in zip(datums, records, strict=True)
    ]
    check_properties(node, {name for record in records for name in record}, strict)
    chosen = _selected(compiled(node), subjects)
    if not chosen.any():
        warn_if_swapped(node, lambda other: bool(_selected(compiled(other), subjects).any()))
    return chosen


def check_properties(node: Node, known: set[str], strict: bool = True) -> None:
    """Refuse a filter on a property that no datum has: its answer would be a silent nothing.

    Raises:
        UnknownName: no datum has the property.
        BadFilter: it is about labels, annotations or runs, which are not asked here.
    """
    for prop in properties(node):
        if prop.family != "datum":
            raise BadFilter(
                f"{prop.name}{_at(prop)} is not about datums, and only datums are selected here; "
                f"metadata of that name is asked for as metadata.{prop.name}."
            )
        if strict and prop.path and not known & {prop.path[0], ".".join(prop.path)}:
            error = UnknownName("property", prop.name, {*known, *ABOUT_DATUMS, *OWN})
            error.args = (f"{error}{_at(prop, ' It is named at ', '.')}",)
            raise error


def looked_up(metadata: Mapping[str, Any] | None, path: Sequence[str]) -> Any:
    """The value under a dotted path: of the key as it is written, else of the nested one."""
    value: Any = metadata or {}
    whole = ".".join(path)
    if whole in value:
        return value[whole]
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


@dataclass(frozen=True, slots=True)
class _DatumSubject:
    """A datum, its metadata in JSON, and the name of its dataset."""

    datum: Datum
    record: Mapping[str, Any]
    dataset: str

    def value(self, prop: Property) -> Any:
        if prop.path:
            return looked_up(self.record, prop.path)
        return self.datum.uid if prop.name == "uid" else self.dataset

    def place(self, prop: Property) -> BaseGeometry | None:
        if prop.name == "location":
            return self.datum.location
        return geometry_of(looked_up(self.record, prop.path))


def _selected(truth: Truth, subjects: Sequence[_DatumSubject]) -> NDArray[np.bool_]:
    return np.array([truth(subject) is True for subject in subjects], dtype=bool)


def _at(prop: Property, before: str = " (at ", after: str = ")") -> str:
    return f"{before}{prop.at}{after}" if prop.at else ""
