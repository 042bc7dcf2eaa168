"""The Weibull law of a lifetime."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import Domain, positive
from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import across, log_ratio
from dmlcore.base.records import dataclass
from dmlcore.base.support import POSITIVE
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import REMEDY, Estimator, given_law, pseudo_counts, pseudo_draws
from dmlcore.core.powers import HasSurvival, Univariate
from dmlcore.data.layouts import Real
from dmlcore.stats.univariate.moments import LocalMoments, moments_of, variance_of

LOG_SPREAD = math.pi / math.sqrt(6.0)  # the standard deviation of log x times the shape
SHAPE_CAP = 1e6  # times that of all the data: reached only by a component that sits on one value
FARTHEST_POWER = 600.0  # of e, in (x / scale)^shape
SMALL_POWER = 1e-2  # below, few terms of a series are all digits
STRIDE_OF_SHAPE = 2.0  # the most that a step multiplies or divides it by


class WeibullDistribution(Distribution, Univariate, HasSurvival):
    """A number x > 0 with density `(shape / scale) (x / scale)^(shape - 1) exp(-(x / scale)^shape)`.

    shape: positive, a pure number: 1 is an exponential, below it hazards fall with age, above it they rise. scale: positive, in the units
    of x: 63% of values lie below. Raises `ParameterError` outside these domains.
    """

    shape: float = parameter(positive)
    scale: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = POSITIVE

    @cached_property
    def _logs(self) -> tuple[Any, Any]:
        return across(np.log(self.shape)), across(np.log(self.scale))

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        log_shape, log_scale = self._logs
        log = log_ratio(x, across(self.scale))
        z = across(self.shape) * log
        return log_shape - log_scale + z - log - np.exp(z)

    def mean(self) -> float:
        return self.scale * float(special.gamma(1.0 + 1.0 / self.shape))

    def variance(self) -> float:
        mean, t = self.mean(), 1.0 / self.shape
        with np.errstate(over="ignore"):
            return float(mean * (mean * np.expm1(log_spread(t)))) if mean < math.inf else math.inf

    def mode(self) -> float:
        return self.scale * max(1.0 - 1.0 / self.shape, 0.0) ** (1.0 / self.shape)

    def entropy(self) -> float:
        return np.euler_gamma * (1.0 - 1.0 / self.shape) + math.log(self.scale) - math.log(self.shape) + 1.0

    def cdf(self, x: Any) -> Any:
        with np.errstate(over="ignore"):
            return -np.expm1(-((np.maximum(x, 0.0) / self.scale) ** self.shape))

    def quantile(self, q: Any) -> Any:
        q = np.asarray(q, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.where(q >= 0, self.scale * (-np.log1p(-q) + 0.0) ** (1.0 / self.shape), np.nan)[()]

    def sf(self, x: Any) -> Any:
        with np.errstate(over="ignore"):
            return np.exp(-((np.maximum(x, 0.0) / self.scale) ** self.shape))

    def isf(self, q: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            q = np.asarray(q, dtype=np.float64)
            return np.where(q <= 1, self.scale * (-np.log(q) + 0.0) ** (1.0 / self.shape), np.nan)[()]

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return np.maximum(self.scale * rng.weibull(self.shape, size), np.finfo(float).tiny)

    def expected_statistics(self, count: float) -> TiltedSums:
        one, two, three = (float(special.polygamma(k, 2.0)) for k in range(3))
        tilted = 1.0, one, one * one + two, one**3 + 3 * one * two + three  # (x / scale)^shape is exponential
        return TiltedSums(count, self.shape, self.scale, -count * np.euler_gamma, *(count * part for part in tilted))

    def expected_beside(self, count: float, statistics: Any) -> Any:
        """What `count` draws have as statistics on average, taken at the law that other statistics were taken at."""
        if isinstance(statistics, LocalMoments):
            return LocalMoments(count, math.log(self.scale) - np.euler_gamma / self.shape, count * np.square(LOG_SPREAD / self.shape))
        shift, ratio = statistics.shape * (math.log(self.scale) - np.log(statistics.scale)), statistics.shape / self.shape
        # cumulants of z where draws are weighed by exp(z), whose moments they have as (x / scale)^shape is exponential
        one, two, three = (special.polygamma(k, 1.0 + ratio) * ratio ** (k + 1) for k in range(3))
        one = one + shift
        total = count * np.exp(np.minimum(shift + special.gammaln(1.0 + ratio), FARTHEST_POWER))
        moments = 1.0, one, one * one + two, one**3 + 3 * one * two + three
        logs = count * (shift - np.euler_gamma * ratio)
        return TiltedSums(count, statistics.shape, statistics.scale, logs, *(total * part for part in moments))

    def mean_log_density(self, of: Any) -> Any:
        """The mean of the log density over the values of another Weibull."""
        ratio = self.shape / of.shape
        z = self.shape * (np.log(of.scale) - np.log(self.scale))
        log = np.log(of.scale) - np.euler_gamma / of.shape
        return np.log(self.shape) + z - np.euler_gamma * ratio - log - np.exp(np.minimum(z + special.gammaln(1.0 + ratio), FARTHEST_POWER))

    def estimator(self, pseudo_count: Any = None) -> WeibullEstimator:
        own = None if pseudo_count is None else (self.shape, self.scale)
        return WeibullEstimator(self.name, self.keys, pseudo_count=pseudo_count, suff_stat=own)


def log_spread(t: float) -> float:
    """`log Gamma(1 + 2 t) - 2 log Gamma(1 + t)`, without cancellation for small t."""
    if t > SMALL_POWER:
        return math.lgamma(1.0 + 2.0 * t) - 2.0 * math.lgamma(1.0 + t)
    return sum(special.zeta(k) * (2.0**k - 2.0) / k * (-t) ** k for k in range(2, 9))


@dataclass(frozen=True)
class TiltedSums:
    """Sums over values at the law of a `shape` and a `scale`: with `z = shape log(x / scale)`, `logs` of w z, and `zeroth` to `third` of
    w exp(z) times the powers of z."""

    count: Any
    shape: Any
    scale: Any
    logs: Any
    zeroth: Any
    first: Any
    second: Any
    third: Any
    local: ClassVar[bool] = True  # to one law

    @classmethod
    def of(cls, x: np.ndarray, weights: np.ndarray, law: Any) -> Self:
        """Those of positive numbers `(n,)`, from weights `(.., n)`."""
        z = np.minimum(across(law.shape) * log_ratio(x, across(law.scale)), FARTHEST_POWER)
        tilted = weights * np.exp(z)
        parts = [(weights * z).sum(axis=-1)]
        for _ in range(4):
            parts.append(tilted.sum(axis=-1))
            tilted = tilted * z
        return cls(weights.sum(axis=-1), law.shape, law.scale, *parts)

    def _sums(self) -> tuple[Any, ...]:
        return self.count, self.logs, self.zeroth, self.first, self.second, self.third

    def __add__(self, other: Self) -> Self:
        count, *rest = (a + b for a, b in zip(self._sums(), other._sums(), strict=True))
        return type(self)(count, self.shape, self.scale, *rest)

    def scaled(self, factor: float) -> Self:
        """As if every weight had been multiplied."""
        count, *rest = (a * factor for a in self._sums())
        return type(self)(count, self.shape, self.scale, *rest)


class WeibullEstimator(Estimator):
    """Maximum likelihood for a Weibull, by Newton's method, one step of it in each step of a fit.

    With z = shape log(x / scale), and E the mean weighed by `w exp(z)` too, the likeliest shape has `E[z] - mean(z) = 1`; a step is one of
    1 / shape, of which the difference falls with a slope below -1, so that it is never far from the root. The scale that goes with the
    new shape follows from the cumulants of z. pseudo_count=a with suff_stat=(k, s): a pseudo-observations as a Weibull of shape k and scale
    s gives on average (default: like all the data, from their logarithms' mean and variance); the log prior is a times the mean of their
    log density. The shape is held below `SHAPE_CAP` times that of all the data. Raises `DegenerateError` where all values are equal and
    there is no prior.
    """

    name: str | None = name()
    keys: str | None = keys()
    pseudo_count: Any = parameter(Domain(), default=None, kw_only=True)
    suff_stat: Any = parameter(Domain(), default=None, kw_only=True)

    family = WeibullDistribution
    stacks = True
    cap: ClassVar[float] = np.inf

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "WeibullEstimator")
        given_law(self)

    def statistics(self, x: np.ndarray, weights: np.ndarray, law: Any = None) -> Any:
        return LocalMoments.of(moments_of(np.log(x), weights)) if law is None else TiltedSums.of(x, weights, law)

    def resolve(self, statistics: LocalMoments) -> Self:
        spread = float(np.sqrt(variance_of(statistics)))
        return self.pinned(cap=SHAPE_CAP * LOG_SPREAD / spread if spread > 0 else np.inf, prior=pseudo_draws(self, statistics))

    def estimate(self, statistics: Any, previous: Any = None) -> WeibullDistribution:
        both = self.with_prior(statistics)
        shape, log_scale = self._from_logs(both) if isinstance(statistics, LocalMoments) else self._stepped(both)
        return self.law(shape=shape, scale=np.exp(log_scale))

    def _from_logs(self, moments: LocalMoments) -> tuple[Any, Any]:
        spread = np.sqrt(variance_of(moments))
        if not np.all(spread > 0) and self.cap == np.inf:
            value = float(np.exp(np.ravel(moments.mean)[np.argmin(spread)]))
            raise DegenerateError(f"{self.label}: all values equal {value!r}, so the shape has no maximum; {REMEDY}")
        with np.errstate(divide="ignore"):
            shape = np.minimum(LOG_SPREAD / spread, self.cap)
        return shape, moments.mean + np.euler_gamma / shape

    def _stepped(self, sums: TiltedSums) -> tuple[Any, Any]:
        mean = sums.first / sums.zeroth
        variance = np.maximum(sums.second / sums.zeroth - mean * mean, 0.0)
        skew = sums.third / sums.zeroth - mean * (3.0 * variance + mean * mean)
        step = (mean - sums.logs / sums.count - 1.0) / (1.0 + variance)
        ratio = 1.0 / np.clip(1.0 + step, 1.0 / STRIDE_OF_SHAPE, STRIDE_OF_SHAPE)
        shape = np.minimum(sums.shape * ratio, self.cap)
        further = shape / sums.shape - 1.0
        log_mean = np.log(sums.zeroth / sums.count) + further * (mean + further * (variance / 2.0 + further * skew / 6.0))
        return shape, np.log(sums.scale) + log_mean / shape

    def within_bounds(self, law: Any) -> bool:
        return bool(np.all(law.shape <= self.cap * (1 + 1e-9)))

    def degenerate(self, distribution: Any) -> str | None:
        if np.all(distribution.shape < self.cap * (1 - 1e-9)):
            return None
        return f"{self.label} sits on equal values (shape at its cap, {np.max(distribution.shape):.3g}); its density there is unbounded"
