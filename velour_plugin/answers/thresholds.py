"""Thresholds of scores, one a class, and what they are worth on other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from velour_plugin.answers.base import GroupedAnswer, TitledAnswer, text_table
from velour_plugin.answers.plots import dots
from velour_plugin.answers.text import TextTable

if TYPE_CHECKING:
    import plotly.graph_objects as go

Interval = tuple[float, float]

_CHOICE = {
    "precision": "the lowest score that reaches the precision",
    "recall": "the highest score that reaches the recall",
    "f1": "the score of the highest F1",
}
_DROP_ORDER = {"decided": 4, "measured": 3, "support": 2, "f1": 1}


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The threshold of a class, with what to expect of it on other data.

    Args:
        label: the class, a value or ``key=value``.
        threshold: predictions of this score or more are taken; ``None`` where there is a reason.
        measured: the metric that decided, on the datums that chose the threshold: rather high.
        precision, recall, f1: cross-fitted, which corrects for that.
        precision_interval, recall_interval, f1_interval: confidence intervals.
        support: how many there are of the class.
        decided: how many predictions are taken.
        reason: why there is no threshold.
    """

    label: str
    threshold: float | None = None
    measured: float | None = None
    precision: float | None = None
    precision_interval: Interval | None = None
    recall: float | None = None
    recall_interval: Interval | None = None
    f1: float | None = None
    f1_interval: Interval | None = None
    support: int = 0
    decided: int | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Thresholds(TitledAnswer[OperatingPoint], GroupedAnswer[OperatingPoint]):
    """The answer of ``threshold``: an operating point of each class, in the dataset's order.

    Args:
        metric: that decided: ``precision``, ``recall`` or ``f1``.
        target: the value that it should reach on the data; ``None`` for the best.
        confidence: of the intervals.
    """

    row_type = OperatingPoint

    metric: str
    target: float | None
    confidence: float = 0.95

    @property
    def by_label(self) -> dict[str, float]:
        """The thresholds that there are, by class: what a program needs to use them."""
        return {row.label: row.threshold for row in self.rows if row.threshold is not None}

    @property
    def footnotes(self) -> Sequence[str]:
        """What the numbers are, and on which datums."""
        if not self.by_label:
            return ()
        return [
            f"threshold: {_CHOICE[self.metric]}; predictions of this score or more are taken.",
            f"measured: the {self.metric} on the datums that chose the threshold, so rather high.",
            "precision, recall, f1: what to expect on other data: each tenth of the datums is "
            f"judged at the threshold that the others choose; in brackets "
            f"{100 * self.confidence:.4g}% intervals.",
        ]

    def _tables(self) -> list[TextTable]:
        table = text_table(self.title, self._shown_rows(), _DROP_ORDER)
        styles = ["undefined" if row.threshold is None else "" for row in self.rows]
        return [replace(table, styles=styles)]

    def _shown_rows(self) -> list[dict[str, Any]]:
        has_reason = any(row.reason for row in self.rows)
        return [
            {
                "label": row.label,
                "threshold": row.threshold,
                "measured": row.measured,
                "precision": _with_interval(row.precision, row.precision_interval),
                "recall": _with_interval(row.recall, row.recall_interval),
                "f1": _with_interval(row.f1, row.f1_interval),
                "support": row.support,
                "decided": row.decided,
                **({"reason": row.reason or ""} if has_reason else {}),
            }
            for row in self.rows
        ]

    def plot(self) -> go.Figure:
        """Draw the metric that decided as dots with intervals, by class with its threshold."""
        names = [
            row.label if row.threshold is None else f"{row.label} from {row.threshold:.4g}"
            for row in self.rows
        ]
        values = [getattr(row, self.metric) for row in self.rows]
        intervals = [getattr(row, f"{self.metric}_interval") for row in self.rows]
        return dots(self.title, names, values, intervals, self.metric)


def _with_interval(value: float | None, interval: Interval | None) -> str | None:
    """A value and its interval in one cell.

    >>> _with_interval(0.9, (0.85, 0.93125))
    '0.9000 (0.850–0.931)'
    """
    if value is None or interval is None:
        return None
    low, high = interval
    return f"{value:.4f} ({low:.3f}–{high:.3f})"
