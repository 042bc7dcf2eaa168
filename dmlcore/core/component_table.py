"""A mixture of records as one table: the columns of the data down, the components across, and what tells them apart."""

from __future__ import annotations

import shutil
from html import escape
from typing import Any

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.core.powers import Mixing, has
from dmlcore.core.telling import information, largest_information
from dmlcore.core.typeface import for_terminal
from dmlcore.core.words import cut_short, in_words, is_record, percent, present
from dmlcore.data.record_layouts import Fields

MANY_COMPONENTS, MANY_FIELDS = 12, 40  # that stand side by side: the heaviest, the first
TELLING = 0.8  # of what the column that tells most does, from which on one is marked
CELL_LETTERS = 34  # of one cell of text
LINE_LETTERS = 80, 200  # at least, at most
TO_THE_LEFT = "text-align:left;padding:0.15em 0.9em 0.15em 0"


@dataclass(frozen=True)
class ComponentTable:
    """heads: of the components, the heaviest first, their weights in them. fields: names of the columns. tells: how much each column tells
    of the component of a row, as a share of what there is to tell; NaN where that has no form. cells: the law of each column in each
    component, in words, `cells[field][component]`. more: what is not shown."""

    heads: list[str]
    fields: list[str]
    tells: list[float]
    cells: list[list[str]]
    more: str = ""

    @property
    def marked(self) -> list[bool]:
        """Which columns tell components apart best."""
        most = max((share for share in self.tells if share == share), default=0.0)
        return [share >= TELLING * most > 0 for share in self.tells]

    def as_text(self, width: int | None = None) -> str:
        """Lines of at most so many letters (default: those of the terminal); components that do not fit beside others stand below them."""
        width = int(np.clip(shutil.get_terminal_size((120, 24)).columns, *LINE_LETTERS)) if width is None else width
        marks = [("* " if mark else "  ") + _whole(share) for share, mark in zip(self.tells, self.marked, strict=True)]
        first = [_column(["", *self.fields]), _column(["  tells", *marks])]
        across = [_column([head, *(line[k] for line in self.cells)]) for k, head in enumerate(self.heads)]
        blocks: list[list[list[str]]] = []
        for column in across:
            fits = blocks and sum(len(one[0]) + 2 for one in [*blocks[-1], column]) - 2 <= width
            if not fits:
                blocks.append(list(first))
            blocks[-1].append(column)
        shown = ["\n".join("  ".join(line).rstrip() for line in zip(*block, strict=True)) for block in blocks]
        return for_terminal("\n\n".join(shown) + f"\n{self.more}" * bool(self.more))

    def as_html(self) -> str:
        """The same as HTML; how much a column tells is drawn behind its name."""
        head = "".join(f"<th style='{TO_THE_LEFT}'>{escape(text)}</th>" for text in ["", "tells", *self.heads])
        rows = "".join(
            f"<tr><th style='{TO_THE_LEFT};font-weight:{'bold' if mark else 'normal'}'>{escape(name)}</th>"
            f"<td style='{TO_THE_LEFT};{_bar(share)}'>{_whole(share)}</td>"
            f"{''.join(f'<td style={TO_THE_LEFT!r}>{escape(text)}</td>' for text in line)}</tr>"
            for name, share, mark, line in zip(self.fields, self.tells, self.marked, self.cells, strict=True)
        )
        more = f"<tfoot><tr><td colspan='{2 + len(self.heads)}'>{escape(self.more)}</td></tr></tfoot>" if self.more else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>{more}</table>"


def component_table(model: Any) -> ComponentTable | None:
    """The components of a mixture of records side by side; None of other models."""
    if not has(model, Mixing) or not all(isinstance(law.layout, Fields) and is_record(law) for law in model.components):
        return None
    weights = np.asarray(model.w)
    order = np.argsort(-weights, kind="stable")[:MANY_COMPONENTS].tolist()
    laws = [model.components[k].children()[:MANY_FIELDS] for k in order]
    names = [model.components[k].name or f"component {k}" for k in order]
    w, count = weights[order], len(model.layout.values)
    there = largest_information(w)
    tells = [information(column, w) / there if there > 0 else np.nan for column in zip(*laws, strict=True)]
    cells = [[cut_short(in_words(law)) for law in column] for column in zip(*laws, strict=True)]
    left = [f"{count - MANY_FIELDS} more columns"] * (count > MANY_FIELDS) + [f"{len(weights) - len(order)} more components"] * (
        len(weights) > len(order)
    )
    heads = [f"{name}: {percent(share)}" for name, share in zip(names, w.tolist(), strict=True)]
    fields = [cut_short(_named(column) or model.layout.place(j)) for j, column in enumerate(zip(*laws, strict=True))]
    return ComponentTable(heads, fields, tells, cells, f"… {' and '.join(left)}" * bool(left))


def _named(laws: Any) -> str | None:
    """The name that all laws of a column carry, if they do."""
    names = {present(law)[0].name for law in laws}
    return names.pop() if len(names) == 1 else None


def _whole(share: float) -> str:
    """Whole percent."""
    return f"{share:.0%}" if share == share else ""


def _column(texts: list[str]) -> list[str]:
    """Texts of one width."""
    texts = [cut_short(text.replace("\n", " "), CELL_LETTERS) for text in texts]
    return [text.ljust(max(map(len, texts))) for text in texts]


def _bar(share: float) -> str:
    filled = f"{100 * min(share, 1.0):.0f}%" if share == share else "0%"
    return f"background:linear-gradient(to right,rgba(90,140,220,0.35) {filled},transparent {filled})"
