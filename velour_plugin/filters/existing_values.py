"""Hints for filters that select nothing: values that the datums do have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.errors import NothingSelected
from velour_plugin.filters.comparable_values import readings
from velour_plugin.filters.interpret import looked_up
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.kinds import contradictions, kinds_of
from velour_plugin.filters.language.tree import (
    COMPARISONS,
    Call,
    Literal,
    Node,
    Property,
    conjuncts,
)

_MOST = 5
"""Values that a hint names."""


def nothing_selected(
    node: Node | None, names: str, datums: Sequence[Datum], purpose: str
) -> NothingSelected:
    """The error of a filter that selects nothing, with what may be wrong in it.

    Args:
        node: the filter.
        names: of the datasets, for the message.
        datums: that it was evaluated on; none where they are not in memory.
        purpose: what they were selected for: ``evaluate``.
    """
    count = f"{len(datums):,} " if datums else ""
    none = f"the filter selects none of the {count}datums of {names}: nothing to {purpose}."
    return NothingSelected("\n".join([none, *contradictions(node), *value_hints(node, datums)]))


def value_hints(node: Node | None, datums: Sequence[Datum]) -> list[str]:
    """Return a line for each literal that no datum's metadata can meet: its type, or its text.

    Only conditions that must be true for all are looked at.

    Args:
        node: a filter that selects none of the datums.
        datums: of the dataset.
    """
    hints: list[str] = []
    for part in conjuncts(node):
        if isinstance(part, Call) and part.op in (*COMPARISONS, "in", "between"):
            hints += _type_hints(part, datums)
            hints += _text_hints(part, datums) if part.op in ("=", "in") else []
    return hints


def _type_hints(part: Call, datums: Sequence[Datum]) -> list[str]:
    """Literals of a type that a property has nowhere, such as ``hour = '20'`` of a number."""
    named = [arg for arg in part.args if isinstance(arg, Property)]
    literals = [arg for arg in part.args if isinstance(arg, Literal)]
    if len(named) != 1 or not named[0].path or named[0].about != "datum":
        return []
    present = [looked_up(encode_metadata(datum.metadata), named[0].path) for datum in datums]
    present = [value for value in present if readings(value)]
    known = {kind for value in present for kind in readings(value)}
    wrong = [item for item in literals if known and not known & kinds_of(item)]
    return [
        f"{named[0].name} is never of the type of {to_text(item)}: a value is "
        f"{to_text(_literal_of(present[0]))}{_as_number(item, known)}."
        for item in wrong
    ]


def _literal_of(value: Any) -> Literal:
    tagged = next(iter(value.values())) if isinstance(value, Mapping) else value
    return Literal(tagged)


def _as_number(item: Literal, known: Collection[str]) -> str:
    """How to write a number that was written as a text."""
    try:
        return f"; write {float(item.value):g} without quotes" if "number" in known else ""
    except (TypeError, ValueError):
        return ""


def _text_hints(part: Call, datums: Sequence[Datum]) -> list[str]:
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
