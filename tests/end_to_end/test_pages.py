"""README and documentation are true: their commands print what they show, their Python runs.

A block ```` ```console ```` is a session: lines with ``$`` are run, one after the other, and what
follows each must be what it prints, on stdout and stderr. A block ```` ```python ```` must run;
where the text goes on with *prints `something`*, or *prints:* and a block ```` ```text ````, its
output must end with that. The blocks of a page share a
directory, in which there is a copy of ``examples``. A block after a line
``<!-- not run: REASON -->`` is skipped for that reason. What changes from call to call is
compared as a word: see ``CHANGING``.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>.+?) -->\n+)?^```(?P<kind>console|python)\n(?P<body>.*?)^```\n+"
    r"(?:prints `(?P<line>.+?)`|prints:\n+```text\n(?P<lines>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
CHANGING = (
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),  # of a run, an evaluation
    (re.compile(r"\b[0-9a-f]{12}\b"), "DIGEST"),
    (re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (INFO|WARNING) mlflow.*\n"), ""),
    (re.compile(r"\b\d+(\.\d+)? ?(s|ms|seconds)\b"), "TIME"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)
"""What is replaced, on both sides, before they are compared."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    body: str
    line: int
    reason: str | None
    prints: str | None

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Commands of a session, each with what it prints."""
        parts = re.split(r"^\$ ", self.body, flags=re.MULTILINE)[1:]
        return [_step(part) for part in parts]


def _step(part: str) -> tuple[str, str]:
    """A command may go on in the next line after a backslash."""
    match = re.match(r"(?:.*\\\n)*.*\n?", part)
    assert match
    return match[0].strip(), part[match.end() :]


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page that can be run."""
    return [
        Block(
            kind=match["kind"],
            body=match["body"],
            line=text[: match.start("body")].count("\n"),
            reason=match["reason"],
            prints=match["line"] or match["lines"],
        )
        for match in BLOCK.finditer(text)
    ]


def settled(output: str) -> str:
    """Replace what changes from call to call."""
    for pattern, word in CHANGING:
        output = pattern.sub(word, output)
    return output.strip("\n")


def run(command: str | list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader would, with ``velour`` and ``python`` of this environment."""
    hidden = ("VELOUR_STORE_URI", "MLFLOW_TRACKING_URI")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


PAGES_WITH_BLOCKS = {
    str(page.relative_to(PROJECT)): page_blocks
    for page in PAGES
    if (page_blocks := blocks(page.read_text(encoding="utf-8")))
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with the examples in it."""
    shutil.copytree(PROJECT / "examples", tmp_path / "examples")
    return tmp_path


def test_there_are_sessions_and_there_is_python() -> None:
    executed = [block for page in PAGES_WITH_BLOCKS.values() for block in page if not block.reason]
    assert {block.kind for block in executed} == {"console", "python"}
    assert {"README.md", "docs/quickstart.md"} <= {*PAGES_WITH_BLOCKS}


@pytest.mark.parametrize("page", PAGES_WITH_BLOCKS)
def test_a_page_is_true(page: str, folder: Path) -> None:
    for block in PAGES_WITH_BLOCKS[page]:
        if block.reason is None:
            (check_python if block.kind == "python" else check_session)(block, page, folder)


def check_python(block: Block, page: str, folder: Path) -> None:
    result = run([sys.executable, "-c", block.body], folder)
    assert result.returncode == 0, f"{page}, line {block.line}:\n{result.stdout}"
    if block.prints is not None:
        assert settled(result.stdout).endswith(settled(block.prints)), result.stdout


def check_session(block: Block, page: str, folder: Path) -> None:
    for command, shown in block.steps:
        printed = settled(run(command, folder).stdout)
        difference = difflib.unified_diff(
            settled(shown).splitlines(), printed.splitlines(), page, "printed", lineterm=""
        )
        if lines := list(difference):
            pytest.fail(f"$ {command}\n" + "\n".join(lines), pytrace=False)


# The reader of pages, by itself

PAGE = """
<!-- not run: needs a server -->
```console
$ velour db upgrade
```

```console
$ velour rank mAP \\
    --dataset fires
mAP on fires
$ velour plugins
```

```python
print(1)
```

prints `1`.

```python
print("a\\nb")
```

prints:

```text
a
b
```
"""


def test_blocks_are_found_with_reasons_commands_and_outputs() -> None:
    left_out, session, python, python_of_lines = blocks(PAGE)
    assert (left_out.reason, session.reason) == ("needs a server", None)
    assert (python.body, python.prints) == ("print(1)\n", "1")
    assert python_of_lines.prints == "a\nb\n"
    assert session.steps == [
        ("velour rank mAP \\\n    --dataset fires", "mAP on fires\n"),
        ("velour plugins", ""),
    ]


def test_what_changes_is_compared_as_a_word() -> None:
    first, second = f"run {'a' * 32} in 3.2 s  \n", f"run {'b' * 32} in 14 s\n"
    assert settled(first) == settled(second) == "run ID in TIME"
