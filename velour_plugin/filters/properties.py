"""Families of properties that filters may use, by prefix, and where each is evaluated.

A family is answered by one of

- ``sql``: of a datum, by the store (:mod:`velour_plugin.filters.interpret` is the meaning);
- ``ledger``: of labels and scores, from the sufficient statistics of an evaluation;
- ``match``: of annotations and predictions, from those that are stored;
- ``candidates``: of models, runs and datasets, before any datum is looked at.

A plugin adds families with the hook ``velour_properties``. Its ``sql`` properties rest on
facts: ``weather.rain`` is the fact ``rain`` of the source ``weather``, with a kind that is known
before any datum is seen. Its ``candidates`` properties are functions of the model and the run.
A bare name without a family is metadata, and ``metadata.NAME`` always is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from velour_plugin.errors import InvalidInput, PluginConflict, UnknownName

ANSWERED_BY = ("sql", "ledger", "match", "candidates")
KINDS_OF_PROPERTIES = ("string", "number", "strings", "geometry", "fact", "any")
"""``strings`` is a list of texts; ``fact`` a number, a text or a list; ``any`` is metadata."""

RunValue = Callable[[str, str, "str | None"], Any]
"""Maps property name, model and run id to the value for a candidate; ``None`` if unknown."""

_PREFIX = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class PropertyFamily:
    """Properties that share a prefix, and where filters on them are evaluated.

    Args:
        prefix: what names begin with, before a dot; empty only for Velour's own bare names.
        answered_by: ``sql`` or ``candidates`` for a plugin's; see this module.
        properties: kinds by full name: ``string``, ``number`` or ``strings`` (a list).
        open: kinds by the beginning that any number of names share, such as ``mlflow.params.``.
        about: what its properties belong to; follows from ``answered_by`` when left out.
        revision: changes whenever the same query may have another answer without anything
            written to the store; ``None`` if that is unknown: answers are then not cached.
        value: of a plugin's ``candidates`` family: the value of a property for a candidate.

    Raises:
        InvalidInput: a prefix, kind or name breaks a rule.

    >>> PropertyFamily("weather", "sql", {"weather.rain": "number"}).about
    'datum'
    """

    prefix: str
    answered_by: str
    properties: Mapping[str, str] = field(default_factory=dict)
    open: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    revision: str | None = "1"
    value: RunValue | None = None

    def __post_init__(self) -> None:
        if self.answered_by not in ANSWERED_BY:
            raise UnknownName("way to answer properties", self.answered_by, ANSWERED_BY)
        for name, kind in (*self.properties.items(), *self.open.items()):
            if kind not in KINDS_OF_PROPERTIES:
                raise UnknownName(f"kind of property {name!r}", kind, KINDS_OF_PROPERTIES)
        if not self.about:
            about = "run" if self.answered_by == "candidates" else "datum"
            object.__setattr__(self, "about", about)

    def kind_of(self, name: str) -> str | None:
        """Return the kind of a property; ``None`` for a name outside the family."""
        if name in self.properties:
            return self.properties[name]
        return next(
            (kind for start, kind in self.open.items() if name.startswith(start) and name != start),
            None,
        )

    @property
    def names(self) -> list[str]:
        """Names of its properties for messages; ``NAME`` stands for any."""
        return [*self.properties, *(f"{start}NAME" for start in self.open)]


OWN = (
    PropertyFamily("", "sql", {"uid": "string", "dataset": "string", "location": "geometry"}),
    PropertyFamily("datum", "sql", {"datum.labels": "strings", "datum.truths": "number"}),
    PropertyFamily("datum", "match", {"datum.predictions": "number"}, about="prediction"),
    PropertyFamily("fact", "sql", {"fact.tags": "strings"}, {"fact.": "fact"}),
    PropertyFamily(
        "label", "ledger", {"label.key": "string", "label.value": "string"}, about="label"
    ),
    PropertyFamily("", "ledger", {"score": "number"}, about="score"),
    PropertyFamily(
        "annotation",
        "match",
        {
            "annotation.area": "number",
            "annotation.form": "string",
            "annotation.geometry": "geometry",
        },
        {"annotation.metadata.": "any"},
        about="annotation",
    ),
    PropertyFamily(
        "",
        "candidates",
        {"model": "string", "run_id": "string"},
        {"model.metadata.": "any", "dataset.metadata.": "any"},
    ),
)
"""Velour's own families."""

