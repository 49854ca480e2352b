"""Where a YOLO dataset keeps its classes, images and labels.

Ultralytics' layout: a ``data.yaml`` names the classes and, for each split, a folder or a
list of images; the labels of ``…/images/a.jpg`` are in ``…/labels/a.txt``. Exports of Roboflow,
Label Studio, CVAT and darknet differ in where the folders are; all of them are found here.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from velour_integrations.formats.row_builder import by_name, read_lines
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.plugin import read_bytes

_USUAL = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
IMAGES = frozenset((*_USUAL, ".avif", ".dng", ".heic", ".jp2", ".mpo", ".pfm"))
SPLITS = ("val", "validation", "test", "train")
"""Which split of a ``data.yaml`` is read: the first that it has."""

_YAML = ("data.yaml", "data.yml", "dataset.yaml")
_CLASSES = ("classes.txt", "obj.names", "_darknet.labels")
_DARKNET = "obj.data"
_DARKNET_SPLITS = ("valid", "test", "train")
_NOTHING = ("", "~", "null", "Null", "NULL")
_LONGEST = 4096
"""Letters of a path that Linux opens."""
_MOST_DROPPED = 20
"""Folders that may stand before a path as it was where it was exported."""


@dataclass(frozen=True)
class Layout:
    """A split's files by uid, and its classes in order; none when only their numbers are known."""

    labels: Mapping[str, Path]
    images: Mapping[str, Path]
    names: tuple[str, ...]


def find_layout(path: Path) -> Layout:
    """Find a split's files and classes.

    Args:
        path: a ``data.yaml`` or a folder with one, whose first split of :data:`SPLITS` is read;
            a folder of labels, or of images whose labels are in the folder ``labels``; or a text
            file that lists images.

    Raises:
        InvalidInput: there is no such file or folder.
        BadDataset: it is none of these, or contradicts itself.
    """
    if not os.path.exists(path):
        shown = os.fspath(path)[:300]
        raise InvalidInput(f"{shown!r} cannot be read: no such file or folder.")
    path = path.resolve()  # …/labels is looked for in the names of the folders above
    layout = _first_layout(path)
    if not layout.labels:
        raise BadDataset(
            f"{os.fspath(path)!r}: none of its {len(layout.images)} images has a label file: "
            "expected them in the folder 'labels' where the images are in 'images'."
        )
    return layout


def _first_layout(path: Path) -> Layout:
    if path.suffix.lower() in (".yaml", ".yml"):
        return _of_yaml(path)
    if path.is_dir():
        described = next((path / name for name in _YAML if (path / name).is_file()), None)
        if described is not None:
            return _of_yaml(described)
        if (path / _DARKNET).is_file():
            return _of_darknet(path / _DARKNET)
    elif path.suffix.lower() == ".data":
        return _of_darknet(path)
    elif path.suffix.lower() != ".txt":
        raise BadDataset(
            f"{os.fspath(path)!r}: expected a data.yaml, a folder of labels or images, or a text "
            "file that lists images: YOLO."
        )
    labels, images = _files_of(path)
    return Layout(labels, images, _names_above(path))


def label_files(folder: Path) -> dict[str, Path]:
    """Return a folder's label files by uid; those of its folder ``labels``, when it has one."""
    inner = folder / "labels"
    files = by_name(inner if inner.is_dir() else folder, {".txt"})
    return {uid: path for uid, path in files.items() if path.name not in _CLASSES}


def names_in(folder: Path) -> tuple[str, ...]:
    """Return the classes that a file of this very folder names; empty without such a file."""
    for name in _YAML:
        if (folder / name).is_file():
            return _names(_content(folder / name), folder / name)
    for name in _CLASSES:
        if (folder / name).is_file():
            return _names_listed(folder / name)
    return ()


def _names_listed(path: Path) -> tuple[str, ...]:
    lines = (line.strip() for line in read_lines(path))
    return _unique([line for line in lines if line], path)


