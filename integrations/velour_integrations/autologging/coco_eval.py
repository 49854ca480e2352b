"""What a ``COCOeval`` object evaluated, in pycocotools and in what follows its interface.

Most trainers end in its ``summarize``, but some of them (torchvision's references, DETR) evaluate
batch by batch, and what is left in the object by then are the detections of the last
batch. So detections are noted when they are prepared, image by image.

What Velour cannot evaluate exactly alike is a warning that names it, and nothing is logged: other
recall levels, detections of other processes, LVIS's rules.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from velour_integrations.autologging import recording
from velour_integrations.autologging.coco_reading import (
    CocoTruth,
    by_label,
    predictions_of,
    truth_of,
)
from velour_integrations.autologging.recording import Captured
from velour_plugin.errors import VelourError
from velour_plugin.plugin import Watch

logger = logging.getLogger("mlflow.velour")

TASKS = {"bbox": "object-detection", "segm": "instance-segmentation"}
"""What COCO's kinds of IoU are called here."""

collecting: ContextVar[list[Captured] | None] = ContextVar("velour_coco", default=None)
"""Where to put what is captured, while something larger is watched; see ``torchmetrics``."""

_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_AREAS = [["all", 0.0, 1e10], ["small", 0.0, 1024.0], ["medium", 1024.0, 9216.0],
          ["large", 9216.0, 1e10]]  # fmt: skip

_truths: WeakKeyDictionary[Any, CocoTruth] = WeakKeyDictionary()
_detections: WeakKeyDictionary[Any, dict[Any, Sequence[Mapping[str, Any]]]] = WeakKeyDictionary()
_logged: WeakKeyDictionary[Any, dict[Any, frozenset[Any]]] = WeakKeyDictionary()


def watch_truth(module: ModuleType, watch: Watch) -> None:
    """Watch the class ``COCO`` of a module, for where its files come from."""
    watch(module.COCO, "__init__", _note_file)
    watch(module.COCO, "loadRes", _note_results)


def watch_evaluation(module: ModuleType, watch: Watch) -> None:
    """Watch the class ``COCOeval`` of a module, to record what it evaluates."""
    watch(module.COCOeval, "_prepare", _note_detections)
    watch(module.COCOeval, "summarize", _capture)


