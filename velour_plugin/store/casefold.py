"""Python's ``str.casefold`` in SQL, for a database that knows lower case only.

The two agree to the character: what is sent is made from Python's own tables.
"""

from __future__ import annotations

import sys
from functools import lru_cache, reduce
from typing import Any

from sqlalchemy import ColumnElement, case, func
from sqlalchemy.dialects.postgresql import TEXT


def casefolded(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """Text without its case; most is ASCII, and few letters become more than one."""
    single, several = _tables()
    ascii_only = func.octet_length(text) == func.char_length(text)
    longer = reduce(
        lambda folded, pair: func.replace(folded, *pair, type_=TEXT), several.items(), text
    )
    has_longer = text.op("~", is_comparison=True)(f"[{''.join(several)}]")
    folded = func.translate(
        case((has_longer, longer), else_=text), *map("".join, single), type_=TEXT
    )
    return case((ascii_only, func.lower(text, type_=TEXT)), else_=folded).collate("C")


@lru_cache(maxsize=1)
def _tables() -> tuple[tuple[list[str], list[str]], dict[str, str]]:
    """Letters and what they become, and those that become several."""
    letters = [chr(code) for code in range(sys.maxunicode + 1) if chr(code) != chr(code).casefold()]
    several = {letter: letter.casefold() for letter in letters if len(letter.casefold()) > 1}
    single = [letter for letter in letters if letter not in several]
    return (single, [letter.casefold() for letter in single]), several
