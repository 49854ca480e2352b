"""Refuse names that say nothing of their type, and folders that hold too much: part of ``make lint``.

A pronoun or a verb of speech never stands for a thing; the field's noun does. Modules, classes,
functions and parameters of the product are checked, local variables are left to review.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "velour_plugin",
    "evaluators/velour_evaluators",
    "integrations/velour_integrations",
)
BANNED = frozenset(
    "said told asked found wanted given spelled became judged place one own both strange worth team"
    " field entrants contenders verdict interview costly".split()
)
ALLOWED = {"velour_plugin/filters/language/builder.py": {"field", "Field"}}
"""``velour.field`` is public."""

MOST_MODULES = 15
FROZEN = "/migrations/versions/"


def words(name: str) -> set[str]:
    """Split a name in snake or camel case, in lower case.

    >>> sorted(words("_JudgedFrame_of"))
    ['frame', 'judged', 'of']
    """
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)}


def is_banned(name: str) -> bool:
    """Whether a name is nothing but a banned word."""
    return len(words(name)) == 1 and not words(name).isdisjoint(BANNED)


def names_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Classes, functions and parameters of a module, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.name
        if isinstance(node, ast.arg):
            yield node.lineno, node.arg


def banned_names(module: Path) -> Iterator[str]:
    """Lines to print about a module."""
    shown = module.relative_to(PROJECT).as_posix()
    if is_banned(module.stem):
        yield f"{shown}: a module's name"
    for line, name in names_of(ast.parse(module.read_text(encoding="utf-8"))):
        if is_banned(name) and name not in ALLOWED.get(shown, ()):
            yield f"{shown}:{line}: {name!r} names no thing: use the noun of what it holds"


def twice(modules: list[Path]) -> Iterator[str]:
    """Public classes of one name in two modules."""
    homes: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(module.relative_to(PROJECT).as_posix())
    for name, where in homes.items():
        if len(where) > 1:
            yield f"class {name} stands in {' and '.join(where)}: one word, one thing"


def crowded(modules: list[Path]) -> Iterator[str]:
    """Folders with more modules than one looks through."""
    counts = Counter(module.parent for module in modules if module.stem != "__init__")
    for folder, count in counts.items():
        if count > MOST_MODULES:
            shown = folder.relative_to(PROJECT).as_posix()
            yield f"{shown}: {count} modules, more than {MOST_MODULES}: divide it by concept"


def main() -> int:
    """Print what breaks a rule; the exit code says whether anything does."""
    modules = [
        module
        for package in PACKAGES
        for module in sorted((PROJECT / package).rglob("*.py"))
        if FROZEN not in module.as_posix()
    ]
    problems = [line for module in modules for line in banned_names(module)]
    problems += [*twice(modules), *crowded(modules)]
    print(*problems, sep="\n", end="\n" if problems else "")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
