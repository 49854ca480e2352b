"""Precision at one threshold: the kernel and numpy agree to the bit, whatever the size."""

from __future__ import annotations

import numpy as np
import pytest
from velour_evaluators.detection import engine
from velour_evaluators.kernels.native import library

compiled = pytest.mark.skipif(library.functions is None, reason=library.describe())
SIZES = [0, 1, 2, 7, 126, 127, 128, 129, 500, 16_383, 16_384, 16_385, 40_000]
"""Truths of a label: their recalls are looked up in a shared table, one of its own, or none."""


def test_half_of_two_truths_are_found_by_the_first_of_three() -> None:
    """Precision is 1 up to half of the recalls, 51 of 101; what does not count is no mistake."""
    label = np.zeros(3, np.int32)
    true, counted = np.array([False, True, False]), np.array([False, True, True])
    assert engine.average_precision(label, true, counted, np.array([2])) == pytest.approx(51 / 101)
    assert engine.average_precision(label, true, counted, np.array([0])) is None
    assert engine.average_precision(label, true, counted, np.array([-1])) is None


@compiled
@pytest.mark.parametrize("size", SIZES)
def test_both_engines_agree(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels without detections or truths, and more true positives than truths."""
    rng = np.random.default_rng(size)
    truths = np.array([size, max(0, size - 1), 3, 0, size // 2])
    label = np.sort(rng.integers(0, 4, 4 * size + 20)).astype(np.int32)
    counted = rng.random(len(label)) < 0.9
    true = counted & (rng.random(len(label)) < 0.3)
    found = engine.average_precision(label, true, counted, truths)
    monkeypatch.setenv("VELOUR_ENGINE", "numpy")
    assert engine.average_precision(label, true, counted, truths) == found
