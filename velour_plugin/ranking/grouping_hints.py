"""Metadata that looks as if datums belonged together, where nobody said whether they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from velour_plugin.domain.inputs.group_names import INDEPENDENT, LOCATION
from velour_plugin.store.protocol import Reader
from velour_plugin.store.values import Version

LIKELY = frozenset(
    (
        *("video", "clip", "sequence", "seq", "scene", "recording", "trajectory"),
        *("patient", "subject", "case", "study", "series", "slide"),
        *("tile", "site", "location", "plot", "flight"),
    )
)
"""Names of properties that several datums share where they come from one source."""

_ENDINGS = ("_id", "_uid", "_name", "_no", "id")
"""What such names may end with, as ``video_id`` and ``patientId`` do."""

ENDS = 100
"""Datums from either end of a version that are looked at: sorted by uid, neighbours are frames of
one video; in any other order, 200 of 5,000 datums in pairs have 4 pairs on average."""


def hint(reader: Reader, version: Version) -> str | None:
    """Return a note on a property whose values repeat as those of videos do; ``None`` without.

    Datums are read only where a property has one of the names that are :data:`LIKELY`.
    """
    names = [name for name in version.properties if _is_likely(name)]
    if not names or version.groups:
        return None
    datums = reader.datums(version, ENDS)
    is_whole = len(datums) == version.datums
    counts = {
        name: _groups([datum.metadata.get(name) for datum in datums], is_whole) for name in names
    }
    name = max(counts, key=lambda name: counts[name])
    return _text(name) if counts[name] else None


def _text(name: str) -> str:
    groups = f"metadata.{name}" if name == LOCATION else name  # the location of datums is another
    return (
        f"Datums share values of {name!r}: unless those of one {name} are independent, intervals "
        f"are too narrow. groups={groups!r} (--groups {groups}) keeps them together, "
        f"groups={INDEPENDENT!r} says that they are independent."
    )


def _is_likely(name: str) -> bool:
    folded = name.casefold()
    return any(folded.removesuffix(ending) in LIKELY for ending in ("", *_ENDINGS))


def _groups(values: Sequence[Any], is_whole: bool) -> int:
    """How many values there are; 0 for one, and for too many to be shared.

    Args:
        values: of all datums, or of some.
        is_whole: of all: half as many values as datums are too many; else, one a datum.
    """
    known = [value for value in values if isinstance(value, (str, int, float))]
    distinct = len(set(known))
    most = len(known) // 2 if is_whole else len(known) - 1
    return distinct if 2 <= distinct <= most else 0
