"""A model's free parameters as one unconstrained vector, and their number; what is tied counts once.

The two are not of one length: a probability that was estimated as zero is a free parameter without a coordinate.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from dmlcore.base.domains import SETTING
from dmlcore.core.nodes import distinct_nodes
from dmlcore.core.parts import shared_tags

NO_NUMBERS = np.zeros(0)


def preorder_of(model: Any) -> Iterator[Any]:
    """Every place of a tree, in preorder."""
    yield model
    for child in model.children():
        yield from preorder_of(child)


def parameter_nodes(model: Any) -> Iterator[Any]:
    """The nodes that own parameters, once each, in preorder; of those whose own parameters have one key (mixing weights), the first."""
    keys: set[str] = set()
    for node in distinct_nodes(model):
        key = node.own_key
        if key not in keys:
            yield node
        if key is not None:
            keys.add(key)


def parameters_once(model: Any) -> Iterator[tuple[Any, list[tuple[str, Any, Any]]]]:
    """The nodes that own parameters, and `(name, domain, value)` of each of these; one that is tied to one before is no number of its own.

    Of a stack, what is tied along it stands there at each of its places, and is counted so.
    """
    first = _first_of_tied(model)
    for node in parameter_nodes(model):
        own = [(f, d, v) for f, d, v in node.parameters()]
        repeated = {f for f, _, _ in own if first.get((id(node), f), (node, f))[0] is not node}
        yield node, [(f, SETTING if f in repeated else d, v) for f, d, v in own] if repeated else own


def _first_of_tied(model: Any) -> dict[tuple[int, str], tuple[Any, str]]:
    """Of tied parameters, by the identity of their node and their name: the node that has the first of them, and its name there."""
    tags = shared_tags(model)
    first: dict[Any, tuple[Any, str]] = {}
    places = [(i, node) for i, node in enumerate(preorder_of(model)) if node.batch == model.batch] if tags else []
    return {(id(node), f): first.setdefault(tag, (node, f)) for i, node in places for f, tag in tags.get(i, {}).items()}


def n_parameters(model: Any) -> int:
    """The number of free parameters: what AIC and BIC count. It follows from the model's shape, not from where estimates came to lie:
    every number that stands in the model counts, zeros too, less one for each set of probabilities that sum to one; tied ones once."""
    return sum(domain.free(value) for _, own in parameters_once(model) for _, domain, value in own)


def flatten(model: Any) -> np.ndarray:
    """Free parameters that are not on a bound, as unconstrained reals `(d,)`."""
    return np.concatenate([np.zeros(0), *(part for node, own in parameters_once(model) for part in own_parts(node, own))])


def own_parts(node: Any, own: Any = None) -> list[np.ndarray]:
    """The flat form of each parameter of one node, kept with it. own: those that count, as `parameters_once` has them."""
    if "flat_parts" not in node.__dict__:
        node.derive(flat_parts=[domain.flatten(value) for _, domain, value in node.parameters()])
    kept: list[np.ndarray] = node.__dict__["flat_parts"]
    if own is None:
        return kept
    return [part if domain is not SETTING else NO_NUMBERS for part, (_, domain, _) in zip(kept, own, strict=True)]


def unflatten(vector: np.ndarray, like: Any, checked: bool = True) -> Any:
    """The model of the shape of `like` (ties, what is on a bound) with these parameters; the inverse of `flatten`.

    checked: whether values outside their domains raise; those of stacks are not looked at. Of many vectors, `Shape` is faster.
    """
    return Shape(like).model(vector, checked)


class Shape:
    """What models of one shape have in common, looked up once: `unflatten` of many vectors."""

    def __init__(self, like: Any):
        self.like = like
        self.numbers: list[tuple[int | str, str, Any, Any]] = []  # whose, field, domain, value
        parts = [NO_NUMBERS]
        for node, own in parameters_once(like):
            self.numbers += [(node.own_key or id(node), field, domain, value) for field, domain, value in own]
            parts += own_parts(node, own)
        self.flat = np.concatenate(parts)
        self.size = len(self.flat)
        ends = np.cumsum([len(part) for part in parts])
        self.slices = [slice(start, end) for start, end in pairwise(ends.tolist())]  # of each of the numbers
        self.number_at = np.repeat(np.arange(len(self.numbers)), np.diff(ends))  # which of the numbers a coordinate belongs to
        self.tied = [(place, id(first), name) for place, (first, name) in _first_of_tied(like).items()]
        self.children = {id(node): node.children() for node in distinct_nodes(like)}

    def model(self, vector: np.ndarray, checked: bool = True) -> Any:
        """The model with these parameters, as `unflatten` gives it."""
        if len(vector) != self.size:
            raise ValueError(f"the vector must have {self.size} entries, got {len(vector)}")
        values = self._values(np.asarray(vector, dtype=np.float64))
        done: dict[int, Any] = {}

        def build(node: Any) -> Any:
            if id(node) not in done:
                before = self.children[id(node)]
                after = tuple(map(build, before))
                own = values.get(node.own_key or id(node), {})
                same = all(a is b for a, b in zip(after, before, strict=True))
                changes = own if same else {**own, **node.child_values(after)}
                done[id(node)] = node if not changes else node.replace(**changes) if checked else node.exchanged_values(changes)
            return done[id(node)]

        return build(self.like)

    def _values(self, vector: np.ndarray) -> dict[int | str, dict[str, Any]]:
        """By node, or key, what is not as it was."""
        values: dict[int | str, dict[str, Any]] = {}
        changed = self.number_at[vector != self.flat].tolist()  # what is fixed keeps its bits
        for i in dict.fromkeys(changed):
            whose, field, domain, value = self.numbers[i]
            values.setdefault(whose, {})[field] = domain.unflatten(vector[self.slices[i]], value)
        for (whose, field), first, name in self.tied:
            if name in values.get(first, ()):
                values.setdefault(whose, {})[field] = values[first][name]
        return values
