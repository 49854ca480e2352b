"""A leaderboard: who came where, over which datums, and what could not be said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from velour_plugin.ranking.results import dots

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One run on a board.

    Args:
        rank: 1 for the best; equal values share a rank; ``None`` where there is no value.
        model: the model's name.
        run: the MLflow run's name, or its id; ``None`` outside MLflow.
        run_id: the MLflow run's id.
        value: of the metric; ``None`` where it is undefined.
        datums: how many the value is over.
        evaluation_id: names the evaluation in the store.
        reason: why there is no value.
        interval: confidence interval of the value.
        rank_interval: ranks that are not out of the question.
        p_best: share of resamples in which it is best.
        tied_with_best: whether its paired difference to the best may be nothing.
    """

    rank: int | None
    model: str
    run: str | None
    run_id: str | None
    value: float | None
    datums: int
    evaluation_id: str
    reason: str | None = None
    interval: tuple[float, float] | None = None
    rank_interval: tuple[int, int] | None = None
    p_best: float | None = None
    tied_with_best: bool | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """Runs ranked by one metric.

    Args:
        metric: what they are ranked by.
        label: the class that it is about, as key=value; ``None`` for all.
        dataset: what they were judged on.
        where: the filter as canonical CQL2 JSON; ``None`` for all datums.
        datums: how many datums the filter selects.
        of_datums: how many there are.
        lower_is_better: whether small values come first.
        confidence: of the intervals.
        rows: the best first, those without a value last.
        notes: what a reader must know: why a board is empty, what was left out.
    """

    metric: str
    label: str | None
    dataset: str
    where: str | None
    datums: int
    of_datums: int
    lower_is_better: bool
    confidence: float
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> Row:
        return self.rows[place]

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON."""
        return {
            "metric": self.metric,
            "label": self.label,
            "dataset": self.dataset,
            "where": self.where,
            "datums": self.datums,
            "of_datums": self.of_datums,
            "lower_is_better": self.lower_is_better,
            "confidence": self.confidence,
            "rows": [asdict(row) for row in self.rows],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, spelled: Mapping[str, Any]) -> Board:
        """Undo :meth:`to_dict`."""
        rows = [
            Row(**{**row, **{key: row[key] and tuple(row[key]) for key in _SPANS}})
            for row in spelled["rows"]
        ]
        return cls(**{**spelled, "rows": rows, "notes": tuple(spelled["notes"])})

    def to_frame(self) -> pd.DataFrame:
        """One row a run, in the order of :class:`Row`'s fields."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows], columns=list(Row.__slots__))

    @property
    def title(self) -> str:
        """What is ranked, over what."""
        about = f" of {self.label}" if self.label else ""
        return f"{self.metric}{about} on {self.dataset}: {self.datums} of {self.of_datums} datums"

    def to_table(self) -> Table:
        """The board as a rich table; columns that nothing is known for are left out."""
        from rich import box
        from rich.table import Table

        sure = any(row.interval is not None for row in self.rows)
        shown = [column for column in _COLUMNS if sure or column.title not in _OF_RESAMPLES]
        if all(row.run in (None, row.model) for row in self.rows):
            shown = [column for column in shown if column.title != "run"]
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, min_width=40)
        for column in shown:
            title = column.title.format(metric=self.metric, confidence=self.confidence)
            table.add_column(title, justify=column.justify)
        for row in self.rows:
            table.add_row(*(column.text(row) for column in shown))
        return table

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=200, no_color=True, force_terminal=False)
        with console.capture() as capture:
            console.print(self.to_table())
        lines = [line.rstrip() for line in capture.get().strip("\n").splitlines()]
        return "\n".join([*lines, *self.notes])

    def plot(self) -> go.Figure:
        """Dots with intervals, the best on top; runs without a value are left out."""
        known = [row for row in self.rows if row.value is not None]
        names = [
            row.model if row.run in (None, row.model) else f"{row.model} ({row.run})"
            for row in known
        ]
        values, intervals = [row.value for row in known], [row.interval for row in known]
        return dots(self.title, names, values, intervals, self.metric)

    def _repr_html_(self) -> str:
        frame = self.to_frame().drop(columns=["run_id", "evaluation_id"])
        return f"<p><b>{escape(self.title)}</b></p>" + str(frame.to_html(index=False, na_rep="–"))


_SPANS = ("interval", "rank_interval")


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    justify: Literal["left", "right"]
    text: Callable[[Row], str]


def _span(span: tuple[float, float] | None, form: str) -> str:
    if span is None:
        return "–"
    low, high = (format(end, form) for end in span)
    return low if low == high else f"{low}–{high}"


_COLUMNS = (
    _Column("rank", "right", lambda row: str(row.rank or "–")),
    _Column("ranks", "right", lambda row: _span(row.rank_interval, "d")),
    _Column("model", "left", lambda row: row.model),
    _Column("run", "left", lambda row: row.run or "–"),
    _Column(
        "{metric}",
        "right",
        lambda row: "undefined" if row.value is None else f"{row.value:.4f}",
    ),
    _Column("{confidence:.0%} interval", "right", lambda row: _span(row.interval, ".3f")),
    _Column("P(best)", "right", lambda row: "–" if row.p_best is None else f"{row.p_best:.2f}"),
    _Column("tied with best", "left", lambda row: "yes" if row.tied_with_best else ""),
    _Column("datums", "right", lambda row: str(row.datums)),
)
_OF_RESAMPLES = ("ranks", "{confidence:.0%} interval", "P(best)", "tied with best")
