"""``velour.evaluate``: filters, label maps and label keys, stored once, refused clearly."""

from __future__ import annotations

from typing import Any

import pytest
from velour_evaluators.detection.evaluator import ObjectDetection

import velour_plugin as velour
from tests.scenes import ELSEWHERE, FOUND, ITS_LEFT_HALF, TEN_BY_TEN, TRUE, annotation, scene
from velour_plugin.errors import BadDataset, BadFilter, InvalidInput, UnknownName

TASK = "object-detection"


def pairs(**images: tuple[Any, Any]) -> velour.Dataset:
    """Images by their uid: what is there, what was detected; those that end in 1 are at night."""
    datums = {uid: velour.Datum(uid, {"night": uid.endswith("1")}) for uid in images}
    truths = [velour.GroundTruth(datums[uid], image[0]) for uid, image in images.items()]
    predictions = [velour.Prediction(datums[uid], image[1]) for uid, image in images.items()]
    return velour.Dataset.from_groundtruths(truths, "fires").with_predictions(predictions, "yolo")


HALF = pairs(image_1=([TRUE], [FOUND]), image_2=([TRUE], []))
"""One fire at night, which was found, and one by day, which was not."""


def test_a_filter_evaluates_only_its_datums() -> None:
    """One of two fires was found; at night, one of one."""
    assert velour.evaluate(HALF, TASK, save=False)["mAR_100"] == 0.5
    assert velour.evaluate(HALF, TASK, where="night = TRUE", save=False)["mAR_100"] == 1.0
    assert velour.evaluate(HALF, TASK, where="NOT night", save=False)["mAR_100"] == 0.0


def test_a_filter_is_in_the_certificate_in_one_spelling() -> None:
    text = velour.evaluate(HALF, TASK, where="night = TRUE AND uid <> 'x'", save=False)
    tree = {"op": "and", "args": [
        {"op": "<>", "args": [{"property": "uid"}, "x"]}, {"property": "metadata.night"},
    ]}  # fmt: skip
    assert text.certificate == velour.evaluate(HALF, TASK, where=tree, save=False).certificate
    assert text.id == velour.evaluate(HALF, TASK, where=tree, save=False).id
    assert text.id != velour.evaluate(HALF, TASK, save=False).id
    assert velour.evaluate(HALF, TASK, save=False).certificate.filter is None


def test_a_filter_that_selects_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"selects none of the .*'fires'.*nothing to evaluate"):
        velour.evaluate(HALF, TASK, where="uid = 'nowhere'", save=False)


def test_a_filter_that_has_no_meaning_is_refused() -> None:
    with pytest.raises(BadFilter, match="does not parse"):
        velour.evaluate(HALF, TASK, where="night =", save=False)
    with pytest.raises(UnknownName, match="property 'nihgt': did you mean 'night'"):
        velour.evaluate(HALF, TASK, where="nihgt = TRUE", save=False)


def test_without_predictions_there_is_nothing_to_judge() -> None:
    truth = velour.Dataset.from_groundtruths([velour.GroundTruth(velour.Datum("1"))], "fires")
    with pytest.raises(BadDataset, match=r"'fires' has no predictions .*with_predictions\("):
        velour.evaluate(truth, TASK, save=False)


def test_a_name_alone_is_refused_with_the_way_to_its_predictions() -> None:
    way = (
        r"'fires': a name .*load_dataset\('fires'\)\.with_predictions\(predictions, model='name'\)"
    )
    with pytest.raises(BadDataset, match=way):
        velour.evaluate("fires", TASK, save=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "dataset", [None, 7, list(HALF.groundtruths), {"fires": HALF}, HALF.truth, b"fires"]
)
def test_what_is_no_dataset_is_refused(dataset: Any) -> None:
    with pytest.raises(BadDataset, match=r"^dataset .*: expected a velour\.Dataset with"):
        velour.evaluate(dataset, TASK, save=False)


@pytest.mark.parametrize("task", [None, 7, ["object-detection"], {}])
def test_what_is_no_task_is_refused(task: Any) -> None:
    with pytest.raises(UnknownName, match=r"unknown task .*known are: .*object-detection"):
        velour.evaluate(HALF, task, save=False)


