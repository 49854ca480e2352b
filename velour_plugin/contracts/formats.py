"""The contract of file formats, and the metadata files that all of them read."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, Union

from velour_plugin.domain.datasets import Dataset
from velour_plugin.errors import BadDataset, UnreadableFile

Path = Union[str, "os.PathLike[str]"]


class Format(Protocol):
    """A file format of annotations, such as COCO.

    A format whose files hold numbers of classes takes their names: its ``read`` has one argument
    more, ``labels=None``. A format for another task than object-detection names it as its
    ``usual_task``.
    """

    name: str

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read ground truth; the dataset can then read predictions in this format.

        Args:
            path: the file or folder.
            name: of the dataset; ``None`` for the name of the file.
            metadata: a CSV or JSON file with one record a datum.
        """


class Records:
    """Metadata and location of datums, by name, from a metadata file."""

    def __init__(self, records: Mapping[str, tuple[dict[str, Any], Any]], path: str) -> None:
        self.records = records
        self.path = path

    def of(self, *names: str) -> tuple[dict[str, Any], Any]:
        """Return metadata and location of a datum by any of its names; ``({}, None)`` if none."""
        return next((self.records[name] for name in names if name in self.records), ({}, None))

    def check_used(self, *names: Iterable[str]) -> None:
        """Refuse a file none of whose records is about a datum: a wrong column would go unnoticed.

        Args:
            names: the uids, file names and other names of all datums.

        Raises:
            BadDataset: no record has one of the names.
        """
        known = {name for listed in names for name in listed}
        if self.records and known.isdisjoint(self.records):
            raise BadDataset(
                f"metadata {self.path!r}: none of its {len(self.records)} records is about a datum "
                f"({next(iter(self.records))!r}, …); its column uid, image_id or file_name names "
                "them."
            )


def read_records(path: Path | None) -> Records:
    """Read a CSV or JSON file with one record a datum.

    Raises:
        InvalidInput: the file cannot be read.
        BadDataset: a record names no datum, or two name the same.
    """
    if path is None:
        return Records({}, "")
    label = os.fspath(path)
    records: dict[str, tuple[dict[str, Any], Any]] = {}
    for number, row in enumerate(_rows(label), 1):
        key = next((key for key in _NAMES if row.get(key) not in (None, "")), None)
        if key is None:
            raise BadDataset(
                f"metadata {label!r}, record {number}: names no datum; expected one of the columns "
                f"{', '.join(_NAMES)}."
            )
        name = str(row[key])
        if name in records:
            raise BadDataset(f"metadata {label!r}, record {number}: {name!r} occurs twice.")
        location = _location(row, label, number)
        dropped = {*_NAMES, *_LATITUDES, *_LONGITUDES}
        metadata = {key: value for key, value in row.items() if key not in dropped}
        records[name] = (metadata, location)
    return Records(records, label)


_NAMES = ("uid", "image_id", "file_name")
_LATITUDES = ("latitude", "lat")
_LONGITUDES = ("longitude", "lon", "lng")


def _rows(path: str) -> Iterable[dict[str, Any]]:
    import csv

    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            if path.lower().endswith(".json"):
                content = json.load(file)
                if not isinstance(content, list):
                    raise TypeError(f"it holds a {type(content).__name__}")
                return [dict(row) for row in content]
            rows = [
                {
                    key: text if key in _NAMES else _typed(text)  # 000042 is a name
                    for key, text in row.items()
                    if key and text not in (None, "")
                }
                for row in csv.DictReader(file)
            ]
    except OSError as error:
        raise UnreadableFile(f"metadata {path!r}", error) from error
    except (ValueError, TypeError) as error:
        raise BadDataset(
            f"metadata {path!r}: expected a CSV with a header, or a JSON list of objects ({error})."
        ) from error
    return rows


def _location(row: Mapping[str, Any], path: str, number: int) -> Any:
    latitude = next((row[key] for key in _LATITUDES if key in row), None)
    longitude = next((row[key] for key in _LONGITUDES if key in row), None)
    if latitude is None and longitude is None:
        return None
    if not all(isinstance(value, (int, float)) for value in (latitude, longitude)):
        raise BadDataset(
            f"metadata {path!r}, record {number}: latitude {latitude!r}, longitude {longitude!r}: "
            "expected degrees as numbers, or leave both out."
        )
    return (latitude, longitude)


def _typed(text: str) -> Any:
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
                value = read(bare)
            except ValueError:
                return text
            return text if isinstance(value, float) and not math.isfinite(value) else value
    return text


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{3}([0-9]{3})?)?)?"
_READERS: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile("[+-]?(0|[1-9][0-9]*)"), int),
    (re.compile(r"[+-]?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][+-]?[0-9]+)?"), float),
    (re.compile(_DAY), dt.date.fromisoformat),
    (re.compile(f"{_DAY}[T ]{_CLOCK}(Z|[+-][0-9]{{2}}:[0-9]{{2}})?"), _moment),
)
