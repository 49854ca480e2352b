"""COCO's metrics under many weightings of the images; only the curves they need are computed.

Lanes, area ranges and labels that no metric key needs are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection import engine
from velour_evaluators.detection.kernels.accumulate import Average, AverageQuery, Averages
from velour_evaluators.detection.ledger_writer import keys_of
from velour_evaluators.detection.metrics import coco_averages, label_keys
from velour_evaluators.detection.parameters import Settings
from velour_plugin import Label, Ledger
from velour_plugin.plugin import MetricKey


class CocoValues:
    """Measures COCO's metrics of one ledger under many weightings.

    Args:
        ledger: of detections.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.settings = Settings.of(ledger.parameters)
        self._named = dict(reversed(coco_averages(self.settings)))  # the first of a name counts
        self._label_keys = label_keys(ledger)
        self._group = keys_of(ledger.labels)
        self._label = {name: number for number, name in enumerate(ledger.labels)}

    def knows(self, key: MetricKey) -> bool:
        """Whether a key is one of COCO's: ``mAP_small``, ``color/mAP``, or ``AP`` of a label."""
        return self._average(*key) is not None

    def is_coco(self, metric: str) -> bool:
        """Whether a metric of all labels or of one is among COCO's."""
        name = metric.rpartition("/")[2]
        return name in self._named or (name.startswith("m") and name[1:] in self._named)

    def values(self, keys: Sequence[MetricKey], weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Measure each metric under each weighting.

        Args:
            keys: those that :meth:`knows`.
            weights: ``(n, datums)``, how often each datum counts.

        Returns:
            ``(n, keys)``; NaN where a metric is undefined, or the ledger has no such label.
        """
        self._check(weights)
        return self._values(
            keys, lambda query: engine.averages(self.ledger, self.settings, query, weights)
        )

    def omissions(
        self,
        keys: Sequence[MetricKey],
        weight: NDArray[np.int64],
        omitted: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """Measure each metric without each of some datums: ``(omitted, keys)``.

        Args:
            keys: those that :meth:`knows`.
            weight: ``(datums,)``, how often the others count.
            omitted: the datums that are left out, rising.
        """
        self._check(weight[None])
        return self._values(
            keys,
            lambda query: engine.omissions(self.ledger, self.settings, query, weight, omitted),
        )

    def _values(
        self, keys: Sequence[MetricKey], measure: Callable[[AverageQuery], Averages]
    ) -> NDArray[np.float64]:
        averages = [self._average(*key) for key in keys]
        of_labels = [average for (_, label), average in zip(keys, averages, strict=True) if label]
        distinct = [average for average in dict.fromkeys((*of_labels, *averages)) if average]
        detailed = len(set(of_labels))  # labels come first
        groups = len(self._label_keys)
        means = measure(
            AverageQuery(
                self.settings.max_detections, distinct, self._groups_of(keys), groups, detailed
            )
        )
        values = np.full((len(means.groups), len(keys)), np.nan)
        for column, (key, average) in enumerate(zip(keys, averages, strict=True)):
            number = self._number(*key)
            if number is not None and average is not None:
                source = means.groups if key[1] is None else means.labels
                values[:, column] = source[:, distinct.index(average), number]
        return values

    def _check(self, weights: NDArray[np.int64]) -> None:
        if weights.shape != (len(weights), len(self.ledger.datums)):
            raise ValueError(
                f"weights of shape {weights.shape}: expected (n, {len(self.ledger.datums)}), "
                "one a datum."
            )

    def _average(self, metric: str, label: Label | None) -> Average | None:
        if label is not None:
            return self._named.get(metric)
        name = metric.rpartition("/")[2]
        return self._named.get(name[1:]) if name.startswith("m") else None

    def _number(self, metric: str, label: Label | None) -> int | None:
        """Number of the label, or of the label key, that a metric is about."""
        if label is not None:
            return self._label.get(label.name)
        key = metric.rpartition("/")[0] or self._label_keys[0]
        return self._label_keys.index(key) if key in self._label_keys else None

    def _groups_of(self, keys: Sequence[MetricKey]) -> NDArray[np.int32]:
        """``(labels,)`` number of each label's key; -1 for labels that no key is about."""
        used = np.zeros(len(self._group), bool)
        for metric, label in keys:
            number = self._number(metric, label)
            if number is not None:
                used[self._group == number if label is None else number] = True
        return np.where(used, self._group, np.int32(-1)).astype(np.int32)
