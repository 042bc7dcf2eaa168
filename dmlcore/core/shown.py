"""How distributions and estimators show themselves: as text, and in notebooks."""

from __future__ import annotations

from typing import Any

from dmlcore.core.html import html
from dmlcore.core.tree import summary


class Shown:
    """Gives a declared node the tree of its parts, to read."""

    def summary(self: Any) -> str:
        """The tree as text, one line per node with its parameters; of bounded size."""
        return summary(self)

    def _repr_html_(self: Any) -> str:
        return html(self)
