"""Columns as the bytes of a parquet file, and back: for ledgers, annotations and datums.

Arrays of numbers and texts are made from buffers: ``pyarrow.array`` imports pandas, which takes
longer than writing a file.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.errors import BadDataset, VelourError

_LARGE = 1 << 19
"""Tables of at least so many bytes are read with threads."""
_DECIMALS = b"velour.decimals"
"""Metadata of a field: the number of decimals by which its integers are floats."""
_MOST_DECIMALS = 6
_FLOATS = {"double": "float64", "float": "float32", "halffloat": "float16"}
"""Types by their name in pyarrow; of whole numbers it is numpy's."""


def columns_to_parquet(
    columns: Mapping[str, Any], notes: Mapping[str, str] | None = None, *, compact: bool = False
) -> bytes:
    """Encode columns as a compressed parquet file, and return its bytes.

    Args:
        columns: by name, equally long: numpy arrays or pyarrow's.
        notes: kept in the file's own metadata.
        compact: floats of few decimals are written as whole numbers, a third as large and three
            times as fast; only :func:`parquet_to_table` knows how to read them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {name: numbers_to_arrow(column) for name, column in columns.items()}
    candidates = {name: _as_decimals(array) for name, array in arrays.items()} if compact else {}
    decimals = {name: known for name, known in candidates.items() if known is not None}
    floats = [
        name
        for name, array in arrays.items()
        if pa.types.is_floating(array.type) and name not in decimals and not _repeats(columns[name])
    ]
    rising = [*decimals, *(name for name, column in columns.items() if _rises(column))]
    fields = [
        decimals[name][1] if name in decimals else pa.field(name, array.type)
        for name, array in arrays.items()
    ]
    values = [decimals[name][0] if name in decimals else arrays[name] for name in arrays]
    schema = pa.schema(
        [field.with_name(name) for field, name in zip(fields, arrays, strict=True)],
        dict(notes or {}),
    )
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(values, schema=schema),
        sink,
        compression="zstd",
        use_dictionary=[name for name in arrays if name not in (*floats, *rising)],
        use_byte_stream_split=floats,
        column_encoding=dict.fromkeys(rising, "DELTA_BINARY_PACKED"),
        write_statistics=False,
    )
    return sink.getvalue()


@contextmanager
def refusing_damage(what: str) -> Iterator[None]:
    """Context manager that turns errors of any library about foreign bytes into one of ours.

    Args:
        what: is wrong, the beginning of the message.

    Raises:
        BadDataset: something failed inside, and not by an error of Velour's.
    """
    try:
        yield
    except VelourError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadDataset(
            f"{what} ({reason[:300].rstrip('.')}): have Velour write the file again."
        ) from error


def parquet_to_table(content: Any, texts: Collection[str] = ()) -> Any:
    """Read a parquet file into a pyarrow table.

    Args:
        content: its bytes, or a buffer of pyarrow.
        texts: columns that are read as a dictionary: indices of distinct texts.

    Raises:
        BadDataset: the bytes are no parquet, or damaged, or have two columns of one name.
    """
    with refusing_damage("this is no parquet, or a damaged file"):
        table = _read_table(content, texts)
        if len({*table.column_names}) < table.num_columns:
            raise BadDataset(f"there are two columns of one name: {', '.join(table.column_names)}.")
        return table


def _read_table(content: Any, texts: Collection[str]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # not pq.read_table: it imports pandas, which takes half a second
    buffer = pa.py_buffer(content)
    known = pq.read_schema(pa.BufferReader(buffer)).names if texts else ()
    read_dictionary = [name for name in texts if name in known]
    file = pq.ParquetFile(pa.BufferReader(buffer), read_dictionary=read_dictionary)
    table = file.read(use_threads=buffer.size > _LARGE)
    for index, field in enumerate(table.schema):
        if _DECIMALS in (field.metadata or {}):
            floats = _of_decimals(table.column(index), field.metadata[_DECIMALS].decode())
            table = table.set_column(index, field.name, floats)
    return table


def numbers_to_arrow(values: Any, *, nan_is_absent: bool = False) -> Any:
    """Convert a numpy array to a pyarrow array, numbers without a copy; others stay as they are.

    Args:
        values: ``(n,)`` numbers, booleans, or objects that pyarrow knows the type of.
        nan_is_absent: NaN is a missing number there, not a number.
    """
    import pyarrow as pa

    if not isinstance(values, np.ndarray):
        return values
    if values.dtype == object:
        texts = values.tolist()
        return texts_to_arrow(texts) if _are_texts(texts) else pa.array(values)
    kind = pa.from_numpy_dtype(values.dtype)
    content = np.packbits(values, bitorder="little") if values.dtype == bool else values
    there = ~np.isnan(values) if nan_is_absent else None
    bits = None if there is None or there.all() else np.packbits(there, bitorder="little")
    buffers = [
        None if part is None else pa.py_buffer(np.ascontiguousarray(part))
        for part in (bits, content)
    ]
    return pa.Array.from_buffers(kind, len(values), buffers)


def texts_to_arrow(texts: Sequence[str]) -> Any:
    """Convert texts to a pyarrow array."""
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(b"".join(encoded))]
    if offsets[-1] <= np.iinfo(np.int32).max:
        return pa.Array.from_buffers(pa.string(), len(encoded), buffers)
    buffers[1] = pa.py_buffer(offsets)
    return pa.Array.from_buffers(pa.large_string(), len(encoded), buffers)


def column_to_numpy(column: Any) -> NDArray[Any]:
    """Convert a pyarrow column or array to numpy, without a copy where the layout is the same.

    A missing number is NaN; text and bytes become objects.
    """
    import pyarrow as pa

    array = column if isinstance(column, pa.Array) else _as_array(column)
    # neither to_numpy nor fill_null: they import pandas as well
    if pa.types.is_floating(array.type) and array.null_count:
        return _filled(array, np.nan)
    if pa.types.is_boolean(array.type):
        return _bits_of(array, 1)
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        return np.from_dlpack(array)
    return np.array(array.to_pylist(), object)


def _bits_of(array: Any, number: int) -> NDArray[np.bool_]:
    """Unpack the bits of a buffer: buffer 0 holds validity, buffer 1 the values."""
    bits = np.frombuffer(array.buffers()[number], np.uint8)
    return np.unpackbits(bits, bitorder="little")[array.offset :][: len(array)].view(bool)


def _values_of(array: Any) -> NDArray[Any]:
    """Numbers of an array; missing ones have arbitrary values."""
    dtype = np.dtype(_FLOATS.get(str(array.type), str(array.type)))
    return np.frombuffer(array.buffers()[1], dtype)[array.offset :][: len(array)]


def _as_array(column: Any) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _filled(array: Any, missing: float) -> NDArray[Any]:
    """Numbers of an array, with ``missing`` in place of missing ones."""
    values = _values_of(array)
    return np.where(_bits_of(array, 0), values, values.dtype.type(missing))


def _are_texts(values: Sequence[Any]) -> bool:
    return bool(values) and all(type(value) is str for value in values)


def _repeats(column: Any) -> bool:
    """Whether numbers repeat, as scores of few decimals do: a dictionary makes them smaller."""
    return isinstance(column, np.ndarray) and 2 * len(np.unique(column)) < len(column)


def _rises(column: Any) -> bool:
    """Whether a column is of non-decreasing integers, which delta encoding makes 10x smaller."""
    return (
        isinstance(column, np.ndarray)
        and column.dtype in (np.int32, np.int64)
        and not (np.diff(column) < 0).any()
    )


def _as_decimals(array: Any) -> tuple[Any, Any] | None:
    """Whole numbers in place of floats of few decimals, and their field; ``None`` for others.

    Missing numbers stay missing.
    """
    import pyarrow as pa

    if not pa.types.is_floating(array.type) or array.null_count == len(array) or array.offset:
        return None
    values = _filled(array, 0) if array.null_count else _values_of(array)
    digits = _decimals_of(values)
    if digits is None:
        return None
    whole = np.rint(values.astype(np.float64) * 10.0**digits).astype(np.int32)
    buffers = [array.buffers()[0], pa.py_buffer(whole)]
    note = f"{digits} {values.dtype.str}"
    field = pa.field("", pa.int32(), metadata={_DECIMALS: note.encode()})
    return pa.Array.from_buffers(pa.int32(), len(whole), buffers), field


def _of_decimals(column: Any, note: str) -> Any:
    """Undo :func:`_as_decimals`."""
    import pyarrow as pa

    digits, dtype = note.split()
    whole = _as_array(column)
    values = (_values_of(whole) / 10.0 ** int(digits)).astype(dtype)
    buffers = [whole.buffers()[0], pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), buffers)


def _decimals_of(values: NDArray[Any]) -> int | None:
    """Number of decimals that represents all numbers exactly; ``None`` if more than six."""
    for digits in range(_MOST_DECIMALS + 1):
        if _are_decimals(values[:100], digits) and _are_decimals(values, digits):
            return digits
    return None


def _are_decimals(values: NDArray[Any], digits: int) -> bool:
    """Whether 32-bit integers, divided by a power of ten, give these floats to the bit.

    The quotient of two exact numbers is rounded as the text of the decimal is when it is read.
    """
    scale = 10.0**digits
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.rint(values.astype(np.float64) * scale)
    if not (np.abs(whole) < 2**31).all():  # nor is NaN a number of decimals
        return False
    there = whole.astype(np.int32) / scale  # as it is read: -0.0 does not come back
    return there.astype(values.dtype).tobytes() == values.tobytes()
