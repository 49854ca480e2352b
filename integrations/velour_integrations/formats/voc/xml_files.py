"""XML files of annotations: in any encoding that they name, without entities, of bounded depth."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path
from xml.etree import ElementTree

from velour_plugin.errors import BadDataset
from velour_plugin.plugin import note_repaired, read_bytes

DEEPEST = 200
"""Levels of elements inside each other; VOC has five."""
_FEW = 10_000
"""Tags of a file whose depth is not watched: nested, they take a megabyte."""

_DECLARED = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""")
_UTF8 = ("utf-8", "utf8", "us-ascii", "ascii")
_STARTS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}
_NO_ENCODINGS = ("utf-7", "unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined")
"""What Python decodes, though no XML is written in it: text would change its meaning."""


def parse_xml(path: Path) -> ElementTree.Element:
    """Parse a file.

    Raises:
        UnreadableFile: it cannot be read.
        BadDataset: it is no XML, has entities of its own, or is nested deeper than
            :data:`DEEPEST`.
    """
    where = repr(os.fspath(path))
    content = _in_utf8(read_bytes(path), where)
    if b"<!ENTITY" in content:
        raise BadDataset(
            f"{where} defines entities, which are not read: write out what they stand for."
        )
    few = content.count(b"<") < _FEW
    builder = ElementTree.TreeBuilder() if few else _WatchedBuilder(where)
    parser = ElementTree.XMLParser(target=builder, encoding="utf-8")
    try:
        parser.feed(content)
        root: ElementTree.Element = parser.close()
    except ElementTree.ParseError as error:
        raise BadDataset(f"{where} is no XML: {error}{_hint(content)}.") from error
    return root


class _WatchedBuilder(ElementTree.TreeBuilder):
    """Builds elements, and refuses to build them too deep."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where, self.depth = where, 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self.depth += 1
        if self.depth > DEEPEST:
            raise BadDataset(f"{self.where} is nested deeper than {DEEPEST} elements: no VOC.")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self.depth -= 1
        return super().end(tag)


def _in_utf8(content: bytes, where: str) -> bytes:
    """The same text in UTF-8, whatever its first line says then."""
    start = next((codec for mark, codec in _STARTS.items() if content.startswith(mark)), None)
    if start is not None:
        return _decoded(content, start, where)
    if content.startswith(codecs.BOM_UTF8):
        return content.removeprefix(codecs.BOM_UTF8)  # which goes before a first line
    declared = _DECLARED.match(content)
    name = declared[1].decode().lower() if declared else "utf-8"
    if name in _UTF8:
        return content
    if name.startswith(("utf-16", "utf16", "utf-32", "ucs-")):  # its own first line is not
        note_repaired("XML files that call UTF-8 another encoding, read as UTF-8", where)
        return content
    return _decoded(content, name, where)


def _decoded(content: bytes, encoding: str, where: str) -> bytes:
    try:
        codec = codecs.lookup(encoding).name
        if codec in _NO_ENCODINGS:
            raise LookupError(codec)
        # most files that say GB2312 have characters of its successor, as browsers know
        return content.decode("gb18030" if codec == "gb2312" else codec).encode()
    except LookupError as error:
        raise BadDataset(
            f"{where}: its first line names the encoding {encoding!r}, which is not read: save "
            "the file in UTF-8."
        ) from error
    except UnicodeError as error:
        raise BadDataset(
            f"{where} is not in {encoding!r}, the encoding that its first bytes name ({error}): "
            "save it in UTF-8."
        ) from error


def _hint(content: bytes) -> str:
    try:
        content.decode()
    except UnicodeDecodeError:
        return "; it is not in UTF-8, and its first line must name its encoding"
    return ""
