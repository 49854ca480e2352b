"""Matches of a run: true and false positives and false negatives, one row each."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import velour_plugin as velour
from velour_plugin.answers import Match
from velour_plugin.cli import main
from velour_plugin.errors import InvalidInput, UnknownName

WHOLE = (0.0, 0.0, 10.0, 10.0)
FAR = (50.0, 0.0, 60.0, 10.0)
NEAR = (0.0, 0.0, 10.0, 4.0)
"""0.4 of WHOLE."""


def marked(value: str, corners: tuple[float, ...], score: float | None = None) -> velour.Annotation:
    return velour.Annotation([velour.Label("class", value, score)], velour.BoundingBox(*corners))


TRUTHS = {
    "1": [marked("fire", WHOLE)],
    "2": [marked("smoke", WHOLE)],
    "3": [marked("fire", WHOLE)],
    "4": [marked("fire", WHOLE), marked("fire", FAR)],
    "5": [],
}
PREDICTIONS = {
    "1": [marked("fire", WHOLE, 0.9), marked("fire", WHOLE, 0.8)],
    "2": [marked("fire", WHOLE, 0.7)],
    "3": [marked("fire", NEAR, 0.65)],
    "4": [marked("fire", WHOLE, 0.3)],
    "5": [marked("fire", WHOLE, 0.6)],
}
ROWS = [
    Match("1", "true positive", "", "fire", "fire", 0.9, 1.0, WHOLE, WHOLE),
    Match("1", "false positive", "duplicate", "fire", "fire", 0.8, 1.0, WHOLE, WHOLE),
    Match("2", "false positive", "classification", "smoke", "fire", 0.7, 1.0, WHOLE, WHOLE),
    Match("3", "false positive", "localisation", "fire", "fire", 0.65, 0.4, WHOLE, NEAR),
    Match("5", "false positive", "background", None, "fire", 0.6, None, None, WHOLE),
    Match("2", "false negative", "classification", "smoke", None, None, None, WHOLE, None),
    Match("3", "false negative", "localisation", "fire", None, None, None, WHOLE, None),
    Match("4", "false negative", "low score", "fire", None, None, None, WHOLE, None),
    Match("4", "false negative", "missed", "fire", None, None, None, FAR, None),
]


@pytest.fixture
def evaluation() -> velour.Evaluation:
    datums = {uid: velour.Datum(uid, {"hour": int(uid)}) for uid in TRUTHS}
    truths = [velour.GroundTruth(datums[uid], items) for uid, items in TRUTHS.items()]
    predictions = [velour.Prediction(datums[uid], items) for uid, items in PREDICTIONS.items()]
    dataset = velour.Dataset.from_groundtruths(truths, "fires")
    return velour.evaluate(dataset.with_predictions(predictions, "model"), "object-detection")


def test_everything_is_a_row_with_its_kind(evaluation: velour.Evaluation) -> None:
    """Stored and not: the highest scores first, then missed truths."""
    answer = velour.matches("model")
    assert list(answer) == list(velour.matches(evaluation)) == ROWS
    assert answer.counts == {
        "true positive": {"": 1},
        "false positive": {"background": 1, "classification": 1, "duplicate": 1, "localisation": 1},
        "false negative": {"classification": 1, "localisation": 1, "low score": 1, "missed": 1},
    }
    assert answer.title == (
        "matches of model on fires from IoU 0.5 and score 0.5 on: "
        "1 true positive, 4 false positives, 4 false negatives"
    )


@pytest.mark.parametrize(
    ("chosen", "rows"),
    [
        ({"outcome": "true positive"}, ROWS[:1]),
        ({"outcome": "false negative"}, ROWS[5:]),
        ({"outcome": "localisation"}, [ROWS[3], ROWS[6]]),
        ({"outcome": "both"}, []),
        ({"label": "smoke"}, [ROWS[5]]),  # no prediction is of smoke
        ({"where": "hour = 4"}, ROWS[7:]),
        ({"where": "label.value = 'smoke'"}, [
            Match("2", "false negative", "missed", "smoke", None, None, None, WHOLE, None)
        ]),
        ({"n": 2}, ROWS[:2]),
        ({"n": 2, "outcome": "false negative"}, ROWS[5:7]),
        ({"n": None}, ROWS),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("evaluation")
def test_rows_are_chosen(chosen: dict[str, object], rows: list[Match]) -> None:
    assert list(velour.matches("model", **chosen)) == rows  # type: ignore[arg-type]


def test_other_thresholds_have_other_matches(evaluation: velour.Evaluation) -> None:
    """A lower score is matched again; a lower IoU is none that was matched."""
    lower = velour.matches("model", parameters={"score_threshold": 0.2})
    found = [row for row in lower if row.score == 0.3]
    assert found == [Match("4", "true positive", "", "fire", "fire", 0.3, 1.0, WHOLE, WHOLE)]
    assert "low score" not in lower.counts["false negative"]
    nearer = velour.matches("model", parameters={"iou_threshold": 0.4})
    assert nearer.counts["true positive"] == {"": 2}
    higher = velour.matches(evaluation, parameters={"score_threshold": 0.85})
    assert higher.counts == velour.matches("model", parameters={"score_threshold": 0.85}).counts
    assert higher.counts["false positive"] == {}
    with pytest.raises(InvalidInput, match=r"Evaluate the predictions again"):
        velour.matches(evaluation, parameters={"iou_threshold": 0.4})


def test_what_is_not_listed_is_counted(evaluation: velour.Evaluation) -> None:
    answer = velour.matches(evaluation, 2)
    assert answer.counts == velour.matches(evaluation).counts
    assert answer.notes[-1] == "2 of 9 are listed; n (-n) lists more."
    false = velour.matches(evaluation, 2, outcome="false positive")
    assert false.counts == answer.counts
    assert false.notes[-1] == "2 of 4 are listed; n (-n) lists more."
    assert "2 of 9" not in str(velour.matches(evaluation))


def test_matches_print_and_convert(evaluation: velour.Evaluation) -> None:
    answer = velour.matches(evaluation)
    read = type(answer).from_dict(json.loads(json.dumps(answer.to_dict())))
    assert read == answer
    assert list(answer.to_frame().columns) == list(Match.__slots__)
    assert len(answer.to_frame()) == len(ROWS)
    assert repr(answer).endswith("9 rows>")
    assert "duplicate: the truth is matched by a better detection." in str(answer)
    assert max(map(len, answer.to_text(60).splitlines())) <= 60
    assert "localisation" in answer._repr_html_()
    assert list(answer.plot().data[0].x) == [1] * 9


@pytest.mark.usefixtures("evaluation")
def test_the_command_lists_them() -> None:
    result = CliRunner().invoke(main, ["matches", "model", "--outcome", "duplicate", "--json"])
    assert result.exit_code == 0
    (row,) = json.loads(result.stdout)["rows"]
    assert (row["uid"], row["kind"], row["iou"]) == ("1", "duplicate", 1.0)


def test_nonsense_is_refused(evaluation: velour.Evaluation) -> None:
    with pytest.raises(UnknownName, match=r"outcome 'duplicates': did you mean 'duplicate'"):
        velour.matches("model", outcome="duplicates")
    with pytest.raises(UnknownName, match=r"label 'fires': did you mean 'fire'"):
        velour.matches("model", label="fires")
    with pytest.raises(InvalidInput, match="n 0: expected"):
        velour.matches("model", 0)
    with pytest.raises(InvalidInput, match=r"pass where= to velour\.evaluate, or name a stored"):
        velour.matches(evaluation, where="hour = 1")
    with pytest.raises(UnknownName, match="iou_treshold"):
        velour.matches(evaluation, parameters={"iou_treshold": 0.4})


def test_a_lean_evaluation_is_matched_again_where_asked() -> None:
    datum = velour.Datum("1")
    dataset = velour.Dataset.from_groundtruths([velour.GroundTruth(datum, TRUTHS["1"])], "fires")
    predicted = dataset.with_predictions([velour.Prediction(datum, PREDICTIONS["1"])], "lean")
    velour.evaluate(predicted, "object-detection", parameters={"details": False})
    with pytest.raises(InvalidInput, match=r"parameters=\{'details': True\}"):
        velour.matches("lean")
    assert len(velour.matches("lean", parameters={"details": True})) == 2


def test_nothing_at_all_is_an_empty_list() -> None:
    datum = velour.Datum("1")
    dataset = velour.Dataset.from_groundtruths([velour.GroundTruth(datum, [])], "empty")
    predicted = dataset.with_predictions([velour.Prediction(datum, [])], "none")
    answer = velour.matches(velour.evaluate(predicted, "object-detection", save=False))
    assert len(answer) == 0
    assert "0 true positives, 0 false positives, 0 false negatives" in str(answer)


def test_other_tasks_say_where_to_look() -> None:
    datum = velour.Datum("1")
    truth = velour.GroundTruth(datum, [velour.Annotation([velour.Label("class", "cat")])])
    dataset = velour.Dataset.from_groundtruths([truth], "pets")
    predicted = velour.Prediction(datum, [velour.Annotation([velour.Label("class", "cat", 1.0)])])
    evaluation = velour.evaluate(
        dataset.with_predictions([predicted], "m"), "image-classification", save=False
    )
    with pytest.raises(InvalidInput, match=r"confusion_matrix"):
        velour.matches(evaluation)
