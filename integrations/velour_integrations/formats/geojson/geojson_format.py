"""GeoJSON: features with a class, on Earth or in pixels of an image.

A folder holds a collection for each image, named by its file; or one file holds all of them, and
each feature names its image. A feature without geometry says that the image was looked at, or, with
a class, what the whole image is. :mod:`velour_integrations.formats.geojson.geojson_properties` says
which properties are read; plain others are the annotation's metadata.

Coordinates are longitude and latitude, as RFC 7946 says, or in the file's ``crs``. They are laid
out in metres by an equal-area projection (EPSG:6933): areas are square metres, IoU is that on the
ground, and an image lies where its features do, by their centroid on the sphere. An image across
the antimeridian is one; an outline that crosses it is cut there, as RFC 7946 says it should
have been, and counted. ``"crs": null`` says that they are pixels, x to the right, y down.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import shapely

from velour_integrations.formats.earth import (
    centroid,
    crosses_antimeridian,
    cut_at_antimeridian,
    meridian_of,
    turns_from,
)
from velour_integrations.formats.geojson.geojson_content import (
    DEGREES,
    Feature,
    GeoJsonContent,
    read_content,
)
from velour_integrations.formats.geojson.geojson_properties import (
    UNCLASSED,
    check_unclassed,
    class_of,
    has_class,
    is_crowd,
    note_other_properties,
    others_of,
    score_of,
)
from velour_integrations.formats.row_builder import (
    RowBuilder,
    class_names,
    note_predictions,
    positions_of,
)
from velour_plugin import AnnotationTable, Dataset, Datum, MultiPolygon, Polygon
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import (
    AREA_UNIT,
    SQUARE_METRES,
    ImageNames,
    Path,
    Shape,
    natural_order,
    note_read,
    note_repaired,
    note_skipped,
    read_records,
)

_GROUND, _ROUND = "EPSG:6933", 2 * 17367530.445161372
"""The projection, and the length of the equator in it, in metres."""
_WITH_AREA = (-1, 3, 6)
"""Type numbers of what is taken: none, Polygon, MultiPolygon."""


class GeoJsonFormat:
    """A folder of feature collections, or one of many images."""

    name = "geojson"

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read ground truth from a folder with a file an image, or from one file of all."""
        content, records = read_content(FilePath(path)), read_records(metadata)
        uids = sorted(content.images, key=natural_order)
        places = {uid: index for index, uid in enumerate(uids)}
        shapes, centres, meridians = _laid_out(content, _geometries(content))
        datums = [
            Datum(uid, extra, centres.get(uid) if location is None else location)
            for uid, (extra, location) in zip(uids, records.of_images(uids), strict=True)
        ]
        rows = _rows(content, shapes, lambda feature: places[feature.image])
        called = name or FilePath(path).resolve().stem
        reader = partial(
            read_predictions, known=ImageNames(uids), crs=content.crs, meridians=meridians
        )
        table = rows.table()
        note_read("images", len(uids))
        note_read("annotations", len(table))
        unit = {AREA_UNIT: SQUARE_METRES} if content.crs else {}
        return Dataset.from_table(called, datums, table, unit, reader)


def read_predictions(
    dataset: Dataset,
    path: Path,
    known: ImageNames,
    crs: str | None,
    meridians: Mapping[str, float],
) -> AnnotationTable:
    """Read a model's predictions, in files like those of the ground truth; features have a score.

    Args:
        dataset: the datums that the predictions are for.
        path: of the folder or file.
        known: images that it may be about, also where the dataset, a subset, lacks them.
        crs: of the ground truth; ``None`` for pixels.
        meridians: about which its images are laid out.
    """
    content = read_content(FilePath(path), only=_only(known.uids))
    if (crs is None) != (content.crs is None):
        kinds = {True: "in pixels", False: "on Earth"}
        raise BadDataset(
            f"{os.fspath(path)!r} is {kinds[content.crs is None]}, the ground truth "
            f'{kinds[crs is None]}: "crs": null says pixels in both, and no crs longitude and '
            "latitude."
        )
    classes = class_names(dataset)
    where = repr(os.fspath(path))
    positions = positions_of([feature.image for feature in content.features], dataset, known, where)
    about = {name: meridians[dataset.uids[at]] for name, at in positions.items()
             if dataset.uids[at] in meridians}  # fmt: skip
    shapes, _, _ = _laid_out(content, _geometries(content), about)
    rows = _rows(
        content,
        shapes,
        lambda feature: positions.get(feature.image),
        scored=True,
        classed=bool(set(classes) - {UNCLASSED}),
    )
    table = rows.table(classes)
    note_predictions(dataset, table, where)
    return table


