"""What readers noted is kept beside versions and evaluations, and is no part of what they are."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.cli import main
from velour_plugin.domain.inputs.reading import ReadingReport, Remark
from velour_plugin.store import upgrade_store

NOTED = ReadingReport({"images": 4}, repaired=(Remark("areas set to 0", 2, ("'a.json'",)),))
OTHER = ReadingReport({"images": 4}, unmatched=(Remark("records of no image", 1, ("'x'",)),))
ODD = ReadingReport({}, skipped=(Remark("texts", 1, ("a\x00b\ud800", r"\u0000", "\\")),))


def noted(truth: ReadingReport | None, predictions: ReadingReport | None) -> velour.Dataset:
    return replace(fires(["2"], "m"), reading=truth, predictions_reading=predictions)


def test_both_are_read_back_and_the_newest_is_kept(store_url: str) -> None:
    upgrade_store(store_url)
    with velour.open_store(store_url) as store:
        evaluation = velour.evaluate(noted(NOTED, OTHER), "object-detection", store=store)
        version = store.versions("fires")[0]
        assert (store.reading(version), store.predictions_reading(evaluation.id)) == (NOTED, OTHER)
        assert store.load_dataset("fires").reading == NOTED
        assert store.save_dataset(noted(OTHER, None)) == version
        assert store.reading(version) == OTHER
        store.save_dataset(noted(None, None))  # says nothing new
        assert store.reading(version) == OTHER
        store.save(evaluation, noted(NOTED, NOTED))
        assert (store.reading(version), store.predictions_reading(evaluation.id)) == (NOTED, NOTED)


def test_a_reading_changes_no_digest() -> None:
    plain, read = fires(["2"], "m"), noted(NOTED, OTHER)
    assert plain.digest == read.digest
    ids = {velour.evaluate(each, "object-detection", save=False).id for each in (plain, read)}
    assert len(ids) == 1


@pytest.mark.parametrize("report", [NOTED, ReadingReport(), None])
def test_it_is_written_with_the_first_evaluation(
    sqlite_url: str, report: ReadingReport | None
) -> None:
    """Which a new file is made of, without opening a store."""
    evaluation = velour.evaluate(noted(report, report), "object-detection", store=sqlite_url)
    with velour.open_store(sqlite_url) as store:
        assert store.reading(store.versions("fires")[0]) == report
        assert store.predictions_reading(evaluation.id) == report


def test_any_text_is_kept_as_far_as_a_database_takes_it(store_url: str) -> None:
    upgrade_store(store_url)
    with velour.open_store(store_url) as store:
        store.save_dataset(noted(ODD, None))
        report = store.reading(store.versions("fires")[0])
    assert report is not None
    assert report.skipped[0].names == ("a\N{REPLACEMENT CHARACTER}b?", r"\u0000", "\\")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_commands_show_it(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade_store(store_url)
    monkeypatch.setenv("VELOUR_STORE_URI", store_url)
    velour.evaluate(noted(NOTED, OTHER), "object-detection", store=store_url)
    shown = run("datasets", "show", "fires")
    assert "repaired: 2 areas set to 0 ('a.json', …)" in shown
    assert "1 of 1 models" in shown
    assert json.loads(run("datasets", "show", "fires", "--json"))["reading"] == NOTED.to_dict()
    assert "unmatched: 1 records of no image ('x')" in run("runs", "show", "m")
    assert json.loads(run("runs", "show", "m", "--json"))["reading"] == OTHER.to_dict()
    for arguments in (["fire"], ["fires", "--version", "2"]):
        refused = CliRunner().invoke(main, ["datasets", "show", *arguments])
        assert refused.exit_code == 2, refused.output


def test_older_content_says_that_nothing_is_known(store_url: str) -> None:
    upgrade_store(store_url)
    with velour.open_store(store_url) as store:
        velour.evaluate(fires(["2"], "m"), "object-detection", store=store)
    assert "read: unknown" in run("datasets", "show", "fires", "--store", store_url)
