"""The base of all answers: rows of one kind that print, plot, convert, and go through JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from velour_plugin.answers.intervals import SupportedLabels
from velour_plugin.answers.text import TextColumn, TextTable
from velour_plugin.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd
    import plotly.graph_objects as go

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True, repr=False)
class Answer(ABC, Generic[Row]):
    """The answer to a query: a sequence of rows of one kind, with notes.

    Args:
        rows: of the answer's ``row_type``.
        notes: why it is empty, what was left out, and other remarks for its reader.
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
        """One line above the table: metric, dataset and how many datums."""

    @abstractmethod
    def plot(self) -> go.Figure:
        """Draw the figure that shows such an answer best, with plotly."""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary that JSON can hold; :meth:`from_dict` reads it back exactly."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**values, "rows": [self._row_to_dict(row) for row in self.rows],
                "notes": list(self.notes)}  # fmt: skip

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read an answer that :meth:`to_dict` wrote.

        Raises:
            UnknownName: a key is of another kind of answer, or of a newer Velour.
            InvalidInput: a key is missing.
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
                f"not a {cls.__name__} in JSON: {error}; to_dict() writes one."
            ) from error

    def to_frame(self) -> pd.DataFrame:
        """Convert to a pandas frame: a row for each row, a column for each of their fields."""
        import pandas as pd

        names = [item.name for item in fields(self.row_type)]
        return pd.DataFrame([asdict(row) for row in self.rows], columns=names)  # type: ignore[call-overload]

    @property
    def footnotes(self) -> Sequence[str]:
        """What columns mean and how numbers were corrected, a ``heading: text`` each; or none."""
        return ()

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        rows = f"{len(self)} row" + ("" if len(self) == 1 else "s")
        return f"<{type(self).__name__} {self.title!r}, {rows}>"

    def to_text(self, width: int | None = None, colour: bool = False) -> str:
        """Return the tables as text, with the notes and the footnotes below them.

        Args:
            width: of the terminal, in characters: less important columns are left out, and what
                is still too long is wrapped; ``None`` for all columns, however wide.
            colour: whether the best and the undefined rows stand out; only with a width.
        """
        tables = self._tables()
        if width is None:
            return "\n".join([*map(str, tables), *self.notes, *self.footnotes])
        from textwrap import fill

        fitted = [table.fitted(width) for table in tables]
        names = _left_out(tables, fitted)
        footnotes = [line for line in self.footnotes if line.partition(":")[0] not in names]
        if names:
            footnotes.append(f"Left out at {width} columns: {', '.join(names)}.")
        lines = [fill(line, width) for line in (*self.notes, *footnotes)]
        return "\n".join([*(table.render(width, colour) for table in fitted), *lines])

    def _repr_html_(self) -> str:
        from velour_plugin.helpers.html import html_block

        tables = [table.to_html() for table in self._tables()]
        return html_block(tables, self.notes, self.footnotes)

    def _tables(self) -> list[TextTable]:
        """What is printed, and what a notebook shows."""
        return [text_table(self.title, self._shown_rows())]

    def _shown_rows(self) -> list[dict[str, Any]]:
        """Cells of the printed table, by heading."""
        return [asdict(row) for row in self.rows]  # type: ignore[call-overload]

    @classmethod
    def _row_to_dict(cls, row: Row) -> dict[str, Any]:
        return asdict(row)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def _row_from_dict(cls, content: Mapping[str, Any]) -> Row:
        """A row from JSON, which has lists for the ends of intervals."""
        spans: dict[str, Any] = {
            key: tuple(value) for key, value in content.items() if isinstance(value, list)
        }
        if content.get("supported") is not None:
            spans["supported"] = SupportedLabels.from_dict(content["supported"])
        row: Row = cls.row_type(**{**content, **spans})
        return row


def _left_out(whole: Sequence[TextTable], fitted: Sequence[TextTable]) -> list[str]:
    """Headings of the columns that tables of a narrow terminal lack."""
    names = [
        column.heading
        for table, part in zip(whole, fitted, strict=True)
        for column in table.columns
        if column not in part.columns
    ]
    return list(dict.fromkeys(names))


@dataclass(frozen=True, kw_only=True, repr=False)
class GroupedAnswer(Answer[Row]):
    """An answer that says how sure it is, of datums that may belong together.

    Args:
        groups: properties whose values make groups that are resampled or exchanged whole; empty
            where datums were taken as independent.
        group_count: how many groups the selected datums are of; ``None`` without groups.
    """

    groups: Sequence[str] = ()
    group_count: int | None = None

    @property
    def units(self) -> str:
        """What is resampled, exchanged or left out: ``datums``, or ``groups of datums``."""
        return "groups of datums" if self.groups else "datums"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "groups", tuple(self.groups))

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary that JSON can hold; :meth:`from_dict` reads it back exactly."""
        return {**super().to_dict(), "groups": list(self.groups)}


@dataclass(frozen=True, kw_only=True, repr=False)
class TitledAnswer(Answer[Row]):
    """An answer whose title was written when it was made.

    Args:
        title: one line above the table.
    """

    title: str = ""


def text_table(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    drop_order: Mapping[str, int] = MappingProxyType({}),
) -> TextTable:
    """Make a table of text of rows of one kind, with the names of their fields as headings.

    Args:
        title: of the table.
        rows: values by the names of columns, the same names in each.
        drop_order: of columns that a narrow terminal leaves out, see
            :class:`velour_plugin.answers.text.TextColumn`.
    """
    columns = []
    for name in rows[0] if rows else ():
        known = next((row[name] for row in rows if row[name] is not None), "")
        is_number = isinstance(known, (int, float)) and not isinstance(known, bool)
        columns.append(TextColumn(name.replace("_", " "), is_number, drop_order.get(name, 0)))
    return TextTable(title, columns, [[cell_text(value) for value in row.values()] for row in rows])


def cell_text(value: Any) -> str:
    """Return a value as all tables show it: four decimals, three for intervals, – for ``None``."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, (tuple, list)):
        return "–".join(format(end, ".3f") for end in value)
    return str(value)
