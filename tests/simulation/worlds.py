"""Worlds whose truth is known: what datums there are, and models of a stated quality.

A world is a distribution, not a table. :meth:`World.sample` draws some datums and what each model
predicts of them, and has them evaluated by the evaluator, as a user's would be; the truth is the
metric over a sample so large that its own chance does not matter. A quality is
a shift on the logit of being right, so that a model of more quality has the better truth.

Difficulty is added on the same logit. That of a datum is common to all models, so that their errors
go together; that of a group (a video of ``frames`` datums) is common to its frames, and a model has
luck of its own with each group: datums of one group are not independent.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import velour_plugin as velour
from tests.memory_store import MemoryStore
from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import Evaluator
from velour_plugin.plugin import LeaderboardRow
from velour_plugin.plugins.installed import installed

Floats = NDArray[np.float64]

POPULATION_SEED = 2026

GRID = 0.25
"""Between two qualities whose truths are measured; others are interpolated, to less than 0.001."""


@dataclass(frozen=True)
class Difficulty:
    """How hard datums are, on the logit.

    Args:
        spread: standard deviation of a datum's difficulty, the same for all models.
        tails: degrees of freedom of Student's t; infinite for a normal distribution.
        own: standard deviation of what is hard for one model only.
        frames: datums of one group; 1 where all are independent.
        scene: standard deviation of a group's difficulty.
        luck: standard deviation of a model's luck with a group.
    """

    spread: float = 0.7
    tails: float = np.inf
    own: float = 0.5
    frames: int = 1
    scene: float = 0.4
    luck: float = 0.4

    def shifts(self, random: Generator, models: int, datums: int) -> Floats:
        """Draw the shift of each model on each datum, ``(models, datums)``."""
        shifts = self.own * random.normal(size=(models, datums))
        heavy = random.standard_t(self.tails, datums) if np.isfinite(self.tails) else None
        shifts += self.spread * (random.normal(size=datums) if heavy is None else heavy)
        if self.frames > 1:
            groups = -(-datums // self.frames)
            of_group = self.luck * random.normal(size=(models, groups))
            of_group += self.scene * random.normal(size=groups)
            shifts += np.repeat(of_group, self.frames, axis=1)[:, :datums]
        return shifts


@dataclass(frozen=True)
class Labels:
    """The classes of a world.

    Args:
        shares: of the datums or objects, in sum 1.
        harder: by how much the last label is harder than the first, on the logit.
    """

    shares: tuple[float, ...]
    harder: float = 0.0

    @classmethod
    def equal(cls, count: int, harder: float = 0.0) -> Labels:
        """Labels as common as one another."""
        return cls((1 / count,) * count, harder)

    @classmethod
    def halving(cls, count: int, rarest: float = 0.012, harder: float = 0.0) -> Labels:
        """Each half as common as the one before, but none rarer than about ``rarest``."""
        shares = np.maximum(0.5 ** np.arange(count), 2 * rarest)
        return cls(tuple((shares / shares.sum()).tolist()), harder)

    def __len__(self) -> int:
        return len(self.shares)

    @property
    def names(self) -> list[tuple[str, str]]:
        """Labels as velour names them."""
        return [("class", f"c{label:02}") for label in range(len(self))]

    @property
    def offsets(self) -> Floats:
        """How much easier than on average each label is, on the logit."""
        return np.linspace(0.5, -0.5, len(self)) * self.harder

    def draw(self, random: Generator, count: int) -> NDArray[np.intp]:
        """Draw the labels of datums or objects."""
        return random.choice(len(self), count, p=self.shares)


@dataclass(frozen=True)
class Sample:
    """Some datums of a world, and the predictions of some models.

    Args:
        world: that they are from.
        datasets: one a model, ``m00`` first; all of the same datums.
        qualities: of the models.
    """

    world: World
    datasets: Sequence[velour.Dataset]
    qualities: Sequence[float]

    @cached_property
    def store(self) -> velour.Store:
        """Everything evaluated, in a store in memory."""
        store = MemoryStore()
        for number, dataset in enumerate(self.datasets):
            run = velour.EvaluatedRun(f"{number:032x}", dataset.model)
            evaluation = velour.evaluate(
                dataset, self.world.task, parameters=self.world.parameters, run=run, save=False
            )
            store.save(evaluation, dataset)  # which tells no plugin
        return store

    @cached_property
    def ledgers(self) -> list[Ledger]:
        """Of each model."""
        return [self.world.match(dataset) for dataset in self.datasets]

    @property
    def groups(self) -> NDArray[np.intp] | None:
        """The group of each datum, ``(datums,)``; ``None`` where all are independent."""
        frames = self.world.difficulty.frames
        return np.arange(len(self.datasets[0])) // frames if frames > 1 else None

    @property
    def subjects(self) -> list[tuple[Evaluator, Ledger, NDArray[np.bool_]]]:
        """The models as :func:`measure_all` takes them: all datums count."""
        everything = np.ones(len(self.datasets[0]), bool)
        return [(self.world.evaluator, ledger, everything) for ledger in self.ledgers]

    def first(self, count: int) -> Sample:
        """Return the sample's first datums."""
        chosen = np.arange(len(self.datasets[0])) < count
        return replace(self, datasets=[dataset.subset(chosen) for dataset in self.datasets])

    def board(self, metric: str, **asked: Any) -> velour.Leaderboard:
        """Rank the models as a user would; groups of the world are named."""
        return velour.rank(metric, "world", store=self.store, **self.world.grouped, **asked)

    def model_of(self, row: LeaderboardRow) -> int:
        """Number of the model that a row is about."""
        return int(row.model[1:])


