"""The classes that occur in an array, and which of them each row has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.vocabulary import LabelName
from velour_plugin.domain.labels import Label, class_text
from velour_plugin.errors import BadAnnotation, BadDataset


def class_names(classes: Iterable[Any], key: str) -> list[LabelName]:
    """Labels of classes, in their order.

    Raises:
        BadAnnotation: a class is none or an empty text, or the key is no text.
        BadDataset: two classes have the same text.
    """
    names = [Label(key, value).name for value in classes]
    if len(set(names)) < len(names):
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise BadDataset(f"class {twice[1]!r} is named twice: every column has a name of its own.")
    return names


def as_numpy(values: Any) -> NDArray[Any]:
    """Return what numpy, pandas, torch or a list holds as an array; masked values are ``None``.

    Raises:
        ValueError: a list has rows of different lengths.
    """
    if isinstance(values, np.ma.MaskedArray) and values.mask.any():
        objects = values.data.astype(object)
        objects[values.mask] = None
        return objects
    values = values.detach().cpu() if hasattr(values, "detach") else values
    try:
        return np.asarray(values)
    except TypeError:  # a type of torch's that numpy does not have, such as bfloat16
        return np.asarray(values.float())


def is_fractional(values: NDArray[Any]) -> bool:
    """Whether these are numbers of which one is a fraction: scores, and no classes."""
    return values.dtype.kind == "f" and bool((np.isfinite(values) & (values % 1 != 0)).any())


def class_codes(values: NDArray[Any]) -> tuple[list[str], NDArray[np.intp], bool]:
    """The classes that occur, and which of them each row has.

    Args:
        values: ``(rows,)`` of one type, or of objects.

    Returns:
        The classes as :func:`class_text` writes them, sorted, numbers by size; ``(rows,)`` the
        position of each row's; and whether all are numbers.

    Raises:
        BadDataset: a value is no class, naming its row.
    """
    if values.dtype.kind in "iu" and values.size:
        least, most = int(values.min()), int(values.max())
        if most - least <= 2 * values.size:  # counted: sorting a million rows takes longer
            shifted = (values - least).astype(np.intp)
            used = np.flatnonzero(np.bincount(shifted))
            code = np.zeros(most - least + 1, np.intp)
            code[used] = np.arange(len(used))
            return list(map(str, (used + least).tolist())), code[shifted], True
    if values.dtype.kind in "biufUS":
        kinds, code = np.unique(values, return_inverse=True)
        try:
            texts = list(map(class_text, kinds.tolist()))
        except BadAnnotation:
            raise _no_class(values) from None
        return texts, code.reshape(-1), values.dtype.kind not in "US"
    return _codes_of_objects(values)


def _codes_of_objects(values: NDArray[Any]) -> tuple[list[str], NDArray[np.intp], bool]:
    """As :func:`class_codes`: every different value is spelled once."""
    listed = values.tolist() if values.dtype.kind == "O" else list(values)
    try:
        text_of = {value: class_text(value) for value in dict.fromkeys(listed)}
    except TypeError:  # an array or tensor has no hash
        listed = _texts(values)
        text_of = {value: str(value) for value in listed}
    except BadAnnotation:
        raise _no_class(values) from None
    are_numbers = not any(isinstance(value, (str, bytes)) for value in text_of)
    are_numbers = are_numbers and all(text.lstrip("-").isdigit() for text in text_of.values())
    kinds = sorted(set(text_of.values()), key=int if are_numbers else None)
    index_of = {kind: index for index, kind in enumerate(kinds)}
    code_of = {value: index_of[text] for value, text in text_of.items()}
    return kinds, np.array([code_of[value] for value in listed], np.intp), are_numbers


def _texts(values: NDArray[Any]) -> list[Any]:
    """Each value as a text, or as a number where the text is of one."""
    try:
        texts = list(map(class_text, values))
    except BadAnnotation:
        raise _no_class(values) from None
    pairs = zip(texts, values, strict=True)
    return [text if isinstance(value, (str, bytes)) else _number(text) for text, value in pairs]


def _number(text: str) -> Any:
    return int(text) if text.lstrip("-").isdigit() else text


def _no_class(values: NDArray[Any]) -> BadDataset:
    """The error for the first value that is no class."""
    for row, value in enumerate(values if values.dtype.kind in "mMcV" else values.tolist()):
        try:
            class_text(value)
        except BadAnnotation as error:
            return BadDataset(f"row {row}: {error}")
    raise AssertionError("every value is a class")
