"""Content as canonical bytes, so that equal content has equal bytes, and its digests.

Nothing in the bytes of a datum depends on other datums: not how their annotations are numbered,
and not whether any of them has a shape. Where there is a compiled kernel, the bytes are put
together and digested there; :func:`datum_bytes` defines them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.annotation_table import AnnotationTable, is_absent
from velour_plugin.domain.columns.region_column import RegionColumn
from velour_plugin.domain.columns.region_masks import compiled_regions
from velour_plugin.domain.embedding import Embedding
from velour_plugin.domain.encoding.canonical import canonical_json, digest
from velour_plugin.domain.encoding.digests import Digests
from velour_plugin.domain.encoding.regions_at_rest import region_bytes
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.helpers.libraries import shapely
from velour_plugin.native import digest as compiled
from velour_plugin.native.digest import Strings
from velour_plugin.native.library import library

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from velour_plugin.domain.columns.datum_columns import DatumColumns


def datum_digests(datums: DatumColumns) -> Digests:
    """Digest each datum with its metadata and location, by SHA-256, in order."""
    if not library.available():
        return Digests.of([digest(content) for content in _datum_contents(datums)])
    if datums.metadata is None and datums.locations is None:
        names = strings_of(datums.uids)
        if _ESCAPED.search(names.data):
            names = strings_of([encode_basestring(uid)[1:-1] for uid in datums.uids])
        return Digests(compiled.digest_strings(b'{"metadata":{},"uid":"', names, b'"}\x00'))
    return Digests(compiled.digest_strings(b"", _joined(list(_datum_contents(datums))), b""))


def annotation_digests(table: AnnotationTable, uids: Sequence[str]) -> Digests:
    """Digest all annotations of each datum, with its uid, by SHA-256, in order.

    Args:
        table: of the datums named by ``uids``.
        uids: of the datums, in order.
    """
    if not library.available():
        return Digests.of(list(map(digest, uids, datum_bytes(table, len(uids)))))
    # narrow edges are made wide for the kernel: those of a piece, not all
    narrow = table.shape is not None and table.shape.edges.dtype != np.int64
    if not narrow and all(column is None for _, _, column in _extras(table)):
        return Digests(_compiled_digests(table, uids))
    values = np.empty((len(uids), 32), np.uint8)
    for datums, rows in _pieces(table, len(uids)):
        piece = table.take(rows)
        piece = replace(piece, datum=piece.datum - np.int32(datums.start))
        values[datums] = _compiled_digests(piece, uids[datums])
    return Digests(values)


def _compiled_digests(table: AnnotationTable, uids: Sequence[str]) -> NDArray[np.uint8]:
    numbers = {name: getattr(table, name) for name in ("score", "box", "area", "crowd")}
    columns = {
        **{name: getattr(table, name) for name in ("datum", "annotation", "label")},
        **{name: None if is_absent(column) else column for name, column in numbers.items()},
    }
    extras = {
        name: Strings(encode(None)) if column is None else _joined(list(map(encode, column)))
        for name, encode, column in _extras(table)
    }
    regions = None if table.shape is None else compiled_regions(table.shape)
    return compiled.digest_annotations(
        strings_of(uids), _joined(label_bytes(table)), columns, extras, regions
    )


def content_digests(first: Sequence[str], second: Sequence[str]) -> Digests:
    """Digest pairs of digests by SHA-256: the first of both sides, the second, and so on."""
    if not library.available():
        return Digests.of(list(map(digest, first, second)))
    return Digests(compiled.digest_pairs(Digests.of(first).values, Digests.of(second).values))


def datum_bytes(table: AnnotationTable, datums: int) -> Iterator[bytes]:
    """Yield the annotations of each datum in turn, as bytes.

    The numbers of its annotations, from 0; its labels; score, box, area and crowd as float64;
    then shapes, metadata and embeddings: of each, row by row.
    """
    names = label_bytes(table)
    for some, rows in _pieces(table, datums):
        piece = table.take(rows)
        bounds = np.searchsorted(piece.datum, np.arange(some.start, some.stop + 1, dtype=np.int32))
        yield from _bytes_of_piece(piece, names, bounds)


def _datum_contents(datums: DatumColumns) -> Iterator[bytes]:
    nothing = (None,) * len(datums)
    columns = (datums.uids, datums.metadata or nothing, datums.locations or nothing)
    for uid, metadata, location in zip(*columns, strict=True):
        known = canonical_json({"uid": uid, "metadata": encode_metadata(metadata or {})})
        yield known.encode() + b"\x00" + location_bytes(location)


def location_bytes(location: BaseGeometry | None) -> bytes:
    """Return a location as WKB, so that equal locations have equal bytes; empty for ``None``."""
    return b"" if location is None else bytes(shapely.to_wkb(location, byte_order=1))


def label_bytes(table: AnnotationTable) -> list[bytes]:
    """Return each label of a table as canonical JSON, in their order."""
    return [canonical_json(name).encode() for name in table.labels]


def _pieces(table: AnnotationTable, datums: int) -> Iterator[tuple[slice, slice]]:
    """Slices of datums and of their rows, about a million rows each, to save memory."""
    # the edges of a mask take more memory than its row
    content = 0 if table.shape is None else int((table.shape.stop - table.shape.start).sum())
    step = max(1, _AT_ONCE * datums // max(len(table), content // 8, 1))
    for start in range(0, datums, step):
        stop = min(start + step, datums)
        first, last = np.searchsorted(table.datum, np.array([start, stop], np.int32))
        yield slice(start, stop), slice(first, last)


def _bytes_of_piece(
    table: AnnotationTable, names: Sequence[bytes], bounds: NDArray[np.int64]
) -> Iterator[bytes]:
    follows = np.diff(table.annotation, prepend=table.annotation[:1]) != 0
    annotation = np.cumsum(follows, dtype=np.int32)
    annotation -= np.repeat(np.append(annotation, 0)[bounds[:-1]], np.diff(bounds)).astype(np.int32)
    numbers = np.column_stack([table.score, table.box, table.area, table.crowd]) + 0.0
    numbers[np.isnan(numbers)] = np.nan  # NaN has many bit patterns; -0.0 became 0.0 above
    values, labels = numbers.tobytes(), table.label.tolist()
    which, wide = annotation.tobytes(), numbers.shape[1] * numbers.itemsize
    nothing = RegionColumn.empty(len(table))
    extras = [list(region_bytes(nothing if table.shape is None else table.shape))]
    extras += [
        [encode(None)] * len(table) if column is None else list(map(encode, column))
        for _, encode, column in _extras(table)
    ]
    for first, last in pairwise(bounds.tolist()):
        yield b"".join(
            (
                which[first * 4 : last * 4],
                b"".join([names[label] for label in labels[first:last]]),
                values[first * wide : last * wide],
                *itertools.chain(*(texts[first:last] for texts in extras)),
            )
        )


def _extras(table: AnnotationTable) -> Iterator[tuple[str, Callable[[Any], bytes], Any]]:
    """Columns of objects, and the function that encodes one object."""
    yield "metadata", metadata_bytes, table.metadata
    yield "embedding", embedding_bytes, table.embedding


def strings_of(texts: Sequence[str]) -> Strings:
    """Concatenate texts in UTF-8, and say where each begins and ends."""
    whole = "".join(texts)
    if not whole.isascii():
        return _joined([text.encode() for text in texts])
    return Strings(whole.encode(), _bounds(texts))


def _joined(parts: Sequence[bytes]) -> Strings:
    return Strings(b"".join(parts), _bounds(parts))


def _bounds(parts: Sequence[str | bytes]) -> NDArray[np.int64]:
    bounds = np.zeros(len(parts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=bounds[1:])
    return bounds


def metadata_bytes(metadata: Mapping[str, Any] | None) -> bytes:
    """Return metadata as canonical JSON; ``{}`` for ``None``."""
    return canonical_json(metadata or {}).encode()


def embedding_bytes(embedding: Embedding | None) -> bytes:
    """Return the length and the numbers of an embedding as bytes; of length 0 for ``None``."""
    vector = np.empty(0) if embedding is None else embedding.vector + 0.0  # no -0.0
    return b"%d;" % len(vector) + vector.astype("<f8").tobytes()


_AT_ONCE = 1_000_000
_ESCAPED = re.compile(rb'["\\\x00-\x1f]')  # characters that JSON escapes
