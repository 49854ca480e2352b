"""Write an expression tree as CQL2 text, which parses to the same filter."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from velour_plugin.filters.language.tree import (
    ARITHMETIC,
    COMPARISONS,
    Call,
    Literal,
    Node,
    Property,
    utc_text,
)
from velour_plugin.helpers.libraries import is_geometry, shapely

_BARE = re.compile(r"[^\W\d][\w.:]*")
_KEYWORDS = frozenset(
    ("and", "or", "not", "in", "like", "between", "is", "null", "true", "false", "div")
)
_CALL = 7
_BINDING = {
    "or": 1,
    "and": 2,
    **dict.fromkeys((*COMPARISONS, "in", "between", "like", "isnull"), 3),
    "not": 3,
    **dict.fromkeys("+-", 4),
    **dict.fromkeys("*/", 5),
}
"""Precedence of operators: higher binds tighter."""


def to_text(node: Node) -> str:
    """Write an expression as CQL2 text.

    >>> to_text(Call(">", (Property("hour"), Literal(20.0))))
    'hour > 20'
    """
    if isinstance(node, Property):
        bare = _BARE.fullmatch(node.name) and node.name.lower() not in _KEYWORDS
        return node.name if bare else '"' + node.name.replace('"', '""') + '"'
    if isinstance(node, Literal):
        return _literal(node.value)
    return _call(node.op, [_operand(node.op, arg) for arg in node.args])


def _call(op: str, args: list[str]) -> str:
    if op in ("and", "or", *ARITHMETIC, *COMPARISONS):
        return f" {op.upper()} ".join(args)
    if op == "not":
        return f"NOT {args[0]}"
    if op == "in":
        return f"{args[0]} IN ({', '.join(args[1:])})"
    if op == "between":
        return f"{args[0]} BETWEEN {args[1]} AND {args[2]}"
    if op == "like":
        return f"{args[0]} LIKE {args[1]}"
    if op == "isnull":
        return f"{args[0]} IS NULL"
    if op.startswith("a_"):
        return f"{op.upper()}({args[0]}, ({', '.join(args[1:])}))"
    return f"{op.upper()}({', '.join(args)})"


def _operand(op: str, arg: Node) -> str:
    """An operand as text, in brackets where precedence needs them."""
    text = to_text(arg)
    if not isinstance(arg, Call):
        return text
    binding, around = _BINDING.get(arg.op, _CALL), _BINDING.get(op, 0)
    alike = op in ("and", "or") and binding == around
    return text if binding > around or alike else f"({text})"


def _literal(value: Any) -> str:
    if is_geometry(value):
        return str(shapely.to_wkt(value, rounding_precision=-1))
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP('{utc_text(value)}')"
    if isinstance(value, dt.date):
        return f"DATE('{value.isoformat()}')"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)
