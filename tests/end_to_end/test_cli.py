"""The command line: what it prints, what scripts can read, and how it says no."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.fires import NEAR_BOSTON, NIGHT, fires
from tests.label_pngs import write_png
from velour_plugin.cli import main

pytestmark = runs.QUIET

METADATA = [
    "image_id,latitude,longitude,hour,sensor",
    "2,42.36,-71.03,23,infrared",
    "10,42.36,-71.03,12,infrared",
    "20,36.17,-115.14,22,visible",
    "30,,,9,visible",
]


def found(*images: int, **changed: Any) -> list[dict[str, Any]]:
    """COCO results: the fire of each of these images."""
    result = {"category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.9}
    return [{"image_id": image, **result, **changed} for image in images]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A COCO file of four images with a fire each, results of three models, and metadata."""
    images = (2, 10, 20, 30)
    box = {"category_id": 1, "bbox": [0, 0, 10, 10], "area": 100, "iscrowd": 0}
    truth = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "height": 99, "width": 99} for n in images],
        "categories": [{"id": 1, "name": "fire"}, {"id": 2, "name": "smoke"}],
        "annotations": [{"id": n, "image_id": n, **box} for n in images],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "images.csv").write_text("\n".join(METADATA))
    for name, result in {"all": found(*images), "night": found(2, 20), "noon": found(10)}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    return tmp_path


def call(*arguments: str) -> Result:
    """Call ``velour`` in this process."""
    return CliRunner().invoke(main, list(arguments), prog_name="velour")


def printed(*arguments: str) -> str:
    """What a command prints that works."""
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*arguments: str) -> Any:
    """What a command tells a script."""
    return json.loads(printed(*arguments, "--json"))


def evaluate(predictions: str = "all", *more: str) -> Sequence[str]:
    files = ["--truth", "truth.json", "--predictions", f"{predictions}.json"]
    return ["evaluate", *files, "--dataset", "fires", "--metadata", "images.csv", *more]


@pytest.fixture
def three(files: Path) -> None:
    """Three evaluations in the default store."""
    for name in ("all", "night", "noon"):
        printed(*evaluate(name))


def stored() -> int:
    """How many evaluations the default store holds."""
    return runs.evaluations("fires")


# Help


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_the_help_of_every_command_shows_a_session(path: tuple[str, ...]) -> None:
    help_text = printed(*path, "--help")
    assert f"$ velour {' '.join(path)}" in help_text
    assert all(
        line.split("  ")[-1].strip() for line in help_text.splitlines() if line.startswith("  --")
    )


def test_the_help_lists_every_command_with_what_it_does() -> None:
    lines = printed("--help").partition("Commands:")[2].strip().splitlines()
    assert [line.split()[0] for line in lines] == sorted({path[0] for path in commands(main)})
    assert all(len(line.split()) > 2 for line in lines)
    assert printed("-h") == printed("--help")


def test_the_version_is_printed() -> None:
    assert printed("--version").startswith("velour, version ")


def test_it_runs_as_a_program(files: Path) -> None:
    """One real process: the answer on stdout, refusals on stderr, the exit code to the shell."""
    program = Path(sys.executable).parent / "velour"
    good = subprocess.run(
        [program, *evaluate()], capture_output=True, text=True, check=False, cwd=files
    )
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines()[0] == "all on fires, object-detection, iou_type box"
    bad = subprocess.run(
        [program, "rank", "--dataset", "fire"], capture_output=True, text=True, check=False
    )
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr == "Error: unknown dataset 'fire': did you mean 'fires'? known are: fires.\n"


# Commands


def test_evaluate_prints_the_headline(files: Path) -> None:
    lines = printed(*evaluate("night")).splitlines()
    assert lines[0] == "night on fires, object-detection, iou_type box"
    assert lines[1].split() == ["mAP", "0.5050"]  # 51 of 101 recall thresholds
    assert ["mAR_100", "0.5000"] in [line.split() for line in lines]
    assert ["mAP_large", "undefined"] in [line.split() for line in lines]
    assert stored() == 1


