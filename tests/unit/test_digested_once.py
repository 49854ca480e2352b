"""Content is digested once in an evaluation, and not at all when it is matched again."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import velour_plugin as velour
from tests.digests import count_digests
from tests.fires import fires

FOUND = ["2", "10", "20"]
"""Of four fires, so that ground truth has four rows and predictions three."""


def test_an_evaluation_digests_each_side_once(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it is checked, matched, certified and stored."""
    digested = count_digests(monkeypatch)
    with velour.open_store(sqlite_url) as store:
        velour.evaluate(fires(FOUND), "object-detection", store=store)
    assert sorted(digested) == [3, 4]


def test_a_second_model_digests_its_predictions_only(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = fires(FOUND)
    with velour.open_store(sqlite_url) as store:
        velour.evaluate(dataset, "object-detection", store=store)
        digested = count_digests(monkeypatch)
        other = dataset.with_predictions(fires(["2"]).predicted, "other")
        velour.evaluate(other, "object-detection", store=store)
        velour.evaluate(other.with_model("renamed"), "object-detection", store=store)
    assert digested == [1]


def test_matching_again_digests_nothing(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with velour.open_store(sqlite_url) as store:
        for model, found in (("good", FOUND), ("bad", ["2"])):
            velour.evaluate(fires(found, model), "object-detection", store=store)
        digested = count_digests(monkeypatch)
        board = velour.rank("mAP", "fires", where="annotation.area > 1", resamples=0, store=store)
    assert [row.model for row in board.rows] == ["good", "bad"]
    assert digested == []


def test_adding_datums_digests_the_addition_only(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with velour.open_store(sqlite_url) as store:
        store.save_dataset(fires(images=["2", "10"]))
        digested = count_digests(monkeypatch)
        store.add_datums(fires(images=["20"]))
    assert digested.of_annotations == [1]


def test_what_is_known_of_a_dataset_is_right_of_its_parts() -> None:
    """A part keeps the digests of its datums, and they are those that it would compute."""
    whole = fires(FOUND)
    assert whole.content_digests
    chosen = np.array([True, False, True, False])
    part = whole.subset(chosen)
    fresh = fires(["2", "20"], images=["2", "20"])
    assert part.fingerprints == fresh.fingerprints
    assert part.content_digests == fresh.content_digests


def test_what_is_known_of_a_dataset_is_right_under_other_predictions() -> None:
    known = fires(FOUND)
    assert known.content_digests
    other = known.with_predictions(fires(["2"]).predicted, "other")
    assert other.content_digests == fires(["2"]).content_digests
    assert other.with_model("third").content_digests == other.content_digests
    assert other.with_model("third").model == "third"


def test_an_evaluation_that_is_not_kept_digests_nothing_until_its_id_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digested = count_digests(monkeypatch)
    evaluation = velour.evaluate(fires(FOUND), "object-detection", save=False)
    assert evaluation["mAP"] is not None
    assert digested == []
    assert evaluation.certificate.dataset_digest == fires().digest
    assert evaluation.predictions_digest == fires(FOUND).predictions_digest
    first = list(digested)
    assert evaluation.id == evaluation.id
    assert digested == first


def test_an_evaluation_travels_with_its_certificate() -> None:
    evaluation = velour.evaluate(fires(FOUND), "object-detection", save=False)
    travelled = pickle.loads(pickle.dumps(evaluation))
    assert travelled.id == evaluation.id
    assert dict(travelled) == dict(evaluation)
