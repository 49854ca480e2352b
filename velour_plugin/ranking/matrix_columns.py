"""Columns of a matrix: a dataset under one task, or a slice of it, with an evaluation a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress

from velour_plugin.errors import NotComparable, NotFound, UnknownName, VelourError
from velour_plugin.filters import parse_filter
from velour_plugin.queries.fields import Cut
from velour_plugin.queries.query import MatrixQuery, label_of, metric_of
from velour_plugin.ranking.candidates.comparability import in_one_line
from velour_plugin.ranking.candidates.folding import RowNames
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess
from velour_plugin.ranking.candidates.metric_lookup import metric_names
from velour_plugin.ranking.candidates.newest import Choice, Chosen, choose_candidates
from velour_plugin.ranking.candidates.selection import select_datums
from velour_plugin.ranking.grouping import Groups, read_groups
from velour_plugin.ranking.slicing import cut_name, masks
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
        groups: of the dataset's datums that count, sliced or not.
    """

    name: str
    dataset: str
    task: str | None
    slice: str | None
    items: Mapping[str, tuple[Candidate, DatumSelection]]
    reason: str | None = None
    fillable: bool = True
    groups: Groups = field(default_factory=Groups)


def choose_on(
    access: LedgerAccess, query: MatrixQuery, dataset: str
) -> tuple[str, Chosen, str | None]:
    """Return the dataset, its evaluations that have the metric, and why there are none."""
    choice = Choice(metric_of(query), label_of(query), all_runs=query.all_runs)
    try:
        return dataset, choose_candidates(access, dataset, choice), None
    except (NotFound, UnknownName) as error:
        access.reader.versions(dataset)  # a dataset that does not exist is refused
        return dataset, Chosen((), {}), _why_none(access, query, dataset, error)


NOT_EVALUATED = "no model was evaluated on it"


def _why_none(access: LedgerAccess, query: MatrixQuery, dataset: str, error: VelourError) -> str:
    """Why no evaluation on a dataset has the metric: there is none, or of another task or class."""
    candidates = access.reader.candidates(dataset)
    if not candidates:
        return NOT_EVALUATED
    if metric_of(query) in metric_names(access.reader, candidates):
        return in_one_line(error)
    misspelt, _, _ = str(error).partition(" known are: ")
    if "did you mean" in misspelt:
        return misspelt
    tasks = ", ".join(sorted({item.task for item in candidates}))
    return f"it was evaluated for {tasks}, which has no {metric_of(query)}"


def columns_of(
    access: LedgerAccess,
    query: MatrixQuery,
    dataset: str,
    chosen: Chosen,
    reason: str | None,
    row_name: RowNames,
) -> list[Column]:
    """Make the columns of a dataset: one for each task, or for each slice."""
    if reason is not None:
        return [Column(dataset, dataset, None, None, {}, reason, reason == NOT_EVALUATED)]
    by_task = _rows_of_tasks(chosen.candidates, row_name)
    columns = []
    for task, rows in by_task.items():
        name = dataset if len(by_task) == 1 else f"{dataset} ({task})"
        try:
            part = replace(chosen, candidates=[*rows.values()])
            selection = select_datums(access, part, query.on_mismatch)
            pairs = zip(rows.values(), selection.selected, strict=True)
            items = dict(zip(rows, pairs, strict=True))
            column = Column(name, dataset, task, None, items)
            columns += _sliced(access, query, _grouped(access, query, column))
        except (UnknownName, NotComparable) as error:
            columns.append(Column(name, dataset, task, None, {}, _with_way_out(error), False))
    return columns


def _grouped(access: LedgerAccess, query: MatrixQuery, column: Column) -> Column:
    """A column with the groups of its datums, where intervals are drawn or groups are named."""
    item, selected = next(iter(column.items.values()))
    part = (item.version, selected.uids)
    return replace(column, groups=read_groups(access.reader, query.groups, [part], query.resamples))


def _with_way_out(error: VelourError) -> str:
    """An error in one line; of evaluations that cannot be compared what would make them so."""
    if not isinstance(error, NotComparable):
        return in_one_line(error)
    shared = "on_mismatch='intersect' (--on-mismatch intersect)"
    way_out = shared if shared in str(error) else "evaluate all models on it in the same way"
    return f"{in_one_line(error)}; {way_out}"


def _rows_of_tasks(
    candidates: Sequence[Candidate], row_name: RowNames
) -> dict[str, dict[str, Candidate]]:
    """The newest evaluation of each row, by task; candidates come newest first."""
    newest: dict[tuple[str, str], Candidate] = {}
    for item in candidates:
        newest.setdefault((item.task, row_name(item)), item)
    by_task: dict[str, dict[str, Candidate]] = {}
    for task, name in sorted(newest):
        by_task.setdefault(task, {})[name] = newest[task, name]
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
        replace(column, name=f"{column.name}: {name}", slice=f"{cut}: {name}", items=items)
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
