"""Names of properties: which are Velour's own, what each is about, and where metadata lies.

A bare name is metadata of the datum, and ``metadata.NAME`` always is: that is how metadata
called like one of Velour's own properties is asked for, as in ``metadata.score``.
"""

from __future__ import annotations

from velour_plugin.domain.text import is_storable
from velour_plugin.errors import BadFilter, UnknownName

OWN: dict[str, tuple[str, str]] = {
    "uid": ("datum", "string"),
    "dataset": ("datum", "string"),
    "location": ("datum", "geometry"),
    "label.key": ("label", "string"),
    "label.value": ("label", "string"),
    "score": ("score", "number"),
    "annotation.area": ("annotation", "number"),
    "annotation.geometry": ("annotation", "geometry"),
    "model": ("run", "string"),
    "run_id": ("run", "string"),
}
"""What each of Velour's own properties is about, and the type of its values."""

ABOUT_DATUMS = tuple(name for name, (family, _) in OWN.items() if family == "datum")

_METADATA = "metadata."
_OF_ANNOTATION = "annotation.metadata."
_CLOSED = ("label", "annotation")


def canonical_name(name: str) -> str:
    """The one spelling of a property: ``metadata.`` only where a bare name means another."""
    bare = name.removeprefix(_METADATA)
    reserved = bare in OWN or bare.startswith((_METADATA, *(f"{own}." for own in _CLOSED)))
    return name if reserved else bare


def checked_name(name: object) -> str:
    """Refuse what is no property, and what is none of Velour's own though it looks like one.

    Raises:
        BadFilter: it is not a non-empty text.
        UnknownName: labels and annotations have no such property.
    """
    if not is_storable(name) or not str(name).removeprefix(_METADATA):
        raise BadFilter(f"property {name!r}: expected the name of metadata or of a property.")
    text = str(name)
    closed = text.startswith(tuple(f"{own}." for own in _CLOSED))
    if closed and text not in OWN and not text.startswith(_OF_ANNOTATION):
        known = [own for own in OWN if own.startswith(_CLOSED)]
        raise UnknownName(
            "property", text, (*known, "annotation.metadata.NAME", f"{_METADATA}{text}")
        )
    return text


def family_of(name: str) -> str:
    """What a property is about: ``datum``, ``label``, ``score``, ``annotation`` or ``run``."""
    if name in OWN:
        return OWN[name][0]
    return "annotation" if name.startswith(_OF_ANNOTATION) else "datum"


def kind_of(name: str) -> str | None:
    """The type of a property's values; ``None`` for metadata, which may be of any."""
    return OWN[name][1] if name in OWN else None


def path_of(name: str) -> tuple[str, ...]:
    """Steps into the metadata of the datum or annotation; none for Velour's own properties."""
    if name in OWN:
        return ()
    prefix = _OF_ANNOTATION if name.startswith(_OF_ANNOTATION) else _METADATA
    return tuple(name.removeprefix(prefix).split("."))
