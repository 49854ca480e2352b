"""What competitors run, each as a process of its own: ``python -P programs.py NAME ARGUMENTS``.

A program imports what its users would import, prints one line of JSON, and uses only what
its library offers to everyone. Undefined numbers are ``null`` for all of them.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

COCO = (
    *("mAP", "mAP_50", "mAP_75", "mAP_small", "mAP_medium", "mAP_large"),
    *("mAR_1", "mAR_10", "mAR_100", "mAR_small", "mAR_medium", "mAR_large"),
)
DATASET = "images"
TASKS = {"bbox": "object-detection", "segm": "instance-segmentation"}
Answer = dict[str, Any]
Count = Callable[[Any, Any], Any]


# ---- COCO files to twelve numbers --------------------------------------------------------------


def velour_files(kind: str, truth: str, results: str) -> Answer:
    """Read, match and measure, without a store."""
    import velour_plugin as velour

    evaluation = velour.evaluate(_read(truth, results), TASKS[kind], save=False)
    return {"numbers": [evaluation[name] for name in COCO]}


def hotcoco_files(kind: str, truth: str, results: str) -> Answer:
    """Numbers of hotcoco."""
    import hotcoco

    known = hotcoco.COCO(truth)
    return coco_numbers(hotcoco.COCOeval(known, known.load_res(results), kind))


def ultrafast_files(kind: str, truth: str, results: str) -> Answer:
    """Numbers of ultrafast-pycocotools."""
    import ultrafast_pycocotools as ultrafast

    known = ultrafast.COCO(truth)
    return coco_numbers(ultrafast.COCOeval(known, known.loadRes(results), kind))


def faster_files(kind: str, truth: str, results: str) -> Answer:
    """Numbers of faster-coco-eval."""
    import faster_coco_eval as faster

    known = faster.COCO(truth)
    return coco_numbers(faster.COCOeval_faster(known, known.loadRes(results), kind))


def pycocotools_files(kind: str, truth: str, results: str) -> Answer:
    """Numbers of the reference."""
    from pycocotools.coco import COCO as Reference  # noqa: N811
    from pycocotools.cocoeval import COCOeval

    known = Reference(truth)
    return coco_numbers(COCOeval(known, known.loadRes(results), kind))


def coco_numbers(run: Any, images: list[int] | None = None) -> Answer:
    """Twelve numbers of a peer's run, on all images or some."""
    if images is not None:
        params = run.params  # hotcoco gives a copy
        setattr(params, "img_ids" if hasattr(params, "img_ids") else "imgIds", images)
        run.params = params
    run.evaluate()
    run.accumulate()
    run.summarize()
    return {"numbers": [None if value == -1 else float(value) for value in run.stats[:12]]}


# ---- evaluations in memory and in stores -------------------------------------------------------


def velour_memory(truth: str, results: str) -> Answer:
    """Evaluate what is in memory already; what names the content is not known yet."""
    import velour_plugin as velour

    data = _read(truth, results)
    with inside() as spent:
        evaluation = velour.evaluate(data, TASKS["bbox"], save=False)
    with inside() as looking:
        metrics = len(list(evaluation.metrics))
    numbers = [evaluation[name] for name in COCO]
    return {**spent, "details": looking["cpu"], "metrics": metrics, "numbers": numbers}


def velour_save(truth: str, results: str, other: str, folder: str) -> Answer:
    """Save a first and a second evaluation of a dataset in a new SQLite store."""
    file = Path(folder) / "saved.db"
    return _saved(f"sqlite:///{file}", (truth, results, other), lambda: _bytes(file))


def velour_save_postgis(truth: str, results: str, other: str, url: str) -> Answer:
    """The same in a new store on a PostgreSQL server."""
    from sqlalchemy import create_engine, text

    from velour_plugin.store import upgrade_store

    upgrade_store(url)
    with create_engine(url).connect() as connection:
        size = text("SELECT pg_database_size(current_database())")
        return _saved(url, (truth, results, other), lambda: int(connection.scalar(size)))


def _saved(url: str, files: tuple[str, str, str], size: Callable[[], int]) -> Answer:
    """How long both take, and by how much the second makes the store larger."""
    import velour_plugin as velour

    evaluations = []
    for results, model in zip(files[1:], ("first", "second"), strict=True):
        data = _read(files[0], results, model)
        evaluations.append((velour.evaluate(data, TASKS["bbox"], save=False), data))
    with velour.open_store(url) as store:
        with inside() as first:
            store.save(*evaluations[0])
        before = size()
        with inside() as second:
            store.save(*evaluations[1])
        after = size()
    return {**first, "next": second["cpu"], "megabytes": (after - before) / 1e6}


