"""The details of detection: curves, calibration, confusion matrix and kinds of error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.curves import curve_metrics
from velour_evaluators.detection.errors.confusion import confusion_metrics
from velour_evaluators.detection.errors.error_kinds import error_metrics
from velour_evaluators.detection.view import DetectionView
from velour_plugin import Ledger, Metric


def detail_metrics(ledger: Ledger, counts: NDArray[np.int64] | None) -> list[Metric]:
    """Compute curves and calibration; and, where the ledger keeps overlaps, matrices and errors.

    Args:
        ledger: of detection.
        counts: ``(datums,)`` how often each datum counts; ``None`` for once.
    """
    view = DetectionView(ledger, counts)
    metrics = list(curve_metrics(view))
    if view.has_pairs:
        metrics += error_metrics(view)
        metrics += confusion_metrics(view)
    return metrics
