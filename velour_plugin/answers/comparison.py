"""Two runs side by side: what changed by label, slice and kind of error, and whether by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from velour_plugin.answers.base import TitledAnswer
from velour_plugin.answers.plots import bars

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of a comparison.

    Args:
        about: ``all``, a label as key=value, or a slice.
        metric: which.
        datums: how many it is over.
        first, second: values of the two runs; ``None`` where undefined.
        difference: second less first.
        p: two-sided, by McNemar's test or by permutation, by Holm's method among lines of a kind.
    """

    about: str
    metric: str
    datums: int
    first: float | None
    second: float | None
    difference: float | None
    p: float | None


@dataclass(frozen=True, slots=True)
class ErrorDifference:
    """One kind of error in both runs.

    Args:
        kind: what the evaluator calls it, such as ``localisation``.
        first_count, second_count: how many there are.
        first, second: what they cost, in the metric's own measure; ``None`` where undefined.
        difference: second less first; below zero where the second run does better.
    """

    kind: str
    first_count: int
    second_count: int
    first: float | None
    second: float | None
    difference: float | None


@dataclass(frozen=True, kw_only=True)
class Errors(TitledAnswer[ErrorDifference]):
    """Kinds of error that two runs make, what changed most first; empty where there are none."""

    row_type = ErrorDifference

    def plot(self) -> go.Figure:
        """Bars of what each kind costs, both runs side by side."""
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


@dataclass(frozen=True, kw_only=True)
class Comparison(TitledAnswer[Difference]):
    """Two runs: over all datums first, then what changed most.

    Args:
        errors: split by kind, over the same datums.
    """

    row_type = Difference

    errors: Errors = field(default_factory=lambda: Errors(title="errors by kind", rows=()))

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON; :meth:`from_dict` undoes this exactly."""
        return {**super().to_dict(), "errors": self.errors.to_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Comparison:
        """Make the comparison that :meth:`to_dict` spelled."""
        return super().from_dict({**content, "errors": Errors.from_dict(content["errors"])})

    def plot(self) -> go.Figure:
        """Bars of the differences; errors have a plot of their own."""
        changes = [row.difference for row in self.rows]
        names = [row.about for row in self.rows]
        return bars(self.title, names, changes, [None] * len(names), "second less first")

    def __str__(self) -> str:
        parted = "\n\n" if self.notes else "\n"  # a table ends with an empty line
        return super().__str__() + (f"{parted}{self.errors}" if self.errors else "")

    def _repr_html_(self) -> str:
        return super()._repr_html_() + (self.errors._repr_html_() if self.errors else "")
