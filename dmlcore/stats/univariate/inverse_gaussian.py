"""The inverse Gaussian (Wald) law of a positive number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import positive
from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import HALF_LOG_2PI, across
from dmlcore.base.support import POSITIVE
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import REMEDY, Estimator, given_law, pseudo_counts, pseudo_observations
from dmlcore.core.powers import HasSurvival, Univariate
from dmlcore.core.statistics import GapMoments, saved_as
from dmlcore.data.layouts import Real

SPREAD_FLOOR = 1e-12  # of the mean of 1 / x less 1 / mean of all the data: reached only by a component that sits on one value
SPREAD_ROUNDING = 2.0**-100  # relative to 1 / mean: a spread below this is rounding, and all values are equal
LARGE_RATIO = 50.0  # of 2 lam / mu, from where an exponential integral is taken from its asymptotic series
QUANTILE_HALVINGS = 90
NEAR_DEVIATES = 1e-3  # from there on, differences of scaled error functions have lost few digits
SQRT_2 = math.sqrt(2.0)


class InverseGaussianDistribution(Distribution, Univariate, HasSurvival):
    """A number x > 0 with density `sqrt(lam / (2 pi x^3)) exp(-lam (x - mu)^2 / (2 mu^2 x))`: when a drifting random walk first gets there.

    mu: the mean, positive, in the units of x. lam: the shape, positive, in the units of x too; the variance is mu^3 / lam.
    Raises `ParameterError` outside these domains.
    """

    mu: float = parameter(positive)
    lam: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = POSITIVE

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        mu, lam, logs = across(self.mu), across(self.lam), np.log(x)
        with np.errstate(over="ignore", invalid="ignore"):  # one of the two forms may overflow, where the other is taken
            apart = (x - mu) / mu
            misfit = np.where(x < mu, (lam / x) * apart * apart, (lam / mu) * apart * ((x - mu) / x))
        return 0.5 * (np.log(lam) - logs) - HALF_LOG_2PI - logs - 0.5 * misfit

    def mean(self) -> float:
        return self.mu

    def variance(self) -> float:
        return self.mu * self.mu * (self.mu / self.lam)

    def mode(self) -> float:
        r = 1.5 * self.mu / self.lam
        return self.mu / (math.sqrt(1.0 + r * r) + r)

    def entropy(self) -> float:
        ratio = 2.0 * self.lam / self.mu
        mean_log = math.log(self.mu) - float(_scaled_exponential_integral(ratio))
        return 0.5 + HALF_LOG_2PI - 0.5 * math.log(self.lam) + 1.5 * mean_log

    def _deviates(self, x: Any) -> tuple[Any, Any]:
        """`sqrt(lam / x) (x / mu - 1)`, and how much more it is with `+ 1`, without products of what overflows and what underflows."""
        y = np.clip(x, np.finfo(np.float64).tiny, 1e300)
        with np.errstate(over="ignore"):
            per = math.sqrt(self.lam) / np.sqrt(y)
            return per * (y - self.mu) / self.mu, 2.0 * per

    def cdf(self, x: Any) -> Any:
        low, apart = self._deviates(x)
        with np.errstate(under="ignore", over="ignore"):
            below = special.ndtr(low) + np.exp(2.0 * self.lam / self.mu + special.log_ndtr(-low - apart))
        return np.where(np.asarray(x) > 0, np.where(np.asarray(x) == np.inf, 1.0, np.minimum(below, 1.0)), 0.0)[()]

    def sf(self, x: Any) -> Any:
        low, apart = self._deviates(x)
        with np.errstate(under="ignore", over="ignore", invalid="ignore"):
            # both terms have one Gaussian density in front of their ratios of Mills: so none of them underflows
            far = 0.5 * np.exp(-0.5 * low * low) * _erfcx_fall(low / SQRT_2, apart / SQRT_2)
        above = np.where(low > 0, far, 1.0 - self.cdf(x))
        return np.where(np.asarray(x) > 0, np.where(np.asarray(x) == np.inf, 0.0, above), 1.0)[()]

    def quantile(self, q: Any) -> Any:
        q = np.asarray(q, dtype=np.float64)
        return self._bisected(q, lambda x, inside: self.cdf(x) >= inside, 0.0, np.inf)

    def isf(self, q: Any) -> Any:
        q = np.asarray(q, dtype=np.float64)
        return self._bisected(q, lambda x, inside: self.sf(x) <= inside, np.inf, 0.0)

    def _bisected(self, q: np.ndarray, reached: Callable[[Any, Any], Any], at_zero: float, at_one: float) -> Any:
        """The least number from which on a tail has reached each of some probabilities."""
        inside = np.where((q > 0) & (q < 1), q, 0.5)
        # beyond every quantile that a float tells from 0 or 1, on either side
        far = 7.0 + math.log(1500.0 * (1.0 + self.mu / self.lam))
        low, high = np.full(q.shape, math.log(self.mu) - far), np.full(q.shape, math.log(self.mu) + far)
        for _ in range(QUANTILE_HALVINGS):
            middle = (low + high) / 2
            there = reached(np.exp(middle), inside)
            low, high = np.where(there, low, middle), np.where(there, middle, high)
        ends = np.where(q == 0, at_zero, np.where(q == 1, at_one, np.nan))
        return np.where((q > 0) & (q < 1), np.exp(high), ends)[()]

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return np.maximum(rng.wald(self.mu, self.lam, size), np.finfo(float).tiny)

    def expected_statistics(self, count: float) -> InverseMoments:
        return InverseMoments(count, self.mu, count / self.lam)

    def log_likelihood(self, statistics: Any) -> float:
        apart = statistics.mean - self.mu
        misfit = statistics.gap + statistics.count * (apart / self.mu) ** 2 / statistics.mean
        return 0.5 * (statistics.count * np.log(self.lam) - self.lam * misfit)

    def estimator(self, pseudo_count: Any = None) -> InverseGaussianEstimator:
        own = None if pseudo_count is None else (self.mu, self.lam)
        return InverseGaussianEstimator(pseudo_count, own, self.name, self.keys)


def _erfcx_fall(low: Any, apart: Any) -> Any:
    """`erfcx(low) - erfcx(low + apart)`: where they are near, by the derivatives between them, `f' = 2 x f - 2 / sqrt(pi)`."""
    x = low + 0.5 * apart
    value = special.erfcx(x)
    slope = 2.0 * x * value - 2.0 / math.sqrt(math.pi)
    third = 4.0 * slope + 2.0 * x * (2.0 * value + 2.0 * x * slope)
    near = -apart * (slope + apart * apart / 24.0 * third)
    return np.where(apart < NEAR_DEVIATES, near, special.erfcx(low) - special.erfcx(low + apart))


def _scaled_exponential_integral(z: Any) -> Any:
    """`exp(z) E1(z)` (Abramowitz and Stegun 5.1.51 where z is large)."""
    r = 1.0 / max(z, LARGE_RATIO)
    series = r * (1 - r * (1 - r * (2 - r * (6 - r * (24 - r * (120 - r * 720))))))
    return math.exp(z) * special.exp1(z) if z < LARGE_RATIO else series


@saved_as("inverse moments", "count", "mean", "gap")
class InverseMoments(GapMoments):
    """Moments of positive numbers with the weighted sum of 1 / x - 1 / mean as the gap: the sum of `w (x - mean)^2 / (x mean^2)`."""

    @classmethod
    def of(cls, x: np.ndarray, weights: np.ndarray) -> Self:
        """Those of positive numbers `(n,)`, from weights `(.., n)`."""
        count = weights.sum(axis=-1)
        whole = np.where(count > 0, count, 1.0)
        mean = np.where(count > 0, weights @ x, 1.0) / whole
        apart = x - mean[..., None]
        rest = (weights * apart).sum(axis=-1) / whole  # a rounding error
        mean, apart = mean + rest, apart - rest[..., None]
        with np.errstate(over="ignore"):
            gap = (weights * (apart / mean[..., None]) ** 2 / x).sum(axis=-1)
        return cls(count, mean[()], gap)

    def between(self, other: Self, share: Any, mean: Any) -> Any:
        shift = other.mean - self.mean
        return self.count * share * (shift / self.mean) * (shift / other.mean) / mean


class InverseGaussianEstimator(Estimator):
    """Maximum likelihood for an inverse Gaussian: mu is the weighted mean, and 1 / lam the mean of 1 / x less 1 / mu.

    pseudo_count=a with suff_stat=(m, l): a pseudo-observations as an inverse Gaussian of mean m and shape l gives on average (default:
    like all the data); the log prior is a times the mean of their log density. 1 / lam is held above `SPREAD_FLOOR` times that of all the
    data. Raises `DegenerateError` where all values are equal and there is no prior.
    """

    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = InverseGaussianDistribution
    stacks = True
    floor = 0.0

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "InverseGaussianEstimator")
        given_law(self)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> InverseMoments:
        return InverseMoments.of(x, weights)

    def resolve(self, statistics: InverseMoments) -> Self:
        spread = statistics.gap / statistics.count if statistics.count > 0 else 0.0
        known = spread * statistics.mean > SPREAD_ROUNDING
        return self.pinned(floor=SPREAD_FLOOR * spread if known else 0.0, prior=pseudo_observations(self, statistics, given_law(self)))

    def estimate(self, statistics: InverseMoments, previous: Any = None) -> InverseGaussianDistribution:
        both = self.with_prior(statistics)
        spread = np.maximum(both.gap / both.count, self.floor)
        equal = spread * both.mean <= (0.0 if self.floor > 0 else SPREAD_ROUNDING)
        if np.any(equal):
            value = float(np.ravel(both.mean)[np.argmax(equal)])
            raise DegenerateError(f"{self.label}: all values equal {value!r}, so the shape has no maximum; {REMEDY}")
        return self.law(mu=both.mean, lam=1.0 / spread)

    def degenerate(self, distribution: Any) -> str | None:
        if not self.floor > 0 or np.all(distribution.lam * self.floor < 1 - 1e-9):
            return None
        return f"{self.label} sits on equal values (shape at its cap, {np.max(distribution.lam):.3g}); its density there is unbounded"
