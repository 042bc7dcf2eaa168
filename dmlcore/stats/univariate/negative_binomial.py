"""The negative binomial law of a count: a Poisson whose mean is gamma distributed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from dmlcore import kernels
from dmlcore.base import special
from dmlcore.base.domains import nonnegative, positive
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import HALF_LOG_2PI, LARGE, across, log_gap, logs, stirling_error
from dmlcore.base.support import COUNTS
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator, given_law, pseudo_counts, pseudo_observations
from dmlcore.core.powers import HasSurvival, Univariate
from dmlcore.core.statistics import Counts
from dmlcore.data.layouts import Count
from dmlcore.stats.univariate.counting import (
    MAX_VALUES,
    bisected,
    counts_of,
    poisson_draws,
    summed_entropy,
    whole_quantile,
    whole_upper_quantile,
)

LEAST_DISPERSION, MOST_DISPERSION = 1e-8, 1e8  # bounds of an estimated dispersion
NEWTON = 1e-7  # a step of log t below which it has come to its end
NARROWEST = 1e-100  # dispersions below this overflow in what follows, and the law is Poisson to all digits
ASYMPTOTIC_FROM = 20.0  # from here, gamma functions by their asymptotic series (Abramowitz and Stegun 6.1.40, 6.3.18, 6.4.12)


class NegativeBinomialDistribution(Distribution, Univariate, HasSurvival):
    """A count x in 0, 1, 2, ... with probability `Gamma(x + t) / (Gamma(t) x!) (t / (t + mu))^t (mu / (t + mu))^x`, t = 1 / dispersion.

    mu: the mean, >= 0, in counts; 0 puts all mass at 0. dispersion: positive, a pure number; the variance is `mu + dispersion mu^2`, and
    towards 0 the law is Poisson. Raises `ParameterError` outside these domains. For large counts the saddle-point form (Loader 2000) keeps
    all digits.
    """

    mu: float = parameter(nonnegative)
    dispersion: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Count
    support = COUNTS

    @property
    def _t(self) -> Any:
        return 1.0 / np.maximum(self.dispersion, NARROWEST)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        x, mu, t = x.astype(np.float64), across(self.mu), across(self._t)
        log_mu = logs(mu)
        with np.errstate(over="ignore", invalid="ignore"):
            odds = mu / t
        rest = np.where(odds < np.inf, np.log1p(odds), log_mu - np.log(t))
        if np.any(mu > LARGE) or (len(x) and x.max() > LARGE):
            return np.where(x > 0, peaked(np.maximum(x, 1.0), mu, log_mu, t), -t * rest)
        return special.xlogy(x, mu) - x * rest - t * rest + log_ways(x, t)

    def mean(self) -> float:
        return self.mu

    def variance(self) -> float:
        return self.mu + self.dispersion * self.mu * self.mu

    def mode(self) -> int:
        return math.floor(max(self.mu * (1.0 - self.dispersion), 0.0))

    def entropy(self) -> float:
        return summed_entropy(self, 0, math.inf)

    def cdf(self, x: Any) -> Any:
        x, t = np.floor(x), self._t
        more, all = np.clip(x, 0.0, 1e300) + 1.0, t + self.mu
        below = np.where(self.mu < t, special.betaincc(more, t, self.mu / all), special.betainc(t, more, t / all))
        return np.where(x >= 0, np.where(x == np.inf, 1.0, below), 0.0)[()]

    def sf(self, x: Any) -> Any:
        x, t = np.floor(x), self._t
        more, all = np.clip(x, 0.0, 1e300) + 1.0, t + self.mu
        above = special.betainc(more, t, self.mu / all) if self.mu < t else special.betaincc(t, more, t / all)
        return np.where(x >= 0, np.where(x == np.inf, 0.0, above), 1.0)[()]

    def isf(self, q: Any) -> Any:
        reach = self.mu + 40 * math.sqrt(self.variance())
        return whole_upper_quantile(self.sf, q, min(reach, 1e300)) if self.mu > 0 else self.quantile(1.0 - np.asarray(q))

    def quantile(self, q: Any) -> Any:
        (q, mu), t = np.broadcast_arrays(np.asarray(q, dtype=np.float64), self.mu), self._t
        gamma = special.gammaincinv(t, np.where(q < 1, q, 0.5)) / t * mu  # of the mean of the Poisson
        low, high = np.zeros(q.shape), np.ceil(np.minimum(gamma * 2 + 40 * np.sqrt(self.variance()) + 40, 1e300))
        while (short := (self.cdf(high) < q) & (q < 1) & (high < 1e300)).any():
            high = np.where(short, 2 * high, high)
        guess = bisected(self.cdf, q, low, high)
        return np.where(q == 1, np.where(mu > 0, np.inf, 0.0), whole_quantile(self.cdf, q, guess, 0))[()]

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return poisson_draws(rng.gamma(self._t, 1.0, size) / self._t * self.mu, None, rng, self.label)

    def expected_statistics(self, count: float) -> Counts:
        most = float(self.quantile(1 - 1e-15)) + 60 * math.ceil(1 + self.dispersion * self.mu)
        if most > MAX_VALUES:
            raise ParameterError(
                f"{self.label}: mean {self.mu:.3g} and dispersion {self.dispersion:.3g} spread over {most:.3g} counts, too many for a table"
                " of what pseudo-observations are on average; give suff_stat with a smaller mean or dispersion"
            )
        values = np.arange(int(most))
        return Counts(values, count * np.exp(self.log_densities(values)), count)

    def log_likelihood(self, statistics: Any) -> float:
        weights = statistics.weights
        return (np.where(weights > 0, self.log_densities(statistics.values), 0.0) * weights).sum(axis=-1)

    def estimator(self, pseudo_count: Any = None) -> NegativeBinomialEstimator:
        own = None if pseudo_count is None else (self.mu, self.dispersion)
        return NegativeBinomialEstimator(pseudo_count, own, self.name, self.keys)


class NegativeBinomialEstimator(Estimator):
    """Maximum likelihood for a negative binomial: the weighted mean, and the dispersion between 1e-8 and 1e8 that goes with it.

    Counts that spread no wider than Poisson ones send the dispersion to its lower bound, where the law is Poisson. pseudo_count=a with
    suff_stat=(m, d): a pseudo-observations as a negative binomial of mean m and dispersion d gives on average (default: like all the
    data); the log prior is a times the mean of their log density.
    """

    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = NegativeBinomialDistribution
    stacks = True

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "NegativeBinomialEstimator")
        given_law(self)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Counts:
        return counts_of(x, weights)

    def resolve(self, statistics: Counts) -> Self:
        return self.pinned(prior=pseudo_observations(self, statistics, given_law(self)))

    def estimate(self, statistics: Counts, previous: Any = None) -> NegativeBinomialDistribution:
        both = self.with_prior(statistics)
        y, w = both.values.astype(np.float64), both.weights / both.weights.sum(axis=-1, keepdims=True)
        mu = np.asarray(w @ y)
        dispersion = np.array(np.broadcast_to(1.0 if previous is None else previous.dispersion, mu.shape))
        some = mu > 0  # where all counts are zero, any dispersion is as good as before
        dispersion[some] = likeliest_dispersions(y, w[some], mu[some], None if previous is None else dispersion[some])
        return self.law(mu=mu[()], dispersion=dispersion[()])

    def degenerate(self, distribution: NegativeBinomialDistribution) -> str | None:
        return out_of_bounds(self.label, np.where(distribution.mu > 0, distribution.dispersion, 1.0))


def likeliest_dispersions(y: np.ndarray, w: np.ndarray, mu: np.ndarray, near: np.ndarray | None) -> np.ndarray:
    """The dispersions `(K,)`, within bounds, of laws of means mu `(K,)` > 0, of counts `(m,)` in shares `(K, m)`: Newton on log t, kept
    within a bracket, from dispersions that may be near, or else from those that the variances give; t = 1 / dispersion. The slope falls
    through zero once, or nowhere."""
    low, high = -math.log(MOST_DISPERSION), -math.log(LEAST_DISPERSION)
    excess = (w * (y - mu[:, None]) ** 2).sum(axis=1) - mu
    log_t = np.where(excess > 0, np.clip(2 * np.log(mu) - np.log(np.where(excess > 0, excess, 1.0)), low, high), high)
    log_t = log_t if near is None else np.clip(-np.log(near), low, high)
    return np.exp(-kernels.dispersions(y, np.ascontiguousarray(w), mu, log_t, low, high, NEWTON))


def out_of_bounds(label: str, dispersion: Any) -> str | None:
    """A sentence if a dispersion is one that no estimate has: no step of EM goes there, longer ones may."""
    outside = np.ravel(dispersion)[
        ~((np.ravel(dispersion) >= LEAST_DISPERSION * (1 - 1e-9)) & (np.ravel(dispersion) <= MOST_DISPERSION * (1 + 1e-9)))
    ]
    return f"{label}: its dispersion, {outside[0]:.3g}, is out of bounds" if len(outside) else None


def peaked(y: np.ndarray, mu: Any, log_mu: Any, t: Any) -> np.ndarray:
    """Log probabilities of counts y > 0 at means mu, in the saddle-point form (Loader 2000), which keeps all digits of large counts."""
    whole, mixed = y + t, t + mu
    log, moved = np.log(whole) - np.log(mixed), (y - mu) * (t / mixed)
    u = np.minimum(y - mu, mixed) / mixed  # where it is not small, it may overflow
    misfit = np.where(np.abs(u) < 0.25, t * log_gap(u), moved - t * log)
    misfit += y * log_gap(-moved / y, log_mu + log - np.log(y))
    errors = stirling_error(whole) - stirling_error(t) - stirling_error(y)
    return errors - misfit - HALF_LOG_2PI + 0.5 * (np.log(t) - np.log(whole) - np.log(y))


def log_ways(y: np.ndarray, t: Any) -> np.ndarray:
    """`log Gamma(y + t) - log Gamma(t) - y log t - log y!`, without cancellation for large t."""
    large = np.maximum(t, ASYMPTOTIC_FROM)
    by_series = (y + large - 0.5) * np.log1p(y / large) - y + stirling_error(y + large) - stirling_error(large)
    small = np.minimum(t, ASYMPTOTIC_FROM)
    direct = special.gammaln(y + small) - special.gammaln(small) - y * np.log(small)
    return np.where(t < ASYMPTOTIC_FROM, direct, by_series) - special.gammaln(y + 1.0)


def dispersion_slopes(values: np.ndarray, mu: Any, t: Any, of: Callable[[np.ndarray], np.ndarray] = np.asarray) -> tuple[Any, Any]:
    """First and second derivatives of the log probability in log t, without cancellation for large t.

    values: counts, of which `of` makes one for each mean. What depends on the count alone is computed before that.
    """
    y, above = of(values), values + t
    (of_t, of_above), u = (gamma_gaps_of(k) for k in (t, above)), (y - mu) / (t + mu)
    first = of(t * (of_t[0] - of_above[0])) - t * log_gap(u, of(np.log(above)) - np.log(t + mu))
    return first, first + of(t * t * (of_above[1] - of_t[1])) + t * t * (u * u / (y + t))


def gamma_gaps_of(k: Any) -> np.ndarray:
    """`log k - psi(k)` and `psi'(k) - 1 / k`."""
    k = np.asarray(k, dtype=np.float64)
    return kernels.gamma_gaps(k.ravel()).reshape(2, *k.shape)
