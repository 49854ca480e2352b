"""Rank runs by a metric over any selection of datums, from stored ledgers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from velour_plugin.answers import Leaderboard, LeaderboardRow, Winner
from velour_plugin.answers.intervals import rough_notes
from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.errors import UnknownName
from velour_plugin.filters import parse_filter
from velour_plugin.filters.language.tree import to_json
from velour_plugin.queries.query import RankQuery, label_of
from velour_plugin.ranking.candidates.candidate_metadata import datasets_with_candidates
from velour_plugin.ranking.candidates.comparability import name_of
from velour_plugin.ranking.candidates.folding import folding_notes
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess, is_outdated
from velour_plugin.ranking.candidates.newest import Choice
from velour_plugin.ranking.candidates.selection import Competitors, select
from velour_plugin.ranking.defaults import named_datasets, named_metric
from velour_plugin.ranking.grouping import Groups, read_groups
from velour_plugin.ranking.leaderboard_columns import Columns, Row
from velour_plugin.ranking.notes import leaderboard_notes, refusal
from velour_plugin.ranking.uncertainty.bootstrap import measure_all
from velour_plugin.ranking.uncertainty.measurement import UNDEFINED, Measurement, interval_fields
from velour_plugin.ranking.uncertainty.uncertainty import Uncertainty
from velour_plugin.ranking.uncertainty.units import Units
from velour_plugin.store.protocol import Snapshot
from velour_plugin.store.values import Candidate


def answer_ranking(reader: Snapshot, query: RankQuery) -> Leaderboard:
    """Rank the runs that were evaluated on a dataset, and say how sure that is.

    Raises:
        NothingSelected: the filter selects no datum.
    """
    ranking = Ranking(reader, query)
    reader.release()
    if ranking.refusal is not None:
        raise ranking.refusal
    return ranking.leaderboard()


class Ranking:
    """Computes a leaderboard; everything is read from the store when this is made.

    Args:
        reader: of the store.
        query: to answer.

    Raises:
        UnknownName: there is no such dataset, metric, label, run, property or parameter.
        NotComparable: the evaluations do not answer one question; the fields are named.
    """

    def __init__(self, reader: Snapshot, query: RankQuery) -> None:
        self.query = query
        named = named_datasets(reader, query.datasets)
        self.metric = named_metric(reader, query.metric, named, label_of(query))
        self.access = LedgerAccess(reader, query.where, query.parameters)
        choice = Choice(
            self.metric,
            label_of(query),
            query.runs,
            query.experiments,
            query.on_mismatch,
            query.all_runs,
        )
        self.datasets = datasets_with_candidates(self.access, named)
        self.selections = [select(self.access, name, choice) for name in self.datasets]
        self.refusal = refusal(reader, self.selections, query)
        self.competitors = Competitors(self.selections, self.access)
        self.columns = Columns(reader, query, self.metric, self.competitors)
        self.groups = self._read_groups(reader)
        self.ledgers = None if self._is_stored else self.competitors.ledgers()

    def leaderboard(self) -> Leaderboard:
        """Compute values, intervals and probabilities, and return the leaderboard."""
        measured = self._measured()
        self._check_label()
        rows = self.columns.joined(self.competitors.all, measured)
        kept = [row for row in rows if self.columns.admits(row)]
        ranked, winner = self._ranked(kept)
        query, total = self.query, sum(each.total for each in self.selections)
        return Leaderboard(
            metric=self.metric,
            label=None if query.label is None else "=".join(query.label),
            dataset=", ".join(self.datasets),
            where=_canonical_filter(query),
            datums=max(each.datums for each in measured),
            of_datums=total,
            lower_is_better=self._lower_is_better,
            confidence=query.confidence,
            columns=self.columns.names,
            rows=ranked,
            winner=winner,
            **self.groups.of_answer,
            notes=(
                *self.access.notes,
                *folding_notes(self.folded, len(self.selections) == 1),
                *self.choice_notes,
                *self.groups.notes,
                *leaderboard_notes(measured, self.selections, query, total),
                *rough_notes((row.name, row.rough) for row in ranked),
                *self.columns.notes([row for row in rows if row not in kept]),
            ),
        )

    @property
    def selects_datums(self) -> bool:
        """Whether any datum counts."""
        return any(len(selected) for each in self.selections for selected in each.selected)

    @property
    def models(self) -> frozenset[str]:
        """Names of the rows."""
        return frozenset(competitor.name for competitor in self.competitors.all)

    @property
    def folded(self) -> list[Candidate]:
        """Evaluations in older runs, which have no row."""
        return [item for each in self.selections for item in each.chosen.folded]

    @property
    def choice_notes(self) -> list[str]:
        """Notes on runs that are deleted, each once."""
        return list(dict.fromkeys(note for s in self.selections for note in s.chosen.notes))

    @property
    def _is_stored(self) -> bool:
        """Whether the stored metric values are the answer, so that no ledger is read."""
        query = self.query
        whole = query.where is None and not query.parameters and self.selections[0].shared is None
        alone = len(self.selections) == 1 and not self.columns.metrics
        outdated = any(map(is_outdated, self.selections[0].candidates))
        return whole and alone and not outdated and not query.resamples

    @property
    def _lower_is_better(self) -> bool:
        return self.competitors.all[0].evaluator.prefers_lower(self.metric)

    @property
    def _units(self) -> Units | None:
        """What resamples draw, of each dataset as much as it has; ``None`` if runs differ in it."""
        counts = {tuple(map(len, each.selected)) for each in self.competitors.complete}
        return (self.groups.units or Units.of_datums(*counts.pop())) if len(counts) == 1 else None

    def _read_groups(self, reader: Snapshot) -> Groups:
        """Groups of the datums that count, which are the same ones in all runs."""
        for competitor in self.competitors.complete[:1]:
            versions = (item.version for item in competitor.items)
            uids = (selected.uids for selected in competitor.selected)
            parts = [*zip(versions, uids, strict=True)]
            return read_groups(reader, self.query.groups, parts, self.query.resamples)
        return Groups()

    def _measured(self) -> list[Measurement]:
        """Value and replicates of each competitor, from stored values or ledgers."""
        if self.ledgers is None:
            stored = self.selections[0].chosen.values
            return [
                _as_stored(stored[competitor.first.evaluation_id], competitor.datums)
                for competitor in self.competitors.all
            ]
        measured = iter(
            measure_all(
                (
                    (competitor.evaluator, ledger, selected.mask(ledger.datums))
                    for competitor, ledger, selected in self.ledgers
                ),
                len(self.competitors.complete),
                self.metric,
                label_of(self.query),
                units=self._units,
                resamples=self.query.resamples,
                seed=self.query.seed,
                further=self.columns.metrics,
            )
        )
        return [
            Measurement(None, 0, np.empty(0), f"not evaluated on {', '.join(competitor.missing)}")
            if competitor.missing
            else next(measured)
            for competitor in self.competitors.all
        ]

    def _check_label(self) -> None:
        """Refuse a label that no ledger has after mapping and filtering labels."""
        label, known = self.query.label, self.access.labels
        if label is not None and known and tuple(label) not in known:
            raise UnknownName("label", "=".join(label), map("=".join, known))

    def _ranked(self, kept: Sequence[Row]) -> tuple[list[LeaderboardRow], Winner | None]:
        """Rows in order, the best first and those without a value last; and the winner's value."""
        measured = [row.measured for row in kept]
        lower = self._lower_is_better
        known = sorted((m.value for m in measured if m.value is not None), reverse=not lower)
        ranks = {value: 1 + place for place, value in reversed([*enumerate(known)])}
        bounds = self.competitors.all[0].evaluator.bounds(self.metric)
        sure = Uncertainty(measured, bounds, lower, self.query.confidence)
        rows = [
            LeaderboardRow(
                rank=None if row.value is None else ranks[row.value],
                model=row.competitor.name,
                run=None if row.competitor.run is None else name_of(row.competitor.first),
                run_id=None if row.competitor.run is None else row.competitor.run.run_id,
                value=row.value,
                datums=row.measured.datums,
                evaluation_id=row.competitor.evaluation_id,
                reason=row.measured.reason,
                rank_interval=sure.rank_interval(index),
                p_best=sure.p_best(index),
                tied_with_best=sure.tied_with_best(index),
                columns=row.values,
                **interval_fields(row.measured, self.query.confidence, bounds),
            )
            for index, row in enumerate(kept)
        ]
        ranked = sorted(rows, key=lambda row: (row.rank or len(rows) + 1, row.model, row.run or ""))
        return ranked, _winner(sure, rows.index(ranked[0])) if ranked else None


def _winner(sure: Uncertainty, first: int) -> Winner | None:
    corrected = sure.after_selection(first)
    if corrected is None:
        return None
    value, low, high = corrected
    return Winner(value, (low, high), len(sure.known), "hierarchical shrinkage")


def _as_stored(value: float | None, datums: int) -> Measurement:
    return Measurement(value, datums, np.empty(0), None if value is not None else UNDEFINED)


def _canonical_filter(query: RankQuery) -> str | None:
    where = parse_filter(query.where)
    return None if where is None else canonical_json(to_json(where))
