"""Every notebook runs from top to bottom, and is kept without outputs."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.pages import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SHOWN = {  # what must be among the results: BIC without and with the label that leaks, as the seed's document has them
    "imputation_and_synthetic_data": [],
    "mixture_models": [],
    "mixture_of_regressions": ["4210.23", "3822.66", "3770.84", "4138.50", "3774.48", "3731.61"],
}


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(SHOWN)


@pytest.mark.filterwarnings("default")  # of the kernel's own machinery
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in cells), "strip the outputs before committing"
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    stray = [output.text for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    assert stray == []
    results = "".join(output.data.get("text/plain", "") for cell in cells for output in cell.outputs if "data" in output)
    assert [number for number in SHOWN[path.stem] if number not in results] == []
