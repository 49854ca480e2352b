"""What a run gets beside its headline: numbers by label and slice, curves, tables, report, view."""

from __future__ import annotations

import base64
import json
import math
import zlib
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from packaging.version import Version
from velour_integrations.mlflow.runs import artifact_files, run_tags
from velour_integrations.mlflow.runs import run as logging_to_runs
from velour_integrations.mlflow.runs.saved_view import NAMED, Logged, view_of

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.classification_data import dataset_of_arrays
from tests.label_maps import dataset as drawn_dataset
from tests.pictures import LABELS, MODELS, harbour, predicted
from tests.scenes import annotation, scene
from velour_plugin.errors import InvalidInput, UnknownName

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

VIEW = "mlflow.sharedViewState.velourobjectdetection"
NOTE = "mlflow.note.content"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the harbour's pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    harbour(folder)
    return folder


def evaluated_run(model: str = "small", run_id: str | None = None, **config: Any) -> str:
    return runs.evaluate(predicted(harbour(), model), run_id, model, evaluator_config=config)


def files(run: str) -> set[str]:
    client = mlflow.MlflowClient()
    return {item.path for item in client.list_artifacts(run) if not item.is_dir}


def table(run: str, name: str) -> list[dict[str, Any]]:
    """A table as MLflow reads it."""
    frame = mlflow.load_table(name, [run])
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def tags(run: str) -> dict[str, str]:
    return dict(mlflow.get_run(run).data.tags)


def report_of(run: str) -> str:
    return runs.download(run, "velour_report.html").read_text(encoding="utf-8")


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "velour"]


def test_numbers_about_labels_and_slices_are_metrics() -> None:
    """They are those of the store: a slice's metric is that of its datums."""
    run = evaluated_run()
    logged = runs.metrics(run)
    by_label = {
        one["label"][1]: one["value"]
        for one in runs.evaluation_json(run)["metrics"]
        if one["name"] == "AP_50"
    }
    assert set(by_label) == set(LABELS)
    assert {name: logged[f"AP_50_by_class/{name}"] for name in by_label} == by_label
    night = velour.evaluate(
        predicted(harbour(), "small"), "object-detection", where="time_of_day = 'night'", save=False
    )
    assert logged["mAP_by_time_of_day/night"] == night["mAP"]
    assert {"mAP_by_port/Boston", "mAP_by_port/Halifax"} <= set(logged)
    assert runs.history_lengths(run) == {1}


def test_the_ends_of_intervals_are_metrics_and_their_resamples_are_a_tag() -> None:
    run = evaluated_run()
    metrics = mlflow.get_run(run).data.metrics
    (row,) = velour.rank("mAP", "harbour")
    assert (metrics["mAP_low"], metrics["mAP_high"]) == row.interval
    assert tags(run)["velour.resamples"] == "200"
    low, high = (f"{end:.4f}" for end in row.interval or ())
    assert f"mAP **{metrics['mAP']:.4f}** [{low}–{high}]" in tags(run)[NOTE]
    assert "(95 % confidence intervals from 200 resamples)" in tags(run)[NOTE]
    assert f"{low}–{high}" in report_of(run)


def test_intervals_are_left_out_when_nobody_wants_them() -> None:
    run = evaluated_run(intervals=False)
    metrics = mlflow.get_run(run).data.metrics
    assert "mAP" in metrics
    assert not [name for name in metrics if name.endswith(("_low", "_high"))]
    assert "velour.resamples" not in tags(run)
    assert "confidence intervals" not in tags(run)[NOTE]


def test_ends_that_a_second_evaluation_does_not_have_are_undefined_then() -> None:
    run = evaluated_run()
    evaluated_run(run_id=run, intervals=False)
    metrics = mlflow.get_run(run).data.metrics
    assert math.isnan(metrics["mAP_low"])
    assert math.isnan(metrics["mAP_high"])


