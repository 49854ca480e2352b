"""Tags and models on the command line: what it prints, and how it says no."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

import velour_plugin as velour
from tests.fires import IMAGES, fires
from velour_plugin.cli import main
from velour_plugin.store import Store


def call(*arguments: str) -> Result:
    """Call ``velour`` in this process."""
    return CliRunner().invoke(main, list(arguments), prog_name="velour")


def printed(*arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.fixture(autouse=True)
def store() -> Iterator[Store]:
    """The default store with the fires, on which a model was evaluated."""
    with velour.open_store() as opened:
        velour.evaluate(fires(tuple(IMAGES), "swin"), "object-detection", store=opened)
        yield opened


def test_datums_are_tagged_and_ranked_by_tag() -> None:
    assert printed("datasets", "tag", "fires", "night", "--where", "hour >= 20") == (
        "2 datums of fires are new under 'night'\n"
    )
    board = json.loads(
        printed("rank", "mAP", "--dataset", "fires", "--json", "--resamples", "0", "--where",
                "'night' IN (fact.tags)")
    )  # fmt: skip
    assert board["datums"] == 2
    assert printed("datasets", "untag", "fires", "night", "--where", "hour = 22") == (
        "1 datums of fires lost 'night'\n"
    )


def test_a_tag_that_cannot_be_is_refused() -> None:
    assert "did you mean 'fires'" in refused("datasets", "tag", "fire", "night")
    assert "unknown tag 'night'" in refused("datasets", "untag", "fires", "night")
    assert "'hours'" in refused("datasets", "tag", "fires", "night", "--where", "hours > 1")
    assert "non-empty" in refused("datasets", "tag", "fires", "")


def test_models_are_described_and_ranked_by_their_metadata() -> None:
    printed("models", "set", "swin", "--metadata", "backbone=swin", "--metadata", "depth=50",
            "--location", "42.36,-71.03")  # fmt: skip
    printed("models", "set", "swin", "--metadata", "depth=", "--metadata", "frozen=true")
    (entry,) = json.loads(printed("models", "list", "--json"))
    evaluated_at = entry["evaluated_at"]
    assert [entry] == [
        {
            "name": "swin",
            "evaluations": 1,
            "datasets": ["fires"],
            "evaluated_at": evaluated_at,
            "metadata": {"backbone": "swin", "frozen": True},
            "location": "POINT (-71.03 42.36)",
        }
    ]
    assert printed("models", "list") == (
        f"swin  1 evaluation on fires, {evaluated_at[:16].replace('T', ' ')} UTC  "
        '{"backbone": "swin", "frozen": true}  POINT (-71.03 42.36)\n'
    )
    asked = ("rank", "mAP", "--dataset", "fires", "--resamples", "0", "--where")
    assert "swin" in printed(*asked, "model.metadata.frozen = TRUE")
    assert "did you mean 'model.metadata.frozen'" in refused(*asked, "model.metadata.frozn = 1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--metadata", "backbone"), "expected KEY=VALUE"),
        (("--metadata", "=swin"), "expected KEY=VALUE"),
        (("--location", "Boston"), "expected LATITUDE,LONGITUDE"),
        (("--location", "142,0"), "latitude is within"),
        (("--metadata", "x=1e999"), "metadata 'x' is inf"),
    ],
)
def test_a_description_that_breaks_a_rule_is_refused_and_nothing_is_written(
    store: Store, options: tuple[str, ...], message: str
) -> None:
    assert message in refused("models", "set", "swin", *options)
    assert store.models() == []
