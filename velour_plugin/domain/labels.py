"""Labels: a key names an axis of classification, a value a class on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import BadAnnotation
from velour_plugin.helpers.representation import short_repr

DEFAULT_KEY = "class"
"""The label key in formats that have class names only."""


@dataclass(frozen=True, slots=True, repr=False)
class Label:
    """A class on an axis; ``score`` in [0, 1] on predictions, ``None`` on ground truth.

    Raises:
        BadAnnotation: key or value is not a non-empty string, or the score is no number in [0, 1].

    >>> Label("class", "fire", 0.9)
    Label(key='class', value='fire', score=0.9)
    """

    key: str
    value: str
    score: float | None = None

    def __post_init__(self) -> None:
        for name, text in (("key", self.key), ("value", self.value)):
            if not text or not is_storable(text):
                raise BadAnnotation(
                    f"label {name} {text!r}: a label's key and value are non-empty strings "
                    "without U+0000; write str(...) around a number."
                )
        if self.score is not None:
            object.__setattr__(self, "score", checked_score(self.score))

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def name(self) -> tuple[str, str]:
        """The tuple (key, value): labels with the same one are the same class."""
        return (self.key, self.value)


def label_text(label: Label) -> str:
    """A label in one word for titles and rows, such as ``class=fire``."""
    return f"{label.key}={label.value}"


def label_name(label: Label | tuple[str, str] | str) -> tuple[str, str]:
    """Key and value of a label; a bare value is of the default key.

    Raises:
        BadAnnotation: it is neither a value nor a pair of strings.

    >>> label_name("fire"), label_name(("color", "red"))
    (('class', 'fire'), ('color', 'red'))
    """
    if isinstance(label, Label):
        return label.name
    name = (DEFAULT_KEY, label) if isinstance(label, str) else label
    if not (isinstance(name, tuple) and [type(part) for part in name] == [str, str]):
        raise BadAnnotation(
            f"label {label!r}: expected its value, as 'fire', or a pair (key, value)."
        )
    return name


def checked_score(score: object) -> float:
    """Return a score as a float, or refuse it if it is no number in [0, 1]."""
    try:
        number = float(score)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not 0.0 <= number <= 1.0:
        raise BadAnnotation(
            f"score {score!r}: a score is a number in [0, 1]; "
            "pass logits through a sigmoid or softmax first."
        )
    return number
