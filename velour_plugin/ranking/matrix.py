"""Models against datasets: how the performance of each varies, and which cells are empty."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from velour_plugin.answers import Cell, Matrix
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import NotComparable, NotFound, UnknownName
from velour_plugin.filters import parse_filter
from velour_plugin.helpers.progress import track
from velour_plugin.plugins.installed import installed
from velour_plugin.queries.fields import Cut
from velour_plugin.queries.query import MatrixQuery, label_of
from velour_plugin.ranking.candidates.comparability import in_one_line, refuse_other_questions
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess
from velour_plugin.ranking.candidates.newest import Choice, choose_candidates
from velour_plugin.ranking.candidates.selection import select_datums
from velour_plugin.ranking.slicing import cut_name, masks
from velour_plugin.ranking.uncertainty.bootstrap import measure_resampled
from velour_plugin.store.protocol import Snapshot
from velour_plugin.store.values import Candidate, DatumSelection, Version


@dataclass(frozen=True, slots=True)
class Column:
    """A dataset under one task, or a slice of it; and the newest evaluation of each model on it.

    Args:
        name: what it is called.
        dataset: its name.
        task: of the evaluations; ``None`` where there are none.
        slice: which slice; ``None`` for all.
        items: the evaluation of each model, and the datums that count of it.
        reason: why there are none.
        fillable: whether evaluating the dataset would help.
    """

    name: str
    dataset: str
    task: str | None
    slice: str | None
    items: Mapping[str, tuple[Candidate, DatumSelection]]
    reason: str | None = None
    fillable: bool = True


def answer_matrix(reader: Snapshot, query: MatrixQuery) -> Matrix:
    """Measure every model on every dataset; what nobody evaluated stays empty.

    Raises:
        NotFound: there is no evaluation to show.
        NotComparable: evaluations on different datasets differ in more than their datums.
        UnknownName: there is no such dataset or model.
    """
    access = LedgerAccess(reader, query.where)
    columns = [
        column
        for name in query.datasets or reader.dataset_names()
        for column in _columns(access, query, name)
    ]
    _check_comparable(query, columns, access)
    models = _models(query, columns)
    cells = _cells(reader, query, access, columns, models)
    rows = [
        cells.get((model, column.name)) or _empty(model, column)
        for model in models
        for column in columns
    ]
    return Matrix(
        title=f"{query.metric} by model and {'slice' if query.by else 'dataset'}",
        metric=query.metric,
        confidence=query.confidence,
        rows=rows,
        notes=(*access.notes, *_notes(rows)),
    )


def _cells(
    reader: Snapshot,
    query: MatrixQuery,
    access: LedgerAccess,
    columns: Sequence[Column],
    models: Sequence[str],
) -> dict[tuple[str, str], Cell]:
    """Cells that have an evaluation, by model and column; the reader is released.

    Raises:
        UnknownName: no ledger has what the filter names; where some have, the others say so.
    """
    parts = [
        (column, *column.items[model])
        for column in columns
        for model in models
        if model in column.items
    ]
    ledgers = reader.ledgers([item.evaluation_id for _, item, _ in parts])
    reader.release()
    cells: dict[tuple[str, str], Cell] = {}
    refusals: list[UnknownName] = []
    for column, item, selection in track(parts, len(parts), f"measuring {query.metric}"):
        stored = next(ledgers)
        try:
            ledger = access.ledger(item, stored, selection)
        except UnknownName as error:
            refusals.append(error)
            cells[item.model, column.name] = _without_value(item.model, column, in_one_line(error))
        else:
            mask = selection.mask(ledger.datums)
            cells[item.model, column.name] = _measured(query, column, item, ledger, mask)
    if parts and len(refusals) == len(parts):
        raise refusals[0]
    return cells


def _columns(access: LedgerAccess, query: MatrixQuery, dataset: str) -> list[Column]:
    """Columns of a dataset: one for each task, or for each slice."""
    choice = Choice(query.metric, label_of(query))
    try:
        candidates, stored = choose_candidates(access, dataset, choice)
    except (NotFound, UnknownName) as error:
        access.reader.versions(dataset)  # a dataset that does not exist is refused
        return [Column(dataset, dataset, None, None, {}, in_one_line(error))]
    by_task = _newest_of_models(candidates)
    columns = []
    for task, items in by_task.items():
        name = dataset if len(by_task) == 1 else f"{dataset} ({task})"
        try:
            selection = select_datums(access, items, stored, query.on_mismatch)
            pairs = zip(items, selection.selected, strict=True)
            chosen = {item.model: (item, selected) for item, selected in pairs}
            columns += _sliced(access, query, Column(name, dataset, task, None, chosen))
        except (UnknownName, NotComparable) as error:
            fillable = isinstance(error, NotComparable)  # by evaluating all in the same way
            reason = in_one_line(error)
            columns.append(Column(name, dataset, task, None, {}, reason, fillable))
    return columns


def _newest_of_models(candidates: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """The newest evaluation of each model, by task; candidates come newest first."""
    newest: dict[tuple[str, str], Candidate] = {}
    for item in candidates:
        newest.setdefault((item.task, item.model), item)
    by_task: dict[str, list[Candidate]] = {}
    for task, model in sorted(newest):
        by_task.setdefault(task, []).append(newest[task, model])
    return by_task


def _sliced(access: LedgerAccess, query: MatrixQuery, column: Column) -> list[Column]:
    """A column cut into one for each slice; itself where the query does not cut."""
    if not query.by:
        return [column]
    versions = {item.version.id: item.version for item, _ in column.items.values()}
    parts: dict[tuple[str, str], dict[str, tuple[Candidate, DatumSelection]]] = {}
    for cut in query.by:
        slices = {number: _slices(access, version, cut) for number, version in versions.items()}
        for model, (item, selected) in column.items.items():
            for name, uids in slices[item.version.id].items():
                part = parts.setdefault((cut_name(cut), name), {})
                part[model] = (item, selected.within(uids))
    return [
        Column(f"{column.name}: {name}", column.dataset, column.task, f"{cut}: {name}", items)
        for (cut, name), items in parts.items()
    ]


def _slices(access: LedgerAccess, version: Version, cut: Cut) -> dict[str, frozenset[str]]:
    """Uids of each slice of a dataset version."""
    if isinstance(cut, Mapping):
        ((_, filters),) = cut.items()
        return {
            name: frozenset(access.reader.select_datums(version, parse_filter(where)).uids)
            for name, where in filters.items()
        }
    datums = access.reader.datums(version)
    return {
        name: frozenset(datum.uid for datum in compress(datums, mask))
        for name, mask in masks(datums, cut, version.dataset).items()
    }


def _check_comparable(query: MatrixQuery, columns: Sequence[Column], access: LedgerAccess) -> None:
    """Refuse a matrix without evaluations, or whose columns answer different questions."""
    by_task: dict[str, list[Candidate]] = {}
    for column in columns:
        for item, _ in column.items.values():
            by_task.setdefault(item.task, []).append(item)
    if not by_task:
        reasons = "".join(f"\n  {column.dataset}: {column.reason}" for column in columns)
        raise NotFound(
            f"no dataset has evaluations with {query.metric}:{reasons or ' none exist.'}"
        )
    for items in by_task.values():
        refuse_other_questions(items, access)


def _models(query: MatrixQuery, columns: Sequence[Column]) -> list[str]:
    known = sorted({model for column in columns for model in column.items})
    for name in query.models or ():
        if name not in known:
            raise UnknownName("model", name, known)
    return known if query.models is None else list(query.models)


def _measured(
    query: MatrixQuery,
    column: Column,
    item: Candidate,
    ledger: Ledger,
    mask: NDArray[np.bool_],
) -> Cell:
    evaluator = installed().evaluator(item.task)
    subject = (evaluator, ledger, mask)
    measured = measure_resampled(
        subject, query.metric, label_of(query), query.resamples, query.seed
    )
    return Cell(
        model=item.model,
        column=column.name,
        dataset=column.dataset,
        task=item.task,
        slice=column.slice,
        datums=measured.datums,
        value=measured.value,
        interval=measured.interval(query.confidence, evaluator.bounds(query.metric)),
        evaluation_id=item.evaluation_id,
        reason=measured.reason,
        command=None,
    )


def _empty(model: str, column: Column) -> Cell:
    reason = column.reason or "not evaluated"
    if not column.fillable:
        return _without_value(model, column, reason)
    task = [] if column.task is None else ["--task", column.task]
    command = ["velour", "evaluate", "MODEL", "--dataset", column.dataset, *task, "--model", model]
    return _without_value(model, column, reason, shlex.join(command))


def _without_value(model: str, column: Column, reason: str, command: str | None = None) -> Cell:
    return Cell(
        model=model,
        column=column.name,
        dataset=column.dataset,
        task=column.task,
        slice=column.slice,
        datums=0,
        value=None,
        interval=None,
        evaluation_id=None,
        reason=reason,
        command=command,
    )


def _notes(cells: Sequence[Cell]) -> list[str]:
    """Why cells are empty, and the command that fills them; once for all slices of a dataset."""
    empty = [cell for cell in cells if cell.evaluation_id is None]
    notes = (
        f"{cell.reason}: {cell.command}" if cell.command else f"{cell.dataset}: {cell.reason}"
        for cell in empty
    )
    return list(dict.fromkeys(notes))
