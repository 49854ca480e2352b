"""COCO: instances in one JSON file, a model's results in another.

Refused, naming the entry: ids that occur twice or lead nowhere, boxes that are
negative or not finite, scores outside [0, 1], masks that do not fill their size.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from velour_integrations.formats.coco_columns import (
    read_detections,
    read_instances,
    table_of,
)
from velour_plugin import AnnotationTable, Dataset, MultiPolygon, Polygon, Raster
from velour_plugin.errors import BadDataset, InvalidInput, UnreadableFile
from velour_plugin.plugin import (
    DEFAULT_KEY,
    DatumColumns,
    LabelName,
    Path,
    Records,
    Shape,
    natural_argsort,
    read_records,
)

Json = Mapping[str, Any]


_METADATA = ("file_name", "height", "width")
"""Keys of an image that become metadata of its datum."""


class CocoFormat:
    """COCO instances and results."""

    name = "coco"

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read an instances file as a dataset; its ``with_predictions`` reads results files."""
        text = _text(path)
        columns = read_instances(text)
        content = columns[0] if columns else _instances(text, path)
        records = read_records(metadata)
        images = _unique(content, "images", "image", path)
        categories = _unique(content, "categories", "category", path)
        uids = list(map(str, images))
        numbered = {number: index for index, number in enumerate(images)}
        labels = _labels(categories, path)
        classes = {number: index for index, number in enumerate(categories)}
        reader = _Results(uids, numbered, classes)
        table = table_of(columns[1], text, numbered, classes, labels) if columns else None
        if table is None:
            content = _instances(text, path)
            annotations = list(_unique(content, "annotations", "annotation", path).values())
            table = _table(annotations, numbered, classes, labels, path)
        datums = _datums(uids, list(images.values()), records)
        stem = os.path.splitext(os.path.basename(os.fspath(path)))[0]
        return Dataset.from_table(name or stem, datums, table, reader=reader)


class _Results:
    """Reads results files for one instances file, by its ids."""

    def __init__(
        self, uids: Sequence[str], images: Mapping[Any, int], categories: Mapping[Any, int]
    ) -> None:
        self.uids = uids
        self.images = images
        self.categories = categories

    def __call__(self, dataset: Dataset, path: Path) -> AnnotationTable:
        """Read a list of results; a detection's area is its box's where it has one, as in COCO.

        Results for images that are no longer in the dataset, as it is a subset, are left out.
        """
        text = _text(path)
        labels = dataset.truth.labels
        records = read_detections(text)
        table = None
        if records is not None:
            if not records.region.any():
                text = b""  # regions alone are looked at again
            table = table_of(records, text, self.images, self.categories, labels)
        if table is None:
            table = self._table(_text(path), labels, path)
        known = np.array([uid in dataset.index_of for uid in self.uids])
        return table if known.all() else table.on_datums(known)

    def _table(self, text: bytes, labels: Sequence[LabelName], path: Path) -> AnnotationTable:
        results = _parsed(text, path, list, "a list of results")
        for position, result in enumerate(results):
            if not isinstance(result, Mapping) or "score" not in result:
                raise BadDataset(
                    f"{_at(path, 'result', position)}: expected an object with a score."
                )
        return _table(results, self.images, self.categories, labels, path, results=True)


