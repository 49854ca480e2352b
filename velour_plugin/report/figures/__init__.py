"""Figures of an evaluation, in plotly's form: ``{"data": [...], "layout": {...}}``.

They are plain JSON, so that making them costs no import of plotly; ``plotly.graph_objects.Figure``
takes them, and so does plotly.js on a page. Many points or labels are thinned out: every
number is in the evaluation. A figure that has nothing to show is ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from velour_plugin.errors import NotFound, UnknownName
from velour_plugin.report.figures import (
    confusion_matrix,
    curves,
    data,
    datum_map,
    prediction_quality,
)
from velour_plugin.report.figures.curves import RECALLS, precision_curves, roc_curves
from velour_plugin.report.figures.style import COLOURS, Spec
from velour_plugin.report.findings import Findings

if TYPE_CHECKING:
    import plotly.graph_objects as go

FIGURES: Mapping[str, Callable[[Findings], Spec | None]] = {
    "precision_recall": curves.precision_recall,
    "roc": curves.roc,
    "confusion": confusion_matrix.confusion,
    "labels": data.labels,
    "slices": data.slices,
    "reliability": prediction_quality.reliability,
    "scores": prediction_quality.scores,
    "error_kinds": prediction_quality.error_kinds,
    "map": datum_map.locations,
}


def figures(findings: Findings) -> dict[str, Spec]:
    """Make every figure that has something to show, by name, as plotly's JSON."""
    made = {name: draw(findings) for name, draw in FIGURES.items()}
    return {name: spec for name, spec in made.items() if spec is not None}


def figure(findings: Findings, name: str) -> go.Figure:
    """Make one figure by its name, to look at and to change.

    Raises:
        UnknownName: there is no such figure.
        NotFound: this evaluation has nothing to show in it.
    """
    import plotly.graph_objects as go

    if name not in FIGURES:
        raise UnknownName("figure", name, FIGURES)
    spec = FIGURES[name](findings)
    if spec is None:
        raise NotFound(f"this {findings.evaluation.task} has nothing to show in figure {name!r}.")
    return go.Figure(spec)


__all__ = [
    "COLOURS",
    "FIGURES",
    "RECALLS",
    "Spec",
    "figure",
    "figures",
    "precision_curves",
    "roc_curves",
]
