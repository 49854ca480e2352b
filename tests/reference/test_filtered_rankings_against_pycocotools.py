"""Filters beyond datums: what a ledger answers, and what is matched again, on the reduced data."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from velour_evaluators.detection.evaluator import ObjectDetection

import velour_plugin as velour
from tests.coco_oracle import Json, coco_eval, dataset_of, distinct_scores, random_boxes
from velour_plugin.answers import Leaderboard
from velour_plugin.store import Store, upgrade_store

SEEDS = range(4)
METRICS = ObjectDetection.headline

Data = tuple[Json, list[Json]]
Keep = Callable[[Json], bool]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store of each kind."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        yield opened


def some_data(seed: int) -> Data:
    """Boxes with crowds, of at least two classes, without equal scores."""
    rng = np.random.default_rng(seed)
    data = random_boxes(rng)
    while len(data[0]["categories"]) < 2 or len(data[0]["annotations"]) < 10:
        data = random_boxes(rng)
    return distinct_scores(rng, data)


def reduced(data: Data, truths: Keep = lambda _: True, kept: Keep = lambda _: True) -> Data:
    """The data without the annotations and detections that are not kept."""
    truth, detections = copy.deepcopy(data)
    truth["annotations"] = [item for item in truth["annotations"] if truths(item)]
    return truth, [item for item in detections if kept(item)]


def board_values(store: Store, **asked: Any) -> tuple[list[float], Leaderboard]:
    """The twelve numbers of the one model, -1 where undefined, and the last board."""
    values = []
    for metric in METRICS:
        board = velour.rank(metric, "coco", store=store, resamples=0, **asked)
        values.append(-1.0 if board[0].value is None else board[0].value)
    return values, board


def first_class(data: Data) -> int:
    return int(min(item["id"] for item in data[0]["categories"]))


@pytest.mark.parametrize("seed", SEEDS)
def test_labels_and_higher_scores_are_read_from_ledgers(store: Store, seed: int) -> None:
    data = some_data(seed)
    velour.evaluate(dataset_of(*data), "object-detection", store=store)
    chosen = first_class(data)
    for where, less in (
        (f"label.value = '{chosen}'", _of_class(data, chosen)),
        ("score >= 0.5", reduced(data, kept=lambda item: item["score"] >= 0.5)),
        (
            f"label.value <> '{chosen}' AND score > 0.25",
            reduced(
                data,
                lambda item: item["category_id"] != chosen,
                lambda item: item["category_id"] != chosen and item["score"] > 0.25,
            ),
        ),
    ):
        values, board = board_values(store, where=where)
        assert values == coco_eval(*less).stats.tolist(), where
        assert not any("Matched again" in note for note in board.notes)


def _of_class(data: Data, chosen: int) -> Data:
    def kept(item: Json) -> bool:
        return bool(item["category_id"] == chosen)

    return reduced(data, kept, kept)


@pytest.mark.parametrize("seed", SEEDS)
def test_annotations_and_lower_scores_are_matched_again(store: Store, seed: int) -> None:
    data = some_data(seed)
    velour.evaluate(dataset_of(*data), "object-detection", store=store)
    area = float(np.median([item["area"] for item in data[0]["annotations"]]))
    for where, less in (
        (f"annotation.area >= {area}", reduced(data, lambda item: item["area"] >= area)),
        ("score < 0.5", reduced(data, kept=lambda item: item["score"] < 0.5)),
        (
            f"annotation.area < {area} AND score >= 0.3",
            reduced(data, lambda item: item["area"] < area, lambda item: item["score"] >= 0.3),
        ),
    ):
        values, board = board_values(store, where=where)
        assert values == coco_eval(*less).stats.tolist(), where
        assert any("Matched again" in note for note in board.notes)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_filter_on_datums_may_join_them(store: Store, seed: int) -> None:
    data = some_data(seed)
    velour.evaluate(dataset_of(*data), "object-detection", store=store)
    images = sorted(image["id"] for image in data[0]["images"])[::2]
    listed = ", ".join(f"'{number}'" for number in images)
    area = float(np.median([item["area"] for item in data[0]["annotations"]]))
    values, board = board_values(store, where=f"uid IN ({listed}) AND annotation.area > {area}")
    less = reduced(data, lambda item: item["area"] > area)
    assert values == coco_eval(*less, images=images).stats.tolist()
    assert board.datums == len(images)


@pytest.mark.parametrize("seed", SEEDS)
def test_other_iou_thresholds(store: Store, seed: int) -> None:
    """A threshold of the ledger's is read from it; another one is matched."""
    data = some_data(seed)
    velour.evaluate(dataset_of(*data), "object-detection", store=store)
    for thresholds, again in (([0.6, 0.8], False), ([0.4, 0.62], True)):
        board = velour.rank(
            "mAP",
            "coco",
            store=store,
            resamples=0,
            parameters={"iou_thresholds": thresholds, "iou_threshold": thresholds[0]},
        )
        found = coco_eval(*data, iouThrs=np.array(thresholds)).eval["precision"][:, :, :, 0, -1]
        expected = found[found > -1].mean() if (found > -1).any() else None
        assert board[0].value == expected
        assert any("Matched again" in note for note in board.notes) is again


@pytest.mark.parametrize("seed", SEEDS)
def test_a_label_map_is_matched_again(store: Store, seed: int) -> None:
    """All classes as one."""
    data = some_data(seed)
    velour.evaluate(dataset_of(*data), "object-detection", store=store)
    classes = [str(item["id"]) for item in data[0]["categories"]]
    values, board = board_values(
        store, parameters={"label_map": dict.fromkeys(classes, "anything")}
    )
    one = copy.deepcopy(data)
    one[0]["categories"] = one[0]["categories"][:1]
    for item in [*one[0]["annotations"], *one[1]]:
        item["category_id"] = one[0]["categories"][0]["id"]
    assert values == coco_eval(*one).stats.tolist()
    assert any("Matched again" in note for note in board.notes)
    where = "label.value = 'anything'"
    parameters = {"label_map": dict.fromkeys(classes, "anything")}
    assert board_values(store, parameters=parameters, where=where)[0] == values


@pytest.mark.parametrize("seed", SEEDS)
def test_evaluate_takes_the_same_filters(seed: int) -> None:
    data = some_data(seed)
    chosen = first_class(data)
    where = f"label.value = '{chosen}' AND score >= 0.4 AND annotation.area > 100"
    evaluation = velour.evaluate(dataset_of(*data), "object-detection", where=where, save=False)

    def kept(item: Json) -> bool:
        return bool(item["category_id"] == chosen)

    less = reduced(
        data,
        lambda item: kept(item) and item["area"] > 100,
        lambda item: kept(item) and item["score"] >= 0.4,
    )
    values = [-1.0 if value is None else value for value in evaluation.headline.values()]
    assert values == coco_eval(*less).stats.tolist()
