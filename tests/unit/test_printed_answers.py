"""Answers in a terminal fit it, in colours that can be turned off; elsewhere they are whole."""

from __future__ import annotations

import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from datetime import UTC, datetime
from fcntl import ioctl
from itertools import pairwise
from pathlib import Path

import pytest

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.answers import (
    Cell,
    DatumImpact,
    Difference,
    Errors,
    Leaderboard,
    LeaderboardRow,
    Slice,
    Winner,
)
from velour_plugin.answers.intervals import SupportedLabels, interval_text, rough_notes
from velour_plugin.answers.slices import metadata_text

VELOUR = Path(sys.executable).parent / "velour"
ESCAPE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def row(rank: int | None, model: str, value: float | None) -> LeaderboardRow:
    sure = value is not None
    return LeaderboardRow(
        rank,
        model,
        None,
        None,
        value,
        24,
        f"id of {model}",
        interval=(0.25, 0.5) if sure else None,
        rank_interval=(1, 2) if sure else None,
        p_best=0.5 if sure else None,
        tied_with_best=True if sure else None,
    )


BOARD = Leaderboard(
    metric="mAP",
    label=None,
    dataset="fires",
    where=None,
    datums=24,
    of_datums=24,
    lower_is_better=False,
    confidence=0.95,
    rows=[row(1, "night_model", 0.5), row(2, "<day>", 0.375), row(None, "none", None)],
    notes=["A note."],
)


def test_a_table_without_a_width_has_all_columns_and_explains_each() -> None:
    heading = "rank ranks model mAP 95% interval P(best) tied with best datums"
    text = str(BOARD)
    assert text.splitlines()[2].split() == heading.split()
    for part in ("95% interval: ", "ranks: ", "P(best): ", "tied with best: ", "–: no interval"):
        assert part in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [40, 60, 72, 100])
def test_a_table_fits_its_terminal(width: int) -> None:
    lines = BOARD.to_text(width).splitlines()
    assert max(map(len, lines)) <= width
    head = next(line for line in lines if "model" in line)
    assert "mAP" in head  # what always stays
    names = ("ranks", "95% interval", "P(best)", "tied with best", "datums")
    left_out = [name for name in names if name not in head]
    end = " ".join(lines).rpartition(f"Left out at {width} columns: ")[2]
    assert end == ", ".join(left_out) + "." if left_out else "Left out" not in str(lines)
    assert not any(line.startswith(f"{name}:") for name in left_out for line in lines)


def test_columns_of_less_importance_go_first() -> None:
    kept = [
        [name for name in ("datums", "ranks", "tied", "P(best)", "interval")
         if name in BOARD.to_text(width).splitlines()[2]]
        for width in (100, 85, 72, 60)
    ]  # fmt: skip
    assert kept[0] == ["datums", "ranks", "tied", "P(best)", "interval"]
    assert all(set(after) <= set(before) for before, after in pairwise(kept))
    assert kept[-1] == ["P(best)", "interval"]


def test_a_name_that_is_too_long_is_wrapped_and_none_of_it_is_lost() -> None:
    name = "a-very-long-name-of-a-model-" * 3
    text = replace(BOARD, rows=[row(1, name, 0.5)]).to_text(50)
    table = text[: text.index("A note.")]
    assert max(map(len, text.splitlines())) <= 50
    letters = "".join(re.findall(r"[a-z-]{3,}", table.partition("─\n")[2]))
    assert letters == name


def test_the_best_row_is_green_and_an_undefined_one_dim() -> None:
    lines = BOARD.to_text(100, colour=True).splitlines()
    styles = {"night_model": "\x1b[1;32m", "<day>": "", "none": "\x1b[2m"}
    for model, style in styles.items():
        line = next(line for line in lines if model in line)
        assert line.startswith(style or " ")
    plain = [ESCAPE.sub("", line) for line in lines]
    assert plain == BOARD.to_text(100).splitlines()


def test_the_best_run_is_not_tied_with_itself() -> None:
    ends = [line.split()[-2] for line in str(BOARD).splitlines() if " 24" in line and "0." in line]
    assert ends == ["best", "yes"]


def test_a_notebook_shows_the_cells_notes_and_footnotes_of_the_console() -> None:
    html = BOARD._repr_html_()
    text = str(BOARD)
    cells = re.findall(r"<t[dh](?: [^>]*)?>(.*?)</t[dh]>", html)
    for cell in cells:
        assert cell.replace("&lt;", "<").replace("&gt;", ">") in text
    assert "0.250–0.500" in cells
    assert "&lt;day&gt;" in cells
    assert '<tr class="best">' in html
    assert '<tr class="undefined">' in html
    assert "<p>A note.</p>" in html
    assert html.count('class="footnote"') == len(BOARD.footnotes) == 5
    assert "<day>" not in html


def test_a_heading_says_what_it_means_when_the_pointer_rests_on_it() -> None:
    html = BOARD._repr_html_()
    for heading in ("ranks", "95% interval", "P(best)", "tied with best"):
        (meaning,) = re.findall(rf'<th[^>]* title="([^"]+)">{re.escape(heading)}</th>', html)
        assert any(line.startswith(f"{heading}: {meaning}") for line in BOARD.footnotes)
    assert '<th class="number">rank</th>' in html


