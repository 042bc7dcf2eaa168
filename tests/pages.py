"""The code of Markdown pages, run as one program each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def has_code(page: Path) -> bool:
    return BLOCK.search(page.read_text("utf-8")) is not None


def run(page: Path, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the code blocks of a page define, run one after the other in `names`."""
    names = {"__name__": page.stem} if names is None else names
    text = page.read_text("utf-8")
    for found in BLOCK.finditer(text):
        above = "\n" * (text.count("\n", 0, found.start()) + 1)  # so that errors name the line of the page
        exec(compile(above + found[1], str(page), "exec"), names)
    return names
