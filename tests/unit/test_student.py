"""Student's distribution, against scipy's."""

from __future__ import annotations

import pytest
from scipy.stats import t

from velour_plugin.ranking.uncertainty.student import student, student_quantile

FREEDOMS = [1, 1.3, 2, 4.7, 9, 100, 101, 199.5, 5000, 100_000]


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("value", [-1e6, -30.0, -3.0, -0.5, 0.0, 0.7, 2.5, 10.0, 40.0])
def test_probabilities_are_scipys(value: float, freedom: float) -> None:
    assert student(value, freedom) == pytest.approx(t.cdf(value, freedom), abs=1e-9)


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("share", [0.5, 0.9, 0.975, 0.995, 0.9999])
def test_quantiles_are_scipys(share: float, freedom: float) -> None:
    expected = t.ppf(share, freedom)
    assert student_quantile(share, freedom) == pytest.approx(expected, rel=1e-6, abs=1e-6)
