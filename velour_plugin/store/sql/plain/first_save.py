"""A new SQLite file with one evaluation, written by the database's own driver.

What the first evaluation of a store takes is known beforehand: every row's id is its number. A test
holds the file to be the one that a store makes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from velour_plugin.domain.encoding.codec import table_to_bytes
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.store.sql.head import HEAD, STATISTICS
from velour_plugin.store.sql.plain.driver import NewFile
from velour_plugin.store.sql.records.columns import (
    datum_columns,
    ledger_pieces,
    metric_columns,
    reading_json,
    region_columns,
    storable,
    wkb_of,
)
from velour_plugin.store.values import Version

if TYPE_CHECKING:
    from velour_plugin.domain.columns.annotation_table import LabelName
    from velour_plugin.domain.datasets import Dataset
    from velour_plugin.domain.evaluation import Evaluation


def write_first(file: NewFile, dataset: Dataset, evaluation: Evaluation) -> Version:
    """Make the tables of a store with a dataset and an evaluation of no run; return its version.

    Args:
        file: in whose transaction all is written.
        dataset: the whole dataset, with the predictions that were evaluated.
        evaluation: the outcome.

    Raises:
        InvalidInput: a value is larger than a database takes.
    """
    tables, indexes = _SCHEMA.read_text("utf-8").split("-- Indexes\n")
    file.execute(tables)
    file.write("velour_schema", {"version_num": [HEAD]})
    index, rows = zip(*STATISTICS.items(), strict=True)
    file.write("sqlite_stat1", {"tbl": ["version_datums"] * len(rows), "idx": index, "stat": rows})
    version = _write_version(file, dataset)
    labels = _write_labels(file, dataset, evaluation)
    _write_datums(file, dataset, labels)
    _write_predictions(file, dataset, evaluation)
    _write_evaluation(file, dataset, evaluation, labels)
    file.write("revisions", {"name": [dataset.name], "value": [1]})
    file.execute(indexes)
    return version


def _write_version(file: NewFile, dataset: Dataset) -> Version:
    properties = sorted(dataset.datums.properties)
    version = Version(
        1, dataset.name, 1, dataset.digest, properties, len(dataset), dataset.groups, is_new=True
    )
    row = {
        "dataset_id": 1,
        "number": version.number,
        "digest": version.digest,
        "metadata": encode_metadata(dataset.metadata),
        "labels": [list(label) for label in dataset.labels],
        "properties": properties,
        "datums": version.datums,
        "location": wkb_of(dataset.location),
        "reading": reading_json(dataset.reading),
        "declared_groups": list(dataset.groups) or None,
        "created_at": file.moment(dt.datetime.now(dt.UTC)),
    }
    file.write("datasets", {"name": [dataset.name]})
    file.write("versions", {name: [value] for name, value in row.items()})
    return version


def _write_labels(file: NewFile, dataset: Dataset, evaluation: Evaluation) -> dict[LabelName, int]:
    """Labels of ground truth are numbered first, then those that metrics alone are about."""
    measured = {metric.label.name for metric in evaluation.measured if metric.label is not None}
    true = set(dataset.labels)
    names = [*sorted(true), *sorted(measured - true)]
    file.write("labels", {"key": [key for key, _ in names], "value": [value for _, value in names]})
    return {name: number for number, name in enumerate(names, 1)}


def _write_datums(file: NewFile, dataset: Dataset, labels: Mapping[LabelName, int]) -> None:
    """Datums, their list and their places, and ground truth."""
    count, truth = len(dataset), dataset.truth
    numbers, places = np.arange(count), dataset.datums.locations or ()
    file.write("datums", {"dataset_id": [1] * count, **datum_columns(dataset)})
    members = {"version_id": [1] * count, "position": numbers, "datum_id": numbers + 1}
    file.write("version_datums", members)
    bounds = [(at, *place.bounds) for at, place in enumerate(places, 1) if place is not None]
    if bounds:
        file.write("datum_places", dict(zip(_BOUNDS, zip(*bounds, strict=True), strict=True)))
    ids = np.array([labels[name] for name in truth.labels], np.int64)
    file.write("annotations", {"datum_id": truth.datum + 1, **region_columns(truth, ids)})


_BOUNDS = ("id", "west", "south", "east", "north")


def _write_predictions(file: NewFile, dataset: Dataset, evaluation: Evaluation) -> None:
    assert dataset.predictions is not None
    row = {
        "version_id": 1,
        "model": evaluation.model,
        "digest": evaluation.predictions_digest,
        "created_at": file.moment(dt.datetime.now(dt.UTC)),
    }
    file.write("prediction_sets", {name: [value] for name, value in row.items()})
    blob = storable(table_to_bytes(dataset.predictions, dataset.uids, compact=True), "predictions")
    file.write("prediction_contents", {"set_id": [1], "part": [0], "content": [blob]})


def _write_evaluation(
    file: NewFile, dataset: Dataset, evaluation: Evaluation, labels: Mapping[LabelName, int]
) -> None:
    """An evaluation, its metrics and its ledger."""
    row = {
        "id": evaluation.id,
        "version_id": 1,
        "set_id": 1,
        "task": evaluation.task,
        "model": evaluation.model,
        "certificate": evaluation.certificate.to_dict(),
        "created_at": file.moment(evaluation.created_at),
        "reading": reading_json(dataset.predictions_reading),
    }
    file.write("evaluations", {name: [value] for name, value in row.items()})
    if evaluation.measured:
        file.write("metrics", metric_columns(evaluation, labels))
    pieces = ledger_pieces(evaluation)
    number, uids = [evaluation.id], [pieces.digest]
    file.write("uid_lists", {"digest": uids, "content": [pieces.uids]})
    lean = {"evaluation_id": number, "uids": uids, "content": [pieces.content]}
    file.write("ledger_contents", lean)
    if pieces.details is not None:
        file.write("ledger_details", {"evaluation_id": number, "content": [pieces.details]})


_SCHEMA = Path(__file__).with_name("schema.sql")
