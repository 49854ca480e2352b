"""Every door by which something from outside comes in, with sound files to begin from.

A door has a folder of files, and a function that reads what stands in such a folder.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import velour_plugin as velour
from tests.label_pngs import write_png
from velour_plugin.errors import VelourError
from velour_plugin.filters import parse_filter, split_filter
from velour_plugin.helpers.json_text import parse_json
from velour_plugin.helpers.parquet import read_predictions, write_predictions
from velour_plugin.plugins.installed import installed
from velour_plugin.queries.query import Query
from velour_plugin.store import opened

Read = Callable[[Path, Random], Any]


@dataclass(frozen=True, slots=True)
class Door:
    """One way in.

    Args:
        name: of the door.
        make: writes sound files into a folder.
        read: reads what stands in a folder; the random source decides what is done with it.
        spoiled: names of files that are mutated, one at a time.
    """

    name: str
    make: Callable[[Path], None]
    read: Read
    spoiled: tuple[str, ...]


_SHAPES: tuple[Any, ...] = (
    [[1, 1, 50, 1, 50, 50]],
    {"size": [48, 64], "counts": [0, 10, 3062]},
    [[1, 1, 9, 1, 9, 9], [20, 20, 30, 20, 30, 30]],
    None,
)


def _coco(folder: Path) -> None:
    images = [
        {"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 48, "hour": 20} for n in range(3)
    ]
    annotations = [
        {
            "id": n + 1,
            "image_id": n % 3,
            "category_id": 1 + n % 2,
            "iscrowd": 0,
            "bbox": [n, n, 10.5, 20],
            "area": 210,
            "segmentation": _SHAPES[n % 4],
        }
        for n in range(6)
    ]
    for entry in annotations:
        if entry["segmentation"] is None:
            del entry["segmentation"]
    results = [
        {"image_id": n % 3, "category_id": 1 + n % 2, "bbox": [n, n, 10, 20], "score": n / 6}
        for n in range(6)
    ]
    results[0]["segmentation"] = {"size": [48, 64], "counts": "T;0O2N2N1O2M3NO1O001N2Nf?"}
    content = {
        "info": {"year": 2024},
        "images": images,
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": annotations,
    }
    (folder / "truth.json").write_text(json.dumps(content))
    (folder / "results.json").write_text(json.dumps(results[1:]))


def _read_coco(folder: Path, rng: Random) -> Any:
    dataset = velour.read_dataset(folder / "truth.json", "coco")
    return _used(dataset.with_predictions(folder / "results.json", "m"), folder, rng)


def _metadata(folder: Path) -> None:
    _coco(folder)
    (folder / "metadata.csv").write_text(
        "file_name,latitude,longitude,city,when,big\n0.jpg,40.5,-71,Rome,2024-01-01T00:00:00Z,1\n"
        "1.jpg,41,-70,Oslo,2024-02-02,1e5\n2.jpg,1,2,true,,x\n"
    )
    rows = [
        {"file_name": "0.jpg", "latitude": 40.5, "longitude": 3, "tags": ["a", {"b": 1}]},
        {"file_name": "1.jpg", "when": "2024-01-01", "n": 1e300},
        {"file_name": "2.jpg", "area": {"type": "Point", "coordinates": [1, 2]}, "t": None},
    ]
    (folder / "metadata.json").write_text(json.dumps(rows))


def _read_metadata(folder: Path, rng: Random) -> Any:
    results = []
    for name in ("metadata.csv", "metadata.json"):
        dataset = velour.read_dataset(folder / "truth.json", "coco", metadata=folder / name)
        results.append(_used(dataset.with_predictions(folder / "results.json", "m"), folder, rng))
    return results


def _voc(folder: Path) -> None:
    (folder / "gt").mkdir()
    (folder / "run").mkdir()
    (folder / "lists").mkdir()
    for number, (name, score) in enumerate((("gt", ""), ("run", "<score>0.5</score>"))):
        for image in "ab":
            (folder / name / f"{image}.xml").write_text(
                f'<?xml version="1.0" encoding="utf-8"?>\n<annotation><filename>{image}</filename>'
                "<size><width>50</width><height>40</height><depth>3</depth></size>\n<object>"
                f"<name>cat</name><difficult>0</difficult>{score}\n<bndbox>"
                f"<xmin>{1 + number}</xmin><ymin>1</ymin><xmax>19</xmax><ymax>9</ymax>"
                "</bndbox></object></annotation>\n"
            )
    (folder / "lists" / "cat.txt").write_text("a 0.9 1 1 19 9\nb 0.5 2 2 10 10\n")


def _read_voc(folder: Path, rng: Random) -> Any:
    dataset = velour.read_dataset(folder / "gt", "voc")
    predictions = rng.choice(("run", "lists"))
    return _used(dataset.with_predictions(folder / predictions, "m"), folder, rng)


def _yolo(folder: Path) -> None:
    for name in ("images/val", "labels/val", "run"):
        (folder / name).mkdir(parents=True)
    (folder / "data.yaml").write_text("path: .\nval: images/val\nnames:\n  0: cat\n  1: dog\n")
    for image in "ab":
        write_png(folder / "images" / "val" / f"{image}.png", np.zeros((9, 12), np.uint8))
        (folder / "labels" / "val" / f"{image}.txt").write_text(
            "0 0.5 0.5 0.1 0.1\n1 0.1 0.1 0.2 0.1 0.2 0.2\n"
        )
        (folder / "run" / f"{image}.txt").write_text(
            "0 0.5 0.5 0.1 0.2 0.9\n1 0.2 0.2 0.1 0.1 0.5\n"
        )


def _read_yolo(folder: Path, rng: Random) -> Any:
    dataset = velour.read_dataset(folder / "data.yaml", "yolo")
    return _used(dataset.with_predictions(folder / "run", "m"), folder, rng)


def _geojson(folder: Path) -> None:
    for name, extra in (("truth", {}), ("run", {"score": 0.5})):
        features = [
            {
                "type": "Feature",
                "properties": {"label": "cat", "image_id": f"i{n}", "note": {"a": [n]}, **extra},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[n, 0], [n + 1, 0], [n + 1, 1], [n, 1], [n, 0]]],
                },
            }
            for n in range(2)
        ]
        crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
        content = {"type": "FeatureCollection", "crs": crs, "features": features}
        (folder / f"{name}.geojson").write_text(json.dumps(content))


def _read_geojson(folder: Path, rng: Random) -> Any:
    dataset = velour.read_dataset(folder / "truth.geojson", "geojson")
    return _used(dataset.with_predictions(folder / "run.geojson", "m"), folder, rng)


def _spacenet(folder: Path) -> None:
    rows = "".join(
        f'img_{n},{n},"POLYGON ((0 0,{n + 1} 0,1 1,0 0))","POLYGON ((0 0,1 0,1 1,0 0))",0.5\n'
        for n in range(3)
    )
    header = "ImageId,BuildingId,PolygonWKT_Pix,PolygonWKT_Geo,Confidence\n"
    (folder / "truth.csv").write_text(header + rows)
    (folder / "run.csv").write_text(header + rows)


def _read_spacenet(folder: Path, rng: Random) -> Any:
    dataset = velour.read_dataset(folder / "truth.csv", "spacenet")
    return _used(dataset.with_predictions(folder / "run.csv", "m"), folder, rng)


def _label_images(folder: Path) -> None:
    for side in ("truth", "run"):
        (folder / side).mkdir()
        for number, image in enumerate("ab"):
            pixels = np.arange(12 * 9).reshape(9, 12) // 40 % (2 + number)
            write_png(folder / side / f"{image}.png", pixels)
    (folder / "truth" / "classes.txt").write_text("road\ncar\n2: sky\n255: void\n")


def _read_label_images(folder: Path, rng: Random) -> Any:
    dataset = velour.read_dataset(folder / "truth", "label-images")
    return _used(
        dataset.with_predictions(folder / "run", "m"), folder, rng, task="semantic-segmentation"
    )


_WHEN = dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)


def _predicted() -> velour.Dataset:
    label, place = velour.Label("class", "cat"), (40.5, 3.0)
    triangle = velour.Polygon([(0, 0), (9, 0), (9, 9)])
    mask = velour.Raster({"size": [9, 9], "counts": [5, 3, 73]})
    facts = {"note": "x", "deep": {"a": [1, 2.5]}}
    items: list[dict[str, Any]] = [
        {"bounding_box": velour.BoundingBox(0, 0, 5, 5), "metadata": facts},
        {"polygon": triangle},
        {"raster": mask},
        {"bounding_box": velour.BoundingBox(1, 1, 5, 5.25), "embedding": [0.5, 1.5], "area": 3.0},
    ]
    datums = [
        velour.Datum(
            str(n),
            {"height": 9, "width": 9, "hour": n, "city": "Rome", "when": _WHEN, "tags": ["x"]},
            place,
        )
        for n in range(4)
    ]
    truths = [
        velour.GroundTruth(datum, [velour.Annotation([label], **item)])
        for datum, item in zip(datums, items, strict=True)
    ]
    dataset = velour.Dataset.from_groundtruths(truths, "d", {"source": "sim"})
    predictions = [
        velour.Prediction(
            datum, [velour.Annotation([velour.Label("class", "cat", 0.25 * n)], **items[n])]
        )
        for n, datum in enumerate(datums)
    ]
    return dataset.with_predictions(predictions, "m")


def _predictions(folder: Path) -> None:
    write_predictions(_predicted(), folder / "predictions.parquet")


def _read_predictions(folder: Path, rng: Random) -> Any:
    dataset = read_predictions(folder / "predictions.parquet", _predicted())
    return _used(dataset, folder, rng)


def _partitions(folder: Path) -> None:
    velour.PartitionedDataset.write(folder / "parts", [_predicted()])


def _read_partitions(folder: Path, rng: Random) -> Any:
    parts = velour.PartitionedDataset(folder / "parts")
    list(parts)
    return velour.evaluate(parts, "object-detection", save=False)


_FILTERS = (
    "city = 'Rome' AND hour >= 20",
    "NOT (hour BETWEEN 1 AND 3) OR city IN ('Rome', 'Oslo') OR city LIKE 'R%'",
    "S_INTERSECTS(location, POLYGON((0 0, 5 0, 5 50, 0 50, 0 0)))",
    "DWITHIN(location, POINT(3 40.5), 50, 'km') AND when > TIMESTAMP('2026-07-01T21:30:00Z')",
    "T_DURING(when, INTERVAL('2026-07-01', '..')) AND 'cat' IN (datum.labels)",
    "A_CONTAINS(tags, ('x', 'y')) OR CASEI(city) = CASEI('ROME') AND -hour * 2 + 1 < 5 / 3",
    "S_WITHIN(annotation.geometry, BBOX(0, 0, 10, 10)) OR label.value = 'cat' AND score > 0.5",
)
_CQL2 = {
    "op": "or",
    "args": [
        {"op": "=", "args": [{"property": "city"}, "Rome"]},
        {"op": "in", "args": [{"property": "hour"}, [1, 2, 3]]},
        {
            "op": "s_intersects",
            "args": [{"property": "location"}, {"type": "Point", "coordinates": [3, 40.5]}],
        },
        {"op": "s_within", "args": [{"property": "location"}, {"bbox": [0, 0, 9, 50]}]},
        {"op": ">", "args": [{"property": "when"}, {"timestamp": "2024-01-01T00:00:00Z"}]},
        {"op": "t_during", "args": [{"property": "when"}, {"interval": ["..", "2024-01-01"]}]},
    ],
}


def _filters(folder: Path) -> None:
    (folder / "filter.txt").write_text("\n".join(_FILTERS))
    (folder / "filter.json").write_text(json.dumps(_CQL2))


def _read_filters(folder: Path, rng: Random) -> Any:
    text = (folder / "filter.txt").read_bytes().decode("utf-8", "surrogateescape")
    for line in text.split("\n")[:20]:
        with _refusable():
            _selected(line)
    return _selected(parse_json((folder / "filter.json").read_bytes(), "the filter"))


def _selected(where: Any) -> Any:
    node = parse_filter(where)
    str(node), repr(node), split_filter(node)
    return velour.evaluate(_predicted(), "object-detection", where=where, save=False)


_QUERIES: tuple[dict[str, Any], ...] = (
    {
        "query": "rank",
        "metric": "mAP",
        "datasets": ["d"],
        "where": "hour > 3",
        "resamples": 100,
        "confidence": 0.9,
        "seed": 1,
        "parameters": {"iou_type": "box"},
    },
    {"query": "slices", "metric": "mAP", "dataset": "d", "by": ["city", "hour:3"], "model": "m"},
    {
        "query": "compare",
        "metric": "mAP",
        "baseline": "a",
        "candidate": "b",
        "label": ["class", "x"],
    },
)


def _queries(folder: Path) -> None:
    (folder / "query.json").write_text(json.dumps(_QUERIES))
    parameters: dict[str, Any] = {
        "iou_thresholds": [0.5, 0.75],
        "iou_type": "box",
        "score_threshold": 0.1,
        "area_ranges": {"all": [0, 1e10], "small": [0, 1024]},
        "max_detections": [1, 10],
        "label_map": {"cat": "dog"},
        "label_keys": ["class"],
        "details": True,
    }
    (folder / "parameters.json").write_text(json.dumps(parameters))


def _read_queries(folder: Path, rng: Random) -> Any:
    content = parse_json((folder / "query.json").read_bytes(), "the query")
    for query in content if isinstance(content, list) else [content]:
        with _refusable():
            made = Query.from_dict(query)
            repr(made), made.digest, Query.from_dict(made.to_dict()) == made
    parameters = parse_json((folder / "parameters.json").read_bytes(), "parameters")
    for task in installed().evaluators:
        with _refusable():
            return velour.evaluate(_predicted(), task, parameters=parameters, save=False)
    return None


_URLS = (
    "sqlite:///store.db",
    "sqlite:///folder/store.db?timeout=5&mode=rw",
    "postgresql://user:secret@127.0.0.1:1/base?sslmode=disable&password=secret",
    "postgresql+psycopg2://127.0.0.1:1/base",
    "host=127.0.0.1 port=1 user=u password=secret dbname=b",
)


def _urls(folder: Path) -> None:
    (folder / "url.txt").write_text("\n".join(_URLS))


def _read_urls(folder: Path, rng: Random) -> Any:
    """Only addresses of this machine's first port are tried, where nothing answers."""
    text = (folder / "url.txt").read_bytes().decode("utf-8", "surrogateescape")
    for line in text.split("\n"):
        if line.startswith("postgres") and "127.0.0.1:1/" not in line:
            continue
        with _refusable(), opened(line.replace("sqlite:////", "sqlite:///")) as store:
            repr(store)
    return None


