"""Rank runs by a metric over any selection of datums, from what was matched once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

import numpy as np

from velour_plugin.domain.canonical import canonical_json, digest
from velour_plugin.domain.labels import DEFAULT_KEY, Label
from velour_plugin.errors import InvalidInput, StoreUnavailable, UnknownName
from velour_plugin.filters import Node, parse_filter
from velour_plugin.filters.tree import to_json
from velour_plugin.plugins import installed
from velour_plugin.ranking import statistics
from velour_plugin.ranking.board import Board, Row
from velour_plugin.ranking.comparable import name_of
from velour_plugin.ranking.entrants import entrants, shared_datums
from velour_plugin.ranking.measured import FEW, UNDEFINED, Measured, measure_all
from velour_plugin.store import Candidate, Store, open_store

OnMismatch = Literal["refuse", "intersect"]
LabelName = str | tuple[str, str]


def rank(
    metric: str,
    dataset: str,
    where: str | Mapping[str, Any] | Node | None = None,
    label: LabelName | None = None,
    runs: str | Iterable[str] | None = None,
    experiments: Iterable[str] | None = None,
    on_mismatch: OnMismatch = "refuse",
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    store: Store | None = None,
) -> Board:
    """Rank the runs that were evaluated on a dataset, and say how sure that is.

    Of each run, the newest evaluation of a kind counts. A filter is answered from the
    ledgers: nothing is matched again. Intervals, rank intervals and probabilities are from
    resamples of the selected datums, the same for every run.

    Args:
        metric: a headline metric such as ``mAP``, or with ``label`` one of a label such as ``AP``.
        dataset: name of the dataset.
        where: only these datums count (see :mod:`velour_plugin.filters`).
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

    Raises:
        UnknownName: there is no such dataset, metric, label, run or property.
        NotComparable: the evaluations do not answer one question; the fields are named.
        BadFilter: the filter has no meaning.
        InvalidInput: confidence or resamples are out of range.
    """
    if on_mismatch not in ("refuse", "intersect"):
        raise UnknownName("on_mismatch", on_mismatch, ("refuse", "intersect"))
    check_statistics(confidence, resamples)
    node = parse_filter(where)
    about = label_of(label)
    if store is None:
        with open_store() as opened:
            return rank(
                metric, dataset, node, label, runs, experiments, on_mismatch, confidence,
                resamples, seed, opened,
            )  # fmt: skip
    key = None
    if not isinstance(runs, str):  # what a tracker's query finds may change behind our back
        runs, experiments = _listed(runs), _listed(experiments)
        asked = [
            metric, dataset, None if node is None else to_json(node), label, runs, experiments,
            on_mismatch, confidence, resamples, seed,
        ]  # fmt: skip
        key = digest("rank", _versions(), canonical_json(asked))
        known = store.answer(key, dataset)
        if known is not None:
            return Board.from_dict(known)
    board = _ranked(
        store, metric, dataset, node, about, runs, experiments, on_mismatch, confidence,
        resamples, seed,
    )  # fmt: skip
    if key is not None:
        with suppress(StoreUnavailable):  # who may only read is answered all the same
            store.keep_answer(key, dataset, board.to_dict())
    return board


def _listed(names: Iterable[str] | None) -> list[str] | None:
    if names is None:
        return None
    return [names] if isinstance(names, str) else sorted(map(str, names))


def _versions() -> str:
    """An answer is of the arithmetic that gave it."""
    evaluators = installed().evaluators.values()
    return canonical_json(sorted([one.task, one.version] for one in evaluators))


def _ranked(
    store: Store,
    metric: str,
    dataset: str,
    node: Node | None,
    about: Label | None,
    runs: str | Iterable[str] | None,
    experiments: Iterable[str] | None,
    on_mismatch: OnMismatch,
    confidence: float,
    resamples: int,
    seed: int,
) -> Board:
    field, stored = entrants(store, dataset, metric, about, runs, experiments)
    shared = shared_datums(store, dataset, field, on_mismatch)
    selected, total = _selected(store, dataset, field, node, shared)
    lower = installed().evaluator(field[0].task).prefers_lower(metric)
    whole = node is None and shared is None
    if whole and not resamples:
        found = [
            Measured(value, len(uids), np.empty(0), None if value is not None else UNDEFINED)
            for item, uids in zip(field, selected, strict=True)
            for value in (stored[item.evaluation_id],)
        ]
    else:
        found = measure_all(
            [installed().evaluator(item.task) for item in field],
            store.ledgers([item.evaluation_id for item in field]),
            selected,
            metric,
            about,
            resamples,
            seed,
        )
    return Board(
        metric=metric,
        label=None if about is None else f"{about.key}={about.value}",
        dataset=dataset,
        where=None if node is None else canonical_json(to_json(node)),
        datums=max(map(len, selected)),
        of_datums=total,
        lower_is_better=lower,
        confidence=confidence,
        rows=_rows(field, found, metric, lower, confidence),
        notes=tuple(_notes(found, total, dataset, shared, bool(resamples))),
    )


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


def _selected(
    store: Store,
    dataset: str,
    field: Sequence[Candidate],
    node: Node | None,
    shared: set[str] | None,
) -> tuple[list[set[str]], int]:
    """Uids that count, for each entrant; and how many datums there are."""
    versions = {item.version_id for item in field}
    all_of = {number: store.matching(dataset, number, None) for number in versions}
    uids = {
        number: set(all_of[number] if node is None else store.matching(dataset, number, node))
        for number in versions
    }
    if shared is not None:
        uids = {number: chosen & shared for number, chosen in uids.items()}
    total = max(map(len, all_of.values()))
    return [uids[item.version_id] & _judged(store, dataset, item) for item in field], total


def _judged(store: Store, dataset: str, item: Candidate) -> set[str]:
    """Uids that an evaluation is about: those that its own filter selected."""
    own = item.certificate.filter
    node = None if own is None else parse_filter(json.loads(own))
    return set(store.matching(dataset, item.version_id, node))


def _rows(
    field: Sequence[Candidate],
    found: Sequence[Measured],
    metric: str,
    lower: bool,
    confidence: float,
) -> list[Row]:
    """Rows in order: the best first, those without a value last."""
    values = [one.value for one in found]
    known = sorted((v for v in values if v is not None), reverse=not lower)
    sure = _Sureness(field, found, metric, lower, confidence)
    rows = [
        Row(
            rank=None if one.value is None else 1 + known.index(one.value),
            model=item.model,
            run=None if item.run is None else name_of(item),
            run_id=None if item.run is None else item.run.run_id,
            value=one.value,
            datums=one.datums,
            evaluation_id=item.evaluation_id,
            reason=one.reason,
            interval=sure.interval(place),
            rank_interval=sure.rank_interval(place),
            p_best=sure.p_best(place),
            tied_with_best=sure.tied_with_best(place),
        )
        for place, (item, one) in enumerate(zip(field, found, strict=True))
    ]
    return sorted(rows, key=lambda row: (row.rank or len(rows) + 1, row.model, row.run or ""))


class _Sureness:
    """What the resamples say of each run; nothing where there are none."""

    def __init__(
        self,
        field: Sequence[Candidate],
        found: Sequence[Measured],
        metric: str,
        lower: bool,
        confidence: float,
    ) -> None:
        self.found, self.confidence, self.lower = found, confidence, lower
        self.bounds = installed().evaluator(field[0].task).bounds(metric)
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
        one = self.found[place]
        if not self._drawn_for(place):
            return None
        return statistics.basic_interval(one.value, one.replicates, self.confidence, self.bounds)

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
    found: Sequence[Measured], total: int, dataset: str, shared: set[str] | None, asked: bool
) -> list[str]:
    if not any(one.datums for one in found):
        return [f"The filter selects none of the {total} datums of {dataset!r}."]
    notes = list(dict.fromkeys(one.reason for one in found if one.reason))
    if shared is not None:
        notes.append(f"Compared over the {len(shared)} datums that all evaluations share.")
    fewest = min(one.datums for one in found)
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