def _text(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UnreadableFile(repr(os.fspath(path)), error) from error


def _instances(text: bytes, path: Path) -> Any:
    return _parsed(text, path, dict, "an object with images, annotations and categories")


def _parsed(text: bytes, path: Path, kind: type, expected: str) -> Any:
    try:
        with _uncollected():
            content = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadDataset(f"{os.fspath(path)!r} is no JSON: {error}.") from error
    if not isinstance(content, kind):
        raise BadDataset(
            f"{os.fspath(path)!r} holds a {type(content).__name__}, expected {expected}: COCO."
        )
    return content


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, which would walk a million new objects again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _unique(content: Json, part: str, what: str, path: Path) -> dict[Any, Json]:
    """Entries of one part by their ids, in the order of the ids; annotations as they come."""
    entries = content.get(part)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadDataset(f"{os.fspath(path)!r} has no list {part!r} of objects, as COCO has.")
    numbers = [entry.get("id") for entry in entries]
    if set(map(type, numbers)) <= {int} and len(set(numbers)) == len(numbers):
        by_id = dict(zip(numbers, entries, strict=True))
    else:
        by_id = _one_by_one(entries, what, path)
    if what == "annotation":
        return by_id
    names = list(by_id)
    order = natural_argsort(list(map(str, names)))
    return {names[index]: by_id[names[index]] for index in order}


def _one_by_one(entries: Sequence[Json], what: str, path: Path) -> dict[Any, Json]:
    by_id: dict[Any, Json] = {}
    seen: set[str] = set()
    for position, entry in enumerate(entries):
        number = entry.get("id")
        if number is None and what == "annotation":  # nothing refers to it
            by_id[None, position] = entry
            continue
        if isinstance(number, bool) or not isinstance(number, (int, str)):
            raise BadDataset(
                f"{_at(path, what, position)}: id {number!r}: expected a whole number or text."
            )
        if str(number) in seen:
            raise BadDataset(f"{_at(path, what, position)}: id {number!r} occurs twice.")
        seen.add(str(number))
        by_id[number] = entry
    return by_id


def _labels(categories: Mapping[Any, Json], path: Path) -> list[LabelName]:
    labels = [(DEFAULT_KEY, str(entry.get("name", number))) for number, entry in categories.items()]
    for label in labels if len(set(labels)) < len(labels) else ():
        if labels.count(label) > 1:
            raise BadDataset(
                f"{os.fspath(path)!r}: two categories are called {label[1]!r}; give each a name "
                "of its own."
            )
    return labels


def _datums(uids: Sequence[str], images: Sequence[Json], records: Records) -> DatumColumns:
    metadata_of_image = [{key: image[key] for key in _METADATA if key in image} for image in images]
    if not records.records:
        return DatumColumns.of_uids(uids, metadata_of_image)
    names = [str(image.get("file_name", uid)) for uid, image in zip(uids, images, strict=True)]
    extra = list(map(records.of, uids, names))
    datums = DatumColumns.of_uids(
        uids,
        [{**known, **more} for known, (more, _) in zip(metadata_of_image, extra, strict=True)],
        [location for _, location in extra],
    )
    records.check_used(uids, names)
    return datums


def _table(
    entries: Sequence[Json],
    images: Mapping[Any, int],
    categories: Mapping[Any, int],
    labels: Sequence[LabelName],
    path: Path,
    results: bool = False,
) -> AnnotationTable:
    what = "result" if results else "annotation"
    datum = _places(entries, "image_id", images, path, what)
    label = _places(entries, "category_id", categories, path, what)
    box = _boxes(entries, path, what)
    shapes = [_shape(entry, path, what, at) for at, entry in enumerate(entries)]
    for at in np.flatnonzero(np.isnan(box[:, 0])):
        if shapes[at] is None:
            raise BadDataset(f"{_at(path, what, int(at))}: has neither bbox nor segmentation.")
    areas = box[:, 2] * box[:, 3] if results else _numbers(entries, "area", path, what)
    return AnnotationTable.from_columns(
        labels,
        datum,
        label,
        box=box,
        area=areas,
        score=_scores(entries, path) if results else None,
        crowd=np.array([bool(entry.get("iscrowd", 0)) for entry in entries], bool),
        shape=shapes,
    )


def _places(
    entries: Iterable[Json], key: str, known: Mapping[Any, int], path: Path, what: str
) -> np.ndarray[Any, Any]:
    places = np.empty(0, np.int32)
    try:
        places = np.array([known[entry[key]] for entry in entries], np.int32)
    except (KeyError, TypeError):
        for at, entry in enumerate(entries):
            number = entry.get(key)
            if number is None or not isinstance(number, (int, str)) or number not in known:
                listed = ", ".join(map(str, list(known)[:5]))
                raise BadDataset(
                    f"{_at(path, what, at)}: {key} {number!r} is none of the {len(known)} in the "
                    f"instances file ({listed}, …)."
                ) from None
    return places


def _boxes(
    entries: Sequence[Json], path: Path, what: str
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Boxes of all entries; one by one only where something is missing or wrong."""
    try:
        boxes = np.array([entry["bbox"] for entry in entries], np.float64).reshape(-1, 4)
    except (KeyError, TypeError, ValueError):
        boxes = np.full((len(entries), 4), np.inf)
    if len(boxes) != len(entries) or not (np.isfinite(boxes).all() and (boxes[:, 2:] >= 0).all()):
        each = [_box(entry, path, what, at) for at, entry in enumerate(entries)]
        boxes = np.array(each).reshape(-1, 4)
    return boxes


def _box(entry: Json, path: Path, what: str, at: int) -> Sequence[float]:
    box = entry.get("bbox") or [np.nan] * 4
    try:
        x, y, width, height = (float(number) for number in box)
    except (TypeError, ValueError):
        x = y = width = height = np.inf
    if (
        "bbox" in entry
        and entry["bbox"]
        and not (np.isfinite((x, y, width, height)).all() and width >= 0 and height >= 0)
    ):
        raise BadDataset(
            f"{_at(path, what, at)}: bbox {box!r}: expected finite [x, y, width, height], sizes "
            ">= 0, in pixels."
        )
    return (x, y, width, height)


def _scores(entries: Sequence[Json], path: Path) -> np.ndarray[Any, Any]:
    scores = _numbers(entries, "score", path, "result")
    wrong = np.flatnonzero(~((scores >= 0) & (scores <= 1)))
    if wrong.size:
        at = int(wrong[0])
        raise BadDataset(
            f"{_at(path, 'result', at)}: score {entries[at]['score']!r}: a score is a number in "
            "[0, 1]; pass logits through a sigmoid or softmax first."
        )
    return scores


def _numbers(entries: Sequence[Json], key: str, path: Path, what: str) -> np.ndarray[Any, Any]:
    numbers = np.empty(len(entries))
    for at, entry in enumerate(entries):
        try:
            numbers[at] = float(entry.get(key, np.nan))
        except (TypeError, ValueError):
            numbers[at] = -1.0
        if key == "area" and key in entry and not 0 <= numbers[at] < np.inf:
            raise BadDataset(f"{_at(path, what, at)}: {key} {entry[key]!r}: expected pixels >= 0.")
    return numbers


def _shape(entry: Json, path: Path, what: str, at: int) -> Shape | None:
    segmentation = entry.get("segmentation")
    if not segmentation:
        return None
    try:
        if isinstance(segmentation, Mapping):
            return Raster(segmentation)
        rings = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in segmentation]
        return Polygon([rings[0]]) if len(rings) == 1 else MultiPolygon([[ring] for ring in rings])
    except (InvalidInput, ValueError, TypeError) as error:
        raise BadDataset(f"{_at(path, what, at)}: segmentation: {error}") from error


def _at(path: Path, what: str, position: int) -> str:
    return f"{os.fspath(path)!r}, {what} number {position + 1}"