@pytest.mark.parametrize("parameters", [7, "details", ["details"], [("details", False)]])
def test_parameters_that_are_no_mapping_are_refused(parameters: Any) -> None:
    with pytest.raises(InvalidInput, match=r"parameters .*: expected names and values"):
        velour.evaluate(HALF, TASK, parameters=parameters, save=False)


@pytest.mark.parametrize("where", [7, ["night"], object(), b"night", 1.5, True])
def test_what_is_no_filter_is_refused(where: Any) -> None:
    with pytest.raises(BadFilter):
        velour.evaluate(HALF, TASK, where=where, save=False)


@pytest.mark.parametrize("n_jobs", [0, 2.5, "all", [2]])
def test_what_is_no_number_of_workers_is_refused(n_jobs: Any) -> None:
    with pytest.raises(InvalidInput, match=r"n_jobs .*: expected a number of workers"):
        velour.evaluate(HALF, TASK, n_jobs=n_jobs, save=False)


@pytest.mark.parametrize("run", ["night-model", 7, {"run_id": "7"}])
def test_what_is_no_run_is_refused(run: Any) -> None:
    with pytest.raises(InvalidInput, match=r"run .*: expected velour\.EvaluatedRun\("):
        velour.evaluate(HALF, TASK, run=run, save=False)


def test_all_but_dataset_and_task_is_named() -> None:
    with pytest.raises(TypeError, match="positional"):
        velour.evaluate(HALF, TASK, {})  # type: ignore[misc]


def test_predictions_of_nothing_are_evaluated() -> None:
    answer = velour.evaluate(scene(([TRUE], [])), TASK, save=False)
    assert answer["mAP"] == 0.0
    assert velour.evaluate(scene(([], [])), TASK, save=False)["mAP"] is None


def test_an_unknown_task_or_parameter_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="task 'object_detection': did you mean 'object-detec"):
        velour.evaluate(HALF, "object_detection", save=False)
    with pytest.raises(UnknownName, match="'iou_treshold': did you mean 'iou_threshold"):
        velour.evaluate(HALF, TASK, parameters={"iou_treshold": 0.5}, save=False)
    with pytest.raises(UnknownName, match="'label_mp': did you mean 'label_map'"):
        velour.evaluate(HALF, TASK, parameters={"label_mp": {}}, save=False)


# Label maps

CARS = scene(
    (
        [annotation(TEN_BY_TEN, "car"), annotation(ELSEWHERE, "truck")],
        [annotation(TEN_BY_TEN, "truck", 0.9), annotation(ELSEWHERE, "car", 0.8)],
    )
)
"""A car and a truck, each taken for the other."""


def recalls(answer: velour.Evaluation) -> dict[str, float | None]:
    """Recall of each label that is judged."""
    return {
        f"{metric.label.key}:{metric.label.value}": metric.value
        for metric in answer.metrics
        if metric.name == "AR_100" and metric.label is not None
    }


def test_labels_that_are_not_mapped_stay_apart() -> None:
    assert recalls(velour.evaluate(CARS, TASK, save=False)) == {
        "class:car": 0.0,
        "class:truck": 0.0,
    }


@pytest.mark.parametrize(
    "label_map",
    [
        {"car": "vehicle", "truck": "vehicle"},
        {("class", "car"): ("class", "vehicle"), ("class", "truck"): ("class", "vehicle")},
        {("class", "car"): ("class", "vehicle"), "truck": "vehicle"},
    ],
)
def test_a_map_merges_labels_before_matching(label_map: Any) -> None:
    answer = velour.evaluate(CARS, TASK, parameters={"label_map": label_map}, save=False)
    assert recalls(answer) == {"class:vehicle": 1.0}


def test_a_map_may_merge_into_a_label_that_is_there() -> None:
    answer = velour.evaluate(CARS, TASK, parameters={"label_map": {"truck": "car"}}, save=False)
    assert recalls(answer) == {"class:car": 1.0}


def test_a_map_is_one_step() -> None:
    """Car becomes truck while truck becomes car."""
    answer = velour.evaluate(
        CARS, TASK, parameters={"label_map": {"car": "truck", "truck": "car"}}, save=False
    )
    assert recalls(answer) == {"class:car": 0.0, "class:truck": 0.0}


def test_a_pair_may_lead_to_another_key() -> None:
    moved = {("class", "car"): ("kind", "car"), ("class", "truck"): ("kind", "car")}
    assert recalls(velour.evaluate(CARS, TASK, parameters={"label_map": moved}, save=False)) == {
        "kind:car": 1.0
    }


