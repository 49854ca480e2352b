"""Intervals from half-samples: halves of units, the bias of maxima, few labels, bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from velour_plugin.ranking.uncertainty.half_samples import (
    MORE_SPREAD,
    MOST_BIAS,
    freedom_of,
    half_sample_interval,
    half_samples,
)
from velour_plugin.ranking.uncertainty.intervals import Sample
from velour_plugin.ranking.uncertainty.statistics import wilson
from velour_plugin.ranking.uncertainty.student import student_quantile
from velour_plugin.ranking.uncertainty.units import Units

EVEN = np.array([0.45, 0.55] * 50)
"""Half-samples of a value of 0.5 without bias, with a standard deviation of about 0.05."""

TRIALS, FREEDOM = 0.25 / (MORE_SPREAD**2 * 0.0025 * 100 / 99), 1 / (1 / 999 + 1 / 50)
"""Of 1,000 units and of 50 pairs of half-samples."""


def sample(value: float = 0.5, units: int = 1000) -> Sample:
    return Sample(value, np.empty(0), np.empty(0), units, (0.0, 1.0))


def test_every_half_has_its_other_half() -> None:
    drawn = half_samples(Units.of_datums(6), 10)

    assert drawn.shape == (10, 6)
    assert set(drawn.ravel().tolist()) == {0, 1}
    assert (drawn.sum(axis=1) == 3).all()
    assert (drawn[:5] + drawn[5:] == 1).all()
    assert len({tuple(row) for row in drawn.tolist()}) > 5


def test_each_stratum_is_halved() -> None:
    drawn = half_samples(Units.of_datums(4, 2, 10), 8)
    assert (drawn[:, :4].sum(axis=1) == 2).all()
    assert (drawn[:, 4:6].sum(axis=1) == 1).all()
    assert (drawn[:, 6:].sum(axis=1) == 5).all()


def test_odd_strata_are_rounded_up_and_down_in_turn() -> None:
    """Datasets of 3, 3 and 1 datums: halves of 3 and 4, not of 2 and 5."""
    drawn = half_samples(Units.of_datums(3, 3, 1), 8)
    assert sorted(set(drawn.sum(axis=1).tolist())) == [3, 4]


def test_groups_stay_together() -> None:
    units = Units(np.array([0, 1, 0, 2, 3, 1]), np.zeros(4, int))
    drawn = half_samples(units, 20)
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert (drawn[:, 1] == drawn[:, 5]).all()
    assert (drawn[:, [0, 1, 3, 4]].sum(axis=1) == 2).all()


def test_without_bias_the_interval_is_wilsons_of_as_many_trials() -> None:
    """0.5 with a variance of 0.0025 * 100 / 99, and of a corrected value 1.06² as much."""
    found = half_sample_interval(sample(), EVEN, [1000] * 100, 0.95)

    t = stats.t.ppf(0.975, FREEDOM)
    spread = t * np.sqrt(0.25 / TRIALS + t * t / (4 * TRIALS**2)) / (1 + t * t / TRIALS)
    assert pytest.approx(99 / 1.06**2) == TRIALS
    assert found is not None
    assert found.ends == pytest.approx((0.5 - spread, 0.5 + spread), abs=1e-6)
    assert (found.method, found.rough) == ("half-samples", None)


def test_the_bias_is_between_what_half_samples_show_and_the_most_that_it_can_be() -> None:
    """Half-samples 0.02 too high: the value is too high by 0.02 to 0.048."""
    raised = half_sample_interval(sample(), EVEN + 0.02, [1000], 0.95)
    lowered = half_sample_interval(sample(), EVEN - 0.02, [1000], 0.95)

    t = student_quantile(0.975, FREEDOM)
    assert raised is not None
    assert lowered is not None
    assert pytest.approx(2.414, abs=1e-3) == MOST_BIAS
    assert raised.low == pytest.approx(wilson(0.5 - 0.02 * MOST_BIAS, TRIALS, t)[0])
    assert raised.high == pytest.approx(wilson(0.48, TRIALS, t)[1])
    assert lowered.low == pytest.approx(1 - raised.high)
    assert lowered.high == pytest.approx(1 - raised.low)


def test_labels_of_few_units_leave_few_degrees_of_freedom() -> None:
    """Two labels, of 100 units and of 2: (1/100 + 1/2)² / (1/100³ · 100/99 + 1/2²) is 1.04."""
    assert freedom_of(sample(units=5000), [100, 2]) == pytest.approx(1.04, abs=0.005)
    assert freedom_of(sample(units=5000), [100, 100]) == pytest.approx(198)
    assert freedom_of(sample(units=20), [100, 100]) == 19
    assert freedom_of(sample(units=20), []) == 19
    assert freedom_of(sample(units=20), [1, 1]) == 2


def test_a_label_that_no_unit_shows_does_not_count() -> None:
    """As one that only predictions have."""
    with_it = half_sample_interval(sample(), EVEN, [30, 0], 0.95)
    assert with_it == half_sample_interval(sample(), EVEN, [30], 0.95)


def test_units_that_decide_alone_leave_few_degrees_of_freedom() -> None:
    """One unit of 100 moves the value: about two, however many there are."""
    left_out = np.array([0.4] + [0.5] * 99)
    decided = Sample(0.5, np.empty(0), left_out, 100, (0.0, 1.0))
    assert freedom_of(decided, []) == pytest.approx(2.06, abs=0.01)


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.929, 1.0), (0.0, 0.0, 0.071)])
def test_what_no_unit_shows_may_still_be(value: float, low: float, high: float) -> None:
    """None of 50 is wrong: Clopper and Pearson's interval of a share."""
    found = half_sample_interval(sample(value, units=50), np.full(40, value), [50], 0.95)
    assert found is not None
    assert found.ends == pytest.approx((low, high), abs=5e-4)
    assert found.ends == pytest.approx(
        tuple(stats.binomtest(int(50 * value), 50).proportion_ci(0.95)), abs=1e-9
    )


