"""Evaluators: they match a dataset once, then measure any subset as often as needed.

An evaluator is pure arithmetic on a dataset in memory: no files, no store, no MLflow. A
task, a version, headline metrics, ``match`` and ``measure`` are enough; everything else has
defaults, and makes more queries possible, or faster:

===========================  ===================================================================
part                         purpose
===========================  ===================================================================
:class:`Evaluator`           match, measure; values under many weightings (bootstrap,
                             permutation tests); ledgers of partitions concatenated
:class:`Explaining`          details, errors by kind, columns by datum: what reports show
:class:`Narrowing`           other parameters, fewer labels or higher scores without a new match
:class:`SharesOfDatums`      metrics that are shares of datums have exact intervals and tests
:class:`Deciding`            scores that decide: thresholds can be chosen
:class:`Conventions`         which direction is better, bounds, intervals, how merged labels' scores
                             combine
===========================  ===================================================================
"""

from velour_plugin.evaluator.contract import Evaluator, MetricKey, value_over
from velour_plugin.evaluator.decisions import Deciding, ScoredOutcomes
from velour_plugin.evaluator.parts import (
    Conventions,
    Explaining,
    IntervalMethod,
    Narrowing,
    SharesOfDatums,
)

__all__ = [
    "Conventions",
    "Deciding",
    "Evaluator",
    "Explaining",
    "IntervalMethod",
    "MetricKey",
    "Narrowing",
    "ScoredOutcomes",
    "SharesOfDatums",
    "value_over",
]
