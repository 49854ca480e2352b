"""The store's revision: moved by every write that can change an answer, and by no clock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.ranking import rank_runs
from velour_plugin.store import Store, upgrade_store
from velour_plugin.store.sql.store import SqlStore

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        assert isinstance(opened, SqlStore)
        velour.evaluate(fires(["2"], "first"), "object-detection", store=opened)
        yield opened


def models(store: Store, **options: object) -> list[str]:
    board = velour.rank("mAP", "fires", store=store, **options)  # type: ignore[arg-type]
    return sorted(row.model for row in board)


def evaluate_elsewhere(url: str, model: str) -> None:
    """Evaluate one more model in a process of its own."""
    code = (
        "import sys, velour_plugin as velour\n"
        "from tests.fires import fires\n"
        "with velour.open_store(sys.argv[1]) as store:\n"
        "    velour.evaluate(fires(['10'], sys.argv[2]), 'object-detection', store=store)\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, url, model]
    subprocess.run(command, check=True, cwd=PROJECT)


def test_an_evaluation_that_ends_while_a_leaderboard_is_computed_is_on_the_next_one(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leaderboard is kept under the revision that it was read at, which is over by then."""
    url = store.engine.url.render_as_string(hide_password=False)
    measure_all = rank_runs.measure_all

    def measure_slowly(*args: object, **options: object) -> object:
        evaluate_elsewhere(url, "second")
        return measure_all(*args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(rank_runs, "measure_all", measure_slowly)
        assert models(store, resamples=20) == ["first"]
    assert models(store, resamples=20) == ["first", "second"]


def test_a_clock_that_is_behind_leaves_nothing_stale(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link of an hour ago is as new as any: no moment is compared."""
    assert models(store) == ["first"]
    evaluation = velour.evaluate(fires(["10"], "second"), "object-detection", store=store)
    with store._writing() as connection:
        connection.execute(text("UPDATE evaluations SET created_at = '2001-01-01 00:00:00'"))
    assert models(store) == ["first", "second"]
    store.link_run(evaluation.id, velour.EvaluatedRun("r1", "named", "0"))
    with store._writing() as connection:
        connection.execute(text("UPDATE evaluation_runs SET created_at = '2001-01-01 00:00:00'"))
    board = velour.rank("mAP", "fires", store=store)
    assert {row.run for row in board} == {None, "named"}


def test_every_write_that_can_change_an_answer_moves_the_revision(store: SqlStore) -> None:
    revisions = [store.revision()]
    evaluation = velour.evaluate(fires(["10"], "second"), "object-detection", store=store)
    revisions.append(store.revision())
    store.link_run(evaluation.id, velour.EvaluatedRun("r1", "named", "0"))
    revisions.append(store.revision())
    store.save_dataset(fires(images=["2"]))
    revisions.append(store.revision())
    store.add_datums(fires(images=["10"]))
    revisions.append(store.revision())
    assert revisions == sorted(set(revisions))


def test_reading_and_keeping_answers_leave_the_revision(store: SqlStore) -> None:
    before = store.revision()
    models(store, resamples=20)
    store.load_dataset("fires")
    assert store.revision() == before


def test_a_dataset_has_a_revision_of_its_own(store: SqlStore) -> None:
    """What is cached about one dataset outlives evaluations on another."""
    before = store.revision(["fires"])
    velour.evaluate(fires(["2"], "first", name="smoke"), "object-detection", store=store)
    assert store.revision(["fires"]) == before
    assert store.revision(["smoke"]) > 0
    assert store.revision(["fires", "smoke"]) == store.revision()


def test_an_answer_of_an_older_revision_replaces_none_of_a_newer(store: SqlStore) -> None:
    """Two processes may finish in the other order than they began."""
    revision = store.revision(["fires"])
    store.keep_answer("key", revision, {"new": True})
    store.keep_answer("key", revision - 1, {"new": False})
    assert store.cached_answer("key", ["fires"]) == (revision, {"new": True})


def test_writers_at_once_count_every_write(store: SqlStore) -> None:
    before = store.revision()
    url = store.engine.url.render_as_string(hide_password=False)
    code = (
        "import sys, velour_plugin as velour\n"
        "from tests.fires import fires\n"
        "with velour.open_store(sys.argv[1]) as store:\n"
        "    for number in range(5):\n"
        "        store.save_dataset(fires(images=['2'], name=f'fires{number % 2}'))\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, url]
    running = [subprocess.Popen(command, cwd=PROJECT) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert store.revision() == before + 15
