"""Simulated: what 512 pictures of fire lookouts show, made from a seed. None of these fires burnt.

The lookouts are real hills and peaks of the United States, at their coordinates to about a
kilometre; a picture lies within 7 km of its own. Half of the pictures are taken at night. A quarter
shows no fire; the others show one or two. By day a fire is seen by its smoke, and half of the time
by its flames; at night by its flames, and half of the time by lit smoke. Every picture has one or
two lures, which a detector may take for a fire: fog and clouds by day, lamps and the moon at night.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

WIDTH, HEIGHT = 480, 320
"""Of every picture, in pixels."""

HORIZON = 170
PICTURES_PER_SITE = 32
NEAR = 0.045
"""Degrees of latitude and longitude between a picture and its lookout at most."""


class Site(NamedTuple):
    """A lookout: name, region, latitude and longitude in degrees."""

    name: str
    region: str
    latitude: float
    longitude: float


SITES = (
    Site("Great Blue Hill", "New England", 42.21, -71.11),
    Site("Moose Hill", "New England", 42.12, -71.21),
    Site("Nobscot Hill", "New England", 42.34, -71.44),
    Site("Holt Hill", "New England", 42.64, -71.11),
    Site("Mount Wachusett", "New England", 42.49, -71.89),
    Site("Mount Kearsarge", "New England", 43.38, -71.86),
    Site("Devils Head", "Rockies", 39.26, -105.10),
    Site("Mount Washburn", "Rockies", 44.80, -110.43),
    Site("Black Elk Peak", "Rockies", 43.87, -103.53),
    Site("Hillsboro Peak", "Rockies", 32.95, -107.78),
    Site("Kendrick Peak", "Rockies", 35.41, -111.85),
    Site("Mount Tamalpais", "Pacific", 37.93, -122.58),
    Site("Mount Diablo", "Pacific", 37.88, -121.91),
    Site("Palomar Mountain", "Pacific", 33.36, -116.84),
    Site("The Watchman", "Pacific", 42.95, -122.17),
    Site("Mount Fremont", "Pacific", 46.93, -121.68),
)


@dataclass(frozen=True, slots=True)
class Thing:
    """Something in a picture.

    Args:
        kind: ``smoke`` or ``fire``; of lures ``fog``, ``cloud``, ``lamp`` or ``moon``.
        box: left, top, width, height in whole pixels, inside the picture.
    """

    kind: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class LookoutImage:
    """A scene: which lookout, time of day, position in degrees, and what its picture shows."""

    number: int
    site: Site
    time_of_day: str
    latitude: float
    longitude: float
    fires: tuple[Thing, ...]
    lures: tuple[Thing, ...]

    @property
    def file_name(self) -> str:
        """Name of its picture: ``lookout-007.jpg``."""
        return f"lookout-{self.number:03}.jpg"


def scenes(seed: int) -> list[LookoutImage]:
    """Make the scenes of a seed, the same at every call: 32 of each site, half of them by day."""
    random = np.random.default_rng([seed, 0])
    return [
        _scene(random, number, site, "night" if number % 2 else "day")
        for number, site in enumerate(site for site in SITES for _ in range(PICTURES_PER_SITE))
    ]


def _scene(random: Generator, number: int, site: Site, time_of_day: str) -> LookoutImage:
    north, east = random.uniform(-NEAR, NEAR, 2).round(3).tolist()
    fires = 0 if random.random() < 0.25 else int(random.integers(1, 3))
    # Two fires, or two lures, stand in different halves of the picture.
    halves = random.permutation(2)
    return LookoutImage(
        number,
        site,
        time_of_day,
        round(site.latitude + north, 3),
        round(site.longitude + east, 3),
        tuple(thing for half in halves[:fires] for thing in _fire(random, time_of_day, int(half))),
        tuple(
            _lure(random, time_of_day, int(half)) for half in halves[: int(random.integers(1, 3))]
        ),
    )


def _fire(random: Generator, time_of_day: str, half: int) -> list[Thing]:
    """Smoke, flames, or both: flames stand at the foot of the smoke."""
    foot = int(random.integers(30, WIDTH // 2 - 30)) + half * WIDTH // 2
    ground = HORIZON + int(random.integers(5, 60))
    flames, smoke = 14 * 2 ** random.uniform(0, 2), 40 * 2 ** random.uniform(0, 1.6)
    has_two = random.random() < 0.5
    things = []
    if time_of_day == "day" or has_two:
        wide, high = smoke * random.uniform(0.7, 1.1), smoke * random.uniform(1.0, 1.4)
        things.append(Thing("smoke", _box(foot, ground, wide, high)))
    if time_of_day == "night" or has_two:
        things.append(Thing("fire", _box(foot, ground + 3, flames, flames * 1.2)))
    return things


def _lure(random: Generator, time_of_day: str, half: int) -> Thing:
    middle = int(random.integers(40, WIDTH // 2 - 40)) + half * WIDTH // 2
    low, size = random.random() < 0.6, 2 ** random.uniform(0, 1)
    if time_of_day == "day":
        if low:
            return Thing("fog", _box(middle, int(random.integers(230, 300)), 70 * size, 22 * size))
        return Thing("cloud", _box(middle, int(random.integers(60, 130)), 60 * size, 24 * size))
    if low:
        return Thing("lamp", _box(middle, int(random.integers(240, 310)), 10 * size, 10 * size))
    return Thing("moon", _box(middle, int(random.integers(60, 120)), 18 * size, 18 * size))


def _box(middle: float, bottom: float, width: float, height: float) -> tuple[int, int, int, int]:
    """A box by the middle of its lower edge, moved into the picture where it stands out."""
    wide, high = round(width), round(height)
    left = min(max(round(middle - width / 2), 0), WIDTH - wide)
    top = min(max(round(bottom - height), 0), HEIGHT - high)
    return left, top, wide, high
