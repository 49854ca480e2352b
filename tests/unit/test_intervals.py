"""Confidence intervals: against references, countable by hand, and where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from velour_plugin.evaluator import IntervalMethod
from velour_plugin.ranking.uncertainty.intervals import (
    Sample,
    bca,
    effective_freedom,
    grouped_wilson,
    interval_of,
    jackknife_interval,
    without_spread,
)
from velour_plugin.ranking.uncertainty.statistics import wilson_interval
from velour_plugin.ranking.uncertainty.units import Units


def mean_sample(values: np.ndarray, resamples: int = 2000, **bounds: object) -> Sample:
    """The mean of values, under resamples and without each of them."""
    count = len(values)
    units = Units.of_datums(count)
    left_out = (units.left_out(count) @ values) / (count - 1)
    replicates = units.weights(resamples, 0) @ values / count
    return Sample(float(values.mean()), replicates, left_out, count, **bounds)  # type: ignore[arg-type]


def test_bca_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).exponential(size=40)
    reference = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=2000)
    sample = mean_sample(values)

    ends = bca(
        sample.value, reference.bootstrap_distribution, sample.influences, stats.norm.ppf(0.975)
    )

    assert ends == pytest.approx(tuple(reference.confidence_interval), rel=1e-12)


def test_the_interval_of_a_mean_without_bounds_is_students_by_the_jackknife() -> None:
    values = np.repeat([-1.0, 0.0, 1.0], [2, 4, 2])  # kurtosis 2: as sure as its seven degrees

    found = jackknife_interval(mean_sample(values), 0.95)

    reference = stats.t.interval(0.95, 7, values.mean(), stats.sem(values))
    assert found.ends == pytest.approx(reference, abs=1e-9)
    assert found.method == "jackknife"


def test_the_jackknife_of_a_share_stays_within_its_bounds() -> None:
    values = np.repeat([1.0, 0.0], [19, 1])

    low, high = jackknife_interval(mean_sample(values, bounds=(0.0, 1.0)), 0.95).ends

    assert 0 < low < 0.8
    assert 0.95 < high < 1


def test_few_datums_that_decide_are_few_degrees_of_freedom() -> None:
    assert effective_freedom(np.tile([1.0, -1.0], 25)) == 49
    assert effective_freedom(np.array([1.0, *[0.0] * 49])) == pytest.approx(100 / 49)
    assert effective_freedom(np.zeros(9)) == 8


def test_few_datums_that_decide_make_the_interval_wider() -> None:
    even, uneven = np.tile([1.0, -1.0], 30), np.zeros(60)
    uneven[:2] = np.sqrt(30), -np.sqrt(30)  # the same variance
    widths = []
    for values in (even, uneven):
        found = interval_of(mean_sample(values), "BCa", 0.95)
        assert found is not None
        widths.append(found.high - found.low)
    assert widths[1] > 1.3 * widths[0]


def test_the_method_says_how_many_groups_were_left_out() -> None:
    values = np.random.default_rng(4).normal(size=12)
    units = Units.of_datums(12)
    three = (units.left_out(3) @ values) / 8
    replicates = units.weights(500, 0) @ values / 12

    found = interval_of(Sample(float(values.mean()), replicates, three, 12), "BCa", 0.95)

    assert found is not None
    assert found.method == "BCa (jackknife of 3 blocks)"


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.82, 1.0), (0.0, 0.0, 0.18)])
def test_a_value_at_its_bound_has_the_interval_of_a_share(
    value: float, low: float, high: float
) -> None:
    found = interval_of(mean_sample(np.full(20, value), bounds=(0.0, 1.0)), "BCa", 0.95)
    assert found is not None
    assert found.method == "Wilson, without spread"
    assert found.ends == pytest.approx((low, high), abs=0.005)


def test_an_interval_without_width_says_so() -> None:
    found = without_spread(mean_sample(np.full(20, 0.5), bounds=(0.0, 1.0)), 0.95)
    assert found.ends == (0.5, 0.5)
    assert found.rough == "no resample changes the value: how far it may be off is not known"


def test_undefined_replicates_do_not_count_and_too_many_leave_no_interval() -> None:
    sample = mean_sample(np.arange(10.0))
    some = np.where(np.arange(2000) % 3 == 0, np.nan, sample.replicates)
    most = np.where(np.arange(2000) % 3 > 0, np.nan, sample.replicates)
    known = interval_of(Sample(4.5, some, sample.left_out, 10), "BCa", 0.95)
    whole = interval_of(Sample(4.5, some[~np.isnan(some)], sample.left_out, 10), "BCa", 0.95)

    assert known == whole
    assert interval_of(Sample(4.5, most, sample.left_out, 10), "BCa", 0.95) is None
    assert interval_of(sample, "none", 0.95) is None


def test_values_left_out_that_are_undefined_do_not_count() -> None:
    sample = mean_sample(np.arange(10.0))
    undefined = Sample(4.5, sample.replicates, np.full(10, np.nan), 10)
    assert interval_of(undefined, "jackknife", 0.95) == interval_of(undefined, "BCa", 0.95)


def test_where_all_replicates_lie_on_one_side_the_jackknife_is_taken() -> None:
    sample = mean_sample(np.arange(10.0))
    shifted = Sample(sample.value, sample.replicates + 20, sample.left_out, 10)
    found = interval_of(shifted, "BCa", 0.95)
    assert found == jackknife_interval(sample, 0.95)


def test_few_units_have_the_jackknife_since_resamples_do_not_reach_far_out() -> None:
    few, enough = mean_sample(np.arange(9.0)), mean_sample(np.arange(10.0))
    methods = [
        found and found.method
        for found in (interval_of(each, "BCa", 0.95) for each in (few, enough))
    ]
    assert methods == ["jackknife", "BCa"]


def test_the_interval_of_groups_that_are_alike_within_is_that_of_as_many_datums() -> None:
    """Four datums of a group that are all right or all wrong are one."""
    right = np.array([4, 4, 0, 4, 4, 0, 4, 4, 4, 4])
    low, high = grouped_wilson(right, np.full(10, 4), 0.95) or (0, 0)
    one_each = wilson_interval(8, 10, 0.95) or (0, 0)
    assert low < one_each[0]
    assert high > one_each[1]
    assert (low, high) == pytest.approx((0.4188, 0.9585), abs=0.03)


def test_groups_that_differ_no_more_than_chance_cost_little() -> None:
    tried = np.full(200, 10)
    right = np.random.default_rng(5).binomial(10, 0.8, size=200)
    ends = grouped_wilson(right, tried, 0.95) or (0, 0)
    assert ends == pytest.approx(wilson_interval(int(right.sum()), 2000, 0.95), abs=0.005)


def test_groups_that_are_all_right_count_as_one_datum_each() -> None:
    low, high = grouped_wilson(np.full(20, 10), np.full(20, 10), 0.95) or (0, 0)
    assert (low, high) == pytest.approx((0.82, 1.0), abs=0.005)


def test_one_group_has_no_interval() -> None:
    assert grouped_wilson(np.array([3, 0]), np.array([4, 0]), 0.95) is None


def test_each_block_left_out_is_a_small_sample_of_all_strata() -> None:
    units = Units.of_datums(8, 4)
    weights = units.left_out(4)
    assert weights.shape == (4, 12)
    assert weights.sum(axis=0).tolist() == [3] * 12  # each datum is left out once
    assert (8 - weights[:, :8].sum(axis=1)).tolist() == [2] * 4
    assert (4 - weights[:, 8:].sum(axis=1)).tolist() == [1] * 4


def test_datums_of_a_group_are_left_out_together() -> None:
    units = Units(np.array([0, 0, 1, 1, 2]), np.zeros(3, np.intp))
    rows = {tuple(row) for row in units.left_out(200).tolist()}
    assert rows == {(0, 0, 1, 1, 1), (1, 1, 0, 0, 1), (1, 1, 1, 1, 0)}


def test_few_groups_that_have_most_datums_make_a_share_less_sure() -> None:
    right, tried = np.array([3, 4, 2, 4, 3, 2]), np.full(6, 4)
    even = grouped_wilson(right, tried, 0.95) or (0, 0)
    uneven = grouped_wilson(right * [9, 1, 9, 1, 1, 1], tried * [9, 1, 9, 1, 1, 1], 0.95) or (0, 0)

    assert uneven[1] - uneven[0] > 1.2 * (even[1] - even[0])


@pytest.mark.parametrize("method", ["BCa", "jackknife"])
def test_intervals_cover_the_truth_as_often_as_they_say(method: IntervalMethod) -> None:
    """Means of 40 skewed values, 400 samples of a known distribution, nominal 90 %."""
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        found = interval_of(mean_sample(random.gamma(2.0, 0.2, 40), 400), method, 0.9)
        assert found is not None
        covered += found.low <= 0.4 <= found.high

    assert 0.875 <= covered / 400 <= 0.94