def test_evaluate_tells_scripts_the_whole_evaluation(files: Path) -> None:
    evaluation = as_json(*evaluate("night", "--model", "owl"))
    assert (evaluation["model"], evaluation["task"]) == ("owl", "object-detection")
    assert evaluation["certificate"]["dataset"] == "fires"
    values = {item["name"]: item["value"] for item in evaluation["metrics"] if not item["label"]}
    assert values["mAR_100"] == 0.5
    assert values["mAP_large"] is None


def test_evaluate_reads_places_and_metadata(files: Path) -> None:
    printed(*evaluate())
    with velour.open_store() as store:
        datums = store.load_dataset("fires").datums
    assert [datum.uid for datum in datums] == ["2", "10", "20", "30"]
    assert datums[0].metadata["hour"] == 23
    assert datums[0].location is not None
    assert datums[3].location is None


def test_evaluate_where_evaluates_only_its_datums(files: Path) -> None:
    assert ["mAR_100", "1.0000"] in [
        line.split() for line in printed(*evaluate("night", "--where", NIGHT)).splitlines()
    ]


def test_evaluate_takes_parameters(files: Path) -> None:
    asked = as_json(*evaluate("all", "--parameters", '{"iou_threshold": 0.7}'))
    assert asked["certificate"]["parameters"]["iou_threshold"] == 0.7


def test_evaluating_twice_is_one_evaluation(files: Path) -> None:
    assert as_json(*evaluate())["id"] == as_json(*evaluate())["id"]
    assert stored() == 1


def rank(*arguments: str) -> list[tuple[Any, ...]]:
    asked = ("rank", "mAR_100", "--dataset", "fires", "--resamples", "0", *arguments)
    return [(row["rank"], row["model"], row["value"]) for row in as_json(*asked)["rows"]]


@pytest.mark.usefixtures("three")
def test_rank_prints_a_board() -> None:
    lines = printed("rank", "mAR_100", "--dataset", "fires", "--resamples", "0").splitlines()
    assert lines[0] == "mAR_100 on fires: 4 of 4 datums"
    assert [line.split()[:2] for line in lines[4:7]] == [
        ["1", "all"],
        ["2", "night"],
        ["3", "noon"],
    ]


@pytest.mark.usefixtures("three")
def test_rank_by_time_and_place() -> None:
    assert rank() == [(1, "all", 1.0), (2, "night", 0.5), (3, "noon", 0.25)]
    assert rank("--where", NIGHT) == [(1, "all", 1.0), (1, "night", 1.0), (3, "noon", 0.0)]
    noon = f"hour = 12 AND {NEAR_BOSTON}"
    assert rank("--where", noon) == [(1, "all", 1.0), (1, "noon", 1.0), (3, "night", 0.0)]


@pytest.mark.usefixtures("three")
def test_rank_by_a_label() -> None:
    asked = ("rank", "recall", "--dataset", "fires", "--resamples", "0", "--label")
    for label in ("fire", "class=fire"):
        board = as_json(*asked, label)
        assert board["label"] == "class=fire"
        assert [row["value"] for row in board["rows"]] == [1.0, 0.5, 0.25]


@pytest.mark.usefixtures("three")
def test_rank_only_the_runs_that_are_named() -> None:
    assert [row[1] for row in rank("--run", "noon", "--run", "night")] == ["night", "noon"]


def test_rank_only_the_runs_of_an_experiment(files: Path) -> None:
    """Runs come from MLflow; here their names are enough."""
    with velour.open_store() as store:
        for number in ("1", "2"):
            dataset = fires(["2"], f"model {number}")
            run = velour.EvaluatedRun(f"id {number}", f"run {number}", number)
            store.save(velour.evaluate(dataset, "object-detection", run=run, save=False), dataset)
    assert rank("--experiment", "2") == [(1, "model 2", 0.25)]
    assert rank("--run", "run 1") == [(1, "model 1", 0.25)]


