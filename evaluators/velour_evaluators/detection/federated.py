"""Federated data sets: of each image only some labels are known to be annotated.

An image's metadata lists what else is known beside its annotations:

==================  ================================================================
``absent_labels``   labels that annotators looked for and that are not in it
``partial_labels``  labels of which not every instance in it is annotated
==================  ================================================================

Both are lists of label values, or of ``[key, value]``. A detection of a label that is
neither annotated nor absent is left out, since it may be right; a detection of a partial
label that matches no truth counts neither way.

Source: Gupta et al. 2019, LVIS, and ``LVISEval`` of the LVIS API, where the two are
``neg_category_ids`` and ``not_exhaustive_category_ids``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin import AnnotationTable, Dataset
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import LabelName

ABSENT, PARTIAL = "absent_labels", "partial_labels"


def known_detections(
    dataset: Dataset,
    labels: Sequence[LabelName],
    truth: AnnotationTable,
    predictions: AnnotationTable,
) -> NDArray[np.bool_]:
    """Tell which detections are of a label that is known to be present or absent in their image.

    Args:
        dataset: the datums.
        labels: the vocabulary of both tables.
        truth: its annotations.
        predictions: its predictions.

    Returns:
        ``(n,)`` for the rows of ``predictions``.

    Raises:
        BadDataset: no datum has these metadata, or one has them in a wrong form.
    """
    if not any(name in datum.metadata for datum in dataset.datums for name in (ABSENT, PARTIAL)):
        raise BadDataset(
            f"dataset {dataset.name!r} is not federated: no datum has {ABSENT} or {PARTIAL} in "
            "its metadata. Leave the parameter federated at False."
        )
    present = _cells(truth.datum, truth.label, len(labels))
    absent = _listed(dataset, labels, ABSENT)
    cell = _cells(predictions.datum, predictions.label, len(labels))
    return np.isin(cell, np.concatenate([present, absent]))


def partial_detections(
    dataset: Dataset, labels: Sequence[LabelName], predictions: AnnotationTable
) -> NDArray[np.bool_]:
    """Tell which detections are of a label only partly annotated in their image: ``(n,)`` bool."""
    cell = _cells(predictions.datum, predictions.label, len(labels))
    return np.isin(cell, _listed(dataset, labels, PARTIAL))


def _listed(dataset: Dataset, labels: Sequence[LabelName], name: str) -> NDArray[np.int64]:
    """Cells that the metadata lists."""
    indices: dict[Any, list[int]] = {}
    for index, label in enumerate(labels):
        indices.setdefault(label, []).append(index)
        indices.setdefault(label[1], []).append(index)
    cells = [
        datum * len(labels) + index
        for datum, name_or_pair in _listed_names(dataset, name)
        for index in indices.get(name_or_pair, ())
    ]
    return np.array(cells, np.int64)


def _listed_names(dataset: Dataset, name: str) -> Iterator[tuple[int, Any]]:
    for index, datum in enumerate(dataset.datums):
        listed = datum.metadata.get(name, [])
        for item in listed if isinstance(listed, (list, tuple)) else [None]:
            if isinstance(item, str):
                yield index, item
            elif isinstance(item, (list, tuple)) and len(item) == 2:
                yield index, tuple(item)
            else:
                raise BadDataset(
                    f"{name} {listed!r} of datum {datum.uid!r}: expected a list of label values, "
                    "or of [key, value]."
                )


def _cells(datum: NDArray[np.int32], label: NDArray[np.int32], labels: int) -> NDArray[np.int64]:
    return datum.astype(np.int64) * labels + label
