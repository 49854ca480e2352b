"""Boundaries of labels, on images whose rows are packed 64 pixels to a word.

The contour of a label is its pixels that touch another owner or the border of the
image, over a side or a corner. Its band of width ``w`` is its pixels at most
``w - 1`` steps from its contour, a step going to any of the eight neighbours: what
``w`` erosions by a 3 x 3 square take away. All labels share one contour, so one
widening serves them all.

Sources: Cheng et al. 2021, Boundary IoU (band, border of the image, 2 % of the
diagonal); Csurka et al. 2013, What is a good evaluation measure for semantic
segmentation? (contour pixels that find a counterpart within a distance).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS = (
    "truth_band",
    "predicted_band",
    "common_band",
    "truth_contour",
    "predicted_contour",
    "truth_found",
    "predicted_right",
)
"""What is counted of each label, in pixels: see :func:`boundary_counts`."""

_WORD = 64
Words = NDArray[np.uint64]


def boundary_counts(
    truth: NDArray[Any], predicted: NDArray[Any], labels: int, width: int
) -> NDArray[np.int64]:
    """Count what boundary IoU and boundary F1 of each label follow from.

    Args:
        truth: ``(n, m)`` unsigned; a label's pixels hold its number, others ``labels`` or more.
        predicted: the same shape and meaning.
        labels: how many there are.
        width: of the band, and distance within which contours meet; pixels, >= 1.

    Returns:
        ``(labels, 7)`` int64 in the order of :data:`COLUMNS`: pixels of the true band, of the
        predicted band and of both; pixels of the true and of the predicted contour; those of
        the true contour with a predicted one of the label within ``width`` steps, and those
        of the predicted contour with a true one.
    """
    contours = contour(truth), contour(predicted)
    bands = tuple(widened(lines, width - 1) for lines in contours)
    counts = np.zeros((labels, len(COLUMNS)), np.int64)
    for label in range(labels):
        masks = packed(truth == label), packed(predicted == label)
        counts[label, :3] = _shared(masks[0] & bands[0], masks[1] & bands[1])
        counts[label, 3:] = _met(masks[0] & contours[0], masks[1] & contours[1], width)
    return counts


def contour(image: NDArray[Any]) -> Words:
    """Find the pixels whose 3 x 3 neighbourhood leaves the image or holds another value; packed."""
    same = np.zeros(image.shape, bool)
    if min(image.shape) > 2:
        across = image[:, 1:] == image[:, :-1]
        flat = across[:, 1:] & across[:, :-1]
        down = (image[1:] == image[:-1])[:, 1:-1]
        same[1:-1, 1:-1] = flat[:-2] & flat[1:-1] & flat[2:] & down[1:] & down[:-1]
    return packed(~same)


def packed(mask: NDArray[np.bool_]) -> Words:
    """Pack ``(n, m)`` booleans as ``(words, n)``, the first pixel of a row in the lowest bit.

    Words that follow each other in a row lie ``n`` apart, so that every shift is one
    operation on long contiguous stretches.
    """
    bits = np.packbits(mask, axis=1, bitorder="little")
    words = -(-mask.shape[1] // _WORD)
    if bits.shape[1] < words * 8:
        bits = np.pad(bits, ((0, 0), (0, words * 8 - bits.shape[1])))
    return np.ascontiguousarray(bits.view("<u8").T)


def widened(words: Words, steps: int) -> Words:
    """Add every pixel at most ``steps`` steps, to any of the eight neighbours, from one in it."""
    high, wide = min(steps, words.shape[1]), min(steps, words.shape[0] * _WORD)
    tall = _swept(words, high, _up) | _swept(words, high, _down)
    return _swept(tall, wide, _left) | _swept(tall, wide, _right)


def count(words: Words) -> int:
    """Count the pixels of a packed mask."""
    return int(_ones(words).sum(dtype=np.int64))


def _shared(truth: Words, predicted: Words) -> tuple[int, int, int]:
    return count(truth), count(predicted), count(truth & predicted)


def _met(truth: Words, predicted: Words, width: int) -> tuple[int, int, int, int]:
    """Lengths of two contours, and how much of each lies near the other."""
    lengths = count(truth), count(predicted)
    if not all(lengths):
        return (*lengths, 0, 0)
    rows = np.flatnonzero((truth | predicted).any(axis=1))
    columns = np.flatnonzero((truth | predicted).any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    truth, predicted = truth[box], predicted[box]
    near_truth, near_predicted = widened(truth, width), widened(predicted, width)
    return (*lengths, count(truth & near_predicted), count(predicted & near_truth))


def _swept(words: Words, steps: int, move: Any) -> Words:
    """Add the pixels up to ``steps`` away in one direction, doubling the reach each time."""
    swept, reach = words.copy(), 1
    while reach <= steps:
        step = min(reach, steps + 1 - reach)
        move(swept, step)
        reach += step
    return swept


def _up(words: Words, step: int) -> None:
    words[:, :-step] |= words[:, step:]


def _down(words: Words, step: int) -> None:
    words[:, step:] |= words[:, :-step]


def _left(words: Words, step: int) -> None:
    whole, rest = divmod(step, _WORD)
    ahead = words[whole:].copy()
    words[: len(ahead)] |= ahead >> np.uint64(rest)
    if rest:
        words[: len(ahead) - 1] |= ahead[1:] << np.uint64(_WORD - rest)


def _right(words: Words, step: int) -> None:
    whole, rest = divmod(step, _WORD)
    behind = words[: len(words) - whole].copy()
    words[whole:] |= behind << np.uint64(rest)
    if rest:
        words[whole + 1 :] |= behind[:-1] >> np.uint64(_WORD - rest)


def _ones(words: Words) -> NDArray[Any]:
    """Number of set bits of each word, or of each byte before numpy 2."""
    if hasattr(np, "bitwise_count"):
        return np.asarray(np.bitwise_count(words))
    return np.asarray(_ONES_OF_BYTE[np.ascontiguousarray(words).view(np.uint8)])


_ONES_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(
    axis=1, dtype=np.uint8
)
