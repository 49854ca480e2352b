"""Two runs side by side: tests that are exact, errors by kind, what is refused; all by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from velour_evaluators.kernels.native import library

import velour_plugin as velour
from tests.classification_data import dataset_of
from tests.scenes import ELSEWHERE, FOUND, TEN_BY_TEN, TRUE, annotation, scene
from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.errors import UnknownName
from velour_plugin.ranking.comparison import Comparison
from velour_plugin.ranking.uncertainty.statistics import mcnemar
from velour_plugin.store import Store

SHIFTED = velour.BoundingBox(0, 4, 10, 14)  # 60 of 140 shared: an IoU of 3/7


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with velour.open_store(sqlite_url) as opened:
        yield opened


def judge(store: Store, dataset: velour.Dataset, model: str, **given: object) -> Evaluation:
    assert dataset.predictions is not None
    task = "object-detection" if dataset.name == "fires" else "image-classification"
    predicted = dataset.with_predictions(dataset.predictions, model)
    return velour.evaluate(predicted, task, parameters=given, store=store)


# Classification: cats and dogs by turns; "one" errs on the first 2 of 20, "other" on the last 9

TRUTHS = {f"{number:02}": "dog" if number % 2 else "cat" for number in range(20)}
WRONG = {"cat": "dog", "dog": "cat"}


def pets(store: Store) -> None:
    """Two classifiers; both are right on 9 datums."""
    for model, errs in (("one", range(2)), ("other", range(11, 20))):
        predictions = {
            uid: WRONG[truth] if int(uid) in errs else truth for uid, truth in TRUTHS.items()
        }
        judge(store, dataset_of(TRUTHS, predictions), model)


def test_accuracies_are_compared_by_mcnemars_test(store: Store) -> None:
    pets(store)

    found = velour.compare("one", "other", metric="accuracy", store=store)

    first = found[0]
    assert (first.first, first.second) == (0.9, 0.55)
    assert first.p == pytest.approx(mcnemar(2, 9))
    assert found.notes == ("p of accuracy is by McNemar's mid-p test.",)


def test_the_accuracy_of_a_label_is_its_recall_and_has_the_same_test(store: Store) -> None:
    """Cats: one of ten is wrong for the first, four for the second. Dogs: one and five."""
    pets(store)

    _, dogs, cats = velour.compare("one", "other", metric="accuracy", store=store)

    assert (dogs.about, dogs.metric, dogs.first, dogs.second) == ("class=dog", "recall", 0.9, 0.5)
    assert (cats.about, cats.metric, cats.first, cats.second) == ("class=cat", "recall", 0.9, 0.6)
    # by Holm's method: the smaller p doubled, the other at least that
    assert dogs.p == pytest.approx(2 * mcnemar(1, 5))
    assert cats.p == pytest.approx(max(mcnemar(1, 4), dogs.p))


def test_one_of_many_classes_can_stand_out(store: Store) -> None:
    """Of twelve classes with five datums each the second model gets one wholly wrong."""
    truths = {str(uid): f"c{uid % 12:02}" for uid in range(60)}
    others = {uid: "c01" if truth == "c00" else truth for uid, truth in truths.items()}
    judge(store, dataset_of(truths, truths), "one")
    judge(store, dataset_of(truths, others), "other")

    _, worst, *rest = velour.compare(
        "one", "other", metric="f1_macro", permutations=999, store=store
    )

    assert (worst.about, worst.difference) == ("class=c00", -1.0)
    assert worst.p is not None
    assert worst.p < 0.1
    assert {row.p for row in rest[1:]} == {1.0}


def test_who_asks_for_no_p_gets_none(store: Store) -> None:
    pets(store)

    found = velour.compare("one", "other", metric="accuracy", permutations=0, store=store)

    assert [row.p for row in found] == [None] * 3
    assert not found.notes


def test_other_metrics_are_compared_by_permutation(store: Store) -> None:
    pets(store)

    found = velour.compare("one", "other", metric="f1_macro", permutations=99, store=store)

    assert found[0].p is not None
    assert round(found[0].p * 100) == pytest.approx(found[0].p * 100)  # so many of 100 drawn
    assert [row.metric for row in found] == ["f1_macro", "f1", "f1"]
    assert not found.notes


def test_a_metric_that_nobody_has_is_refused(store: Store) -> None:
    pets(store)

    with pytest.raises(UnknownName, match="did you mean 'accuracy'"):
        velour.compare("one", "other", metric="acuracy", store=store)


# Detection: four images with a fire each


def fires(store: Store, **given: object) -> None:
    """The first model shifts two boxes and confuses one; the second misses one, invents one."""
    shifted, smoke = annotation(SHIFTED, score=0.9), annotation(TEN_BY_TEN, "smoke", 0.9)
    invented = annotation(ELSEWHERE, score=0.8)
    one = scene(([TRUE], [shifted]), ([TRUE], [shifted]), ([TRUE], [smoke]), ([TRUE], [FOUND]))
    other = scene(([TRUE], [FOUND]), ([TRUE], [FOUND, invented]), ([TRUE], [FOUND]), ([TRUE], []))
    judge(store, one, "one", **given)
    judge(store, other, "other", **given)


def by_kind(found: Comparison) -> dict[str, tuple[int, int]]:
    return {row.kind: (row.first_count, row.second_count) for row in found.errors}


@pytest.mark.skipif(not library.available(), reason=library.describe())
def test_permutations_go_through_the_compiled_kernel_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The README's comparison, 3 x 200 permutations of two sides each, is few calls.

    Of which most are for what nine kinds of correction of each run's errors would bring.
    """
    calls = Calls(library.functions)
    monkeypatch.setattr(library, "functions", calls)
    folder = Path(__file__).parents[2] / "examples/fires"
    fires = velour.read_dataset(
        folder / "instances.json", "coco", name="fires", metadata=folder / "images.csv"
    )
    for model in ("day-model", "night-model"):
        predicted = fires.with_predictions(folder / f"{model}.json", model)
        velour.evaluate(predicted, "object-detection", store=store)
    calls.names.clear()

    found = velour.compare("day-model", "night-model", by="time_of_day", store=store)

    assert len(found) == 4
    assert 0 < len(calls.names) < 60


