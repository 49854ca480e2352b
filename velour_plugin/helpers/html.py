"""Tables of HTML for notebooks: the cells that the console shows, in colours of any theme."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

_STYLE = """<style>
.velour table {border-collapse: collapse; margin: 4px 0 8px}
.velour caption {caption-side: top; text-align: left; font-weight: bold; padding: 4px 0}
.velour th, .velour td {padding: 3px 10px; text-align: left; border: 0}
.velour th {border-bottom: 1px solid; font-weight: 600}
.velour .number {text-align: right; font-variant-numeric: tabular-nums}
.velour .best td {font-weight: bold}
.velour .undefined td, .velour td.dim {opacity: 0.6}
.velour p {margin: 2px 0}
.velour .footnote {font-size: 90%; opacity: 0.75}
</style>"""


def html_table(
    title: str,
    columns: Sequence[tuple[str, bool]],
    rows: Sequence[Sequence[str]],
    styles: Sequence[str] = (),
    meanings: Sequence[str] = (),
    grey: Collection[tuple[int, str]] = (),
) -> str:
    """Return one table as HTML, with its title as the caption.

    Args:
        title: of the table.
        columns: headings, and whether the cells below stand at the right.
        rows: texts, as many as there are columns; they are escaped here.
        styles: of each row: ``best``, ``undefined`` or nothing; none for plain rows.
        meanings: of each heading, shown when the pointer rests on it; none for no tooltips.
        grey: cells that cannot be trusted: the number of the row, and the column's heading.
    """
    marks = [' class="number"' if is_right else "" for _, is_right in columns]
    titles = [f' title="{escape(text)}"' if text else "" for text in meanings or [""] * len(marks)]
    of_heads = [mark + title for mark, title in zip(marks, titles, strict=True)]
    head = _cells("th", of_heads, [heading for heading, _ in columns])
    body = "".join(
        f"<tr{_class(style)}>{_cells('td', _greyed(marks, columns, number, grey), row)}</tr>"
        for number, (row, style) in enumerate(zip(rows, styles or [""] * len(rows), strict=True))
    )
    caption = f"<caption>{escape(title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_block(
    tables: Sequence[str], notes: Sequence[str] = (), footnotes: Sequence[str] = ()
) -> str:
    """Return tables as HTML with notes below them: what a notebook shows of an object.

    Args:
        tables: of :func:`html_table`.
        notes: texts, which are escaped here.
        footnotes: likewise, in smaller letters.
    """
    lines = [
        *(f"<p>{escape(note)}</p>" for note in notes),
        *(f'<p class="footnote">{escape(note)}</p>' for note in footnotes),
    ]
    return f'{_STYLE}<div class="velour">{"".join([*tables, *lines])}</div>'


def _cells(tag: str, marks: Sequence[str], texts: Sequence[str]) -> str:
    pairs = zip(marks, texts, strict=True)
    return "".join(f"<{tag}{mark}>{escape(text)}</{tag}>" for mark, text in pairs)


def _greyed(
    marks: Sequence[str],
    columns: Sequence[tuple[str, bool]],
    number: int,
    grey: Collection[tuple[int, str]],
) -> list[str]:
    """The marks of a row's cells, those of grey ones with one class more."""
    return [
        _class("number dim" if is_right else "dim") if (number, heading) in grey else mark
        for mark, (heading, is_right) in zip(marks, columns, strict=True)
    ]


def _class(style: str) -> str:
    return f' class="{style}"' if style else ""
