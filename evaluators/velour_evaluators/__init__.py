"""Velour's own evaluators, offered through the same door as a stranger's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from velour_plugin import hookimpl

if TYPE_CHECKING:
    from velour_plugin import Evaluator


@hookimpl
def velour_evaluators() -> Iterable[Evaluator]:
    """Offer one evaluator a task."""
    from velour_evaluators.classification.evaluator import (
        ImageClassification,
        TabularClassification,
    )
    from velour_evaluators.detection.evaluator import InstanceSegmentation, ObjectDetection
    from velour_evaluators.embedding import EmbeddingEvaluator
    from velour_evaluators.semantic.evaluator import SemanticSegmentation

    return [
        EmbeddingEvaluator(),
        ImageClassification(),
        InstanceSegmentation(),
        ObjectDetection(),
        SemanticSegmentation(),
        TabularClassification(),
    ]
