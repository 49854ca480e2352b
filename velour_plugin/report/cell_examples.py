"""Examples behind the cells of the confusion matrix: which datums, and small images of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from velour_plugin.report.drawing import Drawn, data_url
from velour_plugin.report.figures.confusion_matrix import confusion_matrix
from velour_plugin.report.findings import Findings

EXAMPLES, SIDE = 60, 220
"""Images in the cells of a page, at most, and pixels of their longer side."""


def example_uids(findings: Findings) -> list[str]:
    """List datums to draw for the cells of the matrix: one of each cell, then a second, and so on.

    Cells with many errors come first; at most :data:`EXAMPLES` datums.
    """
    matrix = confusion_matrix(findings)
    if matrix is None:
        return []
    cells = sorted(matrix.examples, key=lambda cell: -matrix.counts[cell])
    longest = max((len(uids) for uids in matrix.examples.values()), default=0)
    uids = [
        matrix.examples[cell][turn]
        for turn in range(longest)
        for cell in cells
        if turn < len(matrix.examples[cell])
    ]
    return list(dict.fromkeys(uids))[:EXAMPLES]


def examples_content(findings: Findings, images: Sequence[Drawn]) -> Mapping[str, Any] | None:
    """Return what the page's script shows when a cell is clicked; ``None`` without examples.

    Returns:
        ``cells``, by row and column of the figure a list of uids; and ``images``, pairs of a uid
        and a data URL.
    """
    matrix = confusion_matrix(findings)
    if matrix is None or not matrix.examples:
        return None
    cells: list[list[list[str]]] = [[[] for _ in matrix.columns] for _ in matrix.rows]
    for (row, column), uids in matrix.examples.items():
        cells[row][column] = list(uids)
    shown = set(example_uids(findings))
    small = [[image.uid, data_url(image.image, SIDE)] for image in images if image.uid in shown]
    return {"cells": cells, "images": small}
