"""Ways to spoil a file: its bytes, its lines, its values, its columns; all by one random source."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Mutation = Callable[[bytes, Random], bytes]

_DEPTHS = (40, 120, 199, 250, 990, 3_000, 100_000)
_NUMBERS = (
    *("0", "-1", "1", "0.5", "1.0000001", "1e400", "-1e400", "1e308", "NaN", "Infinity"),
    *("nan", "inf", "-0", "2147483648", "9223372036854775808", "9" * 30, "1" + "0" * 400),
    *("9" * 5_000, "0x1f", "1_000", "٣", "5e-324", "1e7", "1e15", "1e16", "50000000", "0" * 400),
)
_WORDS = (
    *("null", "true", "false", "no", "~", "[]", "{}", '""', "''", "''''", "x" * 3_000),
    *("[[]]", "[null]", '{"a": 1}', "2021-99-99", "9999-12-31T23:59:59-23:59", "0001-01-01"),
    *("../..", "/dev/zero", "/proc/self/mem", "POLYGON EMPTY", "POINT (1 2)", "é", "\ufffe"),
    *("EPSG:4326", "*a", "&a", "!!python/object:os.system", "<", ">", "&amp;", "&x;", "%s", "]]>"),
    *("P99999999999999D", "24:00:00", "%", "\\", "datum.labels", "annotation.area", "fact.tags"),
)
_JSON = (
    *(text for text in _NUMBERS if text not in ("nan", "inf", "0x1f", "1_000", "٣")),
    *("null", "true", "false", "[]", "{}", '""', "[[]]", "[null]", '{"a": [1]}', "[1, 2, 3, 4]"),
    *('"no"', '"0"', '"1"', '"\\u0000"', '"\\ud800"', '"a\\udfffb"', '"🎉"', '"NaN"', "[0.5]"),
    *('"9999-12-31T23:59:59-23:59"', '{"$date": 5}', '{"$datetime": "x"}', '{"$duration": 1e300}'),
    *('{"type": "Polygon", "coordinates": [[]]}', '{"type": "Point", "coordinates": [1e400, 1]}'),
    *('{"type": "GeometryCollection", "geometries": []}', '{"bbox": [1, 2, 3, 1e400]}'),
    *('{"size": [1000000000, 1000000000], "counts": [5, 3]}', '{"size": [2, 2], "counts": "04"}'),
    *('{"op": "and", "args": []}', '{"property": "a"}', '{"interval": ["..", ".."]}'),
    '"' + "y" * 3_000 + '"',
)
_RAW = (b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\t", b'"', b"'", b",")


def flipped(content: bytes, rng: Random) -> bytes:
    """Some bytes become others."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8)) if changed else 0):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def cut(content: bytes, rng: Random) -> bytes:
    """The end is missing, or a block inside."""
    start = rng.randrange(len(content) + 1)
    return content[:start] + (
        content[start + rng.randrange(1, 60) :] if rng.random() < 0.6 else b""
    )


def inserted(content: bytes, rng: Random) -> bytes:
    """Something stands where it does not belong."""
    at = rng.randrange(len(content) + 1)
    text = rng.choice((*_RAW, rng.choice(_NUMBERS).encode(), rng.choice(_WORDS).encode()))
    return content[:at] + text * rng.choice((1, 1, 1, 3, 300)) + content[at:]


def repeated(content: bytes, rng: Random) -> bytes:
    """A block, or all, stands there again."""
    start = rng.randrange(len(content) + 1)
    block = content[start : start + rng.randrange(1, 200)]
    return (
        content * 2
        if rng.random() < 0.1
        else content[:start] + block * rng.choice((2, 2, 5, 200)) + content[start:]
    )


def packed(content: bytes, rng: Random) -> bytes:
    """The file is compressed, or in another encoding."""
    kind = rng.randrange(6)
    if kind == 0:
        return gzip.compress(content, mtime=0)
    if kind == 1:
        return gzip.compress(content, mtime=0)[: rng.randrange(len(content) + 1)]
    if kind == 2:
        return gzip.compress(content + b" " * 20_000_000, mtime=0)
    if kind == 3:
        return bz2.compress(content)
    if kind == 4:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(zipfile.ZipInfo("a"), content)
        return archive.getvalue()
    return content.decode("utf-8", "replace").encode(
        rng.choice(("utf-16", "utf-32", "utf-8-sig", "latin-1", "utf-7")), "replace"
    )


def revalued(content: bytes, rng: Random) -> bytes:
    """Numbers and words of a text become hostile ones."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        found = list(re.finditer(rb"-?\d+\.?\d*|[A-Za-z_.]+", content))
        if found:
            match = rng.choice(found)
            word = rng.choice((rng.choice(_NUMBERS), rng.choice(_WORDS))).encode("utf-8")
            content = content[: match.start()] + word + content[match.end() :]
    return content


def relined(content: bytes, rng: Random) -> bytes:
    """Lines are lost, doubled, exchanged, indented, or joined."""
    lines = content.splitlines(keepends=True) or [b""]
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[first]
    elif kind == 1:
        lines.insert(second, lines[first])
    elif kind == 2:
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == 3:
        lines[first] = b"  " + lines[first]
    else:
        lines[first] = lines[first].rstrip(b"\r\n")
    return b"".join(lines)


def nested(content: bytes, rng: Random) -> bytes:
    """A tag, a bracket or an indentation is nested deep."""
    depth = rng.choice(_DEPTHS)
    opening, closing = rng.choice(
        (
            (b"<a>", b"</a>"),
            (b"[", b"]"),
            (b'{"a":', b"}"),
            (b"(", b")"),
            (b"NOT ", b""),
            (b"- ", b""),
        )
    )
    at = rng.randrange(len(content) + 1)
    return content[:at] + opening * depth + b"1" + closing * depth + content[at:]


def json_revalued(content: bytes, rng: Random) -> bytes:
    """Values of JSON become hostile ones, names are lost, doubled or renamed, lists grow."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return revalued(content, rng)
    raw: dict[str, str] = {}
    root = [tree]
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        _change(root, rng, raw)
    text = json.dumps(root[0], ensure_ascii=rng.random() < 0.5)
    for mark, value in raw.items():
        text = text.replace(json.dumps(mark), value)
    return text.encode("utf-8", "surrogatepass")


