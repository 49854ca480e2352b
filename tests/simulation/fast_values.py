"""The metrics of classification and segmentation under all weightings at once, for simulations.

An evaluator measures one weighting after another; a simulation has a million of them. What is here
are matrix products that give the same numbers (``test_simulation.py`` compares them), in place of
the evaluators' ``values`` within :func:`fast`; everything else is the product's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from velour_evaluators.classification.evaluator import ImageClassification
from velour_evaluators.semantic.evaluator import SemanticSegmentation

from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import Evaluator, MetricKey

Floats = NDArray[np.float64]


@contextmanager
def fast() -> Iterator[None]:
    """Measure by matrix products in this block, where every metric that is asked for has one."""
    with ExitStack() as patches:
        for evaluator in (ImageClassification, SemanticSegmentation):
            patches.enter_context(patch.object(evaluator, "values", _faster(evaluator.values)))
        yield


def _faster(slow: Callable[..., Floats]) -> Callable[..., Floats]:
    def values(
        self: Evaluator, ledger: Ledger, keys: Sequence[MetricKey], weights: NDArray[np.int64]
    ) -> Floats:
        known = all(name in PRODUCTS and label is None for name, label in keys)
        if not known or len(weights) < 2:
            return slow(self, ledger, keys, weights)
        counts = np.asarray(weights, float)
        with np.errstate(invalid="ignore"):
            return np.stack([PRODUCTS[name](ledger, counts) for name, _ in keys], axis=1)

    return values


def _accuracy(ledger: Ledger, weights: Floats) -> Floats:
    answers = ledger.tables["answers"]
    right = np.zeros(len(ledger.datums))
    right[answers["datum"]] = answers["correct"]
    return weights @ right / weights.sum(axis=1)


def _macro_f1(ledger: Ledger, weights: Floats) -> Floats:
    answers = ledger.tables["answers"]
    labels = np.arange(len(ledger.labels))
    weights = weights[:, answers["datum"]]
    true, predicted = (answers[side][:, None] == labels for side in ("truth", "predicted"))
    right, either = weights @ (true & predicted), weights @ true + weights @ predicted
    f1 = 2 * right / either
    return np.nansum(f1, axis=1) / (either > 0).sum(axis=1)


def _roc_auc(ledger: Ledger, weights: Floats) -> Floats:
    """Of each label the weight of the pairs in order, ties for half, by that of all pairs."""
    size = (len(ledger.datums), len(ledger.labels))
    scores, has = np.zeros(size), np.zeros(size, bool)
    rows, truths = ledger.tables["scores"], ledger.tables["truths"]
    scores[rows["datum"], rows["label"]] = rows["score"]
    has[truths["datum"], truths["label"]] = True
    areas = [
        _pairs(score[true], score[~true], weights[:, true], weights[:, ~true])
        for score, true in zip(scores.T, has.T, strict=True)
    ]
    return _mean_of_known(np.stack(areas, axis=1))


def _pairs(high: Floats, low: Floats, weights_high: Floats, weights_low: Floats) -> Floats:
    order = (np.sign(high[:, None] - low) + 1) / 2
    right = ((weights_high @ order) * weights_low).sum(axis=1)
    return right / (weights_high.sum(axis=1) * weights_low.sum(axis=1))


def _mean_of_known(values: Floats) -> Floats:
    """Mean over labels, ``(n,)``; NaN where none is defined."""
    return np.nansum(values, axis=1) / (~np.isnan(values)).sum(axis=1)


def _pixels(ledger: Ledger, weights: Floats) -> tuple[Floats, Floats, Floats]:
    table = ledger.tables["labels"]
    size = (len(ledger.datums), len(ledger.labels))
    sums = []
    for column in ("truth", "predicted", "right"):
        pixels = np.zeros(size)
        pixels[table["datum"], table["label"]] = table[column]
        sums.append(weights @ pixels)
    true, predicted, right = sums
    return np.where(true > 0, true, np.nan), predicted, right


def _mean_iou(ledger: Ledger, weights: Floats) -> Floats:
    true, predicted, right = _pixels(ledger, weights)
    return _mean_of_known(right / (true + predicted - right))


def _mean_dice(ledger: Ledger, weights: Floats) -> Floats:
    true, predicted, right = _pixels(ledger, weights)
    return _mean_of_known(2 * right / (true + predicted))


PRODUCTS: Mapping[str, Callable[[Ledger, Floats], Any]] = {
    "accuracy": _accuracy,
    "f1_macro": _macro_f1,
    "roc_auc": _roc_auc,
    "mIoU": _mean_iou,
    "mDice": _mean_dice,
}
"""By metric its values, ``(n,)``, under ``(n, datums)`` weights."""
