"""Label maps: merge or rename labels before matching.

A map of values, ``{"truck": "vehicle"}``, holds under every label key; a map of pairs,
``{("class", "truck"): ("class", "vehicle")}``, for one label. Inside, a map is a list of pairs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.labels import class_text
from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import BadAnnotation, InvalidInput


def label_mapping(pairs: Any) -> Any:
    """Convert pairs from JSON to a mapping; anything else is returned, to be refused later."""
    if not isinstance(pairs, (list, tuple)):
        return pairs
    return {_from_json(old): _from_json(new) for old, new in pairs}


def label_pairs(label_map: Mapping[Any, Any] | None) -> list[tuple[Any, Any]] | None:
    """Check a label map, and return sorted pairs of old and new label; ``None`` for an empty map.

    Raises:
        InvalidInput: it is no mapping, or maps neither a value to a value nor a pair to a pair.
    """
    if label_map is None:
        return None
    if not isinstance(label_map, Mapping):
        raise InvalidInput(
            f"label_map {label_map!r}: expected a mapping: map a value to a value, as "
            "{'truck': 'vehicle'}."
        )
    pairs = []
    for old, new in label_map.items():
        labels = old, new = _class_texts(old), _class_texts(new)
        if not all(map(_is_value, labels)) and not all(map(_is_name, labels)):
            raise InvalidInput(
                f"label_map {{{old!r}: {new!r}}}: map a value to a value, or a (key, value) pair "
                "to a (key, value) pair."
            )
        pairs.append((old, new) if isinstance(old, str) else (tuple(old), tuple(new)))
    return sorted(pairs, key=lambda pair: canonical_json(list(map(_to_json, pair)))) or None


def _class_texts(label: Any) -> Any:
    """A value, or the value of a pair, as classes are spelled; anything else as it is."""
    try:
        if isinstance(label, (tuple, list)) and len(label) == 2:
            return (label[0], class_text(label[1]))
        return class_text(label)
    except BadAnnotation:
        return label


def json_pairs(pairs: Sequence[tuple[Any, Any]] | None) -> list[list[Any]] | None:
    """Convert the pairs of a label map to lists, for JSON; ``None`` stays."""
    return None if pairs is None else [list(map(_to_json, pair)) for pair in pairs]


def sorted_keys(keys: str | Collection[str] | None) -> list[str] | None:
    """Check label keys, and return them sorted, each once; ``None`` for all keys.

    Raises:
        InvalidInput: it is empty, or holds something else than strings.
    """
    if keys is None:
        return None
    names = [keys] if isinstance(keys, str) else [*keys] if isinstance(keys, Collection) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidInput(f"label_keys {keys!r}: expected at least one key, as ['class'].")
    return sorted(set(names))


def mapped(
    table: AnnotationTable,
    pairs: Sequence[tuple[Any, Any]] | None,
    keys: Collection[str] | None,
    adds_scores: bool,
) -> AnnotationTable:
    """Return annotations under their new labels, of the chosen keys only.

    Args:
        table: ground truth or predictions.
        pairs: the label map.
        keys: the label keys to keep; ``None`` for all.
        adds_scores: whether labels of one annotation that become one add their scores, up to 1;
            otherwise the highest score counts.
    """
    new_names = mapped_names(table.labels, pairs, keys)
    labels = list(dict.fromkeys(name for name in new_names if name is not None))
    index_of = {name: index for index, name in enumerate(labels)}
    index = [-1 if name is None else index_of[name] for name in new_names]
    return _merged(table.relabelled(labels, np.array(index, np.int32)), adds_scores)


def mapped_names(
    names: Sequence[LabelName],
    pairs: Sequence[tuple[Any, Any]] | None,
    keys: Collection[str] | None,
) -> list[LabelName | None]:
    """Return new labels in the order of the old; ``None`` for one whose key is not chosen.

    Args:
        names: the old labels.
        pairs: the label map.
        keys: the label keys to keep; ``None`` for all.
    """
    mapping = dict(pairs or ())
    new_names = [_new_name(name, mapping) for name in names]
    return [name if keys is None or name[0] in keys else None for name in new_names]


def _from_json(label: Any) -> Any:
    return label if isinstance(label, str) else tuple(label)


def _to_json(label: Any) -> Any:
    return label if isinstance(label, str) else list(label)


def _is_value(label: Any) -> bool:
    return is_storable(label) and bool(label)


def _is_name(label: Any) -> bool:
    return isinstance(label, (tuple, list)) and len(label) == 2 and all(map(_is_value, label))


def _new_name(name: LabelName, mapping: Mapping[Any, Any]) -> LabelName:
    """The label that another is mapped to: by its (key, value) first, then by its value."""
    if name in mapping:
        key, value = mapping[name]
        return (key, value)
    return (name[0], mapping.get(name[1], name[1]))


def _merged(table: AnnotationTable, adds_scores: bool) -> AnnotationTable:
    """Equal labels of one annotation as one, with the highest score or the sum of scores."""
    order = np.lexsort((-table.score, table.label, table.annotation, table.datum))
    columns = np.stack([table.datum, table.annotation, table.label])[:, order]
    first = np.ones(len(table), bool)
    first[1:] = (columns[:, 1:] != columns[:, :-1]).any(axis=0)
    if first.all():
        return table
    score = table.score.copy()
    if adds_scores:  # shares of 1: together no more than 1, but for rounding
        sums = np.add.reduceat(score[order], np.flatnonzero(first))
        score[order[first]] = np.minimum(sums, 1.0)
    return replace(table, score=score).take(np.sort(order[first]))
