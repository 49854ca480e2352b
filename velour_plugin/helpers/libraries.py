"""Lazy imports of large libraries: loaded when an attribute is first used.

Most queries have no geometry, and shapely takes longer to import than they take to answer: modules
write ``from velour_plugin.helpers.libraries import shapely`` and use it as usual.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any


class _Library:
    """A module that is imported at its first attribute access."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(import_module(self._name), attribute)
        setattr(self, attribute, value)  # found without this function from now on
        return value


if TYPE_CHECKING:
    import shapely as shapely
else:
    shapely = _Library("shapely")


def is_geometry(value: object) -> bool:
    """Whether a value is a shapely geometry; ``False`` while shapely is not imported.

    >>> is_geometry("POINT (1 2)"), is_geometry(shapely.Point(1, 2))
    (False, True)
    """
    return "shapely" in sys.modules and isinstance(value, shapely.Geometry)
