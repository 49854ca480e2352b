"""Rows of classification, semantic segmentation, small questions, and partitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.plan import (
    HERE,
    VELOUR,
    Plan,
    Rows,
    command_line,
    ours,
    program,
    store_files,
)
from tests.benchmarks.races import BEFORE, Competitor, Goal, Row

CLASSES, SEMANTIC = "Classification", "Semantic segmentation"
READING, PARTITIONS = "Start and small questions", "Partitions"


def classification_rows(plan: Plan) -> Rows:
    return {
        "classification": lambda: _classes_row(plan, "classification", 1_000_000, 10, 3.0),
        "many-labels": lambda: _classes_row(plan, "many_labels", 20_000, 1_000, 4.0),
        "many-labels-large": lambda: _large_row(plan),
    }


def _classes_row(plan: Plan, kind: str, size: int, labels: int, times: float) -> Row:
    folder = str(plan.files(kind, size))
    competitors = ours(plan, "velour", "velour_classification", folder)
    if find_spec("sklearn"):
        competitors.append(program("sklearn_classification", folder, name="scikit-learn"))
    goals = (
        Goal("velour", "wall", 1 / times, "scikit-learn"),
        Goal("velour", "peak", 1.0, "scikit-learn"),
    )
    title = f"{plan.size(size):,} rows x {labels:,} labels, arrays to all headline numbers"
    return Row(title, CLASSES, competitors, goals, close=1e-9, rounds=5)


def _large_row(plan: Plan) -> Row:
    folder = str(plan.files("many_labels", 100_000))
    competitors = [program("velour_classification", folder, name="velour")]
    title = f"{plan.size(100_000):,} rows x 1,000 labels, arrays to all headline numbers"
    goals = (Goal("velour", "peak", 8_000.0),)
    return Row(title, CLASSES, competitors, goals, rounds=1)


def semantic_rows(plan: Plan) -> Rows:
    """Smooth and noisy images: all metrics, confusion alone, and both sides from PNG files."""
    return {
        f"semantic-{kind}{suffix}": lambda noisy=noisy, make=make: make(plan, noisy)
        for kind, noisy in (("smooth", 0), ("noisy", 5))
        for suffix, make in (
            ("", _semantic_row),
            ("-confusion", _confusion_row),
            ("-png", _png_row),
        )
    }


def _semantic_row(plan: Plan, noisy: int) -> Row:
    goals = (Goal("velour", "wall", 0.030),)
    return _pixels_row(plan, noisy, "semantic", "semantic", "all metrics; peers: confusion", goals)


def _confusion_row(plan: Plan, noisy: int) -> Row:
    goals = (Goal("velour", "wall", 1 / 1.4, "hotcoco"),)
    return _pixels_row(plan, noisy, "confusion", "semantic", "confusion", goals)


def _png_row(plan: Plan, noisy: int) -> Row:
    what = "PNG files to all metrics; peers: decoded by Pillow, confusion"
    return _pixels_row(plan, noisy, "png", "png", what)


_SEMANTIC = {"": _semantic_row, "-confusion": _confusion_row, "-png": _png_row}


def _pixels_row(
    plan: Plan, noisy: int, called: str, peers: str, what: str, goals: Sequence[Goal] = ()
) -> Row:
    folder = str(plan.files("label_images", 12, noisy))
    competitors = ours(plan, "velour", f"velour_{called}", folder)
    competitors += [
        program(f"{name}_{peers}", folder, name=name)
        for name in ("hotcoco", "torchmetrics")
        if find_spec(name)
    ]
    title = f"1024 x 2048 pixels, 19 labels, {noisy} % noise, {what}; an image"
    return Row(title, SEMANTIC, competitors, tuple(goals), close=1e-12)


def reading_rows(plan: Plan) -> Rows:
    questions = {
        "rank": ["rank", "mAP", "--dataset", "fires"],
        "slices": ["slices", "night-model", "--by", "time_of_day"],
        "compare": ["compare", "day-model", "night-model"],
        "worst": ["worst", "night-model"],
    }
    return {
        "fires": lambda: _fires_row(plan),
        "help": lambda: Row(
            "`velour --help`",
            READING,
            command_line(plan, "velour --help", ["--help"], lambda _: {}),
            (Goal("velour --help", "cpu", 0.35),),
        ),
        **{
            f"small-{name}": lambda name=name, words=words: _small_row(plan, name, words)
            for name, words in questions.items()
        },
        "known": lambda: _known_row(plan, questions["rank"]),
    }


def _fires_row(plan: Plan) -> Row:
    """Makes the small store that other rows ask."""
    fires = HERE.parents[1] / "examples" / "fires"
    command = ["evaluate", "--truth", str(fires / "instances.json"), "--dataset", "fires"]
    command += ["--metadata", str(fires / "images.csv")]
    for name in ("day-model", "night-model"):
        command += ["--predictions", str(fires / f"{name}.json")]
    competitors = [
        replace(
            one,
            command=lambda n, one=one: [*one.command(n), "--store", _small_url(plan, one)],
            fresh=store_files(_small(plan, one)),
        )
        for one in command_line(plan, "velour evaluate", command, lambda _: {})
    ]
    return Row("two models on 24 images, new store", READING, competitors)


def _small_row(plan: Plan, name: str, words: Sequence[str]) -> Row:
    """A new question in each round."""

    def question(number: int) -> list[str]:
        return [*words, "--where", f"width > {1 + plan.start(number):.7f}"]

    title = f"`velour {name}`: a new question to a store of 24 images"
    competitors = [
        replace(
            one, command=lambda n, one=one: [VELOUR, *question(n), "--store", _small_url(plan, one)]
        )
        for one in command_line(plan, f"velour {name}", [], lambda _: {})
    ]
    goals = (Goal(f"velour {name}", "cpu", 0.35),)
    return Row(title, READING, competitors, goals, needs=["fires"])


def _known_row(plan: Plan, words: Sequence[str]) -> Row:
    competitors = [
        replace(one, command=lambda _, one=one: [VELOUR, *words, "--store", _small_url(plan, one)])
        for one in command_line(plan, "velour rank", [], lambda _: {})
    ]
    title = "`velour rank`: a question whose answer is known"
    return Row(title, READING, competitors, (Goal("velour rank", "cpu", 0.2),), needs=["fires"])


def _small(plan: Plan, competitor: Competitor) -> Path:
    which = "before" if competitor.name.startswith(BEFORE) else "now"
    return plan.folder / f"fires-{which}.db"


def _small_url(plan: Plan, competitor: Competitor) -> str:
    return f"sqlite:///{_small(plan, competitor)}"


def partition_rows(plan: Plan) -> Rows:
    return {
        "partitions": lambda: _parts_row(plan, 50_000, dask=False),
        "partitions-large": lambda: _parts_row(plan, 500_000, dask=True),
    }


def _parts_row(plan: Plan, images: int, *, dask: bool) -> Row:
    folder = str(plan.files("partitions", images))
    competitors = ours(plan, "velour", "velour_partitions", folder, "0")
    detections = 50 * plan.size(images)
    goals = [Goal("velour", "wall", 1e-6 * detections)]
    if dask and find_spec("distributed"):
        names = {workers: f"velour, Dask workers: {workers}" for workers in (1, 2)}
        competitors += [
            program("velour_partitions", folder, str(workers), name=name)
            for workers, name in names.items()
        ]
        goals.append(Goal(names[2], "wall", 1 / 1.5, names[1]))
    title = f"{detections:,} detections in parquet parts to twelve numbers"
    return Row(title, PARTITIONS, competitors, tuple(goals), rounds=1 if dask else 3)
