"""Object detection and instance segmentation, scored as COCO scores them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection_ledger import DetectionLedger, write_ledger
from velour_evaluators.detection_parameters import DEFAULTS, Settings, checked
from velour_evaluators.kernels.accumulate import Curves, curves_of_area
from velour_evaluators.regions import finest_common_form
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.domain.table import LabelName
from velour_plugin.errors import BadDataset
from velour_plugin.evaluator import Evaluator


class ObjectDetection(Evaluator):
    """COCO's twelve numbers, per label numbers, and precision and recall at a threshold.

    Thresholds are inclusive: an overlap of exactly 0.5 matches at 0.5. A label
    without ground truth has no AP (``None``) and does not enter means.
    """

    task = "object-detection"
    version = "1"
    headline = (
        "mAP", "mAP_50", "mAP_75", "mAP_small", "mAP_medium", "mAP_large",
        "mAR_1", "mAR_10", "mAR_100", "mAR_small", "mAR_medium", "mAR_large",
    )  # fmt: skip
    defaults = DEFAULTS

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Complete and check parameters (see :mod:`velour_evaluators.detection_parameters`)."""
        return checked(super().parameters(given))

    def match(self, dataset: Dataset, parameters: Mapping[str, Any]) -> Ledger:
        """Match every detection with what it found, in all area ranges and at all thresholds."""
        predictions = dataset.predictions
        assert predictions is not None
        unscored = np.flatnonzero(np.isnan(predictions.score))
        if unscored.size:
            raise BadDataset(
                f"a prediction on datum {dataset.uids[predictions.datum[unscored[0]]]!r} has no "
                "score: detections are ranked by their scores, in [0, 1]."
            )
        return write_ledger(self.task, dataset, predictions, dict(parameters))

    def measure(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Headline metrics of each label key, then the metrics of each label."""
        settings = Settings.of(ledger.parameters)
        chosen = DetectionLedger(ledger).select(ledger.weights_of(datums, weights))
        curves = [
            curves_of_area(
                chosen.rows,
                area,
                len(settings.thresholds),
                chosen.truths[:, area],
                settings.max_detections,
            )
            for area in range(len(settings.areas))
        ]
        metrics = list(_headlines(settings, ledger.labels, curves))
        metrics += _label_metrics(settings, ledger.labels, curves[0])
        return metrics + list(_threshold_metrics(settings, ledger.labels, chosen))


class InstanceSegmentation(ObjectDetection):
    """The same numbers over masks or polygons; boxes alone are refused."""

    task = "instance-segmentation"

    def match(self, dataset: Dataset, parameters: Mapping[str, Any]) -> Ledger:
        """Match as for boxes, by the overlap of masks or polygons."""
        assert dataset.predictions is not None
        tables = (dataset.truth, dataset.predictions)
        if parameters["iou_type"] == "auto" and any(map(len, tables)):
            if finest_common_form(*tables) == "box":
                raise BadDataset(
                    f"dataset {dataset.name!r}: instances are compared by polygon or raster, and "
                    "some annotations have a box only: use task='object-detection'."
                )
        return super().match(dataset, parameters)


def _headlines(
    settings: Settings, labels: Sequence[LabelName], curves: Sequence[Curves]
) -> Iterator[Metric]:
    keys = list(dict.fromkeys(key for key, _ in labels)) or [""]
    for place, key in enumerate(keys):
        own = np.array([name[0] == key for name in labels], bool)
        prefix = f"{key}/" if place else ""
        for name, value in _summary(settings, curves, own):
            yield Metric(prefix + name, value, parameters={"key": key} if place else {})


def _summary(
    settings: Settings, curves: Sequence[Curves], own: NDArray[np.bool_]
) -> Iterator[tuple[str, float | None]]:
    """COCO's ``summarize``: means over thresholds, recalls and the labels with truth."""
    names = [name for name, _, _ in settings.areas]
    lanes = settings.averaged
    whole = curves[0].precision[:, :, own]
    yield "mAP", _mean(whole[lanes])
    for threshold in (0.5, 0.75):
        yield f"mAP_{threshold * 100:.0f}", _mean(whole[settings.lane_of(threshold)])
    for name, curve in zip(names[1:], curves[1:], strict=True):
        yield f"mAP_{name}", _mean(curve.precision[:, :, own][lanes])
    for place, most in enumerate(settings.max_detections):
        yield f"mAR_{most}", _mean(curves[0].recall[:, own, place][lanes])
    for name, curve in zip(names[1:], curves[1:], strict=True):
        yield f"mAR_{name}", _mean(curve.recall[:, own, -1][lanes])


def _label_metrics(
    settings: Settings, labels: Sequence[LabelName], curves: Curves
) -> Iterator[Metric]:
    most = settings.max_detections[-1]
    for place, name in enumerate(labels):
        label = Label(*name)
        precision = curves.precision[:, :, place]
        yield Metric("AP", _mean(precision[settings.averaged]), label)
        yield Metric("AP_50", _mean(precision[settings.lane_of(0.5)]), label)
        yield Metric("AP_75", _mean(precision[settings.lane_of(0.75)]), label)
        yield Metric(f"AR_{most}", _mean(curves.recall[settings.averaged, place, -1]), label)


def _threshold_metrics(
    settings: Settings, labels: Sequence[LabelName], chosen: DetectionLedger.Selection
) -> Iterator[Metric]:
    """Precision, recall and F1 of the detections that score high enough to be used."""
    said = {"score": settings.score_threshold, "iou": settings.iou_threshold}
    lane = int(settings.lane_of(settings.iou_threshold)[0])
    found, counted = chosen.counts_at(lane, settings.score_threshold)
    truths = chosen.truths[:, 0]
    for place, name in enumerate(labels):
        label = Label(*name)
        right, claimed, real = int(found[place]), int(counted[place]), int(truths[place])
        yield Metric("precision", right / claimed if claimed else None, label, said)
        yield Metric("recall", right / real if real else None, label, said)
        yield Metric("f1", 2 * right / (claimed + real) if real else None, label, said)


def _mean(values: NDArray[np.float64]) -> float | None:
    """Mean of what is defined; the order of summation is COCO's, so the last bit agrees."""
    known = values[values > -1]
    return float(np.mean(known)) if known.size else None
