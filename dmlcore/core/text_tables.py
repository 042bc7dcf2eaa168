"""Rows of values as a table: text for a terminal, HTML for a notebook."""

from __future__ import annotations

import html
from typing import Any

from dmlcore.core.typeface import for_terminal

MAX_LINES = 200  # rows that a table shows at most


def cell(value: Any) -> str:
    """A value in few characters."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    if value and abs(value) < 1e-4:
        return f"{value:.2e}"
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.6g}"


def as_text(rows: list[dict[str, Any]]) -> str:
    """A table with one line per row, numbers to the right."""
    if not rows:
        return "(nothing)"
    heads = list(rows[0])
    body = [[cell(row[head]) for head in heads] for row in rows[:MAX_LINES]]
    numeric = [any(isinstance(row[head], (int, float)) for row in rows) for head in heads]
    widths = [max(len(head), *(len(line[j]) for line in body)) for j, head in enumerate(heads)]
    lines = [
        "  ".join(text.rjust(width) if right else text.ljust(width) for text, width, right in zip(line, widths, numeric, strict=True))
        for line in [heads, *body]
    ]
    more = [f"... {len(rows) - MAX_LINES} more"] if len(rows) > MAX_LINES else []
    return for_terminal("\n".join(line.rstrip() for line in [*lines, *more]))


def as_html(rows: list[dict[str, Any]], caption: str) -> str:
    """The same as an HTML table."""
    heads = list(rows[0]) if rows else []
    head = "".join(f"<th>{html.escape(h)}</th>" for h in heads)
    lines = ["".join(f"<td>{html.escape(cell(row[h]))}</td>" for h in heads) for row in rows[:MAX_LINES]]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    more = f"<tfoot><tr><td>... {len(rows) - MAX_LINES} more</td></tr></tfoot>" if len(rows) > MAX_LINES else ""
    return f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>{more}</table>"
