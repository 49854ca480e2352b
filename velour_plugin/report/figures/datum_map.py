"""Where the datums are: a map with coast lines, offline."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.helpers.libraries import shapely
from velour_plugin.report.figures.style import (
    COLOURS,
    INK,
    POINTS,
    WRONG,
    Spec,
    rounded,
    spec_of,
    thinned,
)
from velour_plugin.report.findings import Findings

MARGIN, LEAST = 0.2, 1.0
"""Part of the datums' extent that is shown around them, and degrees that are shown at least."""

AROUND = 30.0
"""Degrees around the view in which coast lines are drawn, for those who zoom out."""


def locations(findings: Findings) -> Spec | None:
    """Draw a map of the datums that have a location, coloured by score; ``None`` without any."""
    located = np.flatnonzero(~np.isnan(findings.locations[:, 0]))
    if not located.size:
        return None
    kept = located[thinned(len(located), POINTS)]
    view = _view(findings.locations[located])
    spec = spec_of(
        "Map of the datums, coloured by score" if "score" in findings.by_datum
        else "Map of the datums",
        [_coast(view), _points(findings, kept)], "longitude", "latitude",
    )  # fmt: skip
    west, south, east, north = view.tolist()
    stretch = 1 / max(np.cos(np.radians((south + north) / 2)), 0.1)
    spec["layout"]["xaxis"] |= {"range": rounded([west, east])}
    spec["layout"]["yaxis"] |= {
        "range": rounded([south, north]), "scaleanchor": "x", "scaleratio": round(stretch, 4),
    }  # fmt: skip
    spec["layout"]["plot_bgcolor"] = "#f4f8fb"
    return spec


def _points(findings: Findings, kept: NDArray[np.intp]) -> Spec:
    longitude, latitude = findings.locations[kept].T
    marker: Spec = {"size": 8, "line": {"width": 0.5, "color": INK}, "color": COLOURS[0]}
    score = findings.by_datum.get("score")
    if score is not None:
        marker |= {
            "color": [None if np.isnan(value) else round(float(value), 3) for value in score[kept]],
            "cmin": 0, "cmax": 1, "colorbar": {"title": {"text": "score"}, "thickness": 12},
            "colorscale": [[0, WRONG], [0.5, "#f5e6ab"], [1, COLOURS[0]]],
        }  # fmt: skip
    return {
        "type": "scatter", "mode": "markers", "marker": marker,
        "x": rounded(longitude, 5), "y": rounded(latitude, 5),
        "text": [findings.datums[index].uid for index in kept],
        "hovertemplate": "%{text}: %{x}, %{y}<extra></extra>", "showlegend": False,
    }  # fmt: skip


def _coast(view: NDArray[np.float64]) -> Spec:
    """Coast lines in and around a view, as one trace; ``None`` ends a line."""
    box = view + AROUND * np.array([-1, -1, 1, 1])
    clipped = shapely.clip_by_rect(coastline(), *box.tolist())
    x: list[float | None] = []
    y: list[float | None] = []
    for line in getattr(clipped, "geoms", [clipped]):
        for values, ordinates in ((x, line.xy[0]), (y, line.xy[1])):
            values += [*rounded(ordinates, 2), None]
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "hoverinfo": "skip",
        "showlegend": False, "line": {"color": "#7b8794", "width": 1},
    }  # fmt: skip


def _view(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """West, south, east and north of what is shown, in degrees."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum((high - low) * (1 + 2 * MARGIN), LEAST)
    middle = (low + high) / 2
    return np.concatenate([middle - size / 2, middle + size / 2])


@cache
def coastline() -> Any:
    """Read the coast lines of the world at 1:110 million, by Natural Earth: shapely, in degrees.

    An outline to recognise a region by: lines are up to some ten kilometres off.
    """
    text = files("velour_plugin.report").joinpath("coastline.geojson").read_text("utf-8")
    return shapely.MultiLineString(json.loads(text)["geometry"]["coordinates"])
