"""Promotion in a real MLflow registry: who gets the alias, who does not, and what is written."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import mlflow
import pytest
from click.testing import CliRunner, Result
from velour_integrations.mlflow.registry.promote import promote
from velour_integrations.mlflow.registry.versions import (
    ModelVersion,
    evaluations_of,
    named,
    runs_of,
    versions,
    versions_of,
)

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.scenes import FOUND, TRUE
from velour_plugin.cli import main
from velour_plugin.errors import InvalidInput, NotFound, UnknownName

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

EVERY = tuple(range(12))
NIGHT = "night = true"
"""Half of the images; the even ones."""


def twelve(found: Collection[int] | None = None, extra: int = 0) -> velour.Dataset:
    """Twelve images with a fire each, and a model that finds some: mAR_100 is a count of 12.

    Args:
        found: by a model; ``None`` for no predictions.
        extra: images beyond the twelve.
    """
    datums = [velour.Datum(str(uid), {"night": uid % 2 == 0}) for uid in range(12 + extra)]
    truths = [velour.GroundTruth(datum, [TRUE]) for datum in datums]
    dataset = velour.Dataset.from_groundtruths(truths, "fires")
    if found is None:
        return dataset
    predictions = [velour.Prediction(datums[uid], [FOUND]) for uid in found]
    return dataset.with_predictions(predictions, f"finds {len(found)}")


def register(dataset: velour.Dataset | None, *aliases: str) -> str:
    """Make a version of the model ``fires`` that was judged in the run that it came from."""
    with mlflow.start_run() as run:
        logged = mlflow.create_external_model(name="fires", source_run_id=run.info.run_id)
    if dataset is not None:
        record_of = {"run_id": run.info.run_id, "model_id": logged.model_id}
        runs.evaluate(dataset, **record_of, evaluator_config={"report": False})
    number = mlflow.register_model(f"models:/{logged.model_id}", "fires").version
    for alias in aliases:
        mlflow.MlflowClient().set_registered_model_alias("fires", alias, number)
    return str(run.info.run_id)


def champion() -> int | None:
    """Number of the version that has the alias in the registry."""
    aliases = mlflow.MlflowClient().get_registered_model("fires").aliases
    return int(aliases["champion"]) if "champion" in aliases else None


def record(number: int) -> dict[str, Any]:
    """What the registry says of why a version was promoted."""
    tags = mlflow.MlflowClient().get_model_version("fires", str(number)).tags
    return dict(json.loads(tags["velour.promotion.champion"])) if tags else {}


def decide(**options: Any) -> Any:
    asked = {"metric": "mAR_100", "dataset": "fires", "permutations": 200}
    return promote("fires", **{**asked, **options})


# Who gets the alias


def test_a_lead_that_is_no_chance_moves_the_alias() -> None:
    """Of twelve fires one and eleven are found: exchanging ten of them is chance in 1 of 512."""
    register(twelve([0]), "champion")
    best = register(twelve(range(11)))
    promotion = decide()
    assert (promotion.holder, promotion.winner) == (1, 2)
    assert (promotion.moved, promotion.forced) == (True, False)
    assert promotion.p < 0.02
    assert champion() == 2
    assert promotion.reason.startswith("champion moves from fires/1 to fires/2: it leads by 0.8333")
    assert [row.model for row in promotion.board] == ["fires/2", "fires/1 @champion"]
    assert promotion.board[0].run_id == best


def test_groups_are_exchanged_whole() -> None:
    """The same lead on two groups: exchanging one, or none, are all the chances there are."""
    register(twelve([0]), "champion")
    register(twelve(range(11)))
    promotion = decide(groups="night")
    assert not promotion.moved
    assert promotion.p >= 0.5
    assert (promotion.board.groups, promotion.board.group_count) == (("night",), 2)
    decide(groups="night", force=True)
    assert record(2)["groups"] == ["night"]


def test_a_lead_that_may_be_chance_does_not() -> None:
    """One fire more of twelve: half of all exchanges make as large a difference, the other none."""
    register(twelve(range(6)), "champion")
    register(twelve(range(7)))
    promotion = decide()
    assert (promotion.moved, promotion.forced, promotion.p) == (False, False, 1.0)
    assert champion() == 1
    assert (
        "champion stays with fires/1: the lead of fires/2 by 0.0833 may be chance: p is 1.0000"
        in (promotion.reason)
    )
    assert "--force" in promotion.reason
    assert record(2) == {}


def test_force_moves_it_and_the_version_says_so() -> None:
    register(twelve(range(6)), "champion")
    run = register(twelve(range(7)))
    promotion = decide(force=True, where=NIGHT)
    assert (promotion.moved, promotion.forced) == (True, True)
    assert champion() == 2
    record_of = record(2)
    assert record_of["evaluation_id"] == runs.tags(run)["velour.evaluation_id"]
    assert (record_of["metric"], record_of["dataset"], record_of["label"]) == (
        "mAR_100",
        "fires",
        None,
    )
    assert record_of["value"] == pytest.approx(4 / 6)
    assert (record_of["forced"], record_of["p"], record_of["from"]) == (True, 1.0, 1)
    assert json.loads(record_of["where"]) == {"op": "=", "args": [{"property": "night"}, True]}
    assert "by force: the lead" in promotion.reason


def test_a_move_that_was_earned_says_so_as_well() -> None:
    register(twelve([0]), "champion")
    register(twelve(range(11)))
    decide(force=True)
    assert (record(2)["forced"], record(2)["where"]) == (False, None)
    assert record(2)["p"] == pytest.approx(decide_again_p())


def decide_again_p() -> float:
    """The same comparison by the tool for two runs; there is one challenger."""
    one, two = (evaluations_of("fires", number)[0].evaluation_id for number in (1, 2))
    p = velour.compare(one, two, metric="mAR_100", dataset="fires", permutations=200).rows[0].p
    assert p is not None
    return p


def test_the_best_of_several_challengers_had_as_many_chances() -> None:
    register(twelve([0]), "champion")
    register(twelve([0, 1]))
    register(twelve([0, 1, 2]))
    register(twelve(range(11)))
    promotion = decide()
    one, four = (evaluations_of("fires", number)[0].evaluation_id for number in (1, 4))
    p = velour.compare(one, four, metric="mAR_100", dataset="fires", permutations=200).rows[0].p
    assert p is not None
    assert promotion.p == pytest.approx(3 * p)
    assert promotion.moved
    corrected = record(4)["corrected"]
    assert corrected["chosen_among"] == 4
    assert corrected["value"] <= record(4)["value"]


def test_where_nobody_has_the_alias_the_best_gets_it() -> None:
    register(twelve(range(6)))
    register(twelve(range(5)))
    promotion = decide()
    assert (promotion.holder, promotion.winner, promotion.moved) == (None, 1, True)
    assert champion() == 1
    assert "none had it before" in promotion.reason


@pytest.mark.parametrize("force", [False, True])
def test_the_best_keeps_what_it_has(force: bool) -> None:
    register(twelve(range(6)), "champion")
    register(twelve(range(5)))
    promotion = decide(force=force)
    assert (promotion.moved, promotion.forced, champion()) == (False, False, 1)
    assert promotion.reason == "champion stays with fires/1: fires/1 comes first."


def test_a_filter_decides_who_is_best() -> None:
    """One finds the fires of the night, the other those of the day."""
    register(twelve(EVERY[1::2]), "champion")
    register(twelve(EVERY[::2]))
    promotion = decide(where=NIGHT, dry_run=True)
    assert (promotion.winner, promotion.board[0].value) == (2, 1.0)
    assert promotion.p <= 0.05
    assert decide(where="night = false", dry_run=True).winner == 1


def test_a_metric_of_one_label_is_tested_like_any_other() -> None:
    register(twelve([0]), "champion")
    register(twelve(range(11)))
    asked = {"metric": "recall", "dataset": "fires", "label": "fire"}
    promotion = promote("fires", **asked, dry_run=True)
    assert promotion.board.label == "class=fire"
    assert (promotion.p < 0.02, promotion.forced) == (True, False)
    assert promotion.reason.startswith(
        "champion would move from fires/1 to fires/2: it leads by 0.8333, p 0.0"
    )


def test_a_dry_run_writes_nothing() -> None:
    register(twelve([0]), "champion")
    register(twelve(range(11)))
    promotion = decide(dry_run=True)
    assert (promotion.moved, champion(), record(2)) == (False, 1, {})
    assert "would move from fires/1 to fires/2" in promotion.reason


def test_a_p_that_so_few_permutations_cannot_have_is_said() -> None:
    """Of 15 permutations the smallest p is 1 in 16."""
    register(twelve([0]), "champion")
    register(twelve(range(11)))
    assert "or less would do; that takes more --permutations" in decide(permutations=15).reason
    assert "--permutations" not in decide(permutations=500, dry_run=True).reason


# Margins, and looks that are made again


def test_the_thresholds_of_the_winner_are_stored() -> None:
    register(twelve(EVERY[:3]), "champion")
    register(twelve(EVERY))
    promotion = promote("fires", metric="mAR_100", dataset="fires", precision=0.9)
    score = velour.threshold("finds 12", precision=0.9).by_label
    assert len(score) == 1
    point = {"precision": 0.9, "thresholds": score}
    assert promotion.operating_point == point
    assert record(2)["operating_point"] == point
    assert str(promotion).endswith(f"Thresholds for a precision of 0.9: fire {score['fire']:.4g}.")
    with pytest.raises(InvalidInput, match="precision must be in"):
        promote("fires", metric="mAR_100", dataset="fires", precision=2)


def test_a_lead_must_be_larger_than_a_margin() -> None:
    register(twelve([0]), "champion")
    register(twelve(range(11)))
    small, large = (decide(min_lead=margin, dry_run=True) for margin in (0.2, 0.7))
    assert "champion would move from fires/1 to fires/2: it leads by 0.8333, p 0.0" in small.reason
    assert (
        "champion stays with fires/1: the lead of fires/2 by 0.8333 is not shown to be more than "
        "0.7: p is 0." in large.reason
    )
    decide(min_lead=0.2)
    assert (record(2)["min_lead"], record(2)["look"]) == (0.2, 1)
    assert record(2)["level"] == pytest.approx(0.05)


@pytest.mark.parametrize("margin", [-0.1, float("nan"), "a lot"])
def test_a_margin_that_is_none_is_refused(margin: Any) -> None:
    with pytest.raises(InvalidInput, match=r"min_lead .*expected a number >= 0"):
        decide(min_lead=margin)


def remembered() -> list[dict[str, Any]]:
    """What the registry knows of earlier looks."""
    tags = mlflow.MlflowClient().get_registered_model("fires").tags
    return [json.loads(value) for name, value in tags.items() if name.startswith("velour.looks.")]


def evaluate_again(number: int, dataset: velour.Dataset) -> None:
    """Evaluate a version on other data: those that it is known by are forgotten."""
    (version,) = named(f"models:/fires/{number}")
    record_of = {"run_id": version.run_id, "model_id": version.model_id}
    runs.evaluate(dataset, **record_of, evaluator_config={"report": False})


def test_each_look_at_data_that_grew_leaves_less() -> None:
    """Half the probability of error is left to later looks; twice the data spend half of it."""
    register(twelve(range(6)), "champion")
    register(twelve(range(7)))
    first = decide()
    assert (first.level, first.look) == (pytest.approx(0.05), 1)
    again = decide()
    assert (again.level, again.look) == (first.level, 1)  # of the same evaluations
    for number, found in ((1, range(6)), (2, range(8))):
        evaluate_again(number, twelve(found, extra=12))
    second = decide()
    assert (second.look, second.moved) == (2, False)
    assert 0.025 < second.level < 0.05
    assert f"and {second.level:.4g} or less would do at look 2" in second.reason
    ((lead, looks),) = [(item["lead"], item["looks"]) for item in remembered()]
    assert (lead["holder"], lead["challenger"], lead["metric"]) == (1, 2, "mAR_100")
    assert [units for units, _ in looks] == [12, 24]


def test_data_that_changed_without_growing_have_nothing_in_common_with_the_last() -> None:
    register(twelve(range(6)), "champion")
    register(twelve(range(7)))
    decide()
    for number, found in ((1, range(6)), (2, range(8))):
        evaluate_again(number, twelve(found))
    second = decide()
    assert second.look == 2
    assert second.level == pytest.approx(0.05 * (1 - 1 / 1.1))


def test_looks_are_forgotten_when_the_alias_moves_and_kept_by_dry_runs() -> None:
    register(twelve(range(6)), "champion")
    register(twelve(range(7)))
    decide(dry_run=True)
    assert remembered() == []
    decide()
    assert len(remembered()) == 1
    decide(force=True)
    assert remembered() == []
    assert record(2)["look"] == 1


def test_a_spoiled_tag_is_refused_with_the_way_out() -> None:
    register(twelve(range(6)), "champion")
    register(twelve(range(7)))
    decide()
    client = mlflow.MlflowClient()
    (name,) = [
        name for name in client.get_registered_model("fires").tags if name.startswith("velour.")
    ]
    client.set_registered_model_tag("fires", name, "{}")
    with pytest.raises(InvalidInput, match="delete_registered_model_tag removes it"):
        decide()
    client.delete_registered_model_tag("fires", name)
    assert decide().look == 1


def test_versions_that_were_not_evaluated_on_these_data_are_left_out_and_named() -> None:
    register(twelve([0]))
    register(None)
    register(twelve(range(13), extra=1))
    promotion = decide()
    assert [row.model for row in promotion.board] == ["fires/3"]
    notes = "\n".join(promotion.board.notes)
    assert "fires/1: not evaluated on fires v2, left out." in notes
    assert "fires/2: not evaluated on fires v2, left out." in notes


def test_a_champion_that_was_not_evaluated_on_these_data_keeps_the_alias() -> None:
    register(twelve(EVERY), "champion")
    register(twelve(range(13), extra=1))
    promotion = decide()
    assert (promotion.moved, promotion.p, champion()) == (False, None, 1)
    assert "velour evaluate models:/fires/1 --dataset fires" in promotion.reason
    assert decide(force=True).forced
    assert champion() == 2


def test_only_versions_of_the_model_take_part() -> None:
    register(twelve([0]))
    runs.evaluate(twelve(EVERY), name="a run that is no version")
    assert [row.model for row in decide().board] == ["fires/1"]


# What is refused


def test_names_that_do_not_exist_are_refused_with_the_nearest() -> None:
    register(twelve([0]))
    with pytest.raises(UnknownName, match="unknown registered model 'fire': did you mean 'fires'"):
        promote("fire", dataset="fires")
    with pytest.raises(UnknownName, match="unknown dataset 'fire': did you mean 'fires'"):
        promote("fires", dataset="fire")
    with pytest.raises(UnknownName, match="unknown metric 'mAR100'"):
        promote("fires", metric="mAR100", dataset="fires")
    with pytest.raises(UnknownName, match="unknown version of 'fires' '7': known are: 1"):
        evaluations_of("fires", "7")
    assert champion() is None


def test_a_model_that_was_never_evaluated_is_refused() -> None:
    register(None)
    with velour.open_store() as store:
        store.save_dataset(twelve())
    with pytest.raises(NotFound, match="velour evaluate models:/fires/1 --dataset fires"):
        decide()


def test_an_alias_that_mlflow_reserves_is_refused_and_nothing_is_written() -> None:
    register(twelve([0]))
    with pytest.raises(InvalidInput, match=r"'latest'.*reserved"):
        decide(alias="latest")
    assert mlflow.MlflowClient().get_model_version("fires", "1").tags == {}


def test_a_metric_that_nobody_has_a_value_of_is_refused() -> None:
    """Every fire is small."""
    register(twelve([0]))
    with pytest.raises(InvalidInput, match="no version of 'fires' has a value of mAR_large"):
        promote("fires", metric="mAR_large", dataset="fires")
    with pytest.raises(InvalidInput, match="selects none of the"):
        decide(where="uid = 'elsewhere'")


# From a version to its evaluations and back


def test_evaluations_are_found_from_a_version_and_the_other_way_round() -> None:
    run = register(twelve([0]), "champion")
    other = register(twelve([0, 1]))
    (evaluation,) = evaluations_of("fires", "champion")
    assert evaluation.run is not None
    assert evaluation.run.run_id == run
    assert evaluation.evaluation_id == runs.tags(run)["velour.evaluation_id"]
    for name in (evaluation.evaluation_id, run):
        (version,) = versions_of(name)
        assert (version.name, version.run_id, version.aliases) == ("fires/1", run, ("champion",))
    assert [one.number for one in versions("fires")] == [2, 1]
    assert (runs_of("models:/fires/2"), runs_of("models:/fires@champion")) == ([other], [run])
    assert runs_of("models:/fires") == sorted([run, other])


def test_a_model_that_is_evaluated_in_another_run_is_found_there() -> None:
    """One run trains, another evaluates ``models:/m-…``, a third evaluates something else."""
    with mlflow.start_run() as training:
        logged = mlflow.create_external_model(name="m", source_run_id=training.info.run_id)
    mlflow.register_model(f"models:/{logged.model_id}", "fires")
    run = runs.evaluate(twelve([0]), model_id=logged.model_id)
    runs.evaluate(twelve([1, 2]))
    assert [item.run and item.run.run_id for item in evaluations_of("fires", 1)] == [run]
    assert [one.name for one in versions_of(run)] == ["fires/1"]
    assert runs_of(f"models:/{logged.model_id}") == sorted([run, training.info.run_id])
    assert named(f"models:/{logged.model_id}") == [
        ModelVersion("fires", 1, training.info.run_id, logged.model_id)
    ]


def test_a_run_that_evaluates_another_model_than_it_made_is_not_its_own() -> None:
    """A run trains a model and judges the one before it, to compare."""
    old = mlflow.create_external_model(name="old")
    mlflow.register_model(f"models:/{old.model_id}", "old")
    with mlflow.start_run() as run:
        new = mlflow.create_external_model(name="new", source_run_id=run.info.run_id)
    mlflow.register_model(f"models:/{new.model_id}", "new")
    runs.evaluate(twelve([0]), run_id=run.info.run_id, model_id=old.model_id)
    assert [one.name for one in versions_of(run.info.run_id)] == ["old/1"]
    assert len(evaluations_of("old", 1)) == 1
    assert evaluations_of("new", 1) == []


# The commands


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="velour")


def test_the_command_prints_the_board_and_why() -> None:
    register(twelve([0]), "champion")
    register(twelve(range(11)))
    asked = ("promote", "fires", "--metric", "mAR_100", "--dataset", "fires")
    lines = call(*asked).stdout.splitlines()
    assert lines[0] == "mAR_100 on fires: 12 of 12 datums"
    assert lines[-1].startswith("champion moves from fires/1 to fires/2: it leads by 0.8333, p 0.0")
    again = json.loads(call(*asked, "--json").stdout)
    assert (again["moved"], again["winner"], again["holder"]) == (False, 2, 2)
    assert [row["model"] for row in again["board"]["rows"]] == ["fires/2 @champion", "fires/1"]


def test_the_command_refuses_without_a_traceback() -> None:
    register(twelve([0]))
    result = call("promote", "fire", "--dataset", "fires")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "unknown registered model 'fire': did you mean 'fires'?" in result.stderr


def test_versions_lists_versions_with_their_evaluations_from_either_end() -> None:
    run = register(twelve([0]), "champion")
    register(None)
    evaluation = runs.tags(run)["velour.evaluation_id"]
    rows = json.loads(call("versions", "fires", "--json").stdout)["rows"]
    assert [(row["version"], row["aliases"], row["evaluation"]) for row in rows] == [
        ("fires/2", "", None),
        ("fires/1", "champion", evaluation),
    ]
    assert (rows[1]["run"], rows[1]["metric"], rows[1]["dataset"]) == (run, "mAP", "fires")
    assert rows[1]["value"] == runs.metrics(run)["mAP"]
    for name in (evaluation, run, "models:/fires@champion"):
        (row,) = json.loads(call("versions", name, "--json").stdout)["rows"]
        assert row == rows[1]
    assert evaluation in call("versions", "fires").stdout
    unknown = call("versions", "fir")
    assert (unknown.exit_code, "unknown registered model, run or" in unknown.stderr) == (2, True)


def test_champion_and_shadow_are_compared_side_by_side() -> None:
    """What every command calls a run may be a version of the registry."""
    register(twelve(EVERY[1::2]), "champion")
    register(twelve(EVERY[::2]), "shadow")
    pair = ("models:/fires@champion", "models:/fires@shadow")
    asked = ("--metric", "mAR_100", "--by", "night", "--permutations", "50")
    lines = call("compare", *pair, *asked).stdout.splitlines()
    assert lines[0] == f"{pair[0]} (first) and {pair[1]} (second) on fires"
    record_of = json.loads(call("compare", *pair, *asked, "--json").stdout)["rows"]
    by_night = {row["about"]: row["difference"] for row in record_of}
    assert (by_night["night: True"], by_night["night: False"]) == (1.0, -1.0)
    board = call("rank", "mAR_100", "--dataset", "fires", "--runs", "models:/fires", "--json")
    assert len(json.loads(board.stdout)["rows"]) == 2
    unknown = call("compare", pair[0], "models:/fires@nobody")
    assert unknown.exit_code == 2
    assert "unknown version of 'fires' 'nobody': known are: 1, 2, champion, shadow" in (
        unknown.stderr
    )
