"""A leaderboard: who came where, over which datums, and what could not be said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One run on a board.

    Args:
        rank: 1 for the best; equal values share a rank; ``None`` where there is no value.
        model: the model's name.
        run: the MLflow run's name, or its id; ``None`` outside MLflow.
        run_id: the MLflow run's id.
        value: of the metric; ``None`` where it is undefined.
        datums: how many the value is over.
        evaluation_id: names the evaluation in the store.
        reason: why there is no value.
    """

    rank: int | None
    model: str
    run: str | None
    run_id: str | None
    value: float | None
    datums: int
    evaluation_id: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """Runs ranked by one metric.

    Args:
        metric: what they are ranked by.
        label: the class that it is about, as key=value; ``None`` for all.
        dataset: what they were judged on.
        where: the filter as canonical CQL2 JSON; ``None`` for all datums.
        datums: how many datums the filter selects.
        of_datums: how many there are.
        lower_is_better: whether small values come first.
        rows: the best first, those without a value last.
        notes: what a reader must know: why a board is empty, what was left out.
    """

    metric: str
    label: str | None
    dataset: str
    where: str | None
    datums: int
    of_datums: int
    lower_is_better: bool
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> Row:
        return self.rows[place]

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON."""
        return {
            "metric": self.metric,
            "label": self.label,
            "dataset": self.dataset,
            "where": self.where,
            "datums": self.datums,
            "of_datums": self.of_datums,
            "lower_is_better": self.lower_is_better,
            "rows": [asdict(row) for row in self.rows],
            "notes": list(self.notes),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a run: rank, model, run, run_id, value, datums, evaluation_id, reason."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows], columns=list(Row.__slots__))

    @property
    def title(self) -> str:
        """What is ranked, over what."""
        about = f" of {self.label}" if self.label else ""
        return f"{self.metric}{about} on {self.dataset}: {self.datums} of {self.of_datums} datums"

    def to_table(self) -> Table:
        """The board as a rich table."""
        from rich import box
        from rich.table import Table

        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, min_width=40)
        for name, justify in _COLUMNS:
            table.add_column(name, justify=justify)
        table.columns[3].header = self.metric
        for row in self.rows:
            value = "undefined" if row.value is None else f"{row.value:.4f}"
            table.add_row(
                str(row.rank or "–"), row.model, row.run or "–", value, str(row.datums),
            )  # fmt: skip
        return table

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=200, no_color=True, force_terminal=False)
        with console.capture() as capture:
            console.print(self.to_table())
        lines = [line.rstrip() for line in capture.get().strip("\n").splitlines()]
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        frame = self.to_frame().drop(columns=["run_id", "evaluation_id"])
        return f"<p><b>{self.title}</b></p>" + str(frame.to_html(index=False, na_rep="–"))


_COLUMNS: tuple[tuple[str, Any], ...] = (
    ("rank", "right"),
    ("model", "left"),
    ("run", "left"),
    ("value", "right"),
    ("datums", "right"),
)
