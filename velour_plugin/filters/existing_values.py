"""Hints for filters that select nothing: values that the datums do have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from velour_plugin.domain.annotations import Datum
from velour_plugin.filters.interpret import looked_up
from velour_plugin.filters.language.tree import Call, Literal, Node, Property, conjuncts

_MOST = 5
"""Values that a hint names."""


def value_hints(node: Node | None, datums: Sequence[Datum]) -> list[str]:
    """Return a line for each text that a filter compares metadata with and that no datum has.

    Only ``=`` and ``IN`` with texts are looked at, where they must be true for all.

    Args:
        node: a filter that selects none of the datums.
        datums: of the dataset.
    """
    hints = []
    for part in conjuncts(node):
        if isinstance(part, Call) and part.op in ("=", "in"):
            hints += _hints(part, datums)
    return hints


def _hints(part: Call, datums: Sequence[Datum]) -> list[str]:
    prop, *items = part.args
    texts = [item.value for item in items if isinstance(item, Literal)]
    if not isinstance(prop, Property) or not prop.path or prop.about != "datum":
        return []
    values = {value for datum in datums if isinstance(value := _value(datum, prop), str)}
    return [
        f"No datum has {prop.name} = {text!r}; values are {_listed(nearest_first(text, values))}."
        for text in texts
        if isinstance(text, str) and values and text not in values
    ]


def _value(datum: Datum, prop: Property) -> Any:
    return looked_up(datum.metadata, prop.path)


def nearest_first(text: str, values: Iterable[str]) -> list[str]:
    """Sort values by their likeness to a text, whatever their case; equally like ones by name.

    >>> nearest_first("vegas", {"AOI_5_Khartoum", "AOI_2_Vegas"})
    ['AOI_2_Vegas', 'AOI_5_Khartoum']
    """
    from difflib import SequenceMatcher

    def unlikeness(value: str) -> tuple[bool, float, str]:
        pattern, folded = text.casefold(), value.casefold()
        return (pattern not in folded, -SequenceMatcher(None, pattern, folded).ratio(), value)

    return sorted(values, key=unlikeness)


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(repr(value) for value in values[:_MOST])
    return shown + (", …" if len(values) > _MOST else "")
