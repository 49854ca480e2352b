"""Keys of ``evaluator_config``, and the rules for their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from velour_integrations.mlflow.runs import display_options
from velour_plugin.errors import InvalidInput, UnknownName

CONFIG = {
    "task": "the task, when model_type names none",
    "model": "the model's name; that of the predictions, the logged model or the run if left out",
    "dataset": "the dataset's name, for plain frames",
    "parameters": "the task's parameters",
    "where": "a filter: only its datums are evaluated, and a model is run on no others",
    "store": "URL of the store; VELOUR_STORE_URI or sqlite:///velour.db when left out",
    "uid": "column of the datum's name, for plain frames; the row number when left out",
    "latitude": "column of the latitude, for plain frames",
    "longitude": "column of the longitude, for plain frames",
    "labels": "names of classes in the order of their numbers, or by number, where cells and "
    "outputs are label images: 2-D arrays, volumes of scores, PNG files",
    "metadata": "columns to filter and slice by, for plain frames, [] for none; when left out all "
    "plain ones, but of a table no fractions that neither where nor slices name",
    "features": "columns that a model is given; all of them when left out",
    "batch_size": "rows of a batch; 256 when left out, 10,000 of a table",
    "probabilities": "False: evaluate the labels that a classifier predicts, not its probabilities",
    "strict": "True: refuse what would be repaired, skipped or unmatched",
    "metric_prefix": "stands before the names of metrics in MLflow; the store keeps bare names",
    "col_mapping": "for extra_metrics: which column an argument of a metric's function means",
    **display_options.KEYS,
}
"""Keys of ``evaluator_config``, and what each means."""

_Rule = tuple[str, Callable[[Any], bool]]


def velour_config(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return Velour's part of a configuration; several evaluators have each under its name."""
    whole = config or {}
    part = whole.get("velour")
    return part if isinstance(part, Mapping) else whole


def checked_config(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Check and return Velour's part of a configuration, without keys that are ``None``.

    Raises:
        UnknownName: there is no such key.
        InvalidInput: a value breaks a rule.
    """
    part = velour_config(config)
    for key in part:
        if key not in CONFIG:
            raise UnknownName("key of evaluator_config", key, CONFIG)
    settings = {key: value for key, value in part.items() if value is not None}
    for key, value in settings.items():
        rule, holds = _RULES.get(key, _TEXT)
        if not holds(value):
            raise InvalidInput(f"evaluator_config: {key} = {value!r}: expected {rule}.")
    return settings


def _are_names(value: Any) -> bool:
    return isinstance(value, (str, list, tuple))


def _is_columns(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, (list, tuple)) and bool(value) and len(set(value)) == len(value)
    )


_TEXT: _Rule = ("a text that is not empty", lambda value: isinstance(value, str) and value != "")
_ANYTHING: _Rule = ("a filter", lambda value: True)  # the core checks it
_MAPPING: _Rule = ("a mapping", lambda value: isinstance(value, Mapping))
_FLAG: _Rule = ("True or False", lambda value: isinstance(value, bool))
_RULES: Mapping[str, _Rule] = {
    **display_options.RULES,
    "parameters": _MAPPING,
    "col_mapping": _MAPPING,
    "where": _ANYTHING,
    "features": ("a column's name, or a list of different ones", _is_columns),
    "labels": _ANYTHING,
    "metadata": ("a column's name, or a list of such", _are_names),
    "batch_size": (
        "a whole number of at least 1",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
    ),
    "probabilities": _FLAG,
    "strict": _FLAG,
}