_TAKEN = frozenset(
    (
        "metadata",
        *(family.prefix for family in OWN),
        *(start.partition(".")[0] for family in OWN for start in family.names),
    )
)


def checked_offer(family: PropertyFamily) -> PropertyFamily:
    """Return the family of a plugin, or refuse it.

    Raises:
        PluginConflict: the prefix is one of Velour's own.
        InvalidInput: the prefix is no word, a name lacks it, or nothing could answer.
    """
    if family.prefix in _TAKEN:
        raise PluginConflict(
            f"properties {family.prefix!r} are offered by Velour itself and by a plugin: the "
            "plugin needs another prefix."
        )
    if not _PREFIX.fullmatch(family.prefix):
        raise InvalidInput(
            f"property prefix {family.prefix!r}: expected lower case letters, digits and _, a "
            "letter first."
        )
    for name in family.names:
        if not name.startswith(f"{family.prefix}.") or name.endswith("."):
            raise InvalidInput(
                f"property {name!r} of family {family.prefix!r}: expected "
                f"{family.prefix + '.NAME'!r}."
            )
    _check_answers(family)
    return family


def _check_answers(family: PropertyFamily) -> None:
    answered = {"sql": family.value is None, "candidates": family.value is not None}
    if not answered.get(family.answered_by, False):
        raise InvalidInput(
            f"properties {family.prefix!r} answered by {family.answered_by!r}: a plugin offers "
            "'sql', which rests on facts, or 'candidates' with value=."
        )
    kinds = {*family.properties.values(), *family.open.values()}
    if family.answered_by == "sql" and kinds & {"any", "geometry"}:
        raise InvalidInput(
            f"properties {family.prefix!r} rest on facts, which are 'string', 'number', "
            "'strings' and 'fact'."
        )


def family_of(name: str) -> PropertyFamily | None:
    """Return the family that a name belongs to; ``None`` for metadata.

    Raises:
        UnknownName: the name has a family's prefix and is none of its properties.
    """
    for family in OWN:
        if family.kind_of(name) is not None:
            return family
    siblings = _of_prefix(name)
    for family in siblings:
        if family.kind_of(name) is not None:
            return family
    if siblings:
        known = [valid for family in siblings for valid in family.names]
        error = UnknownName("property", name, known)
        error.args = (f"{error} Metadata of that name is metadata.{name}.",)
        raise error
    return None


def is_of_runs(name: str) -> bool:
    """Whether a name is a property of runs, models or datasets, such as ``mlflow.params.lr``.

    Raises:
        UnknownName: the name has a family's prefix and is none of its properties.
    """
    family = family_of(name)
    return family is not None and family.about == "run"


def is_reserved(name: str) -> bool:
    """Whether a name is a property of a family, not metadata of the datum."""
    return any(family.kind_of(name) for family in OWN) or bool(_of_prefix(name))


def _of_prefix(name: str) -> list[PropertyFamily]:
    """Families of a name's prefix; those of plugins only for dotted names."""
    prefix, dot, _ = name.partition(".")
    if not (prefix and dot):
        return []
    core = [family for family in OWN if family.prefix == prefix]
    return core or [family for family in _offered() if family.prefix == prefix]


def _offered() -> Iterable[PropertyFamily]:
    """Families of plugins. Plugins are above filters, so their registry is imported by name."""
    offered: Mapping[str, PropertyFamily] = (
        import_module("velour_plugin.plugins.installed").installed().properties
    )
    return offered.values()
