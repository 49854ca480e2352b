"""torchmetrics: ``MeanAveragePrecision.compute``, boxes and masks in one run.

The metric calls pycocotools or faster-coco-eval, and its call over all classes is captured there;
further calls for each class (``class_metrics=True``) belong to the same evaluation. A metric that
was made before ``velour.autolog()`` keeps its ``compute``: make it after.

Its thresholds and recall levels are COCO's, rounded to float32, which moves its numbers wherever
something is exactly at one. Velour's are COCO's, so that they compare with all others; thresholds
of people's own (``iou_thresholds=``) are honoured as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

from velour_integrations.autologging import recording
from velour_plugin import Autologger
from velour_plugin.plugin import Watch


def _watch(module: ModuleType, watch: Watch) -> None:
    watch(module.MeanAveragePrecision, "compute", _capture)


def _capture(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> None:
    from velour_integrations.autologging.coco_eval import collecting

    captured: list[recording.Captured] = []
    token = collecting.set(captured)
    try:
        original(self, *args, **kwargs)
    finally:
        collecting.reset(token)
    recording.record([replace(item, source="MeanAveragePrecision") for item in captured])


AUTOLOGGER = Autologger("torchmetrics", {"torchmetrics.detection.mean_ap": _watch}, ">=1.0")
