"""Metadata files that all formats read: a CSV or JSON file with one record an image.

A column ``uid``, ``image_id`` or ``file_name`` names the image, ``latitude`` and ``longitude`` are
its place, any other is metadata.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from velour_plugin.contracts.csv_rows import read_csv
from velour_plugin.domain.inputs.cell_values import parse_typed_number
from velour_plugin.domain.inputs.image_names import ImageNames
from velour_plugin.domain.inputs.reading import note_read, note_repaired, note_unmatched
from velour_plugin.domain.metadata import encode_metadata, is_all_plain
from velour_plugin.errors import BadDataset, BadMetadata
from velour_plugin.helpers.input_files import read_bytes
from velour_plugin.helpers.json_text import parse_json

MetadataAndLocation = tuple[dict[str, Any], Any]
_NAMES = ("uid", "image_id", "file_name")
_LATITUDES = ("latitude", "lat")
_LONGITUDES = ("longitude", "lon", "lng")


@dataclass(frozen=True, slots=True)
class _Record:
    names: tuple[str, ...]
    metadata: dict[str, Any]
    location: Any
    where: str

    def name_among(self, images: ImageNames) -> str:
        """Return the first of its names that an image has, or the last, a file name if any."""
        return next((name for name in self.names if name in images), self.names[-1])


class Records:
    """Metadata and locations of images, by name, from a metadata file."""

    def __init__(self, records: Sequence[_Record], where: str) -> None:
        self.records = records
        self.where = where

    def of_images(
        self, uids: Sequence[str], file_names: Sequence[str | None] = ()
    ) -> list[MetadataAndLocation]:
        """Return metadata and location of each image; empty where there is no record.

        Records that name no image, and images without a record, are counted.

        Args:
            uids: of all images.
            file_names: of the images, where they have one.

        Raises:
            BadDataset: two records name one image, one may name two, or none names any.
        """
        of_images: list[MetadataAndLocation] = [({}, None)] * len(uids)
        if not self.records:
            return of_images
        images = ImageNames(uids, file_names)
        by_name = self._by_name(images)
        found = images.find(by_name, self.where)
        if not found:
            raise self._of_none(uids)
        for name, record in by_name.items():
            if name in found:
                of_images[found[name]] = (record.metadata, record.location)
            else:
                note_unmatched("metadata records that name no image", f"{record.where}: {name!r}")
        described = set(found.values())
        for index, uid in enumerate(uids):
            if index not in described:
                note_unmatched("images without a metadata record", repr(uid))
        return of_images

    def _of_none(self, uids: Sequence[str]) -> BadDataset:
        return BadDataset(
            f"{self.where}: none of its {len(self.records)} records is about a datum "
            f"({self.records[0].names[0]!r}, …): its column uid, image_id or file_name names them"
            + (f", such as {uids[0]!r}." if uids else ".")
        )

    def _by_name(self, images: ImageNames) -> dict[str, _Record]:
        by_name: dict[str, _Record] = {}
        for record in self.records:
            name = record.name_among(images)
            if name in by_name:
                raise BadDataset(f"{record.where}: {name!r} occurs twice.")
            by_name[name] = record
        return by_name


def read_records(path: str | os.PathLike[str] | None) -> Records:
    """Read a CSV file with a header, or a JSON list of objects.

    Raises:
        UnreadableFile: the file cannot be opened.
        BadDataset: it is none of these, holds no record, or a record names no datum.
    """
    if path is None:
        return Records((), "")
    name = f"metadata {os.fspath(path)!r}"
    content = read_bytes(path, name)
    rows = _json_rows(content, name) if _is_json(content) else _csv_rows(path, name)
    if not rows:
        raise BadDataset(f"{name} holds no record: expected one for each image.")
    note_read("metadata records", len(rows))
    records = [_record(row, f"{name}, record {at}") for at, row in enumerate(rows, 1)]
    if not is_all_plain([record.metadata for record in records]):
        for record in records:
            _check_metadata(record)
    return Records(records, name)


def _is_json(content: bytes) -> bool:
    """Whether it begins as JSON does; a header of a CSV has no such name."""
    return content.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1] in (b"[", b"{")


def _json_rows(content: bytes, name: str) -> list[Mapping[str, Any]]:
    rows = parse_json(content, name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        wrong = type(rows).__name__ if not isinstance(rows, list) else "list of other values"
        raise BadDataset(
            f'{name} holds a {wrong}: expected a list of objects, [{{"uid": …, "hour": 20}}, …].'
        )
    return rows


def _csv_rows(path: str | os.PathLike[str], name: str) -> list[Mapping[str, Any]]:
    columns, rows = read_csv(path, name, (*_NAMES, *_LATITUDES, *_LONGITUDES))
    if not set(_NAMES).intersection(columns):
        raise BadDataset(
            f"{name} names no datum: expected one of the columns {', '.join(_NAMES)}; its header "
            f"is {', '.join(columns[:10])}."
        )
    return [
        {
            key: text if key in _NAMES else _typed(text, f"{name}, record {at}: {key}")
            for key, text in row.items()
            if text != ""
        }
        for at, row in enumerate(rows, 1)
    ]


def _record(row: Mapping[str, Any], where: str) -> _Record:
    names = tuple(_name(row[key], key, where) for key in _NAMES if row.get(key) not in (None, ""))
    if not names:
        raise BadDataset(
            f"{where}: names no datum; expected one of the columns {', '.join(_NAMES)}."
        )
    dropped = {*_NAMES, *_LATITUDES, *_LONGITUDES}
    metadata = {key: value for key, value in row.items() if key not in dropped}
    return _Record(names, metadata, _location(row, where), where)


def _check_metadata(record: _Record) -> None:
    """Refuse metadata that no store can hold, naming the record."""
    try:
        encode_metadata(record.metadata)
    except BadMetadata as error:
        raise BadMetadata(f"{record.where}: {error}") from error


def _name(value: Any, key: str, where: str) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise BadDataset(f"{where}: {key} {value!r}: expected a text or a whole number.")
    return str(value)


def _location(row: Mapping[str, Any], where: str) -> tuple[float, float] | None:
    """Latitude and longitude in degrees; ``None`` where both are blank."""
    values = [
        next((row[key] for key in keys if row.get(key) not in (None, "")), None)
        for keys in (_LATITUDES, _LONGITUDES)
    ]
    if values == [None, None]:
        return None
    latitude, longitude = (parse_typed_number(value, where) for value in values)
    if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise BadDataset(
            f"{where}: latitude {values[0]!r}, longitude {values[1]!r}: expected degrees as "
            "numbers, latitude within ±90 and longitude within ±180, or leave both out."
        )
    return latitude, longitude


def _typed(text: str, where: str) -> Any:
    """Read a CSV cell: a number, true or false, a date, a moment, or text.

    A number with leading zeros is a code: text. Patterns decide, as what Python itself
    takes for a number or moment (1_000, ٣, 20240601T2000) differs from version to version.
    """
    bare = text.strip()
    if bare.lower() in ("true", "false"):
        return bare.lower() == "true"
    for pattern, read in _READERS:
        if pattern.fullmatch(bare):
            try:
                return read(bare)
            except (ValueError, OverflowError):
                note_repaired("numbers, dates and times that do not exist, kept as text", where)
                return text
    return text


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise OverflowError(text)
    return number


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is not None:
        moment.astimezone(dt.UTC)  # which a year 0 or 10000 would overflow
    return moment


_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{3}([0-9]{3})?)?)?"
_READERS: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile("[+-]?(0|[1-9][0-9]*)"), int),
    (re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"), _finite),
    (re.compile(_DAY), dt.date.fromisoformat),
    (re.compile(f"{_DAY}[T ]{_CLOCK}(Z|[+-][0-9]{{2}}:[0-9]{{2}})?"), _moment),
)
