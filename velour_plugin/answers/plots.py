"""Figures of answers: bars, dots, a heat map and a Pareto front, made with plotly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go


def bars(
    title: str,
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    axis: str,
) -> go.Figure:
    """Horizontal bars with their intervals; the first name on top."""
    import plotly.graph_objects as go

    above, below = _arms(values, intervals)
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=list(names),
            orientation="h",
            error_x={"type": "data", "array": above, "arrayminus": below},
        )
    )
    figure.update_layout(title=title, xaxis_title=axis, template="plotly_white")
    figure.update_yaxes(autorange="reversed")
    return figure


def dots(
    title: str,
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    axis: str,
) -> go.Figure:
    """Values as dots with their intervals; the first name on top, those without a value empty."""
    import plotly.graph_objects as go

    above, below = _arms(values, intervals)
    figure = go.Figure(
        go.Scatter(
            x=list(values),
            y=list(range(len(names))),
            mode="markers",
            marker={"size": 10},
            error_x={"type": "data", "array": above, "arrayminus": below},
            text=list(names),
            hovertemplate="%{text}: %{x:.4f}<extra></extra>",
        )
    )
    figure.update_layout(title=title, xaxis_title=axis, template="plotly_white")
    # places, not names: two runs of one name are two lines
    places = list(range(len(names)))
    figure.update_yaxes(
        tickvals=places, ticktext=list(names), range=[len(names) - 0.5, -0.5], automargin=True
    )
    return figure


def pareto(
    title: str,
    points: Sequence[tuple[str, float, float]],
    axes: tuple[str, str],
    higher_is_better: tuple[bool, bool],
) -> go.Figure:
    """Points of two numbers each, those that no other beats in both joined by a line.

    Args:
        title: of the figure.
        points: name, x and y of each.
        axes: what x and y are.
        higher_is_better: for x and for y.
    """
    import plotly.graph_objects as go

    front = pareto_front([(x, y) for _, x, y in points], higher_is_better)
    ends = sorted((points[index][1], points[index][2]) for index in front)
    figure = go.Figure(
        [
            go.Scatter(
                x=[x for x, _ in ends],
                y=[y for _, y in ends],
                mode="lines",
                name="Pareto front",
                hoverinfo="skip",
            ),
            go.Scatter(
                x=[x for _, x, _ in points],
                y=[y for _, _, y in points],
                mode="markers+text",
                name="runs",
                marker={"size": 10},
                text=[name for name, _, _ in points],
                textposition="top center",
            ),
        ]
    )
    figure.update_layout(
        title=title, xaxis_title=axes[0], yaxis_title=axes[1], template="plotly_white"
    )
    return figure


def pareto_front(
    points: Sequence[tuple[float, float]], higher_is_better: tuple[bool, bool]
) -> list[int]:
    """Indices of the points that no other point beats: as good in both numbers, better in one.

    >>> pareto_front([(10, 0.5), (20, 0.7), (30, 0.6)], (False, True))  # latency, mAP
    [0, 1]
    """
    signs = [1 if higher else -1 for higher in higher_is_better]
    goods = [tuple(sign * value for sign, value in zip(signs, p, strict=True)) for p in points]
    return [
        index
        for index, (x, y) in enumerate(goods)
        if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in goods)
    ]


def heat_map(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    texts: Sequence[Sequence[str]],
) -> go.Figure:
    """A table of values in colour, its first row on top; cells without a value stay empty.

    Args:
        title: of the figure.
        rows: names.
        columns: names.
        values: ``rows x columns``.
        texts: what is written into each cell.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Heatmap(
            x=list(columns),
            y=list(rows),
            z=[list(row) for row in values],
            text=[list(row) for row in texts],
            texttemplate="%{text}",
            colorscale="Viridis",
            hoverongaps=False,
        )
    )
    figure.update_layout(title=title, template="plotly_white")
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def _arms(
    values: Sequence[float | None], intervals: Sequence[tuple[float, float] | None]
) -> tuple[list[float], list[float]]:
    """How far intervals reach above and below their values."""
    spans = [
        (0.0, 0.0) if span is None or value is None else (span[1] - value, value - span[0])
        for value, span in zip(values, intervals, strict=True)
    ]
    return [above for above, _ in spans], [below for _, below in spans]
