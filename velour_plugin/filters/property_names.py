"""Canonical names of properties, and the fact or metadata path behind each.

A bare name is metadata of the datum, and ``metadata.NAME`` always is: that is how metadata
called like a property of a family is named, as in ``metadata.score`` or ``metadata.fact.x``.
"""

from __future__ import annotations

from velour_plugin.domain.facts import TAGS, fact_name
from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import BadFilter
from velour_plugin.filters.properties import OWN, PropertyFamily, family_of, is_reserved
from velour_plugin.helpers.representation import shortened

OWN_NAMES = frozenset(name for family in OWN for name in family.properties)
"""Velour's own properties, without metadata and facts."""

_METADATA = "metadata."


def canonical_name(name: str) -> str:
    """Drop ``metadata.`` from a name, unless the bare name means another property."""
    bare = name.removeprefix(_METADATA)
    if bare == name or bare.startswith(_METADATA) or is_reserved(bare):
        return name
    return bare


def checked_name(name: object) -> str:
    """Return the name of a property, or refuse it.

    Raises:
        BadFilter: it is not a non-empty text, or a fact without a source.
        UnknownName: the family has no such property.
    """
    if not is_storable(name) or not str(name).removeprefix(_METADATA):
        raise BadFilter(
            f"property {shortened(name)}: expected the name of metadata or of a property."
        )
    text = str(name)
    family = family_of(text)
    if family is not None and family.kind_of(text) == "fact" and fact_of(text, family) is None:
        raise BadFilter(
            f"property {text!r}: facts are named fact.SOURCE.NAME, and tags fact.tags; metadata of "
            f"that name is metadata.{text}."
        )
    return text


def fact_of(name: str, family: PropertyFamily | None) -> str | None:
    """Return the fact that answers a property: ``fact.SOURCE.NAME`` or ``fact.tags``.

    ``None`` for properties that are no facts, and for ``fact.`` without source or name.
    """
    if name == TAGS:
        return TAGS
    if family is None or family.answered_by != "sql":
        return None
    if family in OWN and family.prefix != "fact":
        return None
    source, _, rest = name.removeprefix("fact.").partition(".")
    return fact_name(source, rest) if source and rest else None


def path_of(name: str, family: PropertyFamily | None) -> tuple[str, ...]:
    """Return the steps into the metadata that a property is in; empty where it is no metadata."""
    if family is None:
        return tuple(name.removeprefix(_METADATA).split("."))
    if family.kind_of(name) != "any" or family.value is not None:
        return ()
    start = next(start for start in family.open if name.startswith(start))
    return tuple(name.removeprefix(start).split("."))
