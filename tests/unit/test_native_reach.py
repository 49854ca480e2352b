"""Nothing is compiled that the product cannot call, and the compiler has nothing to say of it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sanitizer.run import CORE, DETECTION, MODULES, PROJECT, SHARED
from velour_plugin import plugin

COMPILER = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(
    COMPILER is None or sys.platform != "linux", reason="needs gcc and GNU ld on Linux"
)
WARNINGS = ["-Wall", "-Wextra", "-Wmissing-prototypes", "-Werror"]
PRODUCT = {
    "velour_plugin": PROJECT,
    "velour_evaluators": PROJECT / "evaluators",
    "velour_integrations": PROJECT / "integrations",
}


# ---- C: from the tables of the modules ---------------------------------------------------------


def dropped_of(sources: list[Path], folder: Path) -> set[str]:
    """Functions that the linker drops, as ``file.o:function``: nothing leads there from Python.

    Each function is compiled into a section of its own; those that are not needed are left out.
    """
    include = [f"-I{sysconfig.get_paths()['include']}", f"-I{CORE}"]
    flags = ["-O0", "-fPIC", "-ffunction-sections", "-fvisibility=hidden"]
    run([*flags, *WARNINGS, *include, "-c", *map(str, sources)], folder)
    objects = [f"{path.stem}.o" for path in sources]
    link = ["-shared", "-pthread", "-Wl,--gc-sections,--print-gc-sections", "-o", "rooms.so"]
    printed = run([*link, *objects, "-lm"], folder)
    return {
        f"{file}:{name}" for name, file in re.findall(r"'\.text\.(\w+)' in file '(\S+)'", printed)
    }


def run(arguments: list[str], folder: Path) -> str:
    """Run the compiler in a folder; what it says."""
    done = subprocess.run([str(COMPILER), *arguments], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


@needs_gcc
def test_no_c_function_is_out_of_reach(tmp_path: Path) -> None:
    """A room of the core is compiled into both modules: one of them must need its functions."""
    dropped = []
    for name, sources in MODULES.items():
        (tmp_path / name).mkdir()
        dropped.append(dropped_of(sources, tmp_path / name))
    shared = {f"{path.stem}.o" for path in SHARED}
    core, detection = dropped
    own = {one for one in core ^ detection if one.split(":")[0] not in shared}
    assert not core & detection | own


@needs_gcc
def test_a_function_out_of_reach_is_noticed(tmp_path: Path) -> None:
    idle = tmp_path / "idle.c"
    idle.write_text("int idle(int number);\nint idle(int number)\n{\n    return number;\n}\n")
    assert "idle.o:idle" in dropped_of([*next(iter(MODULES.values())), idle], tmp_path)


# ---- Python: from the product to the tables ----------------------------------------------------


def test_every_compiled_function_is_called_by_the_product() -> None:
    """By a wrapper that something outside the folders named ``native`` leads to."""
    calls = reached(*graph())
    bound = {name for path in (CORE, DETECTION) for name in table_of(path / "module.c")}
    assert bound <= calls, f"nobody calls {sorted(bound - calls)}"


def test_a_wrapper_that_only_tests_call_is_noticed() -> None:
    roots, edges = graph()
    edges["velour_plugin.native.masks.idle"] = {"idle"}
    assert "idle" not in reached(roots, edges)


def table_of(path: Path) -> list[str]:
    """What a module offers to Python."""
    return re.findall(r"_\((\w+)\)", path.read_text("utf-8"))


def graph() -> tuple[set[str], dict[str, set[str]]]:
    """What the product refers to from outside, and what each wrapper refers to."""
    roots: set[str] = set()
    edges: dict[str, set[str]] = {}
    for name, tree in product_modules():
        if name == plugin.__name__:
            continue  # its table names all that plugins may use, used or not
        named = imports_of(tree)
        if ".native" not in name:
            roots |= set(references(tree, named))
            continue
        own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        named |= {one: f"{name}.{one}" for one in own}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                edges[f"{name}.{node.name}"] = set(references(node, named))
    return roots, edges


def product_modules() -> Iterator[tuple[str, ast.Module]]:
    for package, folder in PRODUCT.items():
        for path in sorted((folder / package).rglob("*.py")):
            name = ".".join(path.relative_to(folder).with_suffix("").parts)
            yield name.removesuffix(".__init__"), ast.parse(path.read_text("utf-8"))


def imports_of(tree: ast.Module) -> dict[str, str]:
    """Names of a module, and what they stand for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for one in node.names:
                home = node.module
                if home == plugin.__name__:
                    home = f"velour_plugin.{plugin._HOME[one.name]}"
                found[one.asname or one.name] = f"{home}.{one.name}"
    return found


def references(tree: ast.AST, named: dict[str, str]) -> Iterator[str]:
    """What names and ``module.name`` stand for; of ``functions.name`` the name.

    Where a module is named, any attribute may be one of its: ``kernel = compiled or numpy``.
    """
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    modules = {named[name] for name in names if name in named}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in named:
            yield named[node.id]
        if not isinstance(node, ast.Attribute):
            continue
        if isinstance(node.value, ast.Attribute) and node.value.attr == "functions":
            yield node.attr
        yield from (f"{module}.{node.attr}" for module in modules)


def reached(roots: set[str], edges: dict[str, set[str]]) -> set[str]:
    """All that the roots lead to."""
    found, new = set(roots), set(roots)
    while new:
        new = {to for one in new for to in edges.get(one, ())} - found
        found |= new
    return found