def test_a_value_is_mapped_under_every_key_that_has_it() -> None:
    """Blue the color and blue the mood."""
    both = [annotation(TEN_BY_TEN, "color:blue"), annotation(ELSEWHERE, "mood:blue")]
    predictions = [
        annotation(TEN_BY_TEN, "color:azure", 0.9),
        annotation(ELSEWHERE, "mood:azure", 0.9),
    ]
    answer = velour.evaluate(
        scene((both, predictions)), TASK, parameters={"label_map": {"blue": "azure"}}, save=False
    )
    assert recalls(answer) == {"color:azure": 1.0, "mood:azure": 1.0}


def test_labels_of_one_annotation_that_become_one_keep_the_highest_score() -> None:
    """Two labels on one box would be two detections, one of them false."""
    sure, unsure = velour.Label("class", "car", 0.9), velour.Label("class", "truck", 0.3)
    predictions = velour.Annotation([unsure, sure], TEN_BY_TEN)
    data = scene(([annotation(TEN_BY_TEN, "car")], [predictions]))
    parameters = {"label_map": {"truck": "car"}, "score_threshold": 0.5}
    answer = velour.evaluate(data, TASK, parameters=parameters, save=False)
    found = {m.name: m.value for m in answer.metrics if m.name in ("precision", "recall")}
    assert found == {"precision": 1.0, "recall": 1.0}


def test_a_map_is_in_the_certificate_whatever_a_model_predicted() -> None:
    """Two models judged under one map are comparable, though one never says truck."""
    truth = [annotation(TEN_BY_TEN, "kind:car")]
    one, other = (
        scene((truth, [annotation(TEN_BY_TEN, predictions, 0.9)]))
        for predictions in ("kind:car", "kind:truck")
    )
    parameters = {"label_map": {"truck": "car", "van": "car"}}
    certificates = [
        velour.evaluate(data, TASK, parameters=parameters, save=False).certificate
        for data in (one, other)
    ]
    assert certificates[0].label_map == certificates[1].label_map
    assert certificates[0].differences(certificates[1]) == {}


def test_the_order_of_a_map_does_not_matter_and_an_empty_one_is_none() -> None:
    ids = {
        velour.evaluate(CARS, TASK, parameters={"label_map": label_map}, save=False).id
        for label_map in ({"car": "x", "truck": "y"}, {"truck": "y", "car": "x"})
    }
    assert len(ids) == 1
    plain = velour.evaluate(CARS, TASK, save=False)
    assert velour.evaluate(CARS, TASK, parameters={"label_map": {}}, save=False).id == plain.id
    assert velour.evaluate(CARS, TASK, parameters={"label_map": None}, save=False).id == plain.id


@pytest.mark.parametrize(
    "label_map",
    [
        {"car": ("class", "vehicle")},
        {("class", "car"): "vehicle"},
        {("class",): ("class", "vehicle")},
        {"car": None},
        {("class", "car"): ("class", "")},
        {"car": ""},
        [("car", "vehicle")],
        "car",
    ],
)
def test_a_map_of_another_form_is_refused(label_map: Any) -> None:
    with pytest.raises(InvalidInput, match=r"label_map .*map a value to a value"):
        velour.evaluate(CARS, TASK, parameters={"label_map": label_map}, save=False)


# Label keys

TWO_KEYS = scene(
    (
        [annotation(TEN_BY_TEN, "fire"), annotation(ELSEWHERE, "color:red")],
        [annotation(TEN_BY_TEN, "fire", 0.9), annotation(ITS_LEFT_HALF, "color:red", 0.9)],
    )
)


def test_keys_that_are_not_asked_for_are_left_out() -> None:
    assert set(recalls(velour.evaluate(TWO_KEYS, TASK, save=False))) == {"class:fire", "color:red"}
    one = velour.evaluate(TWO_KEYS, TASK, parameters={"label_keys": ["class"]}, save=False)
    assert recalls(one) == {"class:fire": 1.0}
    assert one["mAP"] == pytest.approx(1.0)
    other = velour.evaluate(TWO_KEYS, TASK, parameters={"label_keys": ["color"]}, save=False)
    assert other["mAP"] == 0.0
    assert one.certificate.parameters["label_keys"] == ["class"]


