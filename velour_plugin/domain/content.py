"""How content is spelled in bytes, so that equal content is equal bytes, and its digests.

Nothing in the bytes of a datum depends on other datums: not how their annotations are numbered,
and not whether any of them has a shape. Where there is a compiled kernel, the bytes are put
together and digested there; :func:`datum_bytes` says what they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from velour_plugin.domain.canonical import canonical_json, digest
from velour_plugin.domain.digests import Digests
from velour_plugin.domain.embedding import Embedding
from velour_plugin.domain.geometry import Raster, Shape
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.domain.texts import Texts

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from velour_plugin.domain.datum_columns import DatumColumns
    from velour_plugin.domain.table import AnnotationTable


def datum_digests(datums: DatumColumns) -> Digests:
    """SHA-256 of each datum with its metadata and location."""
    return Digests.of([digest(spelled) for spelled in _spelled(datums)])


def annotation_digests(table: AnnotationTable, uids: Sequence[str]) -> Digests:
    """SHA-256 of everything that a table says of each datum, with the datum's uid.

    Args:
        table: of the datums named by ``uids``.
        uids: of the datums, in order.
    """
    return Digests.of(list(map(digest, uids, datum_bytes(table, len(uids)))))


def content_digests(first: Sequence[str], second: Sequence[str]) -> Digests:
    """SHA-256 of pairs of digests."""
    return Digests.of(list(map(digest, first, second)))


def datum_bytes(table: AnnotationTable, datums: int) -> Iterator[bytes]:
    """Everything that a table says of each datum in turn.

    The numbers of its annotations, from 0; its labels; score, box, area and crowd as float64;
    then shapes, metadata and embeddings: of each, row by row.
    """
    names = label_bytes(table)
    for rows, bounds in _pieces(table, datums):
        yield from _bytes_of_piece(table.take(rows), names, bounds)


def _spelled(datums: DatumColumns) -> Iterator[bytes]:
    nothing = itertools.repeat(None, len(datums))
    columns = zip(datums.uids, datums.metadata or nothing, datums.locations or nothing, strict=False)
    for uid, metadata, location in columns:
        known = canonical_json({"uid": uid, "metadata": encode_metadata(metadata or {})})
        yield known.encode() + b"\x00" + location_bytes(location)


def location_bytes(location: BaseGeometry | None) -> bytes:
    """Spell a place so that equal places are equal bytes: WKB; nothing where there is none."""
    return b"" if location is None else bytes(shapely.to_wkb(location, byte_order=1))


def label_bytes(table: AnnotationTable) -> list[bytes]:
    """Spell each label of a table."""
    return [canonical_json(name).encode() for name in table.labels]


def _pieces(table: AnnotationTable, datums: int) -> Iterator[tuple[slice, NDArray[np.int64]]]:
    """Rows of neighbouring datums, and where each datum begins and ends among these rows.

    About a million rows at once, so that copies of them take little memory.
    """
    bounds = np.searchsorted(table.datum, np.arange(datums + 1, dtype=np.int32))
    step = max(1, _AT_ONCE * datums // max(len(table), 1))
    for start in range(0, datums, step):
        piece = bounds[start : start + step + 1]
        yield slice(piece[0], piece[-1]), piece - piece[0]


def _bytes_of_piece(
    table: AnnotationTable, names: Sequence[bytes], bounds: NDArray[np.int64]
) -> Iterator[bytes]:
    follows = np.diff(table.annotation, prepend=table.annotation[:1]) != 0
    annotation = np.cumsum(follows, dtype=np.int32)
    annotation -= np.repeat(np.append(annotation, 0)[bounds[:-1]], np.diff(bounds)).astype(np.int32)
    numbers = np.column_stack([table.score, table.box, table.area, table.crowd]) + 0.0
    numbers[np.isnan(numbers)] = np.nan  # NaN has many spellings, -0.0 became 0.0 above
    values, labels = numbers.tobytes(), table.label.tolist()
    which, wide = annotation.tobytes(), numbers.shape[1] * numbers.itemsize
    extras = [_texts_of(spell, column, len(table)) for spell, column in _extras(table)]
    for first, last in pairwise(bounds.tolist()):
        yield b"".join(
            (
                which[first * 4 : last * 4],
                b"".join([names[label] for label in labels[first:last]]),
                values[first * wide : last * wide],
                *(texts.data[texts.bounds[first] : texts.bounds[last]] for texts in extras),
            )
        )


def _extras(table: AnnotationTable) -> Iterator[tuple[Callable[[Any], bytes], Any]]:
    yield shape_bytes, table.shape
    yield metadata_bytes, table.metadata
    yield embedding_bytes, table.embedding


def _texts_of(spell: Callable[[Any], bytes], column: Any, rows: int) -> Texts:
    """A column of objects, spelled; one that is absent has the same spelling in each row."""
    if column is None:
        nothing = spell(None)
        return Texts(nothing * rows, np.arange(rows + 1) * len(nothing))
    return Texts.of(list(map(spell, column)))


def shape_bytes(shape: Shape | None) -> bytes:
    """Spell a region so that equal regions are equal bytes: WKB, or a raster's size and runs."""
    if shape is None:
        return b"\x00"
    if isinstance(shape, Raster):
        return b"R%d,%d;" % (shape.height, shape.width) + shape.edges.astype("<i8").tobytes()
    return b"P" + bytes(shapely.to_wkb(shape.shape, byte_order=1))


def metadata_bytes(metadata: Mapping[str, Any] | None) -> bytes:
    """Spell metadata in canonical JSON."""
    return canonical_json(metadata or {}).encode()


def embedding_bytes(embedding: Embedding | None) -> bytes:
    """Spell an embedding so that equal vectors are equal bytes: how long it is, its numbers."""
    vector = np.empty(0) if embedding is None else embedding.vector + 0.0  # no -0.0
    return b"%d;" % len(vector) + vector.astype("<f8").tobytes()


_AT_ONCE = 1_000_000
