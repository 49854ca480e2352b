"""Pascal VOC: an XML file an image; a model's boxes in such files too, or in the devkit's lists.

Pixels are counted from 1 and a box includes its last ones, as in the devkit: ``xmin`` 1 and
``xmax`` 3 are three pixels, ``[0, 3)`` here. That holds for both sides, so IoU and area are VOC's.

``difficult`` objects count neither as found nor as missed in VOC. Here they are crowds, which
COCO's protocol leaves out likewise (only, what overlaps a crowd is measured by its own area), and
their metadata says ``difficult: true``, beside ``truncated``, ``occluded`` and ``pose``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path as FilePath
from typing import Any
from xml.etree import ElementTree

import numpy as np

from velour_integrations.formats.row_builder import (
    Box,
    RowBuilder,
    by_name,
    checked_score,
    class_names,
    place_of,
    read_bytes,
    read_lines,
)
from velour_plugin import AnnotationTable, Dataset, Datum
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.plugin import Path, Records, natural_order, read_records

_FLAGS = ("difficult", "truncated", "occluded")
_DEVKIT = re.compile(r"comp\d+_det_[^_]+_(?P<label>.+)")


class VocFormat:
    """A folder of annotations, or a list of an image set."""

    name = "voc"

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read a folder of XML files, one with a folder Annotations, or a list in ImageSets."""
        files = _files(FilePath(path))
        records = read_records(metadata)
        uids = sorted(files, key=natural_order)
        rows, datums, names = RowBuilder(), [], set()
        for at, uid in enumerate(uids):
            root = _parsed(files[uid])
            datums.append(_datum(uid, root, files[uid], records))
            names.add(datums[-1].metadata.get("file_name", uid))
            _add_truths(rows, at, root, files[uid])
        records.check_used(uids, names)
        table, called = rows.table(), name or FilePath(path).resolve().stem
        reader = partial(read_predictions, known=frozenset(uids))
        return Dataset.from_table(called, datums, table, reader=reader)


def read_predictions(dataset: Dataset, path: Path, known: Collection[str]) -> AnnotationTable:
    """Read a model's folder: XML files whose objects have a ``confidence``, or the devkit's lists.

    Lists are called ``comp4_det_test_dog.txt`` or ``dog.txt`` and hold a box a line: image,
    confidence, xmin, ymin, xmax, ymax.

    Args:
        dataset: the datums that the predictions are for.
        path: of the folder, or of one with a folder Annotations.
        known: images that the folder may be about though the dataset, a subset, lacks them.
    """
    folder = FilePath(path)
    if not folder.is_dir():
        raise InvalidInput(f"{os.fspath(path)!r}: expected a folder of XML files or lists: VOC.")
    rows = RowBuilder()
    files = by_name(_annotations(folder), {".xml"})
    for uid, file in files.items():
        at = place_of(uid, dataset, known, repr(os.fspath(file)))
        if at is not None:
            for item, where in _objects(_parsed(file), file):
                confidence = item.findtext("confidence", item.findtext("score"))
                rows.add(at, _label(item, where), _box(item, where),
                         score=checked_score(confidence, where))  # fmt: skip
    for uid, label, box, score, where in () if files else _listed(folder):
        at = place_of(uid, dataset, known, where)
        if at is not None:
            rows.add(at, label, box, score=score)
    return rows.table(class_names(dataset))


def _annotations(folder: FilePath) -> FilePath:
    inner = folder / "Annotations"
    return inner if inner.is_dir() else folder


def _files(path: FilePath) -> dict[str, FilePath]:
    """Annotation files by the uid of their image."""
    if path.is_dir():
        files = by_name(_annotations(path), {".xml"})
        if not files:
            raise BadDataset(f"{os.fspath(path)!r} holds no XML file: expected VOC's Annotations.")
        return files
    if path.suffix.lower() == ".xml":
        return {path.stem: path}
    root = next((up for up in path.resolve().parents if (up / "Annotations").is_dir()), None)
    files = {}
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            uid = line.split()[0]
            if root is None or not (root / "Annotations" / f"{uid}.xml").is_file():
                raise BadDataset(
                    f"{_line(path, number)}: no folder above it has Annotations/{uid}.xml: "
                    "expected a list in VOC's ImageSets/Main."
                )
            files[uid] = root / "Annotations" / f"{uid}.xml"
    return files


