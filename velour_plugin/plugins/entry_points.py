"""Entry points of a group, as ``importlib.metadata`` finds them, but faster.

``importlib.metadata`` takes longer to import, with ``email`` and ``zipfile``, than a cached query.
Entry points are lines of a text file in each distribution's folder: where all distributions are in
plain folders they are read here, otherwise by ``importlib.metadata``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder
from typing import Any, NamedTuple


class EntryPoint(NamedTuple):
    """An entry point of an installed distribution.

    Args:
        name: of the entry point.
        value: the object: ``package.module``, or ``package.module:object``.
        distribution: name and version of the distribution.
    """

    name: str
    value: str
    distribution: str

    def load(self) -> Any:
        """Import and return the object."""
        module, _, path = self.value.partition("[")[0].partition(":")
        target = import_module(module.strip())
        for attribute in filter(None, path.strip().split(".")):
            target = getattr(target, attribute)
        return target


def entry_points(group: str) -> Iterator[EntryPoint]:
    """Yield the entry points of a group; of two equal names the first on the path counts."""
    if not _only_folders():
        yield from _of_importlib(group)
        return
    seen: set[str] = set()
    for folder in sys.path:
        for entry in _listed(folder or os.curdir):
            name = re.sub(r"[-_.]+", "_", entry.rpartition(".")[0].partition("-")[0]).lower()
            if name not in seen:
                seen.add(name)
                yield from _of_distribution(os.path.join(folder, entry), group)


def _only_folders() -> bool:
    """Whether no distribution can be in an archive, or found by a custom importer."""
    # the library importlib_metadata removes this from Python's finder, and adds its own finder
    plain = (None, getattr(PathFinder, "find_distributions", None))
    finds = (getattr(finder, "find_distributions", None) for finder in sys.meta_path)
    return all(find in plain for find in finds) and not any(
        path.endswith(".egg") or os.path.isfile(path) for path in sys.path
    )


def _of_importlib(group: str) -> Iterator[EntryPoint]:
    from importlib import metadata

    for entry in metadata.entry_points(group=group):
        yield EntryPoint(entry.name, entry.value, _owner(entry.dist))


def _owner(distribution: Any | None) -> str:
    """Name and version; those of its folder, if there is one, where it has no metadata."""
    if distribution is None:
        return ""
    with suppress(Exception):  # what importers of others raise or return is theirs
        return f"{distribution.name} {distribution.version}"
    return _distribution(str(getattr(distribution, "_path", "")))


def _listed(folder: str) -> list[str]:
    """Folders of distributions' metadata."""
    try:
        names = os.listdir(folder)
    except OSError:  # a path need not exist
        return []
    return [name for name in names if name.lower().endswith((".dist-info", ".egg-info"))]


def _of_distribution(folder: str, group: str) -> Iterator[EntryPoint]:
    section, owner = "", None
    for line in map(str.strip, _lines(folder, "entry_points.txt")):
        if line.startswith("["):
            section = line.strip("[]")
        elif section == group and line and not line.startswith("#"):
            owner = owner or _distribution(folder)
            name, _, value = line.partition("=")
            yield EntryPoint(name.strip(), value.strip(), owner)


def _distribution(folder: str) -> str:
    """Name and version; from the folder's name where the metadata have none."""
    lines = [*_lines(folder, "METADATA"), *_lines(folder, "PKG-INFO")]
    fields = (re.match(r"(Name|Version):\s*(.*\S)", line) for line in lines)
    known = {field[1]: field[2] for field in reversed([*fields]) if field is not None}
    name, _, version = os.path.basename(folder).rpartition(".")[0].partition("-")
    return f"{known.get('Name', name)} {known.get('Version', version)}"


def _lines(folder: str, name: str) -> list[str]:
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.readlines()
    except OSError:
        return []
