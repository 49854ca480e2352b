"""Two runs compared by label, slice and kind of error, with p-values of the differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from velour_plugin.answers.base import GroupedAnswer, TitledAnswer, text_table
from velour_plugin.answers.plots import bars
from velour_plugin.answers.text import TextTable

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of a comparison.

    Args:
        about: ``all``, a label as key=value, or a slice.
        metric: its name.
        datums: how many the values are over.
        first, second: values of the two runs; ``None`` where undefined.
        difference: second less first.
        p: two-sided p-value of McNemar's or of a permutation test, adjusted for being one of
            several slices, or labels; ``None`` where no permutations were drawn.
        interval: confidence interval of the difference, low and high; ``None`` without
            permutations, where a difference is undefined, or where few datums decide it.
    """

    about: str
    metric: str
    datums: int
    first: float | None
    second: float | None
    difference: float | None
    p: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class MarginTest:
    """Whether the second run is better than the first less, or plus, a margin.

    Args:
        about: ``no_worse``, that it is worse by no more than the margin; or ``min_lead``, that it
            is better by more.
        margin: >= 0, in the units of the metric.
        p: one-sided p-value that it is not so; ``None`` where there is none to tell.
        bound: what the difference, second less first, is on the better side of, with the
            comparison's confidence; one-sided.
        is_shown: whether it is shown to be so at the level 1 less the confidence.
    """

    about: str
    margin: float
    p: float | None
    bound: float | None
    is_shown: bool


@dataclass(frozen=True, slots=True)
class ErrorDifference:
    """One kind of error in both runs.

    Args:
        kind: the evaluator's name of it, such as ``localisation``.
        first_count, second_count: how many errors each run makes.
        first, second: what they cost each run, in the metric's own measure; ``None`` where
            undefined.
        difference: second less first; below zero where the second run does better.
    """

    kind: str
    first_count: int
    second_count: int
    first: float | None
    second: float | None
    difference: float | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Errors(TitledAnswer[ErrorDifference]):
    """Kinds of error of two runs, the largest change first; empty where there are none."""

    row_type = ErrorDifference

    def _tables(self) -> list[TextTable]:
        order = {"first_count": 3, "second_count": 3, "first": 2, "second": 1}
        return [text_table(self.title, self._shown_rows(), order)]

    def plot(self) -> go.Figure:
        """Draw bars of what each kind of error costs, both runs side by side."""
        import plotly.graph_objects as go

        kinds = [row.kind for row in self.rows]
        figure = go.Figure(
            [
                go.Bar(name="first", x=kinds, y=[row.first for row in self.rows]),
                go.Bar(name="second", x=kinds, y=[row.second for row in self.rows]),
            ]
        )
        figure.update_layout(title=self.title, yaxis_title="cost", template="plotly_white")
        return figure


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(TitledAnswer[Difference], GroupedAnswer[Difference]):
    """The answer of ``compare``: a row for all datums, then labels and slices that changed most.

    Args:
        confidence: of the intervals.
        permutations: how many were drawn, of those that were allowed.
        margins: whether margins are kept, of all datums; in the order of the query.
        detectable: the smallest true difference of all datums that a comparison like this finds
            in four of five cases; ``None`` where it is unknown.
        errors: kinds of error of both runs, over the same datums.
    """

    row_type = Difference

    confidence: float = 0.95
    permutations: int = 0
    margins: Sequence[MarginTest] = ()
    detectable: float | None = None
    errors: Errors = field(default_factory=lambda: Errors(title="errors by kind", rows=()))

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary that JSON can hold; :meth:`from_dict` reads it back exactly."""
        margins = [asdict(margin) for margin in self.margins]
        return {**super().to_dict(), "margins": margins, "errors": self.errors.to_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Comparison:
        """Read a comparison that :meth:`to_dict` wrote."""
        margins = tuple(MarginTest(**margin) for margin in content.get("margins", ()))
        errors = Errors.from_dict(content["errors"])
        return super().from_dict({**content, "margins": margins, "errors": errors})

    def plot(self) -> go.Figure:
        """Draw bars of the differences, second run less first; errors have a plot of their own."""
        changes = [row.difference for row in self.rows]
        names = [row.about for row in self.rows]
        intervals = [row.interval for row in self.rows]
        return bars(self.title, names, changes, intervals, "second less first")

    @property
    def footnotes(self) -> Sequence[str]:
        """What the columns mean, and how p-values were corrected."""
        lines = ["difference: second less first."]
        if any(row.p is not None for row in self.rows):
            drawn = f"; {self.permutations:,} permutations" if self.permutations else ""
            lines.append(
                "p: two-sided p-value of the difference; adjusted for being one of several slices, "
                f"or labels{drawn}."
            )
        if any(row.interval is not None for row in self.rows):
            lines.append(
                f"interval: of the difference, {100 * self.confidence:.4g}% confidence, by the "
                "jackknife (Tango's for shares such as accuracy)."
            )
        if self.errors:
            lines.append(
                "errors: first and second are their costs in the metric; below 0, the second run "
                "does better."
            )
        return lines

    def _tables(self) -> list[TextTable]:
        """Differences, without columns that are empty; then errors."""
        shown = self._shown_rows()
        empty = {name for name in ("p", "interval") if all(row[name] is None for row in shown)}
        rows = [{name: row[name] for name in row if name not in empty} for row in shown]
        order = {"datums": 4, "metric": 3, "first": 2, "second": 1}
        errors = self.errors._tables() if self.errors else []
        return [text_table(self.title, rows, order), *errors]

    def _shown_rows(self) -> list[dict[str, Any]]:
        """Cells of the printed table; the ends of intervals have signs."""
        return [
            {**row, "interval": row["interval"] and "{:+.3f} to {:+.3f}".format(*row["interval"])}
            for row in super()._shown_rows()
        ]
