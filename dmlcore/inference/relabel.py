"""The order of components means nothing to a likelihood. Here it is chosen: by weight, by a key, or to match another model.

Everything that is numbered by component (weights, rows and columns of transition tables) is permuted with the components.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.nodes import distinct_nodes
from dmlcore.core.powers import Exchange, Relabels, has
from dmlcore.inference.parameters import named_numbers

UNLIKE = 1e12  # the cost of matching components of different families


def exchanges(node: Any) -> tuple[Exchange, ...]:
    """What may be permuted in a node, as its class says (`dmlcore.core.powers.Relabels`)."""
    return node.exchanges if has(node, Relabels) else ()


def permuted(node: Any, exchange: Exchange, order: Any) -> Any:
    """The same law with its components in another order: what was number `order[k]` becomes number k."""
    order = np.asarray(order, dtype=np.intp)
    changes: dict[str, Any] = {}
    for field, axis in exchange.arrays:
        changes[field] = np.take(changes.get(field, getattr(node, field)), order, axis=axis)
    if exchange.children is not None:
        components = getattr(node, exchange.children)
        changes[exchange.children] = tuple(components[k] for k in order)
    return node.replace(**changes, **exchange.more(node, order))


@takes()
def ordered(model: Distribution, key: Callable[[Any], Any] | None = None) -> Any:
    """The same law with the components of every mixture in it in a stable order.

    key: a function of a component, whose values then ascend, such as `lambda c: c.mean()`; without, the heaviest come first. Equal ones
    keep their order. Of a joint mixture both sides are ordered, of a hierarchical one the topics, and its outer components by weight;
    of a gated one, whose weights depend on the row, only by a key. Mixtures inside components are ordered by weight in any case.
    What stands in several mixtures, or is tied to numbers elsewhere, keeps its places, which are what ties it.
    """
    done: dict[int, Any] = {}

    def visit(node: Any, key: Callable[[Any], Any] | None) -> Any:
        if id(node) not in done:
            moves = exchanges(node)
            fresh = node.with_children(tuple(visit(child, None if moves else key) for child in node.children()))
            for exchange in moves:
                if _free(model, node, exchange):
                    fresh = permuted(fresh, exchange, _order(fresh, exchange, key))
            done[id(node)] = fresh
        return done[id(node)]

    return visit(model, key)


def _free(model: Distribution, node: Any, exchange: Exchange) -> bool:
    """Whether nothing that would move stands elsewhere too: a component, or numbers that a key ties to those of another node."""
    moved = {tag for field, tag in node.tied_parts if field in dict(exchange.arrays)}
    if moved and any(not moved.isdisjoint(tag for _, tag in other.tied_parts) for other in distinct_nodes(model) if other is not node):
        return False
    return exchange.children is None or model.repeated.isdisjoint(map(id, getattr(node, exchange.children)))


def _order(node: Any, exchange: Exchange, key: Callable[[Any], Any] | None) -> Any:
    if key is None or exchange.children is None:
        return np.argsort(-np.asarray(exchange.weights(node)), kind="stable")
    components = getattr(node, exchange.children)
    return sorted(range(len(components)), key=lambda k: key(components[k]))


def aligned(model: Any, reference: Any) -> Any:
    """The same law with components in the order of those of `reference` that they are most like, at every depth.

    Components are matched one to one so that the squared distance of their parameters, in units of their spread over
    components, is least in total (by the assignment algorithm of scipy). Raises `StructureError` if the shapes differ.
    """
    done: dict[int, Any] = {}

    def visit(node: Any, other: Any) -> Any:
        if id(node) in done:
            return done[id(node)]
        if type(node) is not type(other) or len(node.children()) != len(other.children()):
            raise StructureError(f"{node.label} cannot be aligned with {other.label}: they differ in family or in number of parts")
        fresh = node
        for exchange in exchanges(node):
            if _free(model, node, exchange):
                fresh = permuted(fresh, exchange, _matching(fresh, other, exchange))
        fresh = fresh.with_children(tuple(visit(a, b) for a, b in zip(fresh.children(), other.children(), strict=True)))
        done[id(node)] = fresh
        return fresh

    return visit(model, reference)


def _matching(node: Any, other: Any, exchange: Exchange) -> np.ndarray:
    from scipy.optimize import linear_sum_assignment

    mine, theirs = _features(node, exchange), _features(other, exchange)
    names = sorted({name for row in (*mine, *theirs) for name in row})
    if not names:
        return np.arange(len(mine))
    a, b = (np.array([[row.get(name, 0.0) for name in names] for row in rows]) for rows in (mine, theirs))
    spread = np.concatenate([a, b]).std(axis=0)
    a, b = (rows / np.where(spread > 0, spread, 1.0) for rows in (a, b))
    cost = ((b[:, None] - a[None]) ** 2).sum(axis=2)
    if exchange.children is not None:
        families = [[type(c) for c in getattr(law, exchange.children)] for law in (other, node)]
        cost += UNLIKE * np.array([[one is not two for two in families[1]] for one in families[0]])
    return linear_sum_assignment(cost)[1]


def _features(node: Any, exchange: Exchange) -> list[dict[str, float]]:
    """Each component's numbers by name, nested mixtures by weight, and its share."""
    weights = np.asarray(exchange.weights(node))
    if exchange.children is not None:
        own = [named_numbers(ordered(component)) for component in getattr(node, exchange.children)]
    else:
        rows = [np.moveaxis(getattr(node, field), axis, 0).reshape(len(weights), -1) for field, axis in exchange.arrays]
        own = [{f"{j}[{i}]": float(v) for j, row in enumerate(rows) for i, v in enumerate(row[k])} for k in range(len(weights))]
    return [{**numbers, "share": float(w)} for numbers, w in zip(own, weights, strict=True)]