def _note_file(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> None:
    """What a truth is called: after its file."""
    original(self, *args, **kwargs)
    path = args[0] if args else kwargs.get("annotation_file")
    if isinstance(path, (str, os.PathLike)):
        self._velour_name = Path(path).stem  # torchvision copies its COCO: a copy keeps this


def _note_results(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> Any:
    """What a model is called: after the file of its results."""
    results = original(self, *args, **kwargs)
    path = args[0] if args else kwargs.get("resFile")
    if isinstance(path, (str, os.PathLike)):
        results._velour_model = Path(path).stem
    return results


def _note_detections(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> None:
    """Remember the truth before COCO's code turns its polygons to masks, and the detections."""
    kind = self.params.iouType
    if kind in TASKS and recording.is_listening():
        with suppress(VelourError):  # raised again when the evaluation is recorded
            _truth(self.cocoGt, kind == "segm")
        detections = _detections.setdefault(self, {})
        detections.update(
            {image: self.cocoDt.imgToAnns.get(image, ()) for image in self.params.imgIds}
        )
    original(self, *args, **kwargs)


def _capture(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    kind = self.params.iouType
    if not recording.is_listening():
        return
    if kind not in TASKS:
        logger.debug("COCOeval: %s is no task of Velour's.", kind)
        return
    unlike = _unlike(self)
    if unlike:
        logger.warning("COCOeval: not logged: %s", unlike)
        return
    pending = collecting.get()
    if pending is not None and any(item.task == TASKS[kind] for item in pending):
        return  # of a single class, after all of them
    categories, key = frozenset(_categories(self)), (recording.active_run_id(), kind)
    before = _logged.setdefault(self.cocoGt, {})
    if categories < before.get(key, frozenset()):
        logger.debug("COCOeval: %d of the categories that were logged.", len(categories))
        return
    try:
        captured = _captured(self)
    except VelourError as error:
        logger.warning("COCOeval: not logged: %s", error)
        return
    before[key] = categories
    if pending is None:
        recording.record([captured])
    else:
        pending.append(captured)


def _unlike(evaluation: Any) -> str | None:
    """Why Velour cannot evaluate the same; ``None`` when it can."""
    params = evaluation.params
    seen = _detections.get(evaluation)
    missing = [] if seen is None else [image for image in params.imgIds if image not in seen]
    if missing:
        return (
            f"the detections of {len(missing)} images, such as {missing[0]}, were not seen here: "
            "other processes evaluated them, or autologging was off. Evaluate in one process."
        )
    if not _near(params.recThrs, _RECALLS):
        return f"{len(params.recThrs)} recall levels (recThrs) of its own: COCO's are 0:0.01:1."
    if "all" not in params.areaRngLbl:
        return f"area ranges {params.areaRngLbl} without one called 'all' (areaRngLbl)."
    if getattr(evaluation, "lvis_style", False):
        return "LVIS's rules (lvis_style): evaluate with the parameter federated=True instead."
    if getattr(evaluation, "use_area", True) is False:
        return "areas of boxes in place of those of the annotations (use_area=False)."
    return None


def _captured(evaluation: Any) -> Captured:
    params, kind = evaluation.params, evaluation.params.iouType
    masks = kind == "segm"
    truth = _truth(evaluation.cocoGt, masks)
    whole = truth.narrowed(set(params.imgIds), set(_categories(evaluation)))
    seen = _detections.get(evaluation) or evaluation.cocoDt.imgToAnns
    detections = chain.from_iterable(seen.get(image, ()) for image in whole.images)
    predictions, dataset = predictions_of(whole, detections, masks), whole.dataset
    parameters = _parameters(evaluation)
    if not params.useCats:
        predictions = by_label(predictions)
        dataset = replace(dataset, truth=by_label(dataset.truth))
        parameters["label_map"] = {name: "object" for _, name in dataset.truth.labels}
    name = recording.dataset_name(getattr(evaluation.cocoGt, "_velour_name", None), dataset)
    predicted = dataset.with_name(name).with_predictions(predictions, "autologged")
    reported = {} if _is_rounded(params) else _stats(evaluation)
    model = getattr(evaluation.cocoDt, "_velour_model", None)
    return Captured("COCOeval", predicted, TASKS[kind], parameters, reported, model=model)


def _is_rounded(params: Any) -> bool:
    """Whether levels are COCO's, but went through float32, as torchmetrics' do.

    Then recalls and overlaps exactly at a level fall on its other side, and the library's numbers
    differ from COCO's: a little on real images, by a tenth on a few boxes with round numbers.
    Velour takes the levels that are meant.
    """
    meant = [_RECALLS, *([_THRESHOLDS] if _near(params.iouThrs, _THRESHOLDS) else [])]
    levels = [params.recThrs, params.iouThrs]
    return not all(map(np.array_equal, meant, levels))


def _categories(evaluation: Any) -> Sequence[Any]:
    """Ids that count; ``accumulate`` overwrites those of ``params`` when classes do not."""
    params = evaluation.params if evaluation.params.useCats else evaluation._paramsEval
    return [number.item() if hasattr(number, "item") else number for number in params.catIds]


def _parameters(evaluation: Any) -> dict[str, Any]:
    """In Velour's words; what is as ever is left out, so that certificates agree."""
    params, parameters = evaluation.params, dict[str, Any]()
    if not _near(params.iouThrs, _THRESHOLDS):
        parameters["iou_thresholds"] = [float(value) for value in params.iouThrs]
    if _most(evaluation) != [1, 10, 100]:
        parameters["max_detections"] = _most(evaluation)
    spans = zip(params.areaRngLbl, params.areaRng, strict=True)
    areas = [[name, float(low), float(high)] for name, (low, high) in spans]
    areas.sort(key=lambda area: area[0] != "all")  # the overall range comes first
    if areas != _AREAS:
        parameters["area_ranges"] = areas
    return parameters


def _most(evaluation: Any) -> list[int]:
    """Numbers of detections that count; of more than three, pycocotools sums up the first three."""
    most = [int(value) for value in evaluation.params.maxDets]
    return most if _is_adaptive(evaluation) else most[:3]


def _stats(evaluation: Any) -> dict[str, float]:
    """The library's own numbers, without -1, which stands for none."""
    labels: Sequence[str] = ("small", "medium", "large")
    if _is_adaptive(evaluation):
        labels = evaluation.params.areaRngLbl[1:]
    names = ["mAP", "mAP_50", "mAP_75", *(f"mAP_{label}" for label in labels)]
    names += [f"mAR_{most}" for most in _most(evaluation)] + [f"mAR_{label}" for label in labels]
    pairs = zip(names, np.asarray(evaluation.stats, float).tolist(), strict=False)
    return {name: value for name, value in pairs if value > -1}


def _is_adaptive(evaluation: Any) -> bool:
    """Whether ``stats`` follow the parameters, as in faster-coco-eval, or are always twelve."""
    return hasattr(evaluation, "all_stats")


def _truth(coco: Any, with_shapes: bool) -> CocoTruth:
    known = _truths.get(coco)
    if known is None:
        known = _truths[coco] = truth_of(coco.dataset, with_shapes)
    return known


def _near(values: Any, expected: Any) -> bool:
    return len(values) == len(expected) and np.allclose(values, expected, rtol=0, atol=1e-6)
