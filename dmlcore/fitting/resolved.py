"""An estimator resolved on the rows of a fit, and what the first pass over them says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from operator import add
from typing import Any

import numpy as np

from dmlcore.base.threads import map_in_order
from dmlcore.core.estimator import Estimator
from dmlcore.core.keys import Ties, own_statistics, placed, resolve
from dmlcore.core.walk import Backward, DistinctCache, FirstPass, take_pending
from dmlcore.fitting.rows import RowBlock, WeightedRows


@dataclass(frozen=True, eq=False)
class Resolved:
    """An estimator whose every place is a node of its own, with what depends on the data fixed.

    start_statistics: of all rows under every choice, in preorder, pooled by key. latent: whether the law of a row sums over what is not
    seen; choosing: whether it does so over several classes, so that starts differ.
    """

    estimator: Estimator
    ties: Ties
    start_statistics: list[Any]
    latent: bool
    choosing: bool

    @classmethod
    def on(cls, estimator: Estimator, rows: Any) -> Resolved:
        """An estimator resolved on rows; its records learn the names that these have."""
        estimator = rows.named(estimator)
        ties = Ties(estimator)
        with np.errstate(over="ignore", invalid="ignore"):  # values too large for their squares are named by `resolve`
            passed = rows.total(partial(_of_every_row, estimator, ties))
        estimator = resolve(estimator, ties.pool(passed.owns), ties)
        ties = Ties(estimator)
        if coupled(ties.nodes):  # places must be told apart, which only now are nodes of their own
            passed = rows.total(partial(_of_every_row, estimator, ties))
        return cls(estimator, ties, ties.pool(passed.owns), passed.latent, passed.choosing)

    @classmethod
    def alone(cls, part: Estimator, rows: WeightedRows) -> Resolved:
        """A part of a resolved estimator, on rows of its own."""
        ties = Ties(part)
        if coupled(ties.nodes):  # what it shares with other places is here its own
            return cls.on(part, rows)
        part = placed(part, ties)
        ties = Ties(part)
        passed = rows.total(partial(_of_every_row, part, ties))
        return cls(part, ties, ties.pool(passed.owns), passed.latent, passed.choosing)

    @cached_property
    def closed_form(self) -> bool:
        """Whether each step maximises what EM's does."""
        return all(node.closed_form for node in self.ties.nodes)

    @property
    def closed(self) -> bool:
        """Whether the maximum follows from the statistics of all rows."""
        return self.closed_form and not self.latent

    @cached_property
    def scalable(self) -> bool:
        """Whether statistics that hold under any law can be multiplied: a user's need not be."""
        return all(own is None or isinstance(own, np.ndarray) or hasattr(own, "scaled") for own in self.start_statistics if not local(own))

    @cached_property
    def local(self) -> bool:
        """Whether some statistics hold at one law alone, so that those of other laws do not add to them."""
        return any(map(local, self.start_statistics))

    @cached_property
    def stackable(self) -> bool:
        """Whether several models can be one stack: not where ties hold parts together that a stack keeps apart."""
        return not self.ties.any or all(e.stacks for e in self.ties.nodes)


class EveryChoice:
    """Responsibilities that give each row to every component, and notes that were asked for."""

    def __init__(self) -> None:
        self.latent = self.choosing = False

    def __call__(self, K: int, n: int, estimators: Any = (), column: Any = None) -> np.ndarray:
        self.latent = True
        self.choosing = self.choosing or K > 1
        return np.ones((K, n))


@dataclass
class Passed:
    """What a first pass over rows says: own statistics in preorder, and what it met. Those of other rows add."""

    owns: list[Any]
    latent: bool
    choosing: bool

    def __add__(self, other: Passed) -> Passed:
        return Passed(added(self.owns, other.owns), self.latent or other.latent, self.choosing or other.choosing)


def _of_every_row(estimator: Estimator, ties: Ties, rows: WeightedRows) -> Passed:
    every = EveryChoice()
    owns = unpooled(estimator, ties, rows.blocks, every, rows.threads)
    return Passed(owns, every.latent, every.choosing)


def added(owns: list[Any], others: list[Any]) -> list[Any]:
    """Statistics in preorder, and others; a place may have none in either."""
    return [other if own is None else own if other is None else own + other for own, other in zip(owns, others, strict=True)]


def unpooled(
    estimator: Estimator,
    ties: Ties,
    blocks: Sequence[RowBlock],
    responsibilities: Any,
    threads: int = 1,
    factors: np.ndarray | None = None,
    shape: tuple[int, ...] = (),
) -> list[Any]:
    """Statistics of rows without a model, in preorder: latent nodes take the responsibilities.

    factors `(n,)`: what weights are multiplied by; of a stack of models of this shape, `(*shape, n)`. Responsibilities that are given for
    each row are asked block by block, in order: on one thread.
    """
    work = partial(_first_pass, estimator, ties, FirstPass(responsibilities, DistinctCache(), shape), factors)
    sums = reduce(add, map_in_order(work, blocks, threads))
    return own_statistics(estimator, take_pending(estimator, sums, Backward(ties.by_id)))


def _first_pass(estimator: Estimator, ties: Ties, open: FirstPass, factors: np.ndarray | None, block: RowBlock) -> Any:
    weights = block.weights
    if factors is not None:
        weights = weights * factors[..., block.start : block.start + len(weights)]
    send = Backward(ties.by_id)
    node = send(estimator, open(estimator, block.column), weights)
    send.finish()
    return node


def coupled(nodes: Sequence[Estimator]) -> bool:
    """Whether any estimate depends on the statistics of each of the places that share it."""
    return any(node.coupled for node in nodes)


def local(own: Any) -> bool:
    """Whether statistics hold at the law that they were taken at alone: slopes of its log density."""
    return bool(getattr(own, "local", False))


def scaled(own: Any, share: float) -> Any:
    """Statistics as if every weight had been multiplied."""
    return own.scaled(share) if hasattr(own, "scaled") else own * share
