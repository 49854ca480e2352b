"""COCO's metrics under many weightings of the images, with no more work than they take.

Lanes, area ranges and labels that no key is about are not followed; weightings go through the
kernel as many at a time as memory allows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection import engine
from velour_evaluators.detection.ledger import with_datums
from velour_evaluators.detection.matching import keys_of
from velour_evaluators.detection.metrics import coco_averages, label_keys
from velour_evaluators.detection.parameters import Settings
from velour_evaluators.kernels.accumulate import RECALLS, Average
from velour_evaluators.kernels.native.averages import PACK
from velour_plugin import Label, Ledger
from velour_plugin.plugin import MetricKey

_AT_ONCE = 1 << 21
"""Precisions in memory at the same time: 16 MB, which stay near the processor."""


class CocoValues:
    """COCO's metrics of one ledger.

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

    def values(self, keys: Sequence[MetricKey], weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Measure each key under each weighting.

        Args:
            keys: those that :meth:`knows`.
            weights: ``(n, datums)``, how often each datum counts.

        Returns:
            ``(n, keys)``; NaN where a metric is undefined, or the ledger has no such label.
        """
        ledger, weights = _counting(self.ledger, weights)
        averages = [self._average(*key) for key in keys]
        kinds = [average for average in dict.fromkeys(averages) if average is not None]
        group, groups = self._groups_of(keys), len(self._label_keys)
        values = np.full((len(weights), len(keys)), np.nan)
        step = self._step(kinds, group)
        for first in range(0, len(weights), step):
            some = slice(first, first + step)
            found = engine.averages(ledger, self.settings, kinds, group, groups, weights[some])
            for column, (key, average) in enumerate(zip(keys, averages, strict=True)):
                number = self._number(*key)
                if number is not None and average is not None:
                    source = found.groups if key[1] is None else found.labels
                    values[some, column] = source[:, kinds.index(average), number]
        return values

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

    def _step(self, kinds: Sequence[Average], group: NDArray[np.int32]) -> int:
        """How many weightings go through the kernel at a time: whole packs, if memory allows."""
        lanes = {(average.area, level) for average in kinds for level in average.thresholds}
        each = len(lanes) * len(RECALLS) * int((group >= 0).sum())
        most = _AT_ONCE // max(each, len(self.ledger.datums), 1)
        return most - most % PACK if most >= PACK else max(1, min(PACK, 4 * most))


def _counting(ledger: Ledger, weights: NDArray[np.int64]) -> tuple[Ledger, NDArray[np.int64]]:
    """Leave out datums that never count, where they are most: they take time and add nothing.

    Before few weightings, leaving them out would take longer.

    Raises:
        ValueError: the weights are not of this ledger's datums.
    """
    if weights.shape != (len(weights), len(ledger.datums)):
        raise ValueError(
            f"weights of shape {weights.shape}: expected (n, {len(ledger.datums)}), one a datum."
        )
    counting = np.asarray(weights.any(axis=0), np.bool_)
    if len(weights) < PACK or counting.sum() * 2 > len(counting):
        return ledger, weights
    return with_datums(ledger, counting), weights[:, counting]
