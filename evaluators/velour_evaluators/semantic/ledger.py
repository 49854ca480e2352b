"""The ledger of semantic segmentation: pixel counts of each datum.

=============  ==================================================================
``counts``     datum, key, truth, predicted, pixels: the confusion of labels, -1
               being the background
``labels``     datum, label, truth, predicted, right: pixels that truly have the
               label, that are predicted to have it, and that are both
``datums``     datum, key, agreed, pixels: all that count, and those on which both
               sides agree, be it on the background
``boundaries`` datum, label, and the columns of
               :data:`velour_evaluators.semantic.kernels.boundaries.COLUMNS`
=============  ==================================================================

``labels`` and ``datums`` follow from ``counts``; they are short, and all that scores need.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.semantic.engine import boundary_counts, confusion_of_runs
from velour_evaluators.semantic.kernels.boundaries import COLUMNS
from velour_evaluators.semantic.kernels.pixel_confusion import NOBODY
from velour_evaluators.semantic.labelled_images import LabelledImage, labelled_images
from velour_plugin import Dataset, Ledger
from velour_plugin.plugin import Columns, LabelName

Rows = dict[str, NDArray[Any]]


def write_ledger(
    task: str,
    dataset: Dataset,
    labels: Sequence[LabelName],
    ignored: Collection[LabelName],
    parameters: Mapping[str, Any],
) -> Ledger:
    """Count the pixels of every datum, once for each label key, and return the ledger.

    Args:
        task: of the ledger.
        dataset: with predictions.
        labels: those that are evaluated.
        ignored: those whose true pixels do not count.
        parameters: complete and checked.
    """
    parts, boundaries = [_NO_COUNTS], [_NO_BOUNDARIES]
    for image in labelled_images(dataset, labels, ignored):
        parts.append(_counts_of(image))
        if parameters["boundary_width"] is not None and image.labels.size:
            boundaries.append(_boundaries_of(image, parameters["boundary_width"]))
    counts = _stacked(parts)
    tables = {
        "counts": counts,
        "labels": _by_label(counts, len(labels)),
        "datums": _by_datum(counts),
        "boundaries": _stacked(boundaries),
    }
    return Ledger(task, dataset.uids, tuple(labels), dict(parameters), tables)


def concatenated(ledgers: Sequence[Ledger]) -> Ledger:
    """Concatenate ledgers of disjoint datums; tables are sorted by datum, as in one match."""
    together = Ledger.joined(ledgers, ("label", "counts.truth", "counts.predicted"))
    tables = {
        name: _rows_of(columns, np.argsort(columns["datum"], kind="stable"))
        for name, columns in together.tables.items()
    }
    return replace(together, tables=tables)


def _rows_of(columns: Columns, rows: NDArray[np.intp]) -> Rows:
    return {name: column[rows] for name, column in columns.items()}


def _counts_of(image: LabelledImage) -> Rows:
    cells = confusion_of_runs(image.truth, image.predicted, image.labels.size)
    nothing = (cells.truth == NOBODY) & (cells.predicted == NOBODY)
    # where only a prediction gives the size, agreement on background would score for free
    kept = (cells.truth != image.labels.size) & (image.known | ~nothing)
    labels = np.append(image.labels, NOBODY).astype(np.int32)
    return {
        "datum": np.full(int(kept.sum()), image.datum, np.int32),
        "key": np.full(int(kept.sum()), image.key, np.int32),
        "truth": labels[cells.truth[kept]],
        "predicted": labels[cells.predicted[kept]],
        "pixels": cells.pixels[kept],
    }


def _boundaries_of(image: LabelledImage, width: float) -> Rows:
    """Boundary counts of each label; ignored pixels belong to neither side."""
    labels = image.labels.size
    pixels = int(width) if width >= 1 else round(width * math.hypot(image.height, image.width))
    counts = boundary_counts(image.truth, image.predicted, image.height, labels, max(1, pixels))
    return {
        "datum": np.full(labels, image.datum, np.int32),
        "label": image.labels.astype(np.int32),
        **{name: counts[:, column] for column, name in enumerate(COLUMNS)},
    }


def _by_label(counts: Rows, labels: int) -> Rows:
    """Sum the rows, the columns and the diagonal of each datum's confusion."""
    width = labels + 1  # the background sits at 0 and is dropped
    first = counts["datum"] * np.int64(width) + 1
    cells, cell = np.unique(
        np.concatenate((first + counts["truth"], first + counts["predicted"])), return_inverse=True
    )
    true, predicted = np.split(cell, 2)
    right = np.where(counts["truth"] == counts["predicted"], counts["pixels"], 0)
    kept = cells % width > 0
    return {
        "datum": (cells // width)[kept].astype(np.int32),
        "label": (cells % width - 1)[kept].astype(np.int32),
        "truth": _sums(true, counts["pixels"], cells.size)[kept],
        "predicted": _sums(predicted, counts["pixels"], cells.size)[kept],
        "right": _sums(true, right, cells.size)[kept],
    }


def _by_datum(counts: Rows) -> Rows:
    """Sum all of each datum's confusion, and its diagonal."""
    keys = int(counts["key"].max(initial=0)) + 1
    cells, cell = np.unique(counts["datum"] * np.int64(keys) + counts["key"], return_inverse=True)
    agreed = np.where(counts["truth"] == counts["predicted"], counts["pixels"], 0)
    return {
        "datum": (cells // keys).astype(np.int32),
        "key": (cells % keys).astype(np.int32),
        "agreed": _sums(cell, agreed, cells.size),
        "pixels": _sums(cell, counts["pixels"], cells.size),
    }


def _sums(cell: NDArray[np.int64], pixels: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.bincount(cell, pixels, size).astype(np.int64)


def _stacked(parts: Sequence[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


_NO_COUNTS: Rows = {
    **{name: np.zeros(0, np.int32) for name in ("datum", "key", "truth", "predicted")},
    "pixels": np.zeros(0, np.int64),
}
_NO_BOUNDARIES: Rows = {
    **{name: np.zeros(0, np.int32) for name in ("datum", "label")},
    **{name: np.zeros(0, np.int64) for name in COLUMNS},
}
