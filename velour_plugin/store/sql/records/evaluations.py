"""Save and find evaluations.

Functions take an open connection and never commit: the caller owns the
transaction, so an evaluation, its predictions, metrics and ledger are stored together
or not at all.
"""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    delete,
    insert,
    or_,
    select,
    union_all,
    update,
)

from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.encoding.codec import table_from_bytes, table_to_bytes
from velour_plugin.domain.evaluation import Certificate, EvaluatedRun, Evaluation, Metric
from velour_plugin.domain.inputs.reading import ReadingReport
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import DamagedContent, NotFound
from velour_plugin.partitions import PartitionedDataset, parts_of
from velour_plugin.store.ledgers import LeanLedger, uids_from_bytes, undamaged
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.head import DELETED
from velour_plugin.store.sql.records.annotation_rows import label_ids
from velour_plugin.store.sql.records.columns import (
    cleaned,
    ledger_pieces,
    metric_columns,
    reading_json,
    reading_of,
    storable,
)
from velour_plugin.store.sql.records.datasets import VERSION, version_of, version_uids
from velour_plugin.store.values import Candidate, RunState, Version


def save_evaluation(
    connection: Connection,
    backend: Backend,
    version: Version,
    dataset: Dataset | PartitionedDataset,
    evaluation: Evaluation,
) -> None:
    """Store an evaluation and its predictions; one that is there already is linked to its run.

    Args:
        connection: of the caller's transaction.
        backend: of the store's database.
        version: of the whole dataset.
        dataset: the whole dataset, with the evaluated predictions.
        evaluation: to store.
    """
    if not _exists(connection, evaluation.id):
        predictions = _save_predictions(connection, version, dataset, evaluation)
        connection.execute(
            insert(schema.evaluations).values(
                id=evaluation.id,
                version_id=version.id,
                set_id=predictions,
                task=evaluation.task,
                model=evaluation.model,
                certificate=evaluation.certificate.to_dict(),
                created_at=evaluation.created_at,
            )
        )
        _save_metrics(connection, backend, evaluation)
        _save_ledger(connection, backend, dataset, evaluation)
    elif _is_damaged(connection, evaluation.id):
        for table in (schema.ledger_details, schema.ledger_contents):
            connection.execute(delete(table).where(table.c.evaluation_id == evaluation.id))
        _save_ledger(connection, backend, dataset, evaluation, replaces=True)
    report = reading_json(getattr(dataset, "predictions_reading", None))
    if report is not None:
        of = schema.evaluations
        connection.execute(update(of).where(of.c.id == evaluation.id).values(reading=report))
    if evaluation.run is not None:
        link_run(connection, evaluation.id, evaluation.run)


def link_run(connection: Connection, evaluation_id: str, run: EvaluatedRun) -> None:
    """Link an evaluation to an MLflow run; linking it again makes it the newest."""
    links = schema.evaluation_runs
    values = {
        "evaluation_id": evaluation_id,
        "run_id": run.run_id,
        "name": run.name,
        "experiment_id": run.experiment_id,
        "created_at": dt.datetime.now(dt.UTC),
    }
    connection.execute(
        delete(links).where(links.c.evaluation_id == evaluation_id, links.c.run_id == run.run_id)
    )
    connection.execute(insert(links).values(values))


def save_run_states(connection: Connection, states: Iterable[RunState]) -> list[str]:
    """Store what a tracker says of runs; returns the datasets that they were evaluated on."""
    links = schema.evaluation_runs
    known = {state.run_id: state for state in states}
    for state in known.values():
        values = {
            "name": state.name and cleaned(state.name),
            "state": DELETED if state.is_deleted else "active",
            "checked_at": state.checked_at,
        }
        connection.execute(update(links).where(links.c.run_id == state.run_id).values(values))
    query = (
        select(schema.datasets.c.name)
        .select_from(links)
        .join(schema.evaluations, schema.evaluations.c.id == links.c.evaluation_id)
        .join(schema.versions, schema.versions.c.id == schema.evaluations.c.version_id)
        .join(schema.datasets)
        .where(links.c.run_id.in_(list(known)))
    )
    return list(connection.scalars(query.distinct()))


def find_reading(connection: Connection, evaluation_id: str) -> ReadingReport | None:
    """What the reader of an evaluation's predictions noted."""
    columns = schema.evaluations.c
    query = select(columns.reading).where(columns.id == evaluation_id)
    return reading_of(connection.scalars(query).one_or_none())


