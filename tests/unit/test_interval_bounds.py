"""Evaluators know what a metric can be, and which way round it is good."""

from __future__ import annotations

from typing import Any

import pytest

import velour_plugin as velour
from velour_plugin.plugins.installed import installed


@pytest.mark.parametrize(
    ("task", "metric", "bounds"),
    [
        ("object-detection", "mAP", (0.0, 1.0)),
        ("instance-segmentation", "oLRP", (0.0, 1.0)),
        ("semantic-segmentation", "mIoU", (0.0, 1.0)),
        ("embedding", "separation", (0.0, 1.0)),
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


def test_a_metric_of_a_strangers_evaluator_has_no_bounds_until_it_says_so() -> None:
    """Its intervals were cut at 1, and did not hold a value of 1.2."""

    class CountObjects(velour.Evaluator):
        task, version, headline = "count-objects", "1", ("mean_absolute_error",)

        def match(self, dataset: velour.Dataset, parameters: Any) -> velour.Ledger:
            raise NotImplementedError

        def measure(self, ledger: Any, datums: Any = None, weights: Any = None) -> Any:
            raise NotImplementedError

    assert CountObjects().bounds("mean_absolute_error") == (None, None)
