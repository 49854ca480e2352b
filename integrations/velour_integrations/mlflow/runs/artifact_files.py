"""The files that show an evaluation in a run: tables, report, map, images of the worst datums.

They are written into a folder, which is logged at once. What cannot be made is left out with a
warning: the numbers of an evaluation do not depend on its decoration.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from velour_integrations.mlflow.runs.display_options import DisplayOptions
from velour_integrations.mlflow.runs.tables import write_table
from velour_plugin import Dataset
from velour_plugin.plugin import (
    Drawn,
    Findings,
    drawn,
    example_uids,
    label_rows,
    report,
    slice_rows,
    worst_rows,
)

PER_CLASS, SLICES, WORST = "velour_per_class.json", "velour_slices.json", "velour_worst.json"
REPORT, MAP, IMAGES = "velour_report.html", "velour_map.geojson", "images"
IMAGE_KEY = "velour_worst"
"""What MLflow's image charts call the series of the worst datums."""

TABLES = (PER_CLASS, SLICES, WORST)
FILES = (REPORT, *TABLES, MAP)
"""At the root of a run's artifacts: MLflow compares no others."""

POINTS, ROWS = 2_000, 2_000
"""Points on a map and rows of a table at most."""

_logger = logging.getLogger("velour")


@contextmanager
def decorating(what: str) -> Iterator[None]:
    """Context manager: an exception in its block is logged as a warning, and dropped."""
    try:
        yield
    except Exception as error:
        _logger.warning(
            "Velour left out %s, the evaluation itself is complete: %s: %s",
            what,
            type(error).__name__,
            error,
        )


@dataclass
class Shown:
    """Names and contents of the files that show an evaluation in MLflow.

    Args:
        files: names of the files that were written, without images.
        tables: content of the tables, by name of the file.
        images: how many of the worst datums were drawn.
    """

    files: list[str] = field(default_factory=list)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: int = 0


def write_all(folder: Path, findings: Findings, dataset: Dataset, options: DisplayOptions) -> Shown:
    """Write report, tables, images and map; what fails is left out with a warning."""
    shown, images = Shown(), []
    uids = [findings.datums[index].uid for index in findings.worst]
    with decorating("images of the worst datums"):
        images = _draw(uids, findings, dataset, options)
        _write_images(folder, images)
        shown.images = len(images)
    examples: list[Drawn] = []
    with decorating("images of examples in the report"):
        others = [uid for uid in example_uids(findings) if uid not in uids]
        examples = list(_drawings(others, findings, dataset, options))
    with decorating(REPORT):
        (folder / REPORT).write_text(report(findings, [*images, *examples]), encoding="utf-8")
        shown.files.append(REPORT)
    tables = {PER_CLASS: label_rows, SLICES: slice_rows, WORST: worst_rows}
    for name, rows_of in tables.items():
        with decorating(name):
            rows = rows_of(findings)[:ROWS]
            if name == WORST and len(images) == len(rows):
                rows = [_with_image(row, step) for step, row in enumerate(rows)]
            if rows:
                shown.tables[name] = write_table(folder / name, rows)
                shown.files.append(name)
    with decorating(MAP):
        features = geojson(findings)
        if features["features"]:
            (folder / MAP).write_text(json.dumps(features), encoding="utf-8")
            shown.files.append(MAP)
    return shown


def geojson(findings: Findings) -> dict[str, Any]:
    """Return locations of the datums, those with most errors first, for MLflow to show on a map."""
    score, errors = (findings.by_datum.get(name) for name in ("score", "errors"))
    locations = findings.locations
    located = [index for index, (x, _) in enumerate(locations) if not math.isnan(x)]
    if errors is not None:
        located.sort(key=lambda index: -int(errors[index]))
    features = []
    for index in located[:POINTS]:
        properties: dict[str, Any] = {"datum": findings.datums[index].uid}
        if score is not None and errors is not None:
            value = float(score[index])
            properties["score"] = None if math.isnan(value) else round(value, 4)
            properties["errors"] = int(errors[index])
        point = [round(float(degrees), 6) for degrees in locations[index]]
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": point},
                "properties": properties,
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _draw(
    uids: Sequence[str], findings: Findings, dataset: Dataset, options: DisplayOptions
) -> list[Drawn]:
    """Draw the worst datums; warns when the caller's folder does not have them all."""
    drawings = list(_drawings(uids, findings, dataset, options))
    if options.images is not None and len(drawings) < len(uids):
        _logger.warning(
            "Velour found %d of the %d worst images in %s: datums name their file by the metadata "
            "file_name.",
            len(drawings),
            len(uids),
            options.images,
        )
    return drawings


def _drawings(
    uids: Sequence[str], findings: Findings, dataset: Dataset, options: DisplayOptions
) -> Iterator[Drawn]:
    threshold = findings.evaluation.certificate.parameters.get("score_threshold", 0.0)
    return drawn(dataset, uids, options.images, threshold)


def _write_images(folder: Path, images: list[Drawn]) -> None:
    """Under names that MLflow's image charts read, always the same: the next ones replace them."""
    for step, drawing in enumerate(images):
        whole, small = (folder / name for name in _names(step))
        whole.parent.mkdir(exist_ok=True)
        image = drawing.image
        image.save(whole, quality=85)
        image.resize([max(1, side // 2) for side in image.size]).save(small, quality=75)


def _with_image(row: dict[str, Any], step: int) -> dict[str, Any]:
    """The image is the third column, after the datum and its cost."""
    first = dict(list(row.items())[:2])
    whole, small = _names(step)
    cell = {"type": "image", "filepath": whole, "compressed_filepath": small}
    return {**first, "image": cell, **row} | {"image": cell}


def _names(step: int) -> tuple[str, str]:
    """MLflow's ``log_image`` makes such names of key, step, moment and a random number."""
    name = f"{IMAGES}/{IMAGE_KEY}+step+{step}+timestamp+0+velour"
    return f"{name}.webp", f"{name}+compressed.webp"
