"""Velour's own evaluators, offered through the same door as a stranger's."""

from __future__ import annotations

from collections.abc import Iterable

from velour_plugin.evaluator import Evaluator
from velour_plugin.hookspecs import hookimpl


@hookimpl
def velour_evaluators() -> Iterable[Evaluator]:
    """Detection of boxes, and segmentation of instances."""
    from velour_evaluators.detection import InstanceSegmentation, ObjectDetection

    return [ObjectDetection(), InstanceSegmentation()]
