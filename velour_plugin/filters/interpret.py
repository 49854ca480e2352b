"""Evaluate a filter on datums in memory: the reference that both databases must agree with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.facts import TAGS, FactValue
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.errors import BadFilter, UnknownName
from velour_plugin.filters.comparable_values import geometry_of
from velour_plugin.filters.language.swapped import warn_if_swapped
from velour_plugin.filters.language.tree import COMPARISONS, Call, Node, Property, properties
from velour_plugin.filters.predicates import Truth, compiled
from velour_plugin.filters.property_names import OWN_NAMES
from velour_plugin.helpers.libraries import shapely

FactsOfDatums = Mapping[str, Mapping[str, FactValue]]
"""By uid of the datum, by name of the fact, such as ``fact.quality.blur``."""


def select(
    node: Node | None,
    datums: Sequence[Datum],
    dataset: str,
    strict: bool = True,
    *,
    truth: AnnotationTable | None = None,
    predictions: AnnotationTable | None = None,
    facts: FactsOfDatums | None = None,
) -> NDArray[np.bool_]:
    """Return the mask of the datums that a filter selects.

    Args:
        node: as :func:`velour_plugin.filters.parse_filter` made it; ``None`` selects all.
        datums: of one dataset.
        dataset: its name.
        strict: refuse properties that none of these datums has; false for a part of a dataset.
        truth: ground truth of the datums, for ``datum.labels`` and ``datum.truths``.
        predictions: of one run, for ``datum.predictions``.
        facts: of the datums, as a store has them.

    Returns:
        ``(datums,)`` bool; a datum for which the filter is unknown is not selected.

    Raises:
        UnknownName: no datum has a property that the filter names.
        BadFilter: a property is not about datums, or is of facts, ground truth or predictions,
            which were not passed.

    Warns:
        SwappedCoordinates: nothing is selected, and would be with latitude and longitude exchanged.
    """
    if node is None:
        return np.ones(len(datums), bool)
    if facts is None:
        refuse_facts(node)
    derived = _derived(node, len(datums), truth, predictions)
    subjects = [
        _DatumSubject.of(datum, dataset, row, derived, (facts or {}).get(datum.uid, {}))
        for row, datum in enumerate(datums)
    ]
    known = {name for subject in subjects for name in subject.record}
    known.update(name for values in (facts or {}).values() for name in values)
    check_properties(node, known, strict, also=("prediction",))
    chosen = _selected(compiled(node), subjects)
    if not chosen.any():
        warn_if_swapped(node, lambda other: bool(_selected(compiled(other), subjects).any()))
    return chosen


def check_properties(
    node: Node, known: set[str], strict: bool = True, also: Sequence[str] = ()
) -> None:
    """Refuse a filter on a property that no datum has: it would silently select nothing.

    Args:
        node: the filter.
        known: names of metadata and of facts that datums have.
        strict: whether to refuse unknown names; false for a part of a dataset.
        also: other things that conditions may be about.

    Raises:
        UnknownName: no datum has the property.
        BadFilter: it is about labels, annotations or runs.
    """
    for prop in properties(node):
        if prop.about not in ("datum", *also):
            raise BadFilter(
                f"{prop.name}{_at(prop)} is not about datums, and only datums are selected here; "
                f"metadata of that name is metadata.{prop.name}."
            )
        if strict and not _is_known(prop, known):
            error = UnknownName("property", prop.name, known | OWN_NAMES, unquoted_hint(node, prop))
            error.args = (f"{error}{_at(prop, ' It is named at ', '.')}",)
            raise error


def unquoted_hint(node: Node, prop: Property) -> str | None:
    """Say how to write a text without quotes, as ``area = Vegas``; ``None`` if it is none."""
    if isinstance(node, Call):
        subject, *others = node.args
        if node.op in COMPARISONS and prop in others and isinstance(subject, Property):
            return f"text stands in single quotes: {subject.name} {node.op} '{prop.name}';"
        return next(filter(None, (unquoted_hint(part, prop) for part in node.args)), None)
    return None


def refuse_facts(node: Node | None) -> None:
    """Refuse a filter on facts where there is no store.

    Raises:
        BadFilter: the filter has a property that is a fact.
    """
    for prop in properties(node) if node is not None else ():
        if prop.fact is not None:
            raise BadFilter(
                f"{prop.name}{_at(prop)} is a fact, and facts are in a store: evaluate a dataset "
                "in memory with store=, or use 'velour rank'."
            )


def _is_known(prop: Property, known: set[str]) -> bool:
    if prop.fact is not None:
        return prop.fact == TAGS or prop.fact in known
    return not prop.path or bool(known & {prop.path[0], ".".join(prop.path)})


def _derived(
    node: Node, datums: int, truth: AnnotationTable | None, predictions: AnnotationTable | None
) -> dict[str, Sequence[Any]]:
    """Values of the properties that are computed from annotations, for each datum.

    Raises:
        BadFilter: the annotations were not passed.
    """
    makers: dict[str, tuple[AnnotationTable | None, Any, str]] = {
        "datum.labels": (truth, labels_of_datums, "ground truth"),
        "datum.truths": (truth, annotations_of_datums, "ground truth"),
        "datum.predictions": (predictions, annotations_of_datums, "predictions of one run"),
    }
    derived: dict[str, Sequence[Any]] = {}
    for prop in properties(node):
        if prop.name in makers:
            table, make, needs = makers[prop.name]
            if table is None:
                raise BadFilter(
                    f"{prop.name}{_at(prop)} needs the {needs}, which is not available here."
                )
            derived[prop.name] = make(table, datums)
    return derived


def annotations_of_datums(table: AnnotationTable, datums: int) -> list[int]:
    """Count the annotations of each datum, whatever their labels and scores."""
    pairs = np.unique(np.stack([table.datum, table.annotation]), axis=1)
    counts: list[int] = np.bincount(pairs[0], minlength=datums).tolist()
    return counts


def labels_of_datums(table: AnnotationTable, datums: int) -> list[list[str]]:
    """List the labels of each datum's annotations, each as ``value`` and as ``key=value``."""
    held: list[list[str]] = [[] for _ in range(datums)]
    pairs = np.unique(np.stack([table.datum, table.label]), axis=1)
    for datum, label in pairs.T.tolist():
        key, value = table.labels[label]
        held[datum] += [value, f"{key}={value}"]
    return held


