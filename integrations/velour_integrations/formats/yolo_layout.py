"""Where a YOLO dataset keeps its classes, images and labels.

Ultralytics' layout: a ``data.yaml`` names the classes and, for each split, a folder or a
list of images; the labels of ``…/images/a.jpg`` are in ``…/labels/a.txt``. Exports of Roboflow,
Label Studio and darknet differ in where the folders are; all of them are found here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from velour_integrations.formats.row_builder import by_name, read_bytes, read_lines
from velour_plugin.errors import BadDataset, InvalidInput

_USUAL = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
IMAGES = frozenset((*_USUAL, ".avif", ".dng", ".heic", ".jp2", ".mpo", ".pfm"))
SPLITS = ("val", "validation", "test", "train")
"""Which split of a ``data.yaml`` is read: the first that it has."""

_YAML = ("data.yaml", "data.yml", "dataset.yaml")
_CLASSES = ("classes.txt", "obj.names")


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
    if not path.exists():
        raise InvalidInput(f"{os.fspath(path)!r} cannot be read: no such file or folder.")
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
            lines = (line.strip() for line in read_lines(folder / name))
            return _unique([line for line in lines if line], folder / name)
    return ()


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
    split = next((split for split in SPLITS if content.get(split)), None)
    if split is None:
        raise BadDataset(f"{os.fspath(path)!r}: none of {', '.join(SPLITS)} names images.")
    if content.get("kpt_shape"):
        raise BadDataset(f"{os.fspath(path)!r}: kpt_shape: keypoints are not read, only regions.")
    listed = content[split] if isinstance(content[split], list) else [content[split]]
    labels: dict[str, Path] = {}
    images: dict[str, Path] = {}
    for entry in listed:
        some_labels, some_images = _files_of(_located(str(entry), content, path))
        twice = next((uid for uid in {**some_labels, **some_images} if uid in images), None)
        if twice is not None:
            raise BadDataset(f"{os.fspath(path)!r}: {split} has two images {twice!r}.")
        labels.update(some_labels)
        images.update(some_images)
    return Layout(labels, images, _names(content, path))


def _located(entry: str, content: Mapping[str, Any], path: Path) -> Path:
    """The folder or list that a split names; Roboflow's ``../val`` means the folder beside."""
    roots = [path.parent / str(content.get("path") or "."), path.parent]
    entries = [entry, entry.removeprefix("../")]
    tried = [root / name for name in entries for root in roots]
    for candidate in tried:
        if candidate.exists() or _swapped(candidate, "images", "labels").is_dir():
            return candidate.resolve()
    raise InvalidInput(
        f"{os.fspath(path)!r}: {entry!r} leads nowhere: there is no {os.fspath(tried[0])!r}."
    )


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
    lines = [(number, line.strip()) for number, line in enumerate(read_lines(path), 1)]
    images: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for number, line in lines:
        if not line:
            continue
        image = path.parent / line
        if image.suffix.lower() not in IMAGES:
            raise BadDataset(
                f"{os.fspath(path)!r}, line {number}: {line[:60]!r} is no image's path."
            )
        if image.stem in images:
            raise BadDataset(f"{os.fspath(path)!r}, line {number}: {image.stem!r} occurs twice.")
        images[image.stem] = image
        label = _swapped(image, "images", "labels").with_suffix(".txt")
        if label.is_file():
            labels[image.stem] = label
    return labels, images


def _swapped(path: Path, old: str, new: str) -> Path:
    """Exchange the last folder of a name, as Ultralytics goes from images to labels."""
    parts = list(path.parts)
    for index in reversed(range(len(parts))):
        if parts[index] == old:
            return Path(*parts[:index], new, *parts[index + 1 :])
    return path


def _content(path: Path) -> Mapping[str, Any]:
    import yaml  # type: ignore[import-untyped]

    try:
        content = yaml.safe_load(read_bytes(path))
    except yaml.YAMLError as error:
        raise BadDataset(f"{os.fspath(path)!r} is no YAML: {error}.") from error
    if not isinstance(content, Mapping):
        raise BadDataset(f"{os.fspath(path)!r}: expected names and val, as in YOLO's data.yaml.")
    return content


def _names(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    names = content.get("names")
    if isinstance(names, Mapping):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise BadDataset(
                f"{os.fspath(path)!r}: names: expected a name for every number from 0 to "
                f"{len(names) - 1}."
            )
        names = [names[number] for number in range(len(names))]
    if names is not None and not isinstance(names, list):
        raise BadDataset(f"{os.fspath(path)!r}: names {names!r}: expected the list of classes.")
    return _unique(map(str, names or ()), path)


def _unique(listed: Iterable[str], path: Path) -> tuple[str, ...]:
    names = tuple(listed)
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise BadDataset(f"{os.fspath(path)!r}: two classes are called {twice!r}.")
    return names