def _only(uids: Sequence[str]) -> str | None:
    return uids[0] if len(uids) == 1 else None


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
            'write "crs": null beside "features", or name its crs; cut at 180 what lies across the '
            "antimeridian (RFC 7946, 3.1.9)."
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


def _laid_out(
    content: GeoJsonContent,
    geometries: np.ndarray[Any, Any],
    meridians: Mapping[str, float] | None = None,
) -> tuple[np.ndarray[Any, Any], dict[str, Any], dict[str, float]]:
    """Shapes in metres, or in pixels as they are, and where their images lie.

    Args:
        content: the features.
        geometries: ``(features,)`` of them.
        meridians: of images about which it is known.

    Returns:
        ``(features,)`` shapes, y down; for each image on Earth its centre, and the longitude about
        which it is laid out, so that what lies across the antimeridian is one.
    """
    if not content.crs:
        return geometries, {}, {}
    degrees, ground = _uncrossed(geometries, content)
    together: dict[str, list[Any]] = {}
    for feature, shape in zip(content.features, degrees, strict=True):
        if shape is not None:
            together.setdefault(feature.image, []).append(shape)
    centres = {image: centroid(parts) for image, parts in together.items()}
    about = {image: meridian_of(parts, centres[image]) for image, parts in together.items()}
    about |= meridians or {}
    middle = np.array([about.get(feature.image, np.nan) for feature in content.features], float)
    points, row = shapely.get_coordinates(degrees, return_index=True)
    turns = np.nan_to_num(turns_from(points[:, 0] - middle[row]))
    for moved in np.unique(row[turns != 0]).tolist():
        ground[moved] = _turned(ground[moved], turns[row == moved])
    return shapely.transform(ground, lambda points: points * (1, -1)), centres, about


def _uncrossed(
    geometries: np.ndarray[Any, Any], content: GeoJsonContent
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Geometries in degrees and in metres, cut where they cross the antimeridian."""
    degrees, ground = (_projected(geometries, content, crs) for crs in (DEGREES, _GROUND))
    west, _, east, _ = shapely.bounds(degrees).T
    for at in np.flatnonzero(east - west > 180).tolist():
        if crosses_antimeridian(degrees[at]):
            note_repaired(
                "outlines across the antimeridian or round a pole, cut there",
                content.features[at].where,
            )
            degrees[at] = cut_at_antimeridian(degrees[at])
            part = replace(content, crs=DEGREES)
            ground[at] = _projected(degrees[at : at + 1], part, _GROUND)[0]
    return degrees, ground


def _turned(shape: Any, turns: np.ndarray[Any, Any]) -> Any:
    """A shape on the ground whose points are moved round the globe, its parts joined."""
    moved = shapely.transform(
        shape, lambda points: points - np.column_stack([turns * _ROUND, np.zeros(len(turns))])
    )
    return shapely.union_all(list(shapely.get_parts(moved)))


def _projected(
    geometries: np.ndarray[Any, Any], content: GeoJsonContent, target: str
) -> np.ndarray[Any, Any]:
    """Geometries in another system of coordinates, all at once."""
    import pyproj

    if content.crs == target:
        return geometries.copy()
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
    shapes: np.ndarray[Any, Any],
    index_of: Callable[[Feature], int | None],
    scored: bool = False,
    classed: bool = False,
) -> RowBuilder:
    """Annotations of all features; either all of them have a class, or none has.

    Args:
        content: the features.
        shapes: ``(features,)`` of them, in the dataset's coordinates.
        index_of: the position of a feature's datum; ``None`` to leave the feature out.
        scored: they are predictions.
        classed: every feature has to have a class, as the ground truth has classes.
    """
    properties = [(feature.properties, feature.where) for feature in content.features]
    classed = classed or any(has_class(each) for each, _ in properties)
    if classed:
        note_other_properties(properties)
    else:
        check_unclassed(properties)
    rows = RowBuilder()
    for feature, geometry in zip(content.features, shapes, strict=True):
        if geometry is None and not has_class(feature.properties):
            continue  # the image was looked at, and there is nothing
        if geometry is None and feature.geometry is not None:
            note_skipped("features whose geometry has no point", feature.where)
            continue
        at = index_of(feature)
        if at is not None:
            rows.add(
                at,
                class_of(feature.properties, feature.where) if classed else UNCLASSED,
                shape=_region(geometry),
                score=score_of(feature.properties, feature.where) if scored else None,
                crowd=is_crowd(feature.properties, feature.where),
                metadata=others_of(feature.properties),
            )
    return rows


def _region(geometry: Any) -> Shape | None:
    if geometry is None:
        return None
    return Polygon(geometry) if geometry.geom_type == "Polygon" else MultiPolygon(geometry)
