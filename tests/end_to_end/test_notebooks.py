"""The notebooks run from the first cell to the last, and stand in the repository without outputs.

Executed copies go to ``test-output/``, for people to look at.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

PROJECT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((PROJECT / "examples" / "notebooks").glob("*.ipynb"))
OUTPUT = PROJECT / "test-output"


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_documentation_links_every_notebook() -> None:
    page = (PROJECT / "docs" / "notebooks.md").read_text("utf-8")
    assert len(NOTEBOOKS) == 3
    assert all(f"notebooks/{path.name}>" in page for path in NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs_in_the_repository(path: Path) -> None:
    """They would be those of an older version as soon as a number or a table changes."""
    for cell in code_cells(nbformat.read(path, as_version=4)):
        assert (cell.outputs, cell.execution_count) == ([], None)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cell ends in an error, and the last value of a cell is displayed."""
    for name in ("VELOUR_STORE_URI", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(PROJECT / "examples", tmp_path / "examples")
    notebook = nbformat.read(path, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Jupyter's own, which are not ours to mend
        nbclient.NotebookClient(
            notebook, timeout=120, resources={"metadata": {"path": tmp_path / "examples/notebooks"}}
        ).execute()
    OUTPUT.mkdir(exist_ok=True)
    nbformat.write(notebook, OUTPUT / path.name)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert "error" not in {output.output_type for output in outputs}
    assert sum(output.output_type == "execute_result" for output in outputs) >= 3
