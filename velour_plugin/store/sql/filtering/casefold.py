"""Python's ``str.casefold`` in SQL, for a database that has only ``lower``.

The two agree to the character: the mapping that is sent is made from Python's own tables.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, TEXT, aggregate_order_by


def casefolded(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """SQL for a text without its case, letter by letter; most is ASCII, which is quicker."""
    split = func.regexp_split_to_table(text, "")
    letters = split.table_valued("letter", with_ordinality="place", name="letters")
    letters = letters.render_derived()
    letter = letters.c.letter
    becomes = cast(literal(_letters(), TEXT), JSONB).op("->>", return_type=TEXT())(letter)
    in_order = aggregate_order_by(literal("", TEXT), letters.c.place)
    joined = func.string_agg(func.coalesce(becomes, letter), in_order, type_=TEXT)
    folded = select(joined).select_from(letters).scalar_subquery()
    ascii_only = func.octet_length(text) == func.char_length(text)
    return case((ascii_only, func.lower(text, type_=TEXT)), else_=folded).collate("C")


@lru_cache(maxsize=1)
def _letters() -> str:
    """The case folding of each letter that changes, as JSON."""
    letters = map(chr, range(sys.maxunicode + 1))
    changed = {letter: letter.casefold() for letter in letters if letter != letter.casefold()}
    return json.dumps(changed, ensure_ascii=False)
