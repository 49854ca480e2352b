"""What plugin authors import: every name is there, for people and for mypy, and costs little."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest

import velour_plugin as velour
from velour_plugin import plugin


@pytest.mark.parametrize("name", plugin.__all__)
def test_every_name_exists_and_is_listed(name: str) -> None:
    assert getattr(plugin, name) is not None
    assert name in dir(plugin)


def test_no_name_stands_twice_nor_at_the_top() -> None:
    """What everybody imports is imported from the top by plugins too."""
    assert len(set(plugin.__all__)) == len(plugin.__all__)
    assert not {*plugin.__all__} & {*velour.__all__}


def test_the_type_checker_sees_the_same_names_from_the_same_modules() -> None:
    imports = re.findall(
        r"^    from velour_plugin\.([\w.]+) import \(?\s*(\w+) as \2,?\s*\)?$",
        inspect.getsource(plugin),
        re.M,
    )
    assert {name: module for module, name in imports} == plugin._HOME
    assert len(imports) == len(plugin._HOME)


def test_a_name_that_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match=r"'velour_plugin\.plugin' has no attribute 'Banana'"):
        _ = plugin.Banana  # type: ignore[attr-defined]


def test_plugins_of_ours_start_without_heavy_libraries() -> None:
    """They are loaded by every command, and by MLflow."""
    code = (
        "import sys, velour_plugin.plugins.installed as plugins; plugins.installed()\n"
        "heavy = {'sqlalchemy', 'alembic', 'mlflow', 'numpy', 'pandas', 'shapely', 'pytest'}\n"
        "print(*sorted(heavy & {*sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