def looked_up(metadata: Mapping[str, Any] | None, path: Sequence[str]) -> Any:
    """Return the value at a path: the dotted path as a key, else nested; ``None`` if absent."""
    value: Any = metadata or {}
    whole = ".".join(path)
    if whole in value:
        return value[whole]
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


@dataclass(frozen=True, slots=True)
class _DatumSubject:
    """A datum, its metadata as JSON, and its other properties by name."""

    datum: Datum
    record: Mapping[str, Any]
    known: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        datum: Datum,
        dataset: str,
        row: int,
        derived: Mapping[str, Sequence[Any]],
        facts: Mapping[str, FactValue],
    ) -> _DatumSubject:
        known = {"uid": datum.uid, "dataset": dataset, TAGS: (), **facts}
        known.update({name: values[row] for name, values in derived.items()})
        return cls(datum, encode_metadata(datum.metadata), known)

    def value(self, prop: Property) -> Any:
        if prop.path:
            return looked_up(self.record, prop.path)
        value = self.known.get(prop.fact or prop.name)
        return list(value) if isinstance(value, tuple) else value

    def geometry(self, prop: Property) -> shapely.Geometry | None:
        if prop.name == "location":
            return self.datum.location
        return geometry_of(looked_up(self.record, prop.path))


def _selected(truth: Truth, subjects: Sequence[_DatumSubject]) -> NDArray[np.bool_]:
    return np.array([truth(subject) is True for subject in subjects], dtype=bool)


def _at(prop: Property, before: str = " (at ", after: str = ")") -> str:
    return f"{before}{prop.at}{after}" if prop.at else ""
