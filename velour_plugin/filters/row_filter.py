"""Evaluate a filter on rows of an annotation table, on labels and on runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.geometry import Raster, Shape
from velour_plugin.errors import BadFilter, UnknownName
from velour_plugin.filters.column_filter import FORM, LabelSubject, areas_of, forms_of, truths_of
from velour_plugin.filters.comparable_values import geometry_of
from velour_plugin.filters.interpret import looked_up
from velour_plugin.filters.language.tree import Node, Property, properties
from velour_plugin.filters.predicates import compiled
from velour_plugin.helpers.libraries import shapely

_FAMILIES = ("annotation", "label", "score")


def matching_rows(node: Node | None, table: AnnotationTable) -> NDArray[np.bool_]:
    """Return the mask of the rows that a filter selects; all conditions are on the same row.

    Args:
        node: a filter on ``label.key``, ``label.value``, ``score``, ``annotation.area`` (of the
            table, else of the region, in square pixels), ``annotation.form``,
            ``annotation.geometry`` (the region, in pixels) and ``annotation.metadata.NAME``;
            ``None`` selects all.
        table: ground truth or predictions.

    Returns:
        ``(n,)`` bool; unknown is not selected: ground truth has no score.

    Raises:
        BadFilter: a property is not about labels or annotations.
    """
    if node is None:
        return np.ones(len(table), bool)
    _check(node, _FAMILIES)
    truths = truths_of(node, table)
    if truths is not None:
        return truths.true
    truth, subject = compiled(node), _RowSubject(table)
    result = np.zeros(len(table), bool)
    for row in range(len(table)):
        subject.row = row
        result[row] = truth(subject) is True
    return result


def matching_labels(node: Node | None, labels: Sequence[LabelName]) -> NDArray[np.bool_]:
    """Return the mask of the classes that a filter on ``label.key`` and ``label.value`` selects.

    Raises:
        BadFilter: a property is not about labels.
    """
    if node is None:
        return np.ones(len(labels), bool)
    _check(node, ("label",))
    truth = compiled(node)
    return np.array([truth(LabelSubject(name)) is True for name in labels], dtype=bool)


def matches_run(
    node: Node | None,
    model: str,
    run_id: str | None,
    model_metadata: Mapping[str, Any] | None = None,
    dataset_metadata: Mapping[str, Any] | None = None,
) -> bool:
    """Whether a filter on models, runs and datasets selects a run.

    Args:
        node: a filter on ``model``, ``run_id``, ``model.metadata.NAME``, ``dataset.metadata.NAME``
            and properties of runs that plugins add; ``None`` selects all.
        model: the model's name.
        run_id: the run's id, where there is a run.
        model_metadata: of the model, as JSON.
        dataset_metadata: of the dataset, as JSON.

    Raises:
        BadFilter: a property is not about runs.
    """
    if node is None:
        return True
    _check(node, ("run",))
    metadata = {"model": model_metadata or {}, "dataset": dataset_metadata or {}}
    return compiled(node)(RunSubject(model, run_id, metadata)) is True


def check_run_properties(
    node: Node | None,
    models: Iterable[Mapping[str, Any]],
    datasets: Iterable[Mapping[str, Any]],
) -> None:
    """Refuse conditions on metadata that no model or dataset has.

    Args:
        node: a filter as for :func:`matches_run`.
        models: metadata of all models that could be selected.
        datasets: metadata of all datasets that could be selected.

    Raises:
        UnknownName: none of them has a property that the filter names.
    """
    records = {"model": list(models), "dataset": list(datasets)}
    for prop in properties(node) if node is not None else ():
        known = records.get(prop.name.partition(".")[0], [])
        if prop.path and not any(looked_up(record, prop.path) is not None for record in known):
            owner = prop.name.partition(".")[0]
            names = {f"{owner}.metadata.{name}" for record in known for name in record}
            raise UnknownName("property", prop.name, names)


def _check(node: Node, families: Sequence[str]) -> None:
    for prop in properties(node):
        if prop.about not in families:
            raise BadFilter(f"{prop.name} is about a {prop.about}, not about {families[0]}s.")


class RunSubject:
    """A run as a filter sees it: model, metadata, and properties that plugins add."""

    def __init__(
        self, model: str, run_id: str | None, metadata: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.model, self.run_id, self.metadata = model, run_id, metadata

    def value(self, prop: Property) -> Any:
        """Return the value of a property of runs, models or datasets; ``None`` if it is unknown."""
        family = prop.family
        if family is not None and family.value is not None:  # a plugin's
            return family.value(prop.name, self.model, self.run_id)
        if prop.path:
            return looked_up(self.metadata[prop.name.partition(".")[0]], prop.path)
        return self.model if prop.name == "model" else self.run_id

    def geometry(self, prop: Property) -> shapely.Geometry | None:
        """Return GeoJSON of metadata as a geometry; ``None`` where it is none."""
        return geometry_of(self.value(prop)) if prop.path else None


class _RowSubject:
    """One row of a table as a filter sees it; set ``row`` to choose it."""

    def __init__(self, table: AnnotationTable) -> None:
        self.table = table
        self.row = 0

    @cached_property
    def numbers(self) -> dict[str, list[float]]:
        return {
            "score": self.table.score.tolist(),
            "annotation.area": areas_of(self.table).tolist(),
        }

    @cached_property
    def forms(self) -> list[str | None]:
        return forms_of(self.table)

    def value(self, prop: Property) -> Any:
        if prop.path:
            metadata = None if self.table.metadata is None else self.table.metadata[self.row]
            return looked_up(metadata, prop.path)
        if prop.about == "label":
            name = self.table.labels[self.table.label[self.row]]
            return name[prop.name == "label.value"]
        if prop.name == FORM:
            return self.forms[self.row]
        number = self.numbers[prop.name][self.row]
        return None if number != number else number

    def geometry(self, prop: Property) -> shapely.Geometry | None:
        if prop.path:
            return geometry_of(self.value(prop))
        shape = self._shape()
        if shape is not None:
            return region_of(shape)
        x, y, width, height = self.table.box[self.row].tolist()
        return None if x != x else shapely.box(x, y, x + width, y + height)

    def _shape(self) -> Shape | None:
        return None if self.table.shape is None else self.table.shape[self.row]


def region_of(shape: Shape) -> shapely.Geometry:
    """Convert a region to a geometry in pixels; a mask to the union of its pixels, each a square.

    A polygon that crosses itself is made valid, as it is for matching.
    """
    if not isinstance(shape, Raster):
        return shapely.make_valid(shape.shape)
    height = shape.height
    edges = np.append(shape.edges, [height * shape.width] if len(shape.edges) % 2 else [])
    runs = [
        piece
        for start, end in edges.reshape(-1, 2).astype(np.int64).tolist()
        for piece in _columns(start, end, height)
    ]
    return shapely.union_all([shapely.box(*piece) for piece in runs])


def _columns(start: int, end: int, height: int) -> list[tuple[int, int, int, int]]:
    """The boxes of one run of pixels down the columns: at most three."""
    first, last = start // height, (end - 1) // height
    top, bottom = start % height, (end - 1) % height + 1
    if first == last:
        return [(first, top, first + 1, bottom)]
    ends = [(first, top, first + 1, height), (last, 0, last + 1, bottom)]
    return ends if last == first + 1 else [*ends, (first + 1, 0, last, height)]
