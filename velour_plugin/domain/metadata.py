"""Metadata: what is known of a datum, and how it is spelled in JSON.

Values keep their type through the store: numbers, strings, booleans and nested
lists and mappings are JSON's own; moments, durations and shapes are spelled
``{"$datetime": ...}``, ``{"$date": ...}``, ``{"$time": ...}``, ``{"$duration": seconds}``
and as GeoJSON. Refused: NaN, infinity, names that are not text, and
anything else that a filter could not be asked about.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry import Point, mapping, shape
from shapely.geometry.base import BaseGeometry

from velour_plugin.errors import BadGeometry, BadMetadata

GEOJSON_TYPES = frozenset(
    (
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
    )
)


def encode_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Spell metadata in JSON, keys sorted.

    Raises:
        BadMetadata: a key is not a non-empty string, or a value has no spelling.
    """
    return {_checked_key(key): _encode(key, metadata[key]) for key in sorted(metadata, key=str)}


def decode_metadata(encoded: Mapping[str, Any]) -> dict[str, Any]:
    """Undo :func:`encode_metadata`."""
    return {key: _decode(value) for key, value in encoded.items()}


def checked_location(location: object) -> BaseGeometry | None:
    """Return a place on Earth as a shapely geometry in WGS84, x = longitude, y = latitude.

    Args:
        location: a ``(latitude, longitude)`` pair as people say it, GeoJSON
            (longitude first), a shapely geometry (longitude first), or ``None``.

    Raises:
        BadGeometry: it is none of these, is empty, or leaves latitude ±90 or longitude ±180.
    """
    if location is None:
        return None
    geometry = _geometry_of(location)
    if geometry.is_empty:
        raise BadGeometry(f"location {location!r} is empty: leave it out where it is unknown.")
    west, south, east, north = geometry.bounds
    if south < -90 or north > 90 or west < -180 or east > 180:
        raise BadGeometry(
            f"location {location!r}: latitude is within ±90 and longitude within ±180. "
            "A pair is (latitude, longitude); GeoJSON and shapely put the longitude first."
        )
    return shapely.force_2d(geometry)


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """Height and width of an image, in pixels."""

    height: int
    width: int

    def __post_init__(self) -> None:
        for name, size in (("height", self.height), ("width", self.width)):
            if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
                raise BadMetadata(f"image {name} {size!r}: expected a whole number of pixels > 0.")

    def to_metadata(self) -> dict[str, Any]:
        """Return what a datum's metadata says of this image."""
        return {"height": self.height, "width": self.width}


@dataclass(frozen=True, slots=True)
class VideoFrameMetadata:
    """One frame of a video: its image, and its number counted from 0."""

    image: ImageMetadata
    frame: int

    def __post_init__(self) -> None:
        if not isinstance(self.frame, int) or isinstance(self.frame, bool) or self.frame < 0:
            raise BadMetadata(f"frame {self.frame!r}: expected a whole number >= 0.")

    def to_metadata(self) -> dict[str, Any]:
        """Return what a datum's metadata says of this frame."""
        return {**self.image.to_metadata(), "frame": self.frame}


def _checked_key(key: object) -> str:
    if not isinstance(key, str) or not key or key.startswith("$"):
        raise BadMetadata(
            f"metadata key {key!r}: expected a non-empty string that does not start with '$'."
        )
    return key


def _encode(key: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if hasattr(value, "item") and not isinstance(value, BaseGeometry):
        value = value.item()  # a numpy scalar: sqlite3 would store np.int64 as a BLOB
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadMetadata(f"metadata {key!r} is {value!r}: leave out what is not known.")
        return value
    if isinstance(value, dt.datetime):
        return {"$datetime": _in_utc(value).isoformat()}
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, dt.time):
        return {"$time": value.isoformat()}
    if isinstance(value, dt.timedelta):
        return {"$duration": value.total_seconds()}
    if isinstance(value, BaseGeometry):
        return mapping(value)
    if isinstance(value, Mapping):
        return {_checked_key(name): _encode(f"{key}.{name}", value[name]) for name in value}
    if isinstance(value, (list, tuple)):
        return [_encode(key, item) for item in value]
    raise BadMetadata(
        f"metadata {key!r} is a {type(value).__name__}: expected a number, string, boolean, "
        "datetime, date, time, timedelta, geometry, or lists and mappings of these."
    )


def _in_utc(moment: dt.datetime) -> dt.datetime:
    """Moments compare by instant; one without a zone is read as UTC."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=dt.timezone.utc)
    return moment.astimezone(dt.timezone.utc)


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((tag, text),) = value.items()
        if tag in _DECODERS:
            return _DECODERS[tag](text)
    if value.get("type") in GEOJSON_TYPES and ("coordinates" in value or "geometries" in value):
        return shape(dict(value))
    return {key: _decode(item) for key, item in value.items()}


_DECODERS: dict[str, Any] = {
    "$datetime": dt.datetime.fromisoformat,
    "$date": dt.date.fromisoformat,
    "$time": dt.time.fromisoformat,
    "$duration": lambda seconds: dt.timedelta(seconds=seconds),
}


def _geometry_of(location: object) -> BaseGeometry:
    if isinstance(location, BaseGeometry):
        return location
    try:
        if isinstance(location, Mapping):
            return shape(dict(location))
        pair: Any = location
        latitude, longitude = pair
        if math.isfinite(latitude) and math.isfinite(longitude):
            return Point(float(longitude), float(latitude))
    except Exception as error:
        raise _bad_location(location) from error
    raise _bad_location(location)


def _bad_location(location: object) -> BadGeometry:
    return BadGeometry(
        f"location {location!r}: expected (latitude, longitude), GeoJSON or a shapely geometry."
    )
