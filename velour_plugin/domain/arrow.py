"""Columns as the bytes of a parquet file, and back: for ledgers, annotations and datums."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGE = 1 << 19
"""From so many bytes on, it pays to read the columns of a table at once."""


def columns_to_parquet(columns: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> bytes:
    """Write columns as a compressed parquet file.

    Args:
        columns: by name, equally long: numpy arrays or pyarrow's.
        notes: kept in the file's own metadata.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {name: pa.array(column) for name, column in columns.items()}
    floats = [
        name
        for name, array in arrays.items()
        if pa.types.is_floating(array.type) and not _repeats(columns[name])
    ]
    rising = [name for name, column in columns.items() if _rises(column)]
    sink = io.BytesIO()
    pq.write_table(
        pa.table(arrays).replace_schema_metadata(dict(notes or {})),
        sink,
        compression="zstd",
        use_dictionary=[name for name in arrays if name not in (*floats, *rising)],
        use_byte_stream_split=floats,
        column_encoding=dict.fromkeys(rising, "DELTA_BINARY_PACKED"),
        write_statistics=False,
    )
    return sink.getvalue()


def parquet_to_table(content: Any, texts: Collection[str] = ()) -> Any:
    """Read a parquet file into a pyarrow table.

    Args:
        content: its bytes, or a buffer of pyarrow.
        texts: columns that are read as a dictionary: indices of distinct texts.

    Raises:
        pyarrow.ArrowInvalid: the bytes are no parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # not pq.read_table: it imports pandas, which takes half a second
    buffer = pa.py_buffer(content)
    known = pq.read_schema(pa.BufferReader(buffer)).names if texts else ()
    read_dictionary = [name for name in texts if name in known]
    file = pq.ParquetFile(pa.BufferReader(buffer), read_dictionary=read_dictionary)
    return file.read(use_threads=buffer.size > _LARGE)


def column_to_numpy(column: Any) -> NDArray[Any]:
    """The values of a pyarrow column or array, without a copy where they lie as numpy's do.

    A missing number is NaN; text and bytes become objects.
    """
    import pyarrow as pa

    array = column if isinstance(column, pa.Array) else _as_array(column)
    if pa.types.is_floating(array.type) and array.null_count:
        array = array.fill_null(np.nan)
    # not to_numpy: it imports pandas as well
    if pa.types.is_boolean(array.type):  # eight in a byte
        bits = np.frombuffer(array.buffers()[1], np.uint8)
        return np.unpackbits(bits, bitorder="little")[array.offset :][: len(array)].view(bool)
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        return np.from_dlpack(array)
    return np.array(array.to_pylist(), object)


def _as_array(column: Any) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _repeats(column: Any) -> bool:
    """Numbers that repeat, as scores of few decimals do, are smaller in a dictionary."""
    return isinstance(column, np.ndarray) and 2 * len(np.unique(column)) < len(column)


def _rises(column: Any) -> bool:
    """Integers that never fall are a tenth as large by their differences."""
    return (
        isinstance(column, np.ndarray)
        and column.dtype in (np.int32, np.int64)
        and not (np.diff(column) < 0).any()
    )
