"""A run on each slice of its data, and the datums that cost it most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from velour_plugin.answers.base import TitledAnswer
from velour_plugin.answers.plots import bars
from velour_plugin.domain.metadata import decode_metadata, encode_metadata

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Slice:
    """A run on one slice.

    Args:
        by: what the data were cut by.
        slice: which slice.
        datums: how many it holds.
        value: of the metric; ``None`` where it is undefined.
        interval: confidence interval; ``None`` where there is none.
        difference: the value less that over all selected datums.
    """

    by: str
    slice: str
    datums: int
    value: float | None
    interval: tuple[float, float] | None
    difference: float | None


@dataclass(frozen=True, kw_only=True)
class Slices(TitledAnswer[Slice]):
    """A run, slice by slice."""

    row_type = Slice

    def plot(self) -> go.Figure:
        """Bars with intervals."""
        return bars(
            self.title,
            [f"{row.by}: {row.slice}" for row in self.rows],
            [row.value for row in self.rows],
            [row.interval for row in self.rows],
            "value",
        )


@dataclass(frozen=True, slots=True)
class DatumImpact:
    """Metric gain if one datum is left out.

    Args:
        uid: of the datum.
        cost: how much better the metric would be without it.
        metadata: of the datum.
    """

    uid: str
    cost: float
    metadata: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Worst(TitledAnswer[DatumImpact]):
    """The datums that cost a run most, the worst first."""

    row_type = DatumImpact

    def plot(self) -> go.Figure:
        """Bars of the costs."""
        costs: list[float | None] = [row.cost for row in self.rows]
        return bars(self.title, [row.uid for row in self.rows], costs, [None] * len(costs), "cost")

    @classmethod
    def _row_to_dict(cls, row: DatumImpact) -> dict[str, Any]:
        return {**asdict(row), "metadata": encode_metadata(row.metadata)}

    @classmethod
    def _row_from_dict(cls, content: Mapping[str, Any]) -> DatumImpact:
        return DatumImpact(**{**content, "metadata": decode_metadata(content["metadata"])})
