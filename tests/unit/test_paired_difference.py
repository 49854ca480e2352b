"""The spread of paired differences: by hand, by its definition, and by level."""

from __future__ import annotations

import math

import numpy as np
import pytest

from velour_plugin.ranking.comparing.paired_difference import (
    JackknifedDifference,
    SharesDifference,
    interval_of,
    jackknifed,
)
from velour_plugin.ranking.uncertainty.student import student_quantile

# Any metric: the jackknife


def test_the_jackknife_of_a_mean_is_the_t_test() -> None:
    """Without one of n numbers their mean moves by its distance from it over n - 1."""
    from scipy.stats import ttest_1samp

    numbers = np.random.default_rng(0).normal(0.3, 1.0, 30)
    omitted = (numbers.sum() - numbers) / 29
    found = jackknifed(float(numbers.mean()), omitted)
    assert found is not None
    theirs = ttest_1samp(numbers, 0.1, alternative="greater")
    assert found.p_above(0.1) == pytest.approx(theirs.pvalue)
    interval = ttest_1samp(numbers, 0.0).confidence_interval(0.95)
    assert interval_of(found, 0.95) == pytest.approx((interval.low, interval.high))


def test_fewer_than_five_datums_that_matter_have_no_spread() -> None:
    four = np.array([0.1, 0.2, 0.4, 0.3, 0.5, 0.5])
    assert jackknifed(0.5, four) is None
    assert jackknifed(0.5, np.full(20, 0.5)) is None
    assert jackknifed(None, np.arange(9.0)) is None
    assert jackknifed(0.5, np.array([np.nan, *range(9)])) is None
    five = jackknifed(0.5, np.array([0.1, 0.2, 0.4, 0.3, 0.6, 0.5]))
    assert five is not None
    assert five.freedom == 4


def test_a_mirrored_difference_has_the_mirrored_interval() -> None:
    for paired in (JackknifedDifference(0.1, 0.03, 12), SharesDifference(3, 9, 40)):
        low, high = interval_of(paired, 0.9)
        assert interval_of(paired.mirrored(), 0.9) == pytest.approx((-high, -low))


# Shares of datums: Tango's score test


def likeliest_score(first: int, second: int, datums: int, value: float) -> float:
    """By a search for the likeliest shares under the null hypothesis."""
    from scipy.optimize import minimize_scalar

    def unlikeliness(share: float) -> float:
        shares = (share + value, share, 1 - 2 * share - value)
        counts = (second, first, datums - first - second)
        return -sum(n * math.log(p) for n, p in zip(counts, shares, strict=True))

    bounds = (max(0.0, -value) + 1e-12, (1 - value) / 2 - 1e-12)
    share = minimize_scalar(
        unlikeliness, bounds=bounds, method="bounded", options={"xatol": 1e-12}
    ).x
    spread = math.sqrt(datums * (2 * share + value - value * value))
    return float((second - first - datums * value) / spread)


@pytest.mark.parametrize(
    ("first", "second", "datums", "value"),
    [(1, 9, 32, -0.1), (1, 9, 32, 0.1), (5, 3, 40, -0.05), (4, 0, 30, 0.02), (0, 4, 30, -0.3)],
)
def test_the_score_test_is_at_the_likeliest_shares(
    first: int, second: int, datums: int, value: float
) -> None:
    from scipy.stats import t

    score = likeliest_score(first, second, datums, value) * math.sqrt(1 - 1 / datums)
    theirs = t.sf(score, datums - 1)
    found = SharesDifference(first, second, datums).p_above(value)
    assert found == pytest.approx(theirs, rel=1e-5)


def test_without_disagreement_the_interval_is_wilsons_of_nothing() -> None:
    """Tango 1998: t² / (n + t²) to both sides, here with n - 1 for n."""
    reach = student_quantile(0.975, 49) ** 2
    reach /= 49 + reach
    assert interval_of(SharesDifference(0, 0, 50), 0.95) == pytest.approx((-reach, reach), abs=1e-6)


@pytest.mark.parametrize("datums", [20, 50])
@pytest.mark.parametrize("margin", [-0.1, -0.05, -0.02, 0.02, 0.1])
def test_the_level_at_the_margin_is_kept_over_all_that_may_be_observed(
    datums: int, margin: float
) -> None:
    """The true difference is the margin; all outcomes are summed up."""
    from scipy.stats import binom

    for only_second in (0.05, 0.1, 0.25):
        only_second += max(0.0, margin)
        apart = 2 * only_second - margin
        wrong = sum(
            binom.pmf(total, datums, apart) * binom.pmf(second, total, only_second / apart)
            for total in range(datums + 1)
            for second in range(total + 1)
            if SharesDifference(total - second, second, datums).p_above(margin) <= 0.05
        )
        assert wrong <= 0.06
