"""Rows of evaluations in memory and in stores: saving, ranking, slicing, comparing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.benchmarks.plan import (
    VELOUR,
    Plan,
    Rows,
    installed,
    ours,
    program_command,
    store_files,
    with_before,
)
from tests.benchmarks.programs import models, tenth
from tests.benchmarks.races import BEFORE, FASTEST, Competitor, Goal, Row, last_line

GROUP = "Stores and ranking"


def store_rows(plan: Plan) -> Rows:
    """All of them; those after ``ingest`` need the store that it makes."""
    return {
        "memory": lambda: _memory_row(plan),
        "save": lambda: _save_row(plan),
        "save-postgis": lambda: _save_postgis_row(plan),
        "ingest": lambda: _ingest_row(plan),
        "rank": lambda: _rank_row(plan),
        "rank-warm": lambda: _warm_row(plan),
        "rank-resampled": lambda: _resampled_row(plan),
        "rank-annotations": lambda: _annotations_row(plan),
        **_questions(plan),
    }


def _memory_row(plan: Plan) -> Row:
    folder = plan.files("boxes", 5_000)
    paths = [str(folder / "truth.json"), str(folder / "results.json")]
    title = f"{50 * plan.size(5_000):,} detections in memory: `velour.evaluate`, digests not known"
    goals = (Goal("velour", "cpu", 0.15),)
    return Row(title, GROUP, ours(plan, "velour", "velour_memory", *paths), goals)


def _save_row(plan: Plan) -> Row:
    folder = plan.files("boxes", 5_000)
    paths = [str(folder / name) for name in ("truth.json", "results.json", "other.json")]
    file = plan.folder / "saved.db"
    competitors = [
        replace(one, fresh=store_files(file))
        for one in ours(plan, "velour", "velour_save", *paths, str(plan.folder))
    ]
    goals = (
        plan.before("velour", 10, 4.0),
        Goal("velour", "megabytes", 8.0),
    )
    title = f"saving an evaluation of {50 * plan.size(5_000):,} detections in SQLite, first of all"
    return Row(title, GROUP, competitors, goals)


def _save_postgis_row(plan: Plan) -> Row:
    """By this checkout alone: the server is that of its tests."""
    folder = plan.files("boxes", 5_000)
    paths = [str(folder / name) for name in ("truth.json", "results.json", "other.json")]
    command = [sys.executable, "-m", "tests.benchmarks.served", "velour_save_postgis", *paths]
    competitors = [Competitor("velour", lambda _: command)]
    goals = (plan.before("velour", 10, 10.0), Goal("velour", "megabytes", 8.0))
    title = f"the same of {50 * plan.size(5_000):,} detections in PostGIS, on a server beside it"
    return Row(title, GROUP, competitors, goals)


def _ingest_row(plan: Plan) -> Row:
    """Makes the store that other rows ask."""
    folder = str(plan.files("runs", 5_000))
    competitors = [
        replace(
            one,
            command=lambda _, one=one: [*one.command(0), _url(plan, one)],
            fresh=store_files(_store(plan, one)),
        )
        for one in ours(plan, "velour", "velour_ingest", folder, str(plan.runs))
    ]
    goals = (plan.before("velour", 10, 139.0),)
    title = f"reading, evaluating and keeping {plan.runs} runs of the same images (SQLite)"
    return Row(title, GROUP, competitors, goals, rounds=1)


def _rank_row(plan: Plan) -> Row:
    def command(number: int) -> list[str]:
        return ["--where", tenth(plan.start(number)), "--resamples", "0"]

    def program(number: int) -> list[str]:
        return [tenth(plan.start(number)), "1"]  # another seed: no answer that the command left

    competitors = [
        *_asking(plan, "velour rank", _rank_command, command, _ranked),
        *_asking(plan, "velour (Python)", lambda url: program_command("velour_rank", url), program),
        *_rank_peers(plan),
    ]
    goals = (
        Goal("velour rank", "wall", 1 / 7, "hotcoco"),
        Goal("velour rank", "wall", 1 / 4, "ultrafast"),
    )
    title = f"{plan.runs} runs by mAP on a new tenth of the images; peers from their files"
    return Row(title, GROUP, competitors, goals, needs=["ingest"])


def _warm_row(plan: Plan) -> Row:
    def filters(number: int) -> list[str]:
        return [tenth(plan.start(number + shift)) for shift in (100, 150)]

    command = lambda url: program_command("velour_rank_warm", url)  # noqa: E731
    goals = (Goal("velour", "cpu", 0.1), Goal("velour", "again", 0.02))
    title = "the same, in a process that asked before; and the same question again"
    competitors = _asking(plan, "velour", command, filters)
    return Row(title, GROUP, competitors, goals, needs=["ingest"])


def _resampled_row(plan: Plan) -> Row:
    def command(number: int) -> list[str]:
        return ["--where", tenth(plan.start(number + 200))]

    competitors = _asking(plan, "velour rank", _rank_command, command, _ranked)
    goals = (plan.before("velour rank", 8, 43.5),)
    title = "the same as the command does it by itself: 1,000 resamples"
    return Row(title, GROUP, competitors, goals, needs=["ingest"])


def _annotations_row(plan: Plan) -> Row:
    def command(number: int) -> list[str]:
        where = f"{tenth(plan.start(number + 250))} AND annotation.area > 2000"
        return ["--where", where, "--resamples", "0"]

    competitors = [
        *_asking(plan, "velour rank", _rank_command, command, lambda _: {}),
        *_rank_peers(plan, shift=250),
    ]
    goals = (Goal("velour rank", "wall", 1 / 1.5, FASTEST),)
    title = "the same where `annotation.area > 2000`, matched again; peers without that condition"
    return Row(title, GROUP, competitors, goals, needs=["ingest"])


def _rank_peers(plan: Plan, shift: int = 0) -> Iterator[Competitor]:
    folder = str(plan.files("runs", 5_000))
    for name in installed(["hotcoco", "ultrafast"]):
        yield Competitor(
            name,
            lambda number, name=name: [
                *program_command(f"{name}_rank", folder, str(plan.runs)),
                f"{plan.start(number + shift):.6f}",
            ],
        )


def _questions(plan: Plan) -> Rows:
    last = models(plan.runs)[-1]
    other = models(plan.runs)[-2]
    return {
        "slices": lambda: _question_row(
            plan,
            "slices",
            "50 slices of a run by city, 1,000 resamples",
            102.0,
            last,
            "--by",
            "city",
        ),
        "compare": lambda: _question_row(
            plan,
            "compare",
            "two runs by 200 permutations",
            15.1,
            other,
            last,
            "--permutations",
            "200",
        ),
        "compare labels": lambda: _question_row(
            plan,
            "compare",
            "two runs and their 80 labels by 1,000 permutations, with intervals",
            33.3,
            other,
            last,
            "--permutations",
            "1000",
            times=5,
        ),
        "worst": lambda: _question_row(plan, "worst", "the images that cost most", 20.3, last),
    }


def _question_row(
    plan: Plan, command: str, title: str, before: float, *arguments: str, times: float = 10
) -> Row:
    """Every round asks about other images, that nothing is known before: nearly all of them."""

    def all_but_few(number: int) -> list[str]:
        return [*arguments, "--where", f"draw > {plan.start(number) / 1000:.7f}"]

    name = f"velour {command}"
    start = lambda url: [VELOUR, command, "--store", url]  # noqa: E731
    competitors = _asking(plan, name, start, all_but_few, lambda _: {})
    goals = (plan.before(name, times, before),)
    return Row(f"`velour {command}`: {title}", GROUP, competitors, goals, needs=["ingest"])


def _asking(
    plan: Plan,
    name: str,
    command: Callable[[str], list[str]],
    arguments: Callable[[int], list[str]],
    read: Callable[[str], dict[str, Any]] = last_line,
) -> list[Competitor]:
    """Ours, each asking the store that it made itself."""
    plan.files("runs", 5_000)
    competitors = with_before(plan, Competitor(name, lambda _: [], read))
    return [
        replace(one, command=lambda n, one=one: [*command(_url(plan, one)), *arguments(n)])
        for one in competitors
    ]


def _rank_command(url: str) -> list[str]:
    return [VELOUR, "rank", "mAP", "--dataset", "images", "--json", "--store", url]


def _ranked(output: str) -> dict[str, Any]:
    board = sorted(json.loads(output)["rows"], key=lambda row: str(row["model"]))
    return {"numbers": [row["value"] for row in board]}


def _store(plan: Plan, competitor: Competitor) -> Path:
    which = "before" if competitor.name.startswith(BEFORE) else "now"
    return plan.folder / f"runs-{plan.size(5_000)}-{plan.seed}-{which}.db"


def _url(plan: Plan, competitor: Competitor) -> str:
    return f"sqlite:///{_store(plan, competitor)}"
