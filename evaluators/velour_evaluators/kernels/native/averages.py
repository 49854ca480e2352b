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
from velour_plugin.plugin import column, threads_for

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
    rows = len(stored.tables["detections"]["label"])
    replicates = 1 if weights is None else len(weights)
    found = library.functions.averages(
        **_ledger(stored, *_COLUMNS),
        **_question(kinds),
        all_areas=stored.areas,
        thresholds=stored.thresholds,
        weights=_weights(weights),
        recall=RECALLS,
        limit=np.array([*max_detections], np.int64),
        group=column("group", group, np.int32),
        groups=groups,
        threads=threads_for(rows * replicates // (4 if weights is None else 50)),
    )
    return Averages(found["labels"], found["groups"], found["truths"])


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
    found = library.functions.counts_at(
        **_ledger(stored, "label", "datum", "score", "areas", "match", "hit", "ignored"),
        labels=stored.labels,
        weights=_weights(weights),
        lane=lane,
        least=score,
    )
    return found["found"], found["counted"]


_COLUMNS: dict[str, tuple[str, str, Any]] = {
    "label": ("detections", "label", np.int32),
    "datum": ("detections", "datum", np.int32),
    "score": ("detections", "score", np.float64),
    "rank": ("detections", "rank", np.uint16),
    "areas": ("detections", "areas", np.uint8),
    "match": ("matches", "detection", np.int32),
    "hit": ("matches", "hit", np.uint64),
    "ignored": ("matches", "ignored", np.uint64),
    "truth_label": ("truths", "label", np.int32),
    "truth_datum": ("truths", "datum", np.int32),
    "truth_areas": ("truths", "areas", np.uint8),
}
"""By the kernel's name: table, column and type."""


def _ledger(stored: Stored, *names: str) -> dict[str, Any]:
    """How many datums there are, and some columns."""
    columns = {name: _COLUMNS[name] for name in names}
    return {"datums": stored.datums} | {
        name: column(f"{table} {own}", stored.tables[table][own], kind)
        for name, (table, own, kind) in columns.items()
    }


def _weights(weights: NDArray[np.int64] | None) -> NDArray[Any] | None:
    return None if weights is None else column("weights", weights, np.int64)


def _question(kinds: Sequence[Average]) -> dict[str, NDArray[Any]]:
    """Range, bits of the thresholds, and limit (-1 for precision) of each average."""
    limits = [-1 if average.limit is None else average.limit for average in kinds]
    levels = [sum(1 << level for level in average.thresholds) for average in kinds]
    return {
        "area": np.array([average.area for average in kinds], np.int64),
        "levels": np.array(levels, np.uint64),
        "read_at": np.array(limits, np.int64),
    }
