"""A buffer of blobs read from a store: in memory up to a size, the rest in a file."""

from __future__ import annotations

from collections.abc import Iterable

MOST_IN_MEMORY = 256 << 20


class Spool:
    """Named blobs, read from a store at once and returned one at a time by ``spool[name]``.

    The transaction can end before the arithmetic begins; what exceeds 256 MiB waits in a file.

    Args:
        blobs: name and content of each.
    """

    def __init__(self, blobs: Iterable[tuple[str, bytes]] = ()) -> None:
        self._file = None
        self._in_memory: dict[str, bytes] = {}
        self._spans: dict[str, tuple[int, int]] = {}
        total = 0
        for name, content in blobs:
            total += len(content)
            if total <= MOST_IN_MEMORY:
                self._in_memory[name] = content
                continue
            if self._file is None:
                from tempfile import TemporaryFile  # few queries read so much

                self._file = TemporaryFile()  # noqa: SIM115  open while it is read
            self._spans[name] = (self._file.tell(), len(content))
            self._file.write(content)

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def __contains__(self, name: object) -> bool:
        return name in self._in_memory or name in self._spans

    def __getitem__(self, name: str) -> bytes:
        if name in self._in_memory:
            return self._in_memory[name]
        assert self._file is not None
        start, size = self._spans[name]
        self._file.seek(start)
        return self._file.read(size)