def _names_above(path: Path) -> tuple[str, ...]:
    """The classes that a file in a folder, its labels or one of the three above it names."""
    start = path if path.is_dir() else path.parent
    for folder in (start, start / "labels", *list(start.parents)[:3]):
        names = names_in(folder)
        if names:
            return names
    return ()


def _of_yaml(path: Path) -> Layout:
    content = _content(path)
    split = next((split for split in SPLITS if _is_stated(content, split)), None)
    if split is None:
        raise BadDataset(f"{os.fspath(path)!r}: none of {', '.join(SPLITS)} names images.")
    if _is_stated(content, "kpt_shape"):
        raise BadDataset(f"{os.fspath(path)!r}: kpt_shape: keypoints are not read, only regions.")
    entries = content[split] if isinstance(content[split], list) else [content[split]]
    root = content["path"] if _is_stated(content, "path") else "."
    if not all(isinstance(entry, str) for entry in (*entries, root)):
        raise BadDataset(
            f"{os.fspath(path)!r}: path and {split}: expected a folder or file, or for {split} a "
            "list of them."
        )
    labels: dict[str, Path] = {}
    images: dict[str, Path] = {}
    for entry in entries:
        some_labels, some_images = _files_of(_located(entry, root, path))
        known = labels.keys() | images.keys()
        twice = next((uid for uid in (*some_labels, *some_images) if uid in known), None)
        if twice is not None:
            raise BadDataset(f"{os.fspath(path)!r}: {split} has two images {twice!r}.")
        labels.update(some_labels)
        images.update(some_images)
    return Layout(labels, images, _names(content, path))


def _is_stated(content: Mapping[str, Any], key: str) -> bool:
    """Whether a data.yaml says something for a key; many have a key and no value."""
    value = content.get(key)
    return bool(value) and value not in _NOTHING


def _located(entry: str, root: str, path: Path) -> Path:
    """The folder or list that a split names; Roboflow's ``../val`` means the folder beside."""
    roots = [path.parent / root, path.parent]
    entries = [entry, entry.removeprefix("../")]
    tried = [folder / name for name in entries for folder in roots]
    for candidate in tried:
        if os.path.exists(candidate) or os.path.isdir(_swapped(candidate, "images", "labels")):
            return Path(os.path.realpath(candidate))
    raise InvalidInput(
        f"{os.fspath(path)!r}: {entry[:100]!r} leads nowhere: there is no "
        f"{os.fspath(tried[0])[:300]!r}."
    )


def _of_darknet(path: Path) -> Layout:
    """Read obj.data, which names a list of images for each split and a list of classes."""
    pairs = (line.partition("=") for line in read_lines(path))
    content = {key.strip(): value.strip() for key, _, value in pairs}
    listed = [(split, content[split]) for split in _DARKNET_SPLITS if content.get(split)]
    found = [_nearest(path.parent, name, os.path.isfile) for _, name in listed]
    image_list = next((found_list for found_list in found if found_list is not None), None)
    if image_list is None:
        raise BadDataset(
            f"{os.fspath(path)!r}: none of {', '.join(_DARKNET_SPLITS)} names a list of images "
            "that is there."
        )
    classes = _nearest(path.parent, content.get("names") or _CLASSES[1], os.path.isfile)
    names = _names_above(path) if classes is None else _names_listed(classes)
    return Layout(*_listed(image_list), names)


def _nearest(root: Path, name: str, is_there: Callable[[Path], bool]) -> Path | None:
    """A file as an export names it: its first folders may be called otherwise here, or be gone."""
    parts = PurePosixPath(name[:_LONGEST].replace("\\", "/")).parts
    ends = (root.joinpath(*parts[first:]) for first in range(min(len(parts), _MOST_DROPPED)))
    return next((end for end in ends if is_there(end)), None)


