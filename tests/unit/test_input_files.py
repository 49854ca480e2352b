"""Files and JSON come in by one door each: read, or refused with the way out, at a bounded cost."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import zipfile
from pathlib import Path

import pytest

from velour_plugin.errors import BadDataset, BadFilter, InvalidInput, UnreadableFile
from velour_plugin.helpers.input_files import naming_files, read_bytes
from velour_plugin.helpers.json_text import parse_json
from velour_plugin.helpers.limits import DEFAULTS, limit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "truth.json"


def test_a_file_is_read_as_it_is(path: Path) -> None:
    path.write_bytes(b"\x00\xffany bytes")
    assert read_bytes(path) == b"\x00\xffany bytes"
    path.write_bytes(b"")
    assert read_bytes(path) == b""


@pytest.mark.parametrize("members", [1, 3])
def test_a_gzipped_file_is_unpacked_whatever_its_name(path: Path, members: int) -> None:
    path.write_bytes(gzip.compress(b'{"images": []}') * members)
    assert read_bytes(path) == b'{"images": []}' * members


@pytest.mark.parametrize(
    ("pack", "way_out"),
    [(bz2.compress, "compressed by bzip2: unpack it with 'bunzip2'"), (lzma.compress, "'unxz'")],
)
def test_other_packers_are_named(path: Path, pack: object, way_out: str) -> None:
    path.write_bytes(pack(b"{}"))  # type: ignore[operator]
    with pytest.raises(BadDataset, match=way_out):
        read_bytes(path)


def test_a_zip_archive_is_named(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("truth.json", "{}")
    with pytest.raises(BadDataset, match=r"truth\.json' is a zip archive: unpack it with 'unzip'"):
        read_bytes(path)


@pytest.mark.parametrize("cut", [2, 5, 15, -1])
def test_a_damaged_gzip_is_refused(path: Path, cut: int) -> None:
    path.write_bytes(gzip.compress(b"a long enough text")[:cut])
    with pytest.raises(BadDataset, match="is damaged: gzip cannot unpack it"):
        read_bytes(path)


def test_what_unpacks_to_too_much_is_refused_and_the_limit_can_be_raised(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(gzip.compress(bytes(1 << 25)))
    with pytest.raises(BadDataset, match="more than 200 times its size: unpack it with 'gunzip'"):
        read_bytes(path)
    monkeypatch.setenv("VELOUR_MAX_UNPACKED_RATIO", "2000")
    assert len(read_bytes(path)) == 1 << 25


def test_too_large_a_file_is_refused_and_the_limit_can_be_raised(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"12345678")
    monkeypatch.setenv("VELOUR_MAX_FILE_BYTES", "7")
    with pytest.raises(UnreadableFile, match="larger than 7 bytes; VELOUR_MAX_FILE_BYTES"):
        read_bytes(path)
    monkeypatch.setenv("VELOUR_MAX_FILE_BYTES", "8")
    assert read_bytes(path) == b"12345678"


def test_what_is_no_regular_file_is_refused_without_waiting(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(UnreadableFile, match="is a pipe, expected a file: write its content"):
        read_bytes(path)
    with pytest.raises(UnreadableFile, match="'/dev/zero' cannot be read: it is a device"):
        read_bytes("/dev/zero")
    with pytest.raises(UnreadableFile, match="it grows while it is read"):
        read_bytes("/proc/self/status")
    with pytest.raises(UnreadableFile, match="metadata 'x' cannot be read: it is a folder"):
        read_bytes(path.parent, "metadata 'x'")


@pytest.mark.parametrize("name", ["missing", "a\x00b", "n" * 5_000])
def test_paths_that_lead_nowhere_are_refused(path: Path, name: str) -> None:
    with pytest.raises(UnreadableFile, match="cannot be read: "):
        read_bytes(path.parent / name)


@pytest.mark.parametrize("value", ["0", "many", "-1", "1e9", "٣", "9" * 30])
def test_a_limit_is_a_whole_number(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("VELOUR_MAX_FILE_BYTES", value)
    with pytest.raises(InvalidInput, match="expected a whole number above 0"):
        limit("VELOUR_MAX_FILE_BYTES")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[1, 2.5, NaN, -Infinity]", "[1, 2.5, nan, -inf]"),
        ('{"größe": "\\ud83d\\ude00"}'.encode("utf-16"), "{'größe': '😀'}"),
        (b"\xef\xbb\xbf[]", "[]"),
        ("\ufeff[]", "[]"),
        ('"\\ud83d"', "'\\ud83d'"),
        (b'{"a": 1, "a": 1}', "{'a': 1}"),
        (b"0." + b"1" * 5_000, "0.1111111111111111"),
        (b'"' + b"1" * 400 + b'"', repr("1" * 400)),
        (b'["[[\\"[["' + b',"[[]"' * 300 + b"]", repr(['[["[[', *["[[]"] * 300])),
        (b"[" * 200 + b"]" * 200, "[" * 200 + "]" * 200),
        (b'[{"a": [[]]}' + b", [[]]" * 300 + b"]", repr([{"a": [[]]}, *[[[]]] * 300])),
    ],
)
def test_json_is_read(text: bytes | str, expected: str) -> None:
    assert repr(parse_json(text, "this")) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "'x' is empty, expected JSON"),
        (b'{"a": 1,\n "b"}', "is not valid JSON: Expecting ':' delimiter at line 2, column 5"),
        (b"[" * 201 + b"]" * 201, "'x' is nested too deep: expected at most 200 lists"),
        (b"[" * 10**6, "nested too deep"),
        (b'{"a":' * 10**5 + b"1" + b"}" * 10**5, "nested too deep"),
        (b'["\\"[", ' + b"[{}," * 201, "nested too deep"),
        (b"[1" + b"0" * 400 + b"]", "a whole number of 401 digits, 100000000000…"),
        (b"-" + b"7" * 5_000, "a whole number of 5,000 digits"),
        (b'{"images": [1], "images": [2]}', r"has 'images' twice in one object, as \[1\] and as"),
        (b'{"a": 1}\n{"a": 2}\n', "more than one JSON value, the next at line 2, column 1"),
        (b"<annotation/>", "holds XML or HTML, expected JSON"),
        (b"PAR1\x15\x04\xff", "is a parquet file, expected JSON"),
        (b"\x80\x05]\x94.", "is a pickle, expected JSON"),
        (b'{"a": "\xff"}', "no text in UTF-8 .invalid start byte at byte 7"),
        (b'"\xed\xa0\x80"', "no text in UTF-8"),
    ],
)
def test_other_json_is_refused_by_name(text: bytes, message: str) -> None:
    with pytest.raises(BadDataset, match=message):
        parse_json(text, "'x'")


def test_the_caller_names_the_error() -> None:
    with pytest.raises(BadFilter, match=r"^the filter is not valid JSON"):
        parse_json("{", "the filter", BadFilter)


def test_numbers_and_names_are_those_of_json(path: Path) -> None:
    content = {"a": [1, -2, 0.1, None, True, "x\\"], "b": {"c": []}}
    assert parse_json(json.dumps(content), "'x'") == content


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("row 0: no label", "'data/truth.json': row 0: no label"),
        ("'data/truth.json': no label", "'data/truth.json': no label"),
        ("metadata 'meta.csv': no uid", "metadata 'meta.csv': no uid"),
    ],
)
def test_a_file_is_named_where_a_message_names_none(message: str, expected: str) -> None:
    with pytest.raises(BadDataset) as refused, naming_files(Path("data/truth.json"), "meta.csv", 7):
        raise BadDataset(message)
    assert str(refused.value) == expected


def test_every_limit_is_documented() -> None:
    operations = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    for name, default in DEFAULTS.items():
        assert f"| `{name}` | {default} |" in operations
