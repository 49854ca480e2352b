"""Calibration with what chance does taken out: debiased error, its interval, and bands."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from velour_evaluators.classification.kernels.calibration import (
    accuracy_bands,
    mean_squared_gap,
    reliability,
    rms_calibration_error,
    rms_calibration_interval,
)

from tests.classification_data import dataset_of_arrays, detail, headline


def drawn(seed: int, datums: int, gap: float):
    """Confidences, and whether each is right: the probability of that is ``gap`` lower."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.5, 1.0, datums)
    return confidence, random.random(datums) < confidence - gap


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.2])
def test_the_squared_gap_is_right_on_average(gap: float) -> None:
    gaps = [mean_squared_gap(reliability(*drawn(seed, 300, gap), 10))[0] for seed in range(1000)]
    assert np.mean(gaps) == pytest.approx(gap**2, abs=4 * np.std(gaps) / 1000**0.5 + 1e-4)


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.2])
def test_its_interval_covers_the_truth(gap: float) -> None:
    covered = 0
    for seed in range(400):
        span = rms_calibration_interval(reliability(*drawn(seed, 300, gap), 10), 0.95)
        assert span is not None
        covered += span[0] <= gap + 1e-12 and gap <= span[1]
    assert covered >= 0.93 * 400


def test_a_calibrated_model_has_less_error_than_ece_says() -> None:
    errors = [rms_calibration_error(reliability(*drawn(seed, 200, 0.0), 15)) for seed in range(50)]
    random = np.random.default_rng(0)
    scores = random.dirichlet([1.0, 1.0], 200)
    truth = (random.random(200) < scores[:, 1]).astype(int)
    assert headline(dataset_of_arrays(truth, scores))["ece"] > 0.05 > np.mean(errors)


def test_what_a_bin_adds_can_be_counted() -> None:
    """A bin of 4 at 0.75, 2 right; one of 1, which does not count."""
    bins = reliability(
        np.array([0.75, 0.75, 0.75, 0.75, 0.25]), np.array([True, True, False, False, True]), 2
    )
    gap, error = mean_squared_gap(bins)
    chance = 0.25 / 3
    assert gap == pytest.approx(0.0625 - chance)
    assert error == pytest.approx(np.sqrt(2) * chance)
    assert rms_calibration_error(bins) == 0.0


def test_bins_of_one_datum_have_no_error() -> None:
    bins = reliability(np.array([0.25, 0.75]), np.array([True, False]), 2)
    assert np.isnan(rms_calibration_error(bins))
    assert rms_calibration_interval(bins, 0.95) is None


def test_bands_hold_all_together() -> None:
    """Calibrated scores: the diagonal leaves the bands of ten bins in one sample of twenty."""
    inside = 0
    for seed in range(400):
        bins = reliability(*drawn(seed, 500, 0.0), 20)
        low, high = accuracy_bands(bins, 0.95)
        known = bins.count > 0
        expected = bins.confidence[known] / bins.count[known]
        inside += bool(((low[known] <= expected) & (expected <= high[known])).all())
        assert np.isnan(low[~known]).all()
    assert inside >= 0.93 * 400


def test_a_band_is_newcombes_at_the_level_of_sidak() -> None:
    """Its ends solve |p - share| - 1 / 2n = z times the standard error of p."""
    bins = reliability(np.array([0.4, 0.4, 0.9, 0.9, 0.9]), np.array([1, 0, 1, 1, 0], bool), 2)
    low, high = accuracy_bands(bins, 0.95)
    z = norm.ppf((1 + 0.95**0.5) / 2)
    for right, count, ends in ((1, 2, (low[0], high[0])), (2, 3, (low[1], high[1]))):
        for end in ends:
            distance = abs(end - right / count) - 1 / (2 * count)
            assert distance == pytest.approx(z * np.sqrt(end * (1 - end) / count))


def test_details_name_them() -> None:
    random = np.random.default_rng(1)
    scores = random.dirichlet([1.0, 1.0, 1.0], 60)
    dataset = dataset_of_arrays(random.integers(0, 3, 60), scores)
    interval = detail(dataset, "rms_ece_interval")
    assert interval["low"] <= detail(dataset, "rms_ece") <= interval["high"]
    bands = detail(dataset, "reliability_bands")
    accuracy = detail(dataset, "reliability")["accuracy"]
    for low, value, high in zip(bands["low"], accuracy, bands["high"], strict=True):
        assert low is value is high is None or low <= value <= high
