"""Region columns as the compiled kernel reads them.

Check ``library.available()`` first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_plugin.native.library import library, threads_for


@dataclass(frozen=True, slots=True, eq=False)
class RegionArrays:
    """The columns of a ``RegionColumn``, under the kernel's names.

    Args:
        kind: ``(n,)``.
        start: ``(n,)``.
        stop: ``(n,)``.
        size: ``(n, 2)``.
        point: ``(p, 2)``.
        ring_start: ``(rings + 1,)``.
        part_start: ``(parts + 1,)``.
        text: of masks in compressed RLE.
        escaped: 1 when backslashes in it are doubled, else 0.
        edges: of masks as run edges.
    """

    kind: NDArray[np.uint8]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    size: NDArray[np.int64]
    point: NDArray[np.float64]
    ring_start: NDArray[np.int64]
    part_start: NDArray[np.int64]
    text: bytes
    escaped: int
    edges: NDArray[np.int64]


def check(regions: RegionArrays) -> None:
    """Refuse masks whose run lengths are malformed or do not fill them.

    Raises:
        ValueError: there is one; the message names its row.
    """
    threads = threads_for(len(regions.kind))
    library.functions.check_regions(regions=regions, threads=threads)
