"""The law that says nothing: every observation has log density 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.core.declared import keys, name, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.statistics import Node, Sums
from dmlcore.data.layouts import Anything


class NullDistribution(Distribution):
    """Anything at all, with log density 0. Stands where a model of lengths, say, is not wanted. It cannot be sampled."""

    name: str | None = name()

    kind = Anything
    says_nothing = True

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        return np.zeros((*self.batch, len(column))), None

    def estimator(self, pseudo_count: Any = None) -> NullEstimator:
        return NullEstimator(name=self.name)


class NullEstimator(Estimator):
    """Learns nothing. Arguments are accepted for symmetry with other estimators and have no effect."""

    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = NullDistribution
    stacks = says_nothing = True

    def open(self, column: Any, open: Any) -> None:
        return None

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(Sums(count=weights.sum(axis=-1)))

    def adopt(self, law: Distribution) -> Distribution:
        return law if isinstance(law, NullDistribution) else NullDistribution()

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> NullDistribution:
        return self.law(np.shape(own.count))
