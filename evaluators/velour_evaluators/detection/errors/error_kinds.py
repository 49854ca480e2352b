"""Kinds of detection error and the AP that each costs; oLRP; recall of any label."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection import engine
from velour_evaluators.detection.curves import known
from velour_evaluators.detection.kernels import error_costs
from velour_evaluators.detection.kernels.olrp import OptimalErrors, optimal_errors
from velour_evaluators.detection.kernels.score_curves import steps_of
from velour_evaluators.detection.view import DetectionView, Key
from velour_plugin import Ledger, Metric


def error_metrics(view: DetectionView) -> Iterator[Metric]:
    """Yield kinds of error, optimal errors and recall of any label, of each key."""
    costs = _Costs(view)
    parameters = {"iou": view.settings.iou_threshold, "background_iou": error_costs.BACKGROUND_IOU}
    for key in view.keys:
        yield Metric(f"{key.prefix}error_kinds", costs.of_key(key), parameters=parameters)
    yield from _optimal_errors(view)
    yield from _recalls_of_any_label(view)


def errors_by_kind(
    ledger: Ledger, counts: NDArray[np.int64] | None
) -> dict[str, tuple[int, float | None]]:
    """Count the errors of each kind, and measure the AP that they cost.

    Args:
        ledger: of detection.
        counts: ``(datums,)`` how often each datum counts; ``None`` for once.

    Returns:
        By kind, those of a second key under its name; empty where the ledger keeps no overlaps.
    """
    view = DetectionView(ledger, counts)
    if not view.has_pairs:
        return {}
    costs = _Costs(view)
    return {
        key.prefix + kind: (cost["count"], cost["dAP"])
        for key in view.keys
        for kind, cost in costs.of_key(key)["kinds"].items()
    }


def errors_in(view: DetectionView) -> error_costs.DetectionErrors:
    """Find the kind of error of each detection of the whole ledger."""
    true, counted = view.true_and_counted
    truth = view.matched[0][true]
    detected = np.zeros(len(view.real), bool)
    detected[truth[truth >= 0]] = True  # unknown for datums that do not count
    outcome = error_costs.MatchOutcome(
        counted & ~true,
        view.ledger_rows.detections["score"],
        view.real,
        detected,
        view.settings.iou_threshold,
    )
    return error_costs.errors_of(view.pairs, view.same_label, outcome)


class _Costs:
    """AP that each kind of error costs: the gain when only this kind is corrected."""

    def __init__(self, view: DetectionView) -> None:
        self.view = view
        self.errors = errors_in(view)
        self.kind = self.errors.kind[view.origin]
        self.corrected = self.errors.corrected[view.origin]

    def of_key(self, key: Key) -> dict[str, Any]:
        """Return count and cost in AP of each kind, for one key, as JSON."""
        now, wrong = self._ap(key), self.kind != error_costs.NO_ERROR
        kinds = {
            name: self._cost(key, now, self.kind == kind, self._ap_without(key, kind))
            for kind, name in enumerate(error_costs.KINDS)
        }
        kinds["missed"] = self._cost_of_truths(key, now, self.errors.missed)
        return {
            "AP": now,
            "kinds": kinds,
            "false_positives": self._cost(key, now, wrong, self._ap(key, removed=wrong)),
            "false_negatives": self._cost_of_truths(key, now, self.errors.undetected),
        }

    def _cost(
        self, key: Key, now: float | None, of_kind: NDArray[np.bool_], then: float | None
    ) -> dict[str, Any]:
        of_key = key.labels[self.view.chosen.rows.label]
        return {"count": int(np.count_nonzero(of_key & of_kind)), "dAP": _gain(now, then)}

    def _cost_of_truths(
        self, key: Key, now: float | None, of_kind: NDArray[np.bool_]
    ) -> dict[str, Any]:
        fewer = self._truths(of_kind)
        return {
            "count": int(fewer[key.labels].sum()),
            "dAP": _gain(now, self._ap(key, fewer=fewer)),
        }

    def _truths(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of the chosen truths each label has in the selection."""
        table, labels = self.view.ledger_rows.truths, len(self.view.ledger.labels)
        often = self.view.often[table["datum"][chosen]]
        return np.bincount(table["label"][chosen], often, labels).astype(np.int64)

    def _ap_without(self, key: Key, kind: int) -> float | None:
        """AP when errors of a kind are corrected, or removed where they cannot be."""
        of_kind = self.kind == kind
        right = of_kind & self.corrected
        label = None
        if kind == error_costs.CLASSIFICATION and right.any():
            target, labels = self.errors.target[self.view.origin], self.view.chosen.rows.label
            label = np.where(right, self.view.ledger_rows.truths["label"][target], labels)
        return self._ap(key, removed=of_kind & ~right, added=right, label=label)

    def _ap(
        self,
        key: Key,
        removed: NDArray[np.bool_] | None = None,
        added: NDArray[np.bool_] | None = None,
        label: NDArray[np.int32] | None = None,
        fewer: NDArray[np.int64] | None = None,
    ) -> float | None:
        """Mean AP of a key at the IoU threshold, with some detections changed."""
        view = self.view
        true = view.true if added is None else view.true | added
        stay = view.counted if removed is None else view.counted & ~removed
        if label is None:
            label = view.chosen.rows.label
        else:
            order = np.flatnonzero(stay)
            order = order[np.lexsort((-view.chosen.score[order], label[order]))]
            label, true, stay = label[order], true[order], stay[order]
        truths = view.chosen.truths[:, 0] - (0 if fewer is None else fewer)
        return engine.average_precision(label, true, stay, np.where(key.labels, truths, 0))


