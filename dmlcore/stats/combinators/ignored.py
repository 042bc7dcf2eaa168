"""A fixed law: it scores observations, and is not estimated."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.core.declared import check_node, keys, name, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.partial import given
from dmlcore.core.powers import HoldsFixed, Redraws
from dmlcore.core.redraw import redrawn
from dmlcore.core.statistics import Node, Sums
from dmlcore.data.layouts import Layout
from dmlcore.stats.combinators.null import NullDistribution

MOMENTS = ("mean", "variance", "mode", "cdf", "quantile", "entropy", "probabilities", "typical")  # what a fixed law passes on


class IgnoredDistribution(Distribution, HoldsFixed, Redraws):
    """An observation of `dist`, a law that fits leave as it is. Its parameters are not counted as free."""

    dist: Distribution = setting()
    name: str | None = name()
    keys: str | None = keys()

    takes_partial_rows = True

    def validate(self) -> None:
        check_fixed(self)

    @cached_property
    def layout(self) -> Layout:
        return self.dist.layout

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        log = score(self.dist, column)[0]
        return np.tile(log, (*self.batch, 1)) if self.batch else log, None

    def draw(self, size: int, rng: np.random.Generator) -> Any:
        return self.dist.draw(size, rng)

    def given(self, x: Any, n: int) -> Any:
        return given(self.dist, x, n)

    def __getattr__(self, name: str) -> Any:
        if name in MOMENTS:
            return getattr(self.dist, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @cached_property
    def given_covariates(self) -> bool:
        return self.dist.given_covariates

    def held_law(self) -> Distribution:
        return self.dist

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        return redrawn(self.dist, rows, rng)

    def estimator(self, pseudo_count: Any = None) -> IgnoredEstimator:
        return IgnoredEstimator(self.dist, keys=self.keys, name=self.name)

    def explain_zero_density(self, x: Any) -> str:
        return self.dist.explain_zero_density(x)


class IgnoredEstimator(Estimator):
    """Keeps `dist` as it is. pseudo_count and suff_stat are accepted for symmetry with other estimators and have no effect."""

    dist: Any = setting(NullDistribution())
    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    keys: str | None = keys()
    name: str | None = name()

    family = IgnoredDistribution
    stacks = True

    def validate(self) -> None:
        check_fixed(self)

    @cached_property
    def layout(self) -> Layout:
        return self.dist.layout

    def open(self, column: Any, open: Any) -> None:
        return None

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(Sums(count=weights.sum(axis=-1)))

    def is_feasible(self, distribution: Any) -> bool:
        return distribution.dist == self.dist

    def adopt(self, law: Distribution) -> Distribution:
        return law if isinstance(law, IgnoredDistribution) else IgnoredDistribution(law)

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> IgnoredDistribution:
        return self.law(np.shape(own.count), dist=self.dist)


def check_fixed(node: Any) -> None:
    """`dist` must be a distribution; None is the one that says nothing."""
    if node.dist is None:
        node.derive(dist=NullDistribution())
    check_node(node.dist, Distribution.noun, f"{type(node).__name__}: dist")
