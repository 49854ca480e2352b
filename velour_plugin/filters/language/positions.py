"""Positions of a filter's parts in its text, for messages.

The grammar's tree has no positions, but its leaves come in the order of the text: so each
leaf takes the next token that matches it.
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
        tokens = [_token(match) for match in _TOKEN.finditer(self.text)]
        words = ["" if kind == "text" else str(value).lower() for kind, value, _ in tokens]
        null = [
            word == "null" and before in ("is", "not") for before, word in pairwise(["", *words])
        ]
        self.tokens = [
            ("name" if kind == "quoted" else kind, value, offset)
            for (kind, value, offset), word, skip in zip(tokens, words, null, strict=True)
            if kind != "name" or not (skip or word in _BETWEEN_OPERANDS)
        ]

    def here(self) -> str:
        """Return the position of the next leaf: ``column 7``, counted from 1."""
        if self.next >= len(self.tokens):
            return "its end"
        return position_in(self.text, self.tokens[self.next][2])

    def passed(self, leaf: Any) -> None:
        """Advance past a leaf, or past the name of a function whose operands follow."""
        if isinstance(leaf, str):
            self._go_past("text", leaf)
        elif isinstance(leaf, bool) or leaf is None:
            self._go_past("name", "null" if leaf is None else str(leaf).lower())
        elif isinstance(leaf, (int, float)):
            self._go_past_number(abs(float(leaf)))
        elif isinstance(leaf, Mapping):
            self._go_past_mapping(leaf)

    def _go_past_mapping(self, leaf: Mapping[str, Any]) -> None:
        if "property" in leaf:
            return self._go_past("name", str(leaf["property"]), exact=True)
        word = next((name for name in _TYPED if name in leaf), None)
        if word is None:
            return None
        self._go_past("name", str(leaf[word]) if word in ("op", "type") else word)
        if word != "op":
            self.next += _leaves(leaf.get("coordinates", leaf.get("geometries", leaf)))
        return None

    def _go_past(self, kind: str, value: str, exact: bool = False) -> None:
        expected = value if exact or kind == "text" else value.lower()
        for index in range(self.next, len(self.tokens)):
            token_kind, token, _ = self.tokens[index]
            token = token if exact or kind == "text" else str(token).lower()
            if token_kind == kind and token == expected:
                self.next = index + 1
                return

    def _go_past_number(self, number: float) -> None:
        """Go past the next token only: a sign before a name becomes ``-1 *``, without a token."""
        if self.tokens[self.next : self.next + 1]:
            kind, value, _ = self.tokens[self.next]
            self.next += kind == "number" and value == number


def position_in(text: str, offset: int) -> str:
    """Describe a position in a text: ``column 7``, with the line where there are several."""
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return f"line {line}, column {column}" if "\n" in text else f"column {column}"


def _token(match: re.Match[str]) -> tuple[str, Any, int]:
    kind = str(match.lastgroup)
    text = match.group()
    if kind == "number":
        return kind, float(text), match.start()
    if kind in ("text", "quoted"):
        mark = text[0]
        text = text[1:-1].replace(mark * 2, mark)
    return kind, text, match.start()


def _leaves(literal: Any) -> int:
    """Number of tokens of a literal after its name."""
    if isinstance(literal, Mapping):
        return sum(map(_leaves, literal.values()))
    return sum(map(_leaves, literal)) if isinstance(literal, (list, tuple)) else 1
