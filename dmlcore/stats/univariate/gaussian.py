"""The Gaussian (normal) law of a real number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base import special
from dmlcore.base.domains import positive, real
from dmlcore.base.support import REALS
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import pseudo_counts
from dmlcore.core.powers import HasSurvival, JointlyNormal, NumbersWithin, Univariate
from dmlcore.core.statistics import Moments
from dmlcore.data.layouts import Real
from dmlcore.stats.univariate.gaussian_tails import gaussians_within
from dmlcore.stats.univariate.moments import MomentsEstimator, moments_log_likelihood, moments_of

LOG_2PI = math.log(2 * math.pi)


class GaussianDistribution(Distribution, Univariate, HasSurvival, NumbersWithin, JointlyNormal):
    """A real number with density `exp(-(x - mu)^2 / (2 sigma2)) / sqrt(2 pi sigma2)`.

    mu: the mean, a finite real, in the units of x. sigma2: the variance, positive, in squared units of x.
    Raises `ParameterError` outside these domains.
    """

    mu: float = parameter(real)
    sigma2: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = REALS

    @cached_property
    def constants(self) -> tuple[Any, Any, Any]:
        """`m, s, c` such that the log density is `c - s (x - m)^2`."""
        return self.mu, np.minimum(0.5 / self.sigma2, 1e308), -0.5 * (LOG_2PI + np.log(self.sigma2))

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        mu, scale, constant = self.constants
        if self.batch:
            return kernels.scaled_squares(x, mu.ravel(), scale.ravel(), constant.ravel()).reshape(*self.batch, -1)
        if len(x) < 32:
            return constant - scale * (x - mu) ** 2
        return kernels.scaled_square(x, mu, scale, constant)

    def mean(self) -> float:
        return self.mu

    def variance(self) -> float:
        return self.sigma2

    def mode(self) -> float:
        return self.mu

    def entropy(self) -> float:
        return 0.5 * (LOG_2PI + 1 + math.log(self.sigma2))

    def cdf(self, x: Any) -> Any:
        return special.ndtr((np.asarray(x) - self.mu) / math.sqrt(self.sigma2))

    def quantile(self, q: Any) -> Any:
        return self.mu + math.sqrt(self.sigma2) * special.ndtri(q)

    def sf(self, x: Any) -> Any:
        return special.ndtr((self.mu - np.asarray(x)) / math.sqrt(self.sigma2))

    def isf(self, q: Any) -> Any:
        return self.mu - math.sqrt(self.sigma2) * special.ndtri(q)

    def numbers_within(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return gaussians_within(self.mu, self.sigma2, low, high)

    def normal_of(self, coordinates: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        return np.array([self.mu]), np.array([[self.sigma2]])

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(self.mu, math.sqrt(self.sigma2), size)

    def expected_statistics(self, count: float) -> Moments:
        return Moments(count, self.mu, count * self.sigma2)

    def log_likelihood(self, statistics: Any) -> float:
        return moments_log_likelihood(statistics, self.mu, self.sigma2)

    def estimator(self, pseudo_count: Any = None) -> GaussianEstimator:
        own = None if pseudo_count is None else (self.mu, self.sigma2)
        counts = pseudo_counts(pseudo_count, 2, "GaussianDistribution")
        return GaussianEstimator(counts if own else (None, None), own or (None, None), self.name, self.keys)


class GaussianEstimator(MomentsEstimator):
    """Maximum likelihood for a Gaussian: the weighted mean and variance.

    pseudo_count=(a, b) with suff_stat=(m, v): pseudo-observations of mean and variance, see `MomentsEstimator`.
    rounding: the values are multiples of it, and no estimate is narrower than that allows. Raises `DegenerateError` where all values are
    equal, and there is neither a prior on the variance nor a rounding.
    """

    family = GaussianDistribution
    stacks = True

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Moments:
        return moments_of(x, weights)
