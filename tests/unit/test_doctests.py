"""Every example in a docstring or on a page runs and prints what stands below it."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest
from velour_evaluators.kernels.native import library

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = (
    PROJECT / "velour_plugin",
    PROJECT / "evaluators" / "velour_evaluators",
    PROJECT / "integrations" / "velour_integrations",
)
NEEDS_KERNEL = ("velour_evaluators.kernels.native.", "velour_plugin.native.")
"""Modules of these prefixes are of use with the compiled kernel only."""


def prompts(path: Path) -> int:
    """How many examples a file shows."""
    return len(re.findall(r"^\s*>>> ", path.read_text("utf-8"), re.MULTILINE))


def modules_with_examples() -> list[str]:
    """Dotted names of the modules of the three packages that show an example."""
    return [
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
        if prompts(path)
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_of_docstrings_are_true(name: str) -> None:
    """All of them: an example where doctest does not look, as in a closure, is a failure too."""
    if name.startswith(NEEDS_KERNEL) and library.functions is None:
        pytest.skip(library.describe())
    module = import_module(name)
    outcome = doctest.testmod(module)
    assert outcome.failed == 0
    assert outcome.attempted == prompts(Path(str(module.__file__)))


def test_examples_of_pages_are_true() -> None:
    pages = [page for folder in (PROJECT, *PACKAGES) for page in folder.glob("*.md")]
    assert PROJECT / "README.md" in pages
    for page in pages:
        assert doctest.testfile(str(page), module_relative=False).failed == 0