@contextmanager
def _refusable() -> Iterator[None]:
    """One of several things that a door reads at once may be refused."""
    with suppress(VelourError):
        yield


def _used(
    dataset: velour.Dataset, folder: Path, rng: Random, task: str = "object-detection"
) -> Any:
    """What was read is digested, sometimes evaluated, sometimes kept in a store."""
    chance = rng.random()
    result: list[Any] = [repr(dataset), dataset.content_digests, dataset.truth.annotations_of(0)]
    if chance < 0.4:
        task = "instance-segmentation" if chance < 0.15 and task == "object-detection" else task
        url = f"sqlite:///{folder / 'store.db'}" if chance > 0.3 else None
        evaluation = velour.evaluate(dataset, task, save=url is not None, store=url)
        result.append(evaluation.metrics)
    return result


DOORS = (
    Door("coco", _coco, _read_coco, ("truth.json", "results.json")),
    Door("metadata", _metadata, _read_metadata, ("metadata.csv", "metadata.json")),
    Door("voc", _voc, _read_voc, ("gt/a.xml", "run/a.xml", "lists/cat.txt")),
    Door(
        "yolo",
        _yolo,
        _read_yolo,
        ("data.yaml", "images/val/a.png", "labels/val/a.txt", "run/a.txt"),
    ),
    Door("geojson", _geojson, _read_geojson, ("truth.geojson", "run.geojson")),
    Door("spacenet", _spacenet, _read_spacenet, ("truth.csv", "run.csv")),
    Door(
        "label-images",
        _label_images,
        _read_label_images,
        ("truth/a.png", "run/a.png", "truth/classes.txt"),
    ),
    Door("predictions", _predictions, _read_predictions, ("predictions.parquet",)),
    Door(
        "partitions",
        _partitions,
        _read_partitions,
        (
            "parts/velour-partitions.json",
            *(f"parts/part-000000/{name}.parquet" for name in ("datums", "truth", "predictions")),
        ),
    ),
    Door("filters", _filters, _read_filters, ("filter.txt", "filter.json")),
    Door("queries", _queries, _read_queries, ("query.json", "parameters.json")),
    Door("urls", _urls, _read_urls, ("url.txt",)),
)
