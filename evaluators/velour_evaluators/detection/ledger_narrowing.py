"""Narrow a ledger to fewer IoU thresholds, area ranges, detections or labels, without a match.

A subset of its IoU thresholds and area ranges, fewer detections, another score
threshold (a higher one, where details are needed) need no new match; nor do fewer labels,
or only detections from a score on. Everything else is refused: a ledger never approximates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.ledger import DETAIL_TABLES
from velour_evaluators.detection.ledger_writer import PAIRED_FROM
from velour_evaluators.detection.parameters import Settings
from velour_plugin import Ledger
from velour_plugin.errors import InvalidInput
from velour_plugin.plugin import Columns, LazyTables


def unanswered(ledger: Ledger, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield reasons why a ledger cannot be narrowed to some parameters; none where it can.

    Args:
        ledger: of detection.
        parameters: checked ones.
    """
    known = ledger.parameters
    old, new = Settings.of(known), Settings.of(parameters)
    for threshold in new.thresholds:
        if not old.lane_of(threshold).size:
            yield f"it was matched at IoU {', '.join(f'{t:g}' for t in old.thresholds)}"
            break
    for name, low, high in new.areas:
        if _range_of(old, low, high) is None:
            yield f"it has no area range like {name!r} ({low:g} to {high:g})"
    if new.max_detections[-1] > old.max_detections[-1]:
        yield f"it keeps the best {old.max_detections[-1]} detections of an image and label"
    if parameters["details"] and not known["details"]:
        yield "it was matched with details=False"
    if parameters["details"] and new.score_threshold < old.score_threshold:
        yield f"it shows detections from a score of {old.score_threshold:g} on"
    if parameters["iou_type"] != known["iou_type"]:
        yield f"it compares regions as {known['iou_type']}"
    if parameters["federated"] != known["federated"]:
        yield f"it was matched with federated={known['federated']}"


def narrowed(ledger: Ledger, parameters: Mapping[str, Any]) -> Ledger:
    """Return the ledger that a match with other parameters would have made.

    Args:
        ledger: of detection.
        parameters: checked ones.

    Raises:
        InvalidInput: the ledger cannot answer them; the message says why.
    """
    reasons = list(unanswered(ledger, parameters))
    if reasons:
        raise InvalidInput(
            f"this ledger cannot answer these parameters: {'; '.join(reasons)}. "
            "Evaluate the predictions again with them."
        )
    narrowing = _NarrowTables(ledger, parameters)
    return Ledger(ledger.task, ledger.datums, ledger.labels, parameters, narrowing.tables())


def reduced(ledger: Ledger, labels: NDArray[np.bool_], min_score: float | None) -> Ledger:
    """Return the ledger that a match of fewer labels and detections would give.

    Detections match truths of their own label, best scores first, so the matches of those
    that stay do not change.

    Args:
        ledger: of detection, not federated.
        labels: ``(labels,)`` bool, those that stay on both sides.
        min_score: of the detections that stay; ``None`` for all.
    """
    tables = ledger.tables
    detections, truths = tables["detections"], tables["truths"]
    kept, real = labels[detections["label"]], labels[truths["label"]]
    if min_score is not None:
        kept = kept & (detections["score"] >= min_score)
    detection = (np.cumsum(kept) - 1).astype(np.int32)
    truth = (np.cumsum(real) - 1).astype(np.int32)
    label = (np.cumsum(labels) - 1).astype(np.int32)

    def of_kept(name: str) -> dict[str, NDArray[Any]]:
        rows = dict(_rows(tables[name], kept[tables[name]["detection"]]))
        return {**rows, "detection": detection[rows["detection"]]}

    less: dict[str, Columns] = {
        "detections": _relabelled(_rows(detections, kept), label),
        "matches": of_kept("matches"),
        "truths": _relabelled(_rows(truths, real), label),
    }

    def details() -> dict[str, Columns]:
        pairs = of_kept("pairs")
        stay = real[pairs["truth"]]
        return {
            "pairs": {**_rows(pairs, stay), "truth": truth[pairs["truth"][stay]]},
            "truth_boxes": _rows(tables["truth_boxes"], real),
            "detection_boxes": of_kept("detection_boxes"),
        }

    names = tuple(name for name, stays in zip(ledger.labels, labels, strict=True) if stays)
    some = LazyTables(less, DETAIL_TABLES, details) if "pairs" in tables else less
    return Ledger(ledger.task, ledger.datums, names, ledger.parameters, some)


