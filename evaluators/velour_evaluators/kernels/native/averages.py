"""Average precision, recall and counts of a stored ledger by the compiled kernel.

One number comes back for each weighting of the datums, average and label: curves stay inside.
Check ``library.available()`` first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.accumulate import RECALLS, Average, Averages
from velour_evaluators.kernels.native import library
from velour_plugin.plugin import address, addresses, column, threads_for

PACK = 8
"""Weightings that the kernel takes through the rows together: multiples of it are fastest."""

Tables = Mapping[str, Mapping[str, NDArray[Any]]]
"""The tables of a detection ledger, see :mod:`velour_evaluators.detection.ledger`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A ledger of detections as the kernel reads it.

    Args:
        tables: ``detections`` sorted by label, ``matches`` and ``truths``.
        datums: how many images there are.
        labels: how many labels there are.
        areas: how many area ranges.
        thresholds: how many IoU thresholds.
    """

    tables: Tables
    datums: int
    labels: int
    areas: int
    thresholds: int


def averages(
    stored: Stored,
    max_detections: Sequence[int],
    kinds: Sequence[Average],
    group: NDArray[np.int32],
    groups: int,
    weights: NDArray[np.int64] | None = None,
) -> Averages:
    """Average precision and recall of each label and group under many weightings of the datums.

    The same bits as :func:`velour_evaluators.kernels.accumulate.averages_of_curves` of each
    weighting. Memory grows with weightings x labels with ground truth x thresholds x 101.

    Args:
        stored: what was matched.
        max_detections: how many detections of an image and label count for each recall, rising.
        kinds: of averages; lanes that none is over are not followed.
        group: ``(labels,)`` which group's mean a label enters; -1 leaves it out.
        groups: how many groups there are.
        weights: ``(replicates, datums)`` how often each datum counts; ``None`` for one replicate
            in which each counts once.

    Raises:
        ValueError: columns of different lengths, an index or weight out of bounds.
    """
    detections = _table(stored, "detections", ("label", "datum", "score", "rank", "areas"))
    matches = _table(stored, "matches", _MATCHES)
    truths = _table(stored, "truths", ("label", "datum", "areas"))
    replicates = 1 if weights is None else len(weights)
    every = (replicates, stored.datums)
    often = None if weights is None else column("weights", weights, np.int64, every)
    limits = column("max_detections", np.array([*max_detections], np.int64), np.int64)
    group = column("group", group, np.int32, (stored.labels,))
    area, levels, read_at = _spelled(kinds)
    of_labels = np.empty((replicates, len(kinds), stored.labels))
    of_groups = np.empty((replicates, len(kinds), groups))
    real = np.empty((replicates, stored.labels, stored.areas), np.int64)
    if replicates:
        library.functions.averages(
            *(len(detections[0]), len(matches[0]), len(truths[0]), stored.labels, stored.datums),
            *addresses(*detections, *matches, *truths),
            *(replicates, 0 if often is None else address(often)),
            *(stored.thresholds, stored.areas, len(RECALLS), address(RECALLS)),
            *(len(limits), address(limits)),
            *(len(kinds), *addresses(area, levels, read_at), groups, address(group)),
            threads_for(len(detections[0]) * replicates // (4 if often is None else 50)),
            *addresses(of_labels, of_groups, real),
        )
    return Averages(of_labels, of_groups, real)


def counts_at(
    stored: Stored, lane: int, score: float, weights: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per label, true positives and counted detections that reach a score, in one lane.

    The same as ``DetectionLedger.select(weights).counts_at(lane, score)``.

    Args:
        stored: what was matched.
        lane: of the first area range.
        score: inclusive.
        weights: ``(datums,)`` how often each datum counts; ``None`` when each counts once.

    Raises:
        ValueError: columns of different lengths, an index out of bounds.
    """
    detections = _table(stored, "detections", ("label", "datum", "score", "areas"))
    matches = _table(stored, "matches", _MATCHES)
    often = None if weights is None else column("weights", weights, np.int64, (stored.datums,))
    found, counted = np.empty(stored.labels, np.int64), np.empty(stored.labels, np.int64)
    library.functions.counts_at(
        *(len(detections[0]), len(matches[0]), stored.labels, stored.datums),
        *addresses(*detections, *matches),
        *(0 if often is None else address(often), lane, score),
        *addresses(found, counted),
    )
    return found, counted


_TYPES: dict[str, Any] = {
    "label": np.int32,
    "datum": np.int32,
    "score": np.float64,
    "rank": np.uint16,
    "areas": np.uint8,
    "detection": np.int32,
    "hit": np.uint64,
    "ignored": np.uint64,
}
_MATCHES = ("detection", "hit", "ignored")


def _spelled(
    kinds: Sequence[Average],
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
    """Range, bits of the thresholds, and limit (-1 for precision) of each average."""
    return (
        np.array([average.area for average in kinds], np.int64),
        np.array([sum(1 << level for level in average.thresholds) for average in kinds], np.uint64),
        np.array([-1 if average.limit is None else average.limit for average in kinds], np.int64),
    )


def _table(stored: Stored, table: str, names: Sequence[str]) -> list[NDArray[Any]]:
    columns = stored.tables[table]
    rows = (len(columns[names[0]]),)
    return [column(f"{table} {name}", columns[name], _TYPES[name], rows) for name in names]
