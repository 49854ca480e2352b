"""What resamples draw: datums, groups of them, and of each stratum as many as it has."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from velour_plugin.ranking.uncertainty.units import Units


def test_every_resample_has_as_many_datums_as_there_are() -> None:
    weights = Units.of_datums(7).weights(50, seed=3)

    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert len(np.unique(weights, axis=0)) > 40


def test_one_seed_draws_the_same_resamples() -> None:
    units = Units.of_datums(9)

    assert_array_equal(units.weights(5, 1), units.weights(5, 1))
    assert (units.weights(5, 1) != units.weights(5, 2)).any()


def test_each_stratum_keeps_its_size() -> None:
    weights = Units.of_datums(3, 0, 4).weights(50, seed=0)

    assert (weights[:, :3].sum(axis=1) == 3).all()
    assert (weights[:, 3:].sum(axis=1) == 4).all()


def test_datums_of_a_group_are_drawn_together() -> None:
    units = Units(of_datum=np.array([2, 0, 2, 1, 0]), strata=np.zeros(3, int))

    weights = units.weights(50, seed=0)

    assert_array_equal(weights[:, 0], weights[:, 2])
    assert_array_equal(weights[:, 1], weights[:, 4])
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
