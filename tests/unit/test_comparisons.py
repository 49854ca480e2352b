"""Two runs side by side: tests that are exact, errors by kind, what is refused; all by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from velour_evaluators.kernels.native import library

import velour_plugin as velour
from tests.classification_data import dataset_of
from tests.scenes import ELSEWHERE, FOUND, TEN_BY_TEN, TRUE, annotation, scene
from velour_plugin.cli import main
from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.ranking.comparing.comparison import Comparison
from velour_plugin.ranking.comparing.paired_difference import SharesDifference, interval_of
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
    test, power = found.notes
    assert test == "p of accuracy is by McNemar's mid-p test."
    assert power.startswith("Power: a true difference of 0.41 is found in 80% of such comparisons")


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

    assert [(row.p, row.interval) for row in found] == [(None, None)] * 3
    assert not found.notes


def test_other_metrics_are_compared_by_permutation(store: Store) -> None:
    pets(store)

    found = velour.compare("one", "other", metric="f1_macro", permutations=99, store=store)

    assert found[0].p is not None
    assert round(found[0].p * 100) == pytest.approx(found[0].p * 100)  # so many of 100 drawn
    assert [row.metric for row in found] == ["f1_macro", "f1", "f1"]
    assert [note.partition(":")[0] for note in found.notes] == ["Power"]


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


# Margins and power


def test_a_candidate_is_shown_to_be_no_worse_than_by_a_margin(store: Store) -> None:
    """One of 20 is right for the second only, two for the first only: 0.05 behind."""
    wrong = {"one": ("03",), "other": ("11", "12")}
    for model, uids in wrong.items():
        said = {uid: WRONG[truth] if uid in uids else truth for uid, truth in TRUTHS.items()}
        judge(store, dataset_of(TRUTHS, said), model)

    found = velour.compare(
        "one", "other", metric="accuracy", no_worse=0.4, min_lead=0.0, store=store
    )

    no_worse, lead = found.margins
    paired = SharesDifference(2, 1, 20)
    assert (no_worse.about, no_worse.margin, no_worse.is_shown) == ("no_worse", 0.4, True)
    assert no_worse.p == pytest.approx(paired.p_above(-0.4))
    assert no_worse.bound == pytest.approx(paired.low(0.95))
    assert (lead.about, lead.margin, lead.is_shown) == ("min_lead", 0.0, False)
    assert found[0].interval == pytest.approx(interval_of(paired, 0.95))
    assert "is shown to be no worse than by 0.4: the difference is at least -0.2" in str(found)
    assert "is not shown to be better by more than 0: the difference is at least -0.2" in str(found)
    assert "one of 0.4 would need about" in str(found)
    assert Comparison.from_dict(found.to_dict()) == found


def test_of_a_loss_the_lower_value_is_the_better_one(store: Store) -> None:
    """The second model is surer of what is right, so that its loss is smaller."""
    for model, sure in (("one", 0.6), ("other", 0.9)):
        predictions = {
            uid: {truth: sure - int(uid) / 200, WRONG[truth]: 1 - sure + int(uid) / 200}
            for uid, truth in TRUTHS.items()
        }
        judge(store, dataset_of(TRUTHS, predictions), model)

    forth = velour.compare("one", "other", metric="log_loss", min_lead=0.1, store=store)
    back = velour.compare("other", "one", metric="log_loss", no_worse=0.1, store=store)

    assert forth.margins[0].is_shown
    assert "the difference is at most -0." in str(forth)
    assert (forth.margins[0].bound or 0) < 0
    assert not back.margins[0].is_shown


@pytest.mark.parametrize("margin", [-0.1, float("nan"), float("inf"), "0.1", True])
def test_a_margin_that_is_none_is_refused(margin: Any) -> None:
    with pytest.raises(InvalidInput, match=r"no_worse .*expected a number >= 0"):
        velour.CompareQuery(baseline="one", candidate="other", no_worse=margin)


def test_a_margin_beyond_the_metric_is_refused(store: Store) -> None:
    pets(store)

    with pytest.raises(InvalidInput, match="values of accuracy differ by 1 at most"):
        velour.compare("one", "other", metric="accuracy", min_lead=2, store=store)


@pytest.mark.parametrize("margin", ["-1", "nan"])
def test_the_command_refuses_such_a_margin_without_a_traceback(
    store: Store, sqlite_url: str, margin: str
) -> None:
    pets(store)

    words = ["compare", "one", "other", "--no-worse", margin, "--store", sqlite_url]
    result = CliRunner().invoke(main, words, prog_name="velour")

    assert result.exit_code == 2
    assert "expected a number >= 0 in the units of the metric, such as 0.02" in result.stderr


def test_whole_groups_are_exchanged_and_left_out(store: Store) -> None:
    """Ten pairs of images: McNemar's test and Tango's interval, of datums alone, yield."""
    pets(store)
    paired = velour.Dataset.from_groundtruths(
        [
            velour.GroundTruth(velour.Datum(uid, {"pair": str(int(uid) // 2)}), [labelled(name)])
            for uid, name in TRUTHS.items()
        ],
        "pairs",
    )
    for model, errs in (("one", range(2)), ("other", range(11, 20))):
        said = [
            velour.Prediction(datum, [labelled(WRONG[TRUTHS[datum.uid]])])
            if int(datum.uid) in errs
            else velour.Prediction(datum, [labelled(TRUTHS[datum.uid])])
            for datum in paired.datums
        ]
        velour.evaluate(paired.with_predictions(said, model), "image-classification", store=store)

    alone = velour.compare("one", "other", metric="accuracy", dataset="pets", store=store)
    by_pair = velour.compare(
        "one", "other", metric="accuracy", dataset="pairs", groups="pair", store=store
    )

    assert alone.permutations == 0
    assert by_pair.permutations == 2**9 - 1  # all that there are
    assert by_pair[0].p is not None
    assert round(by_pair[0].p * 512) == pytest.approx(by_pair[0].p * 512)
    assert by_pair[0].interval != alone[0].interval
    assert "groups." in by_pair.notes[-1]  # would be needed for a small difference


def labelled(name: str) -> velour.Annotation:
    """A class of a whole image."""
    return velour.Annotation([velour.Label("class", name)])


def test_margins_of_four_datums_are_not_shown(store: Store) -> None:
    pets(store)

    found = velour.compare(
        "one", "other", metric="f1_macro", where="uid < '04'", no_worse=0.9, store=store
    )

    assert (found.margins[0].p, found.margins[0].is_shown) == (None, False)
    assert "too few datums decide the difference" in str(found)
    assert found.detectable is None


# How many permutations


def test_permutations_end_where_p_is_clear(store: Store) -> None:
    """Equal models differ by as much in many of the first permutations; others in few of all."""
    pets(store)
    far = {uid: WRONG[truth] if int(uid) > 4 else truth for uid, truth in TRUTHS.items()}
    judge(store, dataset_of(TRUTHS, far), "far")

    near = velour.compare("one", "one", metric="f1_macro", permutations=3000, store=store)
    clear = velour.compare("one", "far", metric="f1_macro", permutations=3000, store=store)

    assert (near.permutations, near[0].p) == (200, 1.0)
    assert clear.permutations == 3000
    assert clear[0].p is not None
    assert clear[0].p < 0.005
    assert "3,000 permutations" in str(clear)
