"""A long file that several threads read in shares is read, or refused, as one thread reads it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from velour_evaluators.kernels.native import library

from tests.properties.test_native_coco_fuzz import annotation, assert_records, damage, spelled
from velour_plugin.native import coco as native_coco

pytestmark = pytest.mark.skipif(not library.available(), reason=library.describe())

LONG = 3 << 20
"""Bytes: enough for six shares."""


def lure(rng: np.random.Generator) -> Any:
    """A value with what looks as if a record began in it."""
    record = {"image_id": 1, "category_id": 1, "score": 0.5}
    return ['},{"image_id":1,"category_id":1,"score":0.5}', "}, {", [record] * 4][rng.integers(3)]


def records_of(rng: np.random.Generator, lures: float, regions: bool) -> list[dict[str, Any]]:
    known = [annotation(rng) | {"score": float(rng.random())} for _ in range(40)]
    for one in known:
        if rng.random() < lures:
            one["extra"] = lure(rng)
        if not regions:
            one.pop("segmentation", None)
    return known


def long_file(rng: np.random.Generator, lures: float, regions: bool, truth: bool) -> bytes:
    texts = [spelled(rng, one) for one in records_of(rng, lures, regions)]
    size, rows = 0, []
    while size < LONG:
        rows.append(texts[rng.integers(len(texts))])
        size += len(rows[-1])
    whole = b"[" + b" ,\n".join(rows) + b"]"
    if not truth:
        return whole
    names = json.dumps([{"id": one, "name": "a}, {b"} for one in range(9_000)]).encode()
    parts = [b'"images": ' + names, b'"annotations": ' + whole, b'"categories": ' + names]
    return b"{" + b", ".join(parts[place] for place in rng.permutation(3)) + b"}"


def outcome(text: bytes, truth: bool) -> Any:
    """All columns as bytes, or what is said of the file."""
    try:
        if not truth:
            return columns(native_coco.read_results(text))
        read = native_coco.read_truth(text)
    except (native_coco.MalformedCoco, native_coco.UseJson) as error:
        return repr(error)
    return columns(read.annotations), columns(read.images), columns(read.categories)


def columns(of: Any) -> list[Any]:
    values = [getattr(of, field.name) for field in dataclasses.fields(of)]
    return [(one.dtype, one.tobytes()) if isinstance(one, np.ndarray) else one for one in values]


@pytest.mark.parametrize("seed", range(12))
def test_the_number_of_threads_changes_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    truth, lures = bool(seed % 2), [0.0, 0.0, 0.02, 0.9][seed % 4]
    text = long_file(rng, lures, regions=bool(seed % 3), truth=truth)
    damaged = bytearray(text)
    damage(rng, damaged)
    monkeypatch.setenv("VELOUR_THREADS", "1")
    alone = [outcome(text, truth), outcome(bytes(damaged), truth)]
    assert not isinstance(alone[0], str)
    for threads in ("2", "3", "6"):
        monkeypatch.setenv("VELOUR_THREADS", threads)
        assert [outcome(text, truth), outcome(bytes(damaged), truth)] == alone


def test_regions_that_begin_late_are_in_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the second of two shares has a region, and not in its first record."""
    monkeypatch.setenv("VELOUR_THREADS", "2")
    plain = {"image_id": 1, "category_id": 2, "score": 0.5, "extra": "x" * 100}
    drawn = plain | {"segmentation": {"size": [3, 4], "counts": "abc"}}
    entries = [plain] * 9_000 + [drawn, plain, drawn]
    text = json.dumps(entries).encode()
    assert_records(native_coco.read_results(text), entries, text)


@pytest.mark.parametrize("digits", range(15, 21))
def test_long_numbers_are_rounded_as_python_rounds_them(digits: int) -> None:
    rng = np.random.default_rng(digits)
    texts = ["0." + "".join(map(str, rng.integers(0, 10, digits))) for _ in range(2_000)]
    rows = [f'{{"image_id":1,"category_id":1,"score":{text}}}' for text in texts]
    score = native_coco.read_results(f"[{','.join(rows)}]".encode()).score
    assert score is not None
    assert score.tolist() == list(map(float, texts))
