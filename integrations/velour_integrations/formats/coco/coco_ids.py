"""Positions of images and categories by the ids that annotations and results name them by."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.formats.coco.coco_content import Json
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import note_repaired

_WHOLE = re.compile(r"\s*([+-]?[0-9]+)(\.0*)?\s*")
Find = Callable[[Iterable[str], str], Mapping[str, int]]
"""Finds positions by names; the second argument says where they stand, for messages."""


class CocoIds:
    """Finds images or categories by id, whether a file writes it as a number or as text.

    Args:
        key: of an entry, such as ``image_id``.
        positions: by the ids of the instances file.
        by_name: finds positions by file names or classes, which some tools write for ids.
    """

    def __init__(self, key: str, positions: Mapping[Any, int], by_name: Find) -> None:
        self.key = key
        self.known = positions
        self.by_name = by_name

    def renumbered(self, positions: Mapping[Any, int]) -> CocoIds:
        """Return the ids of another file, for the same images or categories."""
        return CocoIds(self.key, positions, self.by_name)

    def positions(
        self, entries: Sequence[Json], at: Sequence[str], where: str
    ) -> NDArray[np.int32]:
        """Return the positions of what entries are about, ``(n,)``.

        Args:
            entries: annotations or results.
            at: where each stands, for messages.
            where: the file, for messages.

        Raises:
            BadDataset: an id is none of the file, naming the entry.
        """
        ids = [entry.get(self.key) for entry in entries]
        if set(map(type, ids)) <= {int, str}:
            positions = [self.known.get(number, -1) for number in ids]
            if -1 not in positions:
                return np.array(positions, np.int32)
        return np.array(self._one_by_one(ids, at, where), np.int32)

    def _one_by_one(self, ids: Sequence[Any], at: Sequence[str], file: str) -> list[int]:
        alike = Counter(map(_whole, self.known))
        by_number = {whole: index for number, index in self.known.items()
                     if alike[whole := _whole(number)] == 1}  # fmt: skip
        texts = [name for name in ids if isinstance(name, str) and name not in self.known
                 and _whole(name) is None]  # fmt: skip
        named = self.by_name(dict.fromkeys(texts), file) if texts else {}
        positions = []
        for number, where in zip(ids, at, strict=True):
            index = self.known.get(number) if type(number) in (int, str) else None
            if index is None and _whole(number) is not None:
                index = by_number.get(_whole(number))
                if index is not None and not isinstance(number, float):
                    note_repaired("ids written as text here and as numbers there", where)
            elif index is None and isinstance(number, str):
                index = named.get(number)
            if index is None:
                raise self._unknown(number, where)
            positions.append(index)
        return positions

    def _unknown(self, number: Any, where: str) -> BadDataset:
        listed = ", ".join(map(str, list(self.known)[:5]))
        return BadDataset(
            f"{where}: {self.key} {number!r} is none of the {len(self.known)} in the instances "
            f"file ({listed}, …)."
        )


def _whole(number: Any) -> int | None:
    """Read an id that is a whole number, however it is written; ``None`` for any other."""
    if isinstance(number, str):
        text = _WHOLE.fullmatch(number)
        return int(text[1]) if text and len(text[1]) < 100 else None
    if isinstance(number, float) and number.is_integer():
        return int(number)
    return number if type(number) is int else None
