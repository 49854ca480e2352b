"""One of COCO's numbers under many weightings of the images, with no more work than it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.engine import resampled_curves
from velour_evaluators.detection.parameters import Settings
from velour_evaluators.kernels.accumulate import Curves
from velour_plugin import Label, Ledger

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Number:
    """Where a metric is read: an area range, and a part of its curves."""

    area: int
    part: Callable[[Curves], Floats]


def resampled(
    ledger: Ledger, metric: str, label: Label | None, weights: NDArray[np.int64]
) -> Floats | None:
    """Measure COCO's metric of that name once for each weighting.

    Args:
        ledger: of detections.
        metric: such as ``mAP_small``, of another key ``color/mAP``; or with a label ``AP``.
        label: the class that it is about; ``None`` for a metric about all.
        weights: ``(resamples, datums)``.

    Returns:
        ``(resamples,)``, NaN where undefined; ``None`` when it is none of COCO's metrics.
    """
    settings = Settings.of(ledger.parameters)
    key, _, name = metric.rpartition("/")
    number = _numbers(settings, "m" if label is None else "").get(name)
    if number is None:
        return None
    own = _labels(ledger, key, label)
    values = np.full(len(weights), np.nan)
    curves = resampled_curves(ledger, settings, weights, number.area)
    for place, one in enumerate(curves):
        known = number.part(Curves(one.precision[:, :, own], one.recall[:, own]))
        known = known[known > -1]
        if known.size:
            values[place] = known.mean()
    return values


def _numbers(settings: Settings, mean: str) -> dict[str, _Number]:
    """COCO's metrics by name; those of a label lack the ``m``."""
    lanes = settings.averaged
    half, most = settings.lane_of(0.5), settings.lane_of(0.75)
    numbers = {
        f"{mean}AP": _Number(0, lambda curves: curves.precision[lanes]),
        f"{mean}AP_50": _Number(0, lambda curves: curves.precision[half]),
        f"{mean}AP_75": _Number(0, lambda curves: curves.precision[most]),
    }
    for place, limit in enumerate(settings.max_detections):
        numbers[f"{mean}AR_{limit}"] = _Number(0, _recall_at(lanes, place))
    for area, (name, _, _) in enumerate(settings.areas[1:], 1):
        numbers[f"{mean}AP_{name}"] = _Number(area, lambda curves: curves.precision[lanes])
        numbers[f"{mean}AR_{name}"] = _Number(area, lambda curves: curves.recall[lanes][:, :, -1])
    return numbers


def _recall_at(lanes: NDArray[np.intp], place: int) -> Callable[[Curves], Floats]:
    return lambda curves: curves.recall[lanes][:, :, place]


def _labels(ledger: Ledger, key: str, label: Label | None) -> NDArray[np.intp]:
    """Positions of the labels that a metric is about."""
    if label is not None:
        return np.array([at for at, name in enumerate(ledger.labels) if name == label.name], int)
    first = ledger.labels[0][0] if ledger.labels else ""
    return np.array([at for at, name in enumerate(ledger.labels) if name[0] == (key or first)], int)