def _bytes(file: Path) -> int:
    """Of an SQLite store, with what is not yet in the main file."""
    return sum(part.stat().st_size for part in file.parent.glob(file.name + "*"))


# ---- ranking -----------------------------------------------------------------------------------


def velour_ingest(folder: str, runs: str, store: str) -> Answer:
    """Read the truth once, then evaluate and keep run after run."""
    import velour_plugin as velour

    root = Path(folder)
    data = velour.read_dataset(
        root / "truth.json", format="coco", name=DATASET, metadata=root / "images.csv"
    )
    numbers = []
    with velour.open_store(store) as opened:
        for model in models(int(runs)):
            predicted = data.with_predictions(root / f"{model}.json", model=model)
            numbers.append(velour.evaluate(predicted, TASKS["bbox"], store=opened)["mAP"])
    return {"numbers": numbers}


def velour_rank(store: str, where: str, seed: str) -> Answer:
    """Rank all runs on what a filter selects."""
    import velour_plugin as velour

    with velour.open_store(store, create=False) as opened:
        return {"numbers": _ranked(opened, where, int(seed))}


def velour_rank_warm(store: str, where: str, other: str) -> Answer:
    """In a process that ranked on another filter before: a new question, and the same again."""
    import velour_plugin as velour

    with velour.open_store(store, create=False) as opened:
        _ranked(opened, other)
        with inside() as new:
            numbers = _ranked(opened, where)
        with inside() as again:
            assert _ranked(opened, where) == numbers
    return {**new, "again": again["wall"], "numbers": numbers}


def _ranked(store: Any, where: str, seed: int = 0) -> list[float | None]:
    import velour_plugin as velour

    board = velour.rank("mAP", DATASET, where=where, resamples=0, seed=seed, store=store)
    return [row.value for row in sorted(board, key=lambda row: row.model)]


def hotcoco_rank(folder: str, runs: str, start: str) -> Answer:
    """Read the truth once, then read and evaluate run after run on some images."""
    import hotcoco

    known = hotcoco.COCO(f"{folder}/truth.json")
    return _peer_rank(hotcoco.COCOeval, known, known.load_res, folder, int(runs), start)


def ultrafast_rank(folder: str, runs: str, start: str) -> Answer:
    """The same with ultrafast-pycocotools."""
    import ultrafast_pycocotools as ultrafast

    known = ultrafast.COCO(f"{folder}/truth.json")
    return _peer_rank(ultrafast.COCOeval, known, known.loadRes, folder, int(runs), start)


def _peer_rank(
    evaluate: Callable[..., Any],
    known: Any,
    load: Callable[[str], Any],
    folder: str,
    runs: int,
    start: str,
) -> Answer:
    images = selected(folder, float(start))
    numbers = []
    for model in models(runs):
        run = evaluate(known, load(f"{folder}/{model}.json"), "bbox")
        numbers.append(coco_numbers(run, images)["numbers"][0])
    return {"numbers": numbers}


def models(runs: int) -> list[str]:
    """Names of the models, which are those of their files."""
    return [f"model-{run:02}" for run in range(runs)]


def tenth(start: float) -> str:
    """The filter that selects a tenth of the images."""
    return f"draw BETWEEN {start:.6f} AND {start + 0.1:.6f}"


def selected(folder: str, start: float) -> list[int]:
    """What that filter selects, for peers, who have none."""
    low, high = float(f"{start:.6f}"), float(f"{start + 0.1:.6f}")
    with (Path(folder) / "images.csv").open(newline="") as rows:
        return [
            int(row["uid"]) for row in csv.DictReader(rows) if low <= float(row["draw"]) <= high
        ]


# ---- growth ------------------------------------------------------------------------------------


def velour_grown(folder: str, question: str) -> Answer:
    """Ask a store that is opened for it, after the like, which loads what it takes."""
    import velour_plugin as velour

    work = {"rank": _rank_grown, "known": _rank_again, "save": _save_grown}[question]
    for _ in range(3):
        ask = work(folder, time.time_ns() % 10**15)
        with inside() as spent, velour.open_store(f"sqlite:///{folder}/store.db") as opened:
            ask(opened)
    return spent


