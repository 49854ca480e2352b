"""Which format a file is in that another reader was given: for the way out of a refusal."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import islice

_HEAD = 1 << 16


def _has(*words: str) -> Callable[[str], object]:
    return lambda head: all(word in head for word in words)


_SIGNS: tuple[tuple[str, str, Callable[[str], object]], ...] = (
    ("Pascal VOC", "voc", _has("<annotation>")),
    ("GeoJSON", "geojson", _has('"FeatureCollection"')),
    ("GeoJSON", "geojson", _has('"Feature"', '"geometry"')),
    ("SpaceNet", "spacenet", _has("ImageId", "PolygonWKT")),
    ("YOLO", "yolo", re.compile(r"^(names|nc):", re.M).search),
    ("YOLO", "yolo", re.compile(r"\s*[0-9]+( +[01]?\.[0-9]+){4,}\s").match),
    ("COCO panoptic", "", _has('"segments_info"')),
    ("LabelMe", "", _has('"shapes"', '"points"')),
    ("VGG Image Annotator", "", _has('"shape_attributes"')),
    ("CVAT for images", "", _has("<annotations>", "<image ")),
    ("COCO", "coco", _has('"images"', '"categories"')),
    ("COCO results", "coco", _has('"image_id"', '"category_id"')),
)


def way_out(content: bytes, expected: str) -> str:
    """Return a sentence that names the format of a file and how it is read, or nothing.

    Args:
        content: the file.
        expected: the format that it was read as, which is never named.
    """
    head = content[:_HEAD].decode("utf-8", "replace").lstrip("\ufeff")
    for title, name, is_like in _SIGNS:
        if name != expected and is_like(head):
            how = f"read it with --format {name}" if name else "export it as COCO instances"
            return f" This is {title}: {how}."
    return ""


def way_out_of_folder(folder: str | os.PathLike[str]) -> str:
    """Return a sentence that names the format of a folder's files, or nothing."""
    names = [entry.name for entry in islice(os.scandir(folder), _MOST_NAMES)]
    for title, name, is_like in _FOLDERS:
        if any(map(is_like.fullmatch, names)):
            return f" This is {title}: read it with --format {name}."
    file = next((name for name in sorted(names) if name.endswith((".json", ".json.gz"))), None)
    return f" Name the file in it, such as {file!r}." if file else ""


_MOST_NAMES = 1000
_FOLDERS = (
    ("Pascal VOC", "voc", re.compile(r"Annotations|ImageSets|.*\.xml|comp4_det_.*\.txt")),
    ("YOLO", "yolo", re.compile(r"labels|obj\.data|data\.ya?ml|.*\.txt")),
    ("GeoJSON", "geojson", re.compile(r".*\.geojson")),
)
