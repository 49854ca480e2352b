"""Class names of the numbers in label images: a list, a mapping by number, or a file.

A file is text with a name a line, from 0 on; a line ``255: void`` names a number of its own. Or it
is JSON, a list of names or an object of numbers and names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from velour_plugin.domain.labels import DEFAULT_KEY, Label
from velour_plugin.errors import BadAnnotation, BadDataset, InvalidInput
from velour_plugin.helpers.input_files import read_bytes
from velour_plugin.helpers.json_text import parse_json
from velour_plugin.helpers.representation import shortened

MOST = 65_535
"""The largest number of a pixel of 16 bits."""
_NUMBERED = re.compile(r"(\d+)\s*:\s*(\S.*)")


def numbered_names(labels: Any) -> dict[int, str]:
    """Read the names of classes by their numbers.

    Args:
        labels: names in the order of their numbers from 0; a mapping of numbers to names; or the
            path of a file of either.

    Raises:
        InvalidInput: it is something else, or a file that cannot be read.
        BadDataset: a number or a name breaks a rule, or a list has a name twice.

    >>> numbered_names(["road", "car"])
    {0: 'road', 1: 'car'}
    """
    if isinstance(labels, (str, os.PathLike)):
        return _checked(_pairs_in(labels), f"labels {os.fspath(labels)!r}")
    if isinstance(labels, Mapping):
        return _checked(labels.items(), "labels")
    if not isinstance(labels, Iterable):
        raise InvalidInput(
            f"labels {labels!r}: expected names in the order of their numbers, a mapping of "
            "numbers to names, or the path of a file of either."
        )
    return _checked(_listed(labels, "labels"), "labels")


def class_count(names: Mapping[int, str]) -> int:
    """Return how many classes a volume of scores has: those numbered from 0 without a gap.

    >>> class_count({0: "road", 1: "car", 255: "void"})
    2
    """
    return next(number for number in range(len(names) + 1) if number not in names)


def _pairs_in(path: str | os.PathLike[str]) -> Iterator[tuple[Any, Any]]:
    where = f"labels {os.fspath(path)!r}"
    try:
        text = read_bytes(path, where).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDataset(f"{where}: neither text in UTF-8 nor JSON: {error}.") from error
    content = parse_json(text, where) if text.lstrip()[:1] in ("{", "[") else None
    if isinstance(content, Mapping):
        return iter(content.items())
    return _listed(content if content is not None else _lines(text), where)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _listed(names: Iterable[Any], where: str) -> Iterator[tuple[Any, Any]]:
    """Number names from 0; names that have a number of their own are not counted."""
    following = 0
    seen: set[Any] = set()
    for name in names:
        numbered = _NUMBERED.fullmatch(name) if isinstance(name, str) else None
        if numbered:
            yield numbered[1], numbered[2]
            continue
        if isinstance(name, str) and name in seen:
            raise BadDataset(
                f"{where}: two classes are called {name!r}: give each a name of its own, or number "
                f"both, as '0: {name}', to make them one."
            )
        seen.add(name if isinstance(name, str) else None)
        yield following, name
        following += 1


def _checked(pairs: Iterable[tuple[Any, Any]], where: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for key, name in pairs:
        number = _number(key)
        if number is None:
            raise BadDataset(
                f"{where}: number {shortened(key)}: expected a whole number from 0 to {MOST:,}."
            )
        if number in names:
            names_twice = f"{names[number]!r}, {name!r}"
            raise BadDataset(f"{where}: number {number} is named twice: {names_twice}.")
        try:
            names[number] = Label(DEFAULT_KEY, name).value
        except BadAnnotation as error:
            raise BadDataset(f"{where}, number {number}: {error}") from error
    if not names:
        raise BadDataset(f"{where}: no class is named: expected a name for each number.")
    return names


def _number(key: Any) -> int | None:
    if isinstance(key, (bool, int)):  # Python writes no number of 5,000 digits
        return key if not isinstance(key, bool) and 0 <= key <= MOST else None
    text = str(key).strip()
    return int(text) if re.fullmatch("[0-9]{1,5}", text) and int(text) <= MOST else None
