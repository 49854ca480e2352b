"""Promote: move a registry alias to the version that wins a ranking, if its lead is no chance.

The versions of one registered model are ranked by their evaluations, and the best
is compared, datum by datum, with the one that has the alias. The best of several challengers
has had as many chances: its p is multiplied by their number (Bonferroni). Who looks every day has
as many chances, too: looks share one probability of error, and tags remember what they spent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlflow

import velour_plugin as velour
from velour_integrations.mlflow.registry import looks
from velour_integrations.mlflow.registry.contest import Contest
from velour_integrations.mlflow.registry.looks import Lead
from velour_integrations.mlflow.registry.trial import hold_trial
from velour_integrations.mlflow.registry.versions import (
    ModelVersion,
    evaluations_of_version,
    versions,
)
from velour_integrations.mlflow.runs.states import trackers
from velour_plugin import Leaderboard, Store
from velour_plugin.errors import InvalidInput, NotFound
from velour_plugin.plugin import Where, opened, refresh_runs

TAG = "velour.promotion."
"""Prefix of the tag with the reason of a promotion; the alias follows."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of an alias, and why.

    Args:
        model: the registered model.
        alias: to be moved.
        winner: number of the version that comes first.
        holder: number of the version that had the alias; ``None`` when none had it.
        p: two-sided, of the winner's lead; ``None`` where there is none to tell.
        level: up to which p is no chance at this look; ``None`` without p.
        look: how many looks at this lead there were, with this one; ``None`` without p.
        min_lead: by how much it had to lead; ``None`` for no margin.
        moved: whether the alias is the winner's now and was not before.
        forced: whether it moves although the lead may be chance.
        reason: why, in a sentence.
        board: the ranking of the versions.
        operating_point: of the winner: the precision to reach and by class the score from which on
            its predictions are taken; ``None`` where no precision was named.
    """

    model: str
    alias: str
    winner: int
    holder: int | None
    p: float | None
    level: float | None
    look: int | None
    min_lead: float | None
    moved: bool
    forced: bool
    reason: str
    board: Leaderboard
    operating_point: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary that JSON can hold."""
        content = {key: getattr(self, key) for key in self.__slots__ if key != "board"}
        return {**content, "board": self.board.to_dict()}

    def __str__(self) -> str:
        return "\n".join([f"{self.board}\n", self.reason, *self._thresholds()])

    def _thresholds(self) -> list[str]:
        if self.operating_point is None:
            return []
        precision, scores = self.operating_point["precision"], self.operating_point["thresholds"]
        shown = ", ".join(f"{label} {score:.4g}" for label, score in scores.items()) or "none"
        return [f"Thresholds for a precision of {precision:g}: {shown}."]


