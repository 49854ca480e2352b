"""Metadata that looks as if datums belonged together, where nobody said whether they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from velour_plugin.domain.inputs.group_names import INDEPENDENT
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
    for name in names:
        if _repeats([datum.metadata.get(name) for datum in datums], is_whole):
            return (
                f"Datums share values of {name!r}: if those of one {name} are not independent, "
                f"this looks surer than it is. groups={name!r} (--groups {name}) draws them "
                f"together, groups={INDEPENDENT!r} takes them for independent; 'velour datasets "
                "set NAME --groups …' declares it once."
            )
    return None


def _is_likely(name: str) -> bool:
    folded = name.casefold()
    return any(folded.removesuffix(ending) in LIKELY for ending in ("", *_ENDINGS))


def _repeats(values: Sequence[Any], is_whole: bool) -> bool:
    """Whether there are several values, at most half as many as all datums, or fewer than some."""
    known = [value for value in values if isinstance(value, (str, int, float))]
    distinct = len(set(known))
    return 2 <= distinct <= (len(known) // 2 if is_whole else len(known) - 1)
