"""Ultralytics: validation of detectors and classifiers, alone or after each epoch.

Boxes are noted batch by batch where the validator updates its own metrics, and put back from the
letterboxed image into the pixels of the original. Validators of masks and poses are
recorded by their boxes; rotated boxes are left alone. Velour's mAP is COCO's: the
``metrics/mAP50-95(B)`` beside it is Ultralytics' own, which integrates otherwise.

Written against Ultralytics 8.4's source; it needs torchvision, so the tests run a stand-in with
the names, arguments and data of its validators.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from velour_integrations.autologging import recording
from velour_plugin import Autologger
from velour_plugin.plugin import Watch

logger = logging.getLogger("mlflow.velour")

Rows = NDArray[np.float64]


@dataclass
class _Image:
    """Boxes of an image, as left, top, width, height in its own pixels."""

    file: str
    height: int
    width: int
    truth: Rows
    truth_class: NDArray[np.intp]
    predictions: Rows
    said_class: NDArray[np.intp]
    score: Rows


@dataclass
class _Seen:
    """What a validator was shown since it began."""

    images: list[_Image] = field(default_factory=list)
    truth: list[NDArray[np.intp]] = field(default_factory=list)
    scores: list[Rows] = field(default_factory=list)


_seen: WeakKeyDictionary[Any, _Seen] = WeakKeyDictionary()


def _detection(module: ModuleType, watch: Watch) -> None:
    watch(module.DetectionValidator, "update_metrics", _note_boxes)
    watch(module.DetectionValidator, "__call__", _capture)


def _classification(module: ModuleType, watch: Watch) -> None:
    watch(module.ClassificationValidator, "update_metrics", _note_classes)
    watch(module.ClassificationValidator, "__call__", _capture)


def _note_boxes(
    original: Callable[..., Any], self: Any, preds: Any, batch: Any, *args: Any, **kwargs: Any
) -> None:
    seen = _seen.get(self)
    if seen is not None and self.args.task != "obb":
        single = bool(getattr(self.args, "single_cls", False))
        seen.images += [
            _image(index, predictions, batch, single) for index, predictions in enumerate(preds)
        ]
    original(self, preds, batch, *args, **kwargs)


def _note_classes(
    original: Callable[..., Any], self: Any, preds: Any, batch: Any, *args: Any, **kwargs: Any
) -> None:
    seen = _seen.get(self)
    if seen is not None:
        seen.truth.append(_numpy(batch["cls"]).astype(np.intp).ravel())
        seen.scores.append(_numpy(preds))
    original(self, preds, batch, *args, **kwargs)


def _capture(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> None:
    is_listening, trainer = recording.is_listening(), args[0] if args else kwargs.get("trainer")
    seen = _seen[self] = _Seen()
    try:
        with recording.quiet():  # it may ask COCOeval as well
            original(self, *args, **kwargs)
    finally:
        del _seen[self]
    count = len(seen.images) + sum(map(len, seen.truth))
    if not is_listening or not count:
        return
    if count != len(self.dataloader.dataset):
        logger.warning(
            "Ultralytics: not logged: %d of %d images were evaluated here, the others by other "
            "processes. Validate on one device.",
            count,
            len(self.dataloader.dataset),
        )
        return
    step = None if trainer is None else int(trainer.epoch)
    recording.record([_captured(self, seen, step)])


def _captured(validator: Any, seen: _Seen, step: int | None) -> recording.Captured:
    from velour_integrations.autologging.classification import classified, distinct

    names, name = validator.names, _name(validator)
    labels = distinct([str(names[number]) for number in range(len(names))])
    if seen.images:
        dataset, task = _dataset(labels, seen.images, name), "object-detection"
    else:
        truth = np.array(labels)[np.concatenate(seen.truth)]
        dataset = classified(name, labels, truth, np.concatenate(seen.scores))
        task = "image-classification"
    return recording.Captured("Ultralytics", dataset, task, step=step, model=_weights(validator))


def _dataset(labels: Sequence[str], images: Sequence[_Image], name: str | None) -> Any:
    import velour_plugin as velour
    from velour_plugin import AnnotationTable
    from velour_plugin.plugin import DEFAULT_KEY, natural_order

    short = [PurePath(image.file).name for image in images]
    uids = short if len(set(short)) == len(short) else [image.file for image in images]
    order = sorted(range(len(images)), key=lambda index: natural_order(uids[index]))
    images = [images[index] for index in order]
    datums = [
        velour.Datum(
            uids[index], {"file_name": uids[index], "height": image.height, "width": image.width}
        )
        for index, image in zip(order, images, strict=True)
    ]

    def table(boxes: Sequence[Rows], classes: Sequence[Any], **columns: Any) -> AnnotationTable:
        return AnnotationTable.from_columns(
            [(DEFAULT_KEY, label) for label in labels],
            np.repeat(np.arange(len(images)), list(map(len, boxes))),
            np.concatenate(classes),
            box=np.concatenate(boxes),
            **columns,
        )

    truth = table([image.truth for image in images], [image.truth_class for image in images])
    predictions = table(
        [image.predictions for image in images],
        [image.said_class for image in images],
        score=np.concatenate([image.score for image in images]),
    )
    dataset = velour.Dataset.from_table(name or "autologged", datums, truth)
    known = recording.dataset_name(name, dataset)
    dataset = velour.Dataset.from_table(known, datums, truth)
    return dataset.with_predictions(predictions, model="autologged")


def _image(index: int, predictions: Any, batch: Mapping[str, Any], single: bool) -> _Image:
    """One image of a batch: truth is in shares of the letterboxed image, boxes in its pixels."""
    tall, wide = batch["img"].shape[2:]
    height, width = (int(size) for size in batch["ori_shape"][index])
    (down, across), pad = batch["ratio_pad"][index]  # by how much it was resized, then moved
    of_image = _numpy(batch["batch_idx"]).ravel() == index
    centred = _numpy(batch["bboxes"])[of_image].reshape(-1, 4) * [wide, tall, wide, tall]
    truth = np.column_stack([centred[:, :2] - centred[:, 2:] / 2, centred[:, 2:]])
    boxes, score, kind = _boxes_of(predictions)
    boxes = np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])

    def original(rows: Rows) -> Rows:
        moved: Rows = np.column_stack([rows[:, :2] - pad, rows[:, 2:]])
        moved /= [across, down, across, down]
        return moved

    return _Image(
        str(batch["im_file"][index]),
        height,
        width,
        original(truth),
        _numpy(batch["cls"]).ravel()[of_image].astype(np.intp),
        original(boxes),
        kind.astype(np.intp) * (not single),  # the validator takes every class for the first
        score,
    )


def _boxes_of(predictions: Any) -> tuple[Rows, Rows, Rows]:
    """Corners, scores and classes: a mapping, or of versions before it a table of columns."""
    if isinstance(predictions, Mapping):
        boxes, score, kind = (_numpy(predictions[key]) for key in ("bboxes", "conf", "cls"))
    else:
        rows = _numpy(predictions)
        boxes, score, kind = rows[:, :4], rows[:, 4], rows[:, 5]
    return boxes.reshape(-1, 4), score.ravel(), kind.ravel()


def _numpy(tensor: Any) -> Rows:
    array = tensor.detach().cpu().float().numpy() if hasattr(tensor, "detach") else tensor
    return np.asarray(array, np.float64)


def _name(validator: Any) -> str | None:
    """``coco8-val`` of ``coco8.yaml``."""
    data = getattr(validator.args, "data", None)
    split = getattr(validator.args, "split", None) or "val"
    return f"{PurePath(str(data)).stem}-{split}" if data else None


def _weights(validator: Any) -> str | None:
    """``yolo11n`` of ``yolo11n.pt``; ``train3-best`` of ``runs/detect/train3/weights/best.pt``."""
    weights = getattr(validator.args, "model", None)
    if not isinstance(weights, (str, PurePath)) or not str(weights):
        return None
    path = PurePath(str(weights))
    trained = path.stem in ("best", "last") and path.parent.name == "weights"
    training = path.parent.parent.name if trained else ""
    return f"{training}-{path.stem}" if training else path.stem


AUTOLOGGER = Autologger(
    "ultralytics",
    {
        "ultralytics.models.yolo.detect.val": _detection,
        "ultralytics.models.yolo.classify.val": _classification,
    },
    ">=8.3",
)
