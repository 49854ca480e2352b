"""A leaderboard: ranked runs with their intervals, and why some have no value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from velour_plugin.answers.base import GroupedAnswer, cell_text
from velour_plugin.answers.intervals import (
    SupportedLabels,
    interval_text,
    methods_text,
    supported_lines,
)
from velour_plugin.answers.plots import dots, pareto
from velour_plugin.answers.text import TextColumn, TextTable
from velour_plugin.errors import UnknownName

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from rich.table import Table

ColumnValue = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One run on a leaderboard.

    Args:
        rank: 1 for the best; equal values share a rank; ``None`` where there is no value.
        model: the model's name.
        run: the MLflow run's name, or its id; ``None`` outside MLflow.
        run_id: the MLflow run's id.
        value: of the metric; ``None`` where it is undefined.
        datums: how many the value is over.
        evaluation_id: the evaluation's id in the store.
        reason: why there is no value.
        interval: confidence interval of the value.
        rank_interval: the best and the worst rank that it may have; those of all rows hold at
            once, with the leaderboard's confidence.
        p_best: probability that it is truly the best row; rows that answer alike share it.
        tied_with_best: whether it is in the set of those that may be the best: with the
            leaderboard's confidence, none of the truly best ones is left out of it.
        columns: values of further columns, by name; ``None`` where a value is not known.
        interval_method: how the interval was computed.
        rough: which way and how much the interval cannot be trusted; ``None`` where it can.
        supported: value and interval over the labels with enough datums, where it is rough.
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
    columns: Mapping[str, ColumnValue] = field(default_factory=dict)
    interval_method: str | None = None
    rough: str | None = None
    supported: SupportedLabels | None = None

    @property
    def name(self) -> str:
        """The model, with the run in brackets where that has another name."""
        return self.model if self.run in (None, self.model) else f"{self.model} ({self.run})"


@dataclass(frozen=True, slots=True)
class Winner:
    """The first row's value, corrected for its having been chosen for that value.

    The first of many is also the luckiest: its own value is too good on average.

    Args:
        value: corrected.
        interval: confidence interval of the true value.
        chosen_among: how many rows it was the first of.
        method: of the correction.
    """

    value: float
    interval: tuple[float, float]
    chosen_among: int
    method: str

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"The first row's value, corrected for having been chosen among {self.chosen_among}: "
            f"{self.value:.4f} ({low:.3f}–{high:.3f})."
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Leaderboard(GroupedAnswer[LeaderboardRow]):
    """Runs ranked by one metric: the best first, those without a value last.

    Args:
        metric: by which the runs are ranked.
        label: the class that the metric is of, as key=value; ``None`` for all classes.
        dataset: on which the runs were evaluated.
        where: the filter as canonical CQL2 JSON; ``None`` for all datums.
        datums: how many datums the filter selects.
        of_datums: how many there are.
        lower_is_better: whether small values come first.
        confidence: of the intervals.
        columns: names of further columns, in order.
        winner: the first row's value, corrected for selection; ``None`` without resamples or of
            fewer than three rows.
    """

    row_type = LeaderboardRow

    metric: str
    label: str | None
    dataset: str
    where: str | None
    datums: int
    of_datums: int
    lower_is_better: bool
    confidence: float
    columns: Sequence[str] = ()
    winner: Winner | None = None

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary that JSON can hold; :meth:`from_dict` reads it back exactly."""
        winner = None if self.winner is None else asdict(self.winner)
        return {**super().to_dict(), "columns": list(self.columns), "winner": winner}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Leaderboard:
        """Read a leaderboard that :meth:`to_dict` wrote."""
        winner = content.get("winner")
        if winner is not None:
            winner = Winner(**{**winner, "interval": tuple(winner["interval"])})
        columns = tuple(content.get("columns", ()))
        return super().from_dict({**content, "columns": columns, "winner": winner})

    def to_frame(self) -> pd.DataFrame:
        """Convert to a pandas frame, a row a run: the fields of its rows, then further columns."""
        frame = super().to_frame().drop(columns="columns")
        for name in self.columns:
            frame[name] = [row.columns.get(name) for row in self.rows]
        if self.winner is not None:
            frame.attrs["winner"] = asdict(self.winner)
        return frame

    @property
    def title(self) -> str:
        """What is ranked, over what."""
        about = f" of {self.label}" if self.label else ""
        return f"{self.metric}{about} on {self.dataset}: {self.datums} of {self.of_datums} datums"

    @property
    def footnotes(self) -> Sequence[str]:
        """What the columns of resamples mean; empty where no run has an interval."""
        if not self._has_intervals:
            return ()
        lines = [f"{self._filled(title)}: {self._filled(text)}" for title, text in MEANINGS.items()]
        lines[0] += f" Method: {methods_text(row.interval_method for row in self.rows)}."
        if self.winner is not None:
            lines.insert(0, str(self.winner))
        lines += supported_lines(row.supported for row in self.rows)
        if any(row.interval is None for row in self.rows):
            lines.append("–: no interval: too few datums, or no value.")
        return lines

    def to_table(self) -> Table:
        """Convert to a rich table, without columns of intervals or runs that tell nothing."""
        (table,) = self._tables()
        return table.to_rich()

    def plot(self, against: str | None = None, higher_is_better: bool = False) -> go.Figure:
        """Draw values as dots with intervals; or against another column, with the Pareto front.

        Args:
            against: a further column of numbers, such as ``mlflow.metrics.latency_ms``; runs that
                no other run beats in both are joined by a line.
            higher_is_better: whether large values of that column are good.

        Raises:
            UnknownName: the leaderboard has no such column.
        """
        known = [row for row in self.rows if row.value is not None]
        if against is None:
            values, intervals = [row.value for row in known], [row.interval for row in known]
            names, rough = [row.name for row in known], [row.rough is not None for row in known]
            return dots(self.title, names, values, intervals, self.metric, rough)
        if against not in self.columns:
            raise UnknownName("column of the leaderboard", against, self.columns)
        points = [
            (row.name, float(x), row.value)
            for row in known
            if row.value is not None and isinstance(x := row.columns.get(against), (int, float))
        ]
        best = (higher_is_better, not self.lower_is_better)
        return pareto(self.title, points, (against, self.metric), best)

    @property
    def _has_intervals(self) -> bool:
        return any(row.interval is not None for row in self.rows)

    def _tables(self) -> list[TextTable]:
        shown = [*self._shown_columns(), *map(_extra_column, self.columns)]
        runs = self._rows_with_runs()
        rows = [[column.text(row) for column in shown] for row in runs]
        headings = [self._heading(column) for column in shown]
        grey = {(at, self._filled(_INTERVAL)) for at, row in enumerate(runs) if row.rough}
        return [TextTable(self.title, headings, rows, list(map(_style, runs)), grey)]

    def _heading(self, column: _Column) -> TextColumn:
        meaning = self._filled(MEANINGS.get(column.title, ""))
        is_right = column.justify == "right"
        return TextColumn(self._filled(column.title), is_right, column.drop_order, meaning)

    def _filled(self, text: str) -> str:
        return text.format(metric=self.metric, confidence=self.confidence)

    def _shown_columns(self) -> list[_Column]:
        shown = [
            column for column in _COLUMNS if self._has_intervals or column.title not in MEANINGS
        ]
        if all(row.supported is None for row in self.rows):
            shown = [column for column in shown if column.title != _SUPPORTED]
        if len({row.model for row in self.rows}) == len(self.rows):
            shown = [column for column in shown if column.title != "run"]
        return shown

    def _rows_with_runs(self) -> list[LeaderboardRow]:
        """Rows whose runs can be told apart: runs of one name carry the beginning of their ids."""
        runs = Counter((row.model, row.run) for row in self.rows)
        return [
            replace(row, run=f"{row.run} {row.run_id[:8]}")
            if row.run_id is not None and runs[row.model, row.run] > 1
            else row
            for row in self.rows
        ]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that leaderboards may have.

    Args:
        title: its heading, with ``{metric}`` and ``{confidence}`` to fill in.
        justify: where its cells stand.
        text: of the cell of a row.
        drop_order: see :class:`velour_plugin.answers.text.TextColumn`.
    """

    title: str
    justify: Literal["left", "right"]
    text: Callable[[LeaderboardRow], str]
    drop_order: int = 0


def _extra_column(name: str) -> _Column:
    escaped = name.replace("{", "{{").replace("}", "}}")
    return _Column(escaped, "right", lambda row: cell_text(row.columns.get(name)), 4)


def _style(row: LeaderboardRow) -> str:
    """The style of a row, see :data:`velour_plugin.answers.text.STYLES`."""
    if row.value is None:
        return "undefined"
    return "best" if row.rank == 1 else ""


def _tied(row: LeaderboardRow) -> str:
    """The best run is not tied with itself."""
    if row.rank == 1 and row.tied_with_best:
        return "best"
    return "yes" if row.tied_with_best else ""


def _ranks(ranks: tuple[int, int] | None) -> str:
    if ranks is None:
        return "–"
    best, worst = ranks
    return str(best) if best == worst else f"{best}–{worst}"


_INTERVAL, _SUPPORTED = "{confidence:.0%} interval", "supported labels"
_COLUMNS = (
    _Column("rank", "right", lambda row: str(row.rank or "–")),
    _Column("ranks", "right", lambda row: _ranks(row.rank_interval), 6),
    _Column("model", "left", lambda row: row.model),
    _Column("run", "left", lambda row: row.run or "–", 3),
    _Column(
        "{metric}",
        "right",
        lambda row: "undefined" if row.value is None else f"{row.value:.4f}",
    ),
    _Column(_INTERVAL, "right", lambda row: interval_text(row.interval, row.rough), 1),
    _Column(_SUPPORTED, "right", lambda row: row.supported.text if row.supported else "–", 4),
    _Column("P(best)", "right", lambda row: "–" if row.p_best is None else f"{row.p_best:.2f}", 2),
    _Column("tied with best", "left", _tied, 5),
    _Column("datums", "right", lambda row: str(row.datums), 7),
)

MEANINGS = {
    _INTERVAL: "where the true value lies, on all datums there are of this kind.",
    "ranks": "the ranks that the run may truly have; those of all rows hold at once, "
    "at {confidence:.0%}.",
    "P(best)": "probability that the run is truly the best of these; nearly equal runs share it.",
    "tied with best": "may be the best as well: no best run is left out of these, at "
    "{confidence:.0%}.",
}
"""What columns of resamples mean, by their titles: footnotes, tooltips and help."""
