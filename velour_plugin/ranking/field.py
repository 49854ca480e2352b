"""Who is measured on one dataset, over which datums; and, over several datasets, as what teams."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from velour_plugin.domain.evaluation import Run
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.domain.order import natural_order
from velour_plugin.evaluator import Evaluator
from velour_plugin.filters import parse_filter, split_filter
from velour_plugin.plugins import installed
from velour_plugin.ranking.asked import Asked
from velour_plugin.ranking.comparable import ABOUT_DATUMS, differences, refuse
from velour_plugin.ranking.datum_predictions import select_by_predictions
from velour_plugin.ranking.entrants import entrants, shared_datums
from velour_plugin.store import Candidate, Store


@dataclass(frozen=True, slots=True)
class Field:
    """The evaluations of one dataset that are ranked.

    Args:
        dataset: its name.
        items: the evaluations.
        stored: their values of the metric over all that they judged, by evaluation.
        selected: for each evaluation, uids of the datums that count.
        total: how many datums there are.
        shared: uids that all evaluations were asked about; ``None`` when they agree in everything.
    """

    dataset: str
    items: Sequence[Candidate]
    stored: Mapping[str, float | None]
    selected: Sequence[set[str]]
    total: int
    shared: set[str] | None


@dataclass(frozen=True, slots=True)
class Team:
    """What takes one place on a board: a run, or over several datasets a model.

    Args:
        items: its evaluation on each dataset that it was judged on.
        selected: uids that count of each.
        missing: datasets that it was not judged on.
    """

    items: Sequence[Candidate]
    selected: Sequence[set[str]]
    missing: Sequence[str] = ()

    @property
    def first(self) -> Candidate:
        """The evaluation that the team is called by."""
        return self.items[0]

    @property
    def run(self) -> Run | None:
        """The MLflow run, where it is one; a model's evaluations on several datasets are many."""
        return self.first.run if len(self.items) == 1 else None

    @property
    def evaluator(self) -> Evaluator:
        """Who made its ledgers."""
        return installed().evaluator(self.first.task)


def field_of(
    store: Store,
    dataset: str,
    metric: str,
    label: Label | None,
    runs: str | Iterable[str] | None,
    experiments: Iterable[str] | None,
    on_mismatch: str,
    asked: Asked,
) -> Field:
    """Find who is ranked on a dataset, and over which datums.

    Raises:
        UnknownName: there is no such dataset, metric, label, run or property.
        NotComparable: the evaluations do not answer one question.
    """
    items, stored = entrants(store, dataset, metric, label, runs, experiments, asked)
    shared = shared_datums(store, dataset, items, on_mismatch, asked)
    sizes = {version.id: version.datums for version in store.versions(dataset)}
    versions = {item.version_id for item in items}
    wanted = {
        version: set(store.matching(dataset, version, asked.split.datums)) for version in versions
    }
    predicted = select_by_predictions(store, items, asked.split, on_mismatch)
    if predicted is not None:
        wanted = {version: chosen & predicted for version, chosen in wanted.items()}
    if shared is not None:
        wanted = {version: chosen & shared for version, chosen in wanted.items()}
    judged = {
        (version, where): _judged(store, dataset, version, where)
        for version, where in {(item.version_id, item.certificate.filter) for item in items}
        if where is not None
    }
    selected = [
        wanted[item.version_id]
        if item.certificate.filter is None
        else wanted[item.version_id] & judged[item.version_id, item.certificate.filter]
        for item in items
    ]
    return Field(dataset, items, stored, selected, max(sizes[one] for one in versions), shared)


def _judged(store: Store, dataset: str, version: int, where: str) -> set[str]:
    """Uids that an evaluation is about: those that its own filter selected."""
    own = split_filter(parse_filter(json.loads(where)))
    return set(store.matching(dataset, version, own.datums))


class Teams:
    """Who takes the places, and their ledgers.

    On one dataset every run has a place of its own. Over several, a model has: its newest
    evaluations on each are put together, and the datums of all count alike.
    """

    def __init__(self, fields: Sequence[Field], asked: Asked) -> None:
        self.fields, self.asked = fields, asked
        if len(fields) == 1:
            only = fields[0]
            self.teams = [
                Team([item], [uids]) for item, uids in zip(only.items, only.selected, strict=True)
            ]
            return
        _refuse_other_questions(fields, asked)
        models = dict.fromkeys(item.model for field in fields for item in field.items)
        self.teams = [self._team(model) for model in models]
        self.names = [_numbered(at, field.selected) for at, field in enumerate(fields)]

    @property
    def complete(self) -> list[Team]:
        """Those that were judged on every dataset."""
        return [team for team in self.teams if not team.missing]

    def selection(self, team: Team) -> set[str]:
        """Names in a complete team's ledger of the datums that count."""
        if len(self.fields) == 1:
            return team.selected[0]
        return {
            names[uid]
            for names, uids in zip(self.names, team.selected, strict=True)
            for uid in uids
        }

    def ledger(self, store: Store, team: Team) -> Ledger:
        """A complete team's ledger, over all datasets."""
        parts = [
            self.asked.ledger(store, item, uids)
            for item, uids in zip(team.items, team.selected, strict=True)
        ]
        if len(self.fields) == 1:
            return parts[0]
        renamed = [
            replace(part, datums=tuple(names.get(uid, f"{at}!{uid}") for uid in part.datums))
            for at, (part, names) in enumerate(zip(parts, self.names, strict=True))
        ]
        return team.evaluator.concatenate(renamed)

    def _team(self, model: str) -> Team:
        items, selected, missing = [], [], []
        for field in self.fields:
            own = [at for at, item in enumerate(field.items) if item.model == model]
            if own:  # the newest comes first
                items.append(field.items[own[0]])
                selected.append(field.selected[own[0]])
            else:
                missing.append(field.dataset)
        return Team(items, selected, missing)


def _numbered(at: int, selected: Sequence[set[str]]) -> dict[str, str]:
    """Names for a dataset's datums that no other dataset uses, and that sort as its uids do."""
    uids = sorted(set().union(*selected), key=natural_order)
    return {uid: f"{at:04}/{place:012}" for place, uid in enumerate(uids)}


def _refuse_other_questions(fields: Sequence[Field], asked: Asked) -> None:
    """Refuse to put answers to different questions together.

    Raises:
        NotComparable: evaluations on different datasets differ in more than their datums.
    """
    items = [item for field in fields for item in field.items]
    of_datasets = {*ABOUT_DATUMS, "dataset"}
    differing = {key: by for key, by in differences(items, asked).items() if key not in of_datasets}
    if differing:
        refuse(differing, may_intersect=False)
