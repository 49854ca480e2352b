"""Attacks on the functions of the core: masks, files, digests, label images."""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.typing import NDArray

from tests.sanitizer.values import HUGE, dirt_of, floats, some, whole
from velour_plugin.domain.columns import rle
from velour_plugin.domain.columns.region_column import EDGES, MULTIPOLYGON, POLYGON, TEXT
from velour_plugin.native import coco, digest, masks, regions
from velour_plugin.native import label_edges as label_edges_of_images

WORDS = [
    *('"image_id"', '"category_id"', '"bbox"', '"score"', '"segmentation"', '"counts"'),
    *('"size"', '"annotations"', '"images"', '"categories"', '"id"', '"area"', '"iscrowd"'),
    *(":", ":", ":", ",", ",", ",", "[", "]", "{", "}", "{", "}", '"', '"a\\\\b"', "\\u00e9"),
    *("1", "-2", "0.5", "1e5", "123456789012345678901234567890", "1e999", "null", "true"),
    *("[1,2,3,4]", '{"image_id":1,"category_id":2,"score":0.5}', "[[1,2,3,4,5,6]]", " ", "\n"),
    *('{"size":[3,4],"counts":"52203"}', '{"size":[3,4],"counts":[5,2,2,3]}', "\x00", "NaN"),
]
SHELLS = ["%s", "[%s]", "[{%s}]", '{"annotations":[{%s}]}', '{"images":[%s]}', '[{"bbox":%s}]']


def file_of(rng: np.random.Generator) -> bytes:
    """Fragments of COCO files in any order, or any bytes."""
    if rng.random() < 0.1:
        return rng.bytes(int(rng.integers(0, 200)))
    body = "".join(rng.choice(WORDS, int(rng.integers(0, 60))))
    return (SHELLS[rng.integers(len(SHELLS))] % body).encode()


def read_results(rng: np.random.Generator) -> None:
    result = b'{"image_id":1,"category_id":2,"score":0.5,"bbox":[1,2,3,4]}'
    whole_one = b"[" + b",".join([result] * int(rng.integers(0, 9))) + b"]"
    if rng.random() < 0.02:
        coco.read_results(long_list(rng))
    coco.read_results(file_of(rng) if rng.random() < 0.9 else whole_one)


def read_truth(rng: np.random.Generator) -> None:
    names = b'{"images":[{"id":1}],"categories":[{"id":2}],"annotations":[]}'
    if rng.random() < 0.02:
        coco.read_truth(b'{"annotations":' + long_list(rng) + b',"images":[{"id":1}]}')
    coco.read_truth(file_of(rng) if rng.random() < 0.9 else names)


def long_list(rng: np.random.Generator) -> bytes:
    """A list that is long enough to be read in shares, of records that may be broken."""
    good = [
        '{"image_id":1,"category_id":2,"score":0.5}',
        '{"score":1,"category_id":7,"image_id":3,"segmentation":[[1,2,3,4,5,6]]}',
    ]
    lures = ['{"a":"},{",' + good[0][1:], *('{"image_id":', '"', "[]", "{}", "1", "\\u")]
    records = [*rng.choice(good, 30_000), *rng.choice(lures, int(rng.integers(0, 3)))]
    rng.shuffle(records)
    return f"[{', '.join(records)}]".encode()


def read_counts(rng: np.random.Generator) -> None:
    """Run lengths that are listed anywhere in any text, of masks of any size."""
    text = file_of(rng) if rng.random() < 0.5 else b"[2,1,3],[0,6] ,[1,2,1]" * 4
    starts = whole(rng, rng.integers(0, len(text) + 1, 4), 0.1, HUGE)
    sizes = whole(rng, rng.integers(1, 5, (len(starts), 2)), 0.1, HUGE)
    coco.read_counts(text, starts, starts + rng.integers(0, 50, len(starts)), sizes)


def read_polygons(rng: np.random.Generator) -> None:
    """Polygons that are listed anywhere in any text."""
    text = file_of(rng) if rng.random() < 0.5 else b"[[1,2,3,4,5,6],[0,0,0,1.5,2,2]]" * 4
    starts = whole(rng, rng.integers(0, len(text) + 1, 4), 0.1, HUGE)
    if rng.random() < 0.2:
        starts = np.arange(0, len(text), 31)[:4]
    coco.read_polygons(text, starts, starts + rng.integers(0, 50, len(starts)))


def masks_of(rng: np.random.Generator, count: int) -> masks.Masks:
    """Starts that fall, edges that fall, sizes beyond all bounds."""
    lengths = rng.integers(0, 6, count)
    stop = np.cumsum(lengths)
    edges = np.cumsum(rng.integers(1, 20, (count, 5)), axis=1)[np.arange(5) < lengths[:, None]]
    size = np.full(count, 10)
    columns = (edges, stop - lengths, stop, size, size)
    return masks.Masks(*(whole(rng, one, dirt_of(rng, 0.02), HUGE) for one in columns))


def measure_rasters(rng: np.random.Generator) -> None:
    masks.measure(masks_of(rng, some(rng, 8, 5000)))


def spelled_masks(rng: np.random.Generator, count: int) -> masks.Texts:
    """Letters outside the alphabet, texts that overlap or end early."""
    size, dirt = rng.integers(1, 30, 2), dirt_of(rng, 0.02)
    counts = rng.multinomial(size.prod(), np.full(rng.integers(1, 9), 0.1))
    one = np.frombuffer(rle.text_of_counts(counts.tolist()).encode(), np.uint8)
    letters = whole(rng, np.tile(one, count), dirt, [0, 47, 48, 92, 111, 112, 255])
    bounds = whole(rng, np.arange(count)[:, None] * len(one) + [0, len(one)], dirt, HUGE)
    sizes = whole(rng, np.tile(size, (count, 1)), dirt, HUGE)
    text = letters.astype(np.uint8).tobytes()
    return masks.Texts(text, *bounds.T, *sizes.T, escaped=bool(rng.random() < 0.5))


