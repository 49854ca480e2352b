"""The bytes of input files: regular files of a bounded size, unpacked where they are gzipped."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from velour_plugin.errors import BadDataset, InvalidInput, UnreadableFile
from velour_plugin.helpers.limits import limit

_PACKED = {
    b"PK\x03\x04": ("a zip archive", "unzip"),
    b"PK\x05\x06": ("an empty zip archive", "unzip"),
    b"BZh": ("compressed by bzip2", "bunzip2"),
    b"\xfd7zXZ\x00": ("compressed by xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "unzstd"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "7z x"),
    b"Rar!\x1a\x07": ("a RAR archive", "unrar x"),
}
_GZIP = b"\x1f\x8b"
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_SMALL = 1 << 24
"""Bytes that a file may always unpack to."""


def read_bytes(path: str | os.PathLike[str], name: str | None = None) -> bytes:
    """Read a file whole; a gzipped one is unpacked.

    Args:
        path: of the file.
        name: of the file in messages, such as ``metadata 'images.csv'``; ``None`` for its path.

    Raises:
        UnreadableFile: it is missing, no regular file, or larger than ``VELOUR_MAX_FILE_BYTES``.
        BadDataset: it is an archive, compressed in another way, or damaged, or unpacks to more than
            ``VELOUR_MAX_UNPACKED_RATIO`` times its size.
    """
    name = name or repr(os.fspath(path))
    most = limit("VELOUR_MAX_FILE_BYTES")
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            content = _bounded(file, most)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    if content.startswith(_GZIP):
        return _unpacked(content, name)
    if content.startswith(tuple(_PACKED)):
        kind, command = next(words for magic, words in _PACKED.items() if content.startswith(magic))
        raise BadDataset(f"{name} is {kind}: unpack it with '{command}'; only gzip is read.")
    return content


def _open_without_waiting(path: str, flags: int) -> int:
    """Open even a pipe at once, whose other end would be waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def check_regular(path: str | os.PathLike[str], name: str | None = None) -> None:
    """Refuse what is no regular file, before it is opened by a library; see :func:`read_bytes`.

    Raises:
        UnreadableFile: it is missing, a folder, a pipe or a device.
    """
    try:
        _check_mode(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise _unreadable(name or repr(os.fspath(path)), error) from error


def _check_mode(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise OSError(0, f"it is {kind}, expected a file: write its content to one first")


def _unreadable(name: str, error: OSError | ValueError) -> UnreadableFile:
    """Make the error of a file; ``open`` makes another of U+0000 in its path."""
    return UnreadableFile(name, error if isinstance(error, OSError) else OSError(0, str(error)))


@contextmanager
def naming_files(*paths: Any) -> Iterator[None]:
    """Name the first of some files in what is refused inside, where none of them is named.

    Args:
        paths: those whose content is used; what is no path is none of them.
    """
    names = [os.fspath(path) for path in paths if isinstance(path, (str, os.PathLike))]
    try:
        yield
    except InvalidInput as error:
        known = [os.path.basename(os.path.normpath(name)) for name in names]
        if names and not any(name in str(error) for name in known):
            error.args = (f"{names[0]!r}: {error}", *error.args[1:])
        raise


def _bounded(file: Any, most: int) -> bytes:
    status = os.fstat(file.fileno())
    _check_mode(status.st_mode)
    size = status.st_size
    if size > most:
        raise OSError(
            0, f"it is larger than {most:,} bytes; VELOUR_MAX_FILE_BYTES raises the limit"
        )
    content: bytes = file.read(size + 1)
    if len(content) > size:  # /proc has files of no size that never end
        raise OSError(0, "it grows while it is read")
    return content


def _unpacked(content: bytes, name: str) -> bytes:
    import gzip
    import zlib

    ratio = limit("VELOUR_MAX_UNPACKED_RATIO")
    most = max(ratio * len(content), _SMALL)
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as file:
            unpacked = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadDataset(f"{name} is damaged: gzip cannot unpack it ({error}).") from error
    if len(unpacked) > most:
        raise BadDataset(
            f"{name} unpacks to more than {ratio} times its size: unpack it with "
            "'gunzip', or raise VELOUR_MAX_UNPACKED_RATIO."
        )
    return unpacked
