"""Where in the text of a filter a part of it stands.

The grammar's tree has no positions, but its leaves come in the order of the text: so each
leaf takes the next token that spells it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*")
      |(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d][\w.:]*)""",
    re.VERBOSE,
)
_BETWEEN_OPERANDS = frozenset(("and", "or", "not", "between", "in", "like", "is", "div"))
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
        found = [_token(match) for match in _TOKEN.finditer(self.text)]
        words = ["" if kind == "text" else str(value).lower() for kind, value, _ in found]
        null = [
            word == "null" and before in ("is", "not") for before, word in pairwise(["", *words])
        ]
        self.tokens = [
            ("name" if kind == "quoted" else kind, value, offset)
            for (kind, value, offset), word, skip in zip(found, words, null, strict=True)
            if kind != "name" or not (skip or word in _BETWEEN_OPERANDS)
        ]

    def here(self) -> str:
        """Where the next leaf stands: ``column 7``, counted from 1."""
        if self.next >= len(self.tokens):
            return "its end"
        return place_of(self.text, self.tokens[self.next][2])

    def passed(self, spelled: Any) -> None:
        """Go past a leaf, or past the name of a function whose operands follow."""
        if isinstance(spelled, str):
            self._go_past("text", spelled)
        elif isinstance(spelled, bool) or spelled is None:
            self._go_past("name", "null" if spelled is None else str(spelled).lower())
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
        self._go_past("name", str(spelled[word]) if word in ("op", "type") else word)
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
        if self.tokens[self.next : self.next + 1]:
            kind, value, _ = self.tokens[self.next]
            self.next += kind == "number" and value == number


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
    return kind, said, found.start()


def _leaves(spelled: Any) -> int:
    """How many tokens a literal has after its name."""
    if isinstance(spelled, Mapping):
        return sum(map(_leaves, spelled.values()))
    return sum(map(_leaves, spelled)) if isinstance(spelled, (list, tuple)) else 1
