"""Pairs of predictions and truths, and what is left of either, one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from velour_plugin.answers.base import TitledAnswer, text_table
from velour_plugin.answers.plots import bars
from velour_plugin.answers.text import TextTable

if TYPE_CHECKING:
    import plotly.graph_objects as go

Corners = tuple[float, float, float, float]

OUTCOMES = ("true positive", "false positive", "false negative")

KINDS = {
    "classification": "another class's truth overlaps by the IoU threshold or more",
    "localisation": "a truth of the same class overlaps by 0.1 to the IoU threshold",
    "both": "the nearest truth is of another class, and overlaps by less than the IoU threshold",
    "duplicate": "the truth is matched by a better detection",
    "background": "no truth overlaps by more than 0.1",
    "missed": "nothing is near enough to explain it",
    "low score": "a detection below the score threshold matches it",
}
"""Kinds of error of detections; an undetected truth has the kind of the detection near it."""

_DROP_ORDER = MappingProxyType({"prediction box": 3, "truth box": 2, "iou": 1})


@dataclass(frozen=True, slots=True)
class Match:
    """A prediction with the truth that it matches or lies on, or one of them alone.

    Args:
        uid: of the datum.
        outcome: one of :data:`OUTCOMES`.
        kind: of error; empty for true positives.
        truth: its class, a value or ``key=value``; ``None`` where there is no truth.
        prediction: its class; ``None`` where there is no prediction.
        score: of the prediction.
        iou: of the two.
        truth_box: as xmin, ymin, xmax, ymax in pixels, to two decimals.
        prediction_box: the same of the prediction.
    """

    uid: str
    outcome: str
    kind: str
    truth: str | None
    prediction: str | None
    score: float | None
    iou: float | None
    truth_box: Corners | None
    prediction_box: Corners | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Matches(TitledAnswer[Match]):
    """The answer of ``matches``: the highest scores first, then missed truths, the largest first.

    Args:
        counts: how many there are of all outcomes, whether they are among the rows or not: by
            outcome, and under it by kind of error.
    """

    row_type = Match

    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def footnotes(self) -> Sequence[str]:
        """What the kinds among the rows mean."""
        kinds = dict.fromkeys(row.kind for row in self.rows)
        return [f"{kind}: {KINDS[kind]}." for kind in kinds if kind in KINDS]

    def _tables(self) -> list[TextTable]:
        return [text_table(self.title, self._shown_rows(), _DROP_ORDER)]

    def _shown_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "uid": row.uid,
                "outcome": row.outcome,
                "kind": row.kind,
                "truth": row.truth,
                "prediction": row.prediction,
                "score": row.score,
                "iou": row.iou,
                "truth box": _corners_text(row.truth_box),
                "prediction box": _corners_text(row.prediction_box),
            }
            for row in self.rows
        ]

    def plot(self) -> go.Figure:
        """Draw bars of the counts, by outcome and kind."""
        counts = [
            (f"{outcome}: {kind}" if kind else outcome, float(count))
            for outcome, kinds in self.counts.items()
            for kind, count in kinds.items()
        ]
        names, numbers = [name for name, _ in counts], [number for _, number in counts]
        return bars(self.title, names, numbers, [None] * len(counts), "how many")


def _corners_text(corners: Corners | None) -> str | None:
    """Corners in one cell.

    >>> _corners_text((0.0, 0.5, 10.0, 12.25))
    '0, 0.5, 10, 12.25'
    """
    return None if corners is None else ", ".join(f"{side:.10g}" for side in corners)
