"""Tables of text: laid out here where that is plain, by rich where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

LEAST, MOST = 40, 200
"""Characters of a line: a narrower table is stretched, a wider one is wrapped."""
_PLAIN = frozenset(map(chr, range(32, 127))) - {"["} | {"–"}
"""Characters that are one column wide each, and begin no markup of rich's."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """Cells under headings.

    Args:
        title: a line above.
        columns: headings, and whether the cells below stand at the right.
        rows: texts, as many as there are columns.
    """

    title: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        headings = [heading for heading, _ in self.columns]
        lines = [headings, *self.rows]
        widths = _stretched([max(map(len, cells)) for cells in zip(*lines, strict=True)])
        width = _line_width(widths)
        is_plain = all(_is_plain(text) for line in [[self.title], *lines] for text in line)
        if not (self.title and is_plain) or not LEAST <= width <= MOST or len(self.title) > width:
            return self._by_rich()
        head, *body = [self._line(line, widths) for line in lines]
        return "\n".join([self.title, "", head, " " + "─" * (width - 2), *body, ""])

    def to_rich(self) -> Table:
        """The same for rich, which may colour it; brackets in names are no markup."""
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        title = escape(self.title)
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, min_width=LEAST)
        for heading, is_right in self.columns:
            table.add_column(escape(heading), justify="right" if is_right else "left")
        for row in self.rows:
            table.add_row(*map(escape, row))
        return table

    def _line(self, texts: Sequence[str], widths: Sequence[int]) -> str:
        cells = (
            text.rjust(width) if is_right else text.ljust(width)
            for text, width, (_, is_right) in zip(texts, widths, self.columns, strict=True)
        )
        return ("  " + "   ".join(cells)).rstrip()

    def _by_rich(self) -> str:
        """Without colours, lines without blanks at their ends."""
        from rich.console import Console

        console = Console(width=MOST, no_color=True, force_terminal=False)
        with console.capture() as capture:
            console.print(self.to_rich())
        return "\n".join(line.rstrip() for line in capture.get().strip("\n").splitlines())


def _is_plain(text: str) -> bool:
    """Whether rich would print it as it is, a column a character."""
    is_emoji = text.count(":") > 1  # such as :fire:
    return _PLAIN.issuperset(text) and text == text.strip() and not is_emoji


def _line_width(widths: Sequence[int]) -> int:
    """Each cell has a blank on both sides, and one stands before, between and after them."""
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
