"""Simulated: what three detectors find in scenes. No network ran; these rules make the numbers.

A detector has a skill for each region and time of day. It finds a fire whose box measures ``s``
pixels (the root of its area) with the chance ``sigmoid(logit(recall) + log2(s / 48))``: twice as
large is easier by one unit. Each edge of its box is off by a normal error of ``blur`` times the
side. A lure is taken for smoke (by day) or fire (at night) with the chance ``false_alarms``, and
one fire in twenty is found under the other label. Scores are ``sigmoid(sharpness * x)``: of what
is there, ``x`` is normal around the log odds of the chance; of a false alarm, around -1; both with
deviation 1. A sharpness of 1 is calibrated about right, a larger one is too sure of itself.

    falcon   is best by day everywhere and on the clear nights of the West
    owl      is trained for humid nights: best at night in New England, mediocre elsewhere
    swift    is small and fast, behind both, and too sure of itself
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from velour_integrations.demo.lookouts import HEIGHT, WIDTH, LookoutImage, Thing

LABELS = ("smoke", "fire")
MISLABELLED = 0.05


@dataclass(frozen=True, slots=True)
class Skill:
    """How good a detector is under one kind of conditions.

    Args:
        recall: chance to find a fire of 48 pixels, in (0, 1).
        blur: standard deviation of an edge, as a share of the side.
        false_alarms: chance that a lure is taken for a fire, in [0, 1].
    """

    recall: float
    blur: float
    false_alarms: float


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector's skills: by day, at night, and at night in New England."""

    name: str
    day: Skill
    night: Skill
    humid_night: Skill
    sharpness: float = 1.0

    def skill(self, scene: LookoutImage) -> Skill:
        """Return the skill that the conditions of a scene call for."""
        if scene.time_of_day == "day":
            return self.day
        return self.humid_night if scene.site.region == "New England" else self.night


DETECTORS = (
    Detector("falcon", Skill(0.94, 0.03, 0.1), Skill(0.9, 0.035, 0.1), Skill(0.6, 0.06, 0.3)),
    Detector("owl", Skill(0.7, 0.05, 0.25), Skill(0.75, 0.05, 0.2), Skill(0.94, 0.03, 0.1)),
    Detector("swift", Skill(0.6, 0.07, 0.3), Skill(0.5, 0.07, 0.4), Skill(0.45, 0.08, 0.4), 2.0),
)


def detections(
    detector: Detector, scenes: list[LookoutImage], seed: int
) -> Iterator[tuple[LookoutImage, Mapping[str, Any]]]:
    """Simulate what a detector finds in the scenes of a seed, the same at every call.

    Returns:
        Each scene with a finding: ``label``, ``bbox`` as left, top, width, height in pixels, and
        ``score``.
    """
    random = np.random.default_rng([seed, 1 + DETECTORS.index(detector)])
    for scene in scenes:
        skill = detector.skill(scene)
        for thing in scene.fires:
            chance = _logit(skill.recall) + math.log2(math.sqrt(thing.box[2] * thing.box[3]) / 48)
            if random.random() < _sigmoid(chance):
                yield scene, _finding(random, detector, thing, skill.blur, chance)
        for lure in scene.lures:
            if random.random() < skill.false_alarms:
                yield scene, _finding(random, detector, lure, skill.blur, -1.0)


def _finding(
    random: Generator, detector: Detector, thing: Thing, blur: float, chance: float
) -> dict[str, Any]:
    label = {"fog": "smoke", "cloud": "smoke", "lamp": "fire", "moon": "fire"}.get(thing.kind)
    if label is None:
        mistaken = random.random() < MISLABELLED
        label = LABELS[LABELS.index(thing.kind) ^ mistaken]
    score = _sigmoid(detector.sharpness * random.normal(chance))
    return {"label": label, "bbox": _blurred(random, thing, blur), "score": round(score, 3)}


def _blurred(random: Generator, thing: Thing, blur: float) -> list[float]:
    """The box with all four edges off, inside the picture and at least 2 pixels wide and high."""
    left, top, width, height = thing.box
    errors = random.normal(0.0, blur, 4) * (width, height, width, height)
    x1, y1 = min(max(left + errors[0], 0), WIDTH - 2), min(max(top + errors[1], 0), HEIGHT - 2)
    x2 = min(max(left + width + errors[2], x1 + 2), WIDTH)
    y2 = min(max(top + height + errors[3], y1 + 2), HEIGHT)
    return [round(float(value), 1) for value in (x1, y1, x2 - x1, y2 - y1)]


def _logit(chance: float) -> float:
    return math.log(chance / (1 - chance))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))
