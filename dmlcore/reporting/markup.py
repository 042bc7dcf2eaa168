"""Pieces of HTML: text, numbers, tables, notes. All text is escaped here."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.core.words import number, percent

LONGEST_CELL = 60  # letters of one cell
ON_PAPER = 9  # columns that fit on paper
SHORT_CELL = 28  # letters that stay in one line


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
    if written_as_number(value):
        return Markup(number(value))
    text = "" if value is None else str(value)
    return Markup(html.escape(text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"))


def share_entry(share: float) -> Entry:
    """A share in percent, as a cell that sorts as a number."""
    return Entry(float(share), percent(share))


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
    """A table that can be sorted by each of its columns. Columns with numbers stand to the right. On paper, where nobody can scroll, each
    row of a wide one is set as text, and its cells say of which column they are."""
    right = [any(written_as_number(_bare(row[j])) for row in rows) for j in range(len(heads))]
    head = "".join(_cell("th", name, to_right, ' scope="col"') for name, to_right in zip(heads, right, strict=True))
    wide = len(heads) > ON_PAPER
    names = [f' data-head="{_plain(name)}"' if wide else "" for name in heads]
    body = "".join("<tr>" + "".join(_cell("td", *each) for each in zip(row, right, names, strict=True)) + "</tr>" for row in rows)
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    kind = ' class="wide"' if wide else ""
    return Markup(f'<div class="scroll" tabindex="0"><table{kind}>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def _cell(tag: str, value: Any, right: bool, more: str = "") -> str:
    classes = ["number"] if right else []
    bare, text = _bare(value), value.text if isinstance(value, Entry) else None
    if isinstance(value, Entry) and value.degree:
        classes.append(f"odd{min(value.degree, 3)}")
        more += f' title="{html.escape(value.why, quote=True)}"' if value.why else ""
    if isinstance(bare, str) and not isinstance(bare, Markup) and len(bare) <= SHORT_CELL:
        classes.append("short")
    if tag == "td" and written_as_number(bare):
        more += f' data-value="{float(bare)!r}"'
    named = f' class="{" ".join(classes)}"' if classes else ""
    return f"<{tag}{named}{more}>{written_value(bare if text is None else text)}</{tag}>"


def _plain(head: Any) -> str:
    """The head of a column within a tag."""
    return re.sub("<[^>]*>", " ", written_value(head)).replace('"', "&quot;")


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Entry) else value


def _inline(part: Any) -> str:
    """Text in full, other values as in cells."""
    return html.escape(part) if isinstance(part, str) and not isinstance(part, Markup) else written_value(part)


def nested_in_short(value: Any) -> str | None:
    """Records, vectors and lists with their numbers cut to four digits; None for other values."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_part_in_short(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple, np.ndarray)):
        return ", ".join(map(_part_in_short, value)) or "none"
    return None


def _part_in_short(value: Any) -> str:
    inner = nested_in_short(value)
    return f"({inner})" if inner is not None else number(value) if written_as_number(value) else str(value)


def written_as_number(value: Any) -> bool:
    """Whether a value is a number to the reader: truth values are none."""
    return isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_, np.timedelta64))
