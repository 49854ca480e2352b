"""Curves of labels: precision over recall, and the ROC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.report.figures.style import (
    COLOURS,
    LINES,
    Spec,
    diagonal,
    rounded,
    short,
    spec_of,
)
from velour_plugin.report.findings import Findings

RECALLS = np.arange(101) / 100


def precision_recall(findings: Findings) -> Spec | None:
    """Draw precision over recall, of the labels that most datums have; ``None`` without curves."""
    curves = precision_curves(findings)
    lines = [
        {"type": "scatter", "mode": "lines", "name": short(name), "x": RECALLS.tolist(),
         "y": rounded(precision), "line": {"color": colour, "width": 2, "shape": "hv"}}
        for (name, precision), colour in zip(list(curves.items())[:LINES], COLOURS)  # noqa: B905
    ]  # fmt: skip
    if not lines:
        return None
    some = f", {len(lines)} of {len(curves)} labels" if len(curves) > len(lines) else ""
    title = f"Precision-recall curves{some}"
    return spec_of(title, lines, "recall", "precision", unit=True)


def roc(findings: Findings) -> Spec | None:
    """Draw true over false positive rates, of the labels that most datums show; or ``None``."""
    curves = roc_curves(findings)
    lines = [
        {"type": "scatter", "mode": "lines", "name": short(name), "x": RECALLS.tolist(),
         "y": rounded(rate), "line": {"color": colour, "width": 2}}
        for (name, rate), colour in zip(list(curves.items())[:LINES], COLOURS)  # noqa: B905
    ]  # fmt: skip
    if not lines:
        return None
    title = "ROC curves" + (
        f", {len(lines)} of {len(curves)} labels" if len(curves) > LINES else ""
    )
    axes = ("false positive rate", "true positive rate")
    return spec_of(title, [diagonal(), *lines], *axes, unit=True)


def precision_curves(findings: Findings) -> dict[str, NDArray[np.float64]]:
    """Return by label ``(101,)``: the best precision at each of :data:`RECALLS` or higher."""
    curves = {}
    for name, curve in of_labels(findings, "precision_recall_curve"):
        recall, precision = np.array(curve["recall"]), np.array(curve["precision"])
        order = np.argsort(recall, kind="stable")
        best = np.maximum.accumulate(precision[order][::-1])[::-1]
        index = np.searchsorted(recall[order], RECALLS - 1e-9)  # recalls are rounded
        curves[name] = np.append(best, 0.0)[index]
    return curves


def roc_curves(findings: Findings) -> dict[str, NDArray[np.float64]]:
    """Return by label ``(101,)``: the true positive rate at false positive rates 0, 0.01, … 1."""
    curves = {}
    for name, curve in of_labels(findings, "roc_curve"):
        false, true = np.array(curve["false_positive_rate"]), np.array(curve["true_positive_rate"])
        order = np.argsort(false, kind="stable")
        curves[name] = np.interp(RECALLS, false[order], true[order])
    return curves


def of_labels(findings: Findings, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return a metric of each label that has it, name and value, in the order of the findings."""
    values = {
        metric.label.name: metric.value
        for metric in findings.evaluation.metrics
        if metric.name == name and metric.label is not None and metric.value is not None
    }
    return [
        (label.name, values[label.label.name])
        for label in findings.labels
        if label.label.name in values
    ]
