"""What people see: three runs in the stock MLflow pages, and a report, in a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pytest

from tests import mlflow_runs as runs
from tests.browser import browser, mlflow_server, picture, see, tour, view_name, without_assistant
from tests.pictures import LABELS, MODELS, harbour, predicted
from velour_plugin.report.cell_examples import example_uids
from velour_plugin.report.drawing import drawn
from velour_plugin.report.findings import find
from velour_plugin.report.page import report
from velour_plugin.use_cases.evaluate import evaluate

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = runs.QUIET

TOUR = (
    "mlflow-saved-view",
    "mlflow-saved-view-curves",
    "mlflow-table",
    "mlflow-tables-compared",
    "mlflow-run",
    "mlflow-report",
)
"""Pictures that the documentation shows one after the other."""


@pytest.fixture
def server(mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An MLflow server, which runs are logged to."""
    shutil.copyfile(mlflow_template, tmp_path / "server.db")
    with mlflow_server(tmp_path) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        yield url


def files_of(run: str) -> set[str]:
    return {item.path for item in mlflow.MlflowClient().list_artifacts(run)}


def test_the_stock_pages_compare_three_runs(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The saved view, its table, the tables of artifacts, the comparison, a run and its report."""
    dataset = harbour(tmp_path)
    experiment = mlflow.MlflowClient().create_experiment("harbour")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment)  # set_experiment would outlive the test
    config = {"images": str(tmp_path)}
    run_ids = {
        model: runs.evaluate(predicted(dataset, model), name=model, evaluator_config=config)
        for model in MODELS
    }
    numbers = {model: runs.metrics(run) for model, run in run_ids.items()}
    view = (
        f"{server}/#/experiments/{experiment}/runs?viewStateShareKey=velourobjectdetection"
        "&workflowType=machine_learning&compareRunsMode="
    )
    with browser() as context:
        without_assistant(context)
        page = context.new_page()

        page.goto(f"{view}CHART")
        see(page, "Headline", "mAP_75", *MODELS)
        see(page, *view_name("object-detection"))
        see(page, *(f"{values['mAP']:.2f}" for values in numbers.values()))
        picture(page, "mlflow-saved-view")
        for section, chart in (
            ("Labels", "AP_50_by_class/boat"),
            ("Slices", "mAP_by_time_of_day/night"),
            ("Curves", "precision_at_recall/boat"),
            ("Worst images", "velour_worst"),
        ):
            page.get_by_text(section, exact=True).last.scroll_into_view_if_needed()
            see(page, chart)
        page.locator("img[src*='velour_worst'], img[src^='blob']").first.wait_for()
        picture(page, "mlflow-saved-view-curves")

        page.goto("about:blank")  # MLflow 3.5 reads a view only as its page begins
        page.goto(f"{view}TABLE")
        see(page, "Dataset", "mAP_50", *(str(values["mAP"])[:7] for values in numbers.values()))
        picture(page, "mlflow-table")

        page.goto("about:blank")
        page.goto(f"{view}ARTIFACT")
        see(page, "velour_per_class.json", *LABELS)
        for values in numbers.values():
            see(page, str(round(values["AP_50_by_class/boat"], 4)))
        picture(page, "mlflow-tables-compared")

        chosen = (json.dumps(list(run_ids.values())), json.dumps([experiment]))
        page.goto("{}/#/compare-runs?runs={}&experiments={}".format(server, *chosen))
        see(page, "Comparing 3 Runs", "mAP_by_port/Halifax")
        for values in numbers.values():
            rounded = f"{values['mAP_by_time_of_day/night']:.3f}".rstrip("0")
            page.get_by_text(rounded, exact=True).first.wait_for(state="attached")
        picture(page, "mlflow-comparison")

        run = run_ids["large"]
        page.goto(f"{server}/#/experiments/{experiment}/runs/{run}?workflowType=machine_learning")
        see(page, f"{numbers['large']['mAP']:.4f}", "all runs compared")
        picture(page, "mlflow-run")
        with context.expect_page() as opened:
            page.get_by_role("link", name="report", exact=True).click()
        frame = opened.value.frame_locator("iframe")
        frame.locator("body[data-drawn='8']").wait_for()
        assert frame.locator("h1").inner_text() == "large on harbour"
        leaders = frame.locator("#leaderboard td:nth-child(2)").all_inner_texts()
        assert leaders == sorted(MODELS, key=lambda model: -numbers[model]["mAP"])
        picture(opened.value, "mlflow-report")
    assert tour(TOUR).stat().st_size < 500_000

    runs.evaluate(predicted(dataset, "large"), run, evaluator_config={"slices": []})
    assert "velour_slices.json" not in files_of(run)  # deleted through the server


def test_a_report_needs_no_network(tmp_path: Path) -> None:
    """Figures are drawn, images shown, and nothing else is requested; data are no markup."""
    dataset = predicted(harbour(tmp_path), "small")
    evil = dataset.with_predictions(
        dataset.predictions or [], model="<script>document.title = 'taken'</script>"
    )
    findings = find(evaluate(evil, "object-detection", save=False), evil)
    worst = [findings.datums[index].uid for index in findings.worst]
    images = list(drawn(evil, worst, tmp_path, 0.5))
    path = tmp_path / "report.html"
    path.write_text(report(findings, images), encoding="utf-8")
    requested: list[str] = []
    problems: list[str] = []
    with browser() as context:
        page = context.new_page()
        page.on("request", lambda request: requested.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if line.type == "error" else 0)
        page.goto(path.as_uri())
        page.locator("body[data-drawn='8']").wait_for()
        assert page.locator("h1").inner_text().startswith("<script>document.title")
        assert page.title() != "taken"
        for name in ("precision_recall", "confusion", "slices", "map"):
            assert page.locator(f"#{name} svg.main-svg").count() > 0
        assert set(page.locator("#precision_recall .legendtext").all_text_contents()) == set(LABELS)
        widths = page.locator("#worst img").evaluate_all("all => all.map(i => i.naturalWidth)")
        assert len(widths) == len(worst)
        assert min(widths) == 320
        assert page.locator("#slices-table td").first.inner_text() == "time_of_day: day"
        picture(page, "velour-report", whole=True)
    assert [url for url in requested if not url.startswith(("file:", "blob:", "data:"))] == []
    assert problems == []


def click_on_cell(page: Page, truth: str, prediction: str) -> None:
    """Click in the middle of a cell of the confusion matrix."""
    page.locator("#confusion").scroll_into_view_if_needed()
    x, y = page.evaluate(
        """([truth, predicted]) => {
            const {xaxis, yaxis, _size} = confusion._fullLayout;
            const {left, top} = confusion.getBoundingClientRect();
            const across = confusion._fullData[0].x.indexOf(predicted);
            const down = confusion._fullData[0].y.indexOf(truth);
            return [left + _size.l + xaxis.d2p(across), top + _size.t + yaxis.d2p(down)];
        }""",
        [truth, prediction],
    )
    page.mouse.move(x, y, steps=3)
    page.mouse.click(x, y)


def test_a_cell_of_the_confusion_matrix_opens_images_of_its_errors(tmp_path: Path) -> None:
    """As many datums as the evaluation lists; each with its image, where one is drawn."""
    dataset = predicted(harbour(tmp_path), "small")
    evaluation = evaluate(dataset, "object-detection", save=False)
    findings = find(evaluation, dataset)
    images = list(drawn(dataset, example_uids(findings), tmp_path, 0.5))
    path = tmp_path / "report.html"
    path.write_text(report(findings, images[1:]), encoding="utf-8")
    errors = findings.overall("confusion_matrix").value["errors"]  # type: ignore[union-attr]
    missed = next(each for each in errors if each["predicted"] is None)
    expected = list(dict.fromkeys(example["datum"] for example in missed["examples"]))
    with browser() as context:
        page = context.new_page()
        page.goto(path.as_uri())
        page.locator("body[data-drawn='8']").wait_for()
        click_on_cell(page, missed["truth"], "missed")
        dialog = page.locator("dialog#examples")
        dialog.wait_for()
        assert dialog.locator("h2").inner_text() == f"true {missed['truth']}, predicted missed"
        assert dialog.locator("figcaption").all_inner_texts() == expected
        shown = dialog.locator("img").evaluate_all("all => all.map(i => [i.alt, i.naturalWidth])")
        assert shown == [[uid, 220] for uid in expected if uid != images[0].uid]
        picture(page, "velour-report-cell")
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        click_on_cell(page, "boat", "boat")
        assert "errors only" in dialog.locator("#examples-count").inner_text()
        dialog.get_by_role("button", name="Close").click()
        dialog.wait_for(state="hidden")


def test_a_map_has_coast_lines_around_the_datums(tmp_path: Path) -> None:
    """Of Boston and Halifax: the coast runs through what is shown, and needs no network."""
    dataset = predicted(harbour(), "small")
    findings = find(evaluate(dataset, "object-detection", save=False), dataset)
    path = tmp_path / "report.html"
    path.write_text(report(findings), encoding="utf-8")
    requested: list[str] = []
    with browser() as context:
        page = context.new_page()
        page.on("request", lambda request: requested.append(request.url))
        page.goto(path.as_uri())
        page.locator("body[data-drawn='8']").wait_for()
        page.locator("#map").scroll_into_view_if_needed()
        assert page.locator("#map .scatterlayer .points path.point").count() == 40
        lines = page.locator("#map .scatterlayer .lines path.js-line")
        drawn_lines = lines.evaluate_all("all => all.map(line => line.getAttribute('d')).join('')")
        assert len(drawn_lines) > 200
        assert "Natural Earth" in page.locator("#figures").inner_text()
        picture(page, "velour-report-map")
    assert [url for url in requested if not url.startswith(("file:", "blob:", "data:"))] == []
