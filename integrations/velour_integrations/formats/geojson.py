"""GeoJSON: features with a class, on Earth or in pixels of an image.

A folder holds a collection for each image, named by its file; or one file holds all of them, and
each feature names its image. A feature without geometry says that the image was looked at, or, with
a class, what the whole image is. Which properties are read: :data:`IMAGE`, :data:`LABEL`,
:data:`SCORE` and ``iscrowd``; plain others are the annotation's metadata.

Coordinates are longitude and latitude, as RFC 7946 says, or in the file's ``crs``. They are laid
out in metres by an equal-area projection (EPSG:6933): areas are square metres, IoU is that on the
ground, and an image lies where its features do. ``"crs": null`` says that they are pixels,
x to the right, y down.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import shapely

from velour_integrations.formats.geojson_content import (
    DEGREES,
    IMAGE,
    Feature,
    GeoJsonContent,
    first_of,
    read_content,
)
from velour_integrations.formats.row_builder import (
    RowBuilder,
    class_names,
    place_of,
)
from velour_plugin import AnnotationTable, Dataset, Datum, MultiPolygon, Polygon
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import Path, Shape, natural_order, parse_score, read_records

LABEL = ("label", "class", "category", "classification", "type_id")
SCORE = ("score", "confidence", "probability")
UNCLASSED = "object"
"""The class of features when no feature of a dataset has one."""

_GROUND = "EPSG:6933"
_WITH_AREA = (-1, 3, 6)
"""Type numbers of what is taken: none, Polygon, MultiPolygon."""


class GeoJsonFormat:
    """A folder of feature collections, or one of many images."""

    name = "geojson"

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read a folder or a file."""
        content, records = read_content(FilePath(path)), read_records(metadata)
        uids = sorted(content.images, key=natural_order)
        places = {uid: index for index, uid in enumerate(uids)}
        geometries = _geometries(content)
        centres = _centres(content, geometries) if content.crs else {}
        datums = []
        for uid in uids:
            extra, location = records.of(uid, FilePath(uid).stem)
            datums.append(Datum(uid, extra, centres.get(uid) if location is None else location))
        records.check_used(uids, [FilePath(uid).stem for uid in uids])
        rows = _rows(content, geometries, lambda feature: places[feature.image])
        called = name or FilePath(path).resolve().stem
        reader = partial(read_predictions, known=frozenset(uids), crs=content.crs)
        return Dataset.from_table(called, datums, rows.table(), reader=reader)


def read_predictions(
    dataset: Dataset, path: Path, known: Collection[str], crs: str | None
) -> AnnotationTable:
    """Read a model's predictions, in files like those of the ground truth; features have a score.

    Args:
        dataset: the datums that the predictions are for.
        path: of the folder or file.
        known: images that it may be about though the dataset, a subset, lacks them.
        crs: of the ground truth; ``None`` for pixels.
    """
    content = read_content(FilePath(path), only=_only(known))
    if (crs is None) != (content.crs is None):
        kinds = {True: "in pixels", False: "on Earth"}
        raise BadDataset(
            f"{os.fspath(path)!r} is {kinds[content.crs is None]}, the ground truth "
            f'{kinds[crs is None]}: "crs": null says pixels in both, and no crs longitude and '
            "latitude."
        )
    classes = class_names(dataset)
    rows = _rows(
        content,
        _geometries(content),
        lambda feature: place_of(feature.image, dataset, known, feature.where),
        scored=True,
        classed=bool(set(classes) - {UNCLASSED}),
    )
    return rows.table(classes)


def _only(known: Collection[str]) -> str | None:
    return next(iter(known)) if len(known) == 1 else None


def _geometries(content: GeoJsonContent) -> np.ndarray[Any, Any]:
    """``(features,)`` shapely polygons in the file's coordinates; ``None`` where there is none."""
    shapes: np.ndarray[Any, Any] = shapely.force_2d(_parsed(content))
    shapes[shapely.is_empty(shapes)] = None
    kinds = shapely.get_type_id(shapes)
    bounds = shapely.bounds(shapes)
    west, south, east, north = bounds.T
    for at in np.flatnonzero(~np.isin(kinds, _WITH_AREA)).tolist():
        raise BadDataset(
            f"{content.features[at].where}: a {shapes[at].geom_type} has no area: expected a "
            "Polygon or a MultiPolygon."
        )
    outside = (west < -180) | (east > 180) | (south < -90) | (north > 90)
    for at in np.flatnonzero(outside).tolist() if content.crs == DEGREES else ():
        corners = "({:g}, {:g}) to ({:g}, {:g})".format(*bounds[at])
        raise BadDataset(
            f"{content.features[at].where}: {corners} are no longitudes and latitudes: for pixels "
            'write "crs": null beside "features", or name its crs.'
        )
    return shapes