def test_the_methods_of_intervals_are_named() -> None:
    named = replace(BOARD, rows=[replace(row, interval_method="BCa") for row in BOARD])
    (line,) = (line for line in named.footnotes if line.startswith("95% interval: "))
    assert line.endswith(" Method: BCa.")


CORRECTED = replace(BOARD, winner=Winner(0.45, (0.2, 0.475), 3, "hierarchical shrinkage"))


def test_the_winners_corrected_value_stands_under_the_table() -> None:
    said = "corrected for having been chosen among 3: 0.4500 (0.200–0.475)"
    assert said in str(CORRECTED)
    assert said in CORRECTED._repr_html_()
    assert "having been chosen" not in str(BOARD)


def test_the_winner_goes_through_json_and_into_a_frame() -> None:
    content = json.loads(json.dumps(CORRECTED.to_dict()))
    assert Leaderboard.from_dict(content) == CORRECTED
    assert Leaderboard.from_dict(content).winner == CORRECTED.winner
    assert CORRECTED.to_frame().attrs["winner"]["value"] == 0.45
    older = {key: value for key, value in BOARD.to_dict().items() if key != "winner"}
    assert Leaderboard.from_dict(older) == BOARD


def test_an_answer_is_represented_by_its_title_and_size() -> None:
    assert repr(BOARD) == "<Leaderboard 'mAP on fires: 24 of 24 datums', 3 rows>"
    assert repr(replace(BOARD, rows=BOARD.rows[:1])).endswith(", 1 row>")


def test_slices_without_interval_are_explained() -> None:
    whole = Slice("hour", "9", 24, 0.5, (0.25, 0.75), 0.0)
    few = Slice("hour", "10", 2, 0.5, None, 0.0)
    assert "–: no interval" in str(velour.Slices(title="slices", rows=[whole, few]))
    assert "–: no interval" not in str(velour.Slices(title="slices", rows=[whole]))


def test_a_comparison_without_errors_says_nothing_of_them() -> None:
    comparison = velour.Comparison(title="two", rows=(), errors=Errors(title="", rows=()))
    assert comparison.footnotes == ["difference: second less first."]


def test_a_comparison_says_of_p_what_it_is_and_of_permutations_where_there_are_any() -> None:
    row = Difference("all", "accuracy", 24, 0.5, 0.75, 0.25, 0.04)
    by_mcnemar = velour.Comparison(title="two", rows=[row])
    (about_p,) = (line for line in by_mcnemar.footnotes if line.startswith("p: "))
    assert about_p.endswith("several slices, or labels.")
    assert len(by_mcnemar.footnotes) == 2
    permuted = replace(by_mcnemar, permutations=1000)
    assert any(line.endswith("or labels; 1,000 permutations.") for line in permuted.footnotes)


def test_the_ends_of_an_interval_may_have_the_decimals_of_its_value() -> None:
    assert interval_text((0.41237, 0.5), "few datums", digits=4) == "~0.4124–0.5000"


def test_metadata_stand_in_one_line_as_filters_name_them() -> None:
    moment = datetime(2026, 1, 15, tzinfo=UTC)
    metadata = {"captured_at": moment, "night": False, "camera": {"height": 2.5}, "tags": ["a"]}
    text = "captured_at=2026-01-15T00:00:00Z, night=false, camera.height=2.5, tags=['a']"
    assert metadata_text(metadata) == text
    worst = velour.Worst(title="worst", rows=[DatumImpact("7", 0.5, metadata)])
    assert text in str(worst)


def test_a_matrix_has_the_names_of_its_slices_as_they_are() -> None:
    with velour.open_store() as store:
        velour.evaluate(fires(["2", "20"]), "object-detection", store=store)
        matrix = velour.matrix("mAP", by={"my_cut": {"at_night": "hour >= 20"}}, store=store)
    assert "at_night" in str(matrix).splitlines()[2]
    assert "at_night" in matrix._repr_html_()


def test_only_datums_that_cost_something_are_the_worst() -> None:
    """Without the image that is found, the run does worse; the other three cost it something."""
    with velour.open_store() as store:
        velour.evaluate(fires(["2"]), "object-detection", store=store)
        worst = velour.worst("model", n=10, store=store)
        assert [item.uid for item in worst] == ["10", "20", "roof"]
        assert all(item.cost > 0 for item in worst)
        assert worst.notes == ("Only 3 of 4 selected datums cost it mAP.",)
        assert velour.worst("model", n=3, store=store).notes == ()


# A terminal of its own


