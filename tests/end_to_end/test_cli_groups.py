"""Groups on the command line: named, declared, refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

import velour_plugin as velour
from velour_plugin.cli import main


@pytest.fixture
def url(sqlite_url: str) -> str:
    """Two classifiers of ten videos with four frames each."""
    truth = ["cat", "dog"] * 20
    metadata = [{"video": f"v{number // 4}", "camera": "c"} for number in range(40)]
    for model, wrong in (("one", range(6)), ("two", range(0, 40, 3))):
        predicted = ["dog" if at in wrong else label for at, label in enumerate(truth)]
        dataset = velour.Dataset.from_arrays(
            "pets", truth, predicted, model=model, metadata=metadata
        )
        velour.evaluate(dataset, "image-classification", store=sqlite_url)
    return sqlite_url


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--store", url])


def answer(url: str, *arguments: str) -> Any:
    result = run(url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    "command",
    [
        ["rank", "accuracy", "--resamples", "20"],
        ["matrix", "accuracy", "--resamples", "20"],
        ["recommend", "accuracy", "--resamples", "20"],
        ["slices", "one", "--by", "video", "--resamples", "20"],
        ["compare", "one", "two", "--permutations", "20"],
        ["worst", "one"],
    ],
)
def test_commands_take_groups(url: str, command: list[str]) -> None:
    content = answer(url, *command, "--groups", "video")

    assert (content["groups"], content["group_count"]) == (["video"], 10)
    assert answer(url, *command, "--groups", "none")["group_count"] is None
    several = answer(url, *command, "--groups", "video", "--groups", "camera")
    assert several["groups"] == ["video", "camera"]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["vidoe"], "unknown property 'vidoe': did you mean 'video'?"),
        (["camera"], "all 40 selected datums of 'pets' are one group"),
        (["none", "video"], "'none' stands alone"),
        ([""], "expected a property of datums"),
    ],
)
def test_what_makes_no_groups_is_refused(url: str, groups: list[str], message: str) -> None:
    options = [part for name in groups for part in ("--groups", name)]
    result = run(url, "rank", "accuracy", *options)

    assert result.exit_code == 2
    assert message in result.output


def test_groups_are_declared_for_what_is_stored(url: str) -> None:
    assert "share values" not in run(url, "rank", "accuracy", "--groups", "none").output
    assert "Datums share values of 'video'" in run(url, "rank", "accuracy").output

    done = run(url, "datasets", "set", "pets", "--groups", "video")

    assert done.exit_code == 0, done.output
    assert done.output.startswith("pets v1 ")
    assert "groups       video" in run(url, "datasets", "show", "pets").output
    assert answer(url, "rank", "accuracy")["groups"] == ["video"]
    assert "share values" not in run(url, "rank", "accuracy").output
    assert run(url, "datasets", "set", "pets", "--groups", "video_id").exit_code == 2
    run(url, "datasets", "set", "pets", "--groups", "none")
    assert answer(url, "rank", "accuracy")["groups"] == []
    assert "share values" not in run(url, "rank", "accuracy").output
