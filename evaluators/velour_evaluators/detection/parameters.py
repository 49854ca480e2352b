"""The parameters of detection and instance segmentation, completed and checked.

========================  =========================================================
``iou_thresholds``        0.50, 0.55, …, 0.95: averaged over; rising, in (0, 1]
``max_detections``        1, 10, 100: of an image and label, for each recall; rising
``area_ranges``           all, small, medium, large: ``{name: (low, high)}``, both inclusive,
                          ``high`` ``None`` for no bound; the first is the overall one.
                          From 32 x 32 and 96 x 96 pixels on an object is medium and large, as in
                          COCO; on the ground from 100 and 900 m² on
``score_threshold``       0.5: detections below do not count for precision, recall, f1
``iou_threshold``         0.5: overlap at which precision, recall and f1 count a match
``details``               True: keep what the confusion matrix, the kinds of error, oLRP and
                          recall of any label need; False: a third of the ledger's size
``federated``             False; True: images say which labels they are annotated for
                          (see :mod:`velour_evaluators.detection.federated`)
``examples``              5: at most so many for each cell of the confusion matrix
``calibration_bins``      15: of equal width, for the calibration of scores
``iou_type``              what is compared: ``box`` (the one given, or else the one around the
                          shape), ``raster`` (COCO's pixels) or ``polygon`` (exact areas).
                          ``auto`` is ``box`` for object-detection and ``raster`` for
                          instance-segmentation, whatever the annotations have
========================  =========================================================

An object's area, which decides its range, is the annotation's ``area``, or else that of what is
compared; of a shape without a box that is compared by its box, it is the shape's. All of this is
as in COCO, but for areas from 1e10 on: COCO writes 1e10 where it means no bound, and here that is
what it means.

Annotations that are not in pixels, such as those of GeoJSON on Earth, have areas in square metres
(``area_unit`` in the dataset's metadata), and other ranges unless ``area_ranges`` is given: 10 x 10
and 30 x 30 metres are COCO's sizes in images of 0.3 metres a pixel, and a pixel of Sentinel-2 and
of Landsat. Source: Lam et al. 2018, xView: objects in context in overhead imagery (0.3 m).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.matching import LaneGrid
from velour_evaluators.regions import FORMS, Form
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.plugin import AREA_UNIT, PIXELS, SQUARE_METRES

_NO_BOUND = 1e10
"""Where COCO means that there is no bound."""


def _sizes(medium: float, large: float) -> list[list[Any]]:
    """Area ranges, where objects are medium and large from these areas on."""
    return [
        ["all", 0.0, None],
        ["small", 0.0, medium],
        ["medium", medium, large],
        ["large", large, None],
    ]


_RANGES = {PIXELS: _sizes(1024.0, 9216.0), SQUARE_METRES: _sizes(100.0, 900.0)}
"""By unit of area."""

DEFAULTS: dict[str, Any] = {
    "iou_thresholds": np.linspace(0.5, 0.95, 10).tolist(),
    "max_detections": [1, 10, 100],
    "area_ranges": _RANGES[PIXELS],
    "score_threshold": 0.5,
    "iou_threshold": 0.5,
    "iou_type": "auto",
    "details": True,
    "federated": False,
    "examples": 5,
    "calibration_bins": 15,
}

_LANES = 64
_MOST_DETECTIONS = 65_535


def ranges_of(area_unit: Any) -> list[list[Any]]:
    """Return the default ``area_ranges`` of a dataset whose areas have a unit.

    Raises:
        InvalidInput: there are none for this unit.
    """
    if not isinstance(area_unit, str) or area_unit not in _RANGES:
        units = " or ".join(map(repr, _RANGES))
        raise InvalidInput(
            f"{AREA_UNIT} {area_unit!r} in the dataset's metadata: expected {units}."
        )
    return _RANGES[area_unit]


def checked(parameters: Mapping[str, Any], auto: Form) -> dict[str, Any]:
    """Check parameters, and return them in canonical JSON types.

    Args:
        parameters: all of them.
        auto: the ``iou_type`` that ``auto`` is for this task.

    Raises:
        InvalidInput: a value breaks its rule, or there are more lanes than bits.
        UnknownName: ``iou_type`` is none of those that exist.
    """
    complete: dict[str, Any] = {
        "iou_thresholds": _rising("iou_thresholds", parameters["iou_thresholds"], 0.0, 1.0),
        "max_detections": [
            int(most)
            for most in _rising("max_detections", parameters["max_detections"], 0, _MOST_DETECTIONS)
        ],
        "area_ranges": _ranges(parameters["area_ranges"]),
        "score_threshold": _share("score_threshold", parameters["score_threshold"]),
        "iou_threshold": _share("iou_threshold", parameters["iou_threshold"]),
        "iou_type": auto if parameters["iou_type"] == "auto" else parameters["iou_type"],
        "details": _yes_or_no("details", parameters["details"]),
        "federated": _yes_or_no("federated", parameters["federated"]),
        "examples": _whole("examples", parameters["examples"], 0),
        "calibration_bins": _whole("calibration_bins", parameters["calibration_bins"], 1),
    }
    if complete["iou_type"] not in FORMS:
        raise UnknownName("iou_type", complete["iou_type"], ("auto", *FORMS))
    settings = Settings.of(complete)
    lanes = len(settings.areas) * len(settings.thresholds)
    if lanes > _LANES:
        raise InvalidInput(
            f"{len(settings.areas)} area_ranges x {len(settings.thresholds)} IoU thresholds are "
            f"{lanes} lanes, and a ledger holds {_LANES}: evaluate them in two calls."
        )
    return complete


@dataclass(frozen=True, slots=True)
class Settings:
    """Checked parameters as arrays and sequences of numbers."""

    thresholds: Sequence[float]
    averaged: NDArray[np.intp]
    max_detections: Sequence[int]
    areas: Sequence[tuple[str, float, float]]
    score_threshold: float
    iou_threshold: float

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Settings:
        """Read :func:`checked` parameters; ``iou_threshold`` gets a lane even if not averaged."""
        averaged = parameters["iou_thresholds"]
        thresholds = sorted({*averaged, parameters["iou_threshold"]}, key=float)
        thresholds = _without_twins(thresholds, averaged)
        return cls(
            thresholds,
            np.array([thresholds.index(value) for value in averaged], np.intp),
            parameters["max_detections"],
            [
                (name, low, math.inf if high is None else high)
                for name, low, high in parameters["area_ranges"]
            ],
            parameters["score_threshold"],
            parameters["iou_threshold"],
        )

    @property
    def grid(self) -> LaneGrid:
        """Area ranges and IoU thresholds of the matching."""
        return LaneGrid(self.thresholds, [(low, high) for _, low, high in self.areas])

    def lane_of(self, threshold: float) -> NDArray[np.intp]:
        """Return the lane of a threshold in the first area range, ``(1,)``; empty without one."""
        near = [index for index, value in enumerate(self.thresholds) if _same(value, threshold)]
        return np.array(near[:1], np.intp)


def _without_twins(values: list[float], kept: Sequence[float]) -> list[float]:
    """Drop values that equal one of ``kept`` but for rounding, such as 0.6000000000000001."""
    return [v for v in values if v in kept or not any(_same(v, other) for other in kept)]


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, abs_tol=1e-9)


def _rising(name: str, value: Any, above: float, most: float) -> list[float]:
    try:
        values = [float(number) for number in value]
    except (OverflowError, TypeError, ValueError):
        values = []
    rises = all(a < b for a, b in pairwise(values))
    if not values or not rises or not all(above < value <= most for value in values):
        raise InvalidInput(
            f"{name} {value!r}: expected rising numbers above {above:g} and up to {most:g}."
        )
    return values


def _share(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidInput(f"{name} {value!r}: expected a number in [0, 1].")
    return float(value)


def _yes_or_no(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"{name} {value!r}: expected True or False.")
    return value


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 1000:
        raise InvalidInput(f"{name} {value!r}: expected a whole number from {least} to 1000.")
    return value


def _ranges(value: Any) -> list[list[Any]]:
    try:
        named = isinstance(value, Mapping)
        rows = [(name, *span) for name, span in value.items()] if named else value
        ranges = [(str(name), float(low), _bound(high)) for name, low, high in rows]
    except (OverflowError, TypeError, ValueError):
        ranges = []
    sound = all(0 <= low < math.inf and (high is None or low < high) for _, low, high in ranges)
    if not 1 <= len(ranges) <= 8 or not sound or len({row[0] for row in ranges}) < len(ranges):
        raise InvalidInput(
            f"area_ranges {value!r}: expected one to eight {{name: (low, high)}} in the dataset's "
            "unit of area, 0 <= low < high or no high (None), the overall range first."
        )
    return [list(row) for row in ranges]


def _bound(high: Any) -> float | None:
    bound = math.inf if high is None else float(high)
    return None if bound in (math.inf, _NO_BOUND) else bound
