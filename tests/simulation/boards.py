"""What a board of several models says of ranks, of the best set, of P(best) and of its winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

import velour_plugin as velour
from tests.simulation.classification import CLASSIFICATION
from tests.simulation.detection import DETECTION
from tests.simulation.promises import Counts, Experiment, Promise
from tests.simulation.worlds import World

SAID = {"P(best) 0.90": (0.85, 0.95), "P(best) 0.97": (0.95, 0.99)}
"""Bins of probabilities, as boards say them."""


@dataclass(frozen=True)
class Qualities:
    """How good the models of a board are.

    Args:
        count: of the models.
        spread: standard deviation of their qualities.
        shape: of their distribution: normal, uniform, or one model ahead of equal ones.
    """

    count: int
    spread: float
    shape: str = "normal"

    def draw(self, random: Generator) -> list[float]:
        """Draw qualities about 0."""
        if self.shape == "one ahead":
            ahead = np.zeros(self.count)
            ahead[random.integers(self.count)] = abs(self.spread * random.normal())
            return ahead.tolist()
        drawn = (
            random.uniform(-np.sqrt(3), np.sqrt(3), self.count)
            if self.shape == "uniform"
            else random.normal(size=self.count)
        )
        return (self.spread * drawn).tolist()

    def __str__(self) -> str:
        kind = "equal" if not self.spread else f"{self.shape} (sd {self.spread:g})"
        return f"{self.count} models, {kind}"


@dataclass(frozen=True)
class Board:
    """Several models on the same datums.

    Args:
        world: that the datums are of.
        metric: to rank by.
        datums: how many.
        qualities: of the models.
    """

    world: World
    metric: str
    datums: int
    qualities: Qualities
    resamples: int = 1000

    def __call__(self, seed: int) -> Counts:
        """Count what the board says wrongly; of its rows one by chance stands for each."""
        random = np.random.default_rng([seed, self.datums, self.qualities.count])
        qualities = self.qualities.draw(random)
        sample = self.world.sample(self.datums, qualities, random.integers(1 << 62))
        board = sample.board(self.metric, resamples=self.resamples)
        of_row = [qualities[sample.model_of(row)] for row in board]
        return {
            **_ranks(board, of_row, random),
            **_best_set(board, of_row),
            **_chances(board, of_row),
            **self._winner(board, of_row),
        }

    def _winner(self, board: velour.Leaderboard, qualities: Sequence[float]) -> Counts:
        """How far the first row's value is from its truth, and whether its interval holds that."""
        first, truth = board[0], self.world.truth(self.metric, qualities[0])
        assert first.value is not None
        low, high = first.interval or (0.0, 1.0)
        counts: dict[str, float | None] = {
            "first value: bias": first.value - truth,
            "first value: coverage": float(low <= truth <= high),
        }
        if board.winner is not None:
            low, high = board.winner.interval
            counts["corrected: bias"] = board.winner.value - truth
            counts["corrected: coverage"] = float(low <= truth <= high)
        return counts


def _ranks(board: velour.Leaderboard, qualities: Sequence[float], random: Generator) -> Counts:
    """Whether rank sets hold a true rank; of equal models, each of their ranks is true of all."""
    holds = []
    for row, quality in zip(board, qualities, strict=True):
        best, worst = row.rank_interval or (1, len(board))
        first = 1 + sum(other > quality for other in qualities)
        last = sum(other >= quality for other in qualities)
        holds.append(any(best <= rank <= worst for rank in range(first, last + 1)))
    return {
        "rank of one": float(holds[random.integers(len(holds))]),
        "all ranks": float(all(holds)),
    }


def _best_set(board: velour.Leaderboard, qualities: Sequence[float]) -> Counts:
    """Whether a model as good as any is said not to be among the best; how many are said to be."""
    best = max(qualities)
    truly = [row for row, quality in zip(board, qualities, strict=True) if quality >= best]
    tied = [row.tied_with_best is not False for row in board]
    return {
        "best set leaves out a best": float(any(row.tied_with_best is False for row in truly)),
        "share in the best set": sum(tied) / len(tied),
    }


def _chances(board: velour.Leaderboard, qualities: Sequence[float]) -> Counts:
    """How far each said probability is from what was so: 1 for the best, 0 for others."""
    best, said = max(qualities), board[0].p_best
    counts: dict[str, float | None] = {
        "P(best) of the first": None if said is None else float(qualities[0] == best) - said
    }
    for name, (low, high) in SAID.items():
        rows = [
            (row.p_best, quality == best)
            for row, quality in zip(board, qualities, strict=True)
            if row.p_best is not None and low <= row.p_best < high
        ]
        counts[name] = float(rows[0][1]) - float(rows[0][0] or 0.0) if rows else None
    return counts


def ranks() -> list[Experiment]:
    """Rank sets of nearly equal models, and of models that differ."""
    promises = [Promise("rank of one", "at least", 0.95), Promise("all ranks", "at least", 0.90)]
    return _experiments("ranks", promises, [(20, 0.025), (5, 0.3)])


def best_set() -> list[Experiment]:
    """Of equal models none may be said to be worse, but for the stated level."""
    promises = [Promise("best set leaves out a best", "at most", 0.07)]
    return _experiments("best-set", promises, [(5, 0.0), (20, 0.0)])


def p_best() -> list[Experiment]:
    """Said probabilities of being best, where qualities are drawn from several distributions."""
    promises = [Promise(name, "within", 0.04) for name in SAID]
    return [
        experiment
        for shape in ("normal", "uniform", "one ahead")
        for experiment in _experiments("p-best", promises, [(5, 0.4), (10, 0.2)], shape)
    ]


def winner() -> list[Experiment]:
    """The first row's value less its truth, after the correction for having come first."""
    promises = [
        Promise("corrected: bias", "within", 0.02),
        Promise("corrected: coverage", "at least", 0.90),
    ]
    return _experiments("winner", promises, [(20, 0.0), (20, 0.3)])


def _experiments(
    family: str,
    promises: Sequence[Promise],
    boards: Sequence[tuple[int, float]],
    shape: str = "normal",
) -> list[Experiment]:
    """One for each task and metric, and each number and spread of models."""
    asked = [
        (CLASSIFICATION["common"][0], "accuracy", 50),
        (CLASSIFICATION["common"][1], "f1_macro", 100),
        (CLASSIFICATION["common"][2], "accuracy", 200),
        (CLASSIFICATION["videos"][0], "accuracy", 200),
        (DETECTION["common"][0], "mAP", 50),
        (DETECTION["common"][1], "mAP_50", 100),
    ]
    return [
        Experiment(
            family,
            f"{metric} ({world.name}{', videos' if world.grouped else ''}), n = {datums}, {spread}",
            Board(world, metric, datums, spread),
            promises,
        )
        for count, sd in boards
        for spread in [Qualities(count, sd, shape)]
        for world, metric, datums in asked
    ]
