"""What every answer is: rows of one kind that print, plot, convert, and go through JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from velour_plugin.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd
    import plotly.graph_objects as go
    from rich.table import Table

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Answer(ABC, Generic[Row]):
    """Rows of one kind, and what a reader must know of them.

    Args:
        rows: of the answer's ``row_type``.
        notes: what a reader must know: why it is empty, what was left out.
    """

    row_type: ClassVar[type[Any]]

    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))
        object.__setattr__(self, "notes", tuple(self.notes))

    @property
    @abstractmethod
    def title(self) -> str:
        """What this is about, in one line."""

    @abstractmethod
    def plot(self) -> go.Figure:
        """The figure that shows it best."""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON; :meth:`from_dict` undoes this exactly."""
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**own, "rows": [self._row_to_dict(row) for row in self.rows],
                "notes": list(self.notes)}  # fmt: skip

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Make the answer that :meth:`to_dict` spelled.

        Raises:
            UnknownName: it has a key of another kind of answer, or of a newer Velour.
            InvalidInput: it lacks one.
        """
        known = [item.name for item in fields(cls)]
        for key in content:
            if key not in known:
                raise UnknownName(f"key of a {cls.__name__}", key, known)
        try:
            rows = [cls._row_from_dict(row) for row in content["rows"]]
            return cls(**{**content, "rows": rows})
        except (KeyError, TypeError) as error:
            raise InvalidInput(
                f"no {cls.__name__} in JSON: {error}; to_dict() gives one."
            ) from error

    def to_frame(self) -> pd.DataFrame:
        """One row each, columns as the rows' fields."""
        import pandas as pd

        names = [item.name for item in fields(self.row_type)]
        return pd.DataFrame([asdict(row) for row in self.rows], columns=names)  # type: ignore[call-overload]

    def __str__(self) -> str:
        return "\n".join([text_table(self.title, self._shown_rows()), *self.notes])

    def _repr_html_(self) -> str:
        table = str(self._shown_frame().to_html(index=False, na_rep="–"))
        return f"<p><b>{escape(self.title)}</b></p>{table}"

    def _shown_rows(self) -> list[dict[str, Any]]:
        """Cells of the printed table, by heading."""
        return [asdict(row) for row in self.rows]  # type: ignore[call-overload]

    def _shown_frame(self) -> pd.DataFrame:
        """What a notebook shows."""
        return self.to_frame()

    @classmethod
    def _row_to_dict(cls, row: Row) -> dict[str, Any]:
        return asdict(row)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def _row_from_dict(cls, content: Mapping[str, Any]) -> Row:
        """Make a row; JSON has lists for the ends of intervals."""
        spans = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
        row: Row = cls.row_type(**{**content, **spans})
        return row


@dataclass(frozen=True, kw_only=True)
class TitledAnswer(Answer[Row]):
    """An answer whose title was written when it was made.

    Args:
        title: what this is about, in one line.
    """

    title: str = ""


def text_table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one kind as a table of text, with the names of their fields as its head."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, min_width=40)
    for name in rows[0] if rows else ():
        known = next((row[name] for row in rows if row[name] is not None), "")
        right = isinstance(known, (int, float)) and not isinstance(known, bool)
        table.add_column(name.replace("_", " "), justify="right" if right else "left")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    return plain_text(table)


def plain_text(table: Table) -> str:
    """A rich table without colours, its lines without blanks at their ends."""
    from rich.console import Console

    console = Console(width=200, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().strip("\n").splitlines())


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, (tuple, list)):
        return "–".join(format(end, ".3f") for end in value)
    return str(value)
