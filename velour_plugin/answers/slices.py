"""One run by slice of its data, and the datums that cost it most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from velour_plugin.answers.base import GroupedAnswer, TitledAnswer, text_table
from velour_plugin.answers.intervals import (
    SupportedLabels,
    interval_text,
    methods_text,
    supported_lines,
)
from velour_plugin.answers.plots import bars
from velour_plugin.answers.text import TextTable
from velour_plugin.domain.metadata import decode_metadata, encode_metadata

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Slice:
    """The metric of a run on one slice.

    Args:
        by: the property that the data are sliced by.
        slice: the value of that property, or the name of the slice.
        datums: how many are in it.
        value: of the metric; ``None`` where it is undefined.
        interval: confidence interval; ``None`` where there is none.
        difference: the value less that over all selected datums.
        interval_method: how the interval was computed.
        rough: which way and how much the interval cannot be trusted; ``None`` where it can.
        supported: value and interval over the labels with enough datums, where it is rough.
    """

    by: str
    slice: str
    datums: int
    value: float | None
    interval: tuple[float, float] | None
    difference: float | None
    interval_method: str | None = None
    rough: str | None = None
    supported: SupportedLabels | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Slices(TitledAnswer[Slice], GroupedAnswer[Slice]):
    """The answer of ``slices``: the metric of a run on each slice of its data."""

    row_type = Slice

    @property
    def footnotes(self) -> Sequence[str]:
        """What the columns mean, and why an interval may be missing."""
        lines = ["difference: the value less that over all selected datums."]
        if any(row.interval is not None for row in self.rows):
            methods = methods_text(row.interval_method for row in self.rows)
            lines.insert(0, f"interval: of the value, by {methods} over the slice's {self.units}.")
        lines += supported_lines(row.supported for row in self.rows)
        if any(row.interval is None for row in self.rows):
            lines.append(f"–: no interval: too few {self.units}, no value, or no resamples.")
        return lines

    def _tables(self) -> list[TextTable]:
        order = {"supported labels": 3, "datums": 2, "difference": 1}
        table = text_table(self.title, self._shown_rows(), order)
        styles = ["undefined" if row.value is None else "" for row in self.rows]
        grey = {(number, "interval") for number, row in enumerate(self.rows) if row.rough}
        return [replace(table, styles=styles, grey=grey)]

    def _shown_rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [
            {
                "by": row.by,
                "slice": row.slice,
                "datums": row.datums,
                "value": row.value,
                "interval": interval_text(row.interval, row.rough),
                "supported labels": row.supported and row.supported.text,
                "difference": row.difference,
            }
            for row in self.rows
        ]
        if not any(row.supported for row in self.rows):
            for row in rows:
                del row["supported labels"]
        return rows

    def plot(self) -> go.Figure:
        """Draw bars of the metric on each slice, with intervals."""
        return bars(
            self.title,
            [f"{row.by}: {row.slice}" for row in self.rows],
            [row.value for row in self.rows],
            [row.interval for row in self.rows],
            "value",
            [row.rough is not None for row in self.rows],
        )


@dataclass(frozen=True, slots=True)
class DatumImpact:
    """Metric gain if one datum is left out, or one group of them.

    Args:
        uid: of the datum; of a group its values, as in ``video=v7``.
        cost: how much better the metric would be without it; above 0.
        metadata: of the datum; of a group the values that its datums share.
        datums: how many are left out.
    """

    uid: str
    cost: float
    metadata: Mapping[str, Any]
    datums: int = 1


@dataclass(frozen=True, kw_only=True, repr=False)
class Worst(TitledAnswer[DatumImpact], GroupedAnswer[DatumImpact]):
    """The answer of ``worst``: the datums or groups that cost a run most, the worst first."""

    row_type = DatumImpact

    @property
    def footnotes(self) -> Sequence[str]:
        """How the costs are defined."""
        what = "group" if self.groups else "datum"
        return [f"cost: how much better the metric would be without the {what}."] if self else ()

    def _shown_rows(self) -> list[dict[str, Any]]:
        if self.groups:
            return [{"group": row.uid, "cost": row.cost, "datums": row.datums} for row in self.rows]
        return [
            {"uid": row.uid, "cost": row.cost, "metadata": metadata_text(row.metadata)}
            for row in self.rows
        ]

    def plot(self) -> go.Figure:
        """Draw bars of the costs, by uid."""
        costs: list[float | None] = [row.cost for row in self.rows]
        return bars(self.title, [row.uid for row in self.rows], costs, [None] * len(costs), "cost")

    @classmethod
    def _row_to_dict(cls, row: DatumImpact) -> dict[str, Any]:
        return {**asdict(row), "metadata": encode_metadata(row.metadata)}

    @classmethod
    def _row_from_dict(cls, content: Mapping[str, Any]) -> DatumImpact:
        return DatumImpact(**{**content, "metadata": decode_metadata(content["metadata"])})


def metadata_text(metadata: Mapping[str, Any], prefix: str = "") -> str:
    """Return metadata as one line of ``name=value`` pairs, named as in a filter.

    >>> metadata_text({"city": "Boston", "camera": {"height": 2.5}, "night": True})
    'city=Boston, camera.height=2.5, night=true'
    """
    return ", ".join(
        metadata_text(value, f"{prefix}{key}.")
        if isinstance(value, Mapping) and value
        else f"{prefix}{key}={_value_text(value)}"
        for key, value in metadata.items()
    )


def _value_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return str(value).lower()
    return getattr(value, "wkt", None) or str(value)
