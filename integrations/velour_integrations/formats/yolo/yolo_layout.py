"""Where a YOLO dataset keeps its classes, images and labels.

Ultralytics' layout: a ``data.yaml`` names the classes and, for each split, a folder or a
list of images; the labels of ``…/images/a.jpg`` are in ``…/labels/a.txt``. Exports of Roboflow,
Label Studio, CVAT and darknet differ in where the folders are; all of them are found here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from velour_integrations.formats.row_builder import by_name, read_lines
from velour_integrations.formats.yolo.yolo_names import (
    NAME_LISTS,
    YAML_NAMES,
    is_stated,
    names_above,
    names_listed,
    names_of,
    read_yaml,
)
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.plugin import note_repaired

_USUAL = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
IMAGES = frozenset((*_USUAL, ".avif", ".dng", ".heic", ".jp2", ".mpo", ".pfm"))
SPLITS = ("val", "validation", "test", "train")
"""Which split of a ``data.yaml`` is read: the first that it has."""

_DARKNET = "obj.data"
_DARKNET_SPLITS = ("valid", "test", "train")
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
        described = next((path / name for name in YAML_NAMES if (path / name).is_file()), None)
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
    return Layout(labels, images, names_above(path))


def label_files(folder: Path) -> dict[str, Path]:
    """Return a folder's label files by uid; those of its folder ``labels``, when it has one."""
    inner = folder / "labels"
    files = by_name(inner if inner.is_dir() else folder, {".txt"})
    return {uid: path for uid, path in files.items() if path.name not in NAME_LISTS}


def _of_yaml(path: Path) -> Layout:
    content = read_yaml(path)
    split = next((split for split in SPLITS if is_stated(content, split)), None)
    if split is None:
        raise BadDataset(f"{os.fspath(path)!r}: none of {', '.join(SPLITS)} names images.")
    if is_stated(content, "kpt_shape"):
        raise BadDataset(f"{os.fspath(path)!r}: kpt_shape: keypoints are not read, only regions.")
    entries = content[split] if isinstance(content[split], list) else [content[split]]
    root = content["path"] if is_stated(content, "path") else "."
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
    return Layout(labels, images, names_of(content, path))


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
    classes = _nearest(path.parent, content.get("names") or "obj.names", os.path.isfile)
    names = names_above(path) if classes is None else names_listed(classes)
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
    files: dict[Path, None] = {}
    for number, line in enumerate(map(str.strip, read_lines(path)), 1):
        if line:
            if PurePosixPath(line).suffix.lower() not in IMAGES:
                raise BadDataset(
                    f"{os.fspath(path)!r}, line {number}: {line[:60]!r} is no image's path."
                )
            image = _nearest(path.parent, line, _is_kept) or path.parent / line
            if image in files:
                where = f"{os.fspath(path)!r}, line {number}"
                note_repaired("images that a list names twice, read once", where)
            files[image] = None
    uids = _uids_of(list(files))
    images = dict(zip(uids, files, strict=True))
    labels = {uid: _label_file(image) for uid, image in images.items()}
    return {uid: label for uid, label in labels.items() if label is not None}, images


def _uids_of(images: Sequence[Path]) -> list[str]:
    """Names of listed images, or where two have one name their paths in the folder of all."""
    stems = [image.stem for image in images]
    if len(set(stems)) == len(stems):
        return stems
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
