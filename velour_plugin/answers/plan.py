"""How many datums to collect, for a width of the interval or a difference to be found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING, Any

from velour_plugin.answers.base import GroupedAnswer, TitledAnswer, text_table
from velour_plugin.answers.plots import curves
from velour_plugin.answers.text import TextTable

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MEANINGS: Mapping[str, tuple[str, str]] = {
    "width": ("width now", "how wide the interval is with these datums"),
    "difference": ("found now", "the smallest difference that these datums find"),
}
"""Heading and meaning of what the pilot reaches, by what is planned for."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """How many datums all, or one slice, needs.

    Args:
        slice: ``all``, or a property and its value.
        datums: how many there are now.
        groups: how many groups of datums there are now; ``None`` where datums are independent.
        value: of the metric; with another run, that run's value less the first one's.
        standard_error: of the value, over the datums that there are.
        reached: the width of the interval, or the difference that is found, with these datums.
        needed: how many datums, or groups, are needed in all; ``None`` where nothing can be said.
        needed_range: the least and most that may be needed, as far as the pilot tells.
        more: how many are to be collected; 0 where there are enough.
        thin: whether there are too few now.
        reason: why there is no number; ``None`` where there is one.
    """

    slice: str
    datums: int
    groups: int | None
    value: float | None
    standard_error: float | None = None
    reached: float | None = None
    needed: int | None = None
    needed_range: tuple[int, int] | None = None
    more: int | None = None
    thin: bool = True
    reason: str | None = None

    @property
    def units(self) -> int:
        """How many groups, or datums, there are now: what ``needed`` counts."""
        return self.datums if self.groups is None else self.groups


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan(TitledAnswer[PlanRow], GroupedAnswer[PlanRow]):
    """The answer of ``plan``: a row for all datums, then one for each slice.

    Args:
        goal: ``width`` of the interval, or ``difference`` to be found.
        wanted: how wide, or how large.
        confidence: of the interval; a test's level is 1 less this.
        power: probability with which the difference is found; ``None`` for a width.
    """

    row_type = PlanRow

    goal: str
    wanted: float
    confidence: float
    power: float | None = None

    @property
    def thin(self) -> list[PlanRow]:
        """The rows that have too few datums now."""
        return [row for row in self.rows if row.thin]

    @property
    def footnotes(self) -> Sequence[str]:
        """What the columns mean."""
        heading, meaning = _MEANINGS[self.goal]
        what = "groups of as many datums as now," if self._counts_groups else "datums"
        return [
            "standard error: of the value, by resamples of the pilot; it falls as one over the "
            "root of their number.",
            f"{heading}: {meaning}.",
            f"needed: {what} in all, those that there are included.",
            f"range: the least and the most that may be needed; the pilot tells no better "
            f"({self.confidence:.0%}).",
            "more: to be collected; 0 where there are enough.",
        ]

    @property
    def _counts_groups(self) -> bool:
        return any(row.groups is not None for row in self.rows)

    def _shown_rows(self) -> list[dict[str, Any]]:
        heading, _ = _MEANINGS[self.goal]
        return [
            {
                "slice": row.slice,
                "datums": row.datums,
                **({"groups": row.groups} if self._counts_groups else {}),
                "value": row.value,
                "standard error": row.standard_error,
                heading: row.reached,
                "needed": row.needed,
                "range": _range_text(row.needed_range),
                "more": row.more,
            }
            for row in self.rows
        ]

    def _tables(self) -> list[TextTable]:
        heading, _ = _MEANINGS[self.goal]
        order = {"range": 1, "value": 2, "standard error": 3, heading: 4}
        table = text_table(self.title, self._shown_rows(), order)
        styles = ["undefined" if row.needed is None else "" for row in self.rows]
        return [replace(table, styles=styles)]

    def plot(self) -> go.Figure:
        """Draw what is reached against the number of datums, a curve for each row."""
        what = "groups" if self._counts_groups else "datums"
        axis = "width of the interval" if self.goal == "width" else "difference that is found"
        return curves(
            self.title,
            {row.slice: _curve(row) for row in self.rows if row.reached and row.needed},
            (what, axis),
            self.wanted,
        )


def _curve(row: PlanRow) -> list[tuple[float, float]]:
    """Numbers of units, in equal ratios around those now and needed, and what each reaches."""
    assert row.needed is not None
    assert row.reached is not None
    least, most = min(row.units, row.needed) / 2, 2 * max(row.units, row.needed)
    steps = [least * (most / least) ** (step / _STEPS) for step in range(_STEPS + 1)]
    return [(units, row.reached * sqrt(row.units / units)) for units in steps]


_STEPS = 40


def _range_text(span: tuple[int, int] | None) -> str | None:
    return None if span is None else f"{span[0]}–{span[1]}"
