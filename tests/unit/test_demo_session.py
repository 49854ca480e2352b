"""What ``velour demo`` prints as a command is that command, for a shell in the same directory."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from velour_integrations.demo.hints import free_port
from velour_integrations.demo.session import WIDTH, command_line, program

WORDS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=60)


@given(st.lists(st.one_of(WORDS, st.just("--where"), st.just("time_of_day = 'night'")), min_size=1))
def test_a_command_line_is_its_words_for_a_shell(words: list[str]) -> None:
    assert shlex.split(command_line(*words).replace("\\\n", "")) == words


def test_a_shell_reads_what_is_printed() -> None:
    words = ["%s|", "a b", "it's", "time = 'night'", '"$HOME"', "--x", "y" * WIDTH, "--z", "`ls`"]
    line = command_line("printf", *words)
    shown = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
    assert shown.split("|")[:-1] == words[1:]
    assert "\\\n    --z" in line


def test_a_filter_is_printed_in_double_quotes() -> None:
    assert command_line("velour", "--where", "a = 'b'") == "velour --where \"a = 'b'\""


@pytest.mark.parametrize("place", ["on the path", "below", "elsewhere", "linked"])
def test_a_program_is_called_as_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    shutil.copy(shutil.which("true") or "", folder / "velour")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    links = tmp_path / "links"
    links.mkdir()
    (links / "velour").symlink_to(folder / "velour")
    path = {"on the path": str(folder), "linked": str(links)}.get(place, "/nowhere")
    monkeypatch.setenv("PATH", path)
    if place == "elsewhere":
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
    expected = {
        "on the path": "velour",
        "below": ".venv/bin/velour",
        "elsewhere": str(folder / "velour"),
        "linked": ".venv/bin/velour",
    }
    assert program("velour") == expected[place]


def test_a_port_in_use_is_not_proposed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert port < free_port(port) <= port + 100
