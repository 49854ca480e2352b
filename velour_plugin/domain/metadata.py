"""Metadata of datums, models and datasets: names and values, and their JSON.

Values keep their type through the store: numbers, strings, booleans and nested
lists and mappings are JSON's own; times, durations and shapes are written as
``{"$datetime": ...}``, ``{"$date": ...}``, ``{"$time": ...}``, ``{"$duration": seconds}``
and as GeoJSON. Refused: NaN, infinity, names that are not text, and
anything else that filters cannot compare.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import BadGeometry, BadMetadata
from velour_plugin.helpers.libraries import is_geometry, shapely
from velour_plugin.helpers.representation import shortened

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


AREA_UNIT = "area_unit"
"""The name, in a dataset's metadata, of the unit in which areas of its annotations are."""
PIXELS, SQUARE_METRES = "pixel", "square metre"
"""Units of area; pixels where a dataset names none."""
DEEPEST = 64
"""Lists and mappings of metadata inside each other."""
_EXACT = 2**53
_NUMBERS = (int, float)


def encode_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Convert metadata to JSON, keys sorted; dates and times are tagged, geometries are GeoJSON.

    Raises:
        BadMetadata: it is no mapping, a key is no non-empty string, or a value has no JSON form.
    """
    if type(metadata) is not dict and not isinstance(metadata, Mapping):
        raise BadMetadata(
            f"metadata {metadata!r}: expected names and values, as {{'hour': 20}}; leave out "
            "unknown values."
        )
    encoded = {}
    for key in _checked_keys(tuple(metadata)):
        value = metadata[key]
        if type(value) in _NUMBERS and -_EXACT < value < _EXACT:
            encoded[key] = value  # the common case needs no conversion
        else:
            encoded[key] = _encode(key, value)
    return encoded


def nested_value(metadata: Mapping[str, Any], name: str) -> Any:
    """Return the value of a property such as ``metadata.site.id`` or ``site.id``, or ``None``."""
    value: Any = metadata
    for step in name.removeprefix("metadata.").split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def check_encoded(metadata: Sequence[Mapping[str, Any] | None]) -> None:
    """Refuse JSON that :func:`encode_metadata` does not give; all are looked at together.

    Raises:
        BadMetadata: a value breaks a rule, naming its row.
    """
    known = [{} if encoded is None else encoded for encoded in metadata]
    if is_all_plain(known):
        return
    for row, encoded in enumerate(known):
        try:
            encode_metadata(decode_metadata(encoded))
        except BadMetadata as error:
            raise BadMetadata(f"row {row}: {error}") from error


def is_all_plain(metadata: Sequence[Mapping[str, Any]]) -> bool:
    """Whether :func:`encode_metadata` leaves all of many unchanged; one pass over all values.

    ``False`` where it may refuse or convert a value: then each must be encoded.
    """
    if not set(map(type, metadata)) <= {dict}:
        return False
    values = [value for known in metadata for value in known.values()]
    return (
        set(map(type, values)) <= {int, float, str, bool, type(None)}
        and all(-_EXACT < value < _EXACT for value in values if type(value) in _NUMBERS)
        and is_storable("".join(value for value in values if type(value) is str))
        and all(map(_is_key, set(chain.from_iterable(metadata))))
    )


def decode_metadata(encoded: Mapping[str, Any]) -> dict[str, Any]:
    """Convert JSON of :func:`encode_metadata` back to metadata.

    Raises:
        BadMetadata: it is something else.
    """
    if not isinstance(encoded, Mapping):
        raise BadMetadata(f"metadata {shortened(encoded)}: expected a JSON object.")
    return {key: _decode(value) for key, value in encoded.items()}


def checked_location(location: object) -> shapely.Geometry | None:
    """Convert a location to shapely in WGS84, x = longitude, y = latitude; ``None`` stays.

    Args:
        location: a ``(latitude, longitude)`` pair, GeoJSON
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
    if not _is_finite(geometry):
        raise _bad_location(location)
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
        """Return ``{"height": …, "width": …}``, for the image's datum."""
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
        """Return ``{"height": …, "width": …, "frame": …}``, for the frame's datum."""
        return {**self.image.to_metadata(), "frame": self.frame}


@lru_cache(maxsize=1024)
def _checked_keys(keys: tuple[Any, ...]) -> tuple[str, ...]:
    """Sorted keys; cached, as all datums of a dataset have the same."""
    return tuple(_checked_key(key) for key in sorted(keys, key=str))


def _is_key(key: object) -> bool:
    return is_storable(key) and bool(key) and not str(key).startswith("$")


def _checked_key(key: object) -> str:
    if not _is_key(key):
        raise BadMetadata(
            f"metadata key {key!r}: expected a non-empty string without U+0000 that does not "
            "start with '$'."
        )
    return str(key)


