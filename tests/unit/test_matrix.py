"""Models on datasets: values by hand, what is missing and how to fill it, slices and tasks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import velour_plugin as velour
from tests.fires import fires
from tests.scenes import FOUND, TRUE
from velour_plugin.answers import Matrix
from velour_plugin.errors import NotComparable, NotFound, UnknownName
from velour_plugin.store import Store, upgrade_store


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """``day`` finds 2 of 4 fires and 1 of 2 embers; ``night`` 1 of 4 fires and saw no embers."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        for dataset in (
            fires(["2", "10"], "day"),
            fires(["2"], "night"),
            fires(["2"], "day", images=["2", "roof"], name="embers"),
        ):
            velour.evaluate(dataset, "object-detection", store=opened)
        yield opened


def test_every_model_meets_every_dataset(store: Store) -> None:
    matrix = velour.matrix("mAR_100", store=store)

    assert (matrix.models, matrix.columns) == (["day", "night"], ["embers", "fires"])
    assert [cell.value for cell in matrix] == [0.5, 0.5, None, 0.25]
    assert [cell.datums for cell in matrix] == [2, 4, 0, 4]
    table = matrix.to_table()
    assert table.loc["night", "fires"] == 0.25
    assert table.isna().to_numpy().tolist() == [[False, False], [True, False]]


def test_a_cell_is_what_a_ranking_says(store: Store) -> None:
    matrix = velour.matrix("mAR_100", where="hour >= 20", store=store)
    board = velour.rank("mAR_100", "fires", where="hour >= 20", store=store)
    assert {row.model: row.value for row in board} == {
        model: matrix.cell(model, "fires").value for model in matrix.models
    }


def test_an_empty_cell_has_the_command_that_fills_it(store: Store) -> None:
    matrix = velour.matrix("mAR_100", store=store)
    (cell,) = matrix.empty
    command = "velour evaluate MODEL --dataset embers --task object-detection --model night"
    assert (cell.model, cell.dataset, cell.command) == ("night", "embers", command)
    assert matrix.notes == (f"embers: not evaluated: {command}",)
    assert "–" in str(matrix)
    assert command in str(matrix)


def test_cells_have_intervals(store: Store) -> None:
    datums = [velour.Datum(str(number)) for number in range(20)]
    dataset = velour.Dataset.from_groundtruths(
        [velour.GroundTruth(datum, [TRUE]) for datum in datums], "many"
    ).with_predictions([velour.Prediction(datum, [FOUND]) for datum in datums[:10]], "half")
    velour.evaluate(dataset, "object-detection", store=store)
    matrix = velour.matrix("mAR_100", dataset=["many"], store=store)
    (cell,) = matrix
    assert cell.value == 0.5
    assert cell.interval is not None
    assert cell.interval[0] < 0.5 < cell.interval[1]
    board = velour.rank("mAR_100", "many", store=store)
    assert board[0].interval == cell.interval
    assert f"0.5000 ({cell.interval[0]:.3f}–{cell.interval[1]:.3f})" in str(matrix)


def test_slices_are_columns(store: Store) -> None:
    matrix = velour.matrix("mAR_100", by="sensor", dataset=["fires"], store=store)
    assert matrix.columns == ["fires: infrared", "fires: visible"]
    assert [cell.value for cell in matrix] == [1.0, 0.0, 0.5, 0.0]
    assert {cell.slice for cell in matrix} == {"sensor: infrared", "sensor: visible"}


def test_tasks_are_columns_where_a_dataset_has_several(store: Store) -> None:
    shape = velour.Raster(np.eye(8, dtype=bool))
    label, scored = velour.Label("class", "fire"), velour.Label("class", "fire", 0.9)
    dataset = velour.Dataset.from_groundtruths(
        [velour.GroundTruth(velour.Datum("1"), [velour.Annotation([label], raster=shape)])], "both"
    ).with_predictions(
        [velour.Prediction(velour.Datum("1"), [velour.Annotation([scored], raster=shape)])], "m"
    )
    for task in ("object-detection", "instance-segmentation"):
        velour.evaluate(dataset, task, store=store)
    matrix = velour.matrix("mAP", dataset=["both"], store=store)
    assert matrix.columns == ["both (instance-segmentation)", "both (object-detection)"]


def test_the_newest_evaluation_of_a_model_counts(store: Store) -> None:
    velour.evaluate(fires(["2", "10", "20"], "day"), "object-detection", store=store)
    assert velour.matrix("mAR_100", store=store).cell("day", "fires").value == 0.75


def test_a_dataset_that_cannot_answer_is_an_empty_column_with_the_reason(store: Store) -> None:
    store.save_dataset(fires(images=["2"], name="unseen"))
    matrix = velour.matrix("mAR_100", where="sensor = 'infrared'", store=store)
    reasons = {cell.column: cell.reason for cell in matrix.empty}
    assert reasons["unseen"] == "no model was evaluated on it"


