"""The compiled reader of COCO files reads what Python's json reads, or says that it does not."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from velour_evaluators.kernels.native import library

from velour_plugin.domain.geometry import Raster
from velour_plugin.native import coco as native_coco

pytestmark = pytest.mark.skipif(not library.available(), reason=library.describe())


@pytest.mark.parametrize("seed", range(60))
def test_numbers_are_rounded_as_python_rounds_them(seed: int) -> None:
    """Halfway cases, many digits, exponents, zeros of both signs."""
    rng = np.random.default_rng(seed)
    spelled = [number(rng) for _ in range(500)]
    records = [f'{{"image_id": 1, "category_id": 1, "score": {one}}}' for one in spelled]
    text = f"[{','.join(records)}]".encode()
    score = native_coco.read_results(text).score
    assert score is not None
    for one, mine in zip(spelled, score.tolist(), strict=True):
        assert repr(mine) == repr(float(json.loads(one))), one


@pytest.mark.parametrize("seed", range(200))
def test_any_spelling_of_a_file_gives_its_columns(seed: int) -> None:
    """Keys in any order, unknown keys with any value, white space, missing optional keys."""
    rng = np.random.default_rng(seed)
    truth = truth_file(rng)
    text = spelled(rng, truth)
    read = native_coco.read_truth(text)
    assert read.images.id.tolist() == [one["id"] for one in truth["images"]]
    assert read.images.size.tolist() == [
        [one.get("height", -1), one.get("width", -1)] for one in truth["images"]
    ]
    assert read.categories.id.tolist() == [one["id"] for one in truth["categories"]]
    assert json.loads(text[read.categories.start : read.categories.stop]) == truth["categories"]
    assert_records(read.annotations, truth["annotations"], text)

    results = [one for one in truth["annotations"] if "score" in one]
    text = spelled(rng, results)
    assert_records(native_coco.read_results(text), results, text)


@pytest.mark.parametrize("seed", range(1_500))
def test_a_damaged_file_is_refused_or_read_as_json_reads_it(seed: int) -> None:
    """Cut, changed and doubled bytes: never a crash, never other content than Python's."""
    rng = np.random.default_rng(seed)
    whole = truth_file(rng)
    as_truth = rng.random() < 0.5
    given = whole if as_truth else [one for one in whole["annotations"] if "score" in one]
    text = bytearray(spelled(rng, given))
    for _ in range(rng.integers(1, 4)):
        damage(rng, text)
    damaged = bytes(text)
    try:
        expected = json.loads(damaged)
    except (ValueError, RecursionError):
        expected = None
    try:
        if as_truth:
            records = native_coco.read_truth(damaged).annotations
        else:
            records = native_coco.read_results(damaged)
    except (native_coco.MalformedCoco, native_coco.UseJson):
        return
    assert expected is not None
    entries = expected.get("annotations", []) if as_truth else expected
    assert_records(records, entries, damaged)


def number(rng: np.random.Generator) -> str:
    kind = rng.integers(8)
    digits = "".join(map(str, rng.integers(0, 10, rng.integers(1, 26))))
    whole = "".join(map(str, rng.integers(0, 10, rng.integers(1, 18)))).lstrip("0") or "0"
    sign = "-" if rng.random() < 0.2 else ""
    if kind == 0:
        return repr(float(rng.random() * 10.0 ** rng.integers(-5, 6)))
    if kind == 1:
        return f"{sign}0.{digits}"
    if kind == 2:
        return f"{sign}{whole}.{digits}"
    if kind == 3:
        return sign + whole
    if kind == 4:
        return f"{sign}{whole}.{digits}e{rng.integers(-30, 30)}"
    if kind == 5:  # halfway between two doubles
        one = int(rng.integers(1 << 52, 1 << 53))
        return f"{(2 * one + 1) * 5}e-1" if rng.random() < 0.5 else f"{2 * one + 1}.0"
    if kind == 6:
        return rng.choice(["0", "-0", "-0.0", "0.0", "0e5", "-0e0", "1E+2", "5e-324", "1e-400"])
    return f"{rng.random():.{rng.integers(1, 22)}f}"


def truth_file(rng: np.random.Generator) -> dict[str, Any]:
    images = [
        {"id": int(one), **({"height": 30, "width": 40} if rng.random() < 0.8 else {})}
        for one in rng.integers(-5, 1 << 40, rng.integers(0, 4))
    ]
    annotations = [annotation(rng) for _ in range(rng.integers(0, 6))]
    labels = [{"id": int(one), "name": word(rng)} for one in range(rng.integers(0, 3))]
    return {"images": images, "annotations": annotations, "categories": labels, "info": junk(rng)}


def annotation(rng: np.random.Generator) -> dict[str, Any]:
    one: dict[str, Any] = {
        "image_id": int(rng.integers(0, 1 << 60)),
        "category_id": int(rng.integers(-3, 90)),
    }
    optional = {
        "id": int(rng.integers(0, 99)),
        "bbox": (rng.random(4) * 100).tolist() if rng.random() < 0.8 else None,
        "score": float(rng.random()),
        "area": float(rng.random() * 100),
        "iscrowd": rng.choice([0, 1, True, False]).item(),
        "segmentation": segmentation(rng),
        "extra": junk(rng),
        word(rng): junk(rng),
    }
    return one | {name: value for name, value in optional.items() if rng.random() < 0.8}


