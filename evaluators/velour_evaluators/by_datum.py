"""Score and errors of each datum by itself, for tables of worst datums and for maps.

Every function returns columns with a row for each datum of a ledger: ``score`` in
[0, 1], NaN where there is nothing to evaluate; ``errors``, whole numbers; then their parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.view import DetectionView
from velour_evaluators.kernels.sums import ratio
from velour_plugin import Ledger

Columns = dict[str, NDArray[Any]]


def of_detection(ledger: Ledger) -> Columns:
    """Columns of each image: F1 as ``score``, ``errors``, ``false`` and ``missed`` objects."""
    view, datums = DetectionView(ledger, None), len(ledger.datums)
    high = view.chosen.score >= view.settings.score_threshold
    datum = view.ledger_rows.detections["datum"]
    hits = np.bincount(datum[view.true & high], minlength=datums)
    counted = np.bincount(datum[view.counted & high], minlength=datums)
    truths = np.bincount(view.ledger_rows.truths["datum"][view.real], minlength=datums)
    false, missed = counted - hits, truths - hits
    score = ratio(2 * hits, counted + truths)
    return {"score": score, "errors": false + missed, "false": false, "missed": missed}


def of_classification(ledger: Ledger) -> Columns:
    """Columns of each datum: share of its label keys that are right, wrong ones, log loss."""
    answers, datums = ledger.tables["answers"], len(ledger.datums)
    datum = answers["datum"]
    keys = np.bincount(datum, minlength=datums)
    right = np.bincount(datum[answers["correct"]], minlength=datums)
    loss = np.bincount(datum, np.nan_to_num(answers["log_loss"]), minlength=datums)
    known = np.bincount(datum[~np.isnan(answers["log_loss"])], minlength=datums)
    return {
        "score": ratio(right, keys),
        "errors": keys - right,
        "log_loss": np.where(known > 0, loss, np.nan),
    }


def of_segmentation(ledger: Ledger) -> Columns:
    """Columns of each image: pixel accuracy as ``score``, wrong ones as ``errors``, ``pixels``."""
    table, datums = ledger.tables["datums"], len(ledger.datums)
    agreed = np.bincount(table["datum"], table["agreed"], datums).astype(np.int64)
    pixels = np.bincount(table["datum"], table["pixels"], datums).astype(np.int64)
    return {"score": ratio(agreed, pixels), "errors": pixels - agreed, "pixels": pixels}
