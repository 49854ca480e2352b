"""Rank runs by a metric over any selection of datums, from what was matched once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.canonical import canonical_json, digest
from velour_plugin.domain.labels import DEFAULT_KEY, Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import InvalidInput, StoreUnavailable, UnknownName
from velour_plugin.filters import Node, Where, parse_filter
from velour_plugin.filters.kinds import contradictions
from velour_plugin.filters.tree import filter_digest, to_json
from velour_plugin.plugins import installed
from velour_plugin.ranking import statistics
from velour_plugin.ranking.asked import Asked
from velour_plugin.ranking.board import Board, Row
from velour_plugin.ranking.comparable import name_of
from velour_plugin.ranking.field import Field, Team, Teams, field_of
from velour_plugin.ranking.measured import FEW, UNDEFINED, Measured, measure_all
from velour_plugin.store import Store, open_store

OnMismatch = Literal["refuse", "intersect"]
LabelName = str | tuple[str, str]


def rank(
    metric: str,
    dataset: str | Sequence[str],
    where: Where = None,
    label: LabelName | None = None,
    runs: str | Iterable[str] | None = None,
    experiments: Iterable[str] | None = None,
    on_mismatch: OnMismatch = "refuse",
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    store: Store | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Board:
    """Rank the runs that were evaluated on a dataset, and say how sure that is.

    Of each run, the newest evaluation of a kind counts. A filter on datums, labels or higher
    scores is answered from the ledgers; what these cannot answer is matched again from the
    stored annotations, and the board says so. Intervals, rank intervals and probabilities are
    from resamples of the selected datums, the same for every run.

    Args:
        metric: a headline metric such as ``mAP``, or with ``label`` one of a label such as ``AP``.
        dataset: name of the dataset. Of several datasets, models are ranked over the datums of
            all together: each by its newest evaluation on each.
        where: only these datums, labels, scores, annotations and runs count (see
            :mod:`velour_plugin.filters`).
        label: a class, by its value or as (key, value).
        runs: an MLflow filter string such as ``"params.backbone = 'swin'"``; or ids or names of
            runs or models; ``None`` for all.
        experiments: ids of MLflow experiments; ``None`` for all.
        on_mismatch: when evaluations differ in what they were asked: ``refuse``, or
            ``intersect`` to compare them over the datums that they share.
        confidence: of the intervals, in (0, 1).
        resamples: how many to draw; 0 for no intervals.
        seed: of the resamples; the same seed gives the same board.
        store: an open store; ``None`` opens the default one.
        parameters: of the task, ``label_map`` or ``label_keys``, in place of those that the
            evaluations were made with; the others stay.

    Raises:
        UnknownName: there is no such dataset, metric, label, run, property or parameter.
        NotComparable: the evaluations do not answer one question; the fields are named.
        BadFilter: the filter has no meaning.
        InvalidInput: confidence or resamples are out of range.
    """
    if on_mismatch not in ("refuse", "intersect"):
        raise UnknownName("on_mismatch", on_mismatch, ("refuse", "intersect"))
    check_statistics(confidence, resamples)
    query = _Query(
        metric, _names(dataset), parse_filter(where), label_of(label),
        runs if isinstance(runs, str) else _listed(runs), _listed(experiments), on_mismatch,
        confidence, resamples, seed, dict(parameters or {}),
    )  # fmt: skip
    if store is not None:
        return _answered(store, query)
    with open_store() as opened:
        return _answered(opened, query)


@dataclass(frozen=True, slots=True)
class _Query:
    """What :func:`rank` was asked, in one spelling."""

    metric: str
    datasets: Sequence[str]
    where: Node | None
    label: Label | None
    runs: str | Sequence[str] | None
    experiments: Sequence[str] | None
    on_mismatch: OnMismatch
    confidence: float
    resamples: int
    seed: int
    parameters: Mapping[str, Any]

    @property
    def key(self) -> str | None:
        """Names the answer; ``None`` where what a tracker finds may change behind our back."""
        if isinstance(self.runs, str):
            return None
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        said["where"] = filter_digest(self.where)
        said["label"] = self.label and self.label.name
        said["parameters"] = sorted(
            [repr(key), repr(value)] for key, value in self.parameters.items()
        )
        return digest("rank", _versions(), canonical_json(said))


def _answered(store: Store, query: _Query) -> Board:
    """The board, from the store if it was asked for before and still holds."""
    key = query.key
    known = None if key is None else store.answer(key, query.datasets)
    if known is not None:
        return Board.from_dict(known)
    board = _ranked(store, query)
    if key is not None:
        with suppress(StoreUnavailable):  # who may only read is answered all the same
            store.keep_answer(key, query.datasets, board.to_dict())
    return board


def _names(dataset: str | Sequence[str]) -> list[str]:
    names = [dataset] if isinstance(dataset, str) else list(dict.fromkeys(dataset))
    if not names:
        raise InvalidInput("dataset []: name at least one dataset.")
    return names


def _listed(names: Iterable[str] | None) -> list[str] | None:
    if names is None:
        return None
    return [names] if isinstance(names, str) else sorted(map(str, names))


def _versions() -> str:
    """An answer is of the arithmetic that gave it."""
    evaluators = installed().evaluators.values()
    return canonical_json(sorted([one.task, one.version] for one in evaluators))


def _ranked(store: Store, query: _Query) -> Board:
    asked = Asked(query.where, query.parameters)
    fields = [
        field_of(
            store,
            name,
            query.metric,
            query.label,
            query.runs,
            query.experiments,
            query.on_mismatch,
            asked,
        )
        for name in query.datasets
    ]
    field = Teams(fields, asked)
    found = _measured(store, query, field)
    if query.label is not None and asked.labels and query.label.name not in asked.labels:
        raise UnknownName("label", "=".join(query.label.name), map("=".join, asked.labels))
    total = sum(one.total for one in fields)
    return Board(
        metric=query.metric,
        label=None if query.label is None else "=".join(query.label.name),
        dataset=", ".join(query.datasets),
        where=None if query.where is None else canonical_json(to_json(query.where)),
        datums=max(one.datums for one in found),
        of_datums=total,
        lower_is_better=field.teams[0].evaluator.prefers_lower(query.metric),
        confidence=query.confidence,
        rows=_rows(field.teams, found, query),
        notes=(*asked.notes, *_notes(found, total, fields, query.where, bool(query.resamples))),
    )


def _measured(store: Store, query: _Query, field: Teams) -> list[Measured]:
    """What each team is worth: stored numbers where they are the answer, else from ledgers."""
    only = field.fields[0]
    whole = query.where is None and not query.parameters and only.shared is None
    if whole and len(field.fields) == 1 and not query.resamples:
        return [
            Measured(value, len(uids), np.empty(0), None if value is not None else UNDEFINED)
            for item, uids in zip(only.items, only.selected, strict=True)
            for value in (only.stored[item.evaluation_id],)
        ]
    complete = field.complete
    measured = iter(
        measure_all(
            [team.evaluator for team in complete],
            (_selected(field.ledger(store, team), field.selection(team)) for team in complete),
            [len(field.selection(team)) for team in complete],
            query.metric,
            query.label,
            query.resamples,
            query.seed,
        )
    )
    return [
        Measured(None, 0, np.empty(0), f"not judged on {', '.join(team.missing)}")
        if team.missing
        else next(measured)
        for team in field.teams
    ]


def _selected(ledger: Ledger, uids: set[str]) -> tuple[Ledger, NDArray[np.bool_]]:
    """A ledger, and which of its datums count."""
    return ledger, np.array([uid in uids for uid in ledger.datums], bool)


def check_statistics(confidence: float, resamples: int) -> None:
    """Refuse a confidence outside (0, 1) or a negative number of resamples."""
    if not 0 < confidence < 1:
        raise InvalidInput(f"confidence {confidence!r}: expected a share such as 0.95.")
    if not isinstance(resamples, int) or resamples < 0:
        raise InvalidInput(f"resamples {resamples!r}: expected a whole number >= 0.")


def label_of(label: LabelName | None) -> Label | None:
    """A class by its value, under the default key, or by (key, value)."""
    if label is None:
        return None
    key, value = (DEFAULT_KEY, label) if isinstance(label, str) else label
    return Label(key, value)


def _rows(teams: Sequence[Team], found: Sequence[Measured], query: _Query) -> list[Row]:
    """Rows in order: the best first, those without a value last."""
    evaluator = teams[0].evaluator
    lower = evaluator.prefers_lower(query.metric)
    values = [one.value for one in found]
    known = sorted((v for v in values if v is not None), reverse=not lower)
    sure = _Sureness(found, evaluator.bounds(query.metric), lower, query.confidence)
    rows = [
        Row(
            rank=None if one.value is None else 1 + known.index(one.value),
            model=team.first.model,
            run=None if team.run is None else name_of(team.first),
            run_id=None if team.run is None else team.run.run_id,
            value=one.value,
            datums=one.datums,
            evaluation_id="+".join(item.evaluation_id for item in team.items),
            reason=one.reason,
            interval=sure.interval(place),
            rank_interval=sure.rank_interval(place),
            p_best=sure.p_best(place),
            tied_with_best=sure.tied_with_best(place),
        )
        for place, (team, one) in enumerate(zip(teams, found, strict=True))
    ]
    return sorted(rows, key=lambda row: (row.rank or len(rows) + 1, row.model, row.run or ""))


class _Sureness:
    """What the resamples say of each run; nothing where there are none."""

    def __init__(
        self,
        found: Sequence[Measured],
        bounds: tuple[float | None, float | None],
        lower: bool,
        confidence: float,
    ) -> None:
        self.found, self.confidence, self.lower = found, confidence, lower
        self.bounds = bounds
        self.known = [place for place, one in enumerate(found) if one.value is not None]
        drawn = {len(found[place].replicates) for place in self.known}
        self.drawn = len(drawn) == 1 and drawn != {0}
        if self.drawn:
            self.replicates = np.stack([found[place].replicates for place in self.known])
            values = [found[place].value for place in self.known]
            truths = statistics.recentred(values, self.replicates)
            self.ranks = statistics.rank_replicates(truths, lower)
            self.chances = statistics.best_probabilities(self.ranks)

    def interval(self, place: int) -> tuple[float, float] | None:
        if not self._drawn_for(place):
            return None
        return self.found[place].interval(self.confidence, self.bounds)

    def rank_interval(self, place: int) -> tuple[int, int] | None:
        if not self._drawn_for(place):
            return None
        return statistics.rank_interval(self.ranks[self.known.index(place)], self.confidence)

    def p_best(self, place: int) -> float | None:
        return float(self.chances[self.known.index(place)]) if self._drawn_for(place) else None

    def tied_with_best(self, place: int) -> bool | None:
        """Whether the paired difference to the best may be nothing."""
        if not self._drawn_for(place):
            return None
        sign = -1 if self.lower else 1
        best = max(self.known, key=lambda at: sign * (self.found[at].value or 0.0))
        mine, theirs = self.found[place], self.found[best]
        assert mine.value is not None
        assert theirs.value is not None
        interval = statistics.basic_interval(
            theirs.value - mine.value, theirs.replicates - mine.replicates, self.confidence
        )
        return interval is None or interval[0] <= 0 <= interval[1]

    def _drawn_for(self, place: int) -> bool:
        return self.drawn and place in self.known


def _notes(
    found: Sequence[Measured],
    total: int,
    fields: Sequence[Field],
    where: Node | None,
    asked: bool,
) -> list[str]:
    told = [one for one in found if one.datums]
    if not any(uids for field in fields for uids in field.selected):
        names = ", ".join(repr(field.dataset) for field in fields)
        none = f"The filter selects none of the {total} datums of {names}."
        return [none, *contradictions(where)]
    notes = list(dict.fromkeys(one.reason for one in found if one.reason))
    notes += [
        f"Compared over the {len(field.shared)} datums that all evaluations share on "
        f"{field.dataset!r}."
        for field in fields
        if field.shared is not None
    ]
    fewest = min((one.datums for one in told), default=FEW)
    if asked and fewest < FEW:
        notes.append(f"{fewest} datums are too few to say how sure this is: at least {FEW} are.")
    rare = max(found, key=lambda one: len(one.rare))
    if rare.rare and any(one.replicates.size for one in found):
        named = ", ".join(rare.rare[:5]) + (", …" if len(rare.rare) > 5 else "")
        notes.append(
            f"Intervals are rough: fewer than {FEW} of these datums show {len(rare.rare)} of the "
            f"{rare.labels} labels ({named})."
        )
    return notes
