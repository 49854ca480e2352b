"""What slices, comparisons and the worst datums look like: rows that print, plot and convert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Row = TypeVar("Row")


@dataclass(frozen=True)
class Results(Generic[Row]):
    """Rows of one kind, with a title and what a reader must know.

    Args:
        title: what this is about.
        rows: of one dataclass.
        notes: what a reader must know.
    """

    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, place: int) -> Row:
        return self.rows[place]

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON."""
        return {
            "title": self.title,
            "rows": [asdict(row) for row in self.rows],  # type: ignore[call-overload]
            "notes": list(self.notes),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row each, columns as the rows' fields."""
        import pandas as pd

        names = [item.name for item in fields(self.rows[0])] if self.rows else []  # type: ignore[arg-type]
        return pd.DataFrame(self.to_dict()["rows"], columns=names or None)

    def __str__(self) -> str:
        return "\n".join([_table(self.title, self.to_dict()["rows"]), *self.notes])

    def _repr_html_(self) -> str:
        table = str(self.to_frame().to_html(index=False, na_rep="–"))
        return f"<p><b>{escape(self.title)}</b></p>{table}"


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


def _arms(
    values: Sequence[float | None], intervals: Sequence[tuple[float, float] | None]
) -> tuple[list[float], list[float]]:
    """How far intervals reach above and below their values."""
    spans = [
        (0.0, 0.0) if span is None or value is None else (span[1] - value, value - span[0])
        for value, span in zip(values, intervals, strict=True)
    ]
    return [above for above, _ in spans], [below for _, below in spans]


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one kind as a table of text, with the names of their fields as its head."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, min_width=40)
    for name in rows[0] if rows else ():
        known = next((row[name] for row in rows if row[name] is not None), "")
        right = isinstance(known, (int, float)) and not isinstance(known, bool)
        table.add_column(name.replace("_", " "), justify="right" if right else "left")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    console = Console(width=200, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().strip("\n").splitlines())


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, (tuple, list)):
        return "–".join(format(end, ".3f") for end in value)
    return str(value)
