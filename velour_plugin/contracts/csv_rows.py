"""One door for CSV files, whoever wrote them: encoding, separator, names of columns, rows."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from os import PathLike

from velour_plugin.domain.inputs.reading import note_repaired, note_skipped
from velour_plugin.errors import BadDataset
from velour_plugin.helpers.input_files import read_bytes

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_csv(
    path: str | PathLike[str], name: str, columns: Sequence[str]
) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Read a CSV file with a header; a gzipped one is unpacked.

    Args:
        path: of the file.
        name: of the file in messages.
        columns: names that its header may have; the separator is the one that yields most of them.

    Returns:
        The names of the columns, and the cells of each row by them; blank lines are no rows.

    Raises:
        UnreadableFile: it cannot be opened.
        BadDataset: it is no text, has no header, names a column twice, or a row has more
            cells than the header.
    """
    text = decoded(read_bytes(path, name), name)
    # A cell is as long as it is: outlines of thousands of points pass csv's own limit. Never
    # lowered again, as another thread may be reading.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    separator = _separator(text, columns, name)
    lines = _cells(text, separator, name)
    header = next((cells for _, cells in lines if any(cells)), None)
    if header is None:
        raise BadDataset(f"{name} is empty: expected a CSV with a header and a row for each image.")
    strip = any(cell != cell.strip() for cell in header)
    if strip:
        note_repaired("tables with blanks around their cells, left out", name)
    names = _names([cell.strip() for cell in header], name)
    rows = [_row(names, cells, line, strip, name) for line, cells in lines if any(cells)]
    return tuple(filter(None, names)), rows


def decoded(content: bytes, name: str) -> str:
    """Return a text in UTF-8 or, with a byte order mark, in UTF-16.

    Raises:
        BadDataset: it is neither.
    """
    try:
        return content.decode(_MARKS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadDataset(
            f"{name} is no text in UTF-8: {error.reason} at byte {error.start}; save it as UTF-8."
        ) from error


def _separator(text: str, columns: Sequence[str], name: str) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    known = set(columns)
    found = {
        separator: len(known.intersection(cell.strip(' "') for cell in header.split(separator)))
        for separator in _SEPARATORS
    }
    separator = max(found, key=lambda each: found[each])  # the first of equals: a comma
    if separator != ",":
        note_repaired(f"tables separated by {_SEPARATORS[separator]}", name)
    return separator


def _cells(text: str, separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise BadDataset(
            f"{name}, line {reader.line_num}: {error}: expected a CSV whose cells are quoted where "
            "they contain quotes or line breaks."
        ) from error


def _names(header: Sequence[str], name: str) -> Sequence[str]:
    twice = [column for column, count in Counter(filter(None, header)).items() if count > 1]
    if twice:
        raise BadDataset(f"{name} has two columns {twice[0]!r}: give each a name of its own.")
    if "" in header:
        note_skipped("columns without a name", name, header.count(""))
    return header


def _row(
    names: Sequence[str], cells: list[str], line: int, strip: bool, name: str
) -> dict[str, str]:
    if any(cells[len(names) :]):
        raise BadDataset(
            f"{name}, line {line}: {len(cells)} cells for {len(names)} columns: quote cells that "
            "contain the separator."
        )
    if len(cells) < len(names):
        note_repaired("rows shorter than their header, filled with blanks", f"{name}, line {line}")
        cells = cells + [""] * (len(names) - len(cells))
    if strip:
        cells = [cell.strip() for cell in cells]
    return {column: cell for column, cell in zip(names, cells, strict=False) if column}
