"""Plain pandas frames as Velour datasets: a row is a datum, a column holds its ground truth.

The other plain values of a row are the datum's metadata; empty cells are absent.
Refused, naming row and value: rows without a uid or with that of another, ground truth that says
nothing or breaks a rule, places that are none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import velour_plugin as velour
from velour_integrations.mlflow.datasets.cell_rules import CellRules
from velour_integrations.mlflow.datasets.cells import table_of
from velour_integrations.mlflow.datasets.frame_names import name_of_input
from velour_integrations.mlflow.datasets.metadata_columns import with_metadata
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName
from velour_plugin.plugin import DatumColumns, encode_metadata, natural_order, note_read

Column = tuple[str, list[Any]]
"""A column's name and its values, ``None`` where there is none."""
_PLAIN = (str, bool, int, float, np.generic, dt.date, dt.time, dt.timedelta)


def dataset_of(
    dataset: Any, config: Mapping[str, Any], run_id: str
) -> tuple[velour.Dataset, Sequence[str]]:
    """Return the Velour dataset behind MLflow's, or one of a plain frame; and each row's uid.

    Args:
        dataset: MLflow's evaluation dataset.
        config: ``dataset`` names it; ``uid``, ``latitude`` and ``longitude`` name columns.
        run_id: of the run, whose inputs or experiment name the frame when nothing else does.
    """
    known = getattr(dataset, "velour", None)
    if known is not None:
        return known, known.uids
    frame = dataset.features_data
    if not hasattr(frame, "columns") or dataset.labels_data is None:
        raise BadDataset(
            "data: expected mlflow.data.from_velour(dataset), or a pandas frame with a column of "
            "ground truth named by targets=."
        )
    name, task = config.get("dataset") or name_of_input(run_id, dataset), str(config.get("task"))
    return read_frame(with_metadata(frame, task, config), dataset.labels_data, name, config)


def read_frame(
    frame: Any, truths: Any, name: str, config: Mapping[str, Any]
) -> tuple[velour.Dataset, Sequence[str]]:
    """Make a Velour dataset of a frame, and return it with the uid of each row.

    Args:
        frame: what is known of each datum.
        truths: ``(rows,)`` cells of ground truth.
        name: of the dataset.
        config: ``uid``, ``latitude`` and ``longitude`` name columns, ``task`` the task,
            ``labels`` the numbers of label images.
    """
    rules = CellRules.of(config)
    used = _used(frame, config)
    uids = _uids(frame, used)
    datums = _datums(frame, used, uids)
    places = np.arange(len(uids), dtype=np.int32)  # of rows that are numbered in their order
    if "uid" in used:
        order = sorted(range(len(uids)), key=lambda row: natural_order(uids[row]))
        places[order] = np.arange(len(uids))
        datums = datums.take(order)
    truth = table_of(truths, uids, places, "ground truth", numbered=True, rules=rules)
    note_read("rows", len(uids))
    return velour.Dataset.from_table(name, datums, truth), uids


def dataset_of_frame(
    frame: Any, targets: Any, predictions: Any, model: str, name: str, config: Mapping[str, Any]
) -> tuple[velour.Dataset, Any]:
    """Make a Velour dataset of a frame whose columns of truth and predictions are named.

    Returns:
        The dataset, and the frame without these columns, its rows in the order of the datums.

    Raises:
        InvalidInput: no column of ground truth is named.
        UnknownName: there is no such column.
    """
    if targets is None:
        raise InvalidInput("targets= names the column of ground truth of a frame; give it.")
    cells = [column for column in (targets, predictions) if column is not None]
    for column in cells:
        if column not in frame.columns:
            raise UnknownName("column", column, map(str, frame.columns))
    features = frame.drop(columns=cells)
    with velour.reading() as log:
        dataset, uids = read_frame(features, frame[targets].to_numpy(), name, config)
    dataset = replace(dataset, reading=log.report)
    places = np.array([dataset.index_of[uid] for uid in uids], np.int32)
    features = features.iloc[np.argsort(places)].reset_index(drop=True)
    if predictions is None:
        return dataset, features
    predicted, labels = frame[predictions].to_numpy(), dataset.truth.labels
    rules = CellRules.of(config)
    with velour.reading() as log:
        table = table_of(predicted, uids, places, "prediction", labels, numbered=True, rules=rules)
        note_read("predictions", len(table))
    return dataset.with_predictions(table, model).with_predictions_reading(log.report), features


