"""Pieces of HTML: text, numbers, tables, notes. All text is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmlcore.core.words import number, percent

LONGEST_CELL = 60  # letters of one cell


class Markup(str):
    """Text that is HTML already."""


@dataclass(frozen=True)
class Entry:
    """A cell of a table. text: how its value is written, if not as usual. degree: 0 to 3, how far it is set off; why: said where one
    points at it."""

    value: Any
    text: str | None = None
    degree: int = 0
    why: str = ""


def written_value(value: Any) -> Markup:
    """A value as it stands in a cell or a sentence."""
    if isinstance(value, Markup):
        return value
    if _is_number(value):
        return Markup(number(value))
    text = "" if value is None else str(value)
    return Markup(html.escape(text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"))


def share_entry(share: float) -> Entry:
    """A share in percent, as a cell that sorts as a number; empty where it is zero."""
    return Entry(float(share), percent(share) if share else "")


def paragraph(*parts: Any) -> Markup:
    """A paragraph of texts and values."""
    return Markup(f"<p>{''.join(_inline(part) for part in parts)}</p>")


def note(text: Any) -> Markup:
    """A remark that stands back."""
    return Markup(f'<p class="note">{_inline(text)}</p>')


def bold(text: Any) -> Markup:
    """A word that stands out."""
    return Markup(f"<strong>{written_value(text)}</strong>")


def items(parts: Iterable[Any]) -> Markup:
    """A list of remarks."""
    return Markup(f"<ul>{''.join(f'<li>{_inline(part)}</li>' for part in parts)}</ul>")


def grid_of(heads: Sequence[Any], rows: Sequence[Sequence[Any]], caption: str = "") -> Markup:
    """A table that can be sorted by each of its columns. Columns with numbers stand to the right."""
    right = [any(_is_number(_bare(row[j])) for row in rows) for j in range(len(heads))]
    head = "".join(_cell("th", name, to_right, ' scope="col"') for name, to_right in zip(heads, right, strict=True))
    body = "".join("<tr>" + "".join(_cell("td", v, r) for v, r in zip(row, right, strict=True)) + "</tr>" for row in rows)
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return Markup(f'<div class="scroll" tabindex="0"><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def _cell(tag: str, value: Any, right: bool, more: str = "") -> str:
    classes = ["number"] if right else []
    bare, text = _bare(value), value.text if isinstance(value, Entry) else None
    if isinstance(value, Entry) and value.degree:
        classes.append(f"odd{min(value.degree, 3)}")
        more += f' title="{html.escape(value.why, quote=True)}"' if value.why else ""
    if tag == "td" and _is_number(bare):
        more += f' data-value="{float(bare)!r}"'
    named = f' class="{" ".join(classes)}"' if classes else ""
    return f"<{tag}{named}{more}>{written_value(bare if text is None else text)}</{tag}>"


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Entry) else value


def _inline(part: Any) -> str:
    """Text in full, other values as in cells."""
    return html.escape(part) if isinstance(part, str) and not isinstance(part, Markup) else written_value(part)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))
