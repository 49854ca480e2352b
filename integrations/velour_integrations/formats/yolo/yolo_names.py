"""Names of YOLO's classes: where they stand, and which one a number means."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from velour_integrations.formats.row_builder import read_lines
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import note_skipped, read_bytes

YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml")
NAME_LISTS = ("classes.txt", "obj.names", "_darknet.labels")
_NOTHING = ("", "~", "null", "Null", "NULL")
_MOST = 1e6
"""Classes that have no names; above 2**53 a number would not even be its own."""


class ClassNames:
    """The classes of a data set by their numbers, and which of them its labels use.

    Args:
        names: in the order of the numbers; empty where classes are called by their numbers.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.used: set[float] = set()

    def name_of(self, number: float, where: str) -> str:
        """Return the name of a class.

        Raises:
            BadDataset: no class has that number, or it has no name.
        """
        if not (number.is_integer() and 0 <= number < (len(self.names) or _MOST)):
            classes = len(self.names)
            last = f" to {classes - 1}, one of the {classes} classes" if classes else ""
            raise BadDataset(f"{where}: class {number:g}: expected a whole number from 0{last}.")
        name = self.names[int(number)] if self.names else str(int(number))
        if not name:
            raise BadDataset(f"{where}: class {number:g} has no name of its own.")
        self.used.add(number)
        return name

    def without_twins(self, where: str) -> list[str]:
        """Return the names; one that no label uses, and another class has, is left empty.

        Raises:
            BadDataset: two classes of one name are used.
        """
        names = list(self.names)
        numbers_of: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            numbers_of.setdefault(name, []).append(number)
        for name, numbers in numbers_of.items():
            for number in self._left_out(numbers, where) if name and len(numbers) > 1 else ():
                rule = "classes without annotations that share another's name"
                note_skipped(rule, f"{where}, class {number}")
                names[number] = ""
        return names

    def _left_out(self, numbers: list[int], where: str) -> list[int]:
        """All but one of the classes of one name: that which is used, or the first."""
        in_use = [number for number in numbers if number in self.used]
        if len(in_use) > 1:
            raise BadDataset(
                f"{where}: two classes are called {self.names[in_use[0]][:60]!r} ({in_use[0]} and "
                f"{in_use[1]}); give each a name of its own."
            )
        return [number for number in numbers if number != (in_use or numbers)[0]]


def names_in(folder: Path) -> tuple[str, ...]:
    """Return the classes that a file of this very folder names; empty without such a file."""
    for name in YAML_NAMES:
        if (folder / name).is_file():
            return names_of(read_yaml(folder / name), folder / name)
    for name in NAME_LISTS:
        if (folder / name).is_file():
            return names_listed(folder / name)
    return ()


def names_listed(path: Path) -> tuple[str, ...]:
    """Return the classes of a file with one a line."""
    lines = (line.strip() for line in read_lines(path))
    return tuple(line for line in lines if line)


def names_above(path: Path) -> tuple[str, ...]:
    """Return the classes that a file in a folder, its labels or one of the three above names."""
    start = path if path.is_dir() else path.parent
    for folder in (start, start / "labels", *list(start.parents)[:3]):
        names = names_in(folder)
        if names:
            return names
    return ()


def is_stated(content: Mapping[str, Any], key: str) -> bool:
    """Whether a data.yaml says something for a key; many have a key and no value."""
    value = content.get(key)
    return bool(value) and value not in _NOTHING


def read_yaml(path: Path) -> Mapping[str, Any]:
    """Return the content of a data.yaml, as text.

    Raises:
        BadDataset: it is no YAML, or no mapping.
    """
    from velour_integrations.formats.yolo.yaml_text import parse_yaml  # PyYAML is slow to import

    content = parse_yaml(read_bytes(path), repr(os.fspath(path)))
    if not isinstance(content, Mapping):
        raise BadDataset(f"{os.fspath(path)!r}: expected names and val, as in YOLO's data.yaml.")
    if "<<" in content:
        raise BadDataset(f"{os.fspath(path)!r}: '<<' is not read: write out what it merges.")
    return content


def names_of(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """Return the classes that a data.yaml names, in the order of their numbers; maybe none.

    Raises:
        BadDataset: it names them in another way.
    """
    names = content["names"] if is_stated(content, "names") else []
    if isinstance(names, Mapping):
        names = _in_order(names, path)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadDataset(
            f"{os.fspath(path)!r}: names: expected a list of texts, the classes in the order of "
            "their numbers, or a mapping of numbers to them."
        )
    return tuple(names)


def _in_order(names: Mapping[str, Any], path: Path) -> list[Any]:
    numbers = [int(key) if re.fullmatch("[0-9]{1,9}", key) else -1 for key in names]
    if sorted(numbers) != list(range(len(numbers))):
        raise BadDataset(
            f"{os.fspath(path)!r}: names: expected a name for every number from 0 to "
            f"{len(names) - 1}."
        )
    by_number = dict(zip(numbers, names.values(), strict=True))
    return [by_number[number] for number in range(len(numbers))]
