"""Digests by the compiled kernel are those of hashlib, whatever stands in the columns."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.domain.columns.annotation_table import AnnotationTable, is_absent
from velour_plugin.domain.columns.datum_columns import DatumColumns
from velour_plugin.domain.encoding.canonical import digest
from velour_plugin.domain.encoding.content import (
    annotation_digests,
    content_digests,
    datum_bytes,
    datum_digests,
)
from velour_plugin.domain.encoding.digests import Digest, Digests
from velour_plugin.native import digest as compiled
from velour_plugin.native.library import library

pytestmark = pytest.mark.skipif(library.functions is None, reason="no compiled kernel")
NAMES = [("class", "fire"), ("class", 'sm"oke'), ("Farbe", "größer")]


def table(rng: np.random.Generator, datums: int) -> AnnotationTable:
    """Columns that may be absent, and labels, numbers and objects of every kind."""
    rows = int(rng.integers(0, 60))
    numbers: dict[str, Any] = {
        "score": np.where(rng.random(rows) < 0.3, np.nan, rng.choice([0.0, -0.0, 0.5, 1.0], rows)),
        "box": rng.choice([0.0, -0.0, 3.5], (rows, 4)),
        "area": np.where(rng.random(rows) < 0.5, -np.nan, rng.random(rows)),
        "crowd": rng.random(rows) < 0.5,
        "metadata": [{"n": 1.0, "k": "é"} if rng.random() < 0.5 else {} for _ in range(rows)],
        "embedding": [velour.Embedding([-0.0, 2.0]) for _ in range(rows)],
        "annotation": np.sort(rng.integers(0, 20, rows)),
    }
    kept = {name: column for name, column in numbers.items() if rng.random() < 0.6}
    datum = np.sort(rng.integers(0, datums, rows))
    return AnnotationTable.from_columns(NAMES, datum, rng.integers(0, 3, rows), **kept)


@pytest.mark.parametrize("seed", range(60))
def test_annotations_have_the_digests_of_their_bytes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    datums = int(rng.integers(1, 9))
    uids = [f"bild-ü{number}" for number in range(datums)]
    mixed = table(rng, datums)
    wanted = list(map(digest, uids, datum_bytes(mixed, datums)))
    assert annotation_digests(mixed, uids) == wanted


@pytest.mark.parametrize("length", [0, 1, 39, 40, 47, 48, 55, 56, 63, 64, 65, 500, 200_000])
def test_messages_of_every_length_are_padded_alike(length: int) -> None:
    """Two are digested at a time: neighbours of other lengths change nothing."""
    texts = [b"x" * length, b"", b"y" * (length // 3), b"z" * length, b"q"]
    bounds = np.cumsum([0, *map(len, texts)])
    values = compiled.digest_strings(b"<", compiled.Strings(b"".join(texts), bounds), b">")
    wanted = [
        hashlib.sha256((len(text) + 2).to_bytes(8, "little") + b"<" + text + b">").hexdigest()
        for text in texts
    ]
    assert Digests(values) == wanted


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_datums_and_pairs_have_one_digest_in_both_engines(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("VELOUR_ENGINE", engine)
    plain = datum_digests(DatumColumns.of_uids(["1", 'a"b', "é"]))
    assert plain[1] == digest(b'{"metadata":{},"uid":"a\\"b"}' + b"\x00")
    described = datum_digests(DatumColumns.of_uids(["1"], [{"hour": 20}], [(1.0, 2.0)]))
    assert described[0] != plain[0]
    assert content_digests(plain, plain)[2] == digest(plain[2], plain[2])


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("count", [0, 1, 9, 40])
def test_a_stream_of_digests_is_that_of_their_names(
    monkeypatch: pytest.MonkeyPatch, engine: str, count: int
) -> None:
    """In pieces of four; every value of a byte, so that every digit occurs at every place."""
    monkeypatch.setenv("VELOUR_ENGINE", engine)
    monkeypatch.setattr("velour_plugin.domain.encoding.digests._PIECE", 4)
    values = (np.arange(32 * count, dtype=np.int64) * 7 % 256).astype(np.uint8).reshape(-1, 32)
    names = [bytes(row).hex() for row in values]
    total = Digest("before")
    total.add_all(Digests(values))
    total.add_all(names)
    assert total.hex == digest("before", *names, *names)


@pytest.mark.parametrize(("column", "value"), [("datum", -1), ("datum", 3), ("label", 3)])
def test_an_index_out_of_bounds_is_named(column: str, value: int) -> None:
    columns: dict[str, Any] = {
        name: np.zeros(4, np.int32) for name in ("datum", "annotation", "label")
    }
    columns[column][-1] = value
    columns |= dict.fromkeys(("score", "box", "area", "crowd"))
    texts = compiled.Strings(b"abc", np.arange(4))
    nothing = dict.fromkeys(("metadata", "embedding"), compiled.Strings(b""))
    with pytest.raises(ValueError, match=f"{column} at row 3"):
        compiled.digest_annotations(texts, texts, columns, nothing, None)


def test_a_column_without_values_takes_no_memory() -> None:
    rows = AnnotationTable.from_columns(NAMES, np.zeros(5, int), np.zeros(5, int), score=np.ones(5))
    assert [is_absent(column) for column in (rows.box, rows.area, rows.crowd)] == [True] * 3
    assert not is_absent(rows.score)
    assert np.isnan(rows.take(np.arange(2)).box).all()
    assert is_absent(AnnotationTable.joined([rows, rows]).area)


def test_digests_are_a_sequence_of_hexadecimal_digits() -> None:
    names = [digest(str(number)) for number in range(5)]
    digests = Digests.of(names)
    assert digests == names
    assert list(digests) == names
    assert digests[1:3] == tuple(names[1:3])
    assert digests.where(np.array([True, False, False, False, True])) == [names[0], names[4]]
    assert digests[-1] == names[-1]
