"""Draw the simulated scenes: hills by day or night, with the smoke, flames and lures of each.

A picture is a canvas of ``(HEIGHT, WIDTH, 3)`` floats in [0, 255]; things are blended into it
inside their boxes, so that what a report draws around them can be seen to lie right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from velour_integrations.demo.lookouts import (
    HEIGHT,
    HORIZON,
    SITES,
    WIDTH,
    LookoutImage,
    Site,
    Thing,
)

Canvas = NDArray[np.float32]
Mask = NDArray[Any]
"""``(height, width)`` of a box in [0, 1]: how much of a thing's colour is seen."""

SKY = {"day": ((96, 150, 205), (214, 226, 232)), "night": ((6, 9, 22), (24, 30, 48))}
RIDGES = {
    "day": ((142, 165, 172), (98, 130, 112), (62, 94, 62)),
    "night": ((18, 24, 36), (12, 17, 25), (7, 10, 14)),
}
COLOURS = {
    "smoke": {"day": (158, 157, 158), "night": (96, 62, 48)},
    "fire": {"day": (255, 122, 24), "night": (255, 150, 40)},
    "fog": {"day": (222, 228, 230)},
    "cloud": {"day": (246, 247, 249)},
    "lamp": {"night": (255, 226, 160)},
    "moon": {"night": (232, 232, 220)},
}


def write_pictures(folder: Path, scenes: Iterable[LookoutImage], seed: int) -> Iterator[Path]:
    """Write a JPEG of each scene and yield its path: nothing is written before iteration.

    The same seed gives the same bytes.
    """
    from PIL import Image, ImageDraw

    folder.mkdir(parents=True, exist_ok=True)
    for scene in scenes:
        path = folder / scene.file_name
        image = Image.fromarray(picture(scene, seed).round().astype(np.uint8))
        ImageDraw.Draw(image).text((6, HEIGHT - 16), "simulated", fill=(200, 200, 200))
        image.save(path, quality=85)
        yield path


def picture(scene: LookoutImage, seed: int) -> Canvas:
    """Draw one scene, the same for one seed, and return its pixels."""
    random = np.random.default_rng([seed, 99, scene.number])
    canvas = _landscape(scene.site, scene.time_of_day) * np.float32(random.uniform(0.9, 1.06))
    for thing in (*scene.lures, *scene.fires):
        if thing.kind in ("fire", "lamp") and scene.time_of_day == "night":
            _glow(canvas, thing)
        mask = _MASKS[thing.kind](random, thing.box[3], thing.box[2])
        _blend(canvas, thing, mask, COLOURS[thing.kind][scene.time_of_day])
    canvas += np.roll(_noise(), int(random.integers(HEIGHT * WIDTH)))
    return np.clip(canvas, 0, 255, out=canvas)


@cache
def _noise() -> Canvas:
    """Of a camera. Rolled for each picture: drawn anew, it would take half of the time."""
    noise = np.random.default_rng(0).standard_normal((HEIGHT, WIDTH, 1), np.float32)
    return noise * np.float32(3)


@cache
def _landscape(site: Site, time_of_day: str) -> Canvas:
    """Sky, stars and three ridges, the same in all pictures of a site."""
    random = np.random.default_rng(SITES.index(site))
    top, bottom = (np.array(colour, np.float32) for colour in SKY[time_of_day])
    height = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    canvas = np.repeat(top + (bottom - top) * np.minimum(height * 1.8, 1), WIDTH, axis=1)
    if time_of_day == "night":
        rows, columns = random.integers(0, HORIZON, 70), random.integers(0, WIDTH, 70)
        canvas[rows, columns] += random.uniform(40, 170, (70, 1))
    x, rows = np.arange(WIDTH) / WIDTH, np.arange(HEIGHT)[:, None]
    for number, colour in enumerate(RIDGES[time_of_day]):
        waves = [
            random.uniform(4, 16) / wave * np.sin(wave * 4 * x + random.uniform(0, 6.3))
            for wave in (1, 2, 4, 9)
        ]
        canvas[rows > HORIZON - 20 + 35 * number + sum(waves)] = colour
    return canvas


