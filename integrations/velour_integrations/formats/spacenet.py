"""SpaceNet building footprints: polygons in pixels and on Earth, in CSV files.

A row is a building: ``ImageId, BuildingId, PolygonWKT_Pix`` with ``PolygonWKT_Geo``
on the ground truth and ``Confidence`` on predictions; an image without buildings has
one row with an empty polygon. An image lies where its buildings do: an image without any
has no location. Confidences are ranks of any size: they are divided by the file's largest,
which keeps their order and brings them into [0, 1].

Source: Van Etten et al. 2018, SpaceNet: a remote sensing dataset and challenge series.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import shapely

from velour_integrations.formats.earth import centroid, cut_at_antimeridian
from velour_integrations.formats.other_formats import way_out
from velour_integrations.formats.row_builder import note_predictions, positions_of
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
from velour_plugin.errors import BadDataset, BadGeometry
from velour_plugin.plugin import (
    DEFAULT_KEY,
    ImageNames,
    Path,
    note_read,
    parse_number,
    read_csv,
    read_records,
)

Row = Mapping[str, str]
_POLYGON = re.compile(r"\s*POLYGON\b", re.IGNORECASE)

BUILDING = Label(DEFAULT_KEY, "building")
TILE = ImageMetadata(height=650, width=650)
"""SpaceNet-2 tiles are 650 pixels square."""


class SpaceNetFormat:
    """SpaceNet-2 summaries: one CSV of truth, one for each model's proposals."""

    name = "spacenet"

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read a CSV of ground truth as a dataset."""
        records = read_records(metadata)
        images = _rows_by_image(_rows(path, ("ImageId", "PolygonWKT_Pix", "PolygonWKT_Geo")))
        uids = list(images)
        if not uids:
            raise BadDataset(f"{os.fspath(path)!r} has no row: expected one for each building.")
        truths = []
        for uid, (extra, location) in zip(uids, records.of_images(uids), strict=True):
            rows = images[uid]
            properties = {**TILE.to_metadata(), "area_of_interest": uid.rpartition("_")[0], **extra}
            datum = Datum(uid, properties, location or _centre(rows, path))
            truths.append(GroundTruth(datum, [Annotation([BUILDING], polygon=polygon)
                                              for polygon in _polygons(rows, path)]))  # fmt: skip
        stem = os.path.basename(os.fspath(path)).removesuffix(".gz")
        called = name or os.path.splitext(stem)[0]
        dataset = Dataset.from_groundtruths(truths, called, labels=[BUILDING.name])
        note_read("images", len(dataset))
        note_read("annotations", len(dataset.truth))
        return replace(dataset, reader=partial(read_proposals, known=ImageNames(dataset.uids)))


def read_proposals(dataset: Dataset, path: Path, known: ImageNames) -> AnnotationTable:
    """Read a model's CSV for a dataset of this format.

    Args:
        dataset: the datums that the proposals are for.
        path: of the CSV.
        known: images that the file may be about, also where the dataset, a subset, lacks them.
    """
    rows = _rows(path, ("ImageId", "PolygonWKT_Pix", "Confidence"))
    confidence = np.array([_confidence(row, path) for row in rows])
    scores = confidence / max(confidence.max(initial=0.0), 1.0)
    where = repr(os.fspath(path))
    positions = positions_of([row["ImageId"] for row in rows], dataset, known, where)
    annotations: dict[str, list[Annotation]] = {}
    for row, score in zip(rows, scores.tolist(), strict=True):
        position = positions.get(row["ImageId"])
        if position is not None:
            label = Label(*BUILDING.name, score=score)
            annotations.setdefault(dataset.uids[position], []).extend(
                Annotation([label], polygon=polygon) for polygon in _polygons([row], path)
            )
    predictions = [Prediction(Datum(uid), items) for uid, items in annotations.items()]
    predicted = dataset.with_predictions(predictions, "")
    assert predicted.predictions is not None
    note_predictions(dataset, predicted.predictions, where)
    return predicted.predictions


def _rows_by_image(rows: Iterable[Row]) -> dict[str, list[Row]]:
    images: dict[str, list[Row]] = {}
    for row in rows:
        images.setdefault(row["ImageId"], []).append(row)
    return images


def _confidence(row: Row, path: Path) -> float:
    confidence = parse_number(row["Confidence"])
    if confidence is None or not 0 <= confidence < math.inf:
        raise BadDataset(
            f"{_at(row, path)}: Confidence {row['Confidence']!r}: expected a finite number >= 0."
        )
    return confidence


def _rows(path: Path, columns: Sequence[str]) -> Sequence[Row]:
    """Rows of a CSV that has some columns."""
    name = repr(os.fspath(path))
    present, rows = read_csv(path, name, columns)
    missing = set(columns).difference(present)
    if missing:
        hint = way_out(",".join(present).encode(), "spacenet")
        raise BadDataset(
            f"{name} lacks the columns {', '.join(sorted(missing))}: expected a SpaceNet summary; "
            f"its header is {', '.join(present[:8])[:200]}.{hint}"
        )
    return rows


def _polygons(rows: Iterable[Row], path: Path) -> Iterable[Polygon]:
    for row in rows:
        polygon = _from_wkt(row["PolygonWKT_Pix"], row, path)
        if not polygon.is_empty:
            try:
                yield Polygon(polygon)
            except BadGeometry as error:
                raise BadDataset(f"{_at(row, path)}: {error}") from error


def _centre(rows: Iterable[Row], path: Path) -> shapely.Point | None:
    places = [shapely.force_2d(_from_wkt(row["PolygonWKT_Geo"], row, path)) for row in rows]
    return centroid([cut_at_antimeridian(place) for place in places if not place.is_empty])


def _from_wkt(text: str, row: Row, path: Path) -> shapely.Polygon:
    try:  # GEOS reads collections inside collections until the stack overflows
        shape = shapely.from_wkt(text) if _POLYGON.match(text) else None
    except shapely.errors.GEOSException as error:
        raise BadDataset(f"{_at(row, path)}: {error}.") from error
    if not isinstance(shape, shapely.Polygon):
        raise BadDataset(
            f"{_at(row, path)}: {text[:40]!r} is no polygon; an image "
            "without buildings has POLYGON EMPTY."
        )
    return shape


def _at(row: Row, path: Path) -> str:
    return f"{os.fspath(path)!r}, image {row['ImageId']!r}"
