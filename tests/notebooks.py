"""Runs the notebooks. `python -m tests.notebooks` writes what they show into them: after a change, before a commit."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.pages import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
ADDRESS = re.compile(r"0x[0-9a-f]+")  # of objects in memory


def executed(path: Path) -> Any:
    """A notebook with what a fresh run shows."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    notebook = nbformat.read(path, as_version=4)
    metadata = notebook.metadata.copy()
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    notebook.metadata = metadata
    for cell in code_cells(notebook):
        cell.metadata.pop("execution", None)
    return notebook


def code_cells(notebook: Any) -> list[Any]:
    """The cells of code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cell: Any) -> str:
    """What a cell shows as text."""
    shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return ADDRESS.sub("..", "\n".join(shown))


def apart(text: str) -> tuple[str, list[float]]:
    """The words of a text, and the numbers in it: other machines give others in their last digits."""
    return re.sub(r"\s+", " ", NUMBER.sub("#", text)), [float(number) for number in NUMBER.findall(text)]


def write() -> None:
    """Writes what each notebook shows into it."""
    for path in NOTEBOOKS:
        nbformat.write(executed(path), path)


if __name__ == "__main__":
    write()
