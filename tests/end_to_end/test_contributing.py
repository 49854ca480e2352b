"""CONTRIBUTING is true: each module that it shows passes the test that it shows beside it.

The modules are installed as the page says, by the entry points that it shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text("utf-8")
FILE = re.compile(r"^```python\n# (?P<name>\w+\.py)\n(?P<source>.*?)^```", re.MULTILINE | re.DOTALL)
FILES = {found["name"]: found["source"] for found in FILE.finditer(PAGE)}
PROJECT = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TESTS = sorted(name for name in FILES if name.startswith("test_"))


def test_an_evaluator_a_format_and_a_fact_are_shown_and_tested() -> None:
    """Every block of Python names its file, and every module has its test."""
    assert PAGE.count("```python") == len(FILES) == 2 * len(TESTS) == 6
    assert set(FILES) == {name.removeprefix("test_") for name in TESTS} | set(TESTS)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with all the modules and the metadata that an installation would write."""
    for name, source in FILES.items():
        (tmp_path / name).write_text(source, "utf-8")
    (table,) = PROJECT
    offered = tomllib.loads(table)["project"]["entry-points"]["velour"]
    info = tmp_path / "shown-1.0.dist-info"
    info.mkdir()
    lines = [f"{name} = {module}" for name, module in offered.items()]
    (info / "entry_points.txt").write_text("\n".join(["[velour]", *lines]), "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shown\nVersion: 1.0\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize("name", TESTS)
def test_what_contributors_are_shown_works(name: str, package: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", name]
    result = subprocess.run(
        command,
        cwd=package,
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