def test_a_dataset_without_what_the_filter_names_says_so_beside_those_that_have_it(
    store: Store,
) -> None:
    other = velour.Annotation([velour.Label("class", "boat")], velour.BoundingBox(0, 0, 5, 5))
    datum = velour.Datum("1", {"knots": 3})
    boats = velour.Dataset.from_groundtruths([velour.GroundTruth(datum, [other])], "two boats")
    seen = boats.with_predictions([velour.Prediction(datum, [])], "day")
    velour.evaluate(seen, "object-detection", store=store)
    questions = ({"where": "label.value = 'boat'"}, {"where": "knots > 2"}, {"by": "knots"})
    for question in questions:
        matrix = velour.matrix("mAR_100", **question, store=store)  # type: ignore[arg-type]
        assert [cell.value for cell in matrix if cell.value is not None] == [0.0]
        fires_cell = matrix.cell("day", "fires")
        assert (fires_cell.value, fires_cell.command) == (None, None)
        assert "unknown" in str(fires_cell.reason)
        assert any(note.startswith("fires: unknown") for note in matrix.notes)
    unseen = velour.matrix("mAR_100", store=store).cell("night", "two boats")
    assert "--dataset 'two boats'" in str(unseen.command)
    with pytest.raises(UnknownName, match="unknown label"):
        velour.matrix("mAR_100", where="label.value = 'bout'", store=store)


def test_a_dataset_without_the_metric_says_what_it_was_evaluated_for(store: Store) -> None:
    whole = [velour.Annotation([velour.Label("class", "fire")])]
    pictures = velour.Dataset.from_groundtruths(
        [velour.GroundTruth(velour.Datum("1"), whole)], "pictures"
    )
    seen = pictures.with_predictions([velour.Prediction(velour.Datum("1"), [])], "day")
    velour.evaluate(seen, "image-classification", store=store)
    store.save_dataset(pictures.with_name("bare"))
    matrix = velour.matrix("mAR_100", store=store)
    notes = dict(note.split(": ", 1) for note in matrix.notes)
    command = "velour evaluate MODEL --dataset bare --model day"
    assert notes["bare"] == f"no model was evaluated on it: {command}, and so for night"
    assert notes["pictures"] == "it was evaluated for image-classification, which has no mAR_100"
    assert len(notes) == 3
    assert "–: no value, the notes say why." in str(matrix)


def test_a_matrix_plots_and_goes_through_json(store: Store) -> None:
    matrix = velour.matrix("mAR_100", store=store)
    assert Matrix.from_dict(matrix.to_dict()) == matrix
    (heat,) = matrix.plot().data
    assert [list(row) for row in heat.z] == [[0.5, 0.5], [None, 0.25]]
    assert "<table" in matrix._repr_html_()


def test_older_runs_are_folded_until_all_are_shown(store: Store) -> None:
    for number, found in enumerate((["2", "10", "20"], ["10"])):
        dataset = fires(found, "owl")
        run = velour.EvaluatedRun(f"{number}" * 32, f"owl {number}", "1")
        store.save(velour.evaluate(dataset, "object-detection", run=run, save=False), dataset)
    matrix = velour.matrix("mAR_100", dataset="fires", store=store)
    assert matrix.models == ["day", "night", "owl"]
    assert matrix.cell("owl", "fires").value == 0.25
    assert matrix.notes[0].startswith("1 older run of 1 model is folded: --all-runs shows it")
    both = velour.matrix("mAR_100", all_runs=True, store=store)
    assert both.models == ["day", "night", "owl (owl 0 00000000)", "owl (owl 1 11111111)"]
    assert [both.cell(name, "fires").value for name in both.models[2:]] == [0.75, 0.25]
    unseen = both.cell("owl (owl 1 11111111)", "embers")
    assert (unseen.reason, unseen.command) == ("not evaluated", None)


def test_a_name_in_two_experiments_is_two_rows(store: Store) -> None:
    for number, found in ((1, ["2"]), (2, ["2", "10"])):
        dataset = fires(found, "owl")
        run = velour.EvaluatedRun(f"r{number}", None, str(number))
        store.save(velour.evaluate(dataset, "object-detection", run=run, save=False), dataset)
    matrix = velour.matrix("mAR_100", dataset="fires", store=store)
    assert matrix.cell("owl (experiment 1)", "fires").value == 0.25
    assert matrix.cell("owl (experiment 2)", "fires").value == 0.5


def test_unfair_rows_are_refused(store: Store) -> None:
    velour.evaluate(
        fires(["2"], "night", images=["2", "roof"], name="embers"), "object-detection",
        parameters={"iou_thresholds": [0.5]}, store=store,
    )  # fmt: skip
    matrix = velour.matrix("mAR_100", store=store)  # within embers: the column says why
    assert not matrix.empty  # no single evaluation would fill them
    empty = [cell for cell in matrix if cell.value is None]
    assert {cell.column for cell in empty} == {"embers"}
    assert all("do not answer the same" in str(cell.reason) for cell in empty)
    (note,) = matrix.notes
    assert "they differ in parameters.iou_thresholds" in note
    assert note.endswith("; evaluate all models on it in the same way")
    other = fires(["2"], "night", images=["2"], name="sparks")
    velour.evaluate(other, "object-detection", parameters={"iou_thresholds": [0.5]}, store=store)
    with pytest.raises(NotComparable, match="iou_thresholds"):
        velour.matrix("mAR_100", store=store)


def test_names_that_do_not_exist_are_refused(store: Store) -> None:
    with pytest.raises(UnknownName, match="unknown dataset 'fire': did you mean 'fires'"):
        velour.matrix("mAR_100", dataset=["fire"], store=store)
    with pytest.raises(UnknownName, match="unknown model 'dai': did you mean 'day'"):
        velour.matrix("mAR_100", models=["dai"], store=store)
    with pytest.raises(NotFound, match="no dataset has evaluations with nap"):
        velour.matrix("nap", store=store)
