"""The evaluators of Velour, registered by the same hook as those of other plugins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from velour_plugin import hookimpl

if TYPE_CHECKING:
    from velour_plugin.plugin import Offer


@hookimpl
def velour_evaluators() -> Iterable[Offer]:
    """Offer one evaluator for each task, with the version of its class."""
    from velour_plugin.plugin import Offer

    return [
        Offer(task, f"velour_evaluators.{home}", version) for task, home, version in _EVALUATORS
    ]


_EVALUATORS = (
    ("embedding", "embedding.evaluator:EmbeddingEvaluator", "1"),
    ("image-classification", "classification.evaluator:ImageClassification", "3"),
    ("instance-segmentation", "detection.evaluator:InstanceSegmentation", "2"),
    ("object-detection", "detection.evaluator:ObjectDetection", "2"),
    ("semantic-segmentation", "semantic.evaluator:SemanticSegmentation", "1"),
    ("tabular-classification", "classification.evaluator:TabularClassification", "3"),
)
