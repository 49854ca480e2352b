"""Resamples, intervals, ranks and tests, by hand and against scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from velour_plugin.ranking.uncertainty.statistics import (
    basic_interval,
    best_probabilities,
    holm,
    mcnemar,
    rank_interval,
    rank_replicates,
    recentred,
    resample_weights,
    wilson_interval,
)


def test_every_resample_has_as_many_datums_as_there_are() -> None:
    weights = resample_weights(7, 50, seed=3)

    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()


def test_one_seed_draws_the_same_resamples() -> None:
    assert_array_equal(resample_weights(9, 5, 1), resample_weights(9, 5, 1))
    assert (resample_weights(9, 5, 1) != resample_weights(9, 5, 2)).any()


def test_the_basic_interval_reflects_the_replicates_at_the_value() -> None:
    """Replicates from 0.50 to 0.70 about 0.55: the bias of +0.05 is taken out."""
    replicates = np.linspace(0.5, 0.7, 101)

    low, high = basic_interval(0.55, replicates, 0.9) or (0, 0)

    assert low == pytest.approx(2 * 0.55 - 0.69)
    assert high == pytest.approx(2 * 0.55 - 0.51)


def test_an_interval_stays_within_what_the_metric_can_be() -> None:
    low, high = basic_interval(0.99, np.linspace(0.8, 1.0, 50), 0.95, (0.0, 1.0)) or (0, 0)

    assert high == 1.0
    assert 0.9 < low < 0.99


def test_a_value_that_is_mostly_undefined_has_no_interval() -> None:
    mostly_nothing = np.array([np.nan] * 6 + [0.5] * 4)

    assert basic_interval(0.5, mostly_nothing, 0.95) is None
    assert basic_interval(None, np.ones(10), 0.95) is None


def test_equal_scores_share_the_better_rank_and_nothing_ranks_last() -> None:
    scores = np.array([[0.9, 0.1], [0.9, 0.3], [np.nan, 0.2]])

    assert_array_equal(rank_replicates(scores, lower_is_better=False), [[1, 3], [1, 1], [3, 2]])
    assert_array_equal(rank_replicates(scores, lower_is_better=True), [[1, 1], [1, 3], [3, 2]])


def test_chances_of_being_best_add_up_to_one() -> None:
    ranks = rank_replicates(np.array([[0.9, 0.1, 0.5], [0.9, 0.3, 0.4]]), False)

    assert_array_equal(best_probabilities(ranks), [1.5 / 3, 1.5 / 3])


def test_a_rank_interval_leaves_out_the_tails() -> None:
    assert rank_interval(np.array([1.0] * 97 + [4.0] * 3), 0.9) == (1, 1)
    assert rank_interval(np.array([1.0] * 50 + [2.0] * 50), 0.9) == (1, 2)


def test_recentred_replicates_lie_on_the_other_side_of_the_value() -> None:
    assert_array_equal(recentred([0.5], np.array([[0.6, 0.3]])), [[0.4, 0.7]])


def test_holm_never_lowers_a_p_value_and_keeps_their_order() -> None:
    assert holm([0.5, 0.01, 0.02]) == pytest.approx([0.5, 0.03, 0.04])
    assert holm([]) == []


@pytest.mark.parametrize(("right", "total"), [(0, 5), (5, 5), (37, 120), (1, 1)])
def test_wilson_intervals_equal_scipys(right: int, total: int) -> None:
    from scipy.stats import binomtest

    theirs = binomtest(right, total).proportion_ci(0.95, method="wilson")

    assert wilson_interval(right, total, 0.95) == pytest.approx((theirs.low, theirs.high))


def test_the_share_of_nothing_has_no_interval() -> None:
    assert wilson_interval(0, 0, 0.95) is None


@pytest.mark.parametrize(("first", "second"), [(8, 1), (0, 0), (5, 5), (1500, 1400), (3, 0)])
def test_mcnemar_equals_scipys_exact_binomial_test(first: int, second: int) -> None:
    from scipy.stats import binomtest

    theirs = binomtest(first, first + second).pvalue if first + second else 1.0

    assert mcnemar(first, second) == pytest.approx(min(1.0, theirs))


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Means of 40 skewed values, 600 samples of a known population, nominal 90 %."""
    random = np.random.default_rng(0)
    population = random.gamma(2.0, 0.2, 20_000)
    truth, covered = population.mean(), 0
    for sample_number in range(600):
        sample = random.choice(population, 40)
        weights = resample_weights(40, 300, seed=sample_number)
        low, high = basic_interval(sample.mean(), weights @ sample / 40, 0.9) or (0, 0)
        covered += low <= truth <= high

    assert 0.85 <= covered / 600 <= 0.93
