"""What GeoJSON files hold, before it is projected: features, their images, the coordinates' system.

Refused, naming file and feature: what is no feature, and features without an image among
features that name theirs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from velour_integrations.formats.geojson.geojson_properties import IMAGE, image_of
from velour_integrations.formats.other_formats import way_out
from velour_integrations.formats.row_builder import by_name
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import parse_json, read_bytes

DEGREES = "OGC:CRS84"
"""Longitude and latitude, when a file names no other."""
_LONGEST_CRS = 10_000
"""Letters of a crs; the longest in PROJ's database, as WKT, have some 5,000."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature: its image, properties and geometry, and where it stands, for messages."""

    image: str
    properties: Mapping[str, Any]
    geometry: Any
    where: str


@dataclass(frozen=True, slots=True)
class GeoJsonContent:
    """Features of all files, the images in their order, and the coordinates' CRS or ``None``."""

    features: Sequence[Feature]
    images: Sequence[str]
    crs: str | None


def read_content(path: Path, only: str | None = None) -> GeoJsonContent:
    """Read a file or a folder; ``only`` is the image of a file whose features name none."""
    if path.is_dir():
        files = by_name(path, {".geojson", ".json"})
        if not files:
            raise BadDataset(f"{os.fspath(path)!r} holds no .geojson or .json file.")
        loaded = {uid: _load(file) for uid, file in files.items()}
        images: dict[str, None] = dict.fromkeys(files)
        features = [
            _feature(item, uid, at, files[uid])
            for uid, collection in loaded.items()
            for at, item in enumerate(collection["features"])
        ]
    else:
        stem = Path(path.name.removesuffix(".gz")).stem
        files, loaded = {stem: path}, {stem: _load(path)}
        listed = loaded[stem]["features"]
        named = any(image_of(_properties(item), _at(path, at)) for at, item in enumerate(listed))
        features = [
            _feature(item, None if named else only or stem, at, path)
            for at, item in enumerate(listed)
        ]
        of_features = [item.image for item in features] if named else [only or stem]
        images = dict.fromkeys(of_features)
    crs = _one_crs([(_crs(loaded[uid], file), file) for uid, file in files.items()])
    return GeoJsonContent(features, list(images), crs)


def _one_crs(systems: Sequence[tuple[str | None, Path]]) -> str | None:
    crs, first = systems[0]
    for other, path in systems:
        if other != crs:
            raise BadDataset(
                f"{os.fspath(path)!r} has the crs {other}, {first.name} {crs}: expected one for "
                "all files."
            )
    return crs


def _load(path: Path) -> Mapping[str, Any]:
    text = read_bytes(path)
    try:
        content = parse_json(text, repr(os.fspath(path)))
    except BadDataset as error:
        raise BadDataset(f"{error}{way_out(text, 'geojson')}") from error
    if isinstance(content, list):  # as QuPath writes it
        content = {"features": content}
    elif isinstance(content, Mapping) and content.get("type") == "Feature":
        content = {**content, "features": [content]}
    if not isinstance(content, Mapping) or not isinstance(content.get("features"), list):
        raise BadDataset(
            f"{os.fspath(path)!r} has no list of features: expected GeoJSON."
            f"{way_out(text, 'geojson')}"
        )
    return content


def _crs(content: Mapping[str, Any], path: Path) -> str | None:
    if "crs" not in content:
        return DEGREES
    crs_member = content["crs"]
    if crs_member is None:
        return None
    named = crs_member.get("properties") if isinstance(crs_member, Mapping) else None
    name = named.get("name") if isinstance(named, Mapping) else crs_member
    name = " ".join(name.split()) if isinstance(name, str) else ""
    if not name or not name.isprintable() or len(name) > _LONGEST_CRS:
        raise BadDataset(
            f"{os.fspath(path)!r}: crs {str(crs_member)[:80]}: expected "
            f'{{"type": "name", "properties": {{"name": "EPSG:32611"}}}}, or null for pixels.'
        )
    return DEGREES if name.endswith("CRS84") else name


def _properties(item: Any) -> Mapping[str, Any]:
    properties = item.get("properties") if isinstance(item, Mapping) else None
    return properties if isinstance(properties, Mapping) else {}


def _feature(item: Any, image: str | None, at: int, path: Path) -> Feature:
    where = _at(path, at)
    if not isinstance(item, Mapping) or item.get("type") != "Feature":
        raise BadDataset(f'{where}: expected an object of "type": "Feature".')
    if not isinstance(item.get("properties"), (Mapping, NoneType)):
        raise BadDataset(
            f"{where}: its properties are {repr(item['properties'])[:40]}: expected an object."
        )
    image = image_of(_properties(item), where) if image is None else image
    if image is None:
        raise BadDataset(
            f"{where}: names no image, as others do; expected one of the properties "
            f"{', '.join(IMAGE)}."
        )
    return Feature(image, _properties(item), item.get("geometry"), where)


def _at(path: Path, position: int) -> str:
    return f"{os.fspath(path)!r}, feature number {position + 1}"