@dataclass(frozen=True)
class World(ABC):
    """A distribution of datums, and of what models of some quality predict on them.

    Args:
        name: of the world, in tables.
        labels: that there are.
        difficulty: of datums and groups.
        quality: what is added to every model's quality.
    """

    task: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    parameters: ClassVar[Mapping[str, Any]] = {}
    population: ClassVar[int] = 40_000

    name: str
    labels: Labels
    difficulty: Difficulty = field(default_factory=Difficulty)
    quality: float = 0.0

    @abstractmethod
    def datasets(
        self, random: Generator, datums: int, qualities: Sequence[float]
    ) -> list[velour.Dataset]:
        """Draw datums and the predictions of models, one dataset a model."""

    def sample(
        self, datums: int, qualities: Sequence[float] = (0.0,), seed: int | Sequence[int] = 0
    ) -> Sample:
        """Draw datums and what models of these qualities predict of them."""
        random = np.random.default_rng(seed)
        shifted = [self.quality + quality for quality in qualities]
        return Sample(self, self.datasets(random, datums, shifted), qualities)

    def truth(self, metric: str, quality: float = 0.0) -> float:
        """Return the metric over the whole world of a model of this quality."""
        below = int(np.floor(quality / GRID + 1e-9))
        share = quality / GRID - below
        value = _truths(self, below)[metric]
        if share < 1e-6:
            return value
        return (1 - share) * value + share * _truths(self, below + 1)[metric]

    def measured(self, quality: float) -> dict[str, float]:
        """Measure a model on one large sample; of the same chances for every quality.

        So truths keep the order of qualities, however close those are.
        """
        (ledger,) = self.sample(self.population, [quality], seed=POPULATION_SEED).ledgers
        keys = [(metric, None) for metric in self.metrics]
        everything = np.ones((1, len(ledger.datums)), np.int64)
        (values,) = self.evaluator.values(ledger, keys, everything)
        return dict(zip(self.metrics, values.tolist(), strict=True))

    @property
    def evaluator(self) -> Evaluator:
        """That matches and measures."""
        return installed().evaluator(self.task)

    @property
    def grouped(self) -> dict[str, Any]:
        """The argument of queries that names the world's groups, if there are any."""
        return {"groups": "video"} if self.difficulty.frames > 1 else {}

    def match(self, dataset: velour.Dataset) -> Ledger:
        """Return the ledger of one model."""
        return self.evaluator.match(dataset, self.evaluator.parameters(self.parameters))

    def datums(self, count: int) -> list[velour.Datum]:
        """Make datums; those of groups name their video."""
        frames = self.difficulty.frames
        known = [{"video": f"v{at // frames:05}"} if frames > 1 else {} for at in range(count)]
        return [velour.Datum(f"{at:06}", metadata) for at, metadata in enumerate(known)]


@cache
def _truths(world: World, step: int) -> dict[str, float]:
    return world.measured(step * GRID)


def logistic(logits: Floats) -> Floats:
    """Shares in (0, 1)."""
    return 1 / (1 + np.exp(-np.asarray(logits)))