@pytest.mark.usefixtures("three")
def test_rank_refuses_or_intersects_what_differs() -> None:
    printed(*evaluate("noon", "--where", NIGHT, "--model", "asked less"))
    refusal = call("rank", "mAR_100", "--dataset", "fires", "--resamples", "0")
    assert (refusal.exit_code, refusal.stdout) == (2, "")
    assert "filter: " in refusal.stderr
    assert "--on-mismatch intersect" in refusal.stderr
    board = rank("--on-mismatch", "intersect")
    assert [row[1] for row in board] == ["all", "night", "asked less", "noon"]
    assert [row[2] for row in board] == [1.0, 1.0, 0.0, 0.0]


@pytest.mark.usefixtures("three")
def test_the_only_dataset_and_the_first_metric_need_no_name() -> None:
    assert as_json("rank", "--resamples", "0") == as_json("rank", "mAP", "--dataset", "fires",
                                                    "--resamples", "0")  # fmt: skip
    printed(*evaluate("all", "--dataset", "again"))
    refusal = call("rank")
    assert refusal.exit_code == 2
    assert "name one (--dataset): again, fires" in refusal.stderr


@pytest.mark.usefixtures("files")
def test_runs_of_a_model_are_folded_until_all_are_shown() -> None:
    truth = velour.read_dataset("truth.json", name="fires")
    with velour.open_store() as store:
        for number, results in enumerate(("all", "noon")):
            dataset = truth.with_predictions(f"{results}.json", "owl")
            run = velour.EvaluatedRun(f"{number}" * 32, f"run {number}", "1")
            evaluation = velour.evaluate(dataset, "object-detection", run=run, save=False)
            store.save(evaluation, dataset)
    board = as_json("rank", "mAR_100", "--resamples", "0")
    assert [(row["run"], row["value"]) for row in board["rows"]] == [("run 1", 0.25)]
    assert "1 older run of 1 model is folded: --all-runs shows it" in printed("rank", "mAR_100")
    everything = as_json("rank", "mAR_100", "--resamples", "0", "--all-runs")
    assert [row["run"] for row in everything["rows"]] == ["run 0", "run 1"]
    assert " run 0 " in printed("rank", "mAR_100", "--all-runs")
    assert len(as_json("matrix", "mAR_100", "--all-runs")["rows"]) == 2


@pytest.mark.usefixtures("three")
def test_lists_say_what_is_there_the_newest_first() -> None:
    assert [entry["model"] for entry in as_json("runs", "list")] == ["noon", "night", "all"]
    assert [entry["model"] for entry in as_json("runs", "list", "--model", "all")] == ["all"]
    assert [entry["name"] for entry in as_json("models", "list", "--dataset", "fires")] == [
        "noon", "night", "all",
    ]  # fmt: skip
    assert as_json("datasets", "list", "--model", "noon")[0]["evaluations"] == 1
    table = printed("runs", "list").splitlines()
    assert table[0].startswith("Evaluated runs, the newest first: 3")
    assert "mAP" in table[4]

    shown = as_json("runs", "show", "night")
    assert shown["metrics"]["mAR_100"] == 0.5
    assert shown["certificate"]["dataset"] == "fires"
    text = printed("runs", "show", "night")
    assert f"evaluation  {shown['evaluation_id']}" in text
    assert "parameters.iou_threshold" in text
    assert "did you mean 'night'" in call("runs", "show", "nihgt").stderr


@pytest.mark.usefixtures("three")
def test_a_class_is_named_for_slices_comparisons_and_worst() -> None:
    for command in (["slices", "noon", "--by", "sensor"], ["worst", "noon"],
                    ["compare", "noon", "night"]):  # fmt: skip
        assert "class=fire" in printed(*command, "--label", "fire").splitlines()[0]
        refusal = call(*command, "--label", "fier")
        assert (refusal.exit_code, "did you mean 'fire'" in refusal.stderr) == (2, True)


