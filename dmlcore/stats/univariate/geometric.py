"""The geometric law of the number of trials to the first success."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import Scalar
from dmlcore.base.numerics import across
from dmlcore.base.support import TRIALS
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.powers import Univariate
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Count
from dmlcore.stats.univariate.counting import MeanEstimator, whole_quantile


class GeometricDistribution(Distribution, Univariate):
    """A count x in 1, 2, 3, ... with probability `p (1 - p)^(x - 1)`: trials up to and with the first success.

    p: the probability of success in one trial, in (0, 1]; the mean is 1 / p. Raises `ParameterError` otherwise.
    """

    p: float = parameter(Scalar("a probability in (0, 1]", low=0.0, high=1.0, open_low=True))
    name: str | None = name()
    keys: str | None = keys()

    kind = Count
    support = TRIALS

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        p = across(self.p)
        return special.xlog1py(x - 1.0, -p) + np.log(p)

    def mean(self) -> float:
        return 1.0 / self.p

    def variance(self) -> float:
        return (1.0 - self.p) / self.p / self.p

    def mode(self) -> int:
        return 1

    def entropy(self) -> float:
        return -float(special.xlog1py(1.0 - self.p, -self.p)) / self.p - math.log(self.p)

    def cdf(self, x: Any) -> Any:
        return -np.expm1(special.xlog1py(np.maximum(np.floor(x), 0.0), -self.p))

    def quantile(self, q: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            guess = np.log1p(-np.asarray(q, dtype=np.float64)) / np.log1p(-self.p) if self.p < 1 else np.ones(np.shape(q))
        return whole_quantile(self.cdf, q, guess, 1)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.geometric(self.p, size)

    def expected_statistics(self, count: float) -> Sums:
        return Sums(count=count, x=count / self.p)

    def log_likelihood(self, statistics: Any) -> float:
        return statistics.count * np.log(self.p) + special.xlog1py(statistics.x - statistics.count, -self.p)

    def estimator(self, pseudo_count: Any = None) -> GeometricEstimator:
        return GeometricEstimator(pseudo_count, None if pseudo_count is None else self.p, self.name, self.keys)


class GeometricEstimator(MeanEstimator):
    """Maximum likelihood for a geometric: one over the weighted mean.

    pseudo_count=a with suff_stat=p0: a pseudo-observations with mean 1 / p0 (default: the mean of all the data). The log prior is
    `a (log p + (1 / p0 - 1) log(1 - p))`.
    """

    family = GeometricDistribution
    stacks = True

    def estimate(self, statistics: Sums, previous: Any = None) -> GeometricDistribution:
        both = self.with_prior(statistics)
        return self.law(p=np.minimum(both.count / both.x, 1.0))
