"""Which labels enter a metric with too few datums, and the metric over the others.

A mean over labels is no surer than its rarest label: what one or two datums show says little about
others, and resamples lose them. With 6 to 8 labels that halve, of 50 and 200 datums, the interval
of macro F1 held the truth in 0.82 to 0.93 of simulations where some label had fewer than
:data:`FEW` datums, and in 0.94 to 0.97 where none had; such intervals are rough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.annotation_table import LabelName
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import Evaluator, MetricKey
from velour_plugin.ranking.uncertainty.units import Units

FEW = 5
"""Fewer datums than this, of all or of a label, say nothing about others: no sure intervals."""

_NAMED = 3
"""Labels that a sentence names."""

_SMALL_BIAS = 0.25
"""In standard errors: a bias below it may be ignored (Efron and Tibshirani 1993, 10.3)."""


@dataclass(frozen=True, slots=True)
class LabelSupport:
    """The labels that a metric is about.

    Args:
        few: those that fewer than :data:`FEW` units show, as key=value.
        counts: how many units show each; a label that none shows enters where predictions have it.
        supported: the metric of each of the others, where the metric is the mean of its labels
            and some are among the few; empty otherwise.
    """

    few: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    supported: tuple[MetricKey, ...] = ()

    @classmethod
    def of(
        cls,
        evaluator: Evaluator,
        ledger: Ledger,
        key: MetricKey,
        counting: NDArray[np.bool_],
        shown: Mapping[LabelName, int],
    ) -> LabelSupport:
        """Count the units that show each label of a metric.

        Args:
            evaluator: that wrote the ledger.
            ledger: of one run.
            key: the metric, over all labels or of one.
            counting: ``(datums,)`` bool, the datums that count.
            shown: how many units show each label, as :func:`units_of_labels` counts them.
        """
        metric, label = key
        if not shown or evaluator.is_pooled(metric):
            return cls()
        names = [label.name] if label else _labels_of(ledger, metric)
        part = None if label else evaluator.of_label.get(metric.rpartition("/")[2])
        parts: list[MetricKey] = [(part, Label(*name)) for name in names] if part else []
        values = evaluator.values(ledger, [key, *parts], counting[None].astype(np.int64))[0]
        defined = dict(zip(names, ~np.isnan(values[1:]), strict=False))
        entering = [name for name in names if shown.get(name) or defined.get(name)]
        few = [name for name in entering if shown.get(name, 0) < FEW]
        enough = {name for name in entering if name not in few}
        is_mean = bool(few) and _is_mean(values[0], values[1:])
        supported = [each for name, each in zip(names, parts, strict=False) if name in enough]
        texts = tuple(map("=".join, few))
        counts = tuple(shown.get(name, 0) for name in entering)
        return cls(texts, counts, tuple(supported) if is_mean else ())


def why_rough(
    few: Sequence[str], labels: int, unit: str, value: float, replicates: NDArray[np.float64]
) -> str | None:
    """Say in a sentence why an interval is rough, which way and by how much; ``None`` if not.

    Half widths were up to a third too small in the simulations; the bias is the replicates'.
    """
    if not few:
        return None
    names = ", ".join(few[:_NAMED]) + (", …" if len(few) > _NAMED else "")
    which = f"{len(few)} of the {labels} labels ({names})" if labels > 1 else names
    known = replicates[~np.isnan(replicates)]
    shift, spread = float(known.mean()) - value, float(known.std())
    side = "high" if shift > 0 else "low"
    bias = f", and the value about {abs(shift):.3f} too {side}"
    return (
        f"fewer than {FEW} {unit} show {which}: the interval is probably too narrow, by up to a "
        f"third{bias if abs(shift) > _SMALL_BIAS * spread else ''}"
    )


def units_of_labels(
    evaluator: Evaluator, ledger: Ledger, counting: NDArray[np.bool_], units: Units
) -> dict[LabelName, int]:
    """Count the units that show each label; ``units`` are those of the datums that count."""
    unit_of = np.full(len(counting), -1, np.intp)
    unit_of[counting] = units.of_datum
    return {
        name: len(set(unit_of[datums[counting[datums]]].tolist()))
        for name, datums in evaluator.support(ledger).items()
    }


def _labels_of(ledger: Ledger, metric: str) -> list[LabelName]:
    """The labels of a metric's key; a metric without a prefix is about the first key."""
    first = ledger.labels[0][0] if ledger.labels else ""
    key = metric.rpartition("/")[0] or first
    return [name for name in ledger.labels if name[0] == key]


def _is_mean(value: float, parts: NDArray[np.float64]) -> bool:
    """Whether a value is the mean of those of its labels, without those that are undefined."""
    known = parts[~np.isnan(parts)]
    return bool(known.size and np.isclose(known.mean(), value, rtol=1e-9, atol=1e-12))
