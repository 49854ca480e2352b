"""Object detection and instance segmentation, scored as COCO scores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.ledger import DETAIL_TABLES, with_datums
from velour_evaluators.detection.ledger_writer import write_ledger
from velour_evaluators.detection.metrics import lean_metrics, micro_values
from velour_evaluators.detection.parameters import DEFAULTS, Settings, checked, ranges_of
from velour_evaluators.kernels.native import library
from velour_evaluators.regions import Form, refuse_boxes_alone
from velour_plugin import Dataset, Evaluator, Ledger, Metric
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import (
    AREA_UNIT,
    PIXELS,
    IntervalMethod,
    MetricKey,
    ScoredOutcomes,
)


class ObjectDetection(Evaluator):
    """COCO's twelve metrics, metrics of each label, and precision and recall at a threshold.

    Thresholds are inclusive: an overlap of exactly 0.5 matches at 0.5. A label
    without ground truth has no AP (``None``) and does not enter means.
    """

    task = "object-detection"
    version = "2"
    auto_form: ClassVar[Form] = "box"
    headline = (
        "mAP", "mAP_50", "mAP_75", "mAP_small", "mAP_medium", "mAP_large",
        "mAR_1", "mAR_10", "mAR_100", "mAR_small", "mAR_medium", "mAR_large",
    )  # fmt: skip
    lower_is_better = frozenset({"ece", "oLRP"})
    of_label: ClassVar[Mapping[str, str]] = {
        "mAP": "AP", "mAP_50": "AP_50", "mAP_75": "AP_75", "mAR_100": "AR_100", "oLRP": "oLRP",
    }  # fmt: skip
    defaults = DEFAULTS
    decorative = frozenset({"details", "examples", "calibration_bins"})
    stated = ("iou_type",)
    detail_tables = frozenset(DETAIL_TABLES)

    def parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, checked (:mod:`velour_evaluators.detection.parameters`)."""
        return checked(super().parameters(parameters), self.auto_form)

    def defaults_for(self, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return area ranges in the dataset's unit of area."""
        return {"area_ranges": ranges_of(metadata.get(AREA_UNIT, PIXELS))}

    @property
    def engine(self) -> str:
        """Which engine computes: the compiled kernel, or numpy and why."""
        return library.describe()

    def bounds(self, metric: str) -> tuple[float | None, float | None]:
        """Return 0 and 1: every metric is a share."""
        return (0.0, 1.0)

    def interval_method(self, metric: str) -> IntervalMethod:
        """Return half-samples for average precision and recall, BCa for what has a threshold.

        Small samples raise average precision. Average recall they do not; but there, too, 20
        videos had 0.94 coverage (BCa 0.93), rare labels 0.96 (0.85), common ones 0.96 (0.95).
        """
        name = metric.rpartition("/")[2]
        return "half-samples" if "AP" in name or "AR" in name else "BCa"

    def match(self, dataset: Dataset, parameters: Mapping[str, Any]) -> Ledger:
        """Match every detection with ground truth, in all area ranges and at all IoU thresholds."""
        predictions = dataset.predictions
        assert predictions is not None
        unscored = np.flatnonzero(np.isnan(predictions.score))
        if unscored.size:
            raise BadDataset(
                f"a prediction on datum {dataset.uids[predictions.datum[unscored[0]]]!r} has no "
                "score: detections are ranked by their scores, in [0, 1]."
            )
        return write_ledger(self.task, dataset, predictions, parameters)

    def measure(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Return the headline metrics of each label key, then the metrics of each label."""
        counts = ledger.weights_of(datums, weights)
        return list(lean_metrics(ledger, Settings.of(ledger.parameters), counts))

    def values(
        self, ledger: Ledger, keys: Sequence[MetricKey], weights: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Measure some metrics under many weightings; of COCO's, only the curves they need."""
        from velour_evaluators.detection.weighted_values import CocoValues

        coco = CocoValues(ledger)
        known = np.array([coco.knows(key) for key in keys], bool)
        values = np.empty((len(weights), len(keys)))
        values[:, known] = coco.values([key for key in keys if coco.knows(key)], weights)
        if not known.all():
            others = [key for key in keys if not coco.knows(key)]
            values[:, ~known] = self._other_values(ledger, others, weights)
        return values

    def _other_values(
        self, ledger: Ledger, keys: Sequence[MetricKey], weights: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        names = [metric for metric, label in keys if label is None and metric.endswith("_micro")]
        if len(names) < len(keys):
            return super().values(ledger, keys, weights)
        return micro_values(ledger, names, weights)

    def leave_one_out(
        self,
        ledger: Ledger,
        keys: Sequence[MetricKey],
        selected: NDArray[np.bool_],
        omitted: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """Measure metrics without each of some datums; only its labels are computed again."""
        from velour_evaluators.detection.weighted_values import CocoValues

        coco = CocoValues(ledger)
        if not all(coco.knows(key) for key in keys):
            return super().leave_one_out(ledger, keys, selected, omitted)
        return coco.omissions(keys, selected.astype(np.int64), omitted)

    def restrict(
        self, ledger: Ledger, datums: NDArray[np.bool_], metrics: Sequence[str]
    ) -> Ledger | None:
        """Return a ledger without other datums; ``None`` for details, which need more tables."""
        from velour_evaluators.detection.weighted_values import CocoValues

        coco = CocoValues(ledger)
        if not all(coco.is_coco(metric) for metric in metrics):
            return None
        return ledger if datums.all() else with_datums(ledger, datums)

    def errors(
        self, ledger: Ledger, datums: NDArray[np.bool_] | None = None
    ) -> dict[str, tuple[int, float | None]]:
        """Return by kind the number of errors and the AP that they cost, as in TIDE."""
        from velour_evaluators.detection.errors.error_kinds import errors_by_kind

        return errors_by_kind(ledger, ledger.weights_of(datums))

    def details(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Compute curves, calibration, confusion matrix, kinds of error, oLRP, any-label recall."""
        from velour_evaluators.detection.details import detail_metrics

        return detail_metrics(ledger, ledger.weights_of(datums, weights))

    def matches(self, ledger: Ledger) -> dict[str, NDArray[Any]]:
        """Return true and false positives and false negatives, at the score and IoU threshold."""
        from velour_evaluators.detection.errors.matches import matches_of

        return matches_of(ledger)

    def scored_outcomes(self, ledger: Ledger) -> ScoredOutcomes:
        """Return the detections that count, right where they match at the IoU threshold."""
        from velour_evaluators import scored_outcomes

        return scored_outcomes.of_detection(ledger)

    def by_datum(self, ledger: Ledger) -> dict[str, NDArray[Any]]:
        """Return F1, false positives and false negatives of each image, at both thresholds."""
        from velour_evaluators import by_datum

        return by_datum.of_detection(ledger)

    def concatenate(self, ledgers: Sequence[Ledger]) -> Ledger:
        """Concatenate ledgers of disjoint datums: the ledger of all their datums.

        Raises:
            InvalidInput: there is none, or they were matched with different parameters.
            BadDataset: two of them hold the same datum.
        """
        from velour_evaluators.detection.merging import concatenated

        return concatenated(ledgers)

    def supports(self, ledger: Ledger, parameters: Mapping[str, Any]) -> bool:
        """Whether a ledger can answer other parameters exactly, without a new match."""
        from velour_evaluators.detection.ledger_narrowing import unanswered

        return not any(unanswered(ledger, self.parameters(parameters)))

    def narrow(self, ledger: Ledger, parameters: Mapping[str, Any]) -> Ledger:
        """Return the ledger that a match with narrower parameters would give, without a new match.

        Raises:
            InvalidInput: it cannot (see :mod:`velour_evaluators.detection.ledger_narrowing`): why.
        """
        from velour_evaluators.detection.ledger_narrowing import narrowed

        return narrowed(ledger, self.parameters(parameters))

    def reduce(
        self, ledger: Ledger, labels: NDArray[np.bool_], min_score: float | None
    ) -> Ledger | None:
        """Return the ledger without some labels and low scores, which change no match of others.

        Federated ledgers are matched again: what counts there depends on other labels.
        """
        if labels.all() and min_score is None:
            return ledger
        if ledger.parameters["federated"]:
            return None
        from velour_evaluators.detection.ledger_narrowing import reduced

        return reduced(ledger, labels, min_score)


class InstanceSegmentation(ObjectDetection):
    """The same metrics over masks or polygons; an annotation with a box alone is refused."""

    task = "instance-segmentation"
    auto_form = "raster"

    def match(self, dataset: Dataset, parameters: Mapping[str, Any]) -> Ledger:
        """Match as for boxes, by the overlap of masks or polygons."""
        assert dataset.predictions is not None
        if parameters["iou_type"] != "box":
            refuse_boxes_alone(dataset.truth, dataset, "ground truths")
            refuse_boxes_alone(dataset.predictions, dataset, "predictions")
        return super().match(dataset, parameters)
