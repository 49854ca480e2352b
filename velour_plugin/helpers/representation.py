"""Short texts of values for people who look at them in a console or a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from reprlib import Repr
from typing import Any

_REPR = Repr()
_REPR.maxstring = _REPR.maxother = 80
_REPR.maxlevel = 4


def shortened(value: object) -> str:
    """Return a bounded text of any value, for messages: it may be enormous or nested deep.

    >>> shortened("x" * 1000) == "'" + "x" * 37 + "..." + "x" * 38 + "'", shortened([[[[[[7]]]]]])
    (True, '[[[[[...]]]]]')
    """
    try:
        return _REPR.repr(value)
    except (ValueError, RecursionError):  # a whole number of 5,000 digits has no text
        return f"an enormous {type(value).__name__}"


def short_repr(value: Any, text: Callable[[Any], str] = repr) -> str:
    """Return ``Name(field=value, …)`` of a dataclass, without the fields that have their defaults.

    Args:
        value: an instance of a dataclass.
        text: of the value of a field.
    """
    shown = [
        f"{item.name}={text(content)}"
        for item in fields(value)
        if not _is_default(item, content := getattr(value, item.name))
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def _is_default(item: Field[Any], content: Any) -> bool:
    if item.default_factory is not MISSING:
        return bool(content == item.default_factory())
    is_empty = item.default is None and content in ((), {})
    return is_empty or (item.default is not MISSING and bool(content == item.default))
