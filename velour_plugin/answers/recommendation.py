"""The best-supported model for a need, with the leaderboards as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from velour_plugin.answers.base import GroupedAnswer, TitledAnswer, text_table
from velour_plugin.answers.leaderboard import Leaderboard
from velour_plugin.answers.plots import bars
from velour_plugin.answers.text import TextTable

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Support:
    """The evidence for one model.

    Args:
        model: its name.
        p_best: probability that it is the best of the models that were evaluated on the same
            datasets; ``None`` where it is the only one.
        value: of the metric over the datums of these datasets together.
        datums: how many that are.
        datasets: their names.
    """

    model: str
    p_best: float | None
    value: float | None
    datums: int
    datasets: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class Recommendation(TitledAnswer[Support], GroupedAnswer[Support]):
    """The answer of ``recommend``: models, the likeliest to be best first, and its evidence.

    A model is compared with those that were evaluated on the same datasets.

    Args:
        boards: leaderboards, by dataset.
        left_out: reasons, by dataset that selects nothing or cannot rank.
    """

    row_type = Support

    @property
    def footnotes(self) -> Sequence[str]:
        """What the columns mean."""
        return ["p best: probability that it is the best, by bootstrap resamples of the datums."]

    def _tables(self) -> list[TextTable]:
        table = text_table(self.title, self._shown_rows(), {"datasets": 1, "datums": 2})
        return [replace(table, styles=["best" if row is self.rows[0] else "" for row in self.rows])]

    boards: Mapping[str, Leaderboard]
    left_out: Mapping[str, str]

    @property
    def best(self) -> Support:
        """The first row: the model that is most likely the best."""
        return self.rows[0]

    def plot(self) -> go.Figure:
        """Draw bars of each model's probability to be the best."""
        chances = [row.p_best for row in self.rows]
        names = [row.model for row in self.rows]
        return bars(self.title, names, chances, [None] * len(names), "P(best)")

    def _shown_rows(self) -> list[dict[str, Any]]:
        return [{**row, "datasets": ", ".join(row["datasets"])} for row in super()._shown_rows()]

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary that JSON can hold; :meth:`from_dict` reads it back exactly."""
        boards = {name: board.to_dict() for name, board in self.boards.items()}
        return {**super().to_dict(), "boards": boards, "left_out": dict(self.left_out)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Recommendation:
        """Read a recommendation that :meth:`to_dict` wrote."""
        boards = {name: Leaderboard.from_dict(board) for name, board in content["boards"].items()}
        return super().from_dict({**content, "boards": boards})
