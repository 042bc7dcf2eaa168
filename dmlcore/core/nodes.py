"""The nodes of a tree of distributions or estimators, each once, however many places it stands at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def distinct_nodes(model: Any) -> Iterator[Any]:
    """Every node of a tree once, in preorder."""
    seen: set[int] = set()
    stack = [model]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            stack.extend(reversed(node.children()))