@pytest.mark.usefixtures("three")
def test_datasets_lists_versions() -> None:
    (version,) = as_json("datasets")
    assert as_json("datasets", "list") == [version]
    assert (version["dataset"], version["number"], version["datums"]) == ("fires", 1, 4)
    assert {"hour", "sensor"} <= set(version["properties"])
    assert printed("datasets").startswith("fires v1  4 datums  " + version["digest"][:12])


def test_label_images_are_added_with_the_names_of_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("road\ncar\n")
    for uid in ("0", "1"):
        write_png(tmp_path / uid / f"{uid}.png", [[0, 1, 1]])
    with velour.open_store() as store:
        store.save_dataset(
            velour.read_dataset("0", "label-images", name="street", labels=["road", "car"])
        )
    add = ("datasets", "add", "street", "1", "--format", "label-images")
    assert "give labels (--labels FILE)" in call(*add).stderr
    assert printed(*add, "--labels", "names.txt") == "street v2  2 datums\n"
    assert "--format label-images" in call(*add[:4], "--labels", "names.txt").stderr


def test_a_store_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["datasets"])
    assert result.exit_code == 2
    assert "run 'velour evaluate' to create it" in result.stderr
    assert not (tmp_path / "velour.db").exists()


def test_plugins_says_who_provides_what() -> None:
    found = {(row["kind"], row["name"]): row["provider"] for row in as_json("plugins")}
    assert "velour-plugin" in found["evaluator", "object-detection"]
    assert ("format", "coco") in found
    assert ("command", "demo") in found
    assert len(printed("plugins").splitlines()) == len(found)


def test_db_upgrade_makes_the_tables_on_postgis(files: Path, postgis_url: str) -> None:
    """A PostgreSQL store is upgraded when its owner says so, not by the first who comes along."""
    refusal = call(*evaluate("all", "--store", postgis_url))
    assert refusal.exit_code == 1
    assert "velour db upgrade" in refusal.stderr
    for _ in range(2):
        assert printed("db", "upgrade", "--store", postgis_url).startswith("The store's schema is ")
    printed(*evaluate("night", "--store", postgis_url))
    assert rank("--store", postgis_url, "--where", NEAR_BOSTON) == [(1, "night", 0.5)]


# What is refused: on stderr, without a traceback, and nothing stored


def refused(code: int, message: str, *arguments: str) -> None:
    result = call(*arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    ("message", "results"),
    [
        ("result number 1: image_id 99 is none of the 4 in the instances", found(99)),
        ("result number 2: category_id 7 is none of the 2", [*found(2), *found(2, category_id=7)]),
        ("sizes >= 0", found(2, bbox=[0, 0, -1, 5])),
        ("expected finite", found(2, bbox=[0, 0, float("nan"), 5])),
        ("expected finite", found(2, bbox=[0, 0, 5])),
        ("score 1.5: expected a number in [0, 1]", found(2, score=1.5)),
        ("score nan", found(2, score=float("nan"))),
        ("score 'high'", found(2, score="high")),
        ("expected an object with a score", [{"image_id": 2}]),
        ("has neither bbox nor segmentation", found(2, bbox=None)),
        ("holds a dict of nothing, expected a list of results", {}),
        ("is not valid JSON", None),
    ],
)
def test_results_that_break_a_rule_are_refused(files: Path, message: str, results: Any) -> None:
    (files / "bad.json").write_text("nonsense" if results is None else json.dumps(results))
    refused(2, message, *evaluate("bad"))
    assert stored() == 0