def test_the_caller_chooses_slices_and_how_many_labels() -> None:
    logged = runs.metrics(evaluated_run(slices=["port"], classes=1))
    assert sum("_by_class/" in name for name in logged) == 1
    assert {name for name in logged if "_by_" in name and "class" not in name} == {
        "mAP_by_port/Boston",
        "mAP_by_port/Halifax",
    }


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        ({"slices": ["time_off_day"]}, UnknownName, "time_of_day"),
        ({"slices": ["port:3"]}, InvalidInput, "no datum has a number"),
        ({"classes": -1}, InvalidInput, "whole number"),
        ({"images": "/no/such/folder"}, InvalidInput, "folder that exists"),
        ({"report": "no"}, InvalidInput, "True or False"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_before_anything_is_logged(
    config: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        evaluated_run(**config)
    run = runs.last_run()
    assert (runs.metrics(run), files(run), runs.artifacts(run)) == ({}, set(), [])


def test_what_was_compared_is_a_parameter_of_the_run(caplog: pytest.LogCaptureFixture) -> None:
    """MLflow keeps the first value: another one is a warning, or has a name of its own."""
    run, outlines = evaluated_run(), {"parameters": {"iou_type": "polygon"}}
    assert mlflow.get_run(run).data.params == {"iou_type": "box"}
    evaluated_run(run_id=run)
    assert warned(caplog) == []
    evaluated_run(run_id=run, **outlines)
    assert any("this evaluation has iou_type polygon" in message for message in warned(caplog))
    evaluated_run(run_id=run, metric_prefix="outlines/", **outlines)
    params = {"iou_type": "box", "outlines/iou_type": "polygon"}
    assert mlflow.get_run(run).data.params == params


def test_precision_at_each_percent_of_recall_is_a_history() -> None:
    """A curve of 101 steps for each label; its mean is the label's AP at that IoU."""
    run = evaluated_run()
    client = mlflow.MlflowClient()
    for label in LABELS:
        history = client.get_metric_history(run, f"precision_at_recall/{label}")
        assert [point.step for point in history] == list(range(101))
        mean = float(np.mean([point.value for point in history]))
        assert mean == pytest.approx(runs.metrics(run)[f"AP_50_by_class/{label}"])


def test_curves_stay_off_the_logged_model() -> None:
    """MLflow's client would put each of their points on it, too."""
    model = mlflow.create_external_model(name="small")
    mlflow.set_active_model(model_id=model.model_id)
    try:
        run = evaluated_run()
    finally:
        mlflow.clear_active_model()
    logged = mlflow.get_logged_model(model.model_id).metrics or []
    assert not [metric.key for metric in logged if metric.key.startswith(runs.CURVES)]
    assert "precision_at_recall/boat" in mlflow.get_run(run).data.metrics


def test_tables_are_read_by_mlflow_and_compare_by_their_first_two_columns() -> None:
    run = evaluated_run()
    labels = table(run, "velour_per_class.json")
    assert list(labels[0])[:3] == ["label", "AP_50", "datums"]
    for row in labels:
        known = runs.metrics(run)[f"AP_50_by_class/{row['label']}"]
        assert row["AP_50"] == pytest.approx(known, abs=1e-4)
    assert {row["label"] for row in labels} == set(LABELS)
    slices = table(run, "velour_slices.json")
    assert [(row["slice"], row["datums"]) for row in slices] == [
        ("time_of_day: day", 20),
        ("time_of_day: night", 20),
        ("port: Boston", 20),
        ("port: Halifax", 20),
    ]
    worst = table(run, "velour_worst.json")
    costs = [row["cost"] for row in worst]
    assert len(worst) == 10
    assert costs == sorted(costs, reverse=True)
    assert min(costs) > 0
    assert all(row["false"] + row["missed"] == row["errors"] for row in worst)


def test_tables_are_in_the_result() -> None:
    data = mlflow.data.from_velour(predicted(harbour(), "small"))
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            data=data, model_type="object-detection", evaluators="velour"
        )
    assert len(result.tables["velour_per_class"]) == len(LABELS)
    assert len(result.artifacts["velour_slices"].content["data"]) == 4


def test_the_worst_images_are_drawn_where_they_can_be_found(pictures: Path) -> None:
    run = evaluated_run(images=str(pictures))
    client = mlflow.MlflowClient()
    drawn = [item.path for item in client.list_artifacts(run, "images")]
    assert len(drawn) == 20  # ten, whole and small
    cells = [row["image"] for row in table(run, "velour_worst.json")]
    assert {cell["type"] for cell in cells} == {"image"}
    assert {cell[name] for cell in cells for name in cell if name != "type"} == set(drawn)
    assert tags(run)["mlflow.loggedImages"] == "True"
    report = report_of(run)
    assert report.count('src="data:image/jpeg;base64,') == 10


def test_images_that_are_not_there_are_left_out_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "empty").mkdir()
    run = evaluated_run(images=str(tmp_path / "empty"))
    assert any("found 0 of the 10 worst images" in line for line in warned(caplog))
    assert "velour_report.html" in files(run)
    assert "mlflow.loggedImages" not in tags(run)
    caplog.clear()
    evaluated_run("large")  # nobody asked for images: nothing to say
    assert warned(caplog) == []