def _change(root: list[Any], rng: Random, raw: dict[str, str]) -> None:
    parent, key = rng.choice(list(_places(root)))
    kind = rng.random()
    if kind < 0.65 or parent is root:
        mark = f"@{len(raw)}@"
        raw[mark] = _deep(rng) if rng.random() < 0.03 else rng.choice(_JSON)
        parent[key] = mark
    elif kind < 0.8:
        del parent[key]
    elif isinstance(parent, dict):
        value = parent[key] if kind < 0.95 else parent.pop(key)
        parent[
            rng.choice(("id", "label", "score", "bbox", "size", "", "a\x00", "\ud800", "$x"))
        ] = value
    else:
        parent[key:key] = [parent[key]] * rng.choice((1, 2, 50))


def _places(node: Any) -> Any:
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _deep(rng: Random) -> str:
    depth = rng.choice(_DEPTHS)
    opening, closing = rng.choice((("[", "]"), ('{"a": ', "}"), ('{"op": "not", "args": [', "]}")))
    return opening * depth + "1" + closing * depth


def reshaped(content: bytes, rng: Random) -> bytes:
    """A parquet file with a column less, of another type, or with other values."""
    try:
        table = pq.read_table(io.BytesIO(content))
    except Exception:
        return flipped(content, rng)
    for _ in range(rng.choice((1, 1, 2))):
        if table.num_columns:
            table = _column_changed(table, rng)
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(_notes(table, rng)), sink)
    return sink.getvalue()


def _column_changed(table: Any, rng: Random) -> Any:
    index = rng.randrange(table.num_columns)
    name, rows = table.column_names[index], len(table)
    kind = rng.randrange(7)
    if kind == 0:
        return table.remove_column(index)
    if kind == 1:
        return table.append_column(rng.choice((name, "other")), table.column(index))
    if kind == 2:
        return table.slice(0, rng.randrange(rows + 1))
    values, arrow_type = rng.choice(_COLUMNS)
    return table.set_column(
        index, name, pa.array([rng.choice(values) for _ in range(rows)], arrow_type)
    )


def _notes(table: Any, rng: Random) -> Any:
    notes = dict(table.schema.metadata or {})
    if rng.random() < 0.2:
        notes[rng.choice((b"velour.area", b"velour.model", b"x"))] = rng.choice(
            (b"\xff", b"", b"7")
        )
    return notes


_COLUMNS: tuple[tuple[tuple[Any, ...], Any], ...] = (
    ((None, "x", "\0", "1", "y" * 3_000, "{", "[1]", '{"a": NaN}', '{"$date": 5}'), pa.string()),
    ((None, -1, 0, 5, 2**31, 2**40, -(2**63)), pa.int64()),
    ((0, 1, 255), pa.uint8()),
    ((None, 0.5, 2.0, -1.0, float("nan"), float("inf"), 1e300), pa.float64()),
    ((True, False, None), pa.bool_()),
    (
        (
            None,
            b"",
            b"\x01\x03",
            b"\x01\xeb\x03\x00\x00\xff\xff\xff\x7f",
            b"\x00" * 50,
            b"\x01\x01\x00\x00\x00" + b"\x00" * 16,
            b"\x01\x03\x00\x00\x00\xff\xff\xff\xff",
        ),
        pa.binary(),
    ),
    ((None, [], [1], [2, 2, 1, 3], [-1, 5], [10**9, 10**9, 5]), pa.list_(pa.int64())),
    ((None, [], [0.5, float("nan")], [1e300]), pa.list_(pa.float64())),
    ((None, ["a"], []), pa.list_(pa.string())),
    ((None, {"a": 1}), pa.struct([("a", pa.int64())])),
    ((None, 0, 10**15), pa.timestamp("us")),
    ((None,), pa.null()),
)

BYTES: tuple[Mutation, ...] = (flipped, cut, inserted, repeated, packed)
TEXT: tuple[Mutation, ...] = (*BYTES, revalued, revalued, revalued, relined, nested)
JSON: tuple[Mutation, ...] = (*BYTES, *[json_revalued] * 14, nested)
PARQUET: tuple[Mutation, ...] = (flipped, cut, inserted, *[reshaped] * 5)
BY_SUFFIX = {".json": JSON, ".geojson": JSON, ".png": BYTES, ".parquet": PARQUET}


def mutated(name: str, content: bytes, rng: Random) -> bytes:
    """Spoil a file in one way or two, by ways that its suffix suggests."""
    ways = next((ways for suffix, ways in BY_SUFFIX.items() if name.endswith(suffix)), TEXT)
    for _ in range(rng.choice((1, 1, 1, 2))):
        content = rng.choice(ways)(content, rng)
    return content
