"""COCO files through the compiled kernel: from bytes to columns, without an object a record.

Any order of keys, unknown keys and white space are read. What Python's ``json`` would read
and these functions do not (ids that are text, not whole or beyond 64 bits, NaN and Infinity,
escapes in keys, nesting beyond 500, other encodings than UTF-8) raises :class:`UseJson`.
Check ``library.available()`` first, see :class:`velour_plugin.native.library.Compiled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.native.columns import addresses, column
from velour_plugin.native.library import library

NO_REGION, POLYGONS, COMPRESSED, COUNTS = range(4)
"""How a record spells its segmentation: not, polygons, RLE with text, RLE with a list."""

_SHORTEST_RECORD = len('{"image_id":0,"category_id":0},')
_SHORTEST_NAME = len('{"id":0},')


class MalformedCoco(ValueError):
    """Bytes that are no JSON, or no COCO file.

    Args:
        wanted: what should stand there.
        offset: where, in bytes from the beginning.
        text: the file.
    """

    def __init__(self, wanted: str, offset: int, text: bytes) -> None:
        self.offset = offset
        near = text[max(offset - 20, 0) : offset + 20].decode("utf-8", "replace")
        super().__init__(f"expected {wanted} at byte {offset}, near {near!r}.")


class UseJson(Exception):
    """A file that Python's ``json`` may read and this reader does not."""


@dataclass(frozen=True, slots=True)
class Records:
    """Annotations or results, in the order of the file.

    Args:
        id: ``(n,)`` int64, -1 where there is none; ``None`` in results.
        image: ``(n,)`` int64, the image's id.
        label: ``(n,)`` int64, the category's id.
        box: ``(n, 4)`` as x, y, width, height; NaN where there is none.
        area: ``(n,)``, NaN where there is none.
        crowd: ``(n,)`` bool; ``None`` in results.
        score: ``(n,)``; ``None`` in ground truth.
        region: ``(n,)`` how the segmentation is spelled, see :data:`NO_REGION`.
        region_start: ``(n,)`` where it begins in the text: the list, or the text of the counts.
        region_stop: ``(n,)`` where it ends.
        size: ``(n, 2)`` height and width of an RLE; -1 where there is none.
    """

    id: NDArray[np.int64] | None
    image: NDArray[np.int64]
    label: NDArray[np.int64]
    box: NDArray[np.float64]
    area: NDArray[np.float64]
    crowd: NDArray[np.bool_] | None
    score: NDArray[np.float64] | None
    region: NDArray[np.uint8]
    region_start: NDArray[np.int64]
    region_stop: NDArray[np.int64]
    size: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True, slots=True)
class Names:
    """Images or categories.

    Args:
        id: ``(n,)`` int64.
        size: ``(n, 2)`` height and width; -1 where unknown.
        start: where their list begins in the text, for what else they say.
        stop: where it ends; both 0 when the file has no such list.
    """

    id: NDArray[np.int64]
    size: NDArray[np.int64]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Truth:
    """A COCO file of ground truth."""

    images: Names
    categories: Names
    annotations: Records


def read_results(text: bytes) -> Records:
    """Read a COCO results file: a list of objects with image_id, category_id and score.

    Raises:
        MalformedCoco: no JSON, or not what a results file is; with the offset.
        UseJson: let Python's ``json`` read it.
    """
    table = _table(text, "image", "label", "score", "box", "area")
    wrong, rows, high = library.functions.read_results(*_text(text), *_arguments(table))
    _check(text, wrong, high)
    return _records(table, rows)


def read_truth(text: bytes) -> Truth:
    """Read a COCO file of ground truth: an object with images, categories and annotations.

    Raises:
        MalformedCoco: no JSON, or not what such a file is; with the offset.
        UseJson: let Python's ``json`` read it.
    """
    table = _table(text, "id", "image", "label", "box", "area", "crowd")
    room = len(text) // _SHORTEST_NAME + 1
    names = [np.empty((3, room), np.int64) for _ in range(2)]
    wrong, rows, high, images, categories = library.functions.read_truth(
        *_text(text),
        *(number for ids in names for number in (room, *addresses(*ids))),
        *_arguments(table),
    )
    _check(text, wrong, high)
    return Truth(_names(names[0], *images), _names(names[1], *categories), _records(table, rows))


