"""Scores from the counts of a semantic ledger: sums over datums, then shares.

Scores are float64 arrays with NaN where undefined; NaN stays in here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.semantic.kernels.boundaries import COLUMNS
from velour_plugin import Ledger
from velour_plugin.plugin import Columns

Floats = NDArray[np.float64]
Weights = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sums:
    """Pixels summed over datums; exact, being whole numbers below 2**53.

    Args:
        truth: ``(labels,)`` true pixels of each label.
        predicted: ``(labels,)`` predicted pixels.
        right: ``(labels,)`` pixels of which it is both the true and the predicted label.
        agreed: ``(keys,)`` pixels on which both sides agree, the background among them.
        pixels: ``(keys,)`` all pixels that count.
        boundaries: ``(7, labels)``, a row a column of
            :func:`velour_evaluators.semantic.kernels.boundaries.boundary_counts`.
    """

    truth: Floats
    predicted: Floats
    right: Floats
    agreed: Floats
    pixels: Floats
    boundaries: Floats

    @classmethod
    def of(cls, ledger: Ledger, weights: Weights | None) -> Sums:
        """Sum the tables of a ledger, each datum as often as it counts."""
        labels, keys = len(ledger.labels), len({key for key, _ in ledger.labels}) or 1
        tables = ledger.tables
        return cls(
            **_summed(tables["labels"], "label", ("truth", "predicted", "right"), labels, weights),
            **_summed(tables["datums"], "key", ("agreed", "pixels"), keys, weights),
            boundaries=np.stack(
                [*_summed(tables["boundaries"], "label", COLUMNS, labels, weights).values()]
            ),
        )


def label_scores(sums: Sums) -> dict[str, Floats]:
    """Compute the scores of each label, by name; each is ``(labels,)`` in [0, 1], NaN if undefined.

    Undefined without true pixels, but for precision, which needs predicted ones.
    """
    dice = _share(2 * sums.right, sums.truth + sums.predicted, sums.truth)
    truth_band, predicted_band, common = sums.boundaries[:3]
    return {
        "IoU": _share(sums.right, sums.truth + sums.predicted - sums.right, sums.truth),
        "Dice": dice,
        "precision": _share(sums.right, sums.predicted, sums.predicted),
        "recall": _share(sums.right, sums.truth, sums.truth),
        "f1": dice,
        "boundary_iou": _share(common, truth_band + predicted_band - common, truth_band),
        "boundary_f1": _boundary_f1(*sums.boundaries[3:]),
    }


def headline_scores(
    sums: Sums, scores: Mapping[str, Floats], key: int, of_key: NDArray[np.bool_]
) -> dict[str, float]:
    """Compute the scores of one label key, by name; NaN where undefined.

    Args:
        sums: of all keys.
        scores: of all labels.
        key: position of the key.
        of_key: ``(labels,)`` which labels are the key's.
    """
    truth = sums.truth[of_key]
    weighted = np.where(truth > 0, scores["IoU"][of_key], 0) * truth
    return {
        "mIoU": _mean(scores["IoU"][of_key]),
        "mDice": _mean(scores["Dice"][of_key]),
        "pixel_accuracy": float(_share(sums.agreed, sums.pixels, sums.pixels)[key]),
        "fwIoU": float(weighted.sum() / truth.sum()) if truth.any() else np.nan,
        "mean_accuracy": _mean(scores["recall"][of_key]),
        "boundary_iou": _mean(scores["boundary_iou"][of_key]),
        "boundary_f1": _mean(scores["boundary_f1"][of_key]),
    }


def confusion_matrices(
    ledger: Ledger, weights: Weights | None, examples: int
) -> Iterator[dict[str, Any]]:
    """Yield the confusion matrix of each label key, as JSON.

    Args:
        ledger: of the whole evaluation.
        weights: how often each datum counts; ``None`` for once.
        examples: how many datums to name for each pair of different labels.
    """
    rows = ledger.tables["counts"]
    pixels = _weighted(rows["pixels"], rows, weights)
    for key in range(len({key for key, _ in ledger.labels}) or 1):
        of_key = np.flatnonzero((rows["key"] == key) & (pixels > 0))
        chosen = {name: column[of_key] for name, column in rows.items()}
        yield _matrix(ledger, chosen, pixels[of_key], examples)


def _matrix(
    ledger: Ledger, rows: Columns, pixels: NDArray[np.int64], examples: int
) -> dict[str, Any]:
    """One key's matrix: labels that occur, in the ledger's order, then the background."""
    indices = np.unique(np.concatenate((rows["truth"], rows["predicted"])))
    indices = np.append(indices[indices >= 0], -1)
    row_of = np.empty(len(ledger.labels) + 1, np.int64)
    row_of[indices] = np.arange(indices.size)
    cells = row_of[rows["truth"]] * indices.size + row_of[rows["predicted"]]
    matrix = np.bincount(cells, pixels, indices.size**2).astype(np.int64)
    return {
        "labels": [_name(ledger, index) for index in indices],
        "matrix": matrix.reshape(indices.size, indices.size).tolist(),
        "examples": _examples(ledger, rows, examples),
    }


def _examples(ledger: Ledger, rows: Columns, most: int) -> list[dict[str, Any]]:
    """For each pair of labels the datums with most pixels, the earlier first among equals."""
    examples: dict[tuple[int, int], dict[str, Any]] = {}
    for row in _worst(rows, most):
        truth, predicted = int(rows["truth"][row]), int(rows["predicted"][row])
        names = {"truth": _name(ledger, truth), "predicted": _name(ledger, predicted)}
        datum = {"datum": ledger.datums[rows["datum"][row]], "pixels": int(rows["pixels"][row])}
        examples.setdefault((truth, predicted), {**names, "datums": []})["datums"].append(datum)
    return list(examples.values())


def _worst(rows: Columns, most: int) -> NDArray[np.int64]:
    """Rows of confused labels, those with most pixels of each pair, the background last."""
    wrong = np.flatnonzero(rows["truth"] != rows["predicted"])
    sides = np.stack([rows[side][wrong].astype(np.uint32) for side in ("predicted", "truth")])
    order = np.lexsort((-rows["pixels"][wrong], *sides))
    sides = sides[:, order]
    starts = np.ones(order.size, bool)
    starts[1:] = (sides[:, 1:] != sides[:, :-1]).any(axis=0)
    turn = np.arange(order.size)
    rank = turn - np.maximum.accumulate(np.where(starts, turn, 0))
    return wrong[order[rank < most]]


def _name(ledger: Ledger, index: int) -> str | None:
    return None if index < 0 else ledger.labels[index][1]


def _summed(
    rows: Columns, by: str, names: Sequence[str], size: int, weights: Weights | None
) -> dict[str, Floats]:
    """Sum columns by label or key, each datum as often as it counts."""
    return {
        name: np.bincount(rows[by], _weighted(rows[name], rows, weights), size).astype(np.float64)
        for name in names
    }


def _weighted(
    values: NDArray[np.int64], rows: Columns, weights: Weights | None
) -> NDArray[np.int64]:
    return values if weights is None else np.multiply(values, weights[rows["datum"]])


def _share(part: Floats, whole: Floats, needed: Floats) -> Floats:
    """``part / whole`` where there is any of what is needed, else NaN."""
    share = np.full(part.shape, np.nan)
    np.divide(part, whole, out=share, where=needed > 0)
    return share


def _boundary_f1(
    truth: Floats, predicted: Floats, matched_contour: Floats, right: Floats
) -> Floats:
    """Harmonic mean of the shares of true contour that is matched and predicted one that is."""
    recall = matched_contour / np.maximum(truth, 1)
    precision = right / np.maximum(predicted, 1)
    total = np.where(recall + precision > 0, recall + precision, 1)
    return np.where(truth > 0, 2 * recall * precision / total, np.nan)


def _mean(scores: Floats) -> float:
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if known.size else np.nan