def _rank_grown(folder: str, new: int) -> Callable[[Any], object]:
    return lambda opened: _ranked(opened, f"width > 1.{new:015}")


def _rank_again(folder: str, new: int) -> Callable[[Any], object]:
    return lambda opened: _ranked(opened, "width > 1")


def _save_grown(folder: str, new: int) -> Callable[[Any], object]:
    import velour_plugin as velour

    data = _read(f"{folder}/truth.json", f"{folder}/results.json", f"model {new}")
    evaluation = velour.evaluate(data, TASKS["bbox"], save=False)
    return lambda opened: opened.save(evaluation, data)


# ---- classification ----------------------------------------------------------------------------

HEADLINE = ("accuracy", "top_5_accuracy", "f1_macro", "f1_weighted", "roc_auc", "log_loss", "mcc")


def velour_classification(folder: str) -> Answer:
    """Arrays of true labels and scores to all headline numbers."""
    import numpy as np

    import velour_plugin as velour

    truth, scores = np.load(f"{folder}/truth.npy"), np.load(f"{folder}/scores.npy")
    data = velour.Dataset.from_arrays(DATASET, truth, scores, model="model")
    evaluation = velour.evaluate(data, "image-classification", save=False)
    return {"numbers": [evaluation[name] for name in HEADLINE if name in evaluation]}


def sklearn_classification(folder: str) -> Answer:
    """The headline numbers, one call of scikit-learn each; it has no calibration error."""
    import numpy as np
    from sklearn import metrics

    truth, scores = np.load(f"{folder}/truth.npy"), np.load(f"{folder}/scores.npy")
    predicted = scores.argmax(axis=1)
    one_hot = np.eye(scores.shape[1], dtype=bool)[truth]
    metrics.precision_recall_fscore_support(truth, predicted)
    metrics.average_precision_score(one_hot, scores)
    metrics.balanced_accuracy_score(truth, predicted)
    metrics.cohen_kappa_score(truth, predicted)
    numbers = [
        metrics.accuracy_score(truth, predicted),
        metrics.top_k_accuracy_score(truth, scores, k=5),
        metrics.f1_score(truth, predicted, average="macro"),
        metrics.f1_score(truth, predicted, average="weighted"),
        metrics.roc_auc_score(truth, scores, multi_class="ovr"),
        metrics.log_loss(truth, scores),
        metrics.matthews_corrcoef(truth, predicted),
    ]
    return {"numbers": list(map(float, numbers))}


# ---- semantic segmentation: seconds an image ---------------------------------------------------

LABELS, VOID = 19, 255


def velour_semantic(folder: str) -> Answer:
    """Label images in arrays to all metrics."""
    import velour_plugin as velour

    truth, predicted = _label_images(folder)
    with inside() as spent:
        data = velour.Dataset.from_label_images(DATASET, truth, predicted, labels=_names())
        evaluation = _semantic(data)
    return {**_each(spent, truth), **evaluation}


def velour_png(folder: str) -> Answer:
    """Folders of PNG files to all metrics."""
    import velour_plugin as velour

    root = Path(folder)
    with inside() as spent:
        data = velour.read_dataset(root / "truth", "label-images", labels=_names())
        evaluation = _semantic(data.with_predictions(root / "predicted", model="model"))
    return {**_each(spent, data), **evaluation}


def _names() -> dict[int, str]:
    return {**{number: f"label {number}" for number in range(LABELS)}, VOID: "void"}


def _semantic(data: Any) -> Answer:
    import velour_plugin as velour

    given = {"ignore_label": "void"}
    evaluation = velour.evaluate(data, "semantic-segmentation", parameters=given, save=False)
    return {"numbers": [evaluation["pixel_accuracy"], evaluation["mIoU"]]}


def velour_confusion(folder: str) -> Answer:
    """Label images in arrays to confusion counts, and two numbers of them."""
    from velour_evaluators.semantic.label_image_counts import confusion_of_label_images

    return _confusion(folder, lambda *pair: confusion_of_label_images(*pair, LABELS, VOID))


def hotcoco_semantic(folder: str) -> Answer:
    """The same by hotcoco."""
    return _confusion(folder, _hotcoco())


def hotcoco_png(folder: str) -> Answer:
    """The same of PNG files that Pillow decodes."""
    return _confusion_of_files(folder, _hotcoco())


def torchmetrics_semantic(folder: str) -> Answer:
    """The same by torchmetrics."""
    return _confusion(folder, _torchmetrics())


