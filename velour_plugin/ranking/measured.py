"""Values of a metric over selected datums, and under resamples of them, from ledgers."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import Evaluator, value_over
from velour_plugin.progress import track
from velour_plugin.ranking.statistics import basic_interval, resample_weights, wilson_interval

FEW = 5
"""Fewer datums than this, of all or of a label, say nothing about others: no intervals."""

UNDEFINED = "undefined on these datums: there is nothing that it would be a share or a mean of"

_AT_ONCE = 96
"""Resamples between two steps of the progress bar."""

_WORKERS = min(4, os.cpu_count() or 1)

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run over the selected datums.

    Args:
        value: of the metric; ``None`` where it is undefined.
        datums: how many are selected.
        replicates: ``(resamples,)``; NaN where undefined.
        reason: why there is no value.
        rare: labels that only few of the datums show, as key=value.
        labels: how many labels the datums show.
        share: how many are right and how many tried, where the value is a share of datums.
    """

    value: float | None
    datums: int
    replicates: NDArray[np.float64]
    reason: str | None = None
    rare: tuple[str, ...] = ()
    labels: int = 0
    share: tuple[int, int] | None = None

    def interval(
        self, confidence: float, bounds: tuple[float | None, float | None]
    ) -> tuple[float, float] | None:
        """Confidence interval: Wilson's of a share, else by the basic bootstrap."""
        if self.value is not None and self.share is not None:
            return wilson_interval(*self.share, confidence)
        return basic_interval(self.value, self.replicates, confidence, bounds)


def measure(
    evaluator: Evaluator,
    ledger: Ledger,
    selected: NDArray[np.bool_],
    metric: str,
    label: Label | None,
    weights: Iterable[NDArray[np.int64]] = (),
) -> Measured:
    """Measure one ledger over some of its datums.

    Args:
        evaluator: that wrote the ledger.
        ledger: of one run.
        selected: ``(datums,)`` bool, the datums that count.
        metric: its name.
        label: the class that it is about.
        weights: blocks of resamples, each ``(n, selected)``, in the order of datums.
    """
    value = value_over(evaluator, ledger, metric, label, selected)
    blocks = []
    for block in weights if selected.any() else ():
        spread = np.zeros((len(block), len(selected)), np.int64)
        spread[:, selected] = block
        blocks.append(evaluator.values(ledger, [(metric, label)], spread)[:, 0])
    share = _share(evaluator.outcomes(ledger, metric, label), selected) if blocks else None
    rough = blocks and share is None
    shown = {
        f"{key}={name}": int(selected[datums].sum())
        for (key, name), datums in (evaluator.support(ledger).items() if rough else ())
    }
    shown = {name: count for name, count in shown.items() if count}
    return Measured(
        value,
        int(selected.sum()),
        np.concatenate(blocks) if blocks else np.empty(0),
        None if value is not None else UNDEFINED if selected.any() else "no datum is selected",
        tuple(name for name, count in shown.items() if count < FEW),
        len(shown),
        share,
    )


def _share(
    outcomes: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None, selected: NDArray[np.bool_]
) -> tuple[int, int] | None:
    """How many of the selected datums are right, and how many were tried."""
    if outcomes is None:
        return None
    right, tried = outcomes
    return int((right & tried & selected).sum()), int((tried & selected).sum())


def measure_all(
    evaluators: Sequence[Evaluator],
    ledgers: Iterable[tuple[Ledger, NDArray[np.bool_]]],
    counts: Sequence[int],
    metric: str,
    label: Label | None,
    resamples: int,
    seed: int,
) -> list[Measured]:
    """Measure runs under the same resamples; a progress bar shows when it takes long.

    Args:
        evaluators: that wrote the ledgers.
        ledgers: of the runs, each with its ``(datums,)`` bool selection; read as they are needed.
        counts: how many datums each selection has.
        metric: its name.
        label: the class that it is about.
        resamples: how many to draw, where all runs have the same number of datums.
        seed: of the resamples.
    """
    sizes = set(counts)
    paired = len(sizes) == 1 and min(sizes) >= FEW
    drawn = resample_weights(sizes.pop(), resamples, seed) if paired and resamples else None
    blocks = [] if drawn is None else np.split(drawn, range(_AT_ONCE, len(drawn), _AT_ONCE))
    total = len(counts) * (1 + len(blocks))
    steps = iter(track(range(total), total, f"measuring {metric}"))

    def ticking(each: Iterable[T]) -> Iterator[T]:
        for item in each:
            next(steps)
            yield item

    runs = zip(evaluators, ticking(ledgers), strict=True)
    if blocks:  # whose arithmetic takes all cores by itself
        measured = [
            measure(evaluator, *run, metric, label, ticking(blocks)) for evaluator, run in runs
        ]
    else:
        measured = list(_abreast(lambda item: measure(item[0], *item[1], metric, label), runs))
    next(steps, None)  # the bar ends with its last item
    return measured


def _abreast(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Results in order, a few at a time: while one is measured, the next is read."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > _WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
