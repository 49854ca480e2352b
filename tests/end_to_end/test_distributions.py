"""What is published: an sdist with everything in it, and wheels tagged by what they hold.

All are built from a copy of the project, so that nothing is found that only lies about here, and
installed into fresh environments. Those share the libraries of this one, but not the project.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
import setuptools

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = ("velour_plugin", "evaluators", "integrations", "tests", "examples", "changes", "docs")
LEFT_BY_TOOLS = ("__pycache__", "*.pyc", "*.so", "*.pyd", "*.egg-info")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Makefile", "pyproject.toml")
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")
VENDORED = {"PYTHONPATH": str(Path(setuptools.__file__).parent / "_vendor")}
"""What setuptools brings itself comes first, as where builds are isolated from older libraries."""

COMPILER = shutil.which("cc")
WITHOUT_COMPILER = "py3-none-any"
WITH_COMPILER = "cp311-abi3-"
USE_IT = """
import velour_plugin as velour
from velour_evaluators.kernels.native import library
from velour_plugin.plugins.installed import installed

assert {"object-detection", "embedding"} <= set(installed().evaluators)
print(velour.__file__)
print("numpy" if library.functions is None else "compiled")
"""


def python(*arguments: str, interpreter: str = sys.executable, **changes: str) -> str:
    """Run Python to its end; what it prints."""
    environment = {**os.environ, **changes}
    result = subprocess.run(
        [interpreter, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, made of a copy of what the project is made of."""
    folder = tmp_path_factory.mktemp("sdist")
    copy = folder / "project"
    ignored = shutil.ignore_patterns(*LEFT_BY_TOOLS)
    for name in SOURCES:
        shutil.copytree(PROJECT / name, copy / name, ignore=ignored)
    for path in PROJECT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    build = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    environment = {**os.environ, **VENDORED}
    subprocess.run(
        [sys.executable, "-c", build], cwd=copy, check=True, capture_output=True, env=environment
    )
    (made,) = folder.glob("velour_plugin-*.tar.gz")
    return made


def wheel_of(sdist: Path, folder: Path, **changes: str) -> Path:
    """The wheel that pip builds of the source distribution."""
    options = ("--no-build-isolation", "--no-deps", "--no-cache-dir", "--wheel-dir", str(folder))
    python(*PIP, "wheel", *options, str(sdist), **VENDORED, **changes)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """The interpreter of a new environment that has the libraries, but not the project."""
    python("-m", "venv", "--without-pip", str(tmp_path / "fresh"))
    home = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "fresh")})
    (Path(home) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin") / "python"


def engine_of(wheel: Path, fresh: Path) -> str:
    """Install a wheel and use it, and nothing else of the project; which engine runs."""
    python(*PIP, "--python", str(fresh), "install", "--no-deps", str(wheel))
    file, engine = python("-P", "-c", USE_IT, interpreter=str(fresh)).splitlines()
    assert Path(file).is_relative_to(fresh.parents[1])
    return engine


def test_the_sdist_holds_every_source(sdist: Path) -> None:
    """Headers too, which only a compiler misses; and what it takes to lint and to test."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = {path.relative_to(PROJECT).as_posix() for path in sources()}
    assert any(name.endswith("bind.h") for name in expected)
    assert not (expected | set(PAGES)) - names
    assert not [name for name in names if name.endswith((".so", ".pyd", ".pyc"))]


def sources() -> list[Path]:
    """Files of the folders that an sdist is made of."""
    paths = [path for name in SOURCES for path in (PROJECT / name).rglob("*") if path.is_file()]
    return [path for path in paths if not any(map(left_by_a_tool, (path, *path.parents)))]


def left_by_a_tool(path: Path) -> bool:
    return any(path.match(pattern) for pattern in LEFT_BY_TOOLS)


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_a_compiled_wheel_names_its_platform(sdist: Path, tmp_path: Path, fresh: Path) -> None:
    """One for all Pythons from 3.11, by the stable ABI; the C sources stay out of it."""
    wheel = wheel_of(sdist, tmp_path)
    assert WITH_COMPILER in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert len([name for name in names if name.endswith((".so", ".pyd"))]) == 2
    assert not [name for name in names if name.endswith((".c", ".h"))]
    assert engine_of(wheel, fresh) == "compiled"


def test_an_uncompiled_wheel_is_for_every_machine(sdist: Path, tmp_path: Path, fresh: Path) -> None:
    wheel = wheel_of(sdist, tmp_path, CC="false")
    assert wheel.name.endswith(f"-{WITHOUT_COMPILER}.whl")
    assert engine_of(wheel, fresh) == "numpy"
