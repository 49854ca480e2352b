"""Read COCO files with the compiled kernel: from bytes to columns, without Python objects.

Any order of keys, unknown keys and white space are read. What Python's ``json`` would read
and these functions do not (ids that are text, not whole or beyond 64 bits, NaN and Infinity,
escapes in keys, keys that occur twice in a record, nesting beyond 150, other encodings than
UTF-8) raises :class:`UseJson`, as does the absence of the compiled kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.native.columns import column
from velour_plugin.native.library import library, threads

NO_REGION, POLYGONS, COMPRESSED, COUNTS = range(4)
"""Form of a record's segmentation: none, polygons, RLE with text, RLE with a list."""


_NO_REGION: Mapping[str, Any] = {
    "region": np.uint8(NO_REGION),
    **{name: np.int64(0) for name in ("region_start", "region_stop")},
    **{name: np.int64(-1) for name in ("height", "width")},
}


class MalformedCoco(ValueError):
    """Raised for bytes that are no JSON, or no COCO file.

    Args:
        expected: the syntax that should be there.
        offset: of the error, in bytes from the beginning.
        text: the file.
    """

    def __init__(self, expected: str, offset: int, text: bytes) -> None:
        self.offset = offset
        near = text[max(offset - 20, 0) : offset + 20].decode("utf-8", "replace")
        super().__init__(f"expected {expected} at byte {offset}, near {near!r}.")


class UseJson(Exception):
    """Raised for a file that this reader does not support; Python's ``json`` may read it."""


@dataclass(frozen=True, slots=True)
class CocoRecords:
    """Annotations or results, in the order of the file.

    Args:
        id: ``(n,)`` int64, -1 where there is none; ``None`` in results.
        image: ``(n,)`` int64, the image's id.
        label: ``(n,)`` int64, the category's id.
        box: ``(n, 4)`` as x, y, width, height; NaN where there is none.
        area: ``(n,)``, NaN where there is none; ``None`` in results.
        crowd: ``(n,)`` bool.
        score: ``(n,)``; ``None`` in ground truth.
        region: ``(n,)`` form of the segmentation, see :data:`NO_REGION`.
        region_start: ``(n,)`` where it begins in the text: the list, or the text of the counts.
        region_stop: ``(n,)`` where it ends.
        size: ``(n, 2)`` height and width of an RLE; -1 where there is none.
    """

    id: NDArray[np.int64] | None
    image: NDArray[np.int64]
    label: NDArray[np.int64]
    box: NDArray[np.float64]
    area: NDArray[np.float64] | None
    crowd: NDArray[np.bool_]
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
        start: where their list begins in the text, for their other keys.
        stop: where it ends; both 0 when the file has no such list.
    """

    id: NDArray[np.int64]
    size: NDArray[np.int64]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class TruthColumns:
    """A COCO file of ground truth: images and categories by id, and its annotations."""

    images: Names
    categories: Names
    annotations: CocoRecords


def read_results(text: bytes) -> CocoRecords:
    """Read a COCO results file: a list of objects with image_id, category_id and score.

    Raises:
        MalformedCoco: no JSON, or no results file; with the offset.
        UseJson: Python's ``json`` should read it.
    """
    columns = library.functions.read_results(text=_checked(text), threads=threads())
    _check(text, columns)
    return _records(columns)


def read_truth(text: bytes) -> TruthColumns:
    """Read a COCO file of ground truth: an object with images, categories and annotations.

    Raises:
        MalformedCoco: no JSON, or no such file; with the offset.
        UseJson: Python's ``json`` should read it.
    """
    columns = library.functions.read_truth(text=_checked(text), threads=threads())
    _check(text, columns)
    return TruthColumns(
        _names(columns, "image", "images"),
        _names(columns, "category", "categories"),
        _records(columns),
    )


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
        the rings of each record begin ``(n + 1,)``. The first point of a ring is repeated as its
        last, and a ring has at least four.

    Raises:
        MalformedCoco: not a list of lists of coordinates, or fewer than three points.
    """
    columns = library.functions.read_polygons(
        text=_checked(text),
        start=column("start", start, np.int64),
        stop=column("stop", stop, np.int64),
    )
    _check(text, columns)
    return columns["point"], columns["ring"], columns["record"]


def read_counts(
    text: bytes, start: NDArray[np.int64], stop: NDArray[np.int64], size: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read the run lengths of masks, ``[background, mask, background, ...]`` each.

    Args:
        text: the file.
        start: ``(n,)`` where each list begins.
        stop: ``(n,)`` where it ends.
        size: ``(n, 2)`` height and width in pixels.

    Returns:
        Run edges (see :mod:`velour_plugin.domain.columns.rle`), and where those of each mask begin
        ``(n + 1,)``.

    Raises:
        MalformedCoco: not a list of whole numbers >= 0, or they do not fill their mask.
        UseJson: Python's ``json`` should read it.
    """
    columns = library.functions.read_counts(
        text=_checked(text),
        start=column("start", start, np.int64),
        stop=column("stop", stop, np.int64),
        size=column("size", size, np.int64),
    )
    _check(text, columns)
    return columns["edge"], columns["mask"]


def _records(columns: dict[str, Any]) -> CocoRecords:
    if len(columns["region"]) < len(columns["image"]):  # there are no regions
        for name, nothing in _NO_REGION.items():
            columns[name] = np.broadcast_to(nothing, len(columns["image"]))
    return CocoRecords(
        columns.get("id"),
        columns["image"],
        columns["label"],
        columns["box"],
        columns.get("area"),
        columns["crowd"],
        columns.get("score"),
        columns["region"],
        columns["region_start"],
        columns["region_stop"],
        np.stack([columns["height"], columns["width"]], axis=-1),
    )


def _names(columns: dict[str, Any], singular: str, plural: str) -> Names:
    size = np.stack([columns[f"{singular}_height"], columns[f"{singular}_width"]], axis=-1)
    return Names(
        columns[f"{singular}_id"], size, columns[f"{plural}_start"], columns[f"{plural}_stop"]
    )


def _checked(text: bytes) -> bytes:
    if not isinstance(text, bytes):
        raise TypeError(f"a file as {type(text).__name__}: expected bytes.")
    if not library.available():
        raise UseJson("there is no compiled reader")
    if text[:2] in (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb") or b"\0" in text[:4]:
        raise UseJson("the text has a byte order mark")
    return text


def _check(text: bytes, columns: dict[str, Any]) -> None:
    if columns["unsupported"]:
        raise UseJson(f"byte {columns['wrong_at']}")
    if columns["wrong"] is not None:
        raise MalformedCoco(columns["wrong"], columns["wrong_at"], text)
    if columns["high"]:
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise MalformedCoco("UTF-8", error.start, text) from None