def test_the_note_says_numbers_and_leads_to_files_and_keeps_what_people_wrote() -> None:
    with mlflow.start_run(description="Trained on Tuesday.") as started:
        pass
    run = started.info.run_id
    for model in ("small", "small", "large"):
        evaluated_run(model, run)
        note = tags(run)[NOTE]
        assert note.startswith("Trained on Tuesday.\n\n<!-- velour -->")
        assert note.count("<!-- velour -->") == 1
        ranked = velour.rank("mAP", "harbour", runs=[run]).rows[0]
        assert ranked.interval is not None
        low, high = ranked.interval
        assert f"mAP **{ranked.value:.4f}** [{low:.4f}–{high:.4f}]" in note
        assert f"/runs/{run}/artifacts/velour_report.html" in note
        assert f"{model} on harbour" in note


def test_evaluating_again_in_one_run_replaces_what_the_first_left(
    pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Tables are not appended to, files that are not written again go, metrics become NaN."""
    run = evaluated_run("small", images=str(pictures))
    curve = mlflow.MlflowClient().get_metric_history(run, "precision_at_recall/boat")
    before = runs.metrics(run)
    with mlflow.start_run(run_id=run):
        mlflow.log_metric("loss_by_epoch", 1.0)
        mlflow.log_table({"mine": [1]}, "mine.json")
    evaluated_run("large", run, slices=[])
    assert len(table(run, "velour_per_class.json")) == len(LABELS)
    assert files(run) == {
        "mine.json",
        "velour_map.geojson",
        "velour_per_class.json",
        "velour_report.html",
        "velour_worst.json",
    }
    assert not mlflow.MlflowClient().list_artifacts(run, "images")
    listed = [item["path"] for item in json.loads(tags(run)["mlflow.loggedArtifacts"])]
    assert listed == ["mine.json", "velour_per_class.json", "velour_worst.json"]
    after = runs.metrics(run)
    assert after["mAP"] != before["mAP"]
    assert math.isnan(after["mAP_by_port/Boston"])
    assert after["loss_by_epoch"] == 1.0
    assert mlflow.MlflowClient().get_metric_history(run, "precision_at_recall/boat") == curve
    assert any("keeps the history of a metric" in line for line in warned(caplog))


def test_the_same_evaluation_again_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    run = evaluated_run()
    before, note = runs.metrics(run), tags(run)[NOTE]
    evaluated_run(run_id=run)
    assert (runs.metrics(run), tags(run)[NOTE]) == (before, note)
    assert len(mlflow.MlflowClient().get_metric_history(run, "precision_at_recall/boat")) == 101
    assert warned(caplog) == []


def test_an_experiment_gets_one_saved_view_and_keeps_what_people_make_of_it(
    pictures: Path,
) -> None:
    client = mlflow.MlflowClient()
    evaluated_run("small", images=str(pictures))
    experiment = client.get_experiment("0")
    packed = experiment.tags[VIEW]
    if Version(mlflow.__version__) >= NAMED:
        view = json.loads(packed)
        assert view["name"] == "Velour: object-detection"
        packed = view["state"]
    state = json.loads(zlib.decompress(base64.b64decode(packed.removeprefix("deflate;"))))
    assert "metrics.`mAP`" in state["selectedColumns"]
    assert state["orderByKey"] == "metrics.`mAP`"
    assert [one["name"] for one in state["compareRunSections"]] == [
        "Headline",
        "Labels",
        "Slices",
        "Curves",
        "Worst images",
        "Differences",
    ]
    sections = {one["uuid"] for one in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == sections
    shown = {chart.get("metricKey") for chart in state["compareRunCharts"]}
    assert {"mAP", "AP_50_by_class/boat", "precision_at_recall/boat"} <= shown
    assert len(experiment.tags[VIEW]) < 20_000
    assert "viewStateShareKey=velourobjectdetection" in experiment.tags[NOTE]
    client.set_experiment_tag("0", VIEW, "theirs")
    client.set_experiment_tag("0", NOTE, "theirs")
    evaluated_run("large")
    kept = client.get_experiment("0").tags
    assert (kept[VIEW], kept[NOTE]) == ("theirs", "theirs")


def test_a_view_has_a_name_where_mlflow_reads_names() -> None:
    logged = Logged(["mAP", "mAP_50"], [], [], [])
    bare = view_of("object-detection", logged, Version("3.14.9"))
    named = json.loads(view_of("object-detection", logged, NAMED))
    assert bare.startswith("deflate;")
    assert (named["name"], named["state"]) == ("Velour: object-detection", bare)


def test_the_note_of_an_experiment_begins_with_the_views_of_all_its_tasks() -> None:
    client = mlflow.MlflowClient()
    client.set_experiment_tag("0", NOTE, "About harbours.")
    evaluated_run("small")
    masks = drawn_dataset({"a": ("rrrc", "rrrr"), "b": ("rc", "cr")})
    runs.evaluate(masks, name="small", model_type="semantic-segmentation")
    first, second, *others = client.get_experiment("0").tags[NOTE].splitlines()[1:]
    assert "Compare all runs: object-detection](#/experiments/0/runs?viewState" in first
    assert "Compare all runs: semantic-segmentation](#/experiments/0/runs?viewState" in second
    assert others == ["<!-- /velour -->", "", "About harbours."]


def test_a_report_shows_the_other_models_of_the_dataset() -> None:
    """Not the older run of one of them."""
    evaluated_run("small")
    evaluated_run("small")
    assert 'id="leaderboard"' not in report_of(evaluated_run("small"))
    page = report_of(evaluated_run("large"))
    section = page[page.index('<section id="leaderboard"') : page.index('<section id="figures"')]
    assert section.index("large") < section.index("this run") < section.index("small")
    assert section.count("<tr>") == 3


def test_a_model_has_one_colour_and_no_other_model_has_it() -> None:
    first = {model: tags(evaluated_run(model))["mlflow.runColor"] for model in MODELS}
    assert len(set(first.values())) == len(MODELS)
    assert tags(evaluated_run("small", classes=3))["mlflow.runColor"] == first["small"]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (artifact_files, "report"),
        (artifact_files, "write_table"),
        (artifact_files, "geojson"),
        (logging_to_runs, "find"),
        (logging_to_runs, "delete_outdated_files"),
        (run_tags, "ensure_view"),
        (run_tags, "log_histories"),
        (run_tags, "colour_of"),
    ],
)
def test_a_decoration_that_fails_is_a_warning_and_the_numbers_are_logged(
    module: Any, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*given: Any, **more: Any) -> None:
        raise RuntimeError("no paint left")

    run = evaluated_run(report=name == "delete_outdated_files")
    monkeypatch.setattr(module, name, fails)
    run = evaluated_run(run_id=run)
    assert runs.metrics(run)["mAP"] > 0
    assert runs.artifacts(run) == ["velour/evaluation.json", "velour/predictions.parquet"]
    assert any("no paint left" in line for line in warned(caplog))


def test_without_a_report_there_are_numbers_only() -> None:
    run = evaluated_run(report=False)
    assert "AP_50_by_class/boat" in runs.metrics(run)
    assert files(run) == set()
    assert NOTE not in tags(run)
    assert VIEW not in mlflow.MlflowClient().get_experiment("0").tags
    assert not [name for name in mlflow.get_run(run).data.metrics if name.startswith(runs.CURVES)]


def of_every_task() -> dict[str, velour.Dataset]:
    rng = np.random.default_rng(3)
    scores = rng.dirichlet(np.ones(3), 20)
    vectors = velour.Dataset.from_groundtruths(
        [
            velour.GroundTruth(
                velour.Datum(str(at)), [velour.Annotation([velour.Label("class", "ab"[at % 2])])]
            )
            for at in range(8)
        ],
        "vectors",
    )
    predictions = [
        velour.Prediction(
            datum, [velour.Annotation([velour.Label("class", "a")], embedding=rng.normal(size=4))]
        )
        for datum in vectors.datums
    ]
    square = velour.Polygon([(0, 0), (9, 0), (9, 9), (0, 9)])
    colours = [annotation(square, "color:red"), annotation(square, "fire")]
    found = [annotation(square, "color:red", 0.9), annotation(square, "fire", 0.4)]
    return {
        "object-detection": predicted(harbour(), "small"),
        "instance-segmentation": scene((colours, found), (colours, []), height=9, width=9),
        "image-classification": dataset_of_arrays(rng.integers(0, 3, 20), scores),
        "tabular-classification": dataset_of_arrays(rng.random((20, 3)) < 0.5, scores),
        "semantic-segmentation": drawn_dataset({"a": ("rrrc rr..", "rrcc r..r")}),
        "embedding": vectors.with_predictions(predictions, "model"),
    }


@pytest.mark.parametrize("task", list(of_every_task()))
def test_every_task_gets_a_report(task: str, caplog: pytest.LogCaptureFixture) -> None:
    config = {"parameters": {"multi_label": True}} if task == "tabular-classification" else {}
    run = runs.evaluate(of_every_task()[task], model_type=task, evaluator_config=config)
    assert warned(caplog) == []
    assert "velour_report.html" in files(run)
    by_class = {name.partition("/")[0] for name in runs.metrics(run) if "_by_class/" in name}
    assert by_class == {
        "object-detection": {"AP_50_by_class"},
        "instance-segmentation": {"AP_50_by_class"},
        "semantic-segmentation": {"IoU_by_class"},
        "embedding": set(),
    }.get(task, {"f1_by_class"})
    curves = {name.partition("/")[0] for name in mlflow.get_run(run).data.metrics}
    assert ("true_positive_rate_at" in curves) == task.endswith("classification")


def test_names_that_mlflow_would_refuse_are_spelled_otherwise() -> None:
    """A slash would make a section, two dots a path that leads elsewhere."""
    labels = ("car/truck", "..", "a@b")
    boxes = [
        velour.Annotation([velour.Label("class", name)], velour.BoundingBox(0, at, 9, at + 9))
        for at, name in enumerate(labels)
    ]
    predictions = [
        velour.Annotation([velour.Label("class", name, 0.9)], velour.BoundingBox(0, at, 9, at + 9))
        for at, name in enumerate(labels)
    ]
    datums = [velour.Datum(str(at), {"road/kind": ("..", "b")[at % 2]}) for at in range(4)]
    dataset = velour.Dataset.from_groundtruths(
        [velour.GroundTruth(datum, boxes) for datum in datums], "roads"
    ).with_predictions([velour.Prediction(datum, predictions) for datum in datums], "model")
    logged = runs.metrics(runs.evaluate(dataset))
    assert {name for name in logged if "_by_" in name} == {
        "AP_50_by_class/car_truck",
        "AP_50_by_class/_",
        "AP_50_by_class/a_b",
        "mAP_by_road_kind/_",
        "mAP_by_road_kind/b",
    }
