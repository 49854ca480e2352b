"""Where in the text of a filter a part of it stands.

The grammar's tree has no positions, but its leaves come in the order of the text: so each
leaf takes the next token that spells it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*")
      |(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d][\w.:]*)""",
    re.VERBOSE,
)
_BETWEEN_OPERANDS = frozenset(
    ("and", "or", "not", "between", "in", "like", "is", "isnull", "null", "div")
)
_TYPED = ("timestamp", "date", "interval", "bbox", "op", "type")


@dataclass(slots=True)
class Positions:
    """Walks along a filter's text as its leaves are read.

    Args:
        text: of the filter.
        tokens: kind, value and offset of each.
        next: the token that the next leaf begins at.
    """

    text: str
    tokens: list[tuple[str, Any, int]] = field(default_factory=list)
    next: int = 0

    def __post_init__(self) -> None:
        self.tokens = [_token(found) for found in _TOKEN.finditer(self.text)]

    def here(self) -> str:
        """Where the next leaf stands: ``column 7``, counted from 1."""
        ahead = (
            offset
            for kind, value, offset in self.tokens[self.next :]
            if kind != "name" or value.lower() not in _BETWEEN_OPERANDS
        )
        offset = next(ahead, None)
        return "the end" if offset is None else place_of(self.text, offset)

    def passed(self, spelled: Any) -> None:
        """Go past a leaf, or past the name of a function whose operands follow."""
        if isinstance(spelled, str):
            self._go_past("text", spelled)
        elif isinstance(spelled, bool):
            self._go_past("name", str(spelled).lower())
        elif isinstance(spelled, (int, float)):
            self._go_past_number(abs(float(spelled)))
        elif isinstance(spelled, Mapping):
            self._go_past_mapping(spelled)

    def _go_past_mapping(self, spelled: Mapping[str, Any]) -> None:
        if "property" in spelled:
            return self._go_past("name", str(spelled["property"]), exact=True)
        word = next((name for name in _TYPED if name in spelled), None)
        if word is None:
            return None
        name = str(spelled[word]).lower() if word in ("op", "type") else word
        if name in _BETWEEN_OPERANDS:
            return None
        self._go_past("name", name)
        if word != "op":
            self.next += _leaves(spelled.get("coordinates", spelled.get("geometries", spelled)))
        return None

    def _go_past(self, kind: str, value: str, exact: bool = False) -> None:
        wanted = value if exact or kind == "text" else value.lower()
        for place in range(self.next, len(self.tokens)):
            found, said, _ = self.tokens[place]
            said = said if exact or kind == "text" else str(said).lower()
            if found == kind and said == wanted:
                self.next = place + 1
                return

    def _go_past_number(self, number: float) -> None:
        """Only the very next one: a sign before a name is read as ``-1 *``, without a token."""
        ahead = self.tokens[self.next :]
        for step, (kind, value, _) in enumerate(ahead):
            if kind == "name" and value.lower() in _BETWEEN_OPERANDS:
                continue
            if kind == "number" and value == number:
                self.next += step + 1
            return


def place_of(text: str, offset: int) -> str:
    """Name a place in a text: ``column 7``, or with its line where there are several."""
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return f"line {line}, column {column}" if "\n" in text else f"column {column}"


def _token(found: re.Match[str]) -> tuple[str, Any, int]:
    kind = str(found.lastgroup)
    said = found.group()
    if kind == "number":
        return kind, float(said), found.start()
    if kind in ("text", "quoted"):
        mark = said[0]
        said = said[1:-1].replace(mark * 2, mark)
    return ("name" if kind == "quoted" else kind), said, found.start()


def _leaves(spelled: Any) -> int:
    """How many tokens a literal has after its name."""
    if isinstance(spelled, Mapping):
        return sum(map(_leaves, spelled.values()))
    return sum(map(_leaves, spelled)) if isinstance(spelled, (list, tuple)) else 1
