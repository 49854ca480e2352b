"""Lines of poses in YOLO's files: a box and then keypoints, as long as those of polygons.

Nothing in a label file says which they are. Read as a polygon, a pose is a region of no meaning,
so that lines which can hardly be polygons are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from velour_plugin.errors import BadDataset

_ENOUGH = 200
"""Lines that are looked at."""
_MARGIN = 0.1
"""How far a keypoint may lie outside its box, as a share of its size."""
_FAR = 2.0
"""A corner further from all others than this many times their extent ends no edge of theirs."""


@dataclass
class KeypointCheck:
    """Looks at the long lines of a data set, one after the other.

    Poses have lines of one length, as each has the same keypoints; polygons rarely do.
    """

    length: int = 0
    looked_at: int = 0
    poses: int = 0
    where: str = ""

    def add(self, numbers: Sequence[float], where: str) -> None:
        """Look at a line.

        Args:
            numbers: of the line, without class and confidence, as shares of the image.
            where: its file and number.
        """
        if not self.looked_at:
            self.length, self.where = len(numbers), where
        if len(numbers) != self.length:
            self.length = 0  # of no line
        elif self.looked_at < _ENOUGH:
            self.looked_at += 1
            self.poses += has_keypoints(numbers)

    def refuse_poses(self) -> None:
        """Refuse the lines if most of them are poses.

        Raises:
            BadDataset: they are.
        """
        if self.length and 2 * self.poses > self.looked_at:
            raise keypoints_refused(self.where)


def keypoints_refused(where: str) -> BadDataset:
    """Make the error for a line of a pose."""
    return BadDataset(
        f"{where}: a box with keypoints, it seems: keypoints are not read, only regions. Cut the "
        "lines after class x y width height (and put a confidence last) to evaluate the boxes."
    )


def has_keypoints(numbers: Sequence[float]) -> bool:
    """Whether a line can be a box with its keypoints, and hardly an outline.

    Args:
        numbers: x, y, width, height of a box, then x, y or x, y, visibility of each point.

    >>> has_keypoints([0.5, 0.5, 0.2, 0.2, 0.45, 0.45, 0.55, 0.55])
    True
    >>> has_keypoints([0.5, 0.5, 0.6, 0.5, 0.6, 0.6, 0.5, 0.6])
    False
    """
    box, rest = np.array(numbers[:4]), np.array(numbers[4:])
    low, high = box[:2] - box[2:] / 2, box[:2] + box[2:] / 2
    if not (min(box[2:]) > 0 and min(low) >= -_MARGIN and max(high) <= 1 + _MARGIN):
        return False
    if rest.size % 3 == 0 and _are_inside(rest.reshape(-1, 3)[:, :2], box):
        visible = rest[2::3]
        return bool(np.isin(visible, (0, 1, 2)).all()) or not _is_outline(numbers)
    is_even = rest.size % 2 == 0
    return is_even and _are_inside(rest.reshape(-1, 2), box) and not _is_outline(numbers)


def _are_inside(points: np.ndarray, box: np.ndarray) -> bool:
    """Whether all points are in a box, but for those at 0, 0, which nobody saw."""
    inside = (abs(points - box[:2]) <= box[2:] * (0.5 + _MARGIN)).all(axis=1)
    return bool((inside | ~points.any(axis=1)).all())


def _is_outline(numbers: Sequence[float]) -> bool:
    """Whether points follow one another around an area; of a pose, the second is a size."""
    if len(numbers) % 2:
        return False
    points = np.reshape(numbers, (-1, 2))
    others = np.delete(points, 1, axis=0)
    low, high = others.min(axis=0), others.max(axis=0)
    gap = max((low - points[1]).max(), (points[1] - high).max())
    return bool(gap <= _FAR * (high - low).max()) and shapely.Polygon(points).is_valid
