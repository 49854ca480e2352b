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
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from velour_integrations.formats.row_builder import (
    Box,
    RowBuilder,
    by_name,
    class_names,
    note_predictions,
    positions_of,
    read_lines,
)
from velour_integrations.formats.voc.xml_files import parse_xml
from velour_plugin import AnnotationTable, Dataset, Datum
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.plugin import (
    ImageNames,
    Path,
    natural_order,
    note_read,
    note_repaired,
    note_skipped,
    parse_flag,
    parse_number,
    parse_score,
    read_records,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_FLAGS = ("difficult", "truncated", "occluded")
_UNKNOWN = "unspecified"
_MOST = 1e9
"""Pixels; no image is as wide, and above 2**53 sums are no longer exact."""
_OTHER_REGIONS = ("robndbox", "polygon", "segm", "mask")
_DEVKIT = re.compile(r"comp\d+_([^_]+_)?det_(?P<rest>.+)")
"""``comp4_det_test_dog``; some write a word that tells runs apart before ``det``."""


class VocFormat:
    """A folder of annotations, or a list of an image set."""

    name = "voc"

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read a folder of XML files, one with a folder Annotations, or a list in ImageSets."""
        files = _files(FilePath(path))
        uids = sorted(files, key=natural_order)
        rows, properties = RowBuilder(), []
        for at, uid in enumerate(uids):
            root = _parsed(files[uid])
            properties.append(_properties(root, files[uid]))
            _add_truths(rows, at, root, files[uid])
        file_names = [known.get("file_name") for known in properties]
        described = read_records(metadata).of_images(uids, file_names)
        datums = [
            Datum(uid, {**known, **extra}, location)
            for uid, known, (extra, location) in zip(uids, properties, described, strict=True)
        ]
        table, called = rows.table(), name or FilePath(path).resolve().stem
        note_read("images", len(datums))
        note_read("annotations", len(table))
        reader = partial(read_predictions, known=ImageNames(uids, file_names))
        return Dataset.from_table(called, datums, table, reader=reader)


def read_predictions(dataset: Dataset, path: Path, known: ImageNames) -> AnnotationTable:
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
    rows, where = RowBuilder(), repr(os.fspath(path))
    files = by_name(_annotations(folder), {".xml"})
    lists = by_name(folder, {".txt"})
    if not files and not lists:
        raise BadDataset(
            f"{where} holds neither XML files nor lists (.txt), a file a class with "
            "image, confidence, xmin, ymin, xmax, ymax a line: expected VOC's predictions."
        )
    if files:
        if lists:
            first = repr(os.fspath(next(iter(lists.values()))))
            note_skipped("text files beside XML files, no predictions", first, len(lists))
        for uid, at in positions_of(files, dataset, known, where).items():
            _add_predictions(rows, at, files[uid])
    else:
        listed = list(_listed(lists, class_names(dataset)))
        positions = positions_of([uid for uid, *_ in listed], dataset, known, where)
        for uid, label, box, score in listed:
            if uid in positions:
                rows.add(positions[uid], label, box=box, score=score)
    table = rows.table(class_names(dataset))
    note_predictions(dataset, table, where)
    return table


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
    return _listed_files(path)


def _listed_files(path: FilePath) -> dict[str, FilePath]:
    """Files of the images in a list, of those in the folder Annotations beside ImageSets."""
    root = next((up for up in path.resolve().parents if (up / "Annotations").is_dir()), None)
    known = {} if root is None else by_name(root / "Annotations", {".xml"})
    lines = [(number, line.split()) for number, line in enumerate(read_lines(path), 1)]
    named = [(number, words[0]) for number, words in lines if words]
    uids = list(known)
    found = ImageNames(uids).find([name for _, name in named], repr(os.fspath(path)))
    files: dict[str, FilePath] = {}
    for number, name in named:
        if name not in found:
            raise BadDataset(
                f"{_line(path, number)}: no folder above it has Annotations/{name[:60]}.xml: "
                "expected a list in VOC's ImageSets/Main."
            )
        uid = uids[found[name]]
        if uid in files:
            note_repaired("images that a list names twice, read once", _line(path, number))
        files[uid] = known[uid]
    return files


def _parsed(path: FilePath) -> Element:
    root = parse_xml(path)
    if root.tag != "annotation":
        raise BadDataset(
            f"{os.fspath(path)!r} holds <{root.tag[:60]}>, expected <annotation>: VOC."
        )
    return root


def _properties(root: Element, path: FilePath) -> dict[str, Any]:
    """The file name and size of an image, as far as they are known."""
    properties: dict[str, Any] = {}
    file_name = (root.findtext("filename") or "").strip()
    if file_name:
        properties["file_name"] = file_name
    for side in ("height", "width"):
        size = _number(root.findtext(f"size/{side}", "0"), f"{os.fspath(path)!r}, {side}")
        if size > 0:  # some tools write 0 where they do not know
            properties[side] = int(size)
    return properties


def _add_truths(rows: RowBuilder, at: int, root: Element, path: FilePath) -> None:
    for item, where in _objects(root, path):
        properties: dict[str, Any] = {flag: True for flag in _FLAGS if _flag(item, flag, where)}
        pose = (item.findtext("pose") or "").strip()
        if pose and pose.casefold() != _UNKNOWN:
            properties["pose"] = pose
        crowd = "difficult" in properties
        label, box = _label(item, where), _box(item, where)
        rows.add(at, label, box=box, crowd=crowd, metadata=properties)


def _add_predictions(rows: RowBuilder, at: int, path: FilePath) -> None:
    for item, where in _objects(_parsed(path), path):
        confidence = item.findtext("confidence", item.findtext("score"))
        score = parse_score(confidence, where, "confidence")
        rows.add(at, _label(item, where), box=_box(item, where), score=score)


def _objects(root: Element, path: FilePath) -> Iterator[tuple[Element, str]]:
    """Objects with their places; some tools leave an empty one where a box was deleted."""
    for number, item in enumerate(root.findall("object"), 1):
        where = f"{os.fspath(path)!r}, object number {number}"
        if len(item) or (item.text or "").strip():
            yield item, where
        else:
            note_skipped("empty objects", where)


def _label(item: Element, where: str) -> str:
    label = (item.findtext("name") or "").strip()
    if not label:
        raise BadDataset(f"{where}: has no name, the object's class.")
    return label


def _flag(item: Element, flag: str, where: str) -> bool:
    """Whether a flag is set; the devkit's own files say Unspecified where nobody looked."""
    written = item.findtext(flag)
    if written is None or written == "0":  # as most are
        return False
    text = written.strip()
    is_set = parse_flag(text)
    if is_set is None and text and text.casefold() != _UNKNOWN:
        raise BadDataset(f"{where}: {flag} {text[:60]!r}: expected 0 or 1.")
    return bool(is_set)


def _box(item: Element, where: str) -> Box:
    box = item.find("bndbox")
    if box is None:
        other = next((part.tag for part in item if part.tag in _OTHER_REGIONS), None)
        instead = f"; a {other} is not read, write the box around it" if other else ""
        raise BadDataset(f"{where}: has no bndbox{instead}.")
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


def _listed(
    lists: Mapping[str, FilePath], classes: Collection[str]
) -> Iterator[tuple[str, str, Box, float]]:
    """The devkit's results, a file a class: image, class, box and confidence."""
    for path in lists.values():
        label = _class_of(path.stem, classes)
        for number, line in enumerate(read_lines(path), 1):
            where, words = _line(path, number), line.split()
            if words:
                if len(words) != 6:
                    raise BadDataset(
                        f"{where}: {len(words)} words: expected image, confidence, xmin, ymin, "
                        "xmax, ymax."
                    )
                uid, score, *corners = words
                confidence = parse_score(score, where, "confidence")
                yield uid, label, _half_open(corners, where), confidence


def _class_of(stem: str, classes: Collection[str]) -> str:
    """The class in a list's name, after the image set; both may have underscores in them."""
    devkit = _DEVKIT.fullmatch(stem)
    words = devkit["rest"].split("_") if devkit else []
    ends = ["_".join(words[first:]) for first in range(1, len(words))] or [stem]
    return next((end for end in ends if end in classes), ends[0])


def _number(text: str | None, where: str) -> float:
    if text and text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)  # as most are
    number = parse_number(text)
    if number is None or abs(number) > _MOST:
        raise BadDataset(f"{where} {text and text[:60]!r}: expected a number of pixels.")
    return number


def _line(path: FilePath, number: int) -> str:
    return f"{os.fspath(path)!r}, line {number}"
