"""The Poisson law of a count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import nonnegative
from dmlcore.base.gamma_tails import gamma_above, gamma_below
from dmlcore.base.numerics import HALF_LOG_2PI, LARGE, across, deviance, stirling_error
from dmlcore.base.support import COUNTS
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.powers import HasSurvival, Univariate
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Count
from dmlcore.stats.univariate.counting import MeanEstimator, poisson_draws, summed_entropy, whole_quantile, whole_upper_quantile


class PoissonDistribution(Distribution, Univariate, HasSurvival):
    """A count x in 0, 1, 2, ... with probability `lam^x exp(-lam) / x!`.

    lam: the mean, >= 0, in counts; 0 puts all mass at 0. Raises `ParameterError` otherwise.
    For large counts the saddle-point form (Loader 2000) keeps all digits.
    """

    lam: float = parameter(nonnegative)
    name: str | None = name()
    keys: str | None = keys()

    kind = Count
    support = COUNTS

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        x, lam = x.astype(np.float64), across(self.lam)
        if np.all(lam <= LARGE) and (not len(x) or x.max() <= LARGE):
            return special.xlogy(x, lam) - lam - special.gammaln(x + 1.0)
        least = np.maximum(x, 1.0)
        log = -deviance(least, lam) - stirling_error(least) - HALF_LOG_2PI - 0.5 * np.log(least)
        return np.where(x > 0, log, -lam)

    def mean(self) -> float:
        return self.lam

    def variance(self) -> float:
        return self.lam

    def mode(self) -> int:
        return math.floor(self.lam)

    def entropy(self) -> float:
        return summed_entropy(self, 0, math.inf)

    def cdf(self, x: Any) -> Any:
        x = np.floor(x)
        return np.where(x >= 0, gamma_above(np.maximum(x, 0.0) + 1.0, self.lam), 0.0)[()]

    def quantile(self, q: Any) -> Any:
        q, lam = np.broadcast_arrays(np.asarray(q, dtype=np.float64), self.lam)
        guess = np.where(lam > 0, special.pdtrik(q, lam), 0.0)
        return np.where(q == 1, np.where(lam > 0, np.inf, 0.0), whole_quantile(self.cdf, q, guess, 0))[()]

    def sf(self, x: Any) -> Any:
        x = np.floor(x)
        return np.where(x >= 0, gamma_below(np.maximum(x, 0.0) + 1.0, self.lam), 1.0)[()]

    def isf(self, q: Any) -> Any:
        return whole_upper_quantile(self.sf, q, self.lam + 40 * math.sqrt(self.lam)) if self.lam > 0 else self.quantile(1.0 - np.asarray(q))

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return poisson_draws(self.lam, size, rng, self.label)

    def expected_statistics(self, count: float) -> Sums:
        return Sums(count=count, x=count * self.lam)

    def log_likelihood(self, statistics: Any) -> float:
        return special.xlogy(statistics.x, self.lam) - statistics.count * self.lam

    def estimator(self, pseudo_count: Any = None) -> PoissonEstimator:
        return PoissonEstimator(pseudo_count, None if pseudo_count is None else self.lam, self.name, self.keys)


class PoissonEstimator(MeanEstimator):
    """Maximum likelihood for a Poisson: the weighted mean.

    pseudo_count=a with suff_stat=m: a pseudo-observations with mean m (default: the mean of all the data). The log prior is
    `a (m log lam - lam)`.
    """

    family = PoissonDistribution
    stacks = True

    def estimate(self, statistics: Sums, previous: Any = None) -> PoissonDistribution:
        both = self.with_prior(statistics)
        return self.law(lam=both.x / both.count)