class Calls:
    """A module that notes which of its functions are called."""

    def __init__(self, module: Any) -> None:
        self.module, self.names = module, list[str]()

    def __getattr__(self, name: str) -> Any:
        self.names.append(name)
        return getattr(self.module, name)


def test_errors_are_split_by_kind_in_both_runs(store: Store) -> None:
    fires(store)

    found = velour.compare("one", "other", permutations=0, store=store)

    assert by_kind(found) == {
        "localisation": (2, 0),
        "classification": (1, 0),
        "background": (0, 1),
        "missed": (0, 1),
    }
    costs = {row.kind: row.difference for row in found.errors}
    assert costs["localisation"] is not None
    assert costs["localisation"] < 0 < (costs["missed"] or 0)
    changes = [abs(row.difference or 0) for row in found.errors]
    assert changes == sorted(changes, reverse=True)


def test_errors_are_those_that_the_evaluation_shows(store: Store) -> None:
    fires(store)

    found = velour.compare("one", "other", permutations=0, store=store)

    model = next(item for item in store.candidates("fires") if item.model == "one")
    kinds = store.load(model.evaluation_id)["error_kinds"]["kinds"]  # type: ignore[index]
    assert {row.kind: row.first for row in found.errors} == {
        kind: predictions["dAP"] for kind, predictions in kinds.items() if kind in by_kind(found)
    }


def test_errors_are_of_the_selected_datums(store: Store) -> None:
    fires(store)

    found = velour.compare("one", "other", where="uid IN ('0', '1')", permutations=0, store=store)

    assert by_kind(found) == {"localisation": (2, 0), "background": (0, 1)}


def test_errors_print_convert_and_plot(store: Store) -> None:
    fires(store)

    found = velour.compare("one", "other", permutations=0, store=store)

    assert "localisation" in str(found)
    assert "localisation" in found._repr_html_()
    assert list(found.errors.to_frame()["kind"]) == [row.kind for row in found.errors]
    assert found.to_dict()["errors"]["rows"][0]["kind"] == found.errors[0].kind
    first, second = found.errors.plot().data
    assert (first.name, second.name) == ("first", "second")
    assert list(first.y) == [row.first for row in found.errors]


def test_a_ledger_without_overlaps_and_a_task_without_kinds_have_no_errors(store: Store) -> None:
    fires(store, details=False)
    pets(store)

    detection = velour.compare("one", "other", dataset="fires", permutations=0, store=store)
    pictures = velour.compare("one", "other", dataset="pets", permutations=0, store=store)

    for found in (detection, pictures):
        assert not found.errors
        assert found.to_dict()["errors"]["rows"] == []
        assert "errors by kind" not in str(found)


def test_a_metric_of_details_is_compared_too(store: Store) -> None:
    fires(store)

    found = velour.compare("one", "other", metric="oLRP", permutations=5, store=store)

    assert {row.about for row in found} == {"all", "class=fire", "class=smoke"}
    assert found[0].difference is not None
    assert found[0].p is not None