def promote(
    model: str,
    alias: str = "champion",
    metric: str = "mAP",
    *,
    dataset: str,
    where: Where = None,
    label: str | tuple[str, str] | None = None,
    force: bool = False,
    dry_run: bool = False,
    groups: str | Sequence[str] | None = None,
    min_lead: float | None = None,
    precision: float | None = None,
    confidence: float = 0.95,
    permutations: int = 1000,
    seed: int = 0,
    store: Store | str | None = None,
) -> Promotion:
    """Move an alias to the best version of a model, if it leads the alias's holder significantly.

    If no version has the alias, the best version gets it without a test. If the holder was not
    evaluated on these data, or its metric is undefined, the alias stays, but for ``force``.

    The same may be asked again and again while the data grow: the probability that the alias ever
    moves to a version that is not better is at most 1 less the confidence, over all looks until it
    moves (see :mod:`velour_plugin.ranking.comparing.spending`). What looks spent is remembered in
    tags of the registered model; looks at the same evaluations, and dry runs, spend nothing.

    Versions take part by their newest evaluation on the newest version of the dataset that any
    of them was evaluated on. The version that gets the alias gets a tag with the reason.

    Args:
        model: the registered model's name.
        alias: to move.
        metric: to rank by.
        dataset: name of the dataset.
        where: only these datums count.
        label: a class, for a metric of labels.
        force: move the alias even when the lead may be chance; the tag says so.
        dry_run: only say what would be done.
        groups: a property whose values tell which datums belong together, as the frames of a
            video; ``None`` as the dataset declares (see :func:`velour_plugin.rank`).
        min_lead: a margin >= 0: the alias moves only if the lead is shown to be larger.
        precision: to reach by a threshold for each class: those of the winner are stored in its tag
            when the alias moves (see :func:`velour_plugin.threshold`).
        confidence: the lead is no chance when p is at most 1 less this, at the first look.
        permutations: of the comparison.
        seed: of the ranking and the comparison.
        store: an open store or its URL; ``None`` for the default store.

    Raises:
        UnknownName: there is no such model, dataset, metric, label or property.
        NotFound: no version was evaluated on the dataset.
        NotComparable: the versions were evaluated on different data or with different parameters.
        InvalidInput: no version has a value, MLflow takes no such alias or tag, or the margin is
            below 0.
    """
    velour.CompareQuery(baseline=model, candidate=model, min_lead=min_lead)  # or refuses a margin
    known = versions(model)
    holder = next((version for version in known if alias in version.aliases), None)
    with opened(store) as reader:
        trackers.add(mlflow.get_tracking_uri())
        refresh_runs(reader, [dataset], None)
        candidates, notes = _candidates(known, holder, dataset, reader)
        board = velour.rank(
            metric, dataset, where=where, label=label, runs=list(candidates),
            groups=groups, confidence=confidence, seed=seed, store=reader,
        )  # fmt: skip
        contest = Contest.of(board, candidates, holder, notes)
        trial = None
        if holder is not None and contest.held is not None and contest.is_open:
            pair = (contest.held.evaluation_id, board[0].evaluation_id)
            comparison = velour.compare(
                *pair, metric=metric, where=where, label=label, dataset=dataset, groups=groups,
                min_lead=min_lead, confidence=confidence, permutations=permutations, seed=seed,
                store=reader,
            )  # fmt: skip
            lead = Lead(
                model, alias, holder.number, contest.winner.number, board.metric, board.label,
                board.dataset, board.where, board.groups, min_lead, confidence,
            )  # fmt: skip
            trial = hold_trial(lead, pair, comparison, contest.challengers, reader)
        point = None
        if precision is not None:
            thresholds = velour.threshold(
                board[0].evaluation_id, precision=precision, where=where, label=label,
                dataset=dataset, groups=groups, store=reader,
            )  # fmt: skip
            point = {"precision": precision, "thresholds": thresholds.by_label}
    doubt = contest.doubt(trial)
    moves = contest.winner != holder and (doubt is None or force)
    promotion = Promotion(
        model,
        alias,
        contest.winner.number,
        None if holder is None else holder.number,
        None if trial is None else trial.p,
        None if trial is None else trial.level,
        None if trial is None else trial.look,
        min_lead,
        moves and not dry_run,
        moves and doubt is not None,
        contest.sentence(alias, trial, doubt, moves, dry_run),
        contest.board,
        point,
    )
    if promotion.moved:
        _move(promotion)
    elif trial is not None and not dry_run:
        looks.remember(trial.lead, trial.history)
    return promotion


def _candidates(
    known: Sequence[ModelVersion], holder: ModelVersion | None, dataset: str, store: Store
) -> tuple[dict[str, ModelVersion], list[str]]:
    """Versions by the run of their newest evaluation, and notes on those that have none."""
    numbers = {listed.id: listed.number for listed in store.versions(dataset)}
    evaluations = {version: evaluations_of_version(version, dataset, store) for version in known}
    newest = max(
        (numbers[item.version.id] for items in evaluations.values() for item in items), default=0
    )
    if not newest:
        raise NotFound(
            f"no version of {known[0].model!r} was evaluated on {dataset!r} in an MLflow run: "
            f"velour evaluate models:/{known[0].name} --dataset {dataset}"
        )
    candidates: dict[str, ModelVersion] = {}
    notes = []
    for version in sorted(known, key=lambda version: (version == holder, version.number)):
        items = [item for item in evaluations[version] if numbers[item.version.id] == newest]
        if items and items[0].run:  # of versions that share a run, the holder has it
            candidates[items[0].run.run_id] = version
        else:
            notes.append(f"{version.name}: not evaluated on {dataset} v{newest}, left out.")
    return candidates, notes


def _move(promotion: Promotion) -> None:
    """Set the alias, and say on the version why it has it."""
    best, board = promotion.board[0], promotion.board
    record = {
        "evaluation_id": best.evaluation_id,
        "metric": board.metric,
        "label": board.label,
        "value": best.value,
        "corrected": board.to_dict()["winner"],
        "dataset": board.dataset,
        "where": board.where,
        "groups": list(board.groups),
        "p": promotion.p,
        "level": promotion.level,
        "look": promotion.look,
        "min_lead": promotion.min_lead,
        "from": promotion.holder,
        "forced": promotion.forced,
        "reason": promotion.reason,
        "operating_point": promotion.operating_point,
    }
    client, number = mlflow.MlflowClient(), str(promotion.winner)
    try:
        client.set_registered_model_alias(promotion.model, promotion.alias, number)
    except mlflow.MlflowException as error:
        raise InvalidInput(f"alias {promotion.alias!r}: {error.message}") from error
    looks.forget(promotion.model, promotion.alias)
    client.set_model_version_tag(
        promotion.model, number, f"{TAG}{promotion.alias}", json.dumps(record)
    )
