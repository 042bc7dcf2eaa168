"""Observations that carry their weights with them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import inside
from dmlcore.core.declared import child, keys, name
from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.estimator import Estimator
from dmlcore.core.partial import Known, given
from dmlcore.core.rowlaws import Product
from dmlcore.core.statistics import Node
from dmlcore.data.layouts import Layout, Weight
from dmlcore.data.record_layouts import Fields
from dmlcore.stats.univariate.point_mass import PointMassDistribution


class WeightedDistribution(Distribution):
    """A pair `(x, weight)` that counts as `weight` times x: its log density is `weight` times that of `dist` at x, and 0 for a weight of 0.

    dist: the law of x. Weights are finite numbers >= 0. Draws have weight one, as has an observation whose weight is unknown; densities of
    other weights are those of so many repeated observations, and not normalised. The weight is part of the observation, where
    `weights=` of a fit weighs whole rows: inside a mixture, all that a weight counts belongs to one component.
    """

    dist: Distribution = child()
    name: str | None = name()
    keys: str | None = keys()

    @cached_property
    def layout(self) -> Layout:
        return weighted_layout(self, self.dist)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        log, tape = score(self.dist, column.fields[0])
        weight = column.fields[1].x
        return weighted_logs(weight, log), (weight, tape)

    def given(self, x: Any, n: int) -> Any:
        value, weight = x.entries
        log, law = given(self.dist, value, n)
        if isinstance(weight, Known):
            layout: Any = self.layout
            column: Any = weight.encoded(layout.values[1]).column
            return weighted_logs(column.x, log), law
        own, of_weight = given(PointMassDistribution(1.0), weight, n)
        return log + own, Product([law, of_weight])

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        return [(x, 1.0) for x in as_values(self.dist.draw(size, rng))]

    def estimator(self, pseudo_count: Any = None) -> WeightedEstimator:
        return WeightedEstimator(self.dist.estimator(pseudo_count), self.keys, self.name)

    def explain_zero_density(self, x: Any) -> str:
        return inside(f"({self.label})", self.dist.explain_zero_density(x[0]))


def weighted_logs(weight: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Log densities times weights; 0 for a weight of 0."""
    with np.errstate(invalid="ignore"):
        return np.where(weight > 0, weight * log, 0.0)


class WeightedEstimator(Estimator):
    """Estimates the law of x from pairs `(x, weight)`, each counted as often as its weight says."""

    estimator: Estimator = child()
    keys: str | None = keys()
    name: str | None = name()

    family = WeightedDistribution
    parted = ("estimator",)
    stacks = True

    @cached_property
    def layout(self) -> Layout:
        return weighted_layout(self, self.estimator)

    def open(self, column: Any, open: Any) -> Any:
        return column.fields[1].x, open(self.estimator, column.fields[0])

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        weight, inner = tape
        return Node(None, [send(self.estimator, inner, weights * weight)])

    def why_outside_support(self, x: Any) -> str | None:
        value, weight = x
        why = self.estimator.why_outside_support(value) if weight > 0 else None
        return why and inside(f"({self.label})", why)

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> WeightedDistribution:
        return self.law(dist=children[0])


def weighted_layout(node: Any, value: Any) -> Layout:
    """The layout of pairs of a value and its weight."""
    return Fields(node.label, (value.layout, Weight("weight")))
