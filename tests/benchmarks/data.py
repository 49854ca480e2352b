"""Write what is raced on: ``python -m tests.benchmarks.data KIND FOLDER IMAGES SEED [NUMBER]``.

A process of its own, so that the measuring process stays small. Kinds are the functions below;
the seed moves everything that is drawn. A folder that is there already is kept.
"""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks import workload
from tests.benchmarks.programs import DATASET, models

RECALLS = (0.72, 0.82, 0.9)
PART = 5_000
"""Images of a partition."""


def boxes(folder: Path, images: int, seed: int) -> None:
    """COCO files of boxes: ground truth, and the results of two models."""
    _write_boxes(folder, workload.truths(images, seed), seed)


def unordered(folder: Path, images: int, seed: int) -> None:
    """The same with image ids in no order, so that ties between images are not as in the file."""
    truth = workload.truths(images, seed)
    ids = np.random.default_rng(seed).permutation(truth.image_ids)
    _write_boxes(folder, replace(truth, image_ids=ids), seed)


def masks(folder: Path, images: int, seed: int) -> None:
    """COCO files of polygons, crowds as run lengths, and RLE results."""
    truth = workload.truths(images, seed)
    found = workload.detections(truth, seed)
    true = _outlined(truth, np.arange(len(truth.datum)), truth.box)
    crowds = _encoded(true, truth.datum, truth.sizes, truth.crowd)
    shapes = [
        [outline.ravel().tolist()] if crowd is None else _counted(crowd)
        for outline, crowd in zip(true, crowds, strict=True)
    ]
    predicted = _outlined(truth, found.source, found.box)
    texts = _encoded(predicted, found.datum, truth.sizes, np.ones(len(found.datum), bool))
    (folder / "truth.json").write_bytes(workload.truth_json(truth, shapes))
    (folder / "results.json").write_bytes(
        workload.detection_json(truth, found, [_as_text(text) for text in texts])
    )


