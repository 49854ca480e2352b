"""The compiled kernel, if there is one: the arithmetic of this folder in C, with the same bits.

Every function takes and gives what its numpy counterpart does, so either may be used;
:func:`available` says which. The environment variable ``VELOUR_ENGINE`` chooses:
``auto`` (the compiled kernel where there is one), ``numpy``, or ``native`` (refuse to
run without). ``VELOUR_THREADS`` bounds the threads of one call; the number of
threads never changes a result.

Here types, shapes and contiguity are checked; what stands in the arrays is checked in C.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.matching import Cells, LaneGrid, Lanes
from velour_plugin.errors import InvalidInput, MissingExtra

library: Any
try:
    library = import_module("velour_evaluators.kernels._native")
except ImportError as error:
    library, _why_not = None, str(error)

ENGINES = ("auto", "native", "numpy")


def available() -> bool:
    """Say whether the compiled kernel is there and wanted.

    Raises:
        InvalidInput: ``VELOUR_ENGINE`` names no engine.
        MissingExtra: ``VELOUR_ENGINE=native`` and there is no compiled kernel.
    """
    wanted = os.environ.get("VELOUR_ENGINE", "auto")
    if wanted not in ENGINES:
        raise InvalidInput(f"VELOUR_ENGINE={wanted!r}: expected one of {', '.join(ENGINES)}.")
    if wanted == "native" and library is None:
        raise MissingExtra(
            f"VELOUR_ENGINE=native, and the compiled kernel is absent ({_why_not}): install a C "
            "compiler and reinstall velour-plugin, or unset VELOUR_ENGINE to use numpy."
        )
    return wanted != "numpy" and library is not None


def describe() -> str:
    """Say in a few words which engine runs, and why."""
    if available():
        return f"compiled, up to {threads()} threads"
    if library is not None:
        return "numpy (VELOUR_ENGINE=numpy)"
    return f"numpy (no compiled kernel: {_why_not})"


def threads() -> int:
    """How many threads one call may use: the processors this process may run on, at most 16.

    Raises:
        InvalidInput: ``VELOUR_THREADS`` is no whole number above 0.
    """
    wanted = os.environ.get("VELOUR_THREADS")
    if wanted is None:
        can = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return min(can or 1, 16)
    if not wanted.isdecimal() or int(wanted) < 1:
        raise InvalidInput(f"VELOUR_THREADS={wanted!r}: expected a whole number above 0.")
    return min(int(wanted), 64)


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """Boxes of one side, in columns.

    Args:
        datum: ``(n,)`` int32, position of the image.
        label: ``(n,)`` int32, position of the label.
        box: ``(n, 4)`` float64 as x, y, width, height in pixels, sizes >= 0.
        area: ``(n,)`` float64 in square pixels; NaN for width times height.
    """

    datum: NDArray[np.int32]
    label: NDArray[np.int32]
    box: NDArray[np.float64]
    area: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Masks:
    """Many masks as run edges, see :mod:`velour_plugin.domain.runs`.

    Args:
        edges: ``(e,)`` int64, for each mask the rising positions at which its value flips.
        start: ``(n,)`` int64, where the edges of each mask begin.
        stop: ``(n,)`` int64, where they end.
        height: ``(n,)`` int64 in pixels.
        width: ``(n,)`` int64 in pixels.
    """

    edges: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]

    def __post_init__(self) -> None:
        rows = (len(self.height),)
        object.__setattr__(self, "edges", column("edges", self.edges, np.int64))
        for name in ("start", "stop", "height", "width"):
            object.__setattr__(self, name, column(name, getattr(self, name), np.int64, rows))

    def __len__(self) -> int:
        return len(self.height)

    def edges_of(self, mask: int) -> NDArray[np.int64]:
        """The edges of one mask."""
        return self.edges[self.start[mask] : self.stop[mask]]

    def arguments(self) -> list[int]:
        """What the C functions are told of masks."""
        columns = addresses(self.edges, self.start, self.stop, self.height, self.width)
        return [len(self), len(self.edges), *columns]


@dataclass(frozen=True, slots=True)
class Texts:
    """Many masks as COCO's compressed run lengths, where they stand in a text.

    Args:
        text: maybe a whole JSON file.
        start: ``(n,)`` int64, where each mask's run lengths begin.
        stop: ``(n,)`` int64, where they end.
        height: ``(n,)`` int64 in pixels.
        width: ``(n,)`` int64 in pixels.
        escaped: backslashes are doubled, as in JSON.
    """

    text: bytes
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]
    escaped: bool = True

    def __post_init__(self) -> None:
        rows = (len(self.height),)
        for name in ("start", "stop", "height", "width"):
            object.__setattr__(self, name, column(name, getattr(self, name), np.int64, rows))

    def __len__(self) -> int:
        return len(self.height)

    def arguments(self) -> list[int]:
        """What the C functions are told of texts."""
        (letters,) = addresses(np.frombuffer(self.text or b"0", np.uint8))
        where = addresses(self.start, self.stop)
        sizes = addresses(self.height, self.width)
        return [len(self), len(self.text), letters, *where, int(self.escaped), *sizes]


def match_boxes(
    truth: BoxColumns,
    crowd: NDArray[np.bool_],
    said: BoxColumns,
    score: NDArray[np.float64],
    *,
    grid: LaneGrid,
    most: int,
    datums: int,
    labels: int,
    masks: tuple[Masks, Masks | Texts] | None = None,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Match detections with ground truths: from columns to the tables of a ledger.

    Args:
        truth: T ground truths.
        crowd: ``(T,)`` those that any number of detections may lie in.
        said: D detections, in any order; equal scores rank as they are given.
        score: ``(D,)`` in [0, 1].
        grid: area ranges and IoU thresholds, at most 64 lanes and 8 ranges.
        most: detections of an image and label that are kept, 1 to 65,535.
        datums: how many images there are.
        labels: how many labels there are.
        masks: of the truths and of the detections, compared instead of the boxes.

    Returns:
        ``detections``, ``matches`` and ``truths`` as
        :func:`velour_evaluators.detection.matching.write_ledger` writes them.

    Raises:
        ValueError: columns of different lengths, an index or score out of bounds, too many lanes.
    """
    ours, theirs = len(truth.datum), len(said.datum)
    thresholds = column("thresholds", np.minimum(grid.thresholds, 1 - 1e-10), np.float64)
    ranges = column("areas", np.asarray(grid.areas, np.float64), np.float64, (len(grid.areas), 2))
    given = [
        *_side("truth", truth, ours),
        column("crowd", crowd, np.uint8, (ours,)),
        *_side("detection", said, theirs, column("score", score, np.float64, (theirs,))),
    ]
    outlines = [0] * 22
    if masks is not None:
        outlines[:7] = masks[0].arguments()
        place = slice(7, 14) if isinstance(masks[1], Masks) else slice(14, 22)
        outlines[place] = masks[1].arguments()
    detections: dict[str, NDArray[Any]] = {
        "label": np.empty(theirs, np.int32),
        "datum": np.empty(theirs, np.int32),
        "score": np.empty(theirs),
        "rank": np.empty(theirs, np.uint16),
        "areas": np.empty(theirs, np.uint8),
    }
    matches: dict[str, NDArray[Any]] = {
        "detection": np.empty(theirs, np.int32),
        "hit": np.empty(theirs, np.uint64),
        "ignored": np.empty(theirs, np.uint64),
    }
    areas = np.empty(ours, np.uint8)
    kept, matched = library.match_boxes(
        *(ours, theirs, datums, labels, most),
        *addresses(*given),
        *(len(grid.areas), len(thresholds), address(ranges), address(thresholds)),
        threads_for(theirs),
        *addresses(*detections.values(), *matches.values(), areas),
        *outlines,
    )
    return {
        "detections": {
            name: values if kept == theirs else values[:kept].copy()
            for name, values in detections.items()
        },
        "matches": {name: values[:matched].copy() for name, values in matches.items()},
        "truths": {"label": given[1], "datum": given[0], "areas": areas},
    }


