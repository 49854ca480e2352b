"""The metrics of classification and segmentation under all weightings at once, for simulations.

An evaluator measures one weighting after another; a simulation has a million of them. What is here
are matrix products that give the same numbers (``test_simulation.py`` compares them), in place of
the evaluators' ``values`` within :func:`fast`; everything else is the product's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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
        if len(weights) < 2 or not all(
            name in (OF_LABELS if of else ABOUT_ALL) for name, of in keys
        ):
            return slow(self, ledger, keys, weights)
        counts = np.asarray(weights, float)
        labels = {name: place for place, name in enumerate(ledger.labels)}
        with np.errstate(invalid="ignore", divide="ignore"):
            products = {
                name: PRODUCTS[name](ledger, counts) for name in {_product(k) for k in keys}
            }
            return np.stack(
                [
                    _mean_of_known(products[_product(key)])
                    if key[1] is None
                    else products[_product(key)][:, labels[key[1].name]]
                    for key in keys
                ],
                axis=1,
            )

    return values


def _product(key: MetricKey) -> str:
    return ABOUT_ALL[key[0]] if key[1] is None else key[0]


def _mean_of_known(values: Floats) -> Floats:
    """Mean over labels, ``(n,)``; NaN where none is defined."""
    return np.nansum(values, axis=1) / (~np.isnan(values)).sum(axis=1)


def _accuracy(ledger: Ledger, weights: Floats) -> Floats:
    answers = ledger.tables["answers"]
    right = np.zeros((len(ledger.datums), 1))
    right[answers["datum"], 0] = answers["correct"]
    return weights @ right / weights.sum(axis=1, keepdims=True)


def _f1(ledger: Ledger, weights: Floats) -> Floats:
    answers = ledger.tables["answers"]
    labels = np.arange(len(ledger.labels))
    weights = weights[:, answers["datum"]]
    true, predicted = (answers[side][:, None] == labels for side in ("truth", "predicted"))
    return 2 * (weights @ (true & predicted)) / (weights @ true + weights @ predicted)


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
    return np.stack(areas, axis=1)


def _pairs(high: Floats, low: Floats, weights_high: Floats, weights_low: Floats) -> Floats:
    order = (np.sign(high[:, None] - low) + 1) / 2
    right = ((weights_high @ order) * weights_low).sum(axis=1)
    return right / (weights_high.sum(axis=1) * weights_low.sum(axis=1))


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


def _iou(ledger: Ledger, weights: Floats) -> Floats:
    true, predicted, right = _pixels(ledger, weights)
    return right / (true + predicted - right)


def _dice(ledger: Ledger, weights: Floats) -> Floats:
    true, predicted, right = _pixels(ledger, weights)
    return 2 * right / (true + predicted)


PRODUCTS: Mapping[str, Callable[[Ledger, Floats], Floats]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "roc_auc": _roc_auc,
    "IoU": _iou,
    "Dice": _dice,
}
"""By metric the values of each label, ``(n, labels)``, under ``(n, datums)`` weights."""

ABOUT_ALL = {
    "accuracy": "accuracy",
    "f1_macro": "f1",
    "roc_auc": "roc_auc",
    "mIoU": "IoU",
    "mDice": "Dice",
}
"""Metrics that are means over labels, and of what."""

OF_LABELS = set(PRODUCTS) - {"accuracy"}
