"""The ledger of detection: what it holds, and how a selection of it is read.

===================  ========================================================
table                columns
===================  ========================================================
``detections``       label, datum, score, rank (in its image and label), areas
                     (bits), sorted by label, then falling score, then datum
``matches``          detection (position), hit and ignored (lanes, see
                     :mod:`velour_evaluators.detection.kernels.matching`)
``truths``           label, datum, areas (bits of the ranges in which it
                     counts; none for a crowd), crowd
``pairs``            detection, truth (positions), iou: of one image and label
                     key, of any labels, that overlap by 0.1 or more; sorted
``truth_boxes``      x, y, width, height in pixels, for display
``detection_boxes``  detection (position; those that reach the score
                     threshold), x, y, width, height
===================  ========================================================

The last three are there when the parameter ``details`` asks for them. Detections
beyond the largest ``max_detections`` of an image and label never count and are
left out. The order is that of the predictions sorted the same way, so a row leads
back to its detection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.accumulate import RankedDetections
from velour_evaluators.kernels.sorting import count_within, starts_of_runs
from velour_plugin import Ledger
from velour_plugin.plugin import Columns

BOX = ("x", "y", "width", "height")
"""Columns of the tables of boxes."""

DETAIL_TABLES = ("pairs", "truth_boxes", "detection_boxes")
"""Tables that nothing but details reads."""

_MANY_LABELS = 1000
"""From here on curves of every label would be large: labels without truth get none."""


@dataclass(frozen=True)
class Selection:
    """Detections and numbers of truths of the datums that count, maybe several times.

    Args:
        rows: detections that count.
        score: ``(n,)`` their scores.
        truths: ``(labels, areas)`` how many truths count.
        origin: ``(n,)`` row of each in the ledger; ``None`` when these are all rows, in order.
    """

    rows: RankedDetections
    score: NDArray[np.float64]
    truths: NDArray[np.int64]
    origin: NDArray[np.intp] | None = None

    @property
    def labels_to_accumulate(self) -> NDArray[np.bool_]:
        """``(labels,)`` bool: all labels; of more than a thousand, those that have ground truth."""
        real = np.asarray(self.truths.any(axis=1), np.bool_)
        return real if len(real) > _MANY_LABELS else np.ones(len(real), np.bool_)

    def of_labels(self, kept: NDArray[np.bool_]) -> tuple[RankedDetections, NDArray[np.int64]]:
        """Return rows and truths of some labels, which are numbered anew."""
        if kept.all():
            return self.rows, self.truths
        rows, stay = self.rows, kept[self.rows.label]
        matched = np.flatnonzero(stay[rows.matched])
        kept_rows = RankedDetections(
            (np.cumsum(kept) - 1).astype(np.int32)[rows.label[stay]],
            rows.rank[stay],
            rows.areas[stay],
            (np.cumsum(stay) - 1)[rows.matched[matched]],
            rows.hit[matched],
            rows.ignored[matched],
        )
        return kept_rows, self.truths[kept]

    def true_and_counted(self, lane: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell which detections are true positives, and which count at all.

        Args:
            lane: a lane of the first area range.

        Returns:
            Both ``(n,)``; what counts and is no true positive is a false one.
        """
        rows, bit = self.rows, np.uint64(lane)
        counted = (rows.areas & np.uint8(1)).astype(bool)
        hit = ((rows.hit >> bit) & np.uint64(1)).astype(bool)
        ignored = ((rows.ignored >> bit) & np.uint64(1)).astype(bool)
        counted[rows.matched] = hit | (counted[rows.matched] & ~ignored)
        true = np.zeros(len(counted), bool)
        true[rows.matched] = hit
        return true, counted

    def counts_at(self, lane: int, score: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Count, by label, true positives and counted detections of a score or more, in a lane."""
        true, counted = self.true_and_counted(lane)
        high, labels = self.score >= score, len(self.truths)
        return (
            np.bincount(self.rows.label[true & high], minlength=labels),
            np.bincount(self.rows.label[counted & high], minlength=labels),
        )


def with_datums(ledger: Ledger, kept: NDArray[np.bool_]) -> Ledger:
    """Return the lean tables of a ledger for some of its datums, which are numbered anew.

    Args:
        ledger: of detections.
        kept: ``(datums,)`` bool, those that stay.
    """
    tables = ledger.tables
    detections, matches, truths = (tables[name] for name in ("detections", "matches", "truths"))
    stay, real = kept[detections["datum"]], kept[truths["datum"]]
    matched = stay[matches["detection"]]
    datum, detection = (np.cumsum(some) - 1 for some in (kept, stay))

    def selected(
        table: Columns, rows: NDArray[np.bool_], name: str, number: NDArray[np.intp]
    ) -> Columns:
        chosen = np.flatnonzero(rows)
        some = {column: values[chosen] for column, values in table.items()}
        return {**some, name: number[some[name]].astype(np.int32)}

    return Ledger(
        ledger.task,
        tuple(compress(ledger.datums, kept.tolist())),
        ledger.labels,
        ledger.parameters,
        {
            "detections": selected(detections, stay, "datum", datum),
            "matches": selected(matches, matched, "detection", detection),
            "truths": selected(truths, real, "datum", datum),
        },
    )


class DetectionLedger:
    """A detection ledger, from which selections of datums are taken."""

    def __init__(self, ledger: Ledger) -> None:
        self.labels = len(ledger.labels)
        self.areas = len(ledger.parameters["area_ranges"])
        self.detections = ledger.tables["detections"]
        self.matches = ledger.tables["matches"]
        self.truths = ledger.tables["truths"]

    def select(self, counts: NDArray[np.int64] | None) -> Selection:
        """Take the rows of the datums that count, as often as they count.

        Args:
            counts: ``(datums,)`` whole numbers >= 0; ``None`` when each datum counts once.
        """
        origin = None if counts is None else self._rows(counts[self.detections["datum"]])
        every = slice(None) if origin is None else origin
        label, score, rank, areas = (
            self.detections[name][every] for name in ("label", "score", "rank", "areas")
        )
        matched, of = self._matched(origin)
        rows = RankedDetections(
            label, rank, areas, matched, self.matches["hit"][of], self.matches["ignored"][of]
        )
        return Selection(rows, score, self.count_truths(counts, self.areas), origin)

    def _rows(self, counts: NDArray[np.int64]) -> NDArray[np.intp]:
        if counts.size == 0 or counts.max() <= 1:
            return np.flatnonzero(counts)
        rows = np.repeat(np.arange(len(counts)), counts)
        return self._copies_in_turn(rows)

    def _copies_in_turn(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Sort equal scores of one datum copy by copy, as in a data set that holds the copies."""
        tied = self._tied[rows]
        if not tied.any():
            return rows
        positions = np.flatnonzero(tied)
        copy = count_within(starts_of_runs(rows), len(rows))[positions]
        order = np.lexsort((copy, self._tie_group[rows[positions]]))
        rows[positions] = rows[positions][order]
        return rows

    @cached_property
    def _tie_group(self) -> NDArray[np.intp]:
        """Number of the run of equal label, score and datum that each row is in."""
        table = self.detections
        starts = starts_of_runs(table["label"], table["score"], table["datum"])
        lengths = np.diff(np.append(starts, len(table["label"])))
        return np.repeat(np.arange(len(starts)), lengths)

    @cached_property
    def _tied(self) -> NDArray[np.bool_]:
        group = self._tie_group
        return np.asarray(np.bincount(group)[group] > 1) if group.size else np.zeros(0, bool)

    def _matched(self, rows: NDArray[np.intp] | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Indices of the selected rows that matched, and the match of each."""
        if rows is None:
            matched = self.matches["detection"].astype(np.intp)
            return matched, np.arange(len(matched))
        match = self._match_of_row[rows]
        matched = np.flatnonzero(match >= 0)
        return matched, match[matched]

    @cached_property
    def _match_of_row(self) -> NDArray[np.intp]:
        match = np.full(len(self.detections["label"]), -1, np.intp)
        match[self.matches["detection"]] = np.arange(len(self.matches["detection"]))
        return match

    def count_truths(self, counts: NDArray[np.int64] | None, areas: int) -> NDArray[np.int64]:
        """Count the ground truths in the first so many area ranges, ``(labels, areas)``.

        Args:
            counts: as for :meth:`select`.
            areas: how many ranges are counted.
        """
        label, bits = self.truths["label"], self.truths["areas"]
        often = 1 if counts is None else counts[self.truths["datum"]]
        columns = [
            np.bincount(label, ((bits >> np.uint8(area)) & 1) * often, self.labels)
            for area in range(areas)
        ]
        return np.stack(columns, axis=-1).astype(np.int64)
