"""Progress is for people who watch: on a terminal, and after a while."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace

import pytest

from velour_plugin.helpers import progress
from velour_plugin.helpers.progress import track, waiting


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        """Whatever happens, it is one."""
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    monkeypatch.setenv("TERM", "xterm")
    shown = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=shown))  # pytest has sys.stderr
    return shown


def wait_for(shown: Terminal, text: str) -> None:
    """Until the terminal shows the text."""
    end = time.monotonic() + 30
    while text not in shown.getvalue():
        assert time.monotonic() < end, shown.getvalue()
        time.sleep(0.01)


def test_a_long_wait_is_shown_and_gone_afterwards(terminal: Terminal) -> None:
    with waiting("loading MLflow"):
        wait_for(terminal, "loading MLflow …")
    assert terminal.getvalue() == "\rloading MLflow …\r\x1b[K"


def test_a_short_wait_is_not_shown(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 60.0)
    with waiting("loading MLflow"):
        pass
    assert terminal.getvalue() == ""


def test_it_is_gone_after_an_error(terminal: Terminal) -> None:
    def fail() -> None:
        with waiting("reading"):
            wait_for(terminal, "reading …")
            raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        fail()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert progress._LINES == []


def test_a_bar_takes_the_place_of_a_line(terminal: Terminal) -> None:
    with waiting("evaluating"):
        wait_for(terminal, "evaluating …")
        for _ in track(range(2), 2, "asking the model"):
            time.sleep(0.06)
        assert "\r\x1b[K" in terminal.getvalue()


def test_a_terminal_that_cannot_clear_a_line_shows_none(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with waiting("loading MLflow"):
        time.sleep(0.1)
    assert terminal.getvalue() == ""


def test_nothing_is_shown_where_nobody_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with waiting("loading MLflow"):
        assert list(track(range(3), 3, "counting")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
