"""The log-Gaussian (log-normal) law of a positive number."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base import special
from dmlcore.base.domains import positive, real
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import HALF_LOG_2PI
from dmlcore.base.support import POSITIVE
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import pseudo_counts
from dmlcore.core.powers import HasSurvival, NumbersWithin, Univariate
from dmlcore.core.statistics import Moments
from dmlcore.data.layouts import Real
from dmlcore.stats.univariate.gaussian_tails import gaussians_within
from dmlcore.stats.univariate.moments import MomentsEstimator, moments_log_likelihood, moments_of

MEAN_STEPS = 20  # of Newton, on the bound: to rounding, wherever it is


class LogGaussianDistribution(Distribution, Univariate, HasSurvival, NumbersWithin):
    """A number x > 0 whose logarithm is Gaussian: density `exp(-(log x - mu)^2 / (2 sigma2)) / (x sqrt(2 pi sigma2))`.

    mu: the mean of log x, a finite real. sigma2: the variance of log x, positive. Both are pure numbers.
    Raises `ParameterError` outside these domains.
    """

    mu: float = parameter(real)
    sigma2: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = POSITIVE

    @cached_property
    def _constants(self) -> tuple[Any, Any]:
        return np.minimum(0.5 / self.sigma2, 1e308), -HALF_LOG_2PI - 0.5 * np.log(self.sigma2)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        scale, constant = self._constants
        log = np.log(x)
        if self.batch:
            squares = kernels.scaled_squares(log, np.ravel(self.mu), scale.ravel(), constant.ravel())
            return squares.reshape(*self.batch, -1) - log
        if len(x) < 256:
            return constant - scale * (log - self.mu) ** 2 - log
        out = kernels.scaled_square(log, self.mu, scale, constant)
        out -= log
        return out

    def mean(self) -> float:
        with np.errstate(over="ignore"):
            return float(np.exp(self.mu + self.sigma2 / 2))

    def variance(self) -> float:
        with np.errstate(over="ignore"):
            mean = np.exp(self.mu + self.sigma2 / 2)
            return float(mean * (mean * np.expm1(self.sigma2)))

    def mode(self) -> float:
        return float(np.exp(self.mu - self.sigma2))

    def entropy(self) -> float:
        return self.mu + 0.5 + HALF_LOG_2PI + 0.5 * math.log(self.sigma2)

    def cdf(self, x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return special.ndtr((np.log(np.maximum(x, 0.0)) - self.mu) / math.sqrt(self.sigma2))

    def quantile(self, q: Any) -> Any:
        with np.errstate(over="ignore"):
            return np.exp(self.mu + math.sqrt(self.sigma2) * special.ndtri(q))

    def sf(self, x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return special.ndtr((self.mu - np.log(np.maximum(x, 0.0))) / math.sqrt(self.sigma2))

    def isf(self, q: Any) -> Any:
        with np.errstate(over="ignore"):
            return np.exp(self.mu - math.sqrt(self.sigma2) * special.ndtri(q))

    def numbers_within(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(divide="ignore"):
            log, logs = gaussians_within(self.mu, self.sigma2, np.log(np.maximum(low, 0.0)), np.log(np.maximum(high, 0.0)))
        return log, np.exp(logs)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.lognormal(self.mu, math.sqrt(self.sigma2), size)

    def expected_statistics(self, count: float) -> Moments:
        return Moments(count, self.mu, count * self.sigma2)

    def log_likelihood(self, statistics: Any) -> float:
        return moments_log_likelihood(statistics, self.mu, self.sigma2)

    def estimator(self, pseudo_count: Any = None) -> LogGaussianEstimator:
        if pseudo_count is None:
            return LogGaussianEstimator(name=self.name, keys=self.keys)
        counts = pseudo_counts(pseudo_count, 2, "LogGaussianDistribution")
        return LogGaussianEstimator(counts, (self.mu, self.sigma2), self.name, self.keys)


class LogGaussianEstimator(MomentsEstimator):
    """Maximum likelihood for a log-Gaussian: the weighted mean and variance of log x.

    pseudo_count=(a, b) with suff_stat=(m, v): pseudo-observations of mean and variance of log x, see `MomentsEstimator`.
    rounding: the values are multiples of it, and no estimate is narrower than that allows. Raises `DegenerateError` where all values are
    equal, and there is neither a prior on the variance nor a rounding.
    """

    family = LogGaussianDistribution
    stacks = True

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Moments:
        return moments_of(np.log(x), weights)

    def validate(self) -> None:
        super().validate()
        if self.rounding and (self.tied or self.held):
            raise ParameterError("LogGaussianEstimator: rounding goes with no tied or held parameters")

    @staticmethod
    def spread(law: Any) -> Any:
        return np.exp(law.mu) * np.sqrt(law.sigma2)

    def no_narrower(self, mu: Any, sigma2: Any) -> tuple[Any, Any]:
        """As of `MomentsEstimator`: the standard deviation near x is that of log x times x, and `exp(mu) sigma` is held above the least.

        On that bound, at a mean `d` above the free one, the likelihood is largest where `sigma^2 = sigma2 + d + d^2`.
        """
        least = np.square(self.least * np.exp(-mu))
        if not np.any(narrow := sigma2 < least):
            return mu, sigma2
        d, free = np.zeros_like(least), np.minimum(sigma2, least)
        for _ in range(MEAN_STEPS):
            bound = least * np.exp(-2 * d)
            d = d + (bound - free - d - d * d) / (2 * bound + 1 + 2 * d)
        return mu + d, np.where(narrow, least * np.exp(-2 * d), sigma2)[()]
