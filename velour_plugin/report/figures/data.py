"""The first metrics by label and by slice, as bars."""

from __future__ import annotations

from velour_plugin.report.figures.style import (
    BARS,
    Spec,
    bars,
    distinct,
)
from velour_plugin.report.findings import Findings


def labels(findings: Findings) -> Spec | None:
    """Draw the first metric of the labels that most datums have; ``None`` for fewer than two."""
    metric, shown = findings.label_metric, findings.labels[:BARS]
    if metric is None or len(shown) < 2:
        return None
    names = distinct([label.name for label in shown])
    values = [label.values.get(metric) for label in shown]
    more = f", {len(shown)} of {len(findings.labels)}" if len(shown) < len(findings.labels) else ""
    return bars(f"{metric} by label{more}", names, values, metric, None)


def slices(findings: Findings) -> Spec | None:
    """Draw the first headline metric of each slice and of all datums; ``None`` without slices."""
    shown = findings.slices[:BARS]
    if not shown:
        return None
    names = distinct([f"{part.by}: {part.name} ({part.datums})" for part in shown])
    values = [part.value for part in shown]
    whole = findings.evaluation[findings.metric]
    ends = [part.ends for part in shown]
    return bars(f"{findings.metric} by slice", names, values, findings.metric, whole, ends)
