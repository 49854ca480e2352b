"""What the properties of GeoJSON features say: image, class, score and crowd, as tools write them.

Names are compared without regard to case, underscores, hyphens and blanks: ``ClassName`` is
``class_name``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from velour_plugin.errors import BadDataset
from velour_plugin.plugin import note_repaired, parse_number, parse_typed_flag, parse_typed_score

Properties = Mapping[str, Any]

IMAGE = ("image_id", "image", "file_name", "image_name", "uid", "img", "img_id", "image_file")
"""Properties that name a feature's image: the first that it has."""
LABEL = ("label", "class", "category", "classification", "type_id", "class_name", "class_label",
         "label_name", "category_name", "type_name", "object_class", "land_cover",
         "land_use", "class_id", "label_id", "category_id", "class_value")  # fmt: skip
"""Properties that name a feature's class: the first that it has, names before numbers."""
SCORE = ("score", "confidence", "probability", "conf", "prob", "confidence_score",
         "detection_score", "class_probability")  # fmt: skip
UNCLASSED = "object"
"""The class of features when no feature of a dataset has one."""

_CROWD = ("iscrowd",)
_NO_CLASS = frozenset(
    (
        "id", "fid", "gid", "oid", "uuid", "guid", "osmid", "objectid", "featureid", "buildingid",
        "tileid", "parcelid", "globalid", "source", "provider", "sensor", "release", "version",
        "description", "comment", "comments", "note", "notes", "remark", "remarks", "tags",
        "author", "user", "username", "editor", "license", "url", "quadkey", "wkt", "objecttype",
        "color", "colour", "fill", "stroke", "markercolor", "markersize", "markersymbol",
        "address", "street", "city", "county", "state", "country", "region", "project",
        "createdby", "updatedby", "capturedatesrange",
    )
)  # fmt: skip
"""Texts that drawing tools and maps keep beside a class, by their simplified names."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}")
_LIKE_CLASS = re.compile(
    r".*(class|label|categor|type|kind|species).*|cls|cat|code|gridcode|group|dn|(raster)?val(ue)?"
)
"""Names of properties whose whole numbers may be classes; ``DN`` and ``value`` are GDAL's."""


def image_of(properties: Properties, where: str) -> str | None:
    """Return the image that a feature names; ``None`` where it names none."""
    image = _first(properties, IMAGE)
    if isinstance(image, float) and image.is_integer():
        image = int(image)
    if image is not None and (isinstance(image, bool) or not isinstance(image, (str, int))):
        raise BadDataset(f"{where}: image {image!r}: expected a text or a whole number.")
    return None if image is None else str(image)


def has_class(properties: Properties) -> bool:
    """Whether a feature has a class in one of the properties of :data:`LABEL`."""
    return _first(properties, LABEL) is not None


def class_of(properties: Properties, where: str) -> str:
    """Return a feature's class, one of QuPath's names; ``Tumor: Positive`` as QuPath shows it.

    Raises:
        BadDataset: it has none, naming the properties that it has.
    """
    label = name = _first(properties, LABEL)
    if isinstance(label, Mapping):
        name = label.get("name", label.get("names"))
        if isinstance(name, list) and all(isinstance(part, str) for part in name):
            name = ": ".join(name)
    if isinstance(name, float) and name.is_integer():
        name = int(name)
    if isinstance(name, bool) or not isinstance(name, (str, int)) or not str(name).strip():
        raise BadDataset(
            f"{where}: has no class ({label!r}); expected a text or a whole number in one of the "
            f"properties {', '.join(LABEL)}; its properties are {_listed(properties)}."
        )
    return str(name)


def check_unclassed(features: Iterable[tuple[Properties, str]]) -> None:
    """Refuse features without a class among whose properties one may be their class.

    Args:
        features: properties of each, and where it stands.
    """
    for properties, where in features:
        for key, value in properties.items():
            if _may_be_class(_simple(key), value):
                raise BadDataset(
                    f"{where}: no feature has a class, but {key!r}, {str(value)[:40]!r}, may be "
                    "one: call that property 'label'; or give each feature a 'label', such as "
                    f"'{UNCLASSED}', if it is none. Its properties are {_listed(properties)}."
                )


def note_other_properties(features: Sequence[tuple[Properties, str]]) -> None:
    """Count features whose class stands in another property than that of the first."""
    used = [_key(properties, LABEL) for properties, _ in features]
    first = next((key for key in used if key), None)
    for key, (_, where) in zip(used, features, strict=True):
        if key and key != first:
            note_repaired(f"classes in {key!r}, where others are in {first!r}", where)


def score_of(properties: Properties, where: str) -> float:
    """Return a prediction's score, in [0, 1]."""
    return parse_typed_score(_first(properties, SCORE), where, "confidence")


def is_crowd(properties: Properties, where: str) -> bool:
    """Whether a feature is a crowd; it is none where it does not say."""
    value = _first(properties, _CROWD)
    crowd = False if value is None else parse_typed_flag(value, where)
    if crowd is None:
        raise BadDataset(f"{where}: iscrowd {value!r}: expected 0 or 1.")
    return crowd


def others_of(properties: Properties) -> dict[str, Any]:
    """Return plain properties that say none of these: the annotation's metadata."""
    return {
        key: value
        for key, value in properties.items()
        if key and _simple(key) not in _USED and not key.startswith("$")
        and isinstance(value, (str, bool, int, float)) and value == value
    }  # fmt: skip


def _first(properties: Properties, keys: Sequence[str]) -> Any:
    key = _key(properties, keys)
    return None if key is None else properties[key]


def _key(properties: Properties, keys: Sequence[str]) -> str | None:
    """The first of some properties that has a value, as the feature spells it."""
    spelled = {_simple(key): key for key, value in properties.items() if value is not None}
    spelled |= {_simple(key): key for key in keys if properties.get(key) is not None}
    return next((spelled[key] for key in map(_simple, keys) if key in spelled), None)


@lru_cache(maxsize=4096)
def _simple(key: str) -> str:
    return re.sub(r"[\W_]", "", key).casefold()


_USED = frozenset(map(_simple, (*IMAGE, *LABEL, *SCORE, *_CROWD)))


def _may_be_class(key: str, value: Any) -> bool:
    if key in _USED or key in _NO_CLASS or isinstance(value, bool):
        return False
    if isinstance(value, str) and value.strip() and parse_number(value) is None:
        return not _DATE.match(value)
    return isinstance(value, (str, int)) and bool(_LIKE_CLASS.fullmatch(key)) and value != ""


def _listed(properties: Properties) -> str:
    return ", ".join(map(repr, list(properties)[:8])) or "none"
