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
        p_best: probability that it is the best of the models that datasets connect with it;
            ``None`` where there are no others.
        value: of the metric over the datums of all datasets that it was evaluated on.
        datums: how many that are.
        datasets: their names.
        difference: how far it is from the one that does best, in the metric's units: over the
            datums that both have, or through models that met both; ``None`` without others.
        tied_with_best: whether it may be the best, with the leaderboards' confidence; ``None``
            without others.
    """

    model: str
    p_best: float | None
    value: float | None
    datums: int
    datasets: tuple[str, ...]
    difference: float | None = None
    tied_with_best: bool | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Recommendation(TitledAnswer[Support], GroupedAnswer[Support]):
    """The answer of ``recommend``: models, the likeliest to be best first, and its evidence.

    A model is compared with those that were evaluated on a dataset of its own, and with those that
    they were compared with; the notes say what was put together, and who met where.

    Args:
        boards: leaderboards, by dataset.
        left_out: reasons, by dataset that selects nothing or cannot rank.
    """

    row_type = Support

    @property
    def footnotes(self) -> Sequence[str]:
        """What the columns mean."""
        return [
            "p best: probability that it is the best, by bootstrap resamples of the datums of each "
            "dataset.",
            "value: over all datums of its datasets; of models with other datasets it is over "
            "other datums.",
            "difference: to the one that does best, over the datums that both have, or through "
            "models that met both.",
            "tied with best: may be the best; all others are surely not.",
        ]

    def _tables(self) -> list[TextTable]:
        table = text_table(
            self.title, self._shown_rows(), {"datasets": 1, "datums": 3, "tied_with_best": 2}
        )
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
