"""SpaceNet building footprints: polygons in pixels and on Earth, in CSV files.

A row is a building: ``ImageId, BuildingId, PolygonWKT_Pix`` with ``PolygonWKT_Geo``
on the ground truth and ``Confidence`` on predictions; an image without buildings has
one row with an empty polygon. An image lies where its buildings do: an image without any
has no location. Confidences are ranks of any size: they are divided by the file's largest,
which keeps their order and brings them into [0, 1].

Source: Van Etten et al. 2018, SpaceNet: a remote sensing dataset and challenge series.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import shapely

from velour_integrations.formats.earth import centroid, cut_at_antimeridian
from velour_plugin import (
    Annotation,
    AnnotationTable,
    Dataset,
    Datum,
    GroundTruth,
    ImageMetadata,
    Label,
    Polygon,
    Prediction,
)
from velour_plugin.errors import BadDataset, UnreadableFile
from velour_plugin.plugin import DEFAULT_KEY, Path, read_records

BUILDING = Label(DEFAULT_KEY, "building")
TILE = ImageMetadata(height=650, width=650)
"""SpaceNet-2 tiles are 650 pixels square."""


class SpaceNetFormat:
    """SpaceNet-2 summaries: one CSV of truth, one for each model's proposals."""

    name = "spacenet"

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read a truth CSV."""
        records = read_records(metadata)
        images: dict[str, list[Mapping[str, str]]] = {}
        for row in _rows(path, ("ImageId", "PolygonWKT_Pix", "PolygonWKT_Geo")):
            images.setdefault(row["ImageId"], []).append(row)
        truths = []
        for uid, rows in images.items():
            extra, location = records.of(uid)
            properties = {**TILE.to_metadata(), "area_of_interest": uid.rpartition("_")[0], **extra}
            datum = Datum(uid, properties, location or _centre(rows, path))
            truths.append(GroundTruth(datum, [Annotation([BUILDING], polygon=polygon)
                                              for polygon in _polygons(rows, path)]))  # fmt: skip
        stem = os.path.splitext(os.path.basename(os.fspath(path)))[0]
        records.check_used(images)
        dataset = Dataset.from_groundtruths(truths, name or stem, labels=[BUILDING.name])
        reader = partial(read_proposals, known=dataset.uids)
        return replace(dataset, reader=reader)


def read_proposals(dataset: Dataset, path: Path, known: Collection[str] = ()) -> AnnotationTable:
    """Read a model's CSV for a dataset of this format.

    Args:
        dataset: the datums that the proposals are for.
        path: of the CSV.
        known: images that the file may be about though the dataset, a subset, lacks them.
    """
    rows = list(_rows(path, ("ImageId", "PolygonWKT_Pix", "Confidence")))
    confidence = np.array([_confidence(row, path) for row in rows])
    scores = confidence / max(confidence.max(initial=0.0), 1.0)
    annotations: dict[str, list[Annotation]] = {}
    left_out = set(known).difference(dataset.uids)
    for row, score in zip(rows, scores.tolist(), strict=True):
        if row["ImageId"] in left_out:
            continue
        label = Label(*BUILDING.name, score=score)
        annotations.setdefault(row["ImageId"], []).extend(
            Annotation([label], polygon=polygon) for polygon in _polygons([row], path)
        )
    predictions = [Prediction(Datum(uid), items) for uid, items in annotations.items()]
    predicted = dataset.with_predictions(predictions, "")
    assert predicted.predictions is not None
    return predicted.predictions


def _confidence(row: Mapping[str, str], path: Path) -> float:
    try:
        confidence = float(row["Confidence"])
    except (TypeError, ValueError):
        confidence = math.nan
    if not 0 <= confidence < math.inf:
        raise BadDataset(
            f"{os.fspath(path)!r}, image {row['ImageId']!r}: Confidence {row['Confidence']!r}: "
            "expected a finite number >= 0."
        )
    return confidence


def _rows(path: Path, columns: Iterable[str]) -> Iterable[Mapping[str, str]]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(columns) - set(reader.fieldnames or ())
            if missing:
                raise BadDataset(
                    f"{os.fspath(path)!r} lacks the columns {', '.join(sorted(missing))}: "
                    "expected a SpaceNet summary."
                )
            yield from reader
    except OSError as error:
        raise UnreadableFile(repr(os.fspath(path)), error) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadDataset(f"{os.fspath(path)!r} is no CSV in UTF-8: {error}.") from error


def _polygons(rows: Iterable[Mapping[str, str]], path: Path) -> Iterable[Polygon]:
    for row in rows:
        polygon = _from_wkt(row["PolygonWKT_Pix"], row, path)
        if not polygon.is_empty:
            yield Polygon(polygon)


def _centre(rows: Iterable[Mapping[str, str]], path: Path) -> shapely.Point | None:
    places = [shapely.force_2d(_from_wkt(row["PolygonWKT_Geo"], row, path)) for row in rows]
    return centroid([cut_at_antimeridian(place) for place in places if not place.is_empty])


def _from_wkt(text: str, row: Mapping[str, str], path: Path) -> shapely.Polygon:
    try:
        shape = shapely.from_wkt(text)
    except shapely.errors.GEOSException as error:
        raise BadDataset(f"{os.fspath(path)!r}, image {row['ImageId']!r}: {error}.") from error
    if not isinstance(shape, shapely.Polygon):
        raise BadDataset(
            f"{os.fspath(path)!r}, image {row['ImageId']!r}: {text and text[:40]!r} is no polygon."
        )
    return shape
