"""How distributions and estimators show themselves: as text, and in notebooks."""

from __future__ import annotations

from typing import Any

from dmlcore.core.completion import shown_names
from dmlcore.core.component_table import component_table
from dmlcore.core.html import html
from dmlcore.core.state_tables import state_tables
from dmlcore.core.text_tables import as_text
from dmlcore.core.tree import headline
from dmlcore.core.tree import tree as tree_of

CLOSED = "(summary(tree=True) shows the tree of all parameters)"


class Shown:
    """Gives a declared node the tree of its parts, to read."""

    def summary(self: Any, tree: bool | None = None) -> str:
        """A mixture of records as a table: its columns down, its components across, the heaviest first, and what each column tells of the
        component of a row. Any other node as the tree of its parts, one line for each with its parameters. Both are of bounded
        size; tables of the states of hidden chains follow.

        tree: whether the tree stands there (default: where there is no table).
        """
        table = component_table(self) if hasattr(self, "log_density") else None
        parts = [headline(self)] if table is None else [headline(self), table.as_text(), ""]
        parts.append(tree_of(self) if tree or (tree is None and table is None) else CLOSED)
        return "\n".join([*parts, *(f"\n{title}\n{as_text(rows)}" for title, rows in state_tables(self))])

    def __dir__(self: Any) -> list[str]:
        contract = [name for cls in type(self).__mro__ if cls.__module__.startswith("dmlcore.core") for name in vars(cls)]
        return shown_names(self, super().__dir__(), contract)

    def _repr_html_(self: Any) -> str:
        return html(self)
