"""COCO's metrics of detection, and precision, recall and F1 at a threshold.

Each of COCO's is an average over IoU thresholds, recalls and labels in one area range. The kernel
computes averages; here they get their names: ``AP_50`` of one label, ``mAP_50`` over all of a key.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection import engine
from velour_evaluators.detection.kernels.accumulate import Average, AverageQuery, Averages
from velour_evaluators.detection.ledger_writer import keys_of
from velour_evaluators.detection.parameters import Settings
from velour_plugin import Label, Ledger, Metric


def coco_averages(settings: Settings) -> list[tuple[str, Average]]:
    """List names and definitions of COCO's metrics, in the order of its summary.

    A definition is an area range, IoU thresholds and a number of detections; a name is that for one
    label: ``AP``, not ``mAP``.
    """
    lanes = tuple(settings.averaged.tolist())
    half, three_quarters = (tuple(settings.lane_of(iou).tolist()) for iou in (0.5, 0.75))
    sizes = [(area, name) for area, (name, _, _) in enumerate(settings.areas) if area]
    limits = settings.max_detections
    return [
        ("AP", Average(0, lanes)),
        ("AP_50", Average(0, half)),
        ("AP_75", Average(0, three_quarters)),
        *((f"AP_{name}", Average(area, lanes)) for area, name in sizes),
        *((f"AR_{limit}", Average(0, lanes, at)) for at, limit in enumerate(limits)),
        *((f"AR_{name}", Average(area, lanes, len(limits) - 1)) for area, name in sizes),
    ]


def label_keys(ledger: Ledger) -> list[str]:
    """List every label key, in order of occurrence; ``[""]`` where there is no label."""
    return list(dict.fromkeys(key for key, _ in ledger.labels)) or [""]


def lean_metrics(
    ledger: Ledger, settings: Settings, counts: NDArray[np.int64] | None
) -> Iterator[Metric]:
    """Yield the headline metrics of each label key, then the metrics of each label.

    Args:
        ledger: of detections.
        settings: of the ledger.
        counts: ``(datums,)`` how often each datum counts; ``None`` when each counts once.
    """
    names = [name for name, _ in coco_averages(settings)]
    means = _averages(ledger, settings, counts)
    for number, key in enumerate(label_keys(ledger)):
        prefix, parameters = (f"{key}/", {"key": key}) if number else ("", {})
        for name, value in zip(names, means.groups[0, :, number].tolist(), strict=True):
            yield Metric(f"{prefix}m{name}", _known(value), parameters=parameters)
    of_label = ("AP", "AP_50", "AP_75", f"AR_{settings.max_detections[-1]}")
    columns = {name: means.labels[0, names.index(name)].tolist() for name in of_label}
    labels = [Label(*name) for name in ledger.labels]
    yield from _label_metrics(labels, columns)
    yield from _threshold_metrics(settings, labels, engine.counts_at(ledger, settings, counts))


def micro_metrics(
    ledger: Ledger, settings: Settings, counts: NDArray[np.int64] | None
) -> Iterator[Metric]:
    """Yield precision, recall and F1 of all labels of each key together, at both thresholds.

    Arguments as for :func:`lean_metrics`. F1 is undefined without truths, as that of a label.
    """
    parameters = {"score": settings.score_threshold, "iou": settings.iou_threshold}
    of_labels = engine.counts_at(ledger, settings, counts)
    key_of_label = keys_of(ledger.labels)
    for number, key in enumerate(label_keys(ledger)):
        right, detected, real = (int(some[key_of_label == number].sum()) for some in of_labels)
        prefix = f"{key}/" if number else ""
        for name, value in _rates(right, detected, real).items():
            yield Metric(f"{prefix}{name}_micro", value, parameters=parameters)


def micro_values(
    ledger: Ledger, names: Sequence[str], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return micro averages under many weightings, ``(n, names)``; NaN where undefined."""
    settings = Settings.of(ledger.parameters)
    rows = [
        {metric.name: metric.value for metric in micro_metrics(ledger, settings, counts)}
        for counts in weights
    ]
    values = [[row.get(name) for name in names] for row in rows]
    return np.array(values, float).reshape(len(rows), len(names))


def _averages(ledger: Ledger, settings: Settings, counts: NDArray[np.int64] | None) -> Averages:
    """All of COCO's averages, of every label and key."""
    averages = [average for _, average in coco_averages(settings)]
    query = AverageQuery(
        settings.max_detections,
        averages,
        keys_of(ledger.labels),
        len(label_keys(ledger)),
        detailed=len(averages),
    )
    return engine.averages(ledger, settings, query, None if counts is None else counts[None])


def _label_metrics(
    labels: Sequence[Label], columns: Mapping[str, Sequence[float]]
) -> Iterator[Metric]:
    rows = zip(*columns.values(), strict=True)
    for label, row in zip(labels, rows, strict=True):
        for metric, value in zip(columns, row, strict=True):
            yield Metric(metric, _known(value), label)


def _threshold_metrics(
    settings: Settings,
    labels: Sequence[Label],
    counted: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> Iterator[Metric]:
    """Precision, recall and F1 of each label, of detections from the score threshold on."""
    parameters = {"score": settings.score_threshold, "iou": settings.iou_threshold}
    rows = zip(*(column.tolist() for column in counted), strict=True)
    for label, counts in zip(labels, rows, strict=True):
        for name, value in _rates(*counts).items():
            yield Metric(name, value, label, parameters)


def _rates(right: int, detected: int, real: int) -> dict[str, float | None]:
    """Precision, recall and F1 of numbers of true positives, detections and truths."""
    return {
        "precision": right / detected if detected else None,
        "recall": right / real if real else None,
        "f1": 2 * right / (detected + real) if real else None,
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