def _used(frame: Any, config: Mapping[str, Any]) -> dict[str, str]:
    """Columns that the configuration names, by what they mean."""
    used = {role: config[role] for role in ("uid", "latitude", "longitude") if config.get(role)}
    for column in used.values():
        if column not in frame.columns:
            raise UnknownName("column", column, map(str, frame.columns))
    if ("latitude" in used) != ("longitude" in used):
        alone = "latitude" if "latitude" in used else "longitude"
        raise InvalidInput(
            f"only the column of the {alone} is named, {used[alone]!r}: a location is a latitude "
            "and a longitude."
        )
    return used


def _uids(frame: Any, used: Mapping[str, str]) -> list[str]:
    """The name of each row's datum: that of its column, or its number."""
    if "uid" not in used:
        return [str(row) for row in range(len(frame))]
    uids = [_uid(value, row) for row, value in enumerate(frame[used["uid"]].tolist())]
    first: dict[str, int] = {}
    for row, uid in enumerate(uids):
        if first.setdefault(uid, row) != row:
            raise BadDataset(
                f"datum uid {uid!r} occurs twice, in rows {first[uid]} and {row}: every row is a "
                "datum of its own."
            )
    return uids


def _uid(value: Any, row: int) -> str:
    if not _is_present(value) or value == "":
        raise BadDataset(f"row {row} has no uid ({value!r}): every datum has a name of its own.")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _datums(frame: Any, used: Mapping[str, str], uids: Sequence[str]) -> DatumColumns:
    """The datums of all rows; one by one where there are places, or where a row is wrong."""
    columns = [
        (str(name), _plain(frame.iloc[:, number]))
        for number, name in enumerate(frame.columns)
        if name not in used.values()
    ]
    try:
        if "latitude" in used:
            return _row_by_row(frame, used, uids, columns)
        datums = DatumColumns.of_uids(uids) if "uid" in used else DatumColumns.numbered(len(uids))
        _check_columns(columns)
    except (InvalidInput, TypeError):  # a value that has no hash, too
        return _row_by_row(frame, used, uids, columns)
    metadata = tuple(_metadata(columns, len(uids))) if columns else ()
    return replace(datums, metadata=metadata) if any(metadata) else datums


def _row_by_row(
    frame: Any, used: Mapping[str, str], uids: Sequence[str], columns: Sequence[Column]
) -> DatumColumns:
    """Check each row as a datum of its own, so that a refusal names it.

    Raises:
        BadDataset: one breaks a rule.
    """
    places: Sequence[Any] = [None] * len(uids)
    if "latitude" in used:
        columns_of_locations = (frame[used[role]].tolist() for role in ("latitude", "longitude"))
        places = [
            location if any(map(_is_present, location)) else None
            for location in zip(*columns_of_locations, strict=True)
        ]
    datums = []
    rows = zip(uids, _metadata(columns, len(uids)), places, strict=True)
    for row, (uid, metadata, location) in enumerate(rows):
        try:
            datums.append(velour.Datum(uid, metadata, location))
        except InvalidInput as error:
            raise BadDataset(f"row {row}, datum {uid!r}: {error}") from error
    return DatumColumns.of(datums)


def _check_columns(columns: Sequence[Column]) -> None:
    """Check each value once, however many rows have it."""
    for name, values in columns:
        encode_metadata({name: None})
        for value in set(values):
            encode_metadata({name: value})


def _metadata(columns: Sequence[Column], rows: int) -> Iterator[dict[str, Any]]:
    """The plain values of each row, without empty cells."""
    names = [name for name, _ in columns]
    for row in zip(*(values for _, values in columns), strict=True) if columns else [()] * rows:
        metadata = dict(zip(names, row, strict=True))
        yield {n: v for n, v in metadata.items() if v is not None} if None in row else metadata


def _plain(column: Any) -> list[Any]:
    """Values of a column; ``None`` where there is none, or one that is no metadata."""
    values = column.tolist()
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biu":
        return list(values)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        return [None if value != value else value for value in values]
    return [value if isinstance(value, _PLAIN) and _is_present(value) else None for value in values]


def _is_present(value: Any) -> bool:
    """Whether a cell is neither ``None``, NA, NaN nor NaT; the last two differ from themselves."""
    import pandas as pd

    return value is not None and value is not pd.NA and bool(value == value)
