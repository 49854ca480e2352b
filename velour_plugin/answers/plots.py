"""Figures of answers: bars, dots, curves, a heat map and a Pareto front, made with plotly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go


def bars(
    title: str,
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    axis: str,
) -> go.Figure:
    """Draw horizontal bars with their intervals; the first name on top, no bar for ``None``."""
    import plotly.graph_objects as go

    arms = _arms(values, intervals)
    figure = go.Figure(go.Bar(x=list(values), y=list(names), orientation="h", error_x=arms))
    figure.update_yaxes(autorange="reversed")
    return _titled(figure, title, axis)


def dots(
    title: str,
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    axis: str,
) -> go.Figure:
    """Draw values as dots with their intervals; the first name on top, no dot for ``None``."""
    import plotly.graph_objects as go

    rows = list(range(len(names)))  # not names: two runs of one name are two lines
    figure = go.Figure(
        go.Scatter(
            x=list(values),
            y=rows,
            mode="markers",
            marker={"size": 10},
            error_x=_arms(values, intervals),
            text=list(names),
            hovertemplate="%{text}: %{x:.4f}<extra></extra>",
        )
    )
    figure.update_yaxes(
        tickvals=rows, ticktext=list(names), range=[len(names) - 0.5, -0.5], automargin=True
    )
    return _titled(figure, title, axis)


def pareto(
    title: str,
    points: Sequence[tuple[str, float, float]],
    axes: tuple[str, str],
    higher_is_better: tuple[bool, bool],
) -> go.Figure:
    """Draw points of two numbers each, those that no other beats in both joined by a line.

    Args:
        title: of the figure.
        points: name, x and y of each.
        axes: titles of x and y.
        higher_is_better: for x and for y.
    """
    import plotly.graph_objects as go

    front = pareto_front([(x, y) for _, x, y in points], higher_is_better)
    ends = sorted((points[index][1], points[index][2]) for index in front)
    line = go.Scatter(
        x=[x for x, _ in ends],
        y=[y for _, y in ends],
        mode="lines",
        name="Pareto front",
        hoverinfo="skip",
    )
    runs = go.Scatter(
        x=[x for _, x, _ in points],
        y=[y for _, _, y in points],
        mode="markers+text",
        name="runs",
        marker={"size": 10},
        text=[name for name, _, _ in points],
        textposition="top center",
    )
    return _titled(go.Figure([line, runs]), title, *axes)


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
    """Draw a heat map, the first row on top; cells whose value is ``None`` stay empty.

    Args:
        title: of the figure.
        rows: names.
        columns: names.
        values: ``rows x columns``.
        texts: of the cells.
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
    figure.update_yaxes(autorange="reversed", automargin=True)
    return _titled(figure, title)


def curves(
    title: str,
    lines: Mapping[str, Sequence[tuple[float, float]]],
    axes: tuple[str, str],
    level: float,
) -> go.Figure:
    """Draw curves over logarithmic axes, and a level line that they are to reach.

    Args:
        title: of the figure.
        lines: points of each curve, by its name.
        axes: titles of x and y.
        level: of the dashed line.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        [
            go.Scatter(x=[x for x, _ in points], y=[y for _, y in points], mode="lines", name=name)
            for name, points in lines.items()
        ]
    )
    figure.add_hline(y=level, line_dash="dash")
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log")
    return _titled(figure, title, *axes)


def _titled(
    figure: go.Figure, title: str, x_title: str | None = None, y_title: str | None = None
) -> go.Figure:
    """The look that all figures of answers share."""
    axes = {"xaxis_title": x_title, "yaxis_title": y_title}
    known = {name: text for name, text in axes.items() if text is not None}
    figure.update_layout(title=title, template="plotly_white", **known)
    return figure


def _arms(
    values: Sequence[float | None], intervals: Sequence[tuple[float, float] | None]
) -> dict[str, Any]:
    """Error bars of plotly: how far intervals reach above and below their values."""
    spans = [
        (0.0, 0.0) if span is None or value is None else (span[1] - value, value - span[0])
        for value, span in zip(values, intervals, strict=True)
    ]
    above, below = ([span[side] for span in spans] for side in (0, 1))
    return {"type": "data", "array": above, "arrayminus": below}
