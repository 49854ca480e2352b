"""Facts: named values about datums, beside their content.

Tags, findings and scores of data quality are facts: a source (a plugin, or people) gives them to
stored datums, filters use them as ``fact.SOURCE.NAME``, and they never change a digest.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

from velour_plugin.domain.storable_text import LONGEST_NAME, is_name, is_storable
from velour_plugin.errors import InvalidInput
from velour_plugin.helpers.representation import shortened

FactItem = Union[float, str]
FactValue = Union[float, str, Sequence[FactItem]]
"""A number, a text, or a list of these; an empty list is no fact."""

TAGS = "fact.tags"
"""The property of filters that holds the list of a datum's tags."""
TAG_SOURCE = "tags"

_SOURCE = re.compile(r"[A-Za-z_][\w-]*")


def fact_name(source: str, name: str) -> str:
    """Return the name of a fact as a property in filters.

    >>> fact_name("quality", "blur")
    'fact.quality.blur'
    """
    return TAGS if source == TAG_SOURCE and name == TAG_SOURCE else f"fact.{source}.{name}"


def fact_parts(name: str) -> tuple[str, str]:
    """Split a name as :func:`fact_name` makes it into source and name of the fact."""
    if name == TAGS:
        return TAG_SOURCE, TAG_SOURCE
    source, _, rest = name.removeprefix("fact.").partition(".")
    return source, rest


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts of one source about the datums of a dataset version.

    Args:
        source: where they come from, such as ``quality``: a word without dots.
        revision: of the source: facts of a new revision replace the old.
        values: by name of the fact, by uid of the datum: finite numbers, texts, or lists of these.

    Raises:
        InvalidInput: a source, name or value breaks a rule.

    >>> Facts("quality", "1", {"blur": {"image 1": 1}}).values
    {'blur': {'image 1': 1.0}}
    """

    source: str
    revision: str
    values: Mapping[str, Mapping[str, FactValue]]

    def __post_init__(self) -> None:
        if not is_storable(self.source) or not _SOURCE.fullmatch(self.source):
            raise InvalidInput(
                f"fact source {self.source!r}: expected a word of letters, digits, _ and -, such "
                "as 'quality'."
            )
        if self.source == TAG_SOURCE:
            raise InvalidInput("fact source 'tags' is people's: use store.tag(dataset, 'tag').")
        checked_text("fact revision", self.revision)
        columns = self.values.values() if isinstance(self.values, Mapping) else [None]
        if not all(isinstance(column, Mapping) for column in columns):
            raise InvalidInput(
                f"values of facts {shortened(self.values)}: expected a mapping of names to "
                "mappings of uids, such as {'blur': {'image 1': 0.5}}."
            )
        checked = {
            checked_text("fact name", name): {
                uid: _checked_value(fact_name(self.source, name), value)
                for uid, value in column.items()
            }
            for name, column in self.values.items()
        }
        object.__setattr__(self, "values", checked)


def checked_text(kind: str, text: Any) -> str:
    """Return a non-empty text that databases can hold, or refuse it.

    Raises:
        InvalidInput: it is no such text.
    """
    if not is_name(text):
        raise InvalidInput(
            f"{kind} {shortened(text)}: expected a non-empty string without U+0000, of at most "
            f"{LONGEST_NAME:,} bytes."
        )
    return str(text)


def _checked_value(name: str, value: Any) -> FactValue:
    if isinstance(value, (list, tuple)):
        return tuple(_checked_item(name, item) for item in value)
    return _checked_item(name, value)


def _checked_item(name: str, item: Any) -> FactItem:
    if item == "" or is_name(item):
        return str(item)
    if isinstance(item, numbers.Real) and not isinstance(item, bool) and math.isfinite(item):
        return float(item)
    raise InvalidInput(
        f"{name} {shortened(item)}: a fact is a finite number, a string without U+0000 of at most "
        f"{LONGEST_NAME:,} bytes, or a list of these; write a boolean as 1 or 0, and leave out "
        "unknown values."
    )
