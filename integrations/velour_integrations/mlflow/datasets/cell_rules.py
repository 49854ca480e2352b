"""How cells are read: of which task they are, and what numbers of label images mean."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from velour_plugin.errors import BadDataset, InvalidInput, UnknownName
from velour_plugin.plugin import class_text, numbered_names

SEMANTIC = "semantic-segmentation"
CLASSIFICATION = ("image-classification", "tabular-classification")
_LABELS = "evaluator_config={'labels': names}, or labels=names of from_velour"
_EXPECTED = {
    SEMANTIC: "Expected a list of {'label', 'segmentation', 'score'}, a list of "
    f"velour.Annotation, or a label image (2-D array, volume of scores, PNG) and {_LABELS}.",
    **dict.fromkeys(
        CLASSIFICATION,
        "Expected a class, or a mapping of classes to scores, or a probability for each class.",
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
        names: of the numbers of classes: there are no other classes; ``None`` when nobody
            named them.
        positive: the class of which a single probability is.
        is_multi_label: whether a datum may have many classes.
    """

    task: str = ""
    names: Mapping[int, str] | None = field(default=None)
    positive: str | None = None
    is_multi_label: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> CellRules:
        """Make the rules of a configuration, by its ``task``, ``labels`` and ``parameters``.

        Raises:
            InvalidInput: the labels name no numbers.
        """
        labels, parameters = config.get("labels"), config.get("parameters") or {}
        positive = parameters.get("positive_label")
        return cls(
            str(config.get("task") or ""),
            None if labels is None else numbered_names(labels),
            None if positive is None else class_text(positive),
            bool(parameters.get("multi_label")),
        )

    @property
    def expected(self) -> str:
        """What a cell may hold, for messages, in the words of the task."""
        if self.names is not None and self.task in ("", SEMANTIC):
            return _IMAGES
        return _EXPECTED.get(self.task, _ANY)

    @property
    def is_classification(self) -> bool:
        """Whether cells hold classes of whole datums."""
        return self.task in CLASSIFICATION

    def are_label_images(self, cells: Iterable[Any]) -> bool:
        """Whether cells are label images whose numbers have names."""
        if self.names is None:
            return False
        return self.task == SEMANTIC or (self.task == "" and any(map(is_label_image, cells)))

    def named(self, value: Any) -> str:
        """Return the text of a class; of a number, its name where numbers have names.

        Raises:
            BadAnnotation: it is no class.
            UnknownName: classes are named, and this is none of them.
        """
        text = class_text(value)
        if self.names is None or text in self.names.values():
            return text
        is_number = not isinstance(value, (str, bytes)) and text.isdigit()
        if is_number and int(text) in self.names and not self._has_numbers_as_names:
            return self.names[int(text)]
        raise UnknownName("class", text, self.names.values())

    @property
    def _has_numbers_as_names(self) -> bool:
        return any(name.isdigit() for name in (self.names or {}).values())

    def columns(self, named: Sequence[Any] | None, count: int, known: Collection[str]) -> list[str]:
        """Return the classes of columns of scores.

        Args:
            named: what the columns are called; ``None`` where they have no names.
            count: of the columns.
            known: classes of the ground truth; empty when it is read itself.

        Raises:
            BadDataset: nobody says which classes they are.
        """
        if named is not None:
            classes = list(map(self.named, named))
            if known and not set(classes) & set(known):
                raise _no_class_columns(classes, known)
            return classes
        if self.names is not None and set(self.names) == set(range(count)):
            return [self.names[number] for number in range(count)]
        numbers = list(map(str, range(count)))
        if self.names is None and (set(known) <= set(numbers) or set(numbers) <= set(known)):
            return numbers
        raise _unnamed_columns(count, known if self.names is None else self.names.values())

    def two_classes(self, known: Collection[str]) -> list[str]:
        """Return two classes, of which a single probability is about the second.

        Raises:
            BadDataset: nobody says which they are.
        """
        classes = list(known) if self.names is None else list(self.names.values())
        if self.positive in classes and len(classes) == 2:
            return sorted(classes, key=lambda name: name == self.positive)
        if self.names is not None and len(classes) == 2:
            return classes
        if self.names is None and set(known) <= {"0", "1"}:
            return ["0", "1"]
        raise BadDataset(
            "one fraction a row is the probability of the second of two classes, and nobody says "
            f"which these are ({_listed(classes)}): name both, the positive one last, in "
            f"{_LABELS}; or give a probability for each class"
        )

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


def _no_class_columns(columns: Collection[str], known: Collection[str]) -> BadDataset:
    return BadDataset(
        f"the columns {_listed(columns)} are no classes of the ground truth, {_listed(known)}: "
        "call columns of probabilities as the classes, or name the one column to evaluate with "
        "predictions='column'."
    )


def _unnamed_columns(count: int, classes: Collection[str]) -> BadDataset:
    return BadDataset(
        f"{count} columns of scores without names, and the classes are {_listed(classes)}: name "
        f"the classes of all {count} columns, in their order, in {_LABELS}."
    )


def _listed(names: Collection[str]) -> str:
    return ", ".join(list(names)[:10]) + (", …" if len(names) > 10 else "") or "none"


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