def _relabelled(table: Columns, label: NDArray[np.int32]) -> Columns:
    return {**table, "label": label[table["label"]].astype(table["label"].dtype)}


class _NarrowTables:
    """Selects the threshold lanes, area ranges and detections of the narrower parameters."""

    def __init__(self, ledger: Ledger, parameters: Mapping[str, Any]) -> None:
        self.old_tables = ledger.tables
        self.with_details = parameters["details"]
        self.old, self.new = Settings.of(ledger.parameters), Settings.of(parameters)
        self.ranges = [_range_of(self.old, low, high) or 0 for _, low, high in self.new.areas]
        self.levels = [int(self.old.lane_of(level)[0]) for level in self.new.thresholds]
        self.kept = ledger.tables["detections"]["rank"] < self.new.max_detections[-1]
        self.new_index = (np.cumsum(self.kept) - 1).astype(np.int32)

    def tables(self) -> Mapping[str, Columns]:
        """Return the tables of the narrowed ledger."""
        tables: dict[str, Columns] = {
            "detections": self._ranged(_rows(self.old_tables["detections"], self.kept)),
            "matches": self._matches(),
            "truths": self._ranged(self.old_tables["truths"]),
        }
        return LazyTables(tables, DETAIL_TABLES, self._details) if self.with_details else tables

    def _details(self) -> dict[str, Columns]:
        pairs, boxes = self.old_tables["pairs"], self.old_tables["detection_boxes"]
        least = min(PAIRED_FROM, self.new.thresholds[0])
        score = self.old_tables["detections"]["score"][boxes["detection"]]
        return {
            "pairs": self._of_kept(_rows(pairs, pairs["iou"] >= least)),
            "truth_boxes": self.old_tables["truth_boxes"],
            "detection_boxes": self._of_kept(_rows(boxes, score >= self.new.score_threshold)),
        }

    def _matches(self) -> Columns:
        matches = self._of_kept(self.old_tables["matches"])
        hit, ignored = self._lanes(matches["hit"]), self._lanes(matches["ignored"])
        lanes = {"detection": matches["detection"], "hit": hit, "ignored": ignored}
        return _rows(lanes, (hit | ignored) > 0)

    def _of_kept(self, table: Columns) -> Columns:
        rows = _rows(table, self.kept[table["detection"]])
        return {**rows, "detection": self.new_index[rows["detection"]]}

    def _lanes(self, bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
        step = len(self.old.thresholds)
        return _moved(bits, [area * step + level for area in self.ranges for level in self.levels])

    def _ranged(self, table: Columns) -> Columns:
        return {**table, "areas": _moved(table["areas"], self.ranges)}


def _range_of(settings: Settings, low: float, high: float) -> int | None:
    spans = [span for _, *span in settings.areas]
    return spans.index([low, high]) if [low, high] in spans else None


def _moved(bits: NDArray[Any], old: list[int]) -> NDArray[Any]:
    """Reorder bits: bit ``new`` of the result is bit ``old[new]`` of the argument."""
    moved, lowest = np.zeros_like(bits), bits.dtype.type(1)
    for new, source in enumerate(old):
        moved |= ((bits >> bits.dtype.type(source)) & lowest) << bits.dtype.type(new)
    return moved


def _rows(table: Columns, chosen: NDArray[np.bool_]) -> Columns:
    return {name: column[chosen] for name, column in table.items()}
