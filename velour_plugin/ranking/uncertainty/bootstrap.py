"""Values of a metric over selected datums, and under resamples of them, from ledgers."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import Evaluator, MetricKey, value_over
from velour_plugin.helpers.progress import track
from velour_plugin.ranking.uncertainty.statistics import basic_interval, wilson_interval
from velour_plugin.ranking.uncertainty.units import Units

FEW = 5
"""Fewer datums than this, of all or of a label, say nothing about others: no intervals."""

UNDEFINED = "undefined on these datums: there is nothing that it would be a share or a mean of"

_AT_ONCE = 256
"""Resamples between two steps of the progress bar."""

_WORKERS = min(4, os.cpu_count() or 1)

Subject = tuple[Evaluator, Ledger, NDArray[np.bool_]]
"""A run as it is measured: evaluator, ledger, and the ``(datums,)`` mask of those that count."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run over the selected datums.

    Args:
        value: of the metric; ``None`` where it is undefined.
        datums: how many are selected.
        replicates: ``(resamples,)``; NaN where undefined.
        reason: why there is no value.
        rare: labels that only few of the datums show, as key=value.
        labels: how many labels the datums show.
        share: how many are right and how many tried, where the value is a share of datums.
        further: values of further metrics, by name.
    """

    value: float | None
    datums: int
    replicates: NDArray[np.float64]
    reason: str | None = None
    rare: tuple[str, ...] = ()
    labels: int = 0
    share: tuple[int, int] | None = None
    further: Mapping[str, float | None] = field(default_factory=dict)

    def interval(
        self, confidence: float, bounds: tuple[float | None, float | None]
    ) -> tuple[float, float] | None:
        """Return low and high, Wilson's of a share, else by bootstrap; ``None`` if undefined."""
        if self.value is not None and self.share is not None:
            return wilson_interval(*self.share, confidence)
        return basic_interval(self.value, self.replicates, confidence, bounds)


def measure(
    subject: Subject,
    metric: str,
    label: Label | None,
    *,
    weights: Iterable[NDArray[np.int64]] | None = None,
    is_grouped: bool = False,
    further: Sequence[MetricKey] = (),
) -> Measurement:
    """Measure one metric of a ledger over some of its datums, and under resamples of them.

    Args:
        subject: the run, and the datums that count.
        metric: its name.
        label: the class that it is about.
        weights: blocks of resamples, each ``(n, selected)``, in the order of datums; ``None``
            without resamples.
        is_grouped: whether they draw groups of datums: then no value is a share of independent
            datums.
        further: metrics that are measured once as well, without resamples.
    """
    evaluator, ledger, selected = subject
    counting = np.asarray(selected, bool)
    once = {name: value_over(evaluator, ledger, name, of, counting) for name, of in further}
    drawn = weights if counting.any() else None
    if drawn is not None:
        part = evaluator.restrict(ledger, counting, [metric])
        if part is not None:  # of the datums that count, and no others
            ledger, counting = part, np.ones(len(part.datums), bool)
    value = value_over(evaluator, ledger, metric, label, counting)
    blocks = [
        evaluator.values(ledger, [(metric, label)], _spread(block, counting))[:, 0]
        for block in drawn or ()
    ]
    is_share = blocks and not is_grouped
    share = _share(evaluator.outcomes(ledger, metric, label), counting) if is_share else None
    rough = blocks and share is None
    shown = {
        f"{key}={name}": int(counting[datums].sum())
        for (key, name), datums in (evaluator.support(ledger).items() if rough else ())
    }
    shown = {name: count for name, count in shown.items() if count}
    return Measurement(
        value,
        int(counting.sum()),
        np.concatenate(blocks) if blocks else np.empty(0),
        None if value is not None else UNDEFINED if counting.any() else "no datum is selected",
        tuple(name for name, count in shown.items() if count < FEW),
        len(shown),
        share,
        once,
    )


def _spread(weights: NDArray[np.int64], counting: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Weights of all datums, from those of the datums that count: ``(n, datums)``."""
    if counting.all():
        return weights
    spread = np.zeros((len(weights), len(counting)), np.int64)
    spread[:, counting] = weights
    return spread


def measure_resampled(
    subject: Subject,
    metric: str,
    label: Label | None,
    *,
    units: Units | None,
    resamples: int,
    seed: int,
) -> Measurement:
    """Measure one run, under resamples where there are at least :data:`FEW` units.

    Args:
        subject: the run, and the datums that count.
        metric: its name.
        label: the class that it is about.
        units: groups of the datums that count; ``None`` for each datum by itself.
        resamples: how many to draw.
        seed: of the resamples.
    """
    units = Units.of_datums(int(subject[2].sum())) if units is None else units
    drawn = [units.weights(resamples, seed)] if resamples and units.count >= FEW else None
    return measure(subject, metric, label, weights=drawn, is_grouped=not units.are_datums)


def _share(
    outcomes: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None, selected: NDArray[np.bool_]
) -> tuple[int, int] | None:
    """Counts of correct and of evaluated datums among the selected ones."""
    if outcomes is None:
        return None
    right, tried = outcomes
    return int((right & tried & selected).sum()), int((tried & selected).sum())


def measure_all(
    subjects: Iterable[Subject],
    count: int,
    metric: str,
    label: Label | None,
    *,
    units: Units | None = None,
    resamples: int = 0,
    seed: int = 0,
    further: Sequence[MetricKey] = (),
) -> list[Measurement]:
    """Measure runs under the same resamples; a progress bar shows when it takes long.

    Args:
        subjects: the runs; each is taken when the one before it is measured.
        count: how many runs there are.
        metric: its name.
        label: the class that it is about.
        units: what is drawn, of the selected datums of every run; ``None`` where runs differ in
            which datums count, and nothing is drawn.
        resamples: how many to draw; none are where there are fewer than :data:`FEW` units.
        seed: of the resamples.
        further: metrics that are measured once as well.
    """
    is_drawn = units is not None and units.count >= FEW
    drawn = units.weights(resamples if is_drawn else 0, seed) if units else np.empty((0, 0), int)
    blocks = [drawn[start : start + _AT_ONCE] for start in range(0, len(drawn), _AT_ONCE)]
    is_grouped = units is not None and not units.are_datums
    total = count * (1 + len(blocks))
    steps = iter(track(range(total), total, f"measuring {metric}"))

    def ticking(items: Iterable[T]) -> Iterator[T]:
        for item in items:
            next(steps)
            yield item

    if blocks:  # whose arithmetic takes all cores by itself
        measured = [
            measure(
                subject,
                metric,
                label,
                weights=ticking(blocks),
                is_grouped=is_grouped,
                further=further,
            )
            for subject in ticking(subjects)
        ]
    else:
        measured = list(
            _abreast(
                lambda subject: measure(subject, metric, label, further=further), ticking(subjects)
            )
        )
    next(steps, None)  # the bar ends with its last item
    return measured


def _abreast(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Results in order; while one ledger is measured, the next is read."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > _WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
