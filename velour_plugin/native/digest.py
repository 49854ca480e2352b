"""Many SHA-256 digests in one call of the compiled kernel: ``(n, 32)`` uint8.

A digest is of parts with their lengths, as in ``domain/encoding/canonical.py``. Check
``library.available()`` first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.native.columns import column
from velour_plugin.native.library import library, threads_for
from velour_plugin.native.regions import RegionArrays

Values = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Strings:
    """Concatenated byte strings.

    Args:
        data: all strings; without bounds, one string that is the same in every row.
        bounds: ``(n + 1,)`` int64, where each begins, and where the last one ends.
    """

    data: bytes
    bounds: NDArray[np.int64] | None = None


def digest_annotations(
    uids: Strings,
    labels: Strings,
    columns: Mapping[str, NDArray[Any] | None],
    extras: Mapping[str, Strings],
    regions: RegionArrays | None,
) -> Values:
    """Digest the uid and the annotations of each datum: ``(datums, 32)`` bytes.

    Args:
        uids: of the datums, in order.
        labels: in canonical JSON.
        columns: ``datum``, ``annotation`` and ``label`` int32; ``score``, ``box``, ``area`` and
            ``crowd``, or ``None`` where no row has a value.
        extras: ``metadata`` and ``embedding``, encoded.
        regions: of the rows; ``None`` when no row has one.

    Raises:
        ValueError: datums decrease, or a datum or label does not exist.
    """
    numbers = {
        name: values if values is None else column(name, values, values.dtype)
        for name, values in columns.items()
    }
    texts = {name: strings.data for name, strings in extras.items()}
    bounds = {f"{name}_bound": strings.bounds for name, strings in extras.items()}
    result = library.functions.digest_annotations(
        uid=uids.data,
        uid_bound=uids.bounds,
        name=labels.data,
        name_bound=labels.bounds,
        **numbers,
        **texts,
        **bounds,
        regions=regions,
        threads=threads_for(len(columns["label"])),  # type: ignore[arg-type]
    )
    digests: Values = result["digests"]
    return digests


def digest_strings(before: bytes, strings: Strings, after: bytes) -> Values:
    """Digest ``before``, a string and ``after`` as one part, for each string: ``(n, 32)``."""
    result = library.functions.digest_texts(
        before=before,
        text=strings.data,
        bound=strings.bounds,
        after=after,
        threads=threads_for(len(strings.bounds)),  # type: ignore[arg-type]
    )
    digests: Values = result["digests"]
    return digests


def measured_digits(digests: Values) -> Values:
    """Encode digests as parts of another digest: ``(n, 72)`` bytes, the length and the digits."""
    result = library.functions.measured_digits(digests=column("digests", digests, np.uint8))
    parts: Values = result["parts"]
    return parts


def digest_pairs(first: Values, second: Values) -> Values:
    """Digest pairs of digests, each as hexadecimal digits: ``(n, 32)`` bytes."""
    result = library.functions.digest_pairs(
        first=column("first", first, np.uint8),
        second=column("second", second, np.uint8),
        threads=threads_for(len(first)),
    )
    digests: Values = result["digests"]
    return digests
