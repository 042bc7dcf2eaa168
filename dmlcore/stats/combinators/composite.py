"""Tuples of independent fields."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError, inside
from dmlcore.core.declared import children, keys, name
from dmlcore.core.distribution import Distribution, as_values, typical_of
from dmlcore.core.estimator import Estimator, impossible_part
from dmlcore.core.partial import independent
from dmlcore.core.powers import HasMean, HasMode, HasQuantile, HasTypical, HasVariance, JointlyNormal, MayBeMissing, Redraws, has
from dmlcore.core.redraw import redrawn
from dmlcore.core.statistics import Node
from dmlcore.data.columns import Record
from dmlcore.data.layouts import Fields, Layout, Real
from dmlcore.stats.combinators.fields import Plan


class CompositeDistribution(Distribution, HasMean, HasVariance, HasMode, HasQuantile, HasTypical, JointlyNormal, Redraws):
    """A tuple `(x_0, ..., x_m)` of independent entries, with density `prod_j dists[j](x_j)`.

    dists: one distribution per entry.
    """

    dists: Sequence[Distribution] = children("field")
    name: str | None = name()
    keys: str | None = keys()

    takes_partial_rows = True

    @cached_property
    def layout(self) -> Layout:
        return Fields(self.label, tuple(dist.layout for dist in self.dists))

    @property
    def count(self) -> int:
        """The number of entries."""
        return len(self.dists)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        scored = [score(dist, field) for dist, field in zip(self.dists, column.fields, strict=True)]
        return sum_of([log for log, _ in scored]), [tape for _, tape in scored]

    def given(self, x: Any, n: int) -> Any:
        return independent(list(zip(self.dists, x.entries, strict=True)), n)

    def mean(self) -> tuple[Any, ...]:
        return each_of(self, "mean")

    def variance(self) -> tuple[Any, ...]:
        return each_of(self, "variance")

    def mode(self) -> tuple[Any, ...]:
        return each_of(self, "mode")

    def quantile(self, q: Any) -> tuple[Any, ...]:
        return each_of(self, "quantile", q)

    def typical(self) -> tuple[Any, ...]:
        return tuple(map(typical_of, self.dists))

    def normal_of(self, coordinates: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        sides: list[Any] = [self.dists[j] for j in coordinates]
        values = [side.value_law() if has(side, MayBeMissing) else side for side in sides]
        if not all(has(value, JointlyNormal) and isinstance(value.layout, Real) for value in values):
            raise StructureError(f"{self.label}: fields {', '.join(map(str, coordinates))} are not all Gaussian")
        means, variances = zip(*(value.normal_of([0]) for value in values), strict=True)
        return np.concatenate(means), np.diag(np.ravel(variances))

    def interval(self, level: float = 0.9) -> tuple[Any, ...]:
        return each_of(self, "interval", level)

    def draw(self, size: int, rng: np.random.Generator) -> list[tuple[Any, ...]]:
        return list(zip(*(as_values(dist.draw(size, rng)) for dist in self.dists), strict=True))

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        fields = [redrawn(dist, [row[j] for row in rows], rng) for j, dist in enumerate(self.dists)]
        return list(zip(*fields, strict=True))

    def estimator(self, pseudo_count: Any = None) -> CompositeEstimator:
        return CompositeEstimator(tuple(dist.estimator(pseudo_count) for dist in self.dists), self.keys, self.name)

    def explain_zero_density(self, x: Any) -> str:
        layout: Any = self.layout
        for j, (dist, value) in enumerate(zip(self.dists, layout.entries(x), strict=True)):
            if dist.log_density(value) == -np.inf:
                return inside(f"field {j}", dist.explain_zero_density(value))
        return super().explain_zero_density(x)


def sum_of(logs: list[np.ndarray]) -> np.ndarray:
    """The sum of arrays of one shape, none of them written over."""
    if len(logs) == 1:
        return logs[0]
    total = logs[0] + logs[1]
    for log in logs[2:]:
        total += log
    return total


def each_of(node: Any, method: str, *args: Any) -> tuple[Any, ...]:
    """A method of every child. Raises `StructureError` if one does not have it."""
    for child in node.children():
        if not hasattr(child, method):
            raise StructureError(f"{node.label}: a {child.label} has no {method}()")
    return tuple(getattr(child, method)(*args) for child in node.children())


class CompositeEstimator(Estimator):
    """Estimates each field on its own. estimators: one per entry of the tuple."""

    estimators: Sequence[Estimator] = children("field")
    keys: str | None = keys()
    name: str | None = name()

    family = CompositeDistribution
    parted = ("estimators",)
    stacks = True

    @cached_property
    def layout(self) -> Layout:
        return Fields(self.label, tuple(e.layout for e in self.estimators))

    def open(self, column: Any, open: Any) -> Any:
        return [open(e, field) for e, field in zip(self.estimators, column.fields, strict=True)]

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(None, [send(e, t, weights) for e, t in zip(self.estimators, tape, strict=True)])

    def why_outside_support(self, x: Any) -> str | None:
        layout: Any = self.layout
        pairs = zip(self.estimators, layout.entries(x), strict=True)
        return impossible_part((f"field {j}", e.why_outside_support(value)) for j, (e, value) in enumerate(pairs))

    def columns_of_children(self, column: Any) -> tuple[Any, ...]:
        return column.fields if type(column) is Record else super().columns_of_children(column)

    def together_on(self, column: Any) -> Any:
        return Plan.of(self.estimators, column)

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> CompositeDistribution:
        return self.law(dists=children)
