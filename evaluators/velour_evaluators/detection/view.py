"""A selection of a detection ledger at one IoU threshold, from which details are computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.assignment import Overlaps, assigned
from velour_evaluators.detection.ledger import DetectionLedger
from velour_evaluators.detection.ledger_writer import keys_of
from velour_evaluators.detection.parameters import Settings
from velour_evaluators.kernels.sorting import (
    count_within,
    descending_order,
    stable_order,
    starts_of_runs,
)
from velour_plugin import Label, Ledger

LISTED = 1_000
"""At most so many labels get curves: those with most truths."""


@dataclass(frozen=True, slots=True)
class Key:
    """A label key, evaluated by itself.

    Args:
        name: of the key.
        number: of the key, as the labels have them.
        prefix: of its metrics' names; none for the first key.
        labels: ``(labels,)`` bool, the labels of this key.
    """

    name: str
    number: int
    prefix: str
    labels: NDArray[np.bool_]


class DetectionView:
    """Columns that details are computed from.

    ``chosen``, ``true``, ``counted`` and ``origin`` are rows of the selection; everything
    else has the rows of the whole ledger, and is right for those of datums that count.
    """

    def __init__(self, ledger: Ledger, counts: NDArray[np.int64] | None) -> None:
        self.ledger = ledger
        self.settings = Settings.of(ledger.parameters)
        self.lane = int(self.settings.lane_of(self.settings.iou_threshold)[0])
        self.ledger_rows = DetectionLedger(ledger)
        self.chosen = self.ledger_rows.select(counts)
        self.true, self.counted = self.chosen.true_and_counted(self.lane)
        self.counts = counts
        self.often = np.ones(len(ledger.datums), np.int64) if counts is None else counts
        self.key_of_label = keys_of(ledger.labels)

    @property
    def keys(self) -> Iterator[Key]:
        """Every label key with its labels, as they occur; one without name if there is none."""
        names = list(dict.fromkeys(key for key, _ in self.ledger.labels)) or [""]
        for number, name in enumerate(names):
            labels = np.asarray(self.key_of_label == number)
            yield Key(name, number, f"{name}/" if number else "", labels)

    @property
    def labels(self) -> Iterator[tuple[int, Label]]:
        """Index and name of each label of the selection that has a truth or a detection."""
        truths = self.chosen.truths[:, 0]
        seen = np.bincount(self.chosen.rows.label, minlength=len(truths))
        occur = np.flatnonzero(truths + seen)
        most = occur[np.argsort(-truths[occur], kind="stable")][:LISTED]
        for number in np.sort(most).tolist():
            yield number, Label(*self.ledger.labels[number])

    @property
    def has_pairs(self) -> bool:
        """Whether the ledger has the table of overlapping pairs."""
        return "pairs" in self.ledger.tables

    @cached_property
    def pairs(self) -> Overlaps:
        """Overlaps of detections and truths of one label key, of any labels, on chosen datums.

        Pairs of one datum do not depend on others: those of datums that do not count are dropped.
        """
        table = self.ledger.tables["pairs"]
        chosen = self.often[self.ledger_rows.detections["datum"][table["detection"]]] > 0
        pairs = Overlaps(
            table["detection"].astype(np.intp), table["truth"].astype(np.intp), table["iou"]
        )
        return pairs if chosen.all() else pairs.where(chosen)

    @cached_property
    def same_label(self) -> NDArray[np.bool_]:
        """``(pairs,)`` whether both have one label."""
        label, truth = self.ledger_rows.detections["label"], self.ledger_rows.truths["label"]
        return np.asarray(label[self.pairs.detection] == truth[self.pairs.truth])

    @cached_property
    def real(self) -> NDArray[np.bool_]:
        """``(truths,)`` those that count: no crowd, and in the overall area range."""
        return np.asarray(self.ledger_rows.truths["areas"] & np.uint8(1), np.bool_)

    @cached_property
    def true_and_counted(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """``(detections,)`` masks of the whole ledger: true positives, and those that count."""
        return self.ledger_rows.select(None).true_and_counted(self.lane)

    @cached_property
    def matched(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """``(detections,)`` each: the truth that it matches, -1 for none, and their IoU."""
        reach = self.same_label & (self.pairs.iou >= self._threshold)
        crowd, rank = self.ledger_rows.truths["crowd"], self.ledger_rows.detections["rank"]
        return assigned(self.pairs.where(reach), rank, ~self.real, crowd)

    @cached_property
    def rank_in_image(self) -> NDArray[np.intp]:
        """``(detections,)`` rank of each in its image and label key, by falling score."""
        table = self.ledger_rows.detections
        keys = int(self.key_of_label.max(initial=0)) + 1
        cell = table["datum"].astype(np.int64) * keys
        cell += self.key_of_label[table["label"]]
        order = descending_order(table["score"])
        order = order[stable_order(cell[order], keys * len(self.often))]
        rank = np.empty(len(cell), np.intp)
        rank[order] = count_within(starts_of_runs(cell[order]), len(cell))
        return rank

    @property
    def origin(self) -> NDArray[np.intp]:
        """``(n,)`` row in the ledger of each row of the selection."""
        rows = self.chosen.origin
        return np.arange(len(self.chosen.score)) if rows is None else rows

    @property
    def _threshold(self) -> float:
        return min(self.settings.iou_threshold, 1 - 1e-10)
