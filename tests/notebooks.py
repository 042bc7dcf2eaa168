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
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # as a notebook has it, whatever tests have
    notebook = nbformat.read(path, as_version=4)
    metadata = notebook.metadata.copy()
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    notebook.metadata = metadata
    for cell in code_cells(notebook):
        cell.metadata.pop("execution", None)
        cell.outputs = [output for output in cell.outputs if not is_progress(output)]
    return notebook


def code_cells(notebook: Any) -> list[Any]:
    """The cells of code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cell: Any) -> str:
    """What a cell shows as text."""
    shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return ADDRESS.sub("..", "\n".join(shown))


def kinds_of(cell: Any) -> list[str]:
    """What kinds of things a cell shows; text that comes in pieces is one."""
    kinds = [output.output_type for output in cell.outputs]
    return [kind for kind, before in zip(kinds, [None, *kinds], strict=False) if not kind == before == "stream"]


def is_progress(output: Any) -> bool:
    """Whether an output is the line of a fit that took longer than a second, which is empty when it is over."""
    return output.output_type == "display_data" and "image/png" not in output.data


def apart(text: str) -> tuple[str, list[float]]:
    """The words of a text, and the numbers in it: other machines give others in their last digits."""
    return " ".join(NUMBER.sub("#", text).split()), [float(number) for number in NUMBER.findall(text)]


def write() -> None:
    """Writes what each notebook shows into it."""
    for path in NOTEBOOKS:
        nbformat.write(executed(path), path)


if __name__ == "__main__":
    write()
