"""The gamma law of a positive number."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore import kernels
from dmlcore.base import special
from dmlcore.base.domains import nonnegative, positive, real
from dmlcore.base.errors import DegenerateError, ParameterError
from dmlcore.base.gamma_tails import gamma_above, gamma_below, gamma_quantile, gamma_upper_quantile
from dmlcore.base.numerics import HALF_LOG_2PI, LARGE, across, deviance, stirling_error
from dmlcore.base.support import POSITIVE
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import REMEDY, Estimator, pseudo_counts
from dmlcore.core.powers import HasSurvival, Univariate
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.statistics import LogMoments
from dmlcore.data.layouts import Real
from dmlcore.stats.univariate.moments import BOUND_ROUNDING, LEAST_WIDTH

GAP_FLOOR = 1e-10  # of log(mean) - mean(log) of all the data: reached only by a component that sits on one value
GAP_ROUNDING = 1e-30  # a gap below this is rounding: all values are equal
SHAPE_STEPS = 20  # of Newton, on the bound: to rounding, wherever it is


class GammaDistribution(Distribution, Univariate, HasSurvival):
    """A number x > 0 with density `x^(k - 1) exp(-x / theta) / (Gamma(k) theta^k)`.

    k: the shape, a positive pure number. theta: the scale, positive, in the units of x. The mean is k theta.
    Raises `ParameterError` outside these domains. For large k the saddle-point form (Loader 2000) keeps all digits.
    """

    k: float = parameter(positive)
    theta: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = POSITIVE

    @cached_property
    def _constant(self) -> Any:
        if np.all(self.k < LARGE):
            return -self.k * np.log(self.theta) - special.gammaln(self.k)
        return 0.5 * np.log(self.k) - HALF_LOG_2PI - stirling_error(self.k)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        if self.batch and not (np.all(self.k < LARGE) or np.all(self.k >= LARGE)):  # each by its own formula
            out, k, theta = np.empty((*self.batch, len(x))), np.asarray(self.k), np.asarray(self.theta)
            for part in (k >= LARGE, k < LARGE):
                out[part] = self.unchecked((int(part.sum()),), k=k[part], theta=theta[part]).log_densities(x)
            return out
        log, k, theta = np.log(x), across(self.k), across(self.theta)
        if np.all(k >= LARGE):
            return across(self._constant) - deviance(k * theta, x) / theta - log
        return log * (k - 1.0) - x * (1.0 / theta) + across(self._constant)

    def mean(self) -> float:
        return self.k * self.theta

    def variance(self) -> float:
        return self.k * (self.theta * self.theta)

    def mode(self) -> float:
        return max(self.k - 1.0, 0.0) * self.theta

    def entropy(self) -> float:
        if self.k >= 1e6:
            return HALF_LOG_2PI + 0.5 + 0.5 * math.log(self.k) + math.log(self.theta) - 1 / (3 * self.k)
        return self.k + math.log(self.theta) + math.lgamma(self.k) + (1 - self.k) * float(special.psi(self.k))

    def cdf(self, x: Any) -> Any:
        return gamma_below(self.k, np.maximum(x, 0.0) / self.theta)

    def quantile(self, q: Any) -> Any:
        return self.theta * gamma_quantile(self.k, q)

    def sf(self, x: Any) -> Any:
        return gamma_above(self.k, np.maximum(x, 0.0) / self.theta)

    def isf(self, q: Any) -> Any:
        return self.theta * gamma_upper_quantile(self.k, q)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return np.maximum(rng.gamma(self.k, self.theta, size), np.finfo(float).tiny)  # tiny shapes underflow to 0, off the support

    def expected_statistics(self, count: float) -> LogMoments:
        return LogMoments(count, self.mean(), count * excess(self.k))

    def log_likelihood(self, statistics: Any) -> float:
        gap, mean = statistics.gap / np.where(statistics.count > 0, statistics.count, 1.0), statistics.mean
        misfit = self.k * gap + deviance(self.k, mean / self.theta) + stirling_error(self.k)
        return statistics.count * (0.5 * np.log(self.k) - HALF_LOG_2PI - misfit - (np.log(mean) - gap))

    def estimator(self, pseudo_count: Any = None) -> GammaEstimator:
        if pseudo_count is None:
            return GammaEstimator(name=self.name, keys=self.keys)
        mean = self.mean()
        return GammaEstimator(pseudo_count, (mean, math.log(mean) - excess(self.k)), name=self.name, keys=self.keys)


class GammaEstimator(Estimator):
    """Maximum likelihood for a gamma: k solves `log k - psi(k) = log(mean x) - mean(log x)`, and theta is the mean over k.

    pseudo_count=a (or (a, a)) with suff_stat=(m, l): a pseudo-observations with mean m and mean logarithm l; None for the pair or for
    one of them means that of all the data. The log prior is `a ((k - 1) l - m / theta - k log theta - log Gamma(k))`. The default
    (1, 0) are pseudo-observations at 1. threshold: accepted for compatibility; k is always exact to rounding. k is capped where
    the right-hand side reaches `GAP_FLOOR` times that of all the data. rounding: the values are multiples of it, and the standard deviation
    of an estimate is at least that of `MomentsEstimator`. Raises `ParameterError` for unequal pseudo-counts (each
    pseudo-observation has a value and its logarithm) and if log m < l, `DegenerateError` where all values are equal.
    """

    pseudo_count: Any = setting((0.0, 0.0))
    suff_stat: Any = setting((1.0, 0.0))
    threshold: float = setting(1e-8)
    name: str | None = name()
    keys: str | None = keys()
    rounding: float = parameter(nonnegative, default=0.0)

    family = GammaDistribution
    stacks = True
    floor = 0.0
    _pair: ClassVar[Any] = (1.0, 0.0)

    def validate(self) -> None:
        a, b = pseudo_counts(self.pseudo_count, 2, "GammaEstimator")
        if a != b:
            raise ParameterError(f"GammaEstimator: pseudo_count must be one number or two equal ones (x comes with log x), got {(a, b)}")
        pair = (None, None) if self.suff_stat is None else self.suff_stat
        if not isinstance(pair, (tuple, list, np.ndarray)) or len(pair) != 2:
            raise ParameterError(f"GammaEstimator: suff_stat must be a pair (mean of x, mean of log x), got {self.suff_stat!r}")
        try:
            mean, log = (None if v is None else domain.check(v) for v, domain in zip(pair, (positive, real), strict=True))
        except ParameterError as error:
            raise ParameterError(f"GammaEstimator: suff_stat {error}") from None
        if mean is not None and log is not None:
            self._gap(mean, log)
        self.derive(_pair=(mean, log))

    @staticmethod
    def _gap(mean: float, log: float) -> float:
        gap = math.log(mean) - log
        if gap < -1e-12 * max(1.0, abs(log)):
            raise ParameterError(f"GammaEstimator: suff_stat: the mean of log x cannot exceed {math.log(mean)!r}, got {log!r}")
        return max(gap, 0.0)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> LogMoments:
        return LogMoments.of(x, weights)

    def resolve(self, statistics: LogMoments) -> Self:
        (count, _), (mean, log) = pseudo_counts(self.pseudo_count, 2, "GammaEstimator"), self._pair
        prior = None
        if count > 0 and (statistics.count > 0 or (mean is not None and log is not None)):
            gap = statistics.gap / statistics.count if mean is None and log is None else None
            mean = statistics.mean if mean is None else mean
            log = math.log(statistics.mean) - statistics.gap / statistics.count if log is None else log
            prior = PseudoObservations(LogMoments(count, mean, count * (self._gap(mean, log) if gap is None else gap)))
        both = statistics if prior is None else prior.added_to(statistics)
        floor = GAP_FLOOR * both.gap / both.count if both.count > 0 else 0.0
        return self.pinned(prior=prior, floor=floor if floor > GAP_FLOOR * GAP_ROUNDING else 0.0)

    def estimate(self, statistics: LogMoments, previous: Any = None) -> GammaDistribution:
        both = self.with_prior(statistics)
        gap = np.maximum(both.gap / both.count, self.floor)
        if self.rounding > 0:
            k, mean = no_narrower(gap, both.mean, LEAST_WIDTH * self.rounding)
            return self.law(k=k, theta=mean / k)
        if np.any(gap <= (0.0 if self.floor > 0 else GAP_ROUNDING)):
            value = float(np.ravel(both.mean)[np.nanargmin(gap)])
            raise DegenerateError(f"{self.label}: all values equal {value!r}, so the shape has no maximum; {REMEDY}")
        k = shape_of(gap)
        return self.law(k=k, theta=both.mean / k)

    def within_bounds(self, law: Any) -> bool:
        return bool(np.all(law.theta * np.sqrt(law.k) >= LEAST_WIDTH * self.rounding * (1 - BOUND_ROUNDING)))

    def degenerate(self, distribution: Any) -> str | None:
        if not self.floor > 0 or np.all(distribution.k < shape_of(self.floor) * (1 - 1e-9)):
            return None
        return f"{self.label} sits on equal values (shape at its cap, {np.max(distribution.k):.3g}); its density there is unbounded"


def no_narrower(gap: Any, mean: Any, least: float) -> tuple[Any, Any]:
    """The shape and the mean that maximise, where the standard deviation, `mean / sqrt(k)`, is no less than this.

    On that bound, with s the log of the mean over the free one, the likelihood is largest where
    `2 (log k - psi(k)) + 1 - 2 s - 2 gap = exp(-s)`.
    """
    bound = np.square(mean / least)
    narrow = gap < excess(bound)
    s, free = np.zeros_like(bound), np.minimum(gap, excess(bound))
    for _ in range(SHAPE_STEPS if np.any(narrow) else 0):
        own = excess(bound * np.exp(2 * s))
        s = s + (2 * own + 1 - 2 * s - 2 * free - np.exp(-s)) / (4 * own + 2 - np.exp(-s))
    k = np.where(narrow, bound * np.exp(2 * s), shape_of(np.where(narrow, 1.0, gap)))[()]
    return k, mean * np.exp(s)


def excess(k: Any) -> Any:
    """`log k - psi(k)`, to full relative precision."""
    k = np.asarray(k, dtype=np.float64)
    return kernels.gamma_gaps(k.ravel())[0].reshape(k.shape)[()]


def shape_of(gap: Any) -> Any:
    """The k with `log k - psi(k) = gap`."""
    gap = np.asarray(gap, dtype=np.float64)
    return kernels.gamma_shapes(gap.ravel()).reshape(gap.shape)[()]
