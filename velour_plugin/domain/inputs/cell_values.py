"""Numbers and flags as files write them: one table for all readers, and no truthiness.

``"no"`` is false here and ``bool("no")`` is true; ``True`` is no number here and ``float(True)`` is
1.0. What the table does not have is ``None``: the reader refuses it in its words.
"""

from __future__ import annotations

import math
import re

from velour_plugin.domain.inputs.reading import note_repaired
from velour_plugin.errors import BadDataset

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""What Python's ``float`` reads, without 1_000, ٣, nan and infinity."""
_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "y", "t"), True),
    **dict.fromkeys(("0", "false", "no", "n", "f"), False),
}
ROUNDING = 1e-6
"""How far a score may lie outside [0, 1]: float32 sums of a softmax do by some 1e-7."""


def parse_number(value: object) -> float | None:
    """Return a number, or a text that is one, as a float; ``None`` for anything else.

    A boolean is no number. NaN and infinity are returned as they are where they are typed, and are
    ``None`` as text. A whole number beyond float64 is infinite.
    """
    if isinstance(value, str):
        bare = value.strip()
        return float(bare) if _NUMBER.fullmatch(bare) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def parse_typed_number(value: object, where: str) -> float | None:
    """Return the number of a JSON value as :func:`parse_number` does; text is counted as repaired.

    Args:
        value: as JSON has it.
        where: the file and record, for the report.
    """
    number = parse_number(value)
    if number is not None and isinstance(value, str):
        note_repaired("numbers written as text, read as numbers", where)
    return number


def parse_flag(value: object) -> bool | None:
    """Return what a flag says: ``True``, ``1``, ``"1"``, ``"true"``, ``"yes"`` and their opposites.

    ``None`` for anything else, such as 2, ``"maybe"`` and empty text.
    """
    if isinstance(value, str):
        return _FLAGS.get(value.strip().casefold())
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    return None


def parse_typed_flag(value: object, where: str) -> bool | None:
    """Return what a JSON value says as :func:`parse_flag` does; text is counted as repaired."""
    flag = parse_flag(value)
    if flag is not None and isinstance(value, str):
        note_repaired("flags written as text, read as true or false", where)
    return flag


def parse_score(value: object, where: str, name: str = "score") -> float:
    """Return a model's score; one that left [0, 1] by rounding is set to 0 or 1 and counted.

    Args:
        value: a number, or a text that is one.
        where: the file and record, for messages.
        name: what the file calls it, for messages.

    Raises:
        BadDataset: it is no number in [0, 1].
    """
    score = parse_number(value)
    if score is None or not -ROUNDING <= score <= 1 + ROUNDING:
        raise BadDataset(
            f"{where}: {name} {value!r}: expected a number in [0, 1]; pass logits through a "
            "sigmoid or softmax first."
        )
    clipped = min(max(score, 0.0), 1.0)
    if clipped != score:
        note_repaired("scores outside [0, 1] by rounding, set to 0 or 1", where)
    return clipped


def parse_typed_score(value: object, where: str, name: str = "score") -> float:
    """Return the score of a JSON value as :func:`parse_score` does; text is counted as repaired."""
    number = parse_typed_number(value, where)
    return parse_score(value if number is None else number, where, name)
