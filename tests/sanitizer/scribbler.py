"""Another thread that changes arrays while C reads them: see scribble.c."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Target(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("at", "good", "seen")),
        *((name, ctypes.c_int64) for name in ("bytes", "size")),
    )


class Scribbler:
    """Changes elements of arrays when a compiled module reads them a second time.

    Args:
        library: the module, into which run.py has built scribble.c.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._scribble = library.scribble
        self._scribble.restype = None
        self._scribble.argtypes = [ctypes.c_void_p, *[ctypes.c_int64] * 3]

    @classmethod
    def of(cls, module: Any) -> Scribbler | None:
        """That of a module; ``None`` where there is none, as under ThreadSanitizer.

        Of shared arrays a race is known, and harmless: ThreadSanitizer looks for others.
        """
        library = ctypes.CDLL(module.__file__)
        return cls(library) if hasattr(library, "scribble") else None

    @contextmanager
    def over(self, arrays: Sequence[NDArray[Any]], seed: int, often: int) -> Iterator[None]:
        """Change the elements of some arrays meanwhile, once in ``often`` readings."""
        changed = [one for one in arrays if one.size and one.itemsize <= 8]
        kept = [(one.copy(), np.zeros(one.size, np.uint8)) for one in changed]
        targets = (_Target * len(changed))(
            *(
                (one.ctypes.data, good.ctypes.data, seen.ctypes.data, one.nbytes, one.itemsize)
                for one, (good, seen) in zip(changed, kept, strict=True)
            )
        )
        self._scribble(targets, len(targets), seed * 2 + 1, often)
        try:
            yield
        finally:
            self._scribble(targets, 0, 1, 1)