def decode_texts(rng: np.random.Generator) -> None:
    masks.decode(spelled_masks(rng, some(rng, 8, 1000)))


def draw_outlines(rng: np.random.Generator) -> None:
    """Points far away or not finite, starts that fall, sizes out of bounds."""
    counts = [rng.integers(0, 4, some(rng, 5))]
    while len(counts) < 3:
        counts.append(rng.integers(0, 4, int(counts[-1].sum())))
    starts = [whole(rng, np.concatenate(([0], np.cumsum(count))), 0.02, HUGE) for count in counts]
    scale = rng.choice([5.0, 50.0, 5000.0])
    points = (rng.random((int(counts[2].sum()), 2)) - 0.2) * scale
    sizes = whole(rng, rng.integers(1, 60, (len(counts[0]), 2)), 0.03, HUGE)
    masks.rasterise(floats(rng, points, 0.01), starts[2], starts[1], starts[0], sizes)


def label_edges(rng: np.random.Generator) -> None:
    """Pixels of any type, labels beyond the table."""
    kind = str(rng.choice(["u1", "i2", "i4", "i8", "?"]))
    size = rng.choice([1, 3, 64, 65, 200], 2)
    image = rng.integers(0, int(rng.choice([2, 5, 300])), size).astype(kind)
    pixels = label_edges_of_images.LabelPixels.of(image)
    less = int(rng.random() < 0.1)
    label_edges_of_images.label_edges(
        label_edges_of_images.LabelPixels(pixels.bytes, pixels.lowest, pixels.labels - less)
    )


def digest_texts(rng: np.random.Generator) -> None:
    digest.digest_strings(b"before", strings(rng, some(rng, 9, 1000)), b"after")


def digest_pairs(rng: np.random.Generator) -> None:
    pairs = rng.integers(0, 256, (some(rng, 9, 1000), 32), np.uint8)
    digest.digest_pairs(pairs, pairs[::-1])


def measured_digits(rng: np.random.Generator) -> None:
    digest.measured_digits(rng.integers(0, 256, (some(rng, 9, 1000), 32), np.uint8))


def digest_annotations(rng: np.random.Generator) -> None:
    """Datums that fall, labels that are not there, regions that lie anywhere."""
    datums, rows, dirt = int(rng.integers(1, 5)), some(rng, 9), dirt_of(rng, 0.02)
    columns = {
        "datum": whole(rng, np.sort(rng.integers(0, datums, rows)), dirt),
        "annotation": whole(rng, np.arange(rows), dirt),
        "label": whole(rng, rng.integers(0, 3, rows), dirt),
        "score": None if rng.random() < 0.5 else floats(rng, rng.random(rows), dirt),
        "box": None if rng.random() < 0.5 else rng.random((rows, 4)),
        "area": None if rng.random() < 0.5 else rng.random(rows),
        "crowd": None if rng.random() < 0.5 else rng.random(rows) < 0.5,
    }
    extras = {
        "metadata": digest.Strings(b"{}") if rng.random() < 0.5 else strings(rng, rows),
        "embedding": strings(rng, rows),
    }
    drawn = None if rng.random() < 0.3 else regions_of(rng, rows)
    digest.digest_annotations(strings(rng, datums), strings(rng, 3), columns, extras, drawn)


def check_regions(rng: np.random.Generator) -> None:
    with contextlib.suppress(ValueError):
        regions.check(regions_of(rng, some(rng, 9, 1000)))


def strings(rng: np.random.Generator, rows: int) -> digest.Strings:
    """Texts that begin and end anywhere."""
    lengths = rng.integers(0, 60 if rows > 20 else 400, rows)
    bounds: NDArray[np.int64] = np.cumsum(np.append(0, lengths), dtype=np.int64)
    return digest.Strings(rng.bytes(int(bounds[-1])), whole(rng, bounds, dirt_of(rng, 0.02), HUGE))


def regions_of(rng: np.random.Generator, rows: int) -> regions.RegionArrays:
    """Triangles, pairs of triangles, masks as text and as edges."""
    dirt, kinds = dirt_of(rng, 0.01), [0, POLYGON, MULTIPOLYGON, TEXT, EDGES]
    kind = rng.choice(kinds, rows)
    start = whole(rng, np.zeros(rows), dirt, HUGE)
    stop = whole(rng, np.choose(kind, [0, 1, 2, 4, 3]), dirt, HUGE)
    return regions.RegionArrays(
        whole(rng, kind, dirt).astype(np.uint8),
        start,
        stop,
        whole(rng, np.tile([3, 4], (rows, 1)), dirt, HUGE),
        np.array([[0.0, 0], [0, 2], [2, 2]] * 2),
        whole(rng, np.array([0, 3, 6]), dirt, HUGE),
        whole(rng, np.array([0, 1, 2]), dirt, HUGE),
        b"5221",
        0,
        np.array([5, 7, 9]),
    )


ATTACKS = [
    check_regions,
    decode_texts,
    digest_annotations,
    digest_pairs,
    digest_texts,
    draw_outlines,
    label_edges,
    measure_rasters,
    measured_digits,
    read_counts,
    read_polygons,
    read_results,
    read_truth,
]