def read_polygons(
    text: bytes, start: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Read the polygons of records, ``[[x, y, x, y, ...], ...]`` each.

    Args:
        text: the file.
        start: ``(n,)`` where each record's polygons begin.
        stop: ``(n,)`` where they end.

    Returns:
        Points ``(p, 2)``, where the points of each ring begin ``(rings + 1,)``, and where
        the rings of each record begin ``(n + 1,)``.

    Raises:
        MalformedCoco: not a list of lists of coordinates, or fewer than three points.
    """
    start = column("start", start, np.int64)
    stop = column("stop", stop, np.int64, start.shape)
    length = max(int((stop - start).clip(0).sum()), 0)
    points_room, rings_room = length // 4 + 1, length // 13 + 1
    points = np.empty((points_room, 2))
    rings, records = np.empty(rings_room + 1, np.int64), np.empty(len(start) + 1, np.int64)
    wrong = library.functions.read_polygons(
        *(*_text(text), len(start), *addresses(start, stop)),
        *(points_room, rings_room, *addresses(points, rings, records)),
    )
    _check(text, wrong, high=False)
    rings = rings[: records[-1] + 1].copy()
    return points[: rings[-1]].copy(), rings, records


_KINDS: dict[str, Any] = {"box": np.float64, "area": np.float64, "score": np.float64}
_KINDS |= {"crowd": np.uint8, "region": np.uint8}
_PLACES = ("region", "start", "stop", "height", "width")
_ORDER = ("id", "image", "label", "box", "area", "score", "crowd", *_PLACES)


def _table(text: bytes, *names: str) -> dict[str, NDArray[Any]]:
    """Room for as many records as a text may have; what is not written costs no memory."""
    room = len(text) // _SHORTEST_RECORD + 1
    return {
        name: np.empty((room, 4) if name == "box" else room, _KINDS.get(name, np.int64))
        for name in (*names, *_PLACES)
    }


def _arguments(table: dict[str, NDArray[Any]]) -> list[int]:
    known = [addresses(table[name])[0] if name in table else 0 for name in _ORDER]
    return [len(table["image"]), *known]


def _records(table: dict[str, NDArray[Any]], rows: int) -> Records:
    cut = {name: values[:rows] for name, values in table.items()}
    crowd = cut.get("crowd")
    return Records(
        cut.get("id"),
        cut["image"],
        cut["label"],
        cut["box"],
        cut["area"],
        None if crowd is None else crowd.view(np.bool_),
        cut.get("score"),
        cut["region"],
        cut["start"],
        cut["stop"],
        np.stack([cut["height"], cut["width"]], axis=-1),
    )


def _names(columns: NDArray[np.int64], rows: int, start: int, stop: int) -> Names:
    return Names(columns[0, :rows].copy(), columns[1:, :rows].T.copy(), start, stop)


def _text(text: bytes) -> tuple[int, int]:
    if not isinstance(text, bytes):
        raise TypeError(f"a file as {type(text).__name__}: expected bytes.")
    if text[:2] in (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb") or b"\0" in text[:4]:
        raise UseJson("the text has a byte order mark")
    return addresses(np.frombuffer(text or b"\0", np.uint8))[0], len(text)


def _check(text: bytes, wrong: tuple[str, int, int] | None, high: bool) -> None:
    if wrong is not None and wrong[2]:
        raise UseJson(f"byte {wrong[1]}")
    if wrong is not None:
        raise MalformedCoco(wrong[0], wrong[1], text)
    if high:
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise MalformedCoco("UTF-8", error.start, text) from None