def _encode(key: str, value: Any, depth: int = 1) -> Any:
    if isinstance(value, str):
        return _checked_text(key, value)
    if value is None or isinstance(value, bool):
        return value
    if getattr(value, "ndim", None) == 0:
        value = _scalar_of_numpy(value)
    if isinstance(value, (int, float)):
        return _checked_number(key, value)
    if isinstance(value, dt.datetime):
        if value != value:  # NaT of pandas
            raise _not_known(key, value)
        return {"$datetime": _in_utc(key, value).isoformat()}
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, dt.time):
        return {"$time": value.isoformat()}
    if isinstance(value, dt.timedelta):
        return {"$duration": value.total_seconds()}
    if is_geometry(value) or _is_geojson(value):
        return shapely.geometry.mapping(_checked_geometry(key, value))
    if depth > DEEPEST:
        raise BadMetadata(
            f"metadata {shortened(key)} is nested too deep: expected at most {DEEPEST} lists and "
            "mappings inside each other."
        )
    if isinstance(value, Mapping):
        return {
            _checked_key(name): _encode(f"{key}.{name}", value[name], depth + 1) for name in value
        }
    if isinstance(value, (list, tuple)):
        return [_encode(key, item, depth + 1) for item in value]
    raise BadMetadata(
        f"metadata {key!r} is a {type(value).__name__}: expected a number, string, boolean, "
        "datetime, date, time, timedelta, geometry, or lists and mappings of these."
    )


def _checked_text(key: str, text: str) -> str:
    if not is_storable(text):
        raise BadMetadata(f"metadata {key!r} is {text!r}: expected Unicode text without U+0000.")
    return str(text)


def _checked_number(key: str, number: float) -> float:
    try:
        finite = math.isfinite(number)
    except OverflowError:
        finite = False
    if not finite:
        raise _not_known(key, number)
    if isinstance(number, float) and abs(number) >= _EXACT:
        return int(number)  # PostgreSQL gives 1e300 back as a whole number: so do all
    return number


def _checked_geometry(key: str, value: Any) -> shapely.Geometry:
    try:
        geometry = value if is_geometry(value) else shapely.geometry.shape(dict(value))
        if _is_finite(geometry):
            return geometry
    except Exception as error:  # shapely raises errors of many kinds
        raise BadMetadata(f"metadata {key!r} is {value!r}, which is no GeoJSON.") from error
    raise BadMetadata(f"metadata {key!r} is {value!r}: expected finite coordinates.")


def _scalar_of_numpy(value: Any) -> Any:
    """A numpy scalar as Python's value: sqlite3 would store np.int64 as a BLOB."""
    if value != value:
        return math.nan
    plain = value.item()
    if value.dtype.kind in "mM" and isinstance(plain, int):  # Python has no nanoseconds
        plain = value.astype(f"{value.dtype.kind}8[us]").item()
    return plain


def _not_known(key: str, value: object) -> BadMetadata:
    return BadMetadata(
        f"metadata {key!r} is {value!r}: expected a number that float64 can hold; leave out what "
        "is not known."
    )


def _is_finite(geometry: shapely.Geometry) -> bool:
    return all(map(math.isfinite, shapely.get_coordinates(geometry).flat))


def _is_geojson(value: object) -> bool:
    """Whether a mapping is a GeoJSON geometry and nothing else."""
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        return False
    parts = {"type", "geometries" if value["type"] == "GeometryCollection" else "coordinates"}
    return value["type"] in GEOJSON_TYPES and set(value) == parts


def _in_utc(key: str, moment: dt.datetime) -> dt.datetime:
    """A time in UTC, so that times compare by instant; one without a zone is read as UTC."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=dt.UTC)
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError as error:
        raise BadMetadata(
            f"metadata {key!r} is {moment.isoformat()}: in UTC that is outside the years 1 to 9999."
        ) from error


def _decode(value: Any, depth: int = 1) -> Any:
    if depth > DEEPEST:
        return value  # deeper than any metadata: refused where it matters
    if isinstance(value, list):
        return [_decode(item, depth + 1) for item in value]
    if not isinstance(value, Mapping):
        return value
    try:
        if len(value) == 1:
            ((tag, text),) = value.items()
            if tag in _DECODERS:
                return _DECODERS[tag](text)
        if _is_geojson(value):
            return shapely.geometry.shape(dict(value))
    except Exception as error:  # shapely raises errors of many kinds
        raise BadMetadata(
            f"metadata {shortened(value)}: expected a date, time, duration or geometry ({error})."
        ) from error
    return {key: _decode(item, depth + 1) for key, item in value.items()}


_DECODERS: dict[str, Any] = {
    "$datetime": dt.datetime.fromisoformat,
    "$date": dt.date.fromisoformat,
    "$time": dt.time.fromisoformat,
    "$duration": lambda seconds: dt.timedelta(seconds=seconds),
}


def _geometry_of(location: object) -> shapely.Geometry:
    if is_geometry(location):
        return location
    try:
        if isinstance(location, Mapping):
            return shapely.geometry.shape(dict(location))
        pair: Any = location
        latitude, longitude = pair
        if math.isfinite(latitude) and math.isfinite(longitude):
            return shapely.Point(float(longitude), float(latitude))
    except Exception as error:
        raise _bad_location(location) from error
    raise _bad_location(location)


def _bad_location(location: object) -> BadGeometry:
    return BadGeometry(
        f"location {location!r}: expected (latitude, longitude), GeoJSON or a shapely geometry."
    )
