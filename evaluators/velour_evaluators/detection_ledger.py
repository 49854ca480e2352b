"""The ledger of detection: what it holds, how it is written, how a selection is read.

=============  ==============================================================
table          columns
=============  ==============================================================
``detections``  label, datum, score, rank (in its image and label), areas (bits),
                sorted by label, then falling score, then datum
``matches``     detection (position), hit and ignored (lanes, see
                :mod:`velour_evaluators.kernels.matching`)
``truths``      label, datum, areas (bits of the ranges in which it counts)
=============  ==============================================================

Detections beyond the largest ``max_detections`` of an image and label never
count and are left out. The order is that of the predictions sorted the same
way, so a row leads back to its detection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection_parameters import Settings
from velour_evaluators.kernels import matching
from velour_evaluators.kernels.accumulate import Rows
from velour_evaluators.kernels.sorting import (
    count_within,
    descending_order,
    stable_order,
    starts_of_runs,
)
from velour_evaluators.regions import finest_common_form, image_sizes, regions_of
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.ledger import Ledger
from velour_plugin.domain.table import AnnotationTable, LabelName


def write_ledger(
    task: str, dataset: Dataset, predictions: AnnotationTable, parameters: dict[str, Any]
) -> Ledger:
    """Match a dataset's predictions and keep what any later question needs.

    Args:
        task: the evaluator's.
        dataset: with both sides.
        predictions: its predictions, all with scores.
        parameters: checked ones; ``iou_type`` is stored as what ``auto`` chose.
    """
    settings = Settings.of(parameters)
    labels, truth, said = _one_vocabulary(dataset.truth, predictions)
    form = parameters["iou_type"]
    form = finest_common_form(truth, said) if form == "auto" else form
    sizes = image_sizes(dataset, truth, said) if form == "raster" else None
    said = said.take(detection_order(said))
    cells = matching.cells_of(truth.datum, truth.label, said.datum, said.label, len(dataset))
    kept = cells.rank < settings.max_detections[-1]

    targets = regions_of(truth, form, dataset, sizes)
    regions = regions_of(said, form, dataset, sizes)
    pairs = matching.overlapping_pairs(
        cells,
        np.flatnonzero(kept),
        lambda mine, their: targets.ious(regions, truth.crowd, mine, their),
        min(settings.thresholds[0], 1 - 1e-10),
    )
    grid = settings.grid
    countable = np.where(truth.crowd, np.uint8(0), grid.bits_of_areas(targets.areas))
    row, hit, ignored = matching.match_lanes(
        cells.rank, pairs, grid.of_ious(pairs[2]), ~grid.of_areas(countable), truth.crowd
    )
    return Ledger(
        task,
        dataset.uids,
        labels,
        {**parameters, "iou_type": form},
        {
            "detections": {
                "label": said.label[kept],
                "datum": said.datum[kept],
                "score": said.score[kept],
                "rank": cells.rank[kept].astype(np.uint16),
                "areas": grid.bits_of_areas(regions.areas[kept]),
            },
            "matches": {
                "detection": (np.cumsum(kept) - 1)[row].astype(np.int32),
                "hit": hit,
                "ignored": ignored,
            },
            "truths": {"label": truth.label, "datum": truth.datum, "areas": countable},
        },
    )


def detection_order(said: AnnotationTable) -> NDArray[np.intp]:
    """Order of detections in a ledger: by label, falling score, datum, then as given."""
    order = descending_order(said.score)
    return order[stable_order(said.label[order], len(said.labels))]


class DetectionLedger:
    """A detection ledger, ready to be asked about selections of datums."""

    def __init__(self, ledger: Ledger) -> None:
        self.labels = len(ledger.labels)
        self.areas = len(ledger.parameters["area_ranges"])
        self.detections = ledger.tables["detections"]
        self.matches = ledger.tables["matches"]
        self.truths = ledger.tables["truths"]

    @dataclass(frozen=True)
    class Selection:
        """What is left of a ledger when some datums count, maybe several times.

        Args:
            rows: detections that count.
            score: ``(n,)`` their scores.
            truths: ``(labels, areas)`` how many truths count.
        """

        rows: Rows
        score: NDArray[np.float64]
        truths: NDArray[np.int64]

        def counts_at(
            self, lane: int, score: float
        ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
            """Per label, true positives and counted detections that reach a score, in one lane
            of the first area range.
            """
            rows, labels = self.rows, len(self.truths)
            bit = np.uint64(lane)
            counted = (rows.areas & np.uint8(1)).astype(bool)
            hit = ((rows.hit >> bit) & np.uint64(1)).astype(bool)
            ignored = ((rows.ignored >> bit) & np.uint64(1)).astype(bool)
            counted[rows.matched] = hit | (counted[rows.matched] & ~ignored)
            high = self.score >= score
            found = rows.matched[hit & high[rows.matched]]
            return (
                np.bincount(rows.label[found], minlength=labels),
                np.bincount(rows.label[counted & high], minlength=labels),
            )

    def select(self, counts: NDArray[np.int64] | None) -> Selection:
        """Take the rows of the datums that count, as often as they count.

        Args:
            counts: ``(datums,)`` whole numbers >= 0; ``None`` when each datum counts once.
        """
        rows = None if counts is None else self._rows(counts[self.detections["datum"]])
        columns = {
            name: column if rows is None else column[rows]
            for name, column in self.detections.items()
        }
        matched, of = self._matched(rows)
        return self.Selection(
            Rows(
                columns["label"],
                columns["rank"],
                columns["areas"],
                matched,
                self.matches["hit"][of],
                self.matches["ignored"][of],
            ),
            columns["score"],
            self._truths(counts),
        )

    def _rows(self, counts: NDArray[np.int64]) -> NDArray[np.intp]:
        if counts.size == 0 or counts.max() <= 1:
            return np.flatnonzero(counts)
        rows = np.repeat(np.arange(len(counts)), counts)
        return self._copies_in_turn(rows)

    def _copies_in_turn(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Order equal scores of one datum as its copies would stand: a whole copy, then the next."""
        tied = self._tied[rows]
        if not tied.any():
            return rows
        place = np.flatnonzero(tied)
        copy = count_within(starts_of_runs(rows), len(rows))[place]
        order = np.lexsort((copy, self._tie_group[rows[place]]))
        rows[place] = rows[place][order]
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

    def _matched(
        self, rows: NDArray[np.intp] | None
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions of the selected rows that matched, and which match each is."""
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

    def _truths(self, counts: NDArray[np.int64] | None) -> NDArray[np.int64]:
        label, bits = self.truths["label"], self.truths["areas"]
        often = 1 if counts is None else counts[self.truths["datum"]]
        columns = [
            np.bincount(label, ((bits >> np.uint8(area)) & 1) * often, self.labels)
            for area in range(self.areas)
        ]
        return np.stack(columns, axis=-1).astype(np.int64)


def _one_vocabulary(
    truth: AnnotationTable, said: AnnotationTable
) -> tuple[tuple[LabelName, ...], AnnotationTable, AnnotationTable]:
    """Number the labels of both sides alike: the truth's first, then others, sorted."""
    labels = truth.labels + tuple(sorted(set(said.labels) - set(truth.labels)))
    place = {name: position for position, name in enumerate(labels)}
    return (
        labels,
        truth.relabelled(labels, np.arange(len(truth.labels))),
        said.relabelled(labels, np.array([place[name] for name in said.labels], np.int32)),
    )
