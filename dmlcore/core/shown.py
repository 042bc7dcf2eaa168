"""How distributions and estimators show themselves: as text, and in notebooks."""

from __future__ import annotations

from typing import Any

from dmlcore.core.html import html
from dmlcore.core.state_tables import state_tables
from dmlcore.core.text_tables import as_text
from dmlcore.core.tree import summary


class Shown:
    """Gives a declared node the tree of its parts, to read."""

    def summary(self: Any) -> str:
        """The tree as text, one line per node with its parameters, and tables of the states of hidden chains; of bounded size."""
        tables = (
            f"{title}\n{as_text([dict(zip(head, line, strict=True)) for line in lines])}" for title, head, lines in state_tables(self)
        )
        return "\n\n".join([summary(self), *tables])

    def _repr_html_(self: Any) -> str:
        return html(self)
