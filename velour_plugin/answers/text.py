"""Tables of text: plain ones are laid out here, the others by rich, which takes long to import."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    from rich.table import Table

Item = TypeVar("Item")

LEAST, MOST = 40, 200
"""Characters of a line: narrower tables are stretched, wider ones wrapped."""
STYLES = {"": "", "best": "bold green", "undefined": "dim"}
"""Styles of rows by what they hold, in rich's words."""
_ANSI = {"best": "\x1b[1;32m", "undefined": "\x1b[2m"}
_GREY = "undefined"
"""The style of cells that cannot be trusted."""
_RESET = "\x1b[0m"
_PLAIN = frozenset(map(chr, range(32, 127))) - {"["} | {"–"}
"""Characters that take one column each and begin no markup of rich."""


class TextColumn(NamedTuple):
    """A heading, and how the cells below it are shown.

    Args:
        heading: of the column.
        is_right: whether cells stand at the right, as numbers do.
        drop_order: of the columns that a narrow terminal leaves out, the one with the largest
            number goes first; 0 for those that always stay.
        meaning: one sentence, which HTML shows when the pointer rests on the heading.
    """

    heading: str
    is_right: bool
    drop_order: int = 0
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class TextTable:
    """Cells under headings.

    Args:
        title: a line above.
        columns: headings, and how the cells below them are shown.
        rows: texts, as many as there are columns.
        styles: of each row, a key of :data:`STYLES`; none for plain rows.
        grey: cells that cannot be trusted: the number of the row, and the column's heading.
    """

    title: str
    columns: Sequence[TextColumn]
    rows: Sequence[Sequence[str]]
    styles: Sequence[str] = ()
    grey: Collection[tuple[int, str]] = ()

    def __str__(self) -> str:
        return self.render()

    def render(self, width: int = MOST, colour: bool = False) -> str:
        """Return the table as text, lines without blanks at their ends.

        Args:
            width: characters of a line; cells are wrapped where they need more.
            colour: whether rows have their styles, by the escape sequences of terminals.
        """
        if not self.columns:
            return f"{self.title}\n" if self.title else ""
        headings = [column.heading for column in self.columns]
        lines = [headings, *self.rows]
        widths = self._widths()
        line_width = _line_width(widths)
        is_plain = all(_is_plain(text) for line in [[self.title], *lines] for text in line)
        has_room = LEAST <= line_width <= width and len(self.title) <= line_width
        if not (self.title and is_plain and has_room):
            return self._by_rich(width, colour)
        head = self._line(headings, widths)
        styles = self._row_styles() if colour else [""] * len(self.rows)
        body = [
            _coloured(self._line(row, widths, number if colour else None, style), style)
            for number, (row, style) in enumerate(zip(self.rows, styles, strict=True))
        ]
        return "\n".join([self.title, "", head, " " + "─" * (line_width - 2), *body, ""])

    def fitted(self, width: int) -> TextTable:
        """Return the table without columns that a width has no room for, by ``drop_order``."""
        droppable = [column.drop_order for column in self.columns]
        if _line_width(self._widths()) <= width or not any(droppable):
            return self
        index = droppable.index(max(droppable))
        return replace(
            self,
            columns=_without(self.columns, index),
            rows=[_without(row, index) for row in self.rows],
        ).fitted(width)

    def to_html(self) -> str:
        """Return the table as an HTML ``<table>``."""
        from velour_plugin.helpers.html import html_table

        columns = [(column.heading, column.is_right) for column in self.columns]
        meanings = [column.meaning for column in self.columns]
        return html_table(self.title, columns, self.rows, self.styles, meanings, self.grey)

    def to_rich(self, width: int = MOST) -> Table:
        """Convert to a table of rich, which may colour it; brackets in names are no markup."""
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        least = min(LEAST, width)
        title = escape(self.title)
        table = Table(
            title=title,
            title_justify="left",
            title_style="none",
            header_style="none",
            box=box.SIMPLE_HEAD,
            min_width=least,
        )
        for column in self.columns:
            side: Literal["left", "right"] = "right" if column.is_right else "left"
            heading, is_number = escape(column.heading), column.is_right
            table.add_column(heading, justify=side, overflow="fold", no_wrap=is_number)
        for number, (row, style) in enumerate(zip(self.rows, self._row_styles(), strict=True)):
            cells = [
                f"[{STYLES[_GREY]}]{escape(text)}[/]" if is_grey else escape(text)
                for text, is_grey in zip(row, self._greyed(number), strict=True)
            ]
            table.add_row(*cells, style=STYLES[style])
        return table

    def _row_styles(self) -> Sequence[str]:
        return self.styles or [""] * len(self.rows)

    def _widths(self) -> list[int]:
        lines = [[column.heading for column in self.columns], *self.rows]
        return _stretched([max(map(len, cells)) for cells in zip(*lines, strict=True)])

    def _greyed(self, number: int | None) -> list[bool]:
        return [(number, column.heading) in self.grey for column in self.columns]

    def _line(
        self,
        texts: Sequence[str],
        widths: Sequence[int],
        number: int | None = None,
        style: str = "",
    ) -> str:
        """Lay out a line; its grey cells are coloured where it is the row of some number."""
        cells = [
            text.rjust(width) if column.is_right else text.ljust(width)
            for text, width, column in zip(texts, widths, self.columns, strict=True)
        ]
        cells = [
            _coloured(cell, _GREY) + _ANSI.get(style, "") if is_grey else cell
            for cell, is_grey in zip(cells, self._greyed(number), strict=True)
        ]
        return ("  " + "   ".join(cells)).rstrip()

    def _by_rich(self, width: int = MOST, colour: bool = False) -> str:
        from rich.console import Console

        console = Console(
            width=width,
            no_color=not colour,
            force_terminal=colour,
            color_system="standard" if colour else None,
            highlight=False,
            force_jupyter=False,
        )
        with console.capture() as capture:
            console.print(self.to_rich(width))
        return "\n".join(line.rstrip() for line in capture.get().strip("\n").splitlines())


def _coloured(line: str, style: str) -> str:
    return f"{_ANSI[style]}{line}{_RESET}" if style else line


def _without(items: Sequence[Item], index: int) -> list[Item]:
    return [*items[:index], *items[index + 1 :]]


def _is_plain(text: str) -> bool:
    """Whether rich would print it as it is, a column a character."""
    is_emoji = text.count(":") > 1  # such as :fire:
    return _PLAIN.issuperset(text) and text == text.strip() and not is_emoji


def _line_width(widths: Sequence[int]) -> int:
    """Each cell has a blank on both sides; one more is before, between and after cells."""
    return sum(widths) + 3 * len(widths) + 1 if widths else 0


def _stretched(widths: Sequence[int]) -> list[int]:
    """Widths of a table that is wide enough: wide cells get more of what is missing."""
    cells = [width + 2 for width in widths]
    missing, shares, stretched = max(LEAST - _line_width(widths), 0), sum(cells), []
    for width, cell in zip(widths, cells, strict=True):
        more = ceil(cell * missing / shares)
        missing, shares = missing - more, shares - cell
        stretched.append(width + more)
    return stretched