def test_half_samples_that_are_undefined_have_no_say_and_most_of_them_no_interval() -> None:
    some = np.where(np.arange(100) < 40, np.nan, EVEN)
    found = half_sample_interval(sample(), some, [1000], 0.95)
    assert found == half_sample_interval(sample(), EVEN[40:], [1000], 0.95)
    assert (
        half_sample_interval(sample(), np.where(np.arange(100) < 60, np.nan, EVEN), [9], 0.95)
        is None
    )
    assert half_sample_interval(sample(), np.empty(0), [], 0.95) is None


def test_many_labels_of_few_units_are_rough_and_the_way_is_told() -> None:
    """40 of 80 labels may raise the mean by 0.1, as much as the interval reaches below."""
    rough = half_sample_interval(sample(), EVEN + 0.001, [200] * 40 + [3] * 40, 0.95)
    few = half_sample_interval(sample(), EVEN, [200] * 76 + [3] * 4, 0.95)

    assert rough is not None
    assert few is not None
    assert few.rough is None
    assert rough.rough == (
        "fewer than 5 datums show 40 of the 80 labels: the value and its interval are probably "
        "too high, by up to 0.10"
    )


def test_intervals_hold_the_largest_of_means_where_bootstrap_quantiles_do_not() -> None:
    """The largest of 3 equal means of 50, as the envelope of a level curve: 0.94 here, and 0.65."""
    random, units = np.random.default_rng(3), Units.of_datums(50)
    halves, resamples = half_samples(units, 100), units.weights(200, 0)
    held = naive = 0
    for _ in range(200):
        data = random.random((50, 3))
        value = float(data.mean(axis=0).max())
        found = half_sample_interval(
            sample(value, 50), (halves @ data / 25).max(axis=1), [50], 0.95
        )
        assert found is not None
        held += found.low <= 0.5 <= found.high
        low, high = np.quantile((resamples @ data / 50).max(axis=1), [0.025, 0.975])
        naive += low <= 0.5 <= high

    assert held / 200 >= 0.93
    assert naive / 200 <= 0.75
