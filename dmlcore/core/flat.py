"""A model's free parameters as one unconstrained vector, and their number; what is tied counts once.

The two are not of one length: a probability that was estimated as zero is a free parameter without a coordinate.
"""

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


def parameter_nodes(model: Any) -> Iterator[Any]:
    """The nodes that own parameters, once each, in preorder; of those whose own parameters have one key (mixing weights), the first."""
    keys: set[str] = set()
    for node in distinct_nodes(model):
        key = node.own_key
        if key not in keys:
            yield node
        if key is not None:
            keys.add(key)


def n_parameters(model: Any) -> int:
    """The number of free parameters: what AIC and BIC count. It follows from the model's shape, not from where estimates came to lie:
    every number that stands in the model counts, zeros too, less one for each set of probabilities that sum to one; tied ones once."""
    return sum(domain.free(value) for node in parameter_nodes(model) for _, domain, value in node.parameters())


def flatten(model: Any) -> np.ndarray:
    """Free parameters that are not on a bound, as unconstrained reals `(d,)`."""
    return np.concatenate([np.zeros(0), *(part for node in parameter_nodes(model) for part in own_parts(node))])


def own_parts(node: Any) -> list[np.ndarray]:
    """The flat form of each parameter of one node, kept with it."""
    if "flat_parts" not in node.__dict__:
        node.derive(flat_parts=[domain.flatten(value) for _, domain, value in node.parameters()])
    return node.__dict__["flat_parts"]  # type: ignore[no-any-return]


def unflatten(vector: np.ndarray, like: Any, checked: bool = True) -> Any:
    """The model of the shape of `like` (ties, what is on a bound) with these parameters; the inverse of `flatten`.

    checked: whether values outside their domains raise; those of stacks are not looked at.
    """
    done: dict[int, Any] = {}
    values: dict[int | str, dict[str, Any]] = {}
    start = 0
    for node in parameter_nodes(like):
        values[node.own_key or id(node)] = {}
        for (field, domain, value), before in zip(node.parameters(), own_parts(node), strict=True):
            part = np.asarray(vector[start : start + len(before)], dtype=np.float64)
            if len(part) != len(before) or (part != before).any():  # what is fixed keeps its bits
                values[node.own_key or id(node)][field] = domain.unflatten(part, value)
            start += len(before)
    if start != len(vector):
        raise ValueError(f"the vector must have {start} entries, got {len(vector)}")

    def build(node: Any) -> Any:
        if id(node) not in done:
            before = node.children()
            after = tuple(map(build, before))
            same = all(a is b for a, b in zip(after, before, strict=True))
            own = values[node.own_key or id(node)]
            changes = own if same else {**own, **node.child_values(after)}
            done[id(node)] = node if not changes else node.replace(**changes) if checked else node.exchanged_values(changes)
        return done[id(node)]

    return build(like)
