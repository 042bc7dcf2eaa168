"""Models that learn the names of their fields from the table that they are fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dmlcore.data.record_layouts import Fields


def with_field_names(node: Any, names: Sequence[str | tuple[str, ...]]) -> Any:
    """A node whose records, of which one is a row of a table, have names for their fields; those that have names keep them."""
    return _named(node, tuple(names), {})


def _named(node: Any, names: tuple[str | tuple[str, ...], ...], done: dict[int, Any]) -> Any:
    if id(node) not in done:  # what stands at several places is one object, and stays one
        done[id(node)] = _with_names(node, names, done)
    return done[id(node)]


def _with_names(node: Any, names: tuple[str | tuple[str, ...], ...], done: dict[int, Any]) -> Any:
    layout = node.layout
    if not isinstance(layout, Fields) or layout.names is not None or len(layout.values) != len(names):
        return node
    if hasattr(node, "field_names"):
        return node.replace(field_names=names)
    new = tuple(_named(child, names, done) if child.layout == layout else child for child in node.children())
    return node if all(a is b for a, b in zip(new, node.children(), strict=True)) else node.replace(**node.child_values(new))
