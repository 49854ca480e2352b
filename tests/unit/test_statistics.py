"""Intervals, ranks and tests, by hand and against scipy and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from velour_plugin.ranking.uncertainty.statistics import (
    holm,
    mcnemar,
    step_down,
    wilson_interval,
)


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
def test_mcnemar_is_scipys_binomial_test_with_half_of_what_was_observed(
    first: int, second: int
) -> None:
    from scipy.stats import binom

    fewer, total = min(first, second), first + second
    one_sided = binom.cdf(fewer - 1, total, 0.5) + binom.pmf(fewer, total, 0.5) / 2

    assert mcnemar(first, second) == pytest.approx(2 * one_sided)


@pytest.mark.parametrize("datums", [20, 50, 200])
def test_mcnemars_level_is_held_over_all_that_may_be_observed(datums: int) -> None:
    """Two equal models disagree on a share of the datums; all outcomes are summed up."""
    from scipy.stats import binom

    for share in (0.1, 0.3, 0.5):
        wrong = sum(
            binom.pmf(total, datums, share) * binom.pmf(first, total, 0.5)
            for total in range(datums + 1)
            for first in range(total + 1)
            if mcnemar(first, total - first) <= 0.05
        )
        assert wrong <= 0.052
        assert wrong >= 0.03 or datums * share < 10  # few disagree: no p is small


def adjusted_by_definition(differences: np.ndarray, permuted: np.ndarray) -> list[float]:
    """Westfall and Young's step-down, a loop for each word of its definition."""
    spread = [math.sqrt(sum(d * d for d in column) / len(permuted)) for column in permuted.T]
    clear = [abs(d) / s for d, s in zip(differences, spread, strict=True)]
    order = sorted(range(len(clear)), key=lambda at: -clear[at])
    adjusted, before = [0.0] * len(clear), 0.0
    for place, at in enumerate(order):
        rivals = order[place:]
        as_large = sum(
            max(abs(row[rival]) / spread[rival] for rival in rivals) >= clear[at] - 1e-12
            for row in permuted
        )
        before = max(before, (1 + as_large) / (len(permuted) + 1))
        adjusted[at] = before
    return adjusted


@pytest.mark.parametrize("seed", range(20))
def test_step_down_is_its_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    permuted = random.normal(size=(40, 5)).round(1) * [1, 10, 0.1, 3, 3] + 0.01
    differences = random.normal(size=5).round(1) * [3, 10, 0.2, 3, 9]

    found = step_down(differences, permuted)

    assert found.tolist() == pytest.approx(adjusted_by_definition(differences, permuted))


def test_step_down_has_no_floor_that_grows_with_the_number_of_differences() -> None:
    random = np.random.default_rng(0)
    permuted = random.normal(size=(199, 80))

    found = step_down(np.array([8.0] + [0.1] * 79), permuted)

    assert found[0] == 1 / 200
    assert found[1:].min() > 0.9


def test_step_down_keeps_the_level_of_a_family_of_equals() -> None:
    """Of 400 families of 12 differences without a cause, about 5 % have a p of at most 0.05."""
    random = np.random.default_rng(1)
    scale = np.geomspace(0.01, 10, 12)
    least = [
        step_down(drawn[0] * scale, drawn[1:] * scale).min()
        for drawn in random.normal(size=(400, 100, 12)) + random.normal(size=(400, 100, 1))
    ]

    assert 0.03 <= np.mean(np.array(least) <= 0.05) <= 0.075


def test_what_is_undefined_has_no_p_and_a_lost_label_no_difference() -> None:
    permuted = np.array([[np.nan, 1.0], [0.5, np.nan], [0.0, 1.0]])

    found = step_down(np.array([np.nan, 2.0]), permuted)

    assert np.isnan(found[0])
    assert found[1] == 1 / 4
