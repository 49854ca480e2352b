"""How the data went: labels, slices, places."""

from __future__ import annotations

import numpy as np

from velour_plugin.report.figures.style import (
    BARS,
    COLOURS,
    INK,
    POINTS,
    WRONG,
    Spec,
    bars,
    distinct,
    rounded,
    spec_of,
    thinned,
)
from velour_plugin.report.findings import Findings


def labels(findings: Findings) -> Spec | None:
    """How each label goes: those that most datums show."""
    metric, shown = findings.label_metric, findings.labels[:BARS]
    if metric is None or len(shown) < 2:
        return None
    names = distinct([label.name for label in shown])
    values = [label.values.get(metric) for label in shown]
    more = f", {len(shown)} of {len(findings.labels)}" if len(shown) < len(findings.labels) else ""
    return bars(f"{metric} by label{more}", names, values, metric, None)


def slices(findings: Findings) -> Spec | None:
    """How each slice of the data goes, beside the whole."""
    shown = findings.slices[:BARS]
    if not shown:
        return None
    names = distinct([f"{part.by}: {part.name} ({part.datums})" for part in shown])
    values = [part.value for part in shown]
    whole = findings.evaluation[findings.metric]
    return bars(f"{findings.metric} by slice", names, values, findings.metric, whole)


def places(findings: Findings) -> Spec | None:
    """Where the datums are, coloured by how each went; the frame is no map of the world's."""
    located = np.flatnonzero(~np.isnan(findings.places[:, 0]))
    score = findings.by_datum.get("score")
    if not located.size:
        return None
    kept = located[thinned(len(located), POINTS)]
    longitude, latitude = findings.places[kept].T
    marker: Spec = {"size": 8, "line": {"width": 0.5, "color": INK}, "color": COLOURS[0]}
    if score is not None:
        marker |= {
            "color": [None if np.isnan(one) else round(float(one), 3) for one in score[kept]],
            "cmin": 0, "cmax": 1, "colorbar": {"title": {"text": "score"}, "thickness": 12},
            "colorscale": [[0, WRONG], [0.5, "#f5e6ab"], [1, COLOURS[0]]],
        }  # fmt: skip
    dots = {
        "type": "scatter", "mode": "markers", "marker": marker,
        "x": rounded(longitude, 5), "y": rounded(latitude, 5),
        "text": [findings.datums[place].uid for place in kept],
        "hovertemplate": "%{text}: %{x}, %{y}<extra></extra>", "showlegend": False,
    }  # fmt: skip
    spec = spec_of("Where the data are, and how each datum went", [dots], "longitude", "latitude")
    stretch = 1 / max(np.cos(np.radians(float(np.mean(latitude)))), 0.1)
    spec["layout"]["yaxis"] |= {"scaleanchor": "x", "scaleratio": round(stretch, 4)}
    return spec