def overlapping_pairs(
    cells: Cells,
    rows: NDArray[np.intp],
    regions: tuple[NDArray[np.float64], NDArray[np.float64]] | tuple[Masks, Masks],
    crowd: NDArray[np.bool_],
    at_least: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Pairs of a detection and a truth of its cell that overlap enough to matter.

    The same as :func:`velour_evaluators.kernels.matching.overlapping_pairs` of boxes or masks.

    Args:
        cells: who may meet whom.
        rows: ``(n,)`` detections to look at.
        regions: of the T truths and of the D detections: boxes ``(T, 4)`` and ``(D, 4)`` as
            x, y, width, height, or masks.
        crowd: ``(T,)`` which truths are crowds.
        at_least: smaller overlaps are left out; above 0.

    Returns:
        Detection, truth and IoU of each pair.

    Raises:
        ValueError: columns of different lengths, an index out of bounds.
    """
    truths, detections = len(crowd), len(cells.first)
    given = (
        column("truth", cells.truth, np.int64),
        column("first", cells.first, np.int64, (detections,)),
        column("count", cells.count, np.int64, (detections,)),
    )
    rows = column("rows", rows, np.int64)
    if len(rows) and not 0 <= rows.min() <= rows.max() < detections:
        raise ValueError(f"rows {rows.min()} to {rows.max()}: there are {detections} detections.")
    listed, first, count = given
    if ((first < 0) | (count < 0) | (count > len(listed)) | (first > len(listed) - count)).any():
        raise ValueError(f"a cell reaches beyond the {len(listed)} truths that are listed.")
    rows = rows[count[rows] > 0]
    boxes, masks = [0, 0], [0] * 14
    keep: tuple[NDArray[Any], ...] = ()
    if isinstance(regions[0], Masks) and isinstance(regions[1], Masks):
        masks = [*regions[0].arguments(), *regions[1].arguments()]
    else:
        keep = (
            column("truth boxes", regions[0], np.float64, (truths, 4)),
            column("detection boxes", regions[1], np.float64, (detections, 4)),
        )
        boxes = addresses(*keep)
    marked = column("crowd", crowd, np.uint8, (truths,))
    found = []
    for some in _in_pieces(rows, count):
        room = int(count[some].sum())
        pairs = (np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room))
        number = library.find_pairs(
            *(truths, detections, len(some), len(listed), *addresses(some, *given)),
            *(*boxes, address(marked), *masks, at_least, room, threads_for(room)),
            *addresses(*pairs),
        )
        found.append([values[:number].copy() for values in pairs])
    if not found:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    detection, truth, iou = (np.concatenate(values) for values in zip(*found, strict=True))
    return detection.astype(np.intp, copy=False), truth.astype(np.intp, copy=False), iou


def _in_pieces(rows: NDArray[np.int64], count: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """A bounded number of pairs at a time."""
    total = np.cumsum(count[rows])
    cuts = np.searchsorted(total, np.arange(_PAIRS_AT_ONCE, total[-1:].sum(), _PAIRS_AT_ONCE))
    yield from (part for part in np.split(rows, np.unique(cuts)) if part.size)


def match_lanes(
    cell_rank: NDArray[np.intp],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]],
    lanes: Lanes,
    ignored_in: Lanes,
    crowd: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], Lanes, Lanes]:
    """Match greedily, all lanes at once: :func:`velour_evaluators.kernels.matching.match_lanes`.

    Raises:
        ValueError: columns of different lengths, an index out of bounds, an IoU that is NaN.
    """
    detection, truth, iou = pairs
    size, ranked, targets = len(detection), len(cell_rank), len(ignored_in)
    given = (
        column("cell_rank", cell_rank, np.int64, (ranked,)),
        column("detection", detection, np.int64, (size,)),
        column("truth", truth, np.int64, (size,)),
        column("iou", iou, np.float64, (size,)),
        column("lanes", lanes, np.uint64, (size,)),
        column("ignored_in", ignored_in, np.uint64, (targets,)),
        column("crowd", crowd, np.uint8, (targets,)),
    )
    room = min(size, ranked)
    row, hit = np.empty(room, np.int64), np.empty(room, np.uint64)
    ignored = np.empty(room, np.uint64)
    matched = library.match_pairs(*(size, ranked, targets), *addresses(*given, row, hit, ignored))
    return row[:matched].astype(np.intp), hit[:matched].copy(), ignored[:matched].copy()


_PAIRS_AT_ONCE = 20_000_000
"""How many pairs have room at the same time; only those that overlap take memory."""


def _side(
    name: str, side: BoxColumns, rows: int, *between: NDArray[Any]
) -> tuple[NDArray[Any], ...]:
    return (
        column(f"{name} datum", side.datum, np.int32, (rows,)),
        column(f"{name} label", side.label, np.int32, (rows,)),
        column(f"{name} box", side.box, np.float64, (rows, 4)),
        *between,
        column(f"{name} area", side.area, np.float64, (rows,)),
    )


def column(
    name: str, values: NDArray[Any], kind: Any, shape: tuple[int, ...] | None = None
) -> NDArray[Any]:
    """Bring a column into the type, shape and layout that the C code reads.

    Raises:
        ValueError: the shape is another, or a value does not fit the type.
    """
    given = np.asarray(values)
    if shape is not None and given.shape != shape:
        raise ValueError(f"{name} of shape {given.shape}: expected {shape}.")
    if given.dtype != kind:
        with np.errstate(invalid="ignore"):
            exact = given.astype(kind)
        if not np.array_equal(exact, given, equal_nan=exact.dtype.kind == "f"):
            raise ValueError(
                f"{name} of type {given.dtype}: its values do not fit {kind.__name__}."
            )
        given = exact
    return np.ascontiguousarray(given)


def addresses(*columns: NDArray[Any]) -> list[int]:
    """Where the values of columns begin; the columns must outlive the call that uses them."""
    return [address(values) for values in columns]


def address(values: NDArray[Any]) -> int:
    """Where the values of a column begin."""
    return int(values.__array_interface__["data"][0])


def threads_for(rows: int) -> int:
    """How many threads so many rows are worth: starting one costs as much as some thousand."""
    return threads() if rows >= 20_000 else 1