def dataset_of(connection: Connection, evaluation_id: str) -> str:
    """Return the name of the dataset that an evaluation is on.

    Raises:
        NotFound: no evaluation has that id.
    """
    query = (
        select(schema.datasets.c.name)
        .select_from(schema.datasets)
        .join(schema.versions)
        .join(schema.evaluations)
        .where(schema.evaluations.c.id == evaluation_id)
    )
    name = connection.scalars(query).one_or_none()
    if name is None:
        raise NotFound(f"no evaluation {evaluation_id!r} in this store.")
    return str(name)


def load_evaluation(connection: Connection, evaluation_id: str, ledger: Ledger) -> Evaluation:
    """Read one evaluation back exactly as it was saved.

    Args:
        connection: to the store.
        evaluation_id: its id.
        ledger: of the evaluation.

    Raises:
        NotFound: no evaluation has that id.
    """
    columns = schema.evaluations.c
    row = connection.execute(
        select(schema.evaluations, schema.prediction_sets.c.digest)
        .join(schema.prediction_sets)
        .where(columns.id == evaluation_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"no evaluation {evaluation_id!r} in this store.")
    run = connection.execute(
        select(schema.evaluation_runs).where(
            schema.evaluation_runs.c.evaluation_id == evaluation_id
        )
    ).first()
    return Evaluation(
        task=row.task,
        model=row.model,
        certificate=Certificate(**row.certificate),
        predictions_digest=row.digest,
        metrics=_load_metrics(connection, evaluation_id),
        ledger=ledger,
        run=None if run is None else EvaluatedRun(run.run_id, run.name, run.experiment_id),
        created_at=row.created_at,
    )


def candidates(connection: Connection, dataset: str) -> list[Candidate]:
    """Return every evaluation of any version of a dataset, once for each run; the newest first."""
    return _candidates(connection, schema.datasets.c.name == dataset)


def candidates_named(connection: Connection, name: str) -> list[Candidate]:
    """Return the evaluations of a run (id or name), of a model, or of that id; the newest first."""
    runs, evaluations = schema.evaluation_runs.c, schema.evaluations.c
    return _candidates(
        connection,
        or_(
            runs.run_id == name,
            runs.name == name,
            evaluations.model == name,
            evaluations.id == name,
        ),
    )


def run_names(connection: Connection) -> set[str]:
    """Return the names that :func:`candidates_named` accepts, without ids of evaluations."""
    runs = schema.evaluation_runs.c
    names = connection.scalars(select(runs.name).union(select(runs.run_id)))
    return {*filter(None, names), *connection.scalars(select(schema.evaluations.c.model))}


def _candidates(connection: Connection, *conditions: ColumnElement[bool]) -> list[Candidate]:
    runs, evaluations = schema.evaluation_runs.c, schema.evaluations.c
    query = (
        select(
            evaluations.id,
            evaluations.task,
            evaluations.model,
            evaluations.certificate,
            evaluations.created_at,
            runs.run_id,
            runs.name,
            runs.experiment_id,
            runs.created_at.label("linked_at"),
            runs.state,
            runs.checked_at,
            schema.versions.c.metadata.label("dataset_metadata"),
            schema.models.c.metadata.label("model_metadata"),
            *VERSION,
        )
        .select_from(schema.evaluations)
        .join(schema.versions, schema.versions.c.id == evaluations.version_id)
        .join(schema.datasets)
        .outerjoin(schema.evaluation_runs, runs.evaluation_id == evaluations.id)
        .outerjoin(schema.models, schema.models.c.name == evaluations.model)
        .where(*conditions)
    )
    known: dict[int, Version] = {}
    items = [_candidate(row, known) for row in connection.execute(query).all()]
    return sorted(items, key=lambda item: (item.created_at, item.evaluation_id), reverse=True)


def metric_values(
    connection: Connection, evaluation_ids: Iterable[str], name: str, label: Label | None
) -> dict[str, float | None]:
    """Return stored values of one metric, by evaluation; those without it are left out."""
    metrics = schema.metrics.c
    query = select(metrics.evaluation_id, metrics.value).where(
        metrics.evaluation_id.in_(list(evaluation_ids)), metrics.name == name
    )
    if label is None:
        query = query.where(metrics.label_id.is_(None))
    else:
        query = query.join(schema.labels).where(
            schema.labels.c.key == label.key, schema.labels.c.value == label.value
        )
    return {key: value for key, value in connection.execute(query)}  # noqa: C416  dict() takes a result for a mapping


def metric_labels(
    connection: Connection, evaluation_ids: Iterable[str], name: str
) -> set[tuple[str, str]]:
    """Return the labels, as (key, value), that any of the evaluations has a metric of."""
    metrics, labels = schema.metrics.c, schema.labels.c
    query = select(labels.key, labels.value).join_from(schema.labels, schema.metrics)
    query = query.where(metrics.evaluation_id.in_(list(evaluation_ids)), metrics.name == name)
    return {(key, value) for key, value in connection.execute(query.distinct())}


def metric_names(connection: Connection, evaluation_ids: Iterable[str]) -> set[str]:
    """Return the names of the stored metrics of any of the evaluations."""
    metrics = schema.metrics.c
    query = select(metrics.name).where(metrics.evaluation_id.in_(list(evaluation_ids))).distinct()
    return set(connection.scalars(query))


def prediction_bytes(
    connection: Connection, evaluation_ids: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield encoded predictions, by evaluation id and number of the part, in any order.

    One statement; the name "3f2a 0" is the first part of the predictions of 3f2a.
    """
    evaluations, contents = schema.evaluations.c, schema.prediction_contents.c
    query = (
        select(evaluations.id, contents.part, contents.content)
        .join(schema.evaluations, evaluations.set_id == contents.set_id)
        .where(evaluations.id.in_(evaluation_ids))
    )
    for number, part, content in connection.execute(_few_at_a_time(query)):
        yield f"{number} {part}", bytes(content)


def load_predictions(connection: Connection, evaluation_id: str) -> AnnotationTable:
    """Read the predictions of an evaluation, on the datums of its version."""
    uids = version_uids(connection, version_id_of(connection, evaluation_id))
    index_of = {uid: index for index, uid in enumerate(uids)}
    blobs = dict(prediction_bytes(connection, [evaluation_id]))
    with undamaged(f"the prediction set of evaluation {evaluation_id}", is_replaced=False):
        parts = [
            table_from_bytes(blobs[f"{evaluation_id} {part}"], index_of)[0]
            for part in range(len(blobs))
        ]
    return parts[0] if len(parts) == 1 else AnnotationTable.joined(parts)


def version_id_of(connection: Connection, evaluation_id: str) -> int:
    """Return the row id of the dataset version that an evaluation is of.

    Raises:
        NotFound: no evaluation has that id.
    """
    columns = schema.evaluations.c
    query = select(columns.version_id).where(columns.id == evaluation_id)
    version_id = connection.scalars(query).one_or_none()
    if version_id is None:
        raise NotFound(f"no evaluation {evaluation_id!r} in this store.")
    return int(version_id)


def ledger_bytes(
    connection: Connection, evaluation_ids: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield ledgers by their evaluations' ids and lists of datums by their digests, in any order.

    One statement, that reads no details.
    """
    ledgers, lists = schema.ledger_contents.c, schema.uid_lists.c
    selected = ledgers.evaluation_id.in_(evaluation_ids)
    query = union_all(
        select(ledgers.evaluation_id, ledgers.content).where(selected),
        select(lists.digest, lists.content).where(
            lists.digest.in_(select(ledgers.uids).where(selected))
        ),
    )
    for name, content in connection.execute(_few_at_a_time(query)):
        yield name, bytes(content)


def _few_at_a_time(query: Executable) -> Executable:
    """Stream blobs: a server would otherwise send them all before the first is used."""
    return query.execution_options(stream_results=True, max_row_buffer=4)


def details_bytes(connection: Connection, evaluation_id: str) -> bytes | None:
    """Read the encoded details of a ledger; ``None`` where they are not stored yet."""
    details = schema.ledger_details.c
    query = select(details.content).where(details.evaluation_id == evaluation_id)
    content = connection.scalars(query).one_or_none()
    return None if content is None else bytes(content)


def save_details(
    connection: Connection, backend: Backend, evaluation_id: str, content: bytes
) -> None:
    """Store the details of a ledger, in place of those that are there."""
    details = schema.ledger_details
    row = {"evaluation_id": evaluation_id, "content": storable(content, "details of a ledger")}
    connection.execute(delete(details).where(details.c.evaluation_id == evaluation_id))
    backend.insert_missing(connection, details, [row])


def _candidate(row: Any, known: dict[int, Version]) -> Candidate:
    """Make a candidate; those of one version share it."""
    run = None if row.run_id is None else EvaluatedRun(row.run_id, row.name, row.experiment_id)
    version = known.setdefault(row[-len(VERSION)], version_of(row[-len(VERSION) :]))
    return Candidate(
        row.id,
        version,
        row.task,
        row.model,
        Certificate(**row.certificate),
        run,
        row.linked_at or row.created_at,
        row.model_metadata or {},
        row.dataset_metadata or {},
        row.state == DELETED,
        row.checked_at,
    )


def _exists(connection: Connection, evaluation_id: str) -> bool:
    query = select(schema.evaluations.c.id).where(schema.evaluations.c.id == evaluation_id)
    return connection.scalars(query).one_or_none() is not None


def _save_predictions(
    connection: Connection,
    version: Version,
    dataset: Dataset | PartitionedDataset,
    evaluation: Evaluation,
) -> int:
    """Store predictions, unless they are there from another evaluation of them."""
    sets = schema.prediction_sets.c
    values = {
        "version_id": version.id,
        "model": evaluation.model,
        "digest": evaluation.predictions_digest,
    }
    query = select(sets.id).filter_by(**values)
    known = connection.scalars(query).one_or_none()
    if known is not None:
        return int(known)
    now = dt.datetime.now(dt.UTC)
    connection.execute(insert(schema.prediction_sets).values(**values, created_at=now))
    number = int(connection.scalars(query).one())
    for part, content in enumerate(parts_of(dataset)):
        assert content.predictions is not None
        blob = table_to_bytes(content.predictions, content.uids, compact=True)
        row = {"set_id": number, "part": part, "content": storable(blob, "predictions")}
        connection.execute(insert(schema.prediction_contents).values(row))
    return number


def _save_ledger(
    connection: Connection,
    backend: Backend,
    dataset: Dataset | PartitionedDataset,
    evaluation: Evaluation,
    *,
    replaces: bool = False,
) -> None:
    if isinstance(dataset, PartitionedDataset):  # too large to be matched again as a whole
        evaluation.ledger.load_details()
    pieces, number = ledger_pieces(evaluation), evaluation.id
    lists = schema.uid_lists
    uids = {"digest": pieces.digest, "content": pieces.uids}
    backend.insert_missing(connection, lists, [uids])
    if replaces:  # others share it
        whole = update(lists).where(lists.c.digest == pieces.digest)
        connection.execute(whole.values(content=pieces.uids))
    lean = {"evaluation_id": number, "uids": pieces.digest, "content": pieces.content}
    connection.execute(insert(schema.ledger_contents).values(lean))
    if pieces.details is not None:
        save_details(connection, backend, number, pieces.details)


def _is_damaged(connection: Connection, evaluation_id: str) -> bool:
    """Whether the stored ledger, or its list of datums, cannot be read back."""
    blobs = dict(ledger_bytes(connection, [evaluation_id]))
    try:
        lean = LeanLedger.of(
            blobs[evaluation_id],
            lambda digest: uids_from_bytes(blobs[digest], digest),
            evaluation_id,
        )
        lean.check()
    except (DamagedContent, KeyError):
        return True
    return False


def _save_metrics(connection: Connection, backend: Backend, evaluation: Evaluation) -> None:
    names = list(dict.fromkeys(m.label.name for m in evaluation.measured if m.label is not None))
    ids = dict(zip(names, label_ids(connection, backend, names).tolist(), strict=True))
    if evaluation.measured:
        backend.insert(connection, schema.metrics, metric_columns(evaluation, ids))


def _value_of(row: Any) -> Any:
    """A metric's value as ``columns.metric_columns`` spelled it."""
    if row.packed is not None:
        return json.loads(zlib.decompress(row.packed))
    return row.value if row.content is None else row.content


def _load_metrics(connection: Connection, evaluation_id: str) -> Sequence[Metric]:
    columns = schema.metrics.c
    rows = connection.execute(
        select(schema.metrics, schema.labels.c.key, schema.labels.c.value.label("label_value"))
        .outerjoin(schema.labels, schema.labels.c.id == columns.label_id)
        .where(columns.evaluation_id == evaluation_id)
        .order_by(columns.position)
    )
    return [
        Metric(
            row.name,
            _value_of(row),
            None if row.key is None else Label(row.key, row.label_value),
            row.parameters,
        )
        for row in rows
    ]
