"""Types of the fields of queries, each with a check that normalises its value.

A check takes the field's name and the value that was given::

    metric: Name
    resamples: Count = 1000
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.inputs.group_names import group_names
from velour_plugin.domain.labels import label_name
from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import BadAnnotation, InvalidInput, UnknownName

if TYPE_CHECKING:
    from velour_plugin.filters import Node, Where
else:
    Where = Any  # types of filters load with the first filter

LabelName = Union[str, tuple[str, str]]
OnMismatch = Literal["refuse", "intersect"]
Cut = Union[str, Mapping[str, Mapping[str, Where]]]
"""How data are sliced: a property such as ``city`` or ``wind:3``, or named filters."""
LEAST_SIZE = 1e-4
"""Smallest width or difference that is planned for: it takes a hundred million datums."""
MOST_DRAWS = 100_000
"""Resamples or permutations of one question."""


def _name(name: str, value: Any) -> str:
    if not value or not is_storable(value):
        raise InvalidInput(f"{name} {value!r}: expected a name, a text without U+0000.")
    return str(value)


def _optional_name(name: str, value: Any) -> str | None:
    return None if value is None else _name(name, value)


def _names(name: str, value: Any) -> tuple[str, ...]:
    """One name or several, each once, in the order given."""
    if isinstance(value, str):
        return (_name(name, value),)
    if isinstance(value, Mapping) or not _is_list(value):
        raise InvalidInput(f"{name} {value!r}: expected a name or a list of names.")
    return tuple(dict.fromkeys(_name(name, item) for item in value))


def _some_names(name: str, value: Any) -> tuple[str, ...]:
    listed = _names(name, value)
    if not listed:
        raise InvalidInput(f"{name} []: name at least one.")
    return listed


def _optional_names(name: str, value: Any) -> tuple[str, ...] | None:
    return None if value is None else _some_names(name, value)


def _groups(_: str, value: Any) -> tuple[str, ...] | None:
    """Names of properties whose values make groups; ``None`` as datasets declare."""
    return None if value is None else group_names(value)


def _experiments(name: str, value: Any) -> tuple[str, ...] | None:
    """Sorted ids of experiments; numbers become texts."""
    if value is None:
        return None
    listed = [value] if isinstance(value, (str, int)) else value
    if isinstance(listed, Mapping) or not _is_list(listed):
        raise InvalidInput(f"{name} {value!r}: expected an id or a list of ids.")
    return tuple(sorted(_names(name, [str(item) for item in listed])))


def _runs(name: str, value: Any) -> str | tuple[str, ...] | None:
    """An MLflow filter string, or sorted names of runs."""
    if value is None or isinstance(value, str):
        return _optional_name(name, value)
    return tuple(sorted(_names(name, value)))


def _filter(_: str, value: Any) -> Node | None:
    if value is None:
        return None
    from velour_plugin.filters import parse_filter

    return parse_filter(value)


def _label(name: str, value: Any) -> tuple[str, str] | None:
    """A class by its value under the default key, or as (key, value)."""
    if value is None:
        return None
    try:
        return label_name(tuple(value) if isinstance(value, list) else value)
    except BadAnnotation as error:
        raise InvalidInput(f"{name} {value!r}: expected a value, or (key, value).") from error


def _cuts(name: str, value: Any) -> tuple[Any, ...]:
    listed = [value] if isinstance(value, (str, Mapping)) else value
    if not _is_list(listed):
        raise InvalidInput(f"{name} {value!r}: expected a property, or a list of properties.")
    return tuple(_cut(name, cut) for cut in listed)


def _cut(name: str, cut: Any) -> Any:
    if not isinstance(cut, Mapping):
        return _name(name, cut)
    if len(cut) != 1 or not all(isinstance(slices, Mapping) for slices in cut.values()):
        raise InvalidInput(
            f"{name} {cut!r}: expected one name and under it named filters, as "
            "{'season': {'summer': \"month = 'July'\"}}."
        )
    ((title, slices),) = cut.items()
    filters = {_name(name, key): _filter(key, where) for key, where in slices.items()}
    return {_name(name, title): filters}


def _on_mismatch(name: str, value: Any) -> str:
    if not isinstance(value, str) or value not in ("refuse", "intersect"):
        raise UnknownName(name, value, ("refuse", "intersect"))
    return str(value)


def _confidence(name: str, value: Any) -> float:
    if not _is_number(value) or not 0 < value < 1:
        raise InvalidInput(f"{name} must be in (0, 1), such as 0.95; got {value!r}.")
    return float(value)


def _margin(name: str, value: Any) -> float | None:
    """How far apart values may be, in the metric's own units; ``None`` for no such question."""
    if value is None:
        return None
    if not _is_number(value) or not 0 <= value < float("inf"):
        raise InvalidInput(
            f"{name} {value!r}: expected a number >= 0 in the units of the metric, such as 0.02."
        )
    return float(value)


