"""Names of groups: properties whose values tell which datums belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from velour_plugin.domain.metadata import nested_value
from velour_plugin.domain.storable_text import is_name
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.helpers.representation import shortened

if TYPE_CHECKING:  # queries need no numpy
    from velour_plugin.domain.columns.datum_columns import DatumColumns

INDEPENDENT = "none"
"""In place of names: the datums are independent."""

LOCATION = "location"
"""The property that datums have beside their metadata; its groups are cells."""


def group_names(groups: object) -> tuple[str, ...]:
    """Return the names of properties, each once; of one that is no list, the only one.

    Raises:
        InvalidInput: it is no name, there is none, or :data:`INDEPENDENT` does not stand alone.

    >>> group_names("video"), group_names(["site", "metadata.camera.id"])
    (('video',), ('site', 'metadata.camera.id'))
    """
    listed = [groups] if isinstance(groups, str) else groups
    if not isinstance(listed, Iterable) or isinstance(listed, Mapping):
        listed = ()
    names = tuple(listed)
    if not names or not all(map(is_name, names)):
        raise InvalidInput(
            f"groups {shortened(groups)}: expected a property of datums, such as 'video', or a "
            f"list of at least one; {INDEPENDENT!r} for independent datums."
        )
    names = tuple(dict.fromkeys(names))
    if INDEPENDENT in names and len(names) > 1:
        raise InvalidInput(
            f"groups {list(names)!r}: {INDEPENDENT!r} stands alone, for independent datums; a "
            f"property of this name is 'metadata.{INDEPENDENT}'."
        )
    return names


def check_declared(names: Iterable[str], datums: DatumColumns) -> None:
    """Refuse groups by a property that no datum has.

    Raises:
        UnknownName: there is one; the nearest is named.
    """
    for name in names:
        base = name.partition(":")[0]
        if base == LOCATION:
            is_known = any(location is not None for location in datums.locations or ())
        else:
            known = (nested_value(metadata, base) for metadata in datums.metadata or ())
            is_known = any(value is not None for value in known)
        if not is_known and name != INDEPENDENT:
            raise UnknownName("property", name, datums.properties)