def test_keys_are_a_set() -> None:
    ids = {
        velour.evaluate(TWO_KEYS, TASK, parameters={"label_keys": keys}, save=False).id
        for keys in (["class", "color"], ("color", "class"), {"class", "color"},
                     ["color", "class", "color"])
    }  # fmt: skip
    assert len(ids) == 1
    single = [
        velour.evaluate(TWO_KEYS, TASK, parameters={"label_keys": key}, save=False).id
        for key in ("class", ["class"])
    ]
    assert single[0] == single[1]


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="label key 'colour': did you mean 'color'"):
        velour.evaluate(TWO_KEYS, TASK, parameters={"label_keys": ["class", "colour"]}, save=False)


@pytest.mark.parametrize("keys", [[], 7, [7]])
def test_keys_are_names_and_at_least_one(keys: Any) -> None:
    with pytest.raises(InvalidInput, match="label"):
        velour.evaluate(TWO_KEYS, TASK, parameters={"label_keys": keys}, save=False)


def test_a_key_that_a_map_makes_can_be_asked_for() -> None:
    parameters = {"label_map": {("class", "fire"): ("kind", "fire")}, "label_keys": ["kind"]}
    assert recalls(velour.evaluate(TWO_KEYS, TASK, parameters=parameters, save=False)) == {
        "kind:fire": 1.0
    }


# The store


def test_the_same_evaluation_is_not_computed_twice(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    matched: list[str] = []
    match = ObjectDetection.match

    def counted(self: ObjectDetection, dataset: velour.Dataset, *args: Any) -> Any:
        matched.append(dataset.name)
        return match(self, dataset, *args)

    monkeypatch.setattr(ObjectDetection, "match", counted)
    with velour.open_store(sqlite_url) as store:
        first = velour.evaluate(HALF, TASK, store=store)
        again = velour.evaluate(HALF, TASK, store=store)
        assert (len(matched), again.id) == (1, first.id)
        assert again.measured == first.measured
        velour.evaluate(HALF, TASK, parameters={"score_threshold": 0.5}, store=store)
        assert len(matched) == 1, "0.5 is the default"
        velour.evaluate(HALF, TASK, parameters={"score_threshold": 0.4}, store=store)
        velour.evaluate(HALF, TASK, where="night", store=store)
        velour.evaluate(CARS, TASK, store=store)
        assert len(matched) == 4


def test_an_evaluation_without_a_store_is_kept_nowhere(tmp_path: Any) -> None:
    velour.evaluate(HALF, TASK, save=False)
    assert list(tmp_path.iterdir()) == []


# Details are computed when they are looked at


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A word for each time that details are computed."""
    kind, seen = ObjectDetection, []
    details = kind.details

    def counted(self: object, *arguments: object) -> object:
        seen.append("details")
        return details(self, *arguments)

    monkeypatch.setattr(kind, "details", counted)
    return seen


def test_details_wait_until_somebody_looks(computed: list[str]) -> None:
    evaluation = velour.evaluate(scene(([TRUE], [FOUND])), "object-detection", save=False)
    assert evaluation["mAP_50"] == pytest.approx(1)
    assert evaluation.value("AP_50", label="fire") == pytest.approx(1)
    assert len(dict(evaluation)) == 12
    assert "mAP" in repr(evaluation)
    assert computed == []
    assert evaluation.value("precision_recall_curve", label="fire")
    assert evaluation["oLRP"] is not None
    names = [metric.name for metric in evaluation.metrics]
    assert len(names) == len(evaluation.metrics)
    assert {"mAP", "AP", "precision_recall_curve", "oLRP"} <= {*names}
    assert computed == ["details"]


def test_metrics_are_those_measured_and_then_the_details(computed: list[str]) -> None:
    evaluation = velour.evaluate(scene(([TRUE], [FOUND])), "object-detection", save=False)
    evaluator, ledger = ObjectDetection(), evaluation.ledger
    assert evaluation.metrics[0].name == "mAP"
    assert computed == []
    assert evaluation.metrics == evaluator.measure(ledger) + evaluator.details(ledger)
    assert evaluation.metrics[-1] == list(evaluation.metrics)[-1]
    assert evaluation.metrics[:2] == tuple(evaluator.measure(ledger)[:2])
    assert evaluation.metrics != evaluator.measure(ledger)
