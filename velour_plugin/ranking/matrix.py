"""Models against datasets: how the performance of each varies, and which cells are empty."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from velour_plugin.answers import Cell, Matrix
from velour_plugin.answers.intervals import rough_notes
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import NotFound, UnknownName
from velour_plugin.helpers.progress import track
from velour_plugin.plugins.installed import installed
from velour_plugin.queries.query import MatrixQuery, label_of, metric_of
from velour_plugin.ranking.candidates.comparability import in_one_line, refuse_other_questions
from velour_plugin.ranking.candidates.folding import RowNames, folding_notes
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess
from velour_plugin.ranking.candidates.newest import Chosen
from velour_plugin.ranking.defaults import named_metric
from velour_plugin.ranking.grouping import joined
from velour_plugin.ranking.matrix_columns import Column, choose_on, columns_of
from velour_plugin.ranking.notes import on_few_resamples
from velour_plugin.ranking.uncertainty.bootstrap import measure_resampled
from velour_plugin.ranking.uncertainty.measurement import interval_fields
from velour_plugin.store.protocol import Snapshot
from velour_plugin.store.values import Candidate


def answer_matrix(reader: Snapshot, query: MatrixQuery) -> Matrix:
    """Measure every model on every dataset; cells without an evaluation stay empty.

    Raises:
        NotFound: there is no evaluation to show.
        NotComparable: evaluations on different datasets differ in more than their datums.
        UnknownName: there is no such dataset or model.
    """
    access = LedgerAccess(reader, query.where)
    datasets = query.datasets or reader.dataset_names()
    query = replace(query, metric=named_metric(reader, query.metric, datasets, label_of(query)))
    chosen = [choose_on(access, query, name) for name in datasets]
    row_name = RowNames([each.candidates for _, each, _ in chosen], query.all_runs)
    columns = [
        column
        for dataset, each, reason in chosen
        for column in columns_of(access, query, dataset, each, reason, row_name)
    ]
    _check_comparable(query, columns, access)
    groups = joined({column.dataset: column.groups for column in columns})
    models = _models(query, columns)
    cells = _cells(reader, query, access, columns, models)
    names = {item.model for column in columns for item, _ in column.items.values()}
    rows = [
        cells.get((model, column.name)) or _empty(model, column, names)
        for model in models
        for column in columns
    ]
    return Matrix(
        title=f"{metric_of(query)} by model and {'slice' if query.by else 'dataset'}",
        metric=metric_of(query),
        confidence=query.confidence,
        rows=rows,
        notes=(
            *access.notes,
            *_run_notes(chosen),
            *groups.notes,
            *_notes(rows),
            *on_few_resamples(query.resamples, query.confidence),
            *rough_notes((f"{cell.model} on {cell.column}", cell.rough) for cell in rows),
        ),
        **groups.of_answer,
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
        (model, column, *column.items[model])
        for column in columns
        for model in models
        if model in column.items
    ]
    ledgers = reader.ledgers([item.evaluation_id for _, _, item, _ in parts])
    reader.release()
    cells: dict[tuple[str, str], Cell] = {}
    refusals: list[UnknownName] = []
    for model, column, item, selection in track(parts, len(parts), f"measuring {metric_of(query)}"):
        stored = next(ledgers)
        try:
            ledger = access.ledger(item, stored, selection)
        except UnknownName as error:
            refusals.append(error)
            cells[model, column.name] = _without_value(model, column, in_one_line(error))
        else:
            mask = selection.mask(ledger.datums)
            cells[model, column.name] = _measured(query, model, column, item, ledger, mask)
    if parts and len(refusals) == len(parts):
        raise refusals[0]
    return cells


def _run_notes(chosen: Sequence[tuple[str, Chosen, str | None]]) -> list[str]:
    notes = dict.fromkeys(note for _, each, _ in chosen for note in each.notes)
    return [*folding_notes([item for _, each, _ in chosen for item in each.folded]), *notes]


def _check_comparable(query: MatrixQuery, columns: Sequence[Column], access: LedgerAccess) -> None:
    """Refuse a matrix without evaluations, or whose columns answer different questions."""
    by_task: dict[str, list[Candidate]] = {}
    for column in columns:
        for item, _ in column.items.values():
            by_task.setdefault(item.task, []).append(item)
    if not by_task:
        reasons = "".join(f"\n  {column.dataset}: {column.reason}" for column in columns)
        raise NotFound(
            f"no dataset has evaluations with {metric_of(query)}:{reasons or ' none exist.'}"
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
    model: str,
    column: Column,
    item: Candidate,
    ledger: Ledger,
    mask: NDArray[np.bool_],
) -> Cell:
    evaluator = installed().evaluator(item.task)
    subject = (evaluator, ledger, mask)
    measured = measure_resampled(
        subject,
        metric_of(query),
        label_of(query),
        units=column.groups.among(ledger.datums, mask),
        resamples=query.resamples,
        seed=query.seed,
    )
    return Cell(
        model=model,
        column=column.name,
        dataset=column.dataset,
        task=item.task,
        slice=column.slice,
        datums=measured.datums,
        value=measured.value,
        evaluation_id=item.evaluation_id,
        reason=measured.reason,
        command=None,
        **interval_fields(measured, query.confidence, evaluator.bounds(metric_of(query))),
    )


def _empty(model: str, column: Column, names: Collection[str]) -> Cell:
    """A cell without an evaluation; a row that is one run of a model has no command to fill it."""
    reason = column.reason or "not evaluated"
    if not column.fillable or model not in names:
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
    """Why cells are empty, and the command that fills them; once for all cells of a dataset."""
    empty: dict[tuple[str, str | None, bool], dict[str, str | None]] = {}
    for cell in cells:
        if cell.evaluation_id is None:
            kind = (cell.dataset, cell.reason, cell.command is None)
            empty.setdefault(kind, {}).setdefault(cell.model, cell.command)
    return [
        f"{dataset}: {reason}{_filled_by(commands)}"
        for (dataset, reason, _), commands in empty.items()
    ]


def _filled_by(commands: Mapping[str, str | None]) -> str:
    """The command that fills the cell of the first model, and for which others it does too."""
    first, *others = commands
    if commands[first] is None:
        return ""
    return f": {commands[first]}" + (f", and so for {', '.join(others)}" if others else "")