def in_terminal(columns: int, *arguments: str, **variables: str) -> tuple[str, int]:
    """What a command prints on a terminal, and its exit code."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    hidden = ("COLUMNS", "NO_COLOR", "TERM")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    process = subprocess.Popen(
        [VELOUR, *arguments],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**kept, "TERM": "xterm", **variables},
    )
    os.close(theirs)
    output = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux: the other end is closed
            part = b""
        if not part:
            break
        output += part
    os.close(ours)
    return output.decode().replace("\r\n", "\n"), process.wait()


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'velour.db'}"
    with velour.open_store(url) as store:
        velour.evaluate(fires(["2", "20"], "one-model"), "object-detection", store=store)
        velour.evaluate(fires(["2"], "other-model"), "object-detection", store=store)
    return url


def test_a_command_fits_its_terminal_in_colour(store_url: str) -> None:
    command = ("rank", "mAP", "--dataset", "fires", "--column", "mAP_50", "--store", store_url)
    output, code = in_terminal(44, *command)
    assert code == 0
    assert "\x1b[1;32m" in output
    assert max(len(ESCAPE.sub("", line)) for line in output.splitlines()) <= 44
    wide, _ = in_terminal(120, *command)
    assert "mAP_50" in wide.splitlines()[2]


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_turned_off(store_url: str, variables: dict[str, str]) -> None:
    command = ("rank", "mAP", "--dataset", "fires", "--store", store_url)
    output, code = in_terminal(80, *command, **variables)
    assert code == 0
    assert "one-model" in output
    assert "\x1b" not in output


def test_json_on_a_terminal_is_json(store_url: str) -> None:
    command = ("rank", "mAP", "--dataset", "fires", "--json", "--store", store_url)
    output, code = in_terminal(30, *command)
    assert code == 0
    assert [item["model"] for item in json.loads(output)["rows"]] == ["one-model", "other-model"]


REASON = "fewer than 5 datums show 1 of the 3 labels (class=c): the interval is too narrow"
ROUGH_BOARD = replace(
    BOARD,
    rows=[
        replace(
            BOARD.rows[0],
            rough=REASON,
            interval_method="BCa",
            supported=SupportedLabels(0.625, (0.5, 0.75), 2, 3),
        ),
        BOARD.rows[1],
    ],
)


def test_a_rough_interval_is_marked_and_dim_beside_that_of_supported_labels() -> None:
    first, second = (
        line for line in str(ROUGH_BOARD).splitlines() if " 24" in line and "0." in line
    )
    assert "~0.250–0.500" in first
    assert "0.6250 (0.500–0.750)" in first
    assert "~" not in second
    assert "\x1b[2m" in ROUGH_BOARD.to_text(120, colour=True)
    assert '<td class="number dim">~0.250–0.500</td>' in ROUGH_BOARD._repr_html_()
    assert "supported labels: the same over the 2 of 3 labels" in str(ROUGH_BOARD)
    assert ROUGH_BOARD.footnotes[0].endswith("Method: BCa.")


def test_without_rough_intervals_there_is_no_column_of_supported_labels() -> None:
    assert "supported" not in str(BOARD)


def test_a_dim_cell_of_the_best_row_leaves_the_rest_as_it_is() -> None:
    lines = ROUGH_BOARD.to_text(120, colour=True).splitlines()
    (line,) = (line for line in lines if "night_model" in line)
    assert line.startswith("\x1b[1;32m")
    assert "\x1b[2m~0.250–0.500\x1b[0m\x1b[1;32m" in line
    plain = [ESCAPE.sub("", text) for text in lines]
    assert plain == ROUGH_BOARD.to_text(120).splitlines()


def test_a_grey_cell_stays_grey_where_rich_lays_out_the_table() -> None:
    named = replace(ROUGH_BOARD, rows=[replace(row, model=f"[{row.model}]") for row in ROUGH_BOARD])
    text = named.to_text(130, colour=True)
    assert re.search(r"\x1b\[1;2;32m *~0.250–0.500", text)
    assert "[night_model]" in ESCAPE.sub("", text)


def test_rough_rows_and_supported_labels_go_through_json() -> None:
    again = Leaderboard.from_dict(json.loads(json.dumps(ROUGH_BOARD.to_dict())))
    assert again == ROUGH_BOARD
    frame = ROUGH_BOARD.to_frame()
    assert frame["rough"][0] == REASON
    assert frame["supported"][0]["value"] == 0.625


def test_a_rough_slice_and_a_rough_cell_are_marked() -> None:
    supported = SupportedLabels(0.625, None, 2, 3)
    part = Slice("hour", "9", 24, 0.5, (0.25, 0.75), 0.0, "BCa", REASON, supported)
    text = str(velour.Slices(title="slices", rows=[part]))
    assert "~0.250–0.750" in text
    assert "0.6250" in text
    assert "by BCa over the slice's datums" in text
    cell = Cell("m", "d", "d", None, None, 9, 0.5, (0.25, 0.75), "id", None, None, "BCa", REASON)
    assert cell.text == "0.5000 (~0.250–0.750)"


def test_notes_name_rows_that_share_a_reason_together() -> None:
    rows = [("a", "few"), ("b", None), ("c", "few"), ("d", "x"), ("e", "y"), ("f", "z")]
    assert rough_notes(rows) == [
        "Rough intervals (~) of a, c: few.",
        "Rough interval (~) of d: x.",
        "Rough interval (~) of e: y.",
        "1 more intervals are rough: to_dict() has the reasons.",
    ]
    assert rough_notes([("a", None)]) == []