def torchmetrics_png(folder: str) -> Answer:
    """The same of PNG files that Pillow decodes."""
    return _confusion_of_files(folder, _torchmetrics())


def _hotcoco() -> Count:
    from hotcoco.metrics import pixel_confusion

    return lambda *pair: pixel_confusion(*pair, LABELS, ignore_index=VOID)


def _torchmetrics() -> Count:
    import torch
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    def count(truth: Any, predicted: Any) -> Any:
        pair = torch.from_numpy(predicted), torch.from_numpy(truth).long()
        return multiclass_confusion_matrix(*pair, LABELS, ignore_index=VOID).numpy()

    return count


def _confusion(folder: str, count: Count) -> Answer:
    truth, predicted = _label_images(folder)
    with inside() as spent:
        numbers = _numbers(count(*pair) for pair in zip(truth, predicted, strict=True))
    return {**_each(spent, truth), "numbers": numbers}


def _confusion_of_files(folder: str, count: Count) -> Answer:
    import numpy as np
    from PIL import Image

    def decoded(side: str) -> Iterator[Any]:
        for file in files:
            with Image.open(f"{folder}/{side}/{file}") as image:
                yield np.array(image)

    with inside() as spent:
        files = sorted(file.name for file in Path(folder, "truth").iterdir())
        pairs = zip(decoded("truth"), decoded("predicted"), strict=True)
        numbers = _numbers(count(*pair) for pair in pairs)
    return {**_each(spent, files), "numbers": numbers}


def _numbers(counts: Iterable[Any]) -> list[float]:
    """Pixel accuracy and mIoU of confusion counts."""
    import numpy as np

    total = sum(np.asarray(count, np.int64) for count in counts)
    hits = np.diag(total)
    union = total.sum(axis=0) + total.sum(axis=1) - hits
    return [float(hits.sum() / total.sum()), float((hits / union).mean())]


def _label_images(folder: str) -> tuple[Any, Any]:
    import numpy as np

    return np.load(f"{folder}/truth.npy"), np.load(f"{folder}/predicted.npy")


def _each(spent: dict[str, float], images: Any) -> dict[str, float]:
    return {name: seconds / len(images) for name, seconds in spent.items()}


# ---- partitions --------------------------------------------------------------------------------


def velour_partitions(folder: str, workers: str) -> Answer:
    """Evaluate parts here, or on workers of a local Dask cluster once they are up."""
    import velour_plugin as velour

    with _workers(int(workers)):
        parts = velour.PartitionedDataset(folder)
        with inside() as spent:
            evaluation = velour.evaluate(
                parts, TASKS["bbox"], parameters={"details": False}, save=False
            )
        rows = len(evaluation.ledger.tables["detections"]["label"])
    numbers = [evaluation[name] for name in COCO]
    if int(workers):
        spent.pop("cpu")  # that of the workers is in that of the process
    return {**spent, "detections": rows, "numbers": numbers}


_ENVIRONMENT = "distributed.nanny.pre-spawn-environ"
CALM = {
    f"{_ENVIRONMENT}.MALLOC_TRIM_THRESHOLD_": 2**30,
    f"{_ENVIRONMENT}.MALLOC_MMAP_THRESHOLD_": 2**25,
    "distributed.worker.profile.enabled": False,
}
"""Settings of Dask that ``SCALE.md`` advises: workers keep memory, and do not watch themselves."""


@contextlib.contextmanager
def _workers(number: int) -> Iterator[None]:
    if not number:
        yield
        return
    import dask
    import joblib
    from distributed import Client, LocalCluster

    with (
        dask.config.set(CALM),
        LocalCluster(
            n_workers=number, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        yield


# ---- all programs ------------------------------------------------------------------------------


@contextlib.contextmanager
def inside() -> Iterator[dict[str, float]]:
    """Wall and processor seconds of a block, where a process does something before it."""
    spent: dict[str, float] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    yield spent
    spent.update(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


def _read(truth: str, results: str, model: str = "model") -> Any:
    import velour_plugin as velour

    data = velour.read_dataset(truth, format="coco", name=DATASET)
    return data.with_predictions(results, model=model)


def main(name: str, arguments: Iterable[str]) -> None:
    """Run one program; what libraries print does not reach the screen."""
    with contextlib.redirect_stdout(io.StringIO()):
        answer = globals()[name](*arguments)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