def _blend(canvas: Canvas, thing: Thing, mask: Mask, colour: tuple[int, int, int]) -> None:
    left, top, width, height = thing.box
    part = canvas[top : top + height, left : left + width]
    part += (np.array(colour, np.float32) - part) * mask[..., None]


def _glow(canvas: Canvas, thing: Thing) -> None:
    """Light around a fire or a lamp at night, two boxes far."""
    left, top, width, height = thing.box
    x, y = max(left - 2 * width, 0), max(top - 2 * height, 0)
    part = canvas[y : top + 3 * height, x : left + 3 * width]
    rows, columns = np.ogrid[y : y + part.shape[0], x : x + part.shape[1]]
    far = ((columns - left - width / 2) / width) ** 2 + ((rows - top - height / 2) / height) ** 2
    colour = np.array(COLOURS[thing.kind]["night"], np.float32)
    part += np.exp(-far.astype(np.float32))[..., None] * colour * 0.35


def _smoke(random: Generator, height: int, width: int) -> Mask:
    """A plume, narrow at its foot, that fills the box at its head."""
    up, across = _coordinates(height, width)
    reach = 0.16 + 0.34 * up**0.7
    middle = 0.5 + (0.5 - reach) * np.sin(up * 2.5) * random.choice((-1, 1))
    solid = np.clip(1.4 * (1 - np.abs(across - middle) / reach), 0, 1)
    return _mottled(random, solid * np.clip(6 * (1 - up), 0, 1) * 0.9)


def _flames(random: Generator, height: int, width: int) -> Mask:
    """Three tongues, the middle one the highest."""
    up, across = _coordinates(height, width)
    tongues = [(0.5, 1.0), (0.25, random.uniform(0.5, 0.8)), (0.75, random.uniform(0.5, 0.8))]
    masks = [3 * (1 - up / top - (np.abs(across - at) / 0.26) ** 2) for at, top in tongues]
    return np.asarray(np.max(masks, axis=0).clip(0, 1))


def _bank(random: Generator, height: int, width: int) -> Mask:
    """Fog or a cloud: an ellipse with soft edges."""
    return _mottled(random, np.clip(1.6 * (1 - _from_middle(height, width)), 0, 1) * 0.85)


def _disc(random: Generator, height: int, width: int) -> Mask:
    return np.asarray(np.clip(6 * (1 - _from_middle(height, width)), 0, 1))


_MASKS: dict[str, Callable[[Generator, int, int], Mask]] = {
    "smoke": _smoke,
    "fire": _flames,
    "fog": _bank,
    "cloud": _bank,
    "lamp": _disc,
    "moon": _disc,
}


def _coordinates(height: int, width: int) -> tuple[Any, Any]:
    """How far up, ``(height, 1)``, and across, ``(1, width)``, pixels are in a box; in [0, 1]."""
    up = 1 - (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height
    return up, (np.arange(width, dtype=np.float32)[None] + 0.5) / width


def _from_middle(height: int, width: int) -> Mask:
    """0 in the middle of a box, 1 at the middle of its edges."""
    up, across = _coordinates(height, width)
    return np.asarray(np.hypot(2 * up - 1, 2 * across - 1))


def _mottled(random: Generator, mask: Mask) -> Mask:
    """A mask with lighter and darker patches of about an eighth of its size."""
    height, width = mask.shape
    patches = random.uniform(0.6, 1, (9, 9))
    rows, columns = np.linspace(0, 8, height), np.linspace(0, 8, width)
    row, column = np.minimum(rows.astype(int), 7), np.minimum(columns.astype(int), 7)
    down, right = (rows - row)[:, None], (columns - column)[None]
    upper = patches[row][:, column] * (1 - right) + patches[row][:, column + 1] * right
    lower = patches[row + 1][:, column] * (1 - right) + patches[row + 1][:, column + 1] * right
    return np.asarray(mask * (upper * (1 - down) + lower * down))
