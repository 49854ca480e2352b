"""Thresholds of scores: countable by hand, equal to scikit-learn, honest about the choice."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import precision_recall_curve

import velour_plugin as velour
from velour_plugin.answers import OperatingPoint
from velour_plugin.cli import main
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.ranking.operating.operating_points import (
    ChosenThreshold,
    ScoredDecisions,
    choose,
)

BOX = velour.BoundingBox(0, 0, 10, 10)
FAR = velour.BoundingBox(50, 0, 60, 10)


def decisions(scores: list[float], right: list[int], truths: list[int]) -> ScoredDecisions:
    """One decision a datum, the datums without one at the end."""
    order = np.argsort(-np.array(scores), kind="stable")
    flags = np.array(right, bool)[order]
    return ScoredDecisions(order, np.array(scores)[order], flags, np.array(truths))


def chosen(*args: Any) -> ChosenThreshold:
    choice = choose(*args)
    assert isinstance(choice, ChosenThreshold)
    return choice


def twenty() -> ScoredDecisions:
    """Right down to a score of 0.6, wrong below, but for a right one at the end."""
    right = [1] * 15 + [0, 0, 0, 0, 1]
    return decisions([1 - at / 100 for at in range(20)], right, right)


@pytest.mark.parametrize(
    ("goal", "threshold", "decided", "measured"),
    [
        (("precision", 1.0), 0.86, 15, 1.0),
        (("precision", 0.9), 0.85, 16, 15 / 16),
        (("precision", 0.8), 0.81, 20, 0.8),  # lower than 0.82, where it is 15 of 19
        (("recall", 0.9), 0.86, 15, 15 / 16),
        (("recall", 1.0), 0.81, 20, 1.0),
        (("recall", 0.1), 0.91, 10, 10 / 16),  # ten decisions are the least
        (("f1", None), 0.86, 15, 30 / 31),
    ],
)
def test_the_threshold_can_be_counted(
    goal: Any, threshold: float, decided: int, measured: float
) -> None:
    choice = chosen(twenty(), goal, 0.95, 0)
    assert choice.threshold == pytest.approx(threshold)
    assert (choice.decided, choice.measured) == (decided, measured)


@pytest.mark.parametrize(
    ("given", "goal", "reason"),
    [
        (decisions([0.9] * 9, [1] * 9, [1] * 9), ("f1", None), "too few: 9 of it in the data"),
        (decisions([0.9] * 9, [1] * 9, [1] * 20), ("f1", None), "of 10 predictions or more the"),
        (decisions([0.9] * 20, [1, 0] * 10, [1, 0] * 10), ("precision", 0.6), "the best has 0.5"),
        (decisions([0.9] * 20, [0] * 20, [1] * 20), ("f1", None), "the best has 0"),
        (decisions([], [], [1] * 20), ("precision", 0.1), "never reached"),
        (decisions([], [], [0] * 20), ("recall", 0.1), "too few: 0 of it in the data"),
    ],
)
def test_no_threshold_has_a_reason(given: ScoredDecisions, goal: Any, reason: str) -> None:
    choice = choose(given, goal, 0.95, 0)
    assert isinstance(choice, str)
    assert reason in choice


def test_equal_scores_are_decided_together() -> None:
    """Eleven decisions at 0.5, five of them wrong: without them the precision is 1."""
    scores, right = [0.9] * 10 + [0.5] * 11, [1] * 10 + [0, 1] * 5 + [1]
    choice = chosen(decisions(scores, right, right), ("precision", 0.9), 0.95, 0)
    assert (choice.threshold, choice.decided) == (0.9, 10)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("digits", [1, 6])
def test_thresholds_are_on_the_curve_of_scikit_learn(seed: int, digits: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.random(200) < 0.4
    score = random.normal(truth * 1.5).round(digits)
    precision, recall, threshold = precision_recall_curve(truth, score)
    precision, recall = precision[:-1], recall[:-1]
    made = np.array([(score >= at).sum() for at in threshold])
    own = decisions(score.tolist(), truth.tolist(), truth.tolist())

    enough = (precision >= 0.8) & (made >= 10)
    if enough.any():
        assert chosen(own, ("precision", 0.8), 0.95, 0).threshold == threshold[enough].min()
    assert chosen(own, ("recall", 0.7), 0.95, 0).threshold == threshold[recall >= 0.7].max()
    f1 = np.where(made >= 10, 2 * precision * recall / np.maximum(precision + recall, 1e-9), 0)
    assert chosen(own, ("f1", None), 0.95, 0).measured == pytest.approx(f1.max())


def test_the_choice_is_judged_on_datums_that_did_not_make_it() -> None:
    """Scores say nothing: the best of many looks good, and is not; the interval knows."""
    over, covered, cases = [], 0, 0
    for seed in range(150):
        random = np.random.default_rng(seed)
        right = (random.random(100) < 0.5).astype(int).tolist()
        choice = choose(
            decisions(random.random(100).tolist(), right, right), ("precision", 0.6), 0.95, 0
        )
        if isinstance(choice, ChosenThreshold):
            cases += 1
            low, high = choice.intervals["precision"]
            covered += low <= 0.5 <= high
            over.append((choice.measured - 0.5, choice.values["precision"] - 0.5))
    measured, fitted = np.mean(over, axis=0)
    assert cases > 50
    assert measured > 0.1
    assert abs(fitted) < measured / 2
    assert covered / cases >= 0.9


def test_intervals_of_precision_cover_the_truth() -> None:
    """Scores are normal, 30 % are of the class: precision is a ratio of two tails."""
    from statistics import NormalDist

    below = NormalDist().cdf
    covered = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        truth = random.random(300) < 0.3
        score = random.normal(truth * 2.0)
        given = decisions(score.tolist(), truth.tolist(), truth.tolist())
        choice = chosen(given, ("precision", 0.8), 0.95, 0)
        hits, others = 0.3 * below(2 - choice.threshold), 0.7 * below(-choice.threshold)
        low, high = choice.intervals["precision"]
        covered += low <= hits / (hits + others) <= high
    assert covered >= 186  # 0.93


def test_copies_of_a_unit_tell_nothing_new() -> None:
    """Each datum ten times, as frames of a video: the interval is as wide as with one of each."""
    random = np.random.default_rng(0)
    truth = random.random(300) < 0.5
    score = random.normal(truth * 2.0)
    order = np.argsort(-score)
    once = ScoredDecisions(order, score[order], truth[order], truth.astype(np.int64))
    many = np.repeat(order, 10)
    often = ScoredDecisions(many, score[many], truth[many], truth * np.int64(10))
    few, more = (chosen(given, ("f1", None), 0.95, 0) for given in (once, often))
    assert more.threshold == few.threshold
    for metric, (low, high) in few.intervals.items():
        assert more.intervals[metric] == pytest.approx((low, high), abs=0.01)


def detected(count: int = 40) -> velour.Dataset:
    """A fire an image, found from image 10 on with rising scores; below them, false ones."""
    truths, predictions = [], []
    for number in range(count):
        datum = velour.Datum(str(number), {"night": number % 2 == 1, "block": number // 4})
        truths.append(velour.GroundTruth(datum, [_marked("fire", BOX)]))
        found = [_marked("fire", BOX if number >= 10 else FAR, (number + 1) / 50)]
        predictions.append(velour.Prediction(datum, found))
    crowd = velour.Annotation([velour.Label("class", "smoke")], FAR, is_crowd=True)
    truths[0] = velour.GroundTruth(truths[0].datum, [_marked("fire", BOX), crowd])
    dataset = velour.Dataset.from_groundtruths(truths, "fires")
    return dataset.with_predictions(predictions, "model")


def _marked(
    value: str, region: velour.BoundingBox, score: float | None = None
) -> velour.Annotation:
    return velour.Annotation([velour.Label("class", value, score)], region)


def test_a_detector_is_believed_from_a_score_on() -> None:
    velour.evaluate(detected(), "object-detection")
    answer = velour.threshold("model", precision=0.9)
    row = answer[0]
    assert answer.title == (
        "thresholds of model on fires for a precision of 0.9 at IoU 0.5, 40 datums"
    )
    assert (row.label, row.threshold, row.support, row.decided) == ("fire", 0.16, 40, 33)
    assert row.measured == 30 / 33
    assert answer.by_label == {"fire": 0.16}
    assert [row.label for row in answer] == ["fire"]  # a crowd is nothing to find
    assert velour.Thresholds.from_dict(json.loads(json.dumps(answer.to_dict()))) == answer
    assert answer.to_frame()["threshold"].tolist() == [0.16]
    assert answer.plot().data[0].x == (row.precision,)
    assert "fire from 0.16" in answer.plot().layout.yaxis.ticktext
    assert "<table" in answer._repr_html_()
    assert "measured: the precision" in str(answer)


def test_filters_labels_and_parameters_hold() -> None:
    velour.evaluate(detected(), "object-detection")
    night = velour.threshold("model", f1=True, where="night = true")
    assert night[0].support == 20
    assert velour.threshold("model", recall=0.5, label="fire")[0].measured == 0.5
    strict = velour.threshold("model", f1=True, parameters={"iou_threshold": 0.95})
    assert "IoU 0.95" in strict.title
    with pytest.raises(UnknownName, match="did you mean 'fire'"):
        velour.threshold("model", f1=True, label="fires")
    few = velour.threshold("model", f1=True, where="uid IN ('1', '2', '3', '4')")
    assert [row.reason for row in few] == ["too few: 4 independent datums, 5 are needed"]


def test_groups_are_judged_apart_and_count_once() -> None:
    velour.evaluate(detected(), "object-detection")
    alone, grouped = (
        velour.threshold("model", precision=0.7, groups=name) for name in ("none", "block")
    )
    assert (grouped.groups, grouped.group_count) == (("block",), 10)
    assert (grouped[0].threshold, grouped[0].measured) == (alone[0].threshold, alone[0].measured)
    (low, high), (lower, higher) = (
        answer[0].precision_interval or (0, 0) for answer in (alone, grouped)
    )
    assert higher - lower > high - low
    assert any("Datums of one block stay together" in note for note in grouped.notes)
    two = velour.threshold("model", f1=True, groups="night")
    assert two[0].reason == "too few: 2 independent datums, 5 are needed"


def test_a_class_out_of_reach_says_so() -> None:
    velour.evaluate(detected(), "object-detection")
    answer = velour.threshold("model", recall=0.9)
    assert answer[0] == OperatingPoint(
        "fire", support=40, reason="never reached: of 10 predictions or more the best has 0.75"
    )
    assert answer.by_label == {}
    assert answer.footnotes == ()
    assert "never reached" in str(answer)
    assert answer.plot().data[0].x == (None,)


def classified(multi_label: bool = False) -> velour.Dataset:
    random = np.random.default_rng(3)
    truths, predictions = [], []
    for number in range(120):
        datum = velour.Datum(str(number))
        true = ["cat", "dog", "owl"][number % 3]
        scores = random.dirichlet(np.where(np.arange(3) == number % 3, 3.0, 1.0))
        labels = [velour.Label("class", true)]
        truths.append(velour.GroundTruth(datum, [velour.Annotation(labels)]))
        named = zip(["cat", "dog", "owl"], scores.tolist(), strict=True)
        scored = [velour.Label("class", value, score) for value, score in named]
        predictions.append(velour.Prediction(datum, [velour.Annotation(scored)]))
    dataset = velour.Dataset.from_groundtruths(truths, "pets")
    return dataset.with_predictions(predictions, "model")


@pytest.mark.parametrize("multi_label", [False, True])
def test_classes_are_decided_against_the_rest(multi_label: bool) -> None:
    dataset = classified()
    velour.evaluate(dataset, "image-classification", parameters={"multi_label": multi_label})
    answer = velour.threshold("model", precision=0.7)
    assert [row.label for row in answer] == ["cat", "dog", "owl"]
    table = dataset.predictions
    assert table is not None
    for index, row in enumerate(answer):
        of_label = table.label == index
        score = table.score[of_label]
        uids = np.array([int(uid) for uid in dataset.uids])[table.datum[of_label]]
        true = uids % 3 == ["cat", "dog", "owl"].index(row.label)
        precision, _, threshold = precision_recall_curve(true, score)
        assert row.threshold == threshold[precision[:-1] >= 0.7].min()
        assert row.decided == (score >= row.threshold).sum()
        assert row.support == 40


def test_labels_without_scores_have_no_threshold() -> None:
    truths = [
        velour.GroundTruth(
            velour.Datum(str(number)), [velour.Annotation([velour.Label("class", "cat")])]
        )
        for number in range(12)
    ]
    predictions = [velour.Prediction(item.datum, item.annotations) for item in truths]
    dataset = velour.Dataset.from_groundtruths(truths, "pets")
    velour.evaluate(dataset.with_predictions(predictions, "model"), "image-classification")
    with pytest.raises(InvalidInput, match="have no scores"):
        velour.threshold("model", f1=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "a threshold is chosen for one of them"),
        (["--precision", "0.9", "--f1"], "a threshold is chosen for one of them"),
        (["--precision", "1.5"], "precision must be in (0, 1]"),
        (["--recall", "0"], "recall must be in (0, 1]"),
        (["--f1", "--parameters", '{"iou": 1}'], "unknown parameter"),
    ],
)
def test_the_command_refuses_nonsense(options: list[str], message: str) -> None:
    velour.evaluate(detected(), "object-detection")
    result = CliRunner().invoke(main, ["threshold", "model", *options])
    assert result.exit_code == 2
    assert message in result.output


def test_the_command_prints_the_answer() -> None:
    velour.evaluate(detected(), "object-detection")
    printed = CliRunner().invoke(main, ["threshold", "model", "--precision", "0.9", "--json"])
    answer = velour.Thresholds.from_dict(json.loads(printed.output))
    assert answer == velour.threshold("model", precision=0.9)