def _parsed(content: GeoJsonContent) -> np.ndarray[Any, Any]:
    """All geometries at once; one by one only to say which of them is none."""
    texts = np.array([json.dumps(feature.geometry) for feature in content.features], object)
    texts[texts == "null"] = None
    try:
        return np.asarray(shapely.from_geojson(texts), dtype=object)
    except shapely.errors.ShapelyError:
        for text, feature in zip(texts, content.features, strict=True):
            try:
                shapely.from_geojson(text)
            except shapely.errors.ShapelyError as error:
                raise BadDataset(
                    f"{feature.where}: its geometry is no GeoJSON: {error}."
                ) from error
        raise


def _centres(content: GeoJsonContent, geometries: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Where each image lies, by longitude and latitude."""
    degrees = _projected(geometries, content, DEGREES)
    together: dict[str, list[Any]] = {}
    for feature, geometry in zip(content.features, degrees, strict=True):
        if geometry is not None:
            together.setdefault(feature.image, []).append(geometry)
    return {image: shapely.GeometryCollection(parts).centroid for image, parts in together.items()}


def _projected(
    geometries: np.ndarray[Any, Any], content: GeoJsonContent, target: str
) -> np.ndarray[Any, Any]:
    """Geometries in another system of coordinates, all at once."""
    import pyproj

    if content.crs == target:
        return geometries
    try:
        change = pyproj.Transformer.from_crs(content.crs, target, always_xy=True)
        moved = shapely.transform(geometries, lambda points: _pairs(change, points))
    except pyproj.exceptions.ProjError as error:
        raise BadDataset(f"crs {content.crs!r}: {error}.") from error
    return np.asarray(moved, dtype=object)


def _pairs(change: Any, points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.column_stack(change.transform(points[:, 0], points[:, 1], errcheck=True))


def _rows(
    content: GeoJsonContent,
    geometries: np.ndarray[Any, Any],
    index_of: Callable[[Feature], int | None],
    scored: bool = False,
    classed: bool = False,
) -> RowBuilder:
    """Annotations of all features; either all of them have a class, or none has.

    Args:
        content: the features.
        geometries: ``(features,)`` of them.
        index_of: the position of a feature's datum; ``None`` to leave the feature out.
        scored: they are predictions.
        classed: every feature has to have a class, as the ground truth has classes.
    """
    if content.crs:
        ground = _projected(geometries, content, _GROUND)
        geometries = shapely.transform(ground, lambda points: points * (1, -1))  # y goes down
    classed = classed or any(
        first_of(feature.properties, LABEL) is not None for feature in content.features
    )
    rows = RowBuilder()
    for feature, geometry in zip(content.features, geometries, strict=True):
        label = first_of(feature.properties, LABEL)
        if geometry is None and label is None:
            continue  # the image was looked at, and there is nothing
        at = index_of(feature)
        if at is None:
            continue
        score = first_of(feature.properties, SCORE)
        rows.add(
            at,
            _class(label, feature) if classed else UNCLASSED,
            shape=_region(geometry),
            score=parse_score(score, feature.where, "confidence") if scored else None,
            crowd=bool(feature.properties.get("iscrowd")),
            metadata=_others(feature.properties),
        )
    return rows


def _class(label: Any, feature: Feature) -> str:
    name = label.get("name") if isinstance(label, Mapping) else label
    if isinstance(name, (bool, float, list, Mapping)) or name is None or str(name) == "":
        raise BadDataset(
            f"{feature.where}: has no class ({label!r}); expected a text or a whole number in one "
            f"of the properties {', '.join(LABEL)}."
        )
    return str(name)


def _region(geometry: Any) -> Shape | None:
    if geometry is None:
        return None
    return Polygon(geometry) if geometry.geom_type == "Polygon" else MultiPolygon(geometry)


def _others(properties: Mapping[str, Any]) -> dict[str, Any]:
    used = {*IMAGE, *LABEL, *SCORE, "iscrowd"}
    return {
        key: value
        for key, value in properties.items()
        if key and key not in used and not key.startswith("$")
        and isinstance(value, (str, bool, int, float)) and value == value
    }  # fmt: skip
