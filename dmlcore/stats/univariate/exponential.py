"""The exponential law of a waiting time."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Self

import numpy as np

from dmlcore.base.domains import positive
from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import across
from dmlcore.base.support import NONNEGATIVE
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import REMEDY, Estimator, given_law, pseudo_counts, pseudo_observations
from dmlcore.core.powers import HasSurvival, Univariate
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Real

MEAN_FLOOR = 1e-12  # of the mean of all the data: reached only by a component that sits on zeros


class ExponentialDistribution(Distribution, Univariate, HasSurvival):
    """A number x >= 0 with density `exp(-x / beta) / beta`.

    beta: the mean (the scale, not the rate), positive, in the units of x. Raises `ParameterError` otherwise.
    """

    beta: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = NONNEGATIVE

    @cached_property
    def _constants(self) -> tuple[Any, Any]:
        return across(np.maximum(-1.0 / self.beta, -1e308)), across(np.log(self.beta))

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        rate, constant = self._constants
        out = x * rate
        out -= constant
        return out

    def mean(self) -> float:
        return self.beta

    def variance(self) -> float:
        return self.beta * self.beta

    def mode(self) -> float:
        return 0.0

    def entropy(self) -> float:
        return 1.0 + math.log(self.beta)

    def cdf(self, x: Any) -> Any:
        return -np.expm1(-np.maximum(x, 0.0) / self.beta)

    def quantile(self, q: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            q = np.asarray(q, dtype=np.float64)
            return np.where(q >= 0, -self.beta * np.log1p(-q) + 0.0, np.nan)[()]

    def sf(self, x: Any) -> Any:
        return np.exp(-np.maximum(x, 0.0) / self.beta)

    def isf(self, q: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            q = np.asarray(q, dtype=np.float64)
            return np.where(q <= 1, -self.beta * np.log(q) + 0.0, np.nan)[()]

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.exponential(self.beta, size)

    def expected_statistics(self, count: float) -> Sums:
        return Sums(count=count, x=count * self.beta)

    def log_likelihood(self, statistics: Any) -> float:
        return -statistics.count * np.log(self.beta) - statistics.x / self.beta

    def estimator(self, pseudo_count: Any = None) -> ExponentialEstimator:
        return ExponentialEstimator(pseudo_count, None if pseudo_count is None else self.beta, self.name, self.keys)


class ExponentialEstimator(Estimator):
    """Maximum likelihood for an exponential: the weighted mean.

    pseudo_count=a with suff_stat=b: a pseudo-observations with mean b (default: the mean of all the data). The log prior is
    `-a (log beta + b / beta)`. The mean is held above `MEAN_FLOOR` times that of all the data.
    Raises `DegenerateError` where all values are zero and there is no prior.
    """

    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = ExponentialDistribution
    stacks = True
    floor = 0.0

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "ExponentialEstimator")
        given_law(self)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Sums:
        return Sums(count=weights.sum(axis=-1), x=weights @ x)

    def resolve(self, statistics: Sums) -> Self:
        mean = statistics.x / statistics.count if statistics.count > 0 else 0.0
        return self.pinned(floor=MEAN_FLOOR * mean, prior=pseudo_observations(self, statistics, given_law(self)))

    def estimate(self, statistics: Sums, previous: Any = None) -> ExponentialDistribution:
        both = self.with_prior(statistics)
        beta = np.maximum(both.x / both.count, self.floor)
        if np.any(beta <= 0):
            raise DegenerateError(f"{self.label}: all values are zero, so the mean has no maximum; {REMEDY}")
        return self.law(beta=beta)

    def degenerate(self, distribution: Any) -> str | None:
        if not np.any((distribution.beta > 0) & (distribution.beta <= self.floor * (1 + 1e-9))):
            return None
        return f"{self.label} sits on zeros (mean at its floor, {self.floor:.3g}); its density there is unbounded"
