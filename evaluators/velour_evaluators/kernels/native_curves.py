"""Curves and counts of a stored ledger by the compiled kernel, for one weighting or very many.

Check :func:`velour_evaluators.kernels.native.available` first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.accumulate import RECALLS, Curves
from velour_evaluators.kernels.native import address, addresses, column, library, threads_for

Tables = Mapping[str, Mapping[str, NDArray[Any]]]
"""The tables of a detection ledger, see :mod:`velour_evaluators.detection.ledger`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A ledger of detections, ready to be asked.

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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a selection of a ledger says.

    Args:
        curves: of each area range that was asked for.
        truths: ``(labels, areas)`` how many truths count, in every range.
    """

    curves: list[Curves]
    truths: NDArray[np.int64]


def curves(
    stored: Stored,
    max_detections: Sequence[int],
    weights: NDArray[np.int64] | None = None,
    chosen: Sequence[int] | None = None,
) -> Answer:
    """Accumulate a ledger for a selection of its datums.

    The same as :meth:`velour_evaluators.detection.ledger.DetectionLedger.select` and then
    :func:`velour_evaluators.kernels.accumulate.curves_of_area` for each area range.

    Args:
        stored: what was matched.
        max_detections: how many detections of an image and label count for each recall, rising.
        weights: ``(datums,)`` how often each datum counts; ``None`` when each counts once.
        chosen: area ranges to answer for; all when left out.

    Raises:
        ValueError: columns of different lengths, an index or weight out of bounds.
    """
    one = None if weights is None else np.asarray(weights)[None]
    return _answers(stored, max_detections, one, chosen, replicates=1)[0]


def resampled_curves(
    stored: Stored,
    max_detections: Sequence[int],
    weights: NDArray[np.int64],
    chosen: Sequence[int] | None = None,
) -> Iterator[Answer]:
    """Accumulate a ledger for many weight vectors, a few at a time, as a bootstrap wants it.

    Args:
        stored: what was matched.
        max_detections: as for :func:`curves`.
        weights: ``(replicates, datums)`` how often each datum counts in each replicate.
        chosen: as for :func:`curves`.

    Raises:
        ValueError: columns of different lengths, an index or weight out of bounds.
    """
    ranges = stored.areas if chosen is None else len(chosen)
    size = max(1, ranges * stored.thresholds * len(RECALLS) * stored.labels)
    step = max(1, min(16, _PRECISIONS_AT_ONCE // size))
    for first in range(0, len(weights), step):
        some = weights[first : first + step]
        yield from _answers(stored, max_detections, some, chosen, len(some))


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
    library.counts_at(
        *(len(detections[0]), len(matches[0]), stored.labels, stored.datums),
        *addresses(*detections, *matches),
        *(0 if often is None else address(often), lane, score),
        *addresses(found, counted),
    )
    return found, counted


_PRECISIONS_AT_ONCE = 1 << 23
"""Precisions held at the same time when replicates are accumulated together: 64 MB."""

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


def _answers(
    stored: Stored,
    max_detections: Sequence[int],
    weights: NDArray[np.int64] | None,
    chosen: Sequence[int] | None,
    replicates: int,
) -> list[Answer]:
    detections = _table(stored, "detections", ("label", "datum", "score", "rank", "areas"))
    matches = _table(stored, "matches", _MATCHES)
    truths = _table(stored, "truths", ("label", "datum", "areas"))
    every = (replicates, stored.datums)
    often = None if weights is None else column("weights", weights, np.int64, every)
    wanted = range(stored.areas) if chosen is None else chosen
    ranges = column("chosen", np.array([*wanted], np.int64), np.int64)
    limits = column("max_detections", np.array([*max_detections], np.int64), np.int64)
    shape = (replicates, len(ranges), stored.thresholds)
    precision = np.empty((*shape, len(RECALLS), stored.labels))
    recall = np.empty((*shape, stored.labels, len(limits)))
    real = np.empty((replicates, stored.labels, stored.areas), np.int64)
    library.curves(
        *(len(detections[0]), len(matches[0]), len(truths[0]), stored.labels, stored.datums),
        *addresses(*detections, *matches, *truths),
        *(replicates, 0 if often is None else address(often)),
        *(stored.thresholds, stored.areas, len(ranges), address(ranges)),
        *(len(RECALLS), address(RECALLS), len(limits), address(limits)),
        threads_for(len(detections[0]) * replicates // (4 if often is None else 50)),
        *addresses(precision, recall, real),
    )
    return [
        Answer(
            [Curves(precision[one, place], recall[one, place]) for place in range(len(ranges))],
            real[one],
        )
        for one in range(replicates)
    ]


def _table(stored: Stored, table: str, names: Sequence[str]) -> list[NDArray[Any]]:
    columns = stored.tables[table]
    rows = (len(columns[names[0]]),)
    return [column(f"{table} {name}", columns[name], _TYPES[name], rows) for name in names]
