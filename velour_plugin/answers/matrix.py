"""One metric of every model on every dataset, with the cells that are not evaluated yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from velour_plugin.answers.base import GroupedAnswer, TitledAnswer
from velour_plugin.answers.intervals import (
    MARK,
    SupportedLabels,
    interval_text,
    methods_text,
)
from velour_plugin.answers.plots import heat_map
from velour_plugin.answers.text import TextColumn, TextTable

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Cell:
    """One model on one dataset, or on one slice of it.

    Args:
        model: its name.
        column: the dataset, with the task or slice where there are several.
        dataset: its name.
        task: of the evaluation; ``None`` where no model was evaluated on the dataset by the metric.
        slice: which slice of the dataset; ``None`` for all of it.
        datums: how many the value is over.
        value: of the metric; ``None`` where it is undefined, or the cell is empty.
        interval: confidence interval; ``None`` where there is none.
        evaluation_id: of the evaluation; ``None`` for an empty cell.
        reason: why there is no value.
        command: that fills an empty cell; ``None`` where there is an evaluation, even one without
            a value.
        interval_method: how the interval was computed.
        rough: which way and how much the interval cannot be trusted; ``None`` where it can.
        supported: value and interval over the labels with enough datums, where it is rough.
    """

    model: str
    column: str
    dataset: str
    task: str | None
    slice: str | None
    datums: int
    value: float | None
    interval: tuple[float, float] | None
    evaluation_id: str | None
    reason: str | None
    command: str | None
    interval_method: str | None = None
    rough: str | None = None
    supported: SupportedLabels | None = None

    @property
    def text(self) -> str:
        """The printed cell: value and interval, ``undefined``, or ``–`` without an evaluation."""
        if self.value is None:
            return "undefined" if self.evaluation_id else "–"
        if self.interval is None:
            return f"{self.value:.4f}"
        return f"{self.value:.4f} ({interval_text(self.interval)})" + (MARK if self.rough else "")


@dataclass(frozen=True, kw_only=True, repr=False)
class Matrix(TitledAnswer[Cell], GroupedAnswer[Cell]):
    """The answer of ``matrix``: a row for each cell of models times datasets, model by model.

    Args:
        metric: its name.
        confidence: of the intervals.
    """

    row_type = Cell

    metric: str
    confidence: float

    @property
    def models(self) -> list[str]:
        """Names of the models, in order."""
        return list(dict.fromkeys(cell.model for cell in self.rows))

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return list(dict.fromkeys(cell.column for cell in self.rows))

    @property
    def empty(self) -> Sequence[Cell]:
        """Cells that are not evaluated yet; each has the command that fills it."""
        return [cell for cell in self.rows if cell.command is not None]

    def cell(self, model: str, column: str) -> Cell:
        """Return the cell of a model and a column, both by name.

        Raises:
            KeyError: there is no such model or column.
        """
        return self._cells()[model, column]

    def to_table(self) -> pd.DataFrame:
        """Convert to a pandas frame, a row a model and a column a dataset; NaN for no value."""
        import pandas as pd

        return pd.DataFrame(self._values(), index=self.models, columns=self.columns, dtype=float)

    def plot(self) -> go.Figure:
        """Draw a heat map of the values; cells without one stay empty."""
        cells = self._cells()
        texts = [[cells[m, c].text for c in self.columns] for m in self.models]
        return heat_map(self.title, self.models, self.columns, self._values(), texts)

    def _cells(self) -> dict[tuple[str, str], Cell]:
        return {(cell.model, cell.column): cell for cell in self.rows}

    def _values(self) -> list[list[float | None]]:
        cells = self._cells()
        return [[cells[m, c].value for c in self.columns] for m in self.models]

    @property
    def footnotes(self) -> Sequence[str]:
        """What stands in brackets, and what the marks of cells without a value mean."""
        sure = any(cell.interval is not None for cell in self.rows)
        methods = methods_text(cell.interval_method for cell in self.rows)
        marks = {
            f"(low–high): {self.confidence:.0%} interval, by {methods}; drawn: {self.units}.": sure,
            "–: no value, the notes say why.": any(not cell.evaluation_id for cell in self.rows),
        }
        return [text for text, is_shown in marks.items() if is_shown]

    def _tables(self) -> list[TextTable]:
        """The names of datasets and slices are headings as they are, to be copied from there."""
        cells = self._cells()
        columns = [TextColumn("model", False), *(TextColumn(name, False) for name in self.columns)]
        rows = [
            [model, *(cells[model, column].text for column in self.columns)]
            for model in self.models
        ]
        grey = {
            (number, column)
            for number, model in enumerate(self.models)
            for column in self.columns
            if cells[model, column].rough
        }
        return [TextTable(self.title, columns, rows, grey=grey)]
