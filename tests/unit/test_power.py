"""Detectable differences and needed datums: closed forms, and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from velour_plugin.ranking.uncertainty.power import (
    detectable_difference,
    error_over,
    interval_width,
    units_for_difference,
    units_for_width,
)


def test_the_detectable_difference_is_the_sum_of_both_quantiles() -> None:
    """1.96 standard errors for the level and 0.84 for the power."""
    assert detectable_difference(1.0) == pytest.approx(1.959964 + 0.841621, abs=1e-6)
    assert detectable_difference(1.0, sides=1) == pytest.approx(1.644854 + 0.841621, abs=1e-6)
    assert detectable_difference(1.0, level=0.01, power=0.5) == pytest.approx(2.575829, abs=1e-6)
    assert detectable_difference(0.0) == 0.0


def test_half_the_difference_needs_four_times_the_datums() -> None:
    assert error_over(0.02, 100, 400) == 0.01
    assert units_for_difference(0.02, 1000, 0.02) == 7849
    assert units_for_difference(0.02, 1000, 0.01) == 31396
    assert units_for_width(0.02, 1000, 2 * 1.959964 * 0.02, 0.95) == 1000
    assert interval_width(0.02, 0.95) == pytest.approx(2 * 1.959964 * 0.02)


def test_what_a_number_of_datums_needs_is_what_it_detects() -> None:
    units = units_for_difference(0.03, 60, 0.05)
    assert detectable_difference(error_over(0.03, 60, units)) <= 0.05
    assert detectable_difference(error_over(0.03, 60, units - 1)) > 0.05


def test_equal_runs_need_one_datum() -> None:
    assert units_for_difference(0.0, 100, 0.02) == 1


def test_a_difference_as_large_as_the_detectable_one_is_found_four_times_in_five() -> None:
    """Means of 400 paired differences of spread 1, by a two-sided z test; 4,000 repetitions."""
    random, spread = np.random.default_rng(0), 1 / math.sqrt(400)
    means = detectable_difference(spread) + random.normal(0.0, spread, 4000)
    assert np.mean(np.abs(means) > 1.959964 * spread) == pytest.approx(0.8, abs=0.02)