@pytest.mark.parametrize(
    ("message", "part", "entry"),
    [
        ("image number 2: id 2 occurs twice", "images", {"id": 2}),
        ("category number 3: id 1 occurs twice", "categories", {"id": 1, "name": "x"}),
        ("two categories are called 'fire'", "categories", {"id": 9, "name": "fire"}),
        ("annotation number 5: id 2 occurs twice", "annotations", {"id": 2}),
        ("image_id 99 is none of", "annotations", {"id": 9, "image_id": 99, "category_id": 1}),
        ("category_id 9 is none", "annotations", {"id": 9, "image_id": 2, "category_id": 9}),
        ("area -4", "annotations", {"area": -4}),
        ("segmentation: ", "annotations", {"segmentation": [[0, 0, 1, 1, 1]]}),
        ("segmentation: ", "annotations", {"segmentation": {"size": [9, 9], "counts": [5]}}),
    ],
)
def test_instances_that_break_a_rule_are_refused(
    files: Path, message: str, part: str, entry: dict[str, Any]
) -> None:
    truth = json.loads((files / "truth.json").read_text())
    whole = {"id": 90, "image_id": 2, "category_id": 1, "bbox": [0, 0, 1, 1], "area": 1}
    if part == "categories":  # of which each has annotations
        truth["annotations"].append({**whole, "category_id": entry["id"]})
    entries = [*truth[part], {**whole, **entry} if part == "annotations" else entry]
    if part == "images":
        entries.insert(1, entries.pop())
    (files / "truth.json").write_text(json.dumps({**truth, part: entries}))
    refused(2, message, *evaluate())
    assert stored() == 0


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ("does not parse as CQL2", ["--where", "hour >"]),
        ("unknown property 'our': did you mean 'hour'", ["--where", "our > 3"]),
        ("selects none of the", ["--where", "hour > 99"]),
        ("unknown operator", ["--where", "S_TOUCHES(location, POINT(1 2))"]),
        ("latitude is within", ["--where", "DWITHIN(location, POINT(42 -171), 5, 'mi')"]),
        ("unknown task 'detection': did you mean 'object-detection'", ["--task", "detection"]),
        ("text stands in single quotes: hour = 'late'", ["--where", "hour = late"]),
        ("did you mean 'iou_threshold'", ["--parameters", '{"iou_treshold": 0.5}']),
        ("--parameters 'x' is not valid JSON", ["--parameters", "x"]),
        ("expected a JSON object", ["--parameters", "[1]"]),
        ("unknown format 'koko'", ["--format", "koko"]),
        ("expected sqlite:///", ["--store", "mysql://host/velour"]),
        ("store 'x': did you mean sqlite:///x?", ["--store", "x"]),
        (
            "is a directory: name a file in it, such as sqlite:///./velour.db",
            ["--store", "sqlite:///."],
        ),
        ("'.' cannot be read: it is a folder, expected a file", ["--truth", "."]),
        ("'.' cannot be read: it is a folder, expected a file", ["--predictions", "."]),
        ("'.' cannot be read: it is a folder, expected a file", ["--metadata", "."]),
        ("cannot be read: No such file", ["--metadata", "nowhere.csv"]),
        ("cannot be read: No such file", ["--truth", "nowhere.json"]),
        ("cannot be read: No such file", ["--predictions", "nowhere.json"]),
        ("No such option", ["--wher", "hour > 3"]),
    ],
)
def test_a_question_that_means_nothing_is_refused(
    files: Path, message: str, more: Sequence[str]
) -> None:
    refused(2, message, *evaluate("all", *more))
    assert stored() == 0


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("record 2: '2' occurs twice", [*METADATA[:2], METADATA[1]]),
        ("names no datum: expected one of the columns uid", ["name,hour", "2,5"]),
        ("none of its 1 records is about a datum", ["image_id,hour", "77,5"]),
        ("latitude 'north'", ["image_id,latitude,longitude", "2,north,3"]),
        ("latitude within ±90", ["image_id,latitude,longitude", "2,-171,42"]),
    ],
)
def test_metadata_that_breaks_a_rule_is_refused(
    files: Path, message: str, lines: Sequence[str]
) -> None:
    (files / "images.csv").write_text("\n".join(lines))
    refused(2, message, *evaluate())
    assert stored() == 0


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("unknown metric 'mAP50': did you mean 'mAP_50'", ["mAP50", "--dataset", "fires"]),
        ("unknown metric 'map': did you mean 'mAP'", ["map", "--dataset", "fires"]),
        (
            "label of AP 'Fire': did you mean 'fire'",
            ["AP", "--dataset", "fires", "--label", "Fire"],
        ),
        ("unknown dataset 'fire': did you mean 'fires'", ["mAP", "--dataset", "fire"]),
        ("unknown property 'our'", ["mAP", "--dataset", "fires", "--where", "our = 3"]),
        ("does not parse", ["mAP", "--dataset", "fires", "--where", "hour ="]),
        ("unknown run 'nite': did you mean 'night'", ["--dataset", "fires", "--run", "nite"]),
        ("Invalid value for '--on-mismatch'", ["--dataset", "fires", "--on-mismatch", "guess"]),
    ],
)
@pytest.mark.usefixtures("three")
def test_a_ranking_of_what_does_not_exist_is_refused(
    message: str, arguments: Sequence[str]
) -> None:
    refused(2, message, "rank", *arguments)