def segmentation(rng: np.random.Generator) -> Any:
    polygons = [
        (rng.random(2 * rng.integers(3, 6)) * 9).tolist() for _ in range(rng.integers(1, 3))
    ]
    return [
        None,
        polygons,
        {"size": [30, 40], "counts": "a\\52" + word(rng)},
        {"size": [30, 40], "counts": [1, 2, 3]},
    ][rng.integers(4)]


def word(rng: np.random.Generator) -> str:
    letters = list('ab"\\/\n\té€𝄞 ,:[]{}')
    return "".join(rng.choice(letters, rng.integers(0, 6)))


def junk(rng: np.random.Generator, depth: int = 0) -> Any:
    kind = rng.integers(8 if depth < 3 else 6)
    if kind < 6:
        return [None, True, False, 1.5e-7, -3, word(rng)][kind]
    values = [junk(rng, depth + 1) for _ in range(rng.integers(0, 4))]
    return values if kind == 6 else {word(rng): value for value in values}


def spelled(rng: np.random.Generator, value: Any) -> bytes:
    separators = [(",", ":"), (", ", ": "), (" ,\n\t", " :\r ")][rng.integers(3)]
    text = json.dumps(
        shuffled(rng, value),
        separators=separators,
        ensure_ascii=bool(rng.random() < 0.5),
        indent=None if rng.random() < 0.7 else 1,
    )
    return text.encode()


def shuffled(rng: np.random.Generator, value: Any) -> Any:
    if isinstance(value, dict):
        names = list(value)
        rng.shuffle(names)
        return {name: shuffled(rng, value[name]) for name in names}
    return [shuffled(rng, one) for one in value] if isinstance(value, list) else value


def damage(rng: np.random.Generator, text: bytearray) -> None:
    if not text:
        return
    place = int(rng.integers(len(text)))
    kind = rng.integers(4)
    if kind == 0:
        del text[place:]
    elif kind == 1:
        del text[place : place + rng.integers(1, 9)]
    elif kind == 2:
        text[place] = rng.choice(list(b'{}[],:"\\0123456789.eE+-ntf \n\x00\xff'))
    else:
        text[place:place] = text[place : place + rng.integers(1, 20)]


def assert_records(
    records: native_coco.CocoRecords, entries: list[dict[str, Any]], text: bytes
) -> None:
    assert len(records) == len(entries)
    for row, one in enumerate(entries):
        assert records.image[row] == one["image_id"]
        assert records.label[row] == one["category_id"]
        box = one.get("bbox")
        assert np.array_equal(records.box[row], box or [math.nan] * 4, equal_nan=True)
        if records.score is not None:
            assert records.score[row] == one["score"]
        if records.area is not None:
            area = one.get("area", math.nan)
            assert np.array_equal(records.area[row], area, equal_nan=True)
        assert records.crowd[row] == bool(one.get("iscrowd", False))
        assert_region(records, row, one.get("segmentation"), text)


def assert_region(records: native_coco.CocoRecords, row: int, entries: Any, text: bytes) -> None:
    start, stop = records.region_start[row], records.region_stop[row]
    region = records.region[row]
    if entries is None:
        assert region == native_coco.NO_REGION
    elif isinstance(entries, list):
        assert region == native_coco.POLYGONS
        assert json.loads(text[start:stop]) == entries
    else:
        assert records.size[row].tolist() == entries.get("size", [-1, -1])
        if isinstance(entries["counts"], str):
            assert region == native_coco.COMPRESSED
            assert json.loads(b'"' + text[start:stop] + b'"') == entries["counts"]
        else:
            assert region == native_coco.COUNTS
            assert json.loads(text[start:stop]) == entries["counts"]


@pytest.mark.parametrize("seed", range(200))
def test_lists_of_run_lengths_are_read_or_refused_as_python_does(seed: int) -> None:
    """Empty runs, masks that are not filled, sizes that are none, numbers that are not whole."""
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 9, 2)
    counts: list[Any] = np.diff(np.sort([0, *rng.integers(0, size.prod() + 1, 6), size.prod()]))
    counts = list(map(int, counts))
    if rng.random() < 0.4:
        counts[rng.integers(len(counts))] = rng.choice([-1, 0, 3, 2**62, 1.0], 1).tolist()[0]
    size[0] = -1 if rng.random() < 0.1 else size[0]
    text = b" " + json.dumps(counts).encode() + b"}"
    start, stop = np.array([1]), np.array([len(text) - 1])
    try:
        expected = Raster({"size": size.tolist(), "counts": counts}).edges
    except ValueError:
        expected = None
    try:
        edges, bounds = native_coco.read_counts(text, start, stop, size[None])
    except (native_coco.MalformedCoco, native_coco.UseJson):
        assert expected is None
    else:
        assert expected is not None
        assert edges.tolist() == expected.tolist()
        assert bounds.tolist() == [0, len(edges)]


@pytest.mark.parametrize("seed", range(50))
def test_rings_are_closed_and_have_four_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rings = [rng.integers(0, 3, (rng.integers(3, 7), 2)).tolist() for _ in range(5)]
    flat = [[float(number) for point in ring for number in point] for ring in rings]
    text = json.dumps(flat).encode()
    points, bounds, records = native_coco.read_polygons(
        text, np.array([0, 0]), np.array([len(text), len(text)])
    )
    closed = [ring if ring[0] == ring[-1] and len(ring) > 3 else [*ring, ring[0]] for ring in rings]
    assert points.tolist() == [point for ring in closed * 2 for point in ring]
    assert bounds.tolist() == np.cumsum([0, *map(len, closed * 2)]).tolist()
    assert records.tolist() == [0, 5, 10]
