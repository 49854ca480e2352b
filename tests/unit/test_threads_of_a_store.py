"""Threads that share an open store, and what it keeps in memory, get what each would get alone."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.domain.ledger import Columns, LazyTables
from velour_plugin.store import Store, upgrade_store
from velour_plugin.store.memory import BoundedCache

THREADS = 6


@pytest.fixture(autouse=True)
def _hurry() -> Iterator[None]:
    """Threads take turns a thousand times as often as they otherwise would."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def at_once(work: Callable[[int], None], threads: int = THREADS) -> None:
    """Do some work in threads that begin together; what goes wrong in one goes wrong here."""
    start, errors = threading.Barrier(threads), []

    def run(number: int) -> None:
        try:
            start.wait(10)
            work(number)
        except BaseException as error:
            errors.append(error)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)
    assert not any(thread.is_alive() for thread in running)
    assert errors == []


# ---- The cache alone ---------------------------------------------------------------------------


def test_a_cache_never_takes_more_than_it_may_and_gives_what_was_kept() -> None:
    """Room for a few of forty values of one to nine bytes, kept and asked for in any order."""
    cache: BoundedCache[str] = BoundedCache(20)
    size = {f"name {number}": 1 + number % 9 for number in range(40)}

    def work(number: int) -> None:
        random = np.random.default_rng(number)
        for _ in range(500):
            names = [f"name {one}" for one in random.integers(0, 40, 3)]
            cache.keep(names[0], names[0].upper(), size[names[0]])
            found = cache.known(one_by_one(names))
            assert all(value == name.upper() for name, value in found.items())
            assert len(found) <= len(set(names))

    at_once(work)

    left = cache.known(size)
    assert 0 < sum(size[name] for name in left) <= 20
    assert len(cache) == len(left)
    cache.keep("all there is", "ALL", 20)  # what the bytes of the others were is known to the byte
    assert cache.known([*size, "all there is"]) == {"all there is": "ALL"}


def one_by_one(names: list[str]) -> Iterator[str]:
    """Names between which other threads have their turn."""
    for name in names:
        time.sleep(0)
        yield name


def test_a_value_that_is_kept_twice_counts_once() -> None:
    cache: BoundedCache[int] = BoundedCache(10)
    at_once(lambda number: cache.keep("same", number, 6))
    cache.keep("other", -1, 4)
    assert set(cache.known(["same", "other"])) == {"same", "other"}


def test_tables_that_are_made_later_are_whole_for_all_threads() -> None:
    """Two may make them; nobody sees them half made, or not made."""
    for _ in range(50):
        tables = LazyTables({}, ("a", "b"), _two_tables)

        def look(number: int, tables: LazyTables = tables) -> None:
            assert tables["ab"[number % 2]]["row"].tolist() == [number % 2] * 3

        at_once(look, 4)


def _two_tables() -> dict[str, Columns]:
    return {name: {"row": np.full(3, number)} for number, name in enumerate("ab")}


# ---- An open store -----------------------------------------------------------------------------

MODELS, IMAGES = 5, 12
FILTERS = ("shard < 5.{}", "shard > 5.{}", "score > 0.5{}", "annotation.area > 100.{}")
"""Of datums, scores and annotations; each selects the same whatever decimals it gets."""


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Five models on twelve images; two ledgers at a time stay in memory."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        for model in range(MODELS):
            save_model(opened, model)
        opened.known_ledgers = cache = BoundedCache(1 << 20)  # type: ignore[attr-defined]
        rank(opened, FILTERS[0], "5")
        taken = cache._nbytes
        assert (len(cache), taken > 0) == (MODELS, True)
        opened.known_ledgers = BoundedCache(taken * 5 // 2 // MODELS)  # type: ignore[attr-defined]
        yield opened


def save_model(store: Store, model: int) -> None:
    """The same images whatever the model; its own detections, with ties."""
    random = np.random.default_rng(99)
    datums = [velour.Datum(str(uid), {"shard": uid % 12}) for uid in range(IMAGES)]
    truths = [velour.GroundTruth(datum, boxes(random, 4, scored=False)) for datum in datums]
    random = np.random.default_rng(model)
    found = [velour.Prediction(datum, boxes(random, 8, scored=True)) for datum in datums]
    dataset = velour.Dataset.from_groundtruths(truths, "images")
    dataset = dataset.with_predictions(found, f"model {model}")
    velour.evaluate(dataset, "object-detection", store=store)


def boxes(random: np.random.Generator, count: int, *, scored: bool) -> list[velour.Annotation]:
    return [
        velour.Annotation(
            velour.Label(
                "class", "ab"[random.integers(2)], random.integers(9) / 8 if scored else None
            ),
            bounding_box=velour.BoundingBox.from_xywh(*random.integers(1, 20, 4).astype(float)),
        )
        for _ in range(count)
    ]


def rank(store: Store, where: str, number: str) -> list[tuple[str, float | None]]:
    """A board by a new question: no answer to it is kept."""
    board = velour.rank("mAP", "images", where=where.format(number), resamples=0, store=store)
    return [(row.model, row.value) for row in board]


def test_threads_that_rank_with_little_memory_get_their_own_answers(store: Store) -> None:
    """From ledgers that come and go all the time, or from predictions matched again."""
    alone = [rank(store, where, "1") for where in FILTERS]
    assert len({str(board) for board in alone}) == len(FILTERS)

    def work(number: int) -> None:
        for turn in range(3):
            which = (number + turn) % len(FILTERS)
            assert rank(store, FILTERS[which], f"1{number}{turn}") == alone[which]

    at_once(work)


def test_threads_that_rank_while_one_saves_see_all_of_a_model_or_nothing(store: Store) -> None:
    boards: list[dict[str, float | None]] = []

    def work(number: int) -> None:
        for turn in range(3):
            if number == 0:
                save_model(store, MODELS + turn)
            else:
                boards.append(dict(rank(store, FILTERS[0], f"2{number}{turn}")))

    at_once(work, 4)

    last = dict(rank(store, FILTERS[0], "3"))
    assert len(last) == MODELS + 3
    first = {f"model {model}" for model in range(MODELS)}
    assert all(first <= set(board) and board.items() <= last.items() for board in boards)
