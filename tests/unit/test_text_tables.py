"""Tables of text are what rich would print, whoever lays them out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from velour_plugin.answers.text import TextColumn, TextTable

TEXTS = st.text("abc de:–[/]é火", max_size=12) | st.text("ab", max_size=90)


@st.composite
def tables(draw: st.DrawFn) -> TextTable:
    """One to five columns and up to four rows."""
    count = draw(st.integers(1, 5))
    line = st.lists(TEXTS.filter(lambda text: "[" not in text), min_size=count, max_size=count)
    sides = st.lists(st.booleans(), min_size=count, max_size=count)
    columns = list(map(TextColumn, draw(line), draw(sides)))
    return TextTable(draw(TEXTS), columns, draw(st.lists(line, max_size=4)))


@given(tables())
def test_a_table_is_laid_out_as_by_rich(table: TextTable) -> None:
    assert str(table) == table._by_rich()


def test_brackets_of_names_are_no_markup() -> None:
    """Neither what would colour, nor what rich refuses as an end without a beginning."""
    text = str(TextTable("[/]", [TextColumn("[red]", False)], [["[/red]"]]))
    assert [line.strip() for line in text.splitlines() if "[" in line] == ["[/]", "[red]", "[/red]"]


def test_a_plain_table_does_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TextTable, "to_rich", None)
    table = TextTable(
        "mAP on fires: 4 of 4",
        [TextColumn("rank", True), TextColumn("model", False)],
        [["1", "a–b"]],
    )
    assert str(table).splitlines() == [
        "mAP on fires: 4 of 4",
        "",
        "              rank   model",
        " " + "─" * 38,
        "                 1   a–b",
    ]
