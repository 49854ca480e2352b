"""How cells are read: of which task they are, and what numbers of label images mean."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.plugin import numbered_names

SEMANTIC = "semantic-segmentation"
_LABELS = "evaluator_config={'labels': names}, or labels=names of from_velour"
_EXPECTED = {
    SEMANTIC: "Expected a list of {'label', 'segmentation', 'score'}, a list of "
    f"velour.Annotation, or a label image (2-D array, volume of scores, PNG) and {_LABELS}.",
    **dict.fromkeys(
        ("image-classification", "tabular-classification"),
        "Expected a class, or a mapping of classes to scores.",
    ),
}
_ANY = (
    "Expected a list of velour.Annotation, a list of {'label', 'bbox': [x, y, width, height], "
    "'score'}, or {'boxes', 'labels', 'scores'}."
)
_IMAGES = "Expected a label image: a 2-D array of numbers, a volume of scores, or a PNG file."
_WITHOUT_MEANING = frozenset(("id", "image_id", "category_id"))
"""Keys that records of COCO and Hugging Face have, and that say nothing about a match."""
_OF_BOXES = frozenset(("bbox", "boxes", "bbox_id", "area", "iscrowd"))

_OFTEN_MEANT = {
    **dict.fromkeys(("name", "class", "class_name"), "label"),
    "box": "bbox",
    "mask": "segmentation",
    "confidence": "score",
}
"""Keys of other libraries, and what they are called here."""


@dataclass(frozen=True, slots=True)
class CellRules:
    """How cells are read.

    Args:
        task: of the evaluation; empty when it is not known.
        names: of the numbers of label images; ``None`` when cells are annotations.
    """

    task: str = ""
    names: Mapping[int, str] | None = field(default=None)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> CellRules:
        """Make the rules of a configuration, by its ``task`` and ``labels``.

        Raises:
            InvalidInput: the labels name no numbers.
        """
        labels = config.get("labels")
        return cls(
            str(config.get("task") or ""), None if labels is None else numbered_names(labels)
        )

    @property
    def expected(self) -> str:
        """What a cell may hold, for messages, in the words of the task."""
        return _EXPECTED.get(self.task, _ANY) if self.names is None else _IMAGES

    def check_keys(self, keys: Iterable[Any], known: Collection[str], what: str) -> None:
        """Refuse a key that is not read.

        Raises:
            UnknownName: there is one; the nearest key of the task is suggested.
        """
        for key in keys:
            if key not in known and key not in _WITHOUT_MEANING:
                allowed = [name for name in known if self.task != SEMANTIC or name not in _OF_BOXES]
                meant = _OFTEN_MEANT.get(str(key))
                hint = f"did you mean {meant!r}?" if meant in allowed else None
                raise UnknownName(f"key of {what}", key, allowed, hint)

    def refuse_label_image(self, cell: Any) -> None:
        """Refuse a label image when the numbers have no names.

        Raises:
            InvalidInput: the cell is one.
        """
        if is_label_image(cell):
            raise InvalidInput(f"this is a label image, and its numbers have no names: {_LABELS}")


def is_label_image(cell: Any) -> bool:
    """Whether a cell is an array of numbers of two or three dimensions, or names a PNG file."""
    if isinstance(cell, (str, os.PathLike)):
        return os.fspath(cell).lower().endswith(".png")
    if not (hasattr(cell, "__array__") or isinstance(cell, list)):
        return False
    shape = np.shape(cell) if hasattr(cell, "shape") else _shape_of_lists(cell)
    kind = getattr(getattr(cell, "dtype", None), "kind", "")  # that of torch has none
    return len(shape) in (2, 3) and kind != "O"


def _shape_of_lists(cell: Any) -> tuple[int, ...]:
    """Of lists of lists of numbers; empty of anything else, which may be large."""
    shape: list[int] = []
    while isinstance(cell, (list, tuple)) and len(cell):
        shape.append(len(cell))
        cell = cell[0]
    return tuple(shape) if isinstance(cell, (int, float, np.number)) else ()
