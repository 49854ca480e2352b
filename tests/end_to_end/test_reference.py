"""The reference is complete: every public name, metric and command stands on its page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from velour_integrations.mlflow.evaluation.config import CONFIG

import velour_plugin as velour
from velour_plugin.cli import main
from velour_plugin.plugins.installed import installed

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
MODULES = {"errors": "python.md", "hookspecs": "hooks.md"}
"""Public modules, each with the page that lists its members."""


def documented(page: str) -> set[str]:
    """Objects that directives of a page document, by their full names."""
    text = (REFERENCE / page).read_text("utf-8")
    return set(re.findall(r"^\.\. auto\w+:: (\S+)$", text, re.MULTILINE))


def test_every_public_name_is_on_the_page_of_python() -> None:
    names = set(velour.__all__) - MODULES.keys()
    assert {f"velour_plugin.{name}" for name in names} <= documented("python.md")
    for module, page in MODULES.items():
        assert f"velour_plugin.{module}" in documented(page)


def test_every_headline_metric_is_on_the_page_of_metrics() -> None:
    page = (REFERENCE / "metrics.md").read_text("utf-8")
    headline = {name for each in installed().evaluators.values() for name in each.headline}
    assert len(headline) > 30
    assert sorted(name for name in headline if f"`{name}`" not in page) == []


def test_every_task_has_its_parameters_on_the_page_of_parameters(tmp_path: Path) -> None:
    page = built("parameters.md", tmp_path)
    for task, evaluator in installed().evaluators.items():
        for name in evaluator.defaults:
            assert name in page, f"{name} of {task}"
    assert all(f'"{key}"\n' in page for key in CONFIG)


def test_every_command_and_option_is_on_the_page_of_commands(tmp_path: Path) -> None:
    page = built("cli.md", tmp_path)
    commands = dict(commands_of(main, "velour"))
    assert {"velour rank", "velour promote", "velour datasets tag"} <= commands.keys()
    for name, command in commands.items():
        assert f"{name} [OPTIONS]" in page
        for option in (item for item in command.params if isinstance(item, click.Option)):
            assert option.opts[0] in page, f"{option.opts[0]} of {name}"


def commands_of(group: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, by their full names."""
    yield name, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for each in group.list_commands(context):
            command = group.get_command(context, each)
            assert command is not None
            yield from commands_of(command, f"{name} {each}")


def built(page: str, folder: Path) -> str:
    """Build one page of the reference as text."""
    pytest.importorskip("sphinx_click", reason="the docs extra is not installed")
    shutil.copyfile(REFERENCE / page, folder / "index.md")
    shutil.copyfile(REFERENCE.parent / "conf.py", folder / "conf.py")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "text", folder, folder / "text"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return (folder / "text" / "index.txt").read_text("utf-8")
