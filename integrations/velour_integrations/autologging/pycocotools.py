"""pycocotools: whatever trainer calls ``COCOeval.summarize``, of a subclass too (Detectron2)."""

from __future__ import annotations

from types import ModuleType

from velour_plugin import Autologger
from velour_plugin.plugin import Watch


def _truth(module: ModuleType, watch: Watch) -> None:
    from velour_integrations.autologging.coco_eval import watch_truth

    if module.COCO.__module__.startswith("pycocotools"):  # not another's in its place
        watch_truth(module, watch)


def _evaluation(module: ModuleType, watch: Watch) -> None:
    from velour_integrations.autologging.coco_eval import watch_evaluation

    if module.COCOeval.__module__.startswith("pycocotools"):
        watch_evaluation(module, watch)


AUTOLOGGER = Autologger(
    "pycocotools",
    {"pycocotools.coco": _truth, "pycocotools.cocoeval": _evaluation},
    ">=2.0.8",
)
