"""Evaluators know what a metric can be, and which way round it is good."""

from __future__ import annotations

import pytest

from velour_plugin.plugins import installed


@pytest.mark.parametrize(
    ("task", "metric", "bounds"),
    [
        ("object-detection", "mAP", (0.0, 1.0)),
        ("image-classification", "mcc", (-1.0, 1.0)),
        ("image-classification", "log_loss", (0.0, None)),
        ("tabular-classification", "color/cohen_kappa", (-1.0, 1.0)),
        ("tabular-classification", "accuracy", (0.0, 1.0)),
    ],
)
def test_a_metric_knows_its_bounds(
    task: str, metric: str, bounds: tuple[float | None, float | None]
) -> None:
    assert installed().evaluator(task).bounds(metric) == bounds


def test_a_metric_of_another_key_is_ranked_the_same_way_round() -> None:
    evaluator = installed().evaluator("tabular-classification")

    assert evaluator.prefers_lower("log_loss")
    assert evaluator.prefers_lower("color/log_loss")
    assert not evaluator.prefers_lower("color/accuracy")
