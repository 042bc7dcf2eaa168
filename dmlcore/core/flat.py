"""A model's free parameters as one unconstrained vector, and their number; nodes that are one object count once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


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


def n_parameters(model: Any) -> int:
    """The number of free parameters: what AIC and BIC count. Tied nodes count once, structural zeros not at all."""
    return sum(domain.free(value) for node in distinct_nodes(model) for _, domain, value in node.parameters())


def flatten(model: Any) -> np.ndarray:
    """Free parameters as unconstrained reals, shape `(n_parameters(model),)`."""
    parts = [domain.flatten(value) for node in distinct_nodes(model) for _, domain, value in node.parameters()]
    return np.concatenate([np.zeros(0), *parts])


def unflatten(vector: np.ndarray, like: Any) -> Any:
    """The model of the shape of `like` (ties, structural zeros) with these parameters; the inverse of `flatten`."""
    done: dict[int, Any] = {}
    values: dict[int, dict[str, Any]] = {}
    start = 0
    for node in distinct_nodes(like):
        values[id(node)] = {}
        for field, domain, value in node.parameters():
            size = domain.free(value)
            values[id(node)][field] = domain.unflatten(np.asarray(vector[start : start + size], dtype=np.float64), value)
            start += size
    if start != len(vector):
        raise ValueError(f"the vector must have {start} entries, got {len(vector)}")

    def build(node: Any) -> Any:
        if id(node) not in done:
            fresh = node.with_children(tuple(build(child) for child in node.children()))
            done[id(node)] = fresh.replace(**values[id(node)])
        return done[id(node)]

    return build(like)
