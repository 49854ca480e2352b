"""Values of a metric over selected datums, and under resamples of them, from ledgers."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import Evaluator, MetricKey, value_over
from velour_plugin.helpers.progress import track
from velour_plugin.ranking.uncertainty.half_samples import HALVES, half_samples
from velour_plugin.ranking.uncertainty.label_support import FEW, LabelSupport, units_of_labels
from velour_plugin.ranking.uncertainty.measurement import UNDEFINED, Draws, Measurement
from velour_plugin.ranking.uncertainty.units import MOST_LEFT_OUT, Units

_AT_ONCE = 256
"""Resamples between two steps of the progress bar."""

_WORKERS = min(4, os.cpu_count() or 1)

Subject = tuple[Evaluator, Ledger, NDArray[np.bool_]]
"""A run as it is measured: evaluator, ledger, and the ``(datums,)`` mask of those that count."""

T = TypeVar("T")
R = TypeVar("R")


def measure(
    subject: Subject,
    metric: str,
    label: Label | None,
    *,
    weights: Iterable[NDArray[np.int64]] | None = None,
    units: Units | None = None,
    further: Sequence[MetricKey] = (),
) -> Measurement:
    """Measure one metric of a ledger over some of its datums, and under resamples of them.

    Args:
        subject: the run, and the datums that count.
        metric: its name.
        label: the class that it is about.
        weights: blocks of resamples, each ``(n, selected)``, in the order of datums; ``None``
            without resamples.
        units: what they draw, of the selected datums; ``None`` for datums.
        further: metrics that are measured once as well, without resamples.
    """
    evaluator, ledger, selected = subject
    counting = np.asarray(selected, bool)
    once = {name: value_over(evaluator, ledger, name, of, counting) for name, of in further}
    count = int(counting.sum())
    if weights is None or not count:
        value = value_over(evaluator, ledger, metric, label, counting)
        reason = None if value is not None else UNDEFINED if count else "no datum is selected"
        return Measurement(value, count, np.empty(0), reason, further=once)
    units = Units.of_datums(count) if units is None else units
    (measured,) = measure_together(subject, [(metric, label)], weights=weights, units=units)
    return replace(measured, further=once)


def measure_together(
    subject: Subject,
    keys: Sequence[MetricKey],
    *,
    weights: Iterable[NDArray[np.int64]],
    units: Units,
    blocks: int = MOST_LEFT_OUT,
) -> list[Measurement]:
    """Measure some metrics under the same resamples, in one pass; arguments as for measure.

    Without resamples, only intervals by half-samples can be told. Of the units, ``blocks`` are left
    out in turn, at most.
    """
    evaluator, ledger, selected = subject
    counting = np.asarray(selected, bool)
    names = {metric for metric, _ in keys}
    names |= {evaluator.of_label[name] for name in names if name in evaluator.of_label}
    part = evaluator.restrict(ledger, counting, sorted(names))
    if part is not None:  # of the datums that count, and no others
        ledger, counting = part, np.ones(len(part.datums), bool)
    outcomes = [_by_unit(evaluator.outcomes(ledger, *key), counting, units) for key in keys]
    shown = units_of_labels(evaluator, ledger, counting, units) if None in outcomes else {}
    supports = [
        LabelSupport.of(evaluator, ledger, key, counting, shown) if each is None else LabelSupport()
        for key, each in zip(keys, outcomes, strict=True)
    ]
    columns = list(dict.fromkeys((*keys, *(key for each in supports for key in each.supported))))
    blocks = 0 if None not in outcomes else blocks
    drawn = _draw((evaluator, ledger, counting), columns, weights, units, blocks)
    return [
        replace(
            drawn.measurement([columns.index(key)], evaluator.interval_method(key[0])),
            rare=support.few,
            support=support.counts,
            outcomes=right_and_tried,
            supported=drawn.of_labels(support, columns, evaluator.interval_method(key[0])),
        )
        for key, right_and_tried, support in zip(keys, outcomes, supports, strict=True)
    ]


def _draw(
    subject: Subject,
    keys: Sequence[MetricKey],
    weights: Iterable[NDArray[np.int64]],
    units: Units,
    blocks: int,
) -> Draws:
    """Measure metrics under all weightings: resamples, without blocks of units, half-samples."""
    evaluator, ledger, counting = subject

    def values(block: NDArray[np.int64]) -> NDArray[np.float64]:
        return evaluator.values(ledger, keys, _spread(block, counting))

    none = np.empty((0, len(keys)))
    replicates = np.concatenate([none, *(values(block) for block in weights)])
    most = len(replicates) or HALVES
    left_out = values(units.left_out(min(blocks, most))) if blocks else none
    takes_halves = any(evaluator.interval_method(name) == "half-samples" for name, _ in keys)
    halves = values(half_samples(units, min(HALVES, most) if takes_halves else 0))
    observed = values(np.ones((1, len(units.of_datum)), np.int64))[0]
    return Draws(observed, replicates, left_out, halves, units)


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
    return measure(subject, metric, label, weights=drawn, units=units)


def _by_unit(
    outcomes: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None,
    counting: NDArray[np.bool_],
    units: Units,
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """How many datums of each unit are right, and how many tried, ``(units,)``."""
    if outcomes is None:
        return None
    right, tried = (flags[counting] for flags in outcomes)
    of_tried = units.of_datum[tried]
    return (
        np.bincount(units.of_datum[right & tried], minlength=units.count),
        np.bincount(of_tried, minlength=units.count),
    )


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
    total = count * (1 + len(blocks))
    steps = iter(track(range(total), total, f"measuring {metric}"))

    def ticking(items: Iterable[T]) -> Iterator[T]:
        for item in items:
            next(steps)
            yield item

    if blocks:  # whose arithmetic takes all cores by itself
        measured = [
            measure(subject, metric, label, weights=ticking(blocks), units=units, further=further)
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
