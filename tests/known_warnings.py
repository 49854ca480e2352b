"""Warnings that a test's input is meant to give, and that are not what it is about."""

import pytest

UNKNOWN_CLASSES = pytest.mark.filterwarnings(
    "ignore:(?s).*classes that the ground truth does not have"
)
"""Models that predict classes of which the ground truth has none."""
