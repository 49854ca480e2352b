"""Columns of rows as every database takes them, made before any statement is."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.columns.region_column import RegionColumn
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.encoding.codec import BOX
from velour_plugin.domain.encoding.regions_at_rest import masks_to_numbers, polygons_to_wkb
from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.domain.inputs.reading import ReadingReport
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.errors import InvalidInput
from velour_plugin.helpers.libraries import shapely
from velour_plugin.plugins.installed import installed
from velour_plugin.store.ledgers import LedgerPieces

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


def datum_columns(dataset: Dataset) -> dict[str, Sequence[Any]]:
    """Make the columns of the table of datums, a row each."""
    nothing = [None] * len(dataset)
    metadata, places = dataset.datums.metadata or nothing, dataset.datums.locations or nothing
    return {
        "digest": dataset.contents,
        "uid": dataset.uids,
        "metadata": [encode_metadata(known or {}) for known in metadata],
        "location": [wkb_of(place) for place in places],
    }


def region_columns(
    table: AnnotationTable, label_ids: NDArray[np.int64]
) -> dict[str, Sequence[Any] | NDArray[Any]]:
    """Make the columns of the table of annotations, a row each; empty columns are left out.

    Args:
        table: of annotations.
        label_ids: ids of its labels, in order.
    """
    return {
        "row": np.arange(len(table)),
        "annotation": table.annotation,
        "label_id": label_ids[table.label] if len(label_ids) else table.label,
        **{name: table.box[:, at] for at, name in enumerate(BOX)},
        "area": table.area,
        "crowd": table.crowd.astype(np.int64),
        **_object_columns(table),
    }


def _object_columns(table: AnnotationTable) -> dict[str, Sequence[Any]]:
    """Shapes, metadata and embeddings, of those that a table has."""
    columns: dict[str, Sequence[Any]] = {}
    if table.shape is not None:
        columns["shape"] = polygons_to_wkb(table.shape)
        columns["raster"] = _mask_bytes(table.shape)
    if table.metadata is not None:
        columns["metadata"] = list(table.metadata)
    if table.embedding is not None:
        columns["embedding"] = each(table.embedding, lambda item: item.vector.tobytes())
    return columns


def metric_columns(
    evaluation: Evaluation, label_ids: Mapping[LabelName, int]
) -> dict[str, Sequence[Any] | NDArray[Any]]:
    """Make the columns of the table of metrics, a row each; there must be one at least.

    Args:
        evaluation: whose measured metrics they are.
        label_ids: ids of labels by their names.
    """
    metrics = evaluation.measured
    values = [_value_columns(metric.value) for metric in metrics]
    return {
        "evaluation_id": [evaluation.id] * len(metrics),
        "position": np.arange(len(metrics)),
        "name": [metric.name for metric in metrics],
        "label_id": [metric.label and label_ids[metric.label.name] for metric in metrics],
        **dict(zip(("value", "content", "packed"), zip(*values, strict=True), strict=True)),
        "parameters": [dict(metric.parameters) for metric in metrics],
    }


def ledger_pieces(evaluation: Evaluation) -> LedgerPieces:
    """Divide an evaluation's ledger into pieces, as a store keeps it.

    Raises:
        InvalidInput: a piece is larger than a database takes.
    """
    evaluator = installed().evaluators.get(evaluation.task)
    apart = frozenset() if evaluator is None else evaluator.detail_tables
    measured_only = evaluation.measured is not evaluation.metrics
    pieces = LedgerPieces.of(evaluation.ledger, apart, measured_only=measured_only)
    storable(pieces.uids, "a list of datums")
    storable(pieces.content, "a ledger")
    storable(pieces.details or b"", "details of a ledger")
    return pieces


def reading_json(report: ReadingReport | None) -> dict[str, Any] | None:
    """A report as JSON that both databases take; ``None`` for none."""
    content: dict[str, Any] | None = None if report is None else cleaned(report.to_dict())
    return content


def cleaned(content: Any) -> Any:
    """JSON without U+0000 and without halves of surrogate pairs."""
    if isinstance(content, str):
        return (
            content.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
        )
    if isinstance(content, list):
        return [cleaned(item) for item in content]
    if isinstance(content, dict):
        return {cleaned(key): cleaned(item) for key, item in content.items()}
    return content


def reading_of(content: Mapping[str, Any] | None) -> ReadingReport | None:
    """Undo :func:`reading_json`."""
    return None if content is None else ReadingReport.from_dict(content)


def storable(content: bytes, name: str) -> bytes:
    """Return a blob, or refuse one that is too large for any database.

    Raises:
        InvalidInput: it is too large.
    """
    if len(content) > _LARGEST:
        raise InvalidInput(
            f"{name} of {len(content) / 1e9:,.1f} GB: a database takes values of at most "
            f"{_LARGEST / 1e9:,.1f} GB. Write smaller parts with velour.PartitionedDataset.write, "
            'leave out details with {"details": False}, or evaluate without a store.'
        )
    return content


_LARGEST = 1_000_000_000
"""Bytes of a value: SQLite's limit; PostgreSQL's is 1 GiB."""


def wkb_of(geometry: BaseGeometry | None) -> bytes | None:
    """Encode a geometry as WKB, which both databases take; ``None`` stays."""
    return None if geometry is None else bytes(shapely.to_wkb(geometry))


def _value_columns(value: Any) -> tuple[float | None, Any, bytes | None]:
    """A number for SQL to compare; whatever is no fraction as JSON, so that 3 stays 3.

    Where that is long it is packed.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, (dict, list)):
        text = json.dumps(plain, ensure_ascii=False)
        if len(text) > _LONG:
            return None, None, zlib.compress(text.encode(), 1)
    is_number = isinstance(plain, (int, float)) and not isinstance(plain, bool)
    return float(plain) if is_number else None, None if isinstance(plain, float) else plain, None


_LONG = 200
"""Characters of JSON from which on packing makes it smaller."""


def _mask_bytes(shapes: RegionColumn) -> list[bytes | None]:
    numbers, bounds = masks_to_numbers(shapes)
    letters, ends = numbers.tobytes(), (numbers.itemsize * bounds).tolist()
    return [letters[low:high] or None for low, high in pairwise(ends)]


def each(values: Iterable[Any], spell: Callable[[Any], Any]) -> list[Any]:
    """Apply ``spell`` to each value but ``None``."""
    return [None if value is None else spell(value) for value in values]
