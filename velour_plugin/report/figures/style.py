"""Colours, layout and limits that all figures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Spec = dict[str, Any]

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999933", "#882255")
"""Distinguishable with colour vision deficiency (Okabe and Ito 2008)."""

RIGHT, WRONG, QUIET, INK = "#009e73", "#d55e00", "#dfe3e8", "#1f2933"

LINES, CELLS, BARS, POINTS = 8, 30, 30, 2_000
"""Curves, rows of a matrix, bars and points of a figure, at most."""


def spec_of(title: str, data: Sequence[Spec], x: str, y: str, unit: bool = False) -> Spec:
    """Make a figure of traces with a title and named axes, which are from 0 to 1 if ``unit``."""
    axis = {"gridcolor": "#eceff3", "zeroline": False, "linecolor": "#9aa5b1", "automargin": True}
    span = {"range": [0, 1.02]} if unit else {}
    layout = {
        "title": {"text": title, "x": 0, "xref": "paper", "font": {"size": 15}},
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": INK},
        "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff", "colorway": list(COLOURS),
        "margin": {"l": 50, "r": 20, "t": 48, "b": 45}, "hovermode": "closest",
        "legend": {"orientation": "h", "y": -0.2, "x": 0},
        "xaxis": {**axis, "title": {"text": x}, **span},
        "yaxis": {**axis, "title": {"text": y}, **span},
    }  # fmt: skip
    return {"data": list(data), "layout": layout}


def bars(
    title: str,
    names: Sequence[str],
    values: Sequence[float | None],
    metric: str,
    whole: float | None,
    ends: Sequence[tuple[float, float] | None] = (),
) -> Spec:
    """Make a figure of horizontal bars, the first on top, and a dashed line at ``whole``.

    Bars have error bars where ``ends`` of their intervals are known.
    """
    bars = {
        "type": "bar", "orientation": "h", "marker": {"color": COLOURS[0]}, "y": list(names),
        "x": rounded(values), "text": ["" if v is None else f"{v:.3f}" for v in values],
        "textposition": "inside", "insidetextanchor": "start",
        "hovertemplate": "%{y}: %{x}<extra></extra>", **_error_bars(values, ends),
    }  # fmt: skip
    spec = spec_of(title, [bars], metric, "")
    spec["layout"]["yaxis"] |= {"autorange": "reversed", "type": "category"}
    if len(names) > 12:
        spec["layout"]["height"] = 110 + 22 * len(names)
    if whole is not None:
        line = {"color": WRONG, "dash": "dash", "width": 1.5}
        spec["layout"]["shapes"] = [
            {"type": "line", "x0": whole, "x1": whole, "y0": 0, "y1": 1, "yref": "paper",
             "line": line}
        ]  # fmt: skip
        spec["layout"]["annotations"] = [
            {"x": whole, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
             "text": f"all data {whole:.3f}", "font": {"color": WRONG, "size": 11}}
        ]  # fmt: skip
    return spec


def _error_bars(values: Sequence[float | None], ends: Sequence[tuple[float, float] | None]) -> Spec:
    """How far intervals reach to both sides of values; nothing where there are none."""
    if not any(ends):
        return {}
    spans = [
        (0.0, 0.0) if value is None or span is None else (span[1] - value, value - span[0])
        for value, span in zip(values, ends, strict=True)
    ]
    up, down = (rounded(side) for side in zip(*spans, strict=True))
    bars = {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": INK}
    return {"error_x": bars}


def diagonal() -> Spec:
    """Make the trace of a dotted line from (0, 0) to (1, 1)."""
    line = {"color": "#9aa5b1", "dash": "dot", "width": 1}
    return {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "line": line,
            "showlegend": False, "hoverinfo": "skip"}  # fmt: skip


def thinned(count: int, most: int) -> NDArray[np.intp]:
    """Return at most so many of the positions 0 to ``count - 1``, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.intp))


def rounded(values: Any, digits: int = 4) -> list[float | None]:
    """Round numbers, and return them as a list; ``None`` stays."""
    return [None if value is None else round(float(value), digits) for value in values]


def table(values: NDArray[np.float64]) -> list[list[float]]:
    """Round rows of numbers to 4 digits, as lists."""
    rows: list[list[float]] = values.round(4).tolist()
    return rows


def short(name: str) -> str:
    """Cut a name to 40 characters, ended by …, to fit beside an axis."""
    return name if len(name) <= 40 else f"{name[:39]}…"


def distinct(names: Sequence[str]) -> list[str]:
    """Cut names as :func:`short`, and number equal ones: plotly would draw them as one category."""
    seen: dict[str, int] = {}
    distinct = []
    for name in map(short, names):
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct
