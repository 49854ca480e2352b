"""Which evaluations compete over which datums: on one dataset, or over several put together."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from velour_plugin.domain.evaluation import EvaluatedRun
from velour_plugin.domain.ledger import Ledger
from velour_plugin.domain.order import natural_order
from velour_plugin.evaluator import Evaluator
from velour_plugin.filters import parse_filter, split_filter
from velour_plugin.plugins.installed import installed
from velour_plugin.ranking.candidates.comparability import refuse_other_questions
from velour_plugin.ranking.candidates.datum_predictions import select_by_predictions
from velour_plugin.ranking.candidates.folding import RowNames
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess
from velour_plugin.ranking.candidates.newest import (
    Choice,
    Chosen,
    choose_candidates,
    shared_datums,
)
from velour_plugin.store.values import Candidate, DatumSelection


@dataclass(frozen=True, slots=True)
class DatasetSelection:
    """The evaluations of one dataset that are compared, and over which datums.

    Args:
        dataset: its name.
        chosen: the evaluations, their values over all that they evaluated, and folded ones.
        selected: for each evaluation, the datums that count.
        total: how many datums there are.
        shared: uids that all evaluations have in common; ``None`` when they agree in everything.
    """

    dataset: str
    chosen: Chosen
    selected: Sequence[DatumSelection]
    total: int
    shared: set[str] | None

    @property
    def candidates(self) -> Sequence[Candidate]:
        """The evaluations that are compared."""
        return self.chosen.candidates


def select(access: LedgerAccess, dataset: str, choice: Choice) -> DatasetSelection:
    """Find the evaluations that are compared on a dataset, and over which datums.

    Raises:
        UnknownName: there is no such dataset, metric, label, run or property.
        NotComparable: the evaluations do not answer one question.
    """
    chosen = choose_candidates(access, dataset, choice)
    return select_datums(access, chosen, choice.on_mismatch)


def select_datums(access: LedgerAccess, chosen: Chosen, on_mismatch: str) -> DatasetSelection:
    """Find the datums of a dataset over which some evaluations on it are compared.

    Raises:
        UnknownName: no datum has a property that the filter names.
        NotComparable: the evaluations do not answer one question.
    """
    candidates = chosen.candidates
    shared = shared_datums(access, candidates, on_mismatch)
    versions = {item.version.id: item.version for item in candidates}
    of_query = {
        number: access.reader.select_datums(version, access.split.datums)
        for number, version in versions.items()
    }
    predicted = select_by_predictions(access.reader, candidates, access.split, on_mismatch)
    if predicted is not None:
        of_query = {number: chosen.within(predicted) for number, chosen in of_query.items()}
    if shared is not None:
        of_query = {number: chosen.within(shared) for number, chosen in of_query.items()}
    # evaluations of one version and filter are about the same datums, which are selected once
    kinds = {(item.version.id, item.certificate.filter): item for item in candidates}
    evaluated = {
        kind: _evaluated_datums(access, item, of_query[item.version.id])
        for kind, item in kinds.items()
    }
    selected = [evaluated[item.version.id, item.certificate.filter] for item in candidates]
    total = max(version.datums for version in versions.values())
    dataset = candidates[0].certificate.dataset
    return DatasetSelection(dataset, chosen, selected, total, shared)


def _evaluated_datums(
    access: LedgerAccess, item: Candidate, selection: DatumSelection
) -> DatumSelection:
    """The selected datums that an evaluation's filter selected as well."""
    if item.certificate.filter is None:
        return selection
    evaluated_filter = split_filter(parse_filter(json.loads(item.certificate.filter)))
    evaluated = access.reader.select_datums(item.version, evaluated_filter.datums)
    return selection.within(frozenset(evaluated.uids))


@dataclass(frozen=True, slots=True)
class Competitor:
    """One row of a leaderboard: a run, or over several datasets a model.

    Args:
        items: its evaluation on each dataset on which it was evaluated.
        selected: the datums that count of each.
        name: what the row is called.
        missing: datasets on which it was not evaluated.
    """

    items: Sequence[Candidate]
    selected: Sequence[DatumSelection]
    name: str
    missing: Sequence[str] = ()

    @property
    def first(self) -> Candidate:
        """The first evaluation, which gives the row its name."""
        return self.items[0]

    @property
    def evaluation_id(self) -> str:
        """Ids of its evaluations, joined by ``+``."""
        return "+".join(item.evaluation_id for item in self.items)

    @property
    def run(self) -> EvaluatedRun | None:
        """The MLflow run; ``None`` over several datasets, where there are several."""
        return self.first.run if len(self.items) == 1 else None

    @property
    def evaluator(self) -> Evaluator:
        """The evaluator of its task."""
        return installed().evaluator(self.first.task)

    @property
    def datums(self) -> int:
        """How many datums count."""
        return sum(map(len, self.selected))

    def on(self, datasets: Collection[str]) -> list[tuple[Candidate, DatumSelection]]:
        """Return its evaluations on some datasets, and the datums that count of each."""
        pairs = zip(self.items, self.selected, strict=True)
        return [pair for pair in pairs if pair[0].certificate.dataset in datasets]


class Competitors:
    """The rows of a leaderboard and their ledgers.

    On one dataset every evaluation has a row of its own. Over several, a model has: its newest
    evaluations on each are put together, and the datums of all count alike.
    """

    def __init__(self, selections: Sequence[DatasetSelection], access: LedgerAccess) -> None:
        self.selections, self.access = selections, access
        if len(selections) == 1:
            only = selections[0]
            pairs = zip(only.candidates, only.selected, strict=True)
            self.all = [Competitor([item], [selected], item.model) for item, selected in pairs]
            return
        items = [item for each in selections for item in each.candidates]
        refuse_other_questions(items, access)
        name_of_row = RowNames([each.candidates for each in selections])
        names = dict.fromkeys(map(name_of_row, items))
        self.all = [self._competitor(name, name_of_row) for name in names]
        self._names = {
            each.dataset: _numbered(index, each.selected) for index, each in enumerate(selections)
        }

    @property
    def complete(self) -> list[Competitor]:
        """The competitors that were evaluated on every dataset."""
        return [competitor for competitor in self.all if not competitor.missing]

    def over(self, datasets: Collection[str]) -> list[Competitor]:
        """Return the competitors that were evaluated on all of some datasets, as on these only."""
        parts = [(competitor, competitor.on(datasets)) for competitor in self.all]
        return [
            replace(competitor, items=[item for item, _ in part], selected=[s for _, s in part])
            for competitor, part in parts
            if len(part) == len(datasets)
        ]

    def ledgers(
        self, competitors: Sequence[Competitor] | None = None
    ) -> Iterator[tuple[Competitor, Ledger, DatumSelection]]:
        """Yield each competitor with its ledger over all its datasets and the selected datums.

        The stored ledgers are read when this is called, in one statement; they are narrowed or
        matched again as they are taken.

        Args:
            competitors: all that are complete when left out.
        """
        complete = self.complete if competitors is None else competitors
        subjects = [
            subject
            for competitor in complete
            for subject in zip(competitor.items, competitor.selected, strict=True)
        ]
        stored = self.access.reader.ledgers([item.evaluation_id for item, _ in subjects])
        self.access.expect(subjects)
        return (self._entry(competitor, stored) for competitor in complete)

    def _entry(
        self, competitor: Competitor, stored: Iterator[Ledger]
    ) -> tuple[Competitor, Ledger, DatumSelection]:
        parts = [
            self.access.ledger(item, next(stored), selected)
            for item, selected in zip(competitor.items, competitor.selected, strict=True)
        ]
        if len(self.selections) == 1:
            return competitor, parts[0], competitor.selected[0]
        renamed = [
            replace(part, datums=tuple(names.get(uid, f"{index}!{uid}") for uid in part.datums))
            for index, (part, names) in enumerate(
                zip(parts, self._names_of(competitor), strict=True)
            )
        ]
        return competitor, competitor.evaluator.concatenate(renamed), self._renamed(competitor)

    def _renamed(self, competitor: Competitor) -> DatumSelection:
        """The selected datums, under their names in the ledger over all datasets."""
        pairs = zip(self._names_of(competitor), competitor.selected, strict=True)
        uids = [names[uid] for names, selected in pairs for uid in selected.uids]
        return DatumSelection(uids, np.empty(0, np.int64))

    def _names_of(self, competitor: Competitor) -> list[dict[str, str]]:
        return [self._names[item.certificate.dataset] for item in competitor.items]

    def _competitor(self, name: str, name_of_row: RowNames) -> Competitor:
        items, selected, missing = [], [], []
        for each in self.selections:
            rows = [
                index for index, item in enumerate(each.candidates) if name_of_row(item) == name
            ]
            if rows:  # the newest comes first
                items.append(each.candidates[rows[0]])
                selected.append(each.selected[rows[0]])
            else:
                missing.append(each.dataset)
        return Competitor(items, selected, name, missing)


def _numbered(index: int, selected: Sequence[DatumSelection]) -> dict[str, str]:
    """Unique names for a dataset's datums among all datasets, in the order of their uids."""
    uids = sorted({uid for each in selected for uid in each.uids}, key=natural_order)
    return {uid: f"{index:04}/{number:012}" for number, uid in enumerate(uids)}