def _parsed(path: FilePath) -> ElementTree.Element:
    try:
        root = ElementTree.fromstring(read_bytes(path))
    except ElementTree.ParseError as error:
        raise BadDataset(f"{os.fspath(path)!r} is no XML: {error}.") from error
    if root.tag != "annotation":
        raise BadDataset(f"{os.fspath(path)!r} holds <{root.tag}>, expected <annotation>: VOC.")
    return root


def _datum(uid: str, root: ElementTree.Element, path: FilePath, records: Records) -> Datum:
    properties: dict[str, Any] = {}
    file_name = (root.findtext("filename") or "").strip()
    if file_name:
        properties["file_name"] = file_name
    for side in ("height", "width"):
        size = _number(root.findtext(f"size/{side}", "0"), f"{os.fspath(path)!r}, {side}")
        if size > 0:  # some tools write 0 where they do not know
            properties[side] = int(size)
    extra, location = records.of(uid, file_name or uid)
    return Datum(uid, {**properties, **extra}, location)


def _add_truths(rows: RowBuilder, at: int, root: ElementTree.Element, path: FilePath) -> None:
    for item, where in _objects(root, path):
        properties: dict[str, Any] = {flag: True for flag in _FLAGS if _flag(item, flag, where)}
        pose = (item.findtext("pose") or "").strip()
        if pose and pose != "Unspecified":
            properties["pose"] = pose
        crowd = "difficult" in properties
        rows.add(at, _label(item, where), _box(item, where), crowd=crowd, metadata=properties)


def _objects(
    root: ElementTree.Element, path: FilePath
) -> Iterator[tuple[ElementTree.Element, str]]:
    for number, item in enumerate(root.findall("object"), 1):
        yield item, f"{os.fspath(path)!r}, object number {number}"


def _label(item: ElementTree.Element, where: str) -> str:
    label = (item.findtext("name") or "").strip()
    if not label:
        raise BadDataset(f"{where}: has no name, the object's class.")
    return label


def _flag(item: ElementTree.Element, flag: str, where: str) -> bool:
    text = (item.findtext(flag) or "0").strip()
    if text not in ("0", "1"):
        raise BadDataset(f"{where}: {flag} {text!r}: expected 0 or 1.")
    return text == "1"


def _box(item: ElementTree.Element, where: str) -> Box:
    box = item.find("bndbox")
    if box is None:
        raise BadDataset(f"{where}: has no bndbox.")
    return _half_open([box.findtext(side) for side in ("xmin", "ymin", "xmax", "ymax")], where)


def _half_open(corners: Iterable[str | None], where: str) -> Box:
    """From pixels counted from 1, the last included, to x, y, width, height."""
    names = ("xmin", "ymin", "xmax", "ymax")
    left, top, right, bottom = (
        _number(corner, f"{where}: {name}") for name, corner in zip(names, corners, strict=True)
    )
    if right < left or bottom < top:
        raise BadDataset(
            f"{where}: the box {left:g}, {top:g}, {right:g}, {bottom:g} is turned over: expected "
            "xmin <= xmax and ymin <= ymax."
        )
    return (left - 1, top - 1, right - left + 1, bottom - top + 1)


def _listed(folder: FilePath) -> Iterator[tuple[str, str, Box, float, str]]:
    """The devkit's results, a file a class: image, class, box, confidence, and where it stands."""
    for stem, path in by_name(folder, {".txt"}).items():
        devkit = _DEVKIT.fullmatch(stem)
        label = devkit["label"] if devkit else stem
        for number, line in enumerate(read_lines(path), 1):
            where, words = _line(path, number), line.split()
            if words:
                if len(words) != 6:
                    raise BadDataset(
                        f"{where}: {len(words)} words: expected image, confidence, xmin, ymin, "
                        "xmax, ymax."
                    )
                uid, score, *corners = words
                yield uid, label, _half_open(corners, where), checked_score(score, where), where


def _number(text: str | None, where: str) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise BadDataset(f"{where} {text!r}: expected a number of pixels.")
    return number


def _line(path: FilePath, number: int) -> str:
    return f"{os.fspath(path)!r}, line {number}"
