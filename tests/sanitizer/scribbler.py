"""Another thread that changes arrays while C works on them: see scribble.c."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from tests.sanitizer.values import HUGE

NAN = 0x7FF8_0000_0000_0000


class _Target(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("count", ctypes.c_int64), ("size", ctypes.c_int64))


class Scribbler:
    """Writes hostile values into arrays, and what stood there back, until a call is over.

    Args:
        path: of the library that run.py built of scribble.c.
    """

    def __init__(self, path: str) -> None:
        self._scribble = ctypes.CDLL(path).scribble
        self._scribble.restype = None
        bits = [one % 2**64 for one in (*HUGE, 3, 5, 64, 100, 1000)]
        self._hostile = (ctypes.c_uint64 * (len(bits) + 1))(*bits, NAN)

    @contextmanager
    def over(self, arrays: Sequence[NDArray[Any]], seed: int) -> Iterator[None]:
        """Change the elements of arrays meanwhile."""
        spoiled = [one for one in arrays if one.size and one.itemsize in (1, 2, 4, 8)]
        if not spoiled:
            yield
            return
        targets = (_Target * len(spoiled))(
            *((one.ctypes.data, one.size, one.itemsize) for one in spoiled)
        )
        running, stop = ctypes.c_int(0), ctypes.c_int(0)
        sizes = ctypes.c_int64(len(targets)), ctypes.c_int64(len(self._hostile))
        thread = threading.Thread(
            target=self._scribble,
            args=(targets, sizes[0], self._hostile, sizes[1], ctypes.c_uint64(seed * 2 + 1),
                  ctypes.byref(running), ctypes.byref(stop)),
        )  # fmt: skip
        thread.start()
        while not running.value:
            pass
        try:
            yield
        finally:
            stop.value = 1
            thread.join()
