"""Average precision, recall and counts of a stored ledger by the compiled kernel.

One number comes back for each weighting of the datums, average and label: curves stay inside.
Check ``library.available()`` first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.accumulate import RECALLS, Average, AverageQuery, Averages
from velour_evaluators.kernels.native import library
from velour_plugin.plugin import column, threads_for

Tables = Mapping[str, Mapping[str, NDArray[Any]]]
"""The tables of a detection ledger, see :mod:`velour_evaluators.detection.ledger`."""


@dataclass(frozen=True, slots=True)
class StoredLedger:
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

    @property
    def rows(self) -> int:
        """How many detections there are."""
        return len(self.tables["detections"]["label"])


def averages(
    stored: StoredLedger, query: AverageQuery, weights: NDArray[np.int64] | None = None
) -> Averages:
    """Average precision and recall of each label and group under many weightings of the datums.

    The same bits as ``averages_of_curves`` of ``detection/kernels/accumulate.py`` for each
    weighting. Memory does not grow with the number of weightings, but for the answer.

    Args:
        stored: the ledger.
        query: which averages, over which labels.
        weights: ``(replicates, datums)`` how often each datum counts; ``None`` for one replicate
            in which each counts once.

    Raises:
        ValueError: columns of different lengths, an index or weight out of bounds.
    """
    if weights is None:
        weights = np.ones((1, stored.datums), np.int64)
    often = column("weights", weights, np.int64)
    means = library.functions.averages(
        **_ledger(stored), **_query_arguments(stored, query), weights=often,
        threads=threads_for(len(weights) * stored.rows // 4),
    )  # fmt: skip
    return Averages(means["label_means"], means["group_means"])


def omissions(
    stored: StoredLedger,
    query: AverageQuery,
    omitted: NDArray[np.int32],
    weight: NDArray[np.int64],
) -> Averages:
    """Average without each of some datums, in turn; only labels of the datum are computed again.

    Args:
        stored: the ledger.
        query: which averages, over which labels.
        omitted: ``(replicates,)`` the datum that does not count in each, rising.
        weight: ``(datums,)`` how often the others count.

    Raises:
        ValueError: columns of different lengths, an index or weight out of bounds.
    """
    means = library.functions.omissions(
        **_ledger(stored), **_query_arguments(stored, query),
        omitted=column("omitted", omitted, np.int32),
        weight=column("weight", weight, np.int64),
        threads=threads_for(len(omitted) * stored.rows // 4),
    )  # fmt: skip
    return Averages(means["label_means"], means["group_means"])


def average_precision(
    label: NDArray[np.int32],
    true: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    truths: NDArray[np.int64],
) -> float:
    """Compute average precision at one threshold, over the labels with truths; there must be one.

    Args:
        label: ``(n,)`` of each detection, rising; the best of a label first.
        true: ``(n,)`` true positives.
        counted: ``(n,)`` which detections count at all.
        truths: ``(labels,)`` how many truths each label has.
    """
    count, real = len(label), np.repeat(np.arange(len(truths), dtype=np.int32), truths.clip(0))
    hits = np.flatnonzero(true).astype(np.int32)
    tables: Tables = {
        "detections": {
            "label": label,
            "datum": np.zeros(count, np.int32),
            "score": np.arange(count, dtype=np.float64),  # none are tied
            "rank": np.zeros(count, np.uint16),
            "areas": counted.view(np.uint8),
        },
        "matches": {
            "detection": hits,
            "hit": np.ones(len(hits), np.uint64),
            "ignored": np.zeros(len(hits), np.uint64),
        },
        "truths": {
            "label": real,
            "datum": np.zeros(len(real), np.int32),
            "areas": np.ones(len(real), np.uint8),
        },
    }
    one_group = np.zeros(len(truths), np.int32)
    query = AverageQuery((1,), [Average(0, (0,))], one_group, 1, 0)
    means = averages(StoredLedger(tables, 1, len(truths), 1, 1), query)
    return float(means.groups[0, 0, 0])


def counts_at(
    stored: StoredLedger, lane: int, score: float, weights: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count, by label, true positives and counted detections that reach a score, in one lane.

    The same as ``DetectionLedger.select(weights).counts_at(lane, score)``.

    Args:
        stored: the ledger.
        lane: of the first area range.
        score: inclusive.
        weights: ``(datums,)`` how often each datum counts; ``None`` when each counts once.

    Raises:
        ValueError: columns of different lengths, an index out of bounds.
    """
    detections, matches = _columns(stored, "detections"), _columns(stored, "matches")
    counts = library.functions.counts_at(
        **{name: detections[name] for name in ("label", "datum", "score", "areas")},
        match=matches["detection"], hit=matches["hit"], ignored=matches["ignored"],
        labels=stored.labels,
        datums=stored.datums,
        weights=None if weights is None else column("weights", weights, np.int64),
        lane=lane,
        least=score,
    )  # fmt: skip
    return counts["found"], counts["counted"]


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
_COLUMNS = {
    "detections": ("label", "datum", "score", "rank", "areas"),
    "matches": ("detection", "hit", "ignored"),
    "truths": ("label", "datum", "areas"),
}


def _ledger(stored: StoredLedger) -> dict[str, Any]:
    """A ledger as arguments of the kernel."""
    return {
        "labels": stored.labels,
        "datums": stored.datums,
        "areas": stored.areas,
        "thresholds": stored.thresholds,
        **{name: _columns(stored, name) for name in ("detections", "matches", "truths")},
    }


def _columns(stored: StoredLedger, table: str) -> dict[str, NDArray[Any]]:
    columns = stored.tables[table]
    return {
        name: column(f"{table} {name}", columns[name], _TYPES[name]) for name in _COLUMNS[table]
    }


def _query_arguments(stored: StoredLedger, query: AverageQuery) -> dict[str, Any]:
    """A query as arguments of the kernel; limit -1 stands for precision."""
    limits = [-1 if average.limit is None else average.limit for average in query.averages]
    levels = [sum(1 << level for level in average.thresholds) for average in query.averages]
    return {
        "recall": RECALLS,
        "limit": np.array([*query.max_detections], np.int64),
        "area": np.array([average.area for average in query.averages], np.int64),
        "levels": np.array(levels, np.uint64),
        "limit_of": np.array(limits, np.int64),
        "detailed": query.detailed,
        "groups": query.groups,
        "group": column("group", query.group, np.int32),
    }
