"""A model as a tree that opens and closes in a notebook: plain HTML without scripts, everything in it escaped."""

from __future__ import annotations

from html import escape
from typing import Any

from dmlcore.core.component_table import component_table
from dmlcore.core.declared import Declared
from dmlcore.core.state_tables import state_tables
from dmlcore.core.text_tables import as_html
from dmlcore.core.tree import Outline, headline, outline

OPEN_LEVELS = 3  # levels that are open at first
INDENT = "margin-left:1.3em"
BOX = "font-family:ui-monospace,monospace;font-size:90%;line-height:1.5"


def html(node: Declared) -> str:
    """A distribution or an estimator as nested `<details>`, of the same bounded size as `tree`; of a mixture of records the components
    side by side above it, and the tree closed; of hidden chains their states."""
    table = component_table(node) if hasattr(node, "log_density") else None
    tree = _node(outline(node), 0 if table is None else OPEN_LEVELS)
    inside = "" if table is None else table.as_html()
    inside += "".join(as_html(rows, title) for title, rows in state_tables(node))
    return f'<div style="{BOX}"><div style="opacity:0.7">{escape(headline(node))}</div>{inside}{tree}</div>'


def _node(node: Outline, level: int) -> str:
    head = _head(node)
    if not node.children and not node.more:
        return f'<div style="{INDENT}">{head}</div>'
    inside = "".join(_node(child, level + 1) for child in node.children)
    if node.more:
        inside += f'<div style="{INDENT}">… {node.more} more</div>'
    indent = f' style="{INDENT}"' if level else ""
    return f"<details{' open' * (level < OPEN_LEVELS)}{indent}><summary>{head}</summary>{inside}</details>"


def _head(node: Outline) -> str:
    parts: list[Any] = [
        node.place and f'<span style="opacity:0.7">{escape(node.place)}</span>',
        f"<b>{escape(node.family)}</b>",
        ", ".join(f"{escape(field)} = {escape(text)}" for field, text in node.parameters),
        node.note and f"<i>({escape(node.note)})</i>",
    ]
    return " ".join(filter(None, parts))
