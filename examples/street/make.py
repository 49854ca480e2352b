"""Invent six street scenes as label images, and two models' predictions: ``python make.py``.

Numbers of classes are in ``classes.txt``; 255 is the frame around each scene, which is not
labelled.
"""

from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
HEIGHT, WIDTH = 60, 90
ROAD, CAR, SKY, VOID = 0, 1, 2, 255


def scene(random: np.random.Generator) -> np.ndarray:
    """Draw sky, a road below its horizon, some cars on it, a frame around all."""
    image = np.full((HEIGHT, WIDTH), ROAD, np.uint8)
    horizon = random.integers(15, 30)
    image[:horizon] = SKY
    for _ in range(random.integers(2, 5)):
        top, left = random.integers(horizon, HEIGHT - 12), random.integers(2, WIDTH - 18)
        image[top : top + random.integers(5, 11), left : left + random.integers(8, 16)] = CAR
    image[[0, -1]] = image[:, [0, -1]] = VOID
    return image


def predicted(
    truth: np.ndarray, shift: int, missed: float, random: np.random.Generator
) -> np.ndarray:
    """Shift the scene by some pixels and take a share of its cars for road."""
    moved = np.roll(truth, (shift, 1), (0, 1))
    moved[moved == VOID] = ROAD
    moved[(moved == CAR) & (random.random(truth.shape) < missed)] = ROAD
    return moved


def main() -> None:
    """Write the folders of truth and of both models."""
    random = np.random.default_rng(2017)
    for number in range(6):
        truth = scene(random)
        images = {
            "truth": truth,
            "unet": predicted(truth, 1, 0.1, random),
            "segformer": predicted(truth, 0, 0.2, random),
        }
        for folder, image in images.items():
            (HERE / folder).mkdir(exist_ok=True)
            Image.fromarray(image).save(HERE / folder / f"{number}.png", optimize=True)


if __name__ == "__main__":
    main()
