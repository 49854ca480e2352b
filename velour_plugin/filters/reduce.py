"""Apply a filter's conditions on labels, annotations and scores to a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.datasets import Dataset
from velour_plugin.errors import UnknownName
from velour_plugin.filters.column_filter import FORMS, may_have_form
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.tree import conjuncts, properties
from velour_plugin.filters.row_filter import matching_labels, matching_rows
from velour_plugin.filters.split import Split

_OF_ANNOTATION = "annotation.metadata."


def reduced(dataset: Dataset, split: Split) -> Dataset:
    """Return a dataset without annotations that a filter does not select; all datums stay.

    Conditions on labels are on both sides; those on annotations are on the ground truth, of which a
    model knows neither the area nor the metadata; those on scores are on predictions.

    Args:
        dataset: with or without predictions.
        split: the filter, divided.
    """
    truth, predictions = _of_labels(dataset.truth, split), dataset.predictions
    if split.annotations is not None:
        truth = truth.take(matching_rows(split.annotations, truth))
    if predictions is not None:
        predictions = _of_labels(predictions, split)
        if split.scores is not None:
            predictions = predictions.take(matching_rows(split.scores, predictions))
        if split.min_score is not None:
            predictions = predictions.take(predictions.score >= split.min_score)
    return replace(dataset, truth=truth, predictions=predictions)


def annotation_properties(dataset: Dataset) -> set[str]:
    """Return the names of the metadata of true annotations, as properties of a filter."""
    rows = dataset.truth.metadata
    if rows is None:
        return set()
    return {f"{_OF_ANNOTATION}{name}" for metadata in rows for name in metadata or ()}


def check_annotation_properties(split: Split, known: set[str]) -> None:
    """Refuse conditions on metadata that no annotation has, and on forms that there are not.

    Args:
        split: the filter, divided.
        known: as :func:`annotation_properties` names them, maybe among others.

    Raises:
        UnknownName: no annotation has a property that the filter names, or could have its form.
    """
    for part in conjuncts(split.annotations):
        if not may_have_form(part):
            raise UnknownName("form of an annotation", to_text(part), FORMS)
    for prop in properties(split.annotations) if split.annotations is not None else ():
        first, whole = f"{_OF_ANNOTATION}{prop.path[0] if prop.path else ''}", prop.name
        if prop.path and not known & {first, whole}:
            raise UnknownName(
                "property", prop.name, {name for name in known if name.startswith(_OF_ANNOTATION)}
            )


def check_labels(split: Split, known: Iterable[LabelName]) -> None:
    """Refuse conditions on labels that no class meets: they would silently select nothing.

    Args:
        split: the filter, divided.
        known: classes as (key, value).

    Raises:
        UnknownName: no class is selected; the message names the nearest.
    """
    names = sorted(known)
    if split.labels is not None and not matching_labels(split.labels, names).any():
        known_labels = [f"{key}={value}" for key, value in names]
        raise UnknownName("label", to_text(split.labels), known_labels)


def _of_labels(table: AnnotationTable, split: Split) -> AnnotationTable:
    if split.labels is None:
        return table
    kept = matching_labels(split.labels, table.labels)
    names = [name for name, stays in zip(table.labels, kept, strict=True) if stays]
    return table.relabelled(names, np.where(kept, np.cumsum(kept) - 1, -1))
