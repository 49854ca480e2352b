"""What COCO files hold: lists of images, categories and annotations, and lists of results."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from velour_integrations.formats.other_formats import way_out
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import (
    DEFAULT_KEY,
    LabelName,
    Path,
    natural_argsort,
    note_repaired,
    note_skipped,
    parse_json,
)

Json = Mapping[str, Any]
_WRAPPERS = ("annotations", "predictions", "results", "detections")
"""Keys under which tools put a list of results."""


def parse_instances(text: bytes, path: Path) -> Json:
    """Read ground truth: an object with images, annotations and categories."""
    content = _parsed(text, path)
    if not isinstance(content, Mapping):
        raise BadDataset(
            f"{_file(path)} holds a {type(content).__name__}, expected an object with images, "
            f"annotations and categories: COCO.{way_out(text, 'coco')}"
        )
    missing = [part for part in ("images", "annotations", "categories") if part not in content]
    if missing and way_out(text, "coco"):
        raise BadDataset(f"{_file(path)} has no list {missing[0]!r}.{way_out(text, 'coco')}")
    return content


def parse_results(text: bytes, path: Path) -> tuple[Sequence[Json], Json]:
    """Read results: a list, or the only one in an object, as tools wrap it.

    Returns:
        The results, and the object around them; an empty one where there is none.
    """
    content = _parsed(text, path)
    around: Json = {}
    if isinstance(content, Mapping):
        around, lists = content, [key for key in _WRAPPERS if isinstance(content.get(key), list)]
        if len(lists) != 1:
            keys = ", ".join(map(repr, list(content)[:5])) or "nothing"
            raise BadDataset(
                f"{_file(path)} holds a dict of {keys}, expected a list of results: COCO."
                f"{way_out(text, 'coco')}"
            )
        content = content[lists[0]]
        note_repaired("lists of results inside an object, taken out", f"{_file(path)}, {lists[0]}")
    if not isinstance(content, list):
        raise BadDataset(
            f"{_file(path)} holds a {type(content).__name__}, expected a list of results: COCO."
        )
    for position, result in enumerate(content):
        if not isinstance(result, Mapping) or "score" not in result:
            hint = " This is ground truth." if "categories" in around else ""
            raise BadDataset(
                f"{entry_at(path, 'result', position)}: expected an object with a score.{hint}"
            )
    return content, around


def entries_by_id(content: Json, part: str, what: str, path: Path) -> dict[Any, Json]:
    """Return entries of one part by their ids, in the order of the ids; annotations as they are."""
    entries = content.get(part)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadDataset(f"{_file(path)} has no list {part!r} of objects, as COCO has.")
    numbers = [entry.get("id") for entry in entries]
    if set(map(type, numbers)) <= {int} and len(set(numbers)) == len(numbers):
        by_id = dict(zip(numbers, entries, strict=True))
    else:
        by_id = _one_by_one(entries, what, path)
    if what == "annotation":
        return by_id
    names = list(by_id)
    order = natural_argsort(list(map(str, names)))
    return {names[index]: by_id[names[index]] for index in order}


def without_twins(categories: dict[Any, Json], used: set[str], path: Path) -> dict[Any, Json]:
    """Return categories without those that no annotation uses and whose name another one has.

    Roboflow's files have such a category 0.

    Args:
        categories: by their ids.
        used: ids that annotations have, as texts.
        path: of the file.

    Raises:
        BadDataset: two categories that are used have one name.
    """
    by_name: dict[LabelName, list[Any]] = {}
    for number, label in zip(categories, labels_of(categories, path), strict=True):
        by_name.setdefault(label, []).append(number)
    left_out = []
    for (_, name), numbers in by_name.items():
        in_use = [number for number in numbers if str(number) in used]
        if len(in_use) > 1:
            raise BadDataset(
                f"{_file(path)}: two categories are called {name!r} ({in_use[0]!r} and "
                f"{in_use[1]!r}); give each a name of its own."
            )
        keep = in_use[0] if in_use else numbers[0]
        left_out += [number for number in numbers if number != keep]
    for number in left_out:
        where = f"{_file(path)}, category {number!r}"
        note_skipped("categories without annotations that share another's name", where)
    return {number: entry for number, entry in categories.items() if number not in left_out}


def labels_of(categories: Mapping[Any, Json], path: Path) -> list[LabelName]:
    """Return the names of categories as labels; the id of one that has none."""
    return [(DEFAULT_KEY, _name_of(number, entry, path)) for number, entry in categories.items()]


def entry_at(path: Path, what: str, position: int) -> str:
    """Return where an entry stands, for messages; counted from 1."""
    return f"{_file(path)}, {what} number {position + 1}"


def _file(path: Path) -> str:
    return repr(os.fspath(path))


def _parsed(text: bytes, path: Path) -> Any:
    try:
        return parse_json(text, _file(path))
    except BadDataset as error:
        hint = way_out(text, "coco")
        raise BadDataset(f"{error}{hint}") from error


def _one_by_one(entries: Sequence[Json], what: str, path: Path) -> dict[Any, Json]:
    by_id: dict[Any, Json] = {}
    seen: set[str] = set()
    for position, entry in enumerate(entries):
        number = entry.get("id")
        if number is None and what == "annotation":  # nothing refers to it
            by_id[None, position] = entry
            continue
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        if isinstance(number, bool) or not isinstance(number, (int, str)):
            raise BadDataset(
                f"{entry_at(path, what, position)}: id {number!r}: expected a whole number or text."
            )
        if str(number) in seen:
            raise BadDataset(f"{entry_at(path, what, position)}: id {number!r} occurs twice.")
        seen.add(str(number))
        by_id[number] = entry
    return by_id


def _name_of(number: Any, entry: Json, path: Path) -> str:
    name = entry.get("name")
    if name is None:
        return str(number)
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise BadDataset(f"{_file(path)}, category {number!r}: name {name!r}: expected a text.")
    return str(name)
