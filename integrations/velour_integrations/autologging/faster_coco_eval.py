"""faster-coco-eval, under its own name or in the place of pycocotools."""

from __future__ import annotations

from types import ModuleType

from velour_plugin import Autologger
from velour_plugin.plugin import Watch


def _truth(module: ModuleType, watch: Watch) -> None:
    from velour_integrations.autologging.coco_eval import watch_truth

    watch_truth(module, watch)


def _evaluation(module: ModuleType, watch: Watch) -> None:
    from velour_integrations.autologging.coco_eval import watch_evaluation

    watch_evaluation(module, watch)  # the base of COCOeval_faster


AUTOLOGGER = Autologger(
    "faster-coco-eval",
    {"faster_coco_eval.core.coco": _truth, "faster_coco_eval.core.cocoeval": _evaluation},
    ">=1.6",
)