def _gain(now: float | None, then: float | None) -> float | None:
    """AP gained by a correction; never below 0, as in TIDE."""
    return None if now is None or then is None else max(then - now, 0.0)


def _optimal_errors(view: DetectionView) -> Iterator[Metric]:
    """Mean optimal error of each key, then those of each label with their parts."""
    chosen, truths = view.chosen, view.chosen.truths[:, 0]
    loss = 1 - view.matched[1][view.origin]
    steps = steps_of(chosen.rows.label, chosen.score, view.true, view.counted, loss)
    optimal = optimal_errors(steps, truths, view.settings.iou_threshold)
    parameters = {"iou": view.settings.iou_threshold}
    for key in view.keys:
        real = optimal.error[key.labels & (truths > 0)]
        mean = float(real.mean()) if real.size else None
        yield Metric(f"{key.prefix}oLRP", mean, parameters=parameters)
    for number, label in view.labels:
        for name, value in _parts(optimal, number):
            yield Metric(name, known(value), label, parameters)


def _parts(optimal: OptimalErrors, label: int) -> Iterator[tuple[str, float]]:
    yield "oLRP", optimal.error[label]
    yield "oLRP_localisation", optimal.localisation[label]
    yield "oLRP_FP", optimal.false_positive[label]
    yield "oLRP_FN", optimal.false_negative[label]
    yield "oLRP_score", optimal.score[label]


def _recalls_of_any_label(view: DetectionView) -> Iterator[Metric]:
    """Recall when a detection of any label of the key may match, as COCO without categories."""
    recalls = _AnyLabel(view)
    for key in view.keys:
        for most in view.settings.max_detections:
            name = f"{key.prefix}recall_any_label_{most}"
            yield Metric(name, recalls.mean(key, most))


class _AnyLabel:
    """Every detection of an image matched with every truth of its key."""

    def __init__(self, view: DetectionView) -> None:
        self.view = view
        self.row, self.hit = self._matched()

    def _matched(self) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
        view, grid, truths = self.view, self.view.settings.grid, self.view.ledger_rows.truths
        early = view.rank_in_image < view.settings.max_detections[-1]
        pairs = view.pairs.where(early[view.pairs.detection])
        row, hit, _ = engine.match_lanes(
            view.rank_in_image,
            (pairs.detection, self._by_label[pairs.truth], pairs.iou),
            grid.of_ious(pairs.iou),
            ~grid.of_areas(truths["areas"])[self._order],
            truths["crowd"][self._order],
        )
        return row, hit

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """Truths of an image by label, as in COCO: of equal overlaps the last one is matched."""
        truths = self.view.ledger_rows.truths
        return np.lexsort((truths["label"], truths["datum"]))

    @cached_property
    def _by_label(self) -> NDArray[np.intp]:
        index = np.empty(len(self._order), np.intp)
        index[self._order] = np.arange(len(self._order))
        return index

    def mean(self, key: Key, most: int) -> float | None:
        """Average recall over the IoU thresholds, of so many detections of an image."""
        view, table = self.view, self.view.ledger_rows.detections
        truths = int(view.chosen.truths[key.labels, 0].sum())
        if not truths:
            return None
        rows = (view.rank_in_image[self.row] < most) & key.labels[table["label"][self.row]]
        often = view.often[table["datum"][self.row[rows]]]
        lanes = view.settings.averaged.astype(np.uint64)[:, None]
        hits = ((self.hit[rows] >> lanes) & np.uint64(1)).astype(np.int64) @ often
        return float(np.mean(hits / float(truths)))
