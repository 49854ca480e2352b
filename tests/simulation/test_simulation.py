"""Worlds are as they say, their fast metrics are the evaluators', and results are counted right."""

from __future__ import annotations

import numpy as np
import pytest

from tests.simulation.classification import CLASSIFICATION
from tests.simulation.detection import DETECTION
from tests.simulation.fast_values import OF_LABELS, fast
from tests.simulation.promises import Experiment, Promise, Result
from tests.simulation.segmentation import SEGMENTATION
from tests.simulation.worlds import Labels, World
from velour_plugin.domain.labels import Label
from velour_plugin.evaluator import MetricKey

WORLDS = [
    world
    for worlds in (CLASSIFICATION, SEGMENTATION, DETECTION)
    for several in worlds.values()
    for world in several
]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: f"{world.task}-{world.name}")
def test_fast_values_are_the_evaluators(world: World) -> None:
    """Under resamples of few datums, some of which lose labels, ties and all."""
    (ledger,) = world.sample(30, seed=3).ledgers
    weights = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30), 25)
    keys: list[MetricKey] = [(metric, None) for metric in world.metrics]
    of_labels = [world.evaluator.of_label.get(metric) for metric in world.metrics]
    keys += [
        (name, Label(*label)) for name in of_labels if name in OF_LABELS for label in ledger.labels
    ]

    slow = world.evaluator.values(ledger, keys, weights)
    with fast():
        quick = world.evaluator.values(ledger, keys, weights)

    assert quick == pytest.approx(slow, abs=1e-12, nan_ok=True)


def test_better_models_are_better_and_a_sample_repeats() -> None:
    world = DETECTION["common"][0]

    assert world.truth("mAP", -0.25) < world.truth("mAP", -0.1) < world.truth("mAP") < 1
    first, again = (world.sample(10, [0.0], seed=5).board("mAP", resamples=0) for _ in range(2))
    assert first[0].value == again[0].value


def test_the_first_datums_of_a_sample_are_a_sample() -> None:
    sample = CLASSIFICATION["videos"][0].sample(40, [0.0, 1.0])

    assert sample.first(20).board("accuracy", resamples=0).datums == 20


def test_the_truth_of_segmentation_by_definition_is_what_the_evaluator_measures() -> None:
    world = SEGMENTATION["rare"][0]
    (ledger,) = world.sample(3000, seed=1).ledgers
    every = np.ones((1, 3000), np.int64)

    (measured,) = world.evaluator.values(ledger, [("mIoU", None), ("mDice", None)], every)

    assert measured == pytest.approx([world.truth("mIoU"), world.truth("mDice")], abs=0.02)


def test_halving_labels_are_none_too_rare() -> None:
    shares = Labels.halving(8).shares

    assert sum(shares) == pytest.approx(1)
    assert min(shares) == pytest.approx(0.012, abs=0.001)


@pytest.mark.parametrize(
    ("right", "kind", "target", "verdict"),
    [
        (980, "at least", 0.95, "holds"),
        (955, "at least", 0.95, "holds"),
        (945, "at least", 0.95, "open"),
        (900, "at least", 0.95, "fails"),
        (50, "at most", 0.06, "holds"),
        (65, "at most", 0.06, "open"),
        (90, "at most", 0.06, "fails"),
    ],
)
def test_a_promise_holds_when_the_bound_reaches_the_target_but_for_one_point(
    right: int, kind: str, target: float, verdict: str
) -> None:
    experiment = Experiment("f", "e", lambda _: {}, [])
    counts = [{"x": float(number < right)} for number in range(1000)]

    result = Result.of(experiment, Promise("x", kind, target), counts)  # type: ignore[arg-type]

    assert result.estimate == right / 1000
    assert result.verdict == verdict


def test_what_is_greyed_is_no_case_and_a_mean_has_students_bounds() -> None:
    experiment = Experiment("f", "e", lambda _: {}, [])
    counts = [{"x": None}, {"x": 0.01}, {"x": 0.03}, {}]

    result = Result.of(experiment, Promise("x", "within", 0.02), counts)

    assert (result.cases, result.greyed) == (2, 0.5)
    assert result.estimate == pytest.approx(0.02)
    assert result.high - result.low == pytest.approx(2 * 12.706 * 0.01, rel=1e-3)
