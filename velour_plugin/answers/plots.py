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
    rough: Sequence[bool] = (),
) -> go.Figure:
    """Draw horizontal bars with their intervals; the first name on top, no bar for ``None``.

    Intervals that are ``rough`` are grey.
    """
    import plotly.graph_objects as go

    arms = _arms(values, _where(intervals, rough, False))
    figure = go.Figure(go.Bar(x=list(values), y=list(names), orientation="h", error_x=arms))
    figure.update_yaxes(autorange="reversed")
    if any(rough):
        figure.add_trace(_grey(values, list(names), _where(intervals, rough, True)))
    return _titled(figure, title, axis)


def dots(
    title: str,
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    axis: str,
    rough: Sequence[bool] = (),
) -> go.Figure:
    """Draw values as dots with their intervals; the first name on top, no dot for ``None``.

    Intervals that are ``rough`` are grey.
    """
    import plotly.graph_objects as go

    rows = list(range(len(names)))  # not names: two runs of one name are two lines
    figure = go.Figure(
        go.Scatter(
            x=list(values),
            y=rows,
            mode="markers",
            marker={"size": 10},
            error_x=_arms(values, _where(intervals, rough, False)),
            text=list(names),
            hovertemplate="%{text}: %{x:.4f}<extra></extra>",
        )
    )
    if any(rough):
        figure.add_trace(_grey(values, rows, _where(intervals, rough, True)))
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


def _where(
    intervals: Sequence[tuple[float, float] | None], rough: Sequence[bool], are_rough: bool
) -> list[tuple[float, float] | None]:
    """The intervals that are rough, or those that are not; ``None`` in place of the others."""
    flags = rough or [False] * len(intervals)
    return [
        span if is_rough == are_rough else None
        for span, is_rough in zip(intervals, flags, strict=True)
    ]


def _grey(
    values: Sequence[float | None],
    places: Sequence[Any],
    intervals: Sequence[tuple[float, float] | None],
) -> go.Scatter:
    """Grey error bars without a mark of their own."""
    import plotly.graph_objects as go

    return go.Scatter(
        x=list(values),
        y=list(places),
        mode="markers",
        marker={"opacity": 0},
        error_x={**_arms(values, intervals), "color": "#bbbbbb"},
        hoverinfo="skip",
        showlegend=False,
    )


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
