"""Evaluate a filter on numbers and labels for all rows of an annotation table at once.

The meaning is that of :mod:`velour_plugin.filters.predicates`: a comparison with a missing number
is unknown, neither true nor false.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.columns.region_column import MULTIPOLYGON, NO_REGION, POLYGON
from velour_plugin.filters.comparable_values import OPERATORS, literal_readings
from velour_plugin.filters.language.tree import Call, Literal, Node, Property, properties
from velour_plugin.filters.predicates import compiled
from velour_plugin.helpers.libraries import shapely

Mask = NDArray[np.bool_]

FORM = "annotation.form"
FORMS = ("box", "polygon", "multipolygon", "raster", "embedding")
"""Values of :data:`FORM`; an annotation of a whole datum by its label alone has none."""
_BOX, _POLYGON, _MULTIPOLYGON, _RASTER, _EMBEDDING, _NO_FORM = range(6)


class Truths(NamedTuple):
    """``(n,)`` masks: rows where a filter is true, and where it is false; others are unknown."""

    true: Mask
    false: Mask


class LabelSubject:
    """A label as a filter sees it, with the properties ``label.key`` and ``label.value``."""

    def __init__(self, name: LabelName) -> None:
        self.name = dict(zip(("label.key", "label.value"), name, strict=True))

    def value(self, prop: Property) -> Any:
        """Return the label's key or its value."""
        return self.name[prop.name]

    def geometry(self, prop: Property) -> shapely.Geometry | None:
        """Return ``None``: a label has no geometry."""
        return None


class _FormSubject:
    """An annotation's form as a filter sees it."""

    def __init__(self, form: str | None) -> None:
        self.form = form

    def value(self, prop: Property) -> Any:
        return self.form

    def geometry(self, prop: Property) -> shapely.Geometry | None:
        return None


def truths_of(node: Node, table: AnnotationTable) -> Truths | None:
    """Return the rows where a filter is true, and the rows where it is false.

    Args:
        node: a filter on labels and annotations.
        table: ground truth or predictions.

    Returns:
        two ``(n,)`` masks; ``None`` when the filter has more than labels, ``annotation.form``, and
        ``score`` and ``annotation.area``, compared with numbers.
    """
    assert isinstance(node, Call)
    if all(prop.about == "label" for prop in properties(node)):
        return _of_each(node, [LabelSubject(name) for name in table.labels], table.label)
    if all(prop.name == FORM for prop in properties(node)):
        return _of_each(node, [_FormSubject(form) for form in (*FORMS, None)], _forms(table))
    if node.op in ("and", "or"):
        parts = [truths_of(part, table) for part in node.args]
        known = [part for part in parts if part is not None]
        return reduce(_JUNCTIONS[node.op], known) if len(known) == len(parts) else None
    if node.op == "not":
        inner = truths_of(node.args[0], table)
        return inner and Truths(inner.false, inner.true)
    return _compared(node, [_numbers(arg, table) for arg in node.args])


def areas_of(table: AnnotationTable) -> NDArray[np.float64]:
    """Areas in square pixels, ``(n,)``: the table's own, else the region's; NaN without either."""
    with np.errstate(over="ignore"):
        box_area = table.box[:, 2] * table.box[:, 3]
    area = np.where(np.isnan(table.area), box_area, table.area)
    if table.shape is not None:
        for row in np.flatnonzero(np.isnan(table.area)):
            shape = table.shape[row]
            if shape is not None:
                area[row] = shape.area
    return area


def forms_of(table: AnnotationTable) -> list[str | None]:
    """Return the form of each row's region, one of :data:`FORMS`; ``None`` for a label alone."""
    names = (*FORMS, None)
    return [names[form] for form in _forms(table).tolist()]


def may_have_form(node: Node) -> bool:
    """Whether a condition on nothing but :data:`FORM` is true of some form; others may be true."""
    if any(prop.name != FORM for prop in properties(node)):
        return True
    truth = compiled(node)
    return any(truth(_FormSubject(form)) is True for form in (*FORMS, None))


def _forms(table: AnnotationTable) -> NDArray[np.intp]:
    """Index in :data:`FORMS`: of the shape where there is one, whatever box stands beside it."""
    form = np.where(np.isnan(table.box[:, 0]), _NO_FORM, _BOX)
    if table.embedding is not None:
        form[[item is not None for item in table.embedding]] = _EMBEDDING
    if table.shape is not None:
        kinds = [table.shape.kind == kind for kind in (NO_REGION, POLYGON, MULTIPOLYGON)]
        form = np.select(kinds, [form, _POLYGON, _MULTIPOLYGON], _RASTER)
    return form


def _compared(node: Call, numbers: Sequence[NDArray[np.float64] | None]) -> Truths | None:
    known = [column for column in numbers if column is not None]
    if len(known) < len(numbers):
        return None
    if node.op in OPERATORS:
        return _comparison(node.op, *known)
    if node.op == "between":
        value, low, high = known
        return _and(_comparison(">=", value, low), _comparison("<=", value, high))
    if node.op == "isnull":
        return Truths(np.isnan(known[0]), ~np.isnan(known[0]))
    return None


def _comparison(op: str, left: NDArray[np.float64], right: NDArray[np.float64]) -> Truths:
    known = ~(np.isnan(left) | np.isnan(right))
    true = OPERATORS[op](left, right) & known
    return Truths(true, known & ~true)


def _numbers(node: Node, table: AnnotationTable) -> NDArray[np.float64] | None:
    """A number for each row, NaN where it is missing; ``None`` if it is not numeric."""
    if isinstance(node, Literal):
        readings = literal_readings(node.value)
        return np.full(len(table), readings["number"]) if "number" in readings else None
    if not isinstance(node, Property) or node.path:
        return None
    if node.name == "score":
        return table.score
    return areas_of(table) if node.name == "annotation.area" else None


def _of_each(
    node: Call, subjects: Sequence[LabelSubject | _FormSubject], index: NDArray[np.integer]
) -> Truths:
    """Evaluate a filter once for each subject, and look up the subject of each row."""
    truth = compiled(node)
    answers = [truth(subject) for subject in subjects]
    masks = (np.array([answer is value for answer in answers], bool) for value in (True, False))
    return Truths(*(mask[index] for mask in masks))


def _and(left: Truths, right: Truths) -> Truths:
    return Truths(left.true & right.true, left.false | right.false)


def _or(left: Truths, right: Truths) -> Truths:
    return Truths(left.true | right.true, left.false & right.false)


_JUNCTIONS = {"and": _and, "or": _or}