def _optional_share(name: str, value: Any) -> float | None:
    if value is not None and (not _is_number(value) or not 0 < value <= 1):
        raise InvalidInput(f"{name} must be in (0, 1], such as 0.9; got {value!r}.")
    return None if value is None else float(value)


def _count(name: str, value: Any, least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidInput(f"{name} {value!r}: expected a whole number >= {least}.")
    return value


def _positive(name: str, value: Any) -> int:
    return _count(name, value, 1)


def _optional_count(name: str, value: Any) -> int | None:
    return None if value is None else _positive(name, value)


def _draws(name: str, value: Any, least: int = 0) -> int:
    drawn = _count(name, value, least)
    if drawn > MOST_DRAWS:
        raise InvalidInput(
            f"{name} {value!r}: expected at most {MOST_DRAWS:,}, which are all held in memory."
        )
    return drawn


def _positive_draws(name: str, value: Any) -> int:
    return _draws(name, value, 1)


def _optional_size(name: str, value: Any) -> float | None:
    """A width or difference, which is not so small that no number of datums reaches it."""
    if value is None:
        return None
    if not _is_number(value) or not LEAST_SIZE <= value < math.inf:
        raise InvalidInput(
            f"{name} {value!r}: expected a number of at least {LEAST_SIZE:g}, such as 0.05."
        )
    return float(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"{name} {value!r}: expected True or False.")
    return value


def _is_list(value: Any) -> bool:
    """Whether a value can be iterated; a NumPy scalar cannot, although it has the methods."""
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) > 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _parameters(name: str, value: Any) -> dict[str, Any]:
    """Parameters as JSON; a label map as sorted pairs, since JSON has no tuples for keys."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{name} {value!r}: expected a mapping, such as {{}}.")
    try:
        plain = {
            str(key): _label_pairs(item) if key == "label_map" else item
            for key, item in value.items()
        }
        canonical_json(plain).encode()
    except (OverflowError, TypeError, ValueError) as error:
        raise InvalidInput(f"{name} {value!r}: expected what JSON can hold: {error}.") from error
    return plain


def _label_pairs(label_map: Any) -> Any:
    if not isinstance(label_map, Mapping):
        return label_map
    pairs = [[_side(old), _side(new)] for old, new in label_map.items()]
    return sorted(pairs, key=canonical_json)


def _side(side: Any) -> Any:
    return list(side) if isinstance(side, tuple) else side


Name = Annotated[str, _name]
OptionalName = Annotated[Union[str, None], _optional_name]
Names = Annotated[Sequence[str], _names]
OptionalNames = Annotated[Union[Sequence[str], None], _optional_names]
Groups = Annotated[Union[str, Sequence[str], None], _groups]
Experiments = Annotated[Union[Sequence[str], None], _experiments]
Runs = Annotated[Union[str, Sequence[str], None], _runs]
Filter = Annotated[Where, _filter]
OptionalLabel = Annotated[Union[LabelName, None], _label]
Cuts = Annotated[Sequence[Cut], _cuts]
Mismatch = Annotated[OnMismatch, _on_mismatch]
Flag = Annotated[bool, _flag]
Confidence = Annotated[float, _confidence]
Margin = Annotated[Union[float, None], _margin]
OptionalShare = Annotated[Union[float, None], _optional_share]
Count = Annotated[int, _count]
PositiveCount = Annotated[int, _positive]
OptionalCount = Annotated[Union[int, None], _optional_count]
Draws = Annotated[int, _draws]
PositiveDraws = Annotated[int, _positive_draws]
OptionalSize = Annotated[Union[float, None], _optional_size]
Parameters = Annotated[Union[Mapping[str, Any], None], _parameters]