def runs(folder: Path, images: int, seed: int, number: int = 20) -> None:
    """Ground truth, metadata of the images, and the results of some models."""
    truth = workload.truths(images, seed)
    random = np.random.default_rng(seed)
    (folder / "truth.json").write_bytes(workload.truth_json(truth))
    columns = {
        "uid": truth.image_ids.tolist(),
        "draw": random.random(images).round(6).tolist(),
        "city": [f"city {place:02}" for place in random.integers(0, 50, images)],
        "weather": random.choice(["clear", "rain", "snow", "fog"], images).tolist(),
    }
    with (folder / "images.csv").open("w", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    for run, model in enumerate(models(number)):
        found = workload.detections(truth, seed + run, 50, RECALLS[run % 3])
        (folder / f"{model}.json").write_bytes(workload.detection_json(truth, found))


def classification(folder: Path, rows: int, seed: int, labels: int = 10) -> None:
    """True labels, and probabilities that lean towards them."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.arange(rows) % labels)  # every label occurs
    scores = random.dirichlet(np.ones(labels), rows)
    scores[np.arange(rows), truth] += 0.2
    np.save(folder / "truth.npy", truth)
    np.save(folder / "scores.npy", scores / scores.sum(axis=1, keepdims=True))


def many_labels(folder: Path, rows: int, seed: int) -> None:
    """The same with a thousand labels; at least two rows of each."""
    classification(folder, max(rows, 2_000), seed, 1_000)


def label_images(folder: Path, images: int, seed: int, noisy: int = 0) -> None:
    """Label images of 1024 x 2048 pixels and 19 labels, some per cent of the pixels noisy.

    In arrays, and as PNG files.
    """
    from PIL import Image

    from tests.benchmarks import semantic

    pairs = [semantic.images(seed + number, noisy / 100) for number in range(images)]
    for name, side in zip(("truth", "predicted"), zip(*pairs, strict=True), strict=True):
        np.save(folder / f"{name}.npy", np.stack(side))
        (folder / name).mkdir()
        for number, image in enumerate(side):
            Image.fromarray(image).save(folder / name / f"{number:02}.png")


def partitions(folder: Path, images: int, seed: int) -> None:
    """Parts of 5,000 images and 250,000 detections, one in memory at a time."""
    import velour_plugin as velour

    def part(first: int) -> velour.Dataset:
        size = min(PART, images - first)
        truth = workload.truths(size, seed + first)
        uids = range(first + 1, first + size + 1)
        return _dataset(truth, workload.detections(truth, seed + first), uids)

    velour.PartitionedDataset.write(folder, map(part, range(0, images, PART)))


def stores(folder: Path, images: int, seed: int, number: int, history: int) -> None:
    """A store of some runs of one dataset, and of evaluations of other datasets of 24 images.

    Beside it the files of the dataset, and of the results of another model.
    """
    import velour_plugin as velour

    truth = workload.truths(images, seed)
    _write_boxes(folder, truth, seed)
    data = velour.read_dataset(folder / "truth.json", format="coco", name=DATASET)
    with velour.open_store(f"sqlite:///{folder}/store.db") as store:
        for other in range(history):
            small = workload.truths(24, seed + other)
            found = workload.detections(small, seed + other)
            dataset = _dataset(small, found, range(24)).with_name(f"other {other}")
            velour.evaluate(dataset, "object-detection", store=store)
        for run, model in enumerate(models(number)):
            found = workload.detections(truth, seed + run, 50, RECALLS[run % 3])
            (folder / "run.json").write_bytes(workload.detection_json(truth, found))
            evaluated = data.with_predictions(folder / "run.json", model=model)
            velour.evaluate(evaluated, "object-detection", store=store)


def _dataset(truth: workload.Truths, found: workload.Detections, uids: Iterable[int]) -> Any:
    import velour_plugin as velour

    labels = [("class", f"label {label}") for label in range(workload.LABELS)]
    true = velour.AnnotationTable.from_columns(
        labels, truth.datum, truth.label, box=truth.box, area=truth.area, crowd=truth.crowd
    )
    predicted = velour.AnnotationTable.from_columns(
        labels, found.datum, found.label, box=found.box, score=found.score
    )
    datums = [
        velour.Datum(str(uid), {"height": height, "width": width})
        for uid, (height, width) in zip(uids, truth.sizes.tolist(), strict=True)
    ]
    return velour.Dataset.from_table(DATASET, datums, true).with_predictions(predicted, "model")


def _write_boxes(folder: Path, truth: workload.Truths, seed: int) -> None:
    (folder / "truth.json").write_bytes(workload.truth_json(truth))
    for name, model in (("results.json", seed), ("other.json", seed + 1)):
        found = workload.detections(truth, model)
        (folder / name).write_bytes(workload.detection_json(truth, found))


def _outlined(truth: workload.Truths, rows: NDArray[Any], box: NDArray[Any]) -> NDArray[Any]:
    return workload.outlines(truth, np.asarray(rows, np.int64), box)


def _encoded(
    outlines: NDArray[Any], datum: NDArray[Any], sizes: NDArray[Any], chosen: NDArray[np.bool_]
) -> list[dict[str, Any] | None]:
    """The reference's own RLE of the chosen outlines."""
    from pycocotools import mask

    return [
        mask.frPyObjects([outline.ravel().tolist()], *size)[0] if take else None
        for outline, size, take in zip(outlines, sizes[datum].tolist(), chosen, strict=True)
    ]


def _as_text(encoded: dict[str, Any] | None) -> dict[str, Any]:
    assert encoded is not None
    return {"size": list(map(int, encoded["size"])), "counts": encoded["counts"].decode()}


def _counted(encoded: dict[str, Any]) -> dict[str, Any]:
    """Run lengths as numbers, down the columns, as COCO writes crowds."""
    from pycocotools import mask

    pixels = mask.decode(encoded).ravel(order="F")
    edges = np.flatnonzero(np.diff(pixels, prepend=0))
    counts = np.diff(edges, prepend=0, append=pixels.size)
    return {"size": list(map(int, encoded["size"])), "counts": counts.tolist()}


def main(kind: str, folder: Path, *numbers: int) -> None:
    """Write into a new folder; half of one is never there."""
    if folder.exists():
        return
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    globals()[kind](unfinished, *numbers)
    unfinished.rename(folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
