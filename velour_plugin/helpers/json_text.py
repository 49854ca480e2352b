"""One door for JSON: what is refused is one of Velour's errors that says what stands where.

Refused beside what is no JSON: nesting beyond :data:`DEEPEST`, whole numbers beyond :data:`LONGEST`
digits, and names that stand twice in one object with different values, as readers differ in which
they take. NaN and Infinity are read, as Python and numpy write them. Half of a surrogate
pair, an escape such as ``d83d`` alone, is read too, and refused where the text is used.
"""

from __future__ import annotations

import gc
import json
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

from velour_plugin.errors import BadDataset, InvalidInput

DEEPEST = 200
"""Levels of lists and objects inside each other."""
LONGEST = 308
"""Digits of a whole number: float64 holds no more."""


def parse_json(text: bytes | str, where: str, refusal: type[InvalidInput] = BadDataset) -> Any:
    """Parse JSON.

    Args:
        text: bytes in UTF-8, UTF-16 or UTF-32, with a byte order mark or without; or a string.
        where: what it is, for messages, such as a file's name in quotes.
        refusal: type of the error.

    Raises:
        BadDataset: or another ``refusal``: it is no JSON, or breaks a limit.

    >>> parse_json(b'{"size": [1, 2.5]}', "the text")
    {'size': [1, 2.5]}
    """
    decoded = ""
    try:
        decoded = text.removeprefix("\ufeff") if isinstance(text, str) else _decoded(text)
        content = decoded.encode("utf-8", "surrogatepass")
        _check_depth(content)
        with _uncollected():
            return json.loads(
                decoded,
                object_pairs_hook=_object,
                parse_int=_whole if _LONG in content.translate(_DIGITS) else None,
            )
    except UnicodeDecodeError as error:
        reason = f"{_kind(text)} ({error.reason} at byte {error.start})"
    except json.JSONDecodeError as error:
        reason = _syntax(decoded, error)
    except RecursionError:  # called from deep inside a program
        reason = _TOO_DEEP
    except _BreaksLimit as error:
        reason = str(error)
    raise refusal(f"{where} {reason}.")


def parse_all(texts: Sequence[str], where: str) -> Sequence[Any]:
    """Parse JSON texts, all at once: half the time of one by one.

    Raises:
        BadDataset: a text is no JSON, or breaks a limit.
    """
    together: Sequence[Any] = parse_json(f"[{','.join(texts)}]", where)
    return together if len(together) == len(texts) else [parse_json(text, where) for text in texts]


class _BreaksLimit(ValueError):
    """JSON that breaks a rule of this module; says which, as the end of a sentence."""


def _decoded(text: bytes) -> str:
    return text.decode(json.detect_encoding(text)).removeprefix("\ufeff")


def _check_depth(content: bytes) -> None:
    if content.count(b"[") + content.count(b"{") <= DEEPEST:
        return
    bare = _ESCAPE.sub(b"", content) if b"\\" in content else content
    structure = _STRING.sub(b"", bare.translate(None, _NO_STRUCTURE).replace(b'""', b""))
    steps = array("b", structure.translate(_STEPS))
    if max(accumulate(steps), default=0) > DEEPEST:
        raise _BreaksLimit(_TOO_DEEP)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        for name, value in pairs:
            if repr(content[name]) != repr(value):  # NaN is the same as NaN here
                raise _BreaksLimit(
                    f"has {_short(name)} twice in one object, as {_short(value)} and as "
                    f"{_short(content[name])}: leave one of them out"
                )
    return content


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > LONGEST:
        raise _BreaksLimit(
            f"has a whole number of {len(digits.lstrip('-')):,} digits, {digits[:12]}…: expected "
            f"at most {LONGEST}"
        )
    return int(digits)


def _syntax(text: str, error: json.JSONDecodeError) -> str:
    """Say where the text stops being JSON, and what it may be instead."""
    where = f"line {error.lineno}, column {error.colno}"
    if not text.strip():
        return "is empty, expected JSON"
    if text.lstrip().startswith("<"):
        return "holds XML or HTML, expected JSON"
    if error.msg == "Extra data" and "\n" in text[: error.pos]:
        return (
            f"holds more than one JSON value, the next at {where}: if it is JSON Lines, one value "
            "a line, make a list of them, as 'jq --slurp' does"
        )
    return f"is not valid JSON: {error.msg} at {where}"


def _kind(content: bytes | str) -> str:
    """Name what is no text by its first bytes."""
    for magic, kind in _MAGIC.items():
        if isinstance(content, bytes) and content.startswith(magic):
            return f"is {kind}, expected JSON"
    return "is not valid JSON: it is no text in UTF-8"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, which would walk a million new objects again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


_TOO_DEEP = f"is nested too deep: expected at most {DEEPEST} lists and objects inside each other"
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*"?')
_NO_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_DIGITS = bytes(ord("0") if byte in b"0123456789" else 0 for byte in range(256))
_LONG = b"0" * (LONGEST + 1)
_MAGIC = {
    b"PAR1": "a parquet file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF document",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "an SQLite database",
    b"\x93NUMPY": "a numpy file",
    b"\x80": "a pickle",
}
