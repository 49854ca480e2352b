"""What slices, comparisons and the worst datums look like: rows that print, plot and convert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
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
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, min_width=40)
        rows = self.to_dict()["rows"]
        for name in rows[0] if rows else ():
            number = isinstance(
                next((r[name] for r in rows if r[name] is not None), ""), (int, float)
            )
            table.add_column(name.replace("_", " "), justify="right" if number else "left")
        for row in rows:
            table.add_row(*(_text(value) for value in row.values()))
        console = Console(width=200, no_color=True, force_terminal=False)
        with console.capture() as capture:
            console.print(table)
        lines = [line.rstrip() for line in capture.get().strip("\n").splitlines()]
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        table = str(self.to_frame().to_html(index=False, na_rep="–"))
        return f"<p><b>{self.title}</b></p>{table}"


def bars(
    title: str,
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    axis: str,
) -> go.Figure:
    """Horizontal bars with their intervals; the first name on top."""
    import plotly.graph_objects as go

    spans = [
        (0.0, 0.0) if span is None or value is None else (span[1] - value, value - span[0])
        for value, span in zip(values, intervals, strict=True)
    ]
    above, below = zip(*spans, strict=True) if spans else ((), ())
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=list(names),
            orientation="h",
            error_x={"type": "data", "array": list(above), "arrayminus": list(below)},
        )
    )
    figure.update_layout(title=title, xaxis_title=axis, template="plotly_white")
    figure.update_yaxes(autorange="reversed")
    return figure


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