def test_a_misspelt_command_is_refused_with_the_nearest() -> None:
    refused(2, "unknown command 'rnak': did you mean 'rank'?", "rnak", "mAP")
    refused(2, "--dataset", "rank", "--dataste", "fires")  # around it, each click has other words


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_completion_is_a_script_for_a_shell(shell: str) -> None:
    script = printed("completion", shell)
    assert f"_VELOUR_COMPLETE={shell}_complete" in script
    refused(2, "'cmd' is not one of", "completion", "cmd")


@pytest.mark.parametrize(
    ("line", "expected"), [("velour ra", "rank"), ("velour rank --data", "--dataset")]
)
def test_commands_and_options_are_completed(
    line: str, expected: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_VELOUR_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    with pytest.raises(SystemExit):
        main(prog_name="velour")
    assert capfd.readouterr().out.split() == [f"plain,{expected}"]


@pytest.mark.usefixtures("three")
def test_a_value_that_no_datum_has_is_answered_with_those_that_exist() -> None:
    """Rankings and other questions refuse to answer about nothing in the same words."""
    files = ["--where", "sensor = 'Infra'"]
    text = "No datum has sensor = 'Infra'; values are 'infrared', 'visible'."
    refused(2, text, "rank", "--dataset", "fires", *files)
    refused(2, text, "worst", "all", *files)
    none = call("rank", "--dataset", "fires", "--where", "hour > 99")
    assert none.exit_code == 2
    assert "values are" not in none.stderr


@pytest.mark.parametrize(
    "url",
    ["sqlite:////nowhere/at/all/velour.db", "postgresql://velour:secret@127.0.0.1:1/velour"],
)
@pytest.mark.parametrize("command", ["evaluate", "rank", "datasets", "upgrade"])
def test_a_store_that_does_not_answer_is_an_error_with_a_way_out(
    files: Path, url: str, command: str
) -> None:
    calls = {
        "evaluate": evaluate("all"),
        "rank": ["rank", "--dataset", "fires"],
        "datasets": ["datasets"],
        "upgrade": ["db", "upgrade"],
    }
    refused(1, "VELOUR_STORE_URI", *calls[command], "--store", url)
    assert "secret" not in call(*calls[command], "--store", url).output


def test_a_file_that_is_no_database_is_refused(files: Path) -> None:
    (files / "notes.db").write_text("these are notes, not a database, and long enough to be read\n")
    refused(1, "not a database", "datasets", "--store", "sqlite:///notes.db")