def _files_of(path: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Labels and images by uid, of a folder of either or a list of images."""
    if path.is_file():
        return _listed(path)
    if (path / "labels").is_dir():
        return label_files(path), by_name(path / "images", IMAGES)
    labels, images = label_files(path), by_name(path, IMAGES)
    if images and not labels:
        return label_files(_swapped(path, "images", "labels")), images
    if labels and not images:
        return labels, by_name(_swapped(path, "labels", "images"), IMAGES)
    if not images and not labels:
        labels = label_files(_swapped(path, "images", "labels"))
    if not images and not labels:
        raise BadDataset(f"{os.fspath(path)!r} holds neither labels (.txt) nor images: no YOLO.")
    return labels, images


def _listed(path: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    files: list[Path] = []
    for number, line in enumerate(map(str.strip, read_lines(path)), 1):
        if line:
            if PurePosixPath(line).suffix.lower() not in IMAGES:
                raise BadDataset(
                    f"{os.fspath(path)!r}, line {number}: {line[:60]!r} is no image's path."
                )
            image = _nearest(path.parent, line, _is_kept) or path.parent / line
            files.append(image)
    uids = _uids_of(files, path)
    images = dict(zip(uids, files, strict=True))
    labels = {uid: _label_file(image) for uid, image in images.items()}
    return {uid: label for uid, label in labels.items() if label is not None}, images


def _uids_of(images: Sequence[Path], path: Path) -> list[str]:
    """Names of listed images, or where two have one name their paths in the folder of all."""
    stems = [image.stem for image in images]
    if len(set(stems)) == len(stems):
        return stems
    twice = next((image for image, count in Counter(images).items() if count > 1), None)
    if twice is not None:
        raise BadDataset(f"{os.fspath(path)!r}: {os.fspath(twice)!r} occurs twice.")
    folder = os.path.commonpath([image.parent for image in images])
    return [image.relative_to(folder).with_suffix("").as_posix() for image in images]


def _is_kept(image: Path) -> bool:
    return os.path.isfile(image) or _label_file(image) is not None


def _label_file(image: Path) -> Path | None:
    """The labels of an image: in the folder labels where it is in images, or beside it."""
    swapped = (_swapped(image, folder, "labels") for folder in ("images", "JPEGImages"))
    files = (place.with_suffix(".txt") for place in (*swapped, image))
    return next((file for file in files if os.path.isfile(file)), None)


def _swapped(path: Path, old: str, new: str) -> Path:
    """Exchange the last folder of a name, as Ultralytics goes from images to labels."""
    parts = list(path.parts)
    for index in reversed(range(len(parts))):
        if parts[index] == old:
            return Path(*parts[:index], new, *parts[index + 1 :])
    return path


def _content(path: Path) -> Mapping[str, Any]:
    from velour_integrations.formats.yolo.yaml_text import parse_yaml  # PyYAML is slow to import

    content = parse_yaml(read_bytes(path), repr(os.fspath(path)))
    if not isinstance(content, Mapping):
        raise BadDataset(f"{os.fspath(path)!r}: expected names and val, as in YOLO's data.yaml.")
    if "<<" in content:
        raise BadDataset(f"{os.fspath(path)!r}: '<<' is not read: write out what it merges.")
    return content


def _names(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    names = content["names"] if _is_stated(content, "names") else []
    if isinstance(names, Mapping):
        names = _in_order(names, path)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadDataset(
            f"{os.fspath(path)!r}: names: expected a list of texts, the classes in the order of "
            "their numbers, or a mapping of numbers to them."
        )
    return _unique(names, path)


def _in_order(names: Mapping[str, Any], path: Path) -> list[Any]:
    numbers = [int(key) if re.fullmatch("[0-9]{1,9}", key) else -1 for key in names]
    if sorted(numbers) != list(range(len(numbers))):
        raise BadDataset(
            f"{os.fspath(path)!r}: names: expected a name for every number from 0 to "
            f"{len(names) - 1}."
        )
    by_number = dict(zip(numbers, names.values(), strict=True))
    return [by_number[number] for number in range(len(numbers))]


def _unique(names: Sequence[str], path: Path) -> tuple[str, ...]:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise BadDataset(f"{os.fspath(path)!r}: two classes are called {twice[:60]!r}.")
    return tuple(names)
