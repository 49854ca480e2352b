"""The metrics of detection that are measured a thousand times: COCO's, and those at a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.engine import curves_of
from velour_evaluators.detection.ledger import Selection
from velour_evaluators.detection.parameters import Settings
from velour_evaluators.kernels import native
from velour_evaluators.kernels.accumulate import Curves, curves_of_area
from velour_plugin import Label, Ledger, Metric
from velour_plugin.plugin import LabelName

Floats = NDArray[np.float64]


def lean_metrics(
    ledger: Ledger, settings: Settings, chosen: Selection, counts: NDArray[np.int64] | None
) -> Iterator[Metric]:
    """Headline metrics of each label key, then the metrics of each label.

    Args:
        ledger: of detections.
        settings: of the ledger.
        chosen: what counts of it.
        counts: ``(datums,)`` how often each datum counts; ``None`` when each counts once.
    """
    labels = ledger.labels
    kept = chosen.labels_to_accumulate
    keys = list(dict.fromkeys(key for key, _ in labels)) or [""]
    own = [_own(labels, kept, key, keys) for key in keys]
    areas, columns = [], None
    for curves in _curves(ledger, settings, chosen, counts, kept):
        areas.append([_area_numbers(settings, curves, labels_of_key) for labels_of_key in own])
        columns = columns or _label_columns(settings, curves, kept)
    for place, key in enumerate(keys):
        prefix, said = (f"{key}/", {"key": key}) if place else ("", {})
        for name, value in _summary(settings, [numbers[place] for numbers in areas]):
            yield Metric(prefix + name, value, parameters=said)
    yield from _label_metrics(labels, columns or {})
    yield from _threshold_metrics(settings, labels, chosen)


def _curves(
    ledger: Ledger,
    settings: Settings,
    chosen: Selection,
    counts: NDArray[np.int64] | None,
    kept: NDArray[np.bool_],
) -> Iterator[Curves]:
    """Curves of the kept labels, one area range after the other."""
    every = range(len(settings.areas))
    if kept.all() and native.available():
        yield from curves_of(ledger, settings, counts, every)
        return
    rows, truths = chosen.of_labels(kept)
    for area in every:  # not all at once: the curves of very many labels are large
        levels = len(settings.thresholds)
        yield curves_of_area(rows, area, levels, truths[:, area], settings.max_detections)


@dataclass(frozen=True, slots=True)
class _AreaNumbers:
    """Means over the labels of a key, in one area range.

    Args:
        precision: over all thresholds.
        at_half, at_three_quarters: at one threshold.
        recalls: over all thresholds, for each number of detections.
    """

    precision: float | None
    at_half: float | None
    at_three_quarters: float | None
    recalls: Sequence[float | None]


def _area_numbers(
    settings: Settings, curves: Curves, own: NDArray[np.bool_] | slice
) -> _AreaNumbers:
    precision, recall = curves.precision[:, :, own], curves.recall[:, own]
    every = len(settings.averaged) == len(precision)
    lanes = slice(None) if every else settings.averaged
    return _AreaNumbers(
        _mean(precision[lanes]),
        _mean(precision[settings.lane_of(0.5)]),
        _mean(precision[settings.lane_of(0.75)]),
        [_mean(recall[lanes][:, :, most]) for most in range(recall.shape[2])],
    )


def _summary(
    settings: Settings, areas: Sequence[_AreaNumbers]
) -> Iterator[tuple[str, float | None]]:
    """COCO's ``summarize``: means over thresholds, recalls and the labels with truth."""
    whole, names = areas[0], [name for name, _, _ in settings.areas]
    yield "mAP", whole.precision
    yield "mAP_50", whole.at_half
    yield "mAP_75", whole.at_three_quarters
    for name, area in zip(names[1:], areas[1:], strict=True):
        yield f"mAP_{name}", area.precision
    for most, recall in zip(settings.max_detections, whole.recalls, strict=True):
        yield f"mAR_{most}", recall
    for name, area in zip(names[1:], areas[1:], strict=True):
        yield f"mAR_{name}", area.recalls[-1]


def _label_columns(
    settings: Settings, curves: Curves, kept: NDArray[np.bool_]
) -> dict[str, Floats]:
    """Numbers of each label, NaN where undefined, by the name of the metric."""
    lanes = {
        "AP": settings.averaged,
        "AP_50": settings.lane_of(0.5),
        "AP_75": settings.lane_of(0.75),
    }
    columns = {name: _means_of_labels(curves.precision[lane]) for name, lane in lanes.items()}
    recall = curves.recall[settings.averaged][:, None, :, -1]
    columns[f"AR_{settings.max_detections[-1]}"] = _means_of_labels(recall)
    return {name: _spread(values, kept) for name, values in columns.items()}


def _means_of_labels(values: Floats) -> Floats:
    """Mean of each label's ``(thresholds, recalls, labels)``; NaN where it has no truth."""
    if not values.size:
        return np.full(values.shape[2], np.nan)
    rows = np.ascontiguousarray(values.transpose(2, 0, 1)).reshape(values.shape[2], -1)
    # of contiguous rows, numpy adds each as it would add it alone: the last bit is COCO's
    return np.where(rows[:, 0] > -1, rows.mean(axis=1), np.nan)


def _spread(values: Floats, kept: NDArray[np.bool_]) -> Floats:
    spread = np.full(len(kept), np.nan)
    spread[kept] = values
    return spread


def _label_metrics(labels: Sequence[LabelName], columns: dict[str, Floats]) -> Iterator[Metric]:
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    for name, row in zip(labels, rows, strict=True):
        label = Label(*name)
        for metric, value in zip(columns, row, strict=True):
            yield Metric(metric, None if math.isnan(value) else value, label)


def _threshold_metrics(
    settings: Settings, labels: Sequence[LabelName], chosen: Selection
) -> Iterator[Metric]:
    """Precision, recall and F1 of the detections that score high enough to be used."""
    said = {"score": settings.score_threshold, "iou": settings.iou_threshold}
    lane = int(settings.lane_of(settings.iou_threshold)[0])
    found, counted = chosen.counts_at(lane, settings.score_threshold)
    rows = zip(found.tolist(), counted.tolist(), chosen.truths[:, 0].tolist(), strict=True)
    for name, (right, claimed, real) in zip(labels, rows, strict=True):
        label = Label(*name)
        yield Metric("precision", right / claimed if claimed else None, label, said)
        yield Metric("recall", right / real if real else None, label, said)
        yield Metric("f1", 2 * right / (claimed + real) if real else None, label, said)


def _own(
    labels: Sequence[LabelName], kept: NDArray[np.bool_], key: str, keys: Sequence[str]
) -> NDArray[np.bool_] | slice:
    """Which of the kept labels are of a key."""
    if len(keys) == 1:
        return slice(None)
    return np.array([name[0] == key for name in labels], np.bool_)[kept]


def _mean(values: Floats) -> float | None:
    """Mean of what is defined; the order of summation is COCO's, so the last bit agrees."""
    known = values[values > -1]
    return float(np.mean(known)) if known.size else None
