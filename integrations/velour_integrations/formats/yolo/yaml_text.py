"""YAML as the text that stands in it: lists, mappings and strings, and nothing else.

A class called ``no`` is that, and neither false nor, as ``1:30``, a number of minutes; a date that
does not exist is no error. Aliases share what they name, so that a short file stays small.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml  # type: ignore[import-untyped]

from velour_plugin.errors import BadDataset

DEEPEST = 50
"""Levels of lists and mappings inside each other."""
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def parse_yaml(content: bytes, where: str) -> Any:
    """Parse one document; every scalar is a string, ``""`` where nothing stands.

    Args:
        content: in UTF-8 or UTF-16.
        where: what it is, for messages.

    Raises:
        BadDataset: it is no YAML, is nested deeper than :data:`DEEPEST`, or has a key twice.

    >>> parse_yaml(b"names: [no, 1:30]", "data.yaml")
    {'names': ['no', '1:30']}
    """
    try:
        return _TextBuilder(yaml.parse(content, _LOADER)).document()
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        reason = f"{line}{error.problem or error.context}"
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # such as an impossible \U escape
        reason = " ".join(str(error).split())
    raise BadDataset(f"{where} is no YAML: {reason}.")


class _BreaksRule(ValueError):
    """YAML that breaks a rule of this module; says which, as the end of a sentence."""


class _TextBuilder:
    """Builds values from a parser's events, so that nothing too deep is read to its end."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.anchors: dict[str, Any] = {}

    def document(self) -> Any:
        """Return the only document; ``None`` when there is none."""
        documents = [
            self._value(event, 0) for event in self.events if isinstance(event, yaml.NodeEvent)
        ]
        if len(documents) > 1:
            raise _BreaksRule("it holds more than one document")
        return documents[0] if documents else None

    def _value(self, event: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise _BreaksRule(f"{_line(event)} is nested deeper than {DEEPEST} levels")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise _BreaksRule(f"{_line(event)}: *{event.anchor} names nothing above it")
            return self.anchors[event.anchor]
        if isinstance(event, yaml.ScalarEvent):
            return self._anchored(event, event.value)
        if isinstance(event, yaml.MappingStartEvent):
            mapping = self._anchored(event, {})
            self._fill(mapping, depth + 1)
            return mapping
        items = self._anchored(event, [])
        items.extend(self._until_end(depth + 1))
        return items

    def _anchored(self, event: Any, value: Any) -> Any:
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def _fill(self, mapping: dict[str, Any], depth: int) -> None:
        parts = self._until_end(depth)
        for key in parts:
            if not isinstance(key, str):
                raise _BreaksRule("a key is a list or mapping, expected text")
            if key in mapping:
                raise _BreaksRule(f"the key {key[:60]!r} stands twice in one mapping")
            mapping[key] = next(parts)

    def _until_end(self, depth: int) -> Iterator[Any]:
        for event in self.events:
            if isinstance(event, yaml.CollectionEndEvent):
                return
            yield self._value(event, depth)


def _line(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"
