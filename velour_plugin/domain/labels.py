"""Labels: a key names an axis of classification, a value a class on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from itertools import chain
from numbers import Real
from typing import Any

from velour_plugin.domain.storable_text import LONGEST_NAME, is_name, is_storable
from velour_plugin.errors import BadAnnotation
from velour_plugin.helpers.representation import short_repr, shortened

DEFAULT_KEY = "class"
"""The label key in formats that have class names only."""


_MOST = 10**300
"""The largest number of a class: Python refuses to write thousands of digits."""


@dataclass(frozen=True, slots=True, repr=False)
class Label:
    """A class on an axis; ``score`` in [0, 1] on predictions, ``None`` on ground truth.

    A value that is no text is spelled by :func:`class_text`: 1, 1.0 and ``True`` are "1".

    Raises:
        BadAnnotation: the key is not a non-empty string, the value is no class, or the score is
            no number in [0, 1].

    >>> Label("class", "fire", 0.9)
    Label(key='class', value='fire', score=0.9)
    """

    key: str
    value: str
    score: float | None = None

    def __post_init__(self) -> None:
        if type(self.value) is not str:
            object.__setattr__(self, "value", class_text(self.value))
        for name, text in (("key", self.key), ("value", self.value)):
            if not is_name(text):
                raise BadAnnotation(
                    f"label {name} {shortened(text)}: a label's key and value are non-empty "
                    f"strings without U+0000, of at most {LONGEST_NAME:,} bytes; write str(...) "
                    "around a number."
                )
        if self.score is not None:
            object.__setattr__(self, "score", checked_score(self.score))

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def name(self) -> tuple[str, str]:
        """The tuple (key, value): labels with the same one are the same class."""
        return (self.key, self.value)


def class_text(value: Any) -> str:
    """Spell a class as the value of a label, by one rule for all ways of writing it.

    Text stays as it is written; bytes are UTF-8. A number is written without a fraction and a bool
    as the number that it equals in Python, numpy and scikit-learn: ``True``, 1 and 1.0 are "1".
    An ``Enum`` member is its value; an array or tensor without dimensions is what it holds.

    Raises:
        BadAnnotation: it is no class: missing, a fraction, a date, a list.

    >>> class_text(True), class_text(1.0), class_text("True"), class_text(b"fire")
    ('1', '1', 'True', 'fire')
    """
    if type(value) is str:
        return value
    if isinstance(value, Enum):
        return class_text(value.value)
    if isinstance(value, str):  # numpy's, whose repr is not that of a text
        return str(value)
    if isinstance(value, (Real, Decimal)):
        return _whole_text(value)
    if isinstance(value, bytes):
        return _decoded(value)
    if hasattr(value, "item") and _is_one(value):
        return class_text(value.item())
    raise _no_class(value)


def _is_one(value: Any) -> bool:
    """Whether this is an array, tensor or scalar of one value; numpy's dates become numbers."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")  # that of torch has none
    return getattr(value, "shape", ()) == () and kind not in tuple("mMV")


def _whole_text(value: Any) -> str:
    if type(value).__name__ == "timedelta64":  # a number to numpy, of no unit that we knew
        raise _no_class(value)
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):  # durations, NaN and infinite
        raise _no_class(value) from None
    if whole != value:
        raise _no_class(value)
    if abs(whole) > _MOST:
        raise BadAnnotation("class of more than 300 digits: expected a name, or a smaller number.")
    return str(whole)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise BadAnnotation(f"class {value!r}: these bytes are no UTF-8; decode them.") from error


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: ``None``, NaN, pandas' ``NA`` and ``NaT``."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (Real, Decimal)) and bool(value != value)


def _no_class(value: Any) -> BadAnnotation:
    kind = type(value).__name__
    if isinstance(value, Real) and hasattr(value, "item"):  # numpy's number, shown as Python's
        value = value.item()
    if is_missing(value):
        return BadAnnotation(
            f"class {value!r} is missing: leave the row out, or give it a class of its own, such "
            "as 'none'."
        )
    return BadAnnotation(
        f"class {value!r} is a {kind}: expected a text, a whole number or a bool; "
        "write str(...) around anything else that names a class."
    )


def label_text(label: Label) -> str:
    """Return a label as ``key=value``, such as ``class=fire``, for titles and rows."""
    return f"{label.key}={label.value}"


def class_in_words(name: tuple[str, str]) -> str:
    """A class for messages: its value, with the key where that is not the default one.

    >>> class_in_words(("class", "fire")), class_in_words(("color", "red"))
    ('fire', 'color=red')
    """
    key, value = name
    return value if key == DEFAULT_KEY else f"{key}={value}"


def label_name(label: Any) -> tuple[str, str]:
    """Return (key, value) of a label; a bare value is of the key ``class``.

    Raises:
        BadAnnotation: it is neither a value nor a pair of a key and a value.

    >>> label_name("fire"), label_name(("color", "red")), label_name(1)
    (('class', 'fire'), ('color', 'red'), ('class', '1'))
    """
    if isinstance(label, Label):
        return label.name
    pair = label if isinstance(label, tuple) else (DEFAULT_KEY, label)
    if len(pair) != 2 or not isinstance(pair[0], str) or isinstance(pair[1], (tuple, list)):
        raise BadAnnotation(
            f"label {label!r}: expected its value, as 'fire', or a pair (key, value)."
        )
    return Label(*pair).name


def check_label_names(names: Iterable[tuple[str, str]]) -> None:
    """Refuse what is no key and value of a label; all are looked at together.

    Raises:
        BadAnnotation: as :class:`Label` does.
    """
    texts = list(chain.from_iterable(names))
    if {*map(type, texts)} <= {str} and is_storable("".join(texts)):
        lengths = [len(text) for text in texts]
        if min(lengths, default=1) > 0 and 4 * max(lengths, default=0) <= LONGEST_NAME:
            return
    for key, value in names:
        Label(key, value)


def checked_score(score: object) -> float:
    """Return a score as a float, or refuse it if it is no number in [0, 1].

    Raises:
        BadAnnotation: it is no such number.
    """
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
