"""Student's t law of a real number, with heavy tails."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import OrNone, positive, real
from dmlcore.base.numerics import HALF_LOG_2PI, across, log_ratio
from dmlcore.base.records import dataclass
from dmlcore.base.support import REALS
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.powers import HasCdf, HasEntropy, HasMean, HasMode, HasQuantile, HasSurvival, HasVariance
from dmlcore.core.statistics import Moments, saved_as
from dmlcore.data.layouts import Real
from dmlcore.stats.univariate.gamma import excess, shape_of
from dmlcore.stats.univariate.gaussian import GaussianEstimator
from dmlcore.stats.univariate.moments import VARIANCE_FLOOR, floor_message, moments_of, relative_variance
from dmlcore.stats.univariate.negative_binomial import log_ways

LEAST_DF, MOST_DF = 0.1, 1e6  # bounds of an estimated df: from there on the law is Gaussian to all the digits that data can tell
ALIKE_PRECISIONS = 1e-3  # of df, per step: half the variance of squared distances from the centre, in units of the scale
START_DF = 8.0  # before there is a law
TAILED_SCALE_FLOOR = 1e-20  # of the variance of all the data, which outliers make large: reached only by a component on one value
LARGEST_SQUARED = 1e150
WHERE_TAILS_ARE_POWERS = 1e9  # square roots of df, from where on a tail is a power, to all digits


class StudentTDistribution(Distribution, HasMean, HasVariance, HasMode, HasEntropy, HasCdf, HasQuantile, HasSurvival):
    """A real number with density `Gamma((df + 1) / 2) / (Gamma(df / 2) sqrt(df pi) scale) (1 + z^2 / df)^(-(df + 1) / 2)`, where
    `z = (x - mu) / scale`.

    mu: the centre, a finite real, in the units of x. scale: positive, in the units of x; it is not the standard deviation, which is
    `scale sqrt(df / (df - 2))`. df: the degrees of freedom, positive, a pure number: 1 is a Cauchy, and towards infinity the law is
    Gaussian. Raises `ParameterError` outside these domains.
    """

    mu: float = parameter(real)
    scale: float = parameter(positive)
    df: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = REALS

    @cached_property
    def _constant(self) -> Any:
        return across(np.asarray(tail_constant(self.df, 1) - np.log(self.scale))[()])

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        df, apart, scale = across(self.df), np.abs(x - across(self.mu)), across(self.scale)
        with np.errstate(over="ignore"):
            z = apart / scale / np.sqrt(df)
        near = np.minimum(z, LARGEST_SQUARED)
        log = np.log1p(near * near)
        if np.any(far := z > LARGEST_SQUARED):
            log = np.where(far, 2.0 * log_ratio(np.where(far, apart, 1.0), scale) - np.log(df), log)
        return self._constant - 0.5 * (df + 1.0) * log

    def precisions(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected precisions of values, relative to those of all, and expectations of their logarithms."""
        z = (x - across(self.mu)) / across(self.scale)
        with np.errstate(over="ignore"):
            return expected_precisions(z * z, self.df, 1)

    def mean(self) -> float:
        return self.mu if self.df > 1 else math.nan

    def variance(self) -> float:
        return tail_variance(self.scale * self.scale, self.df)

    def mode(self) -> float:
        return self.mu

    def entropy(self) -> float:
        return tail_entropy(self.df, 1) + math.log(self.scale)

    def cdf(self, x: Any) -> Any:
        return self._below(np.asarray(x) - self.mu)

    def quantile(self, q: Any) -> Any:
        return self.mu + self._deviation(np.asarray(q, dtype=np.float64))

    def sf(self, x: Any) -> Any:
        return self._below(self.mu - np.asarray(x))

    def isf(self, q: Any) -> Any:
        return self.mu - self._deviation(np.asarray(q, dtype=np.float64))

    def _below(self, apart: Any) -> Any:
        """The probability of less than a deviation from the centre; far out by the power of the tail, where scipy's squares overflow."""
        with np.errstate(over="ignore"):
            z = apart / self.scale
        far = z < -WHERE_TAILS_ARE_POWERS * math.sqrt(self.df)
        if not np.any(far):
            return special.stdtr(self.df, z)
        tail = np.exp(self._log_tail - self.df * log_ratio(np.where(far, -apart, 1.0), self.scale))
        return np.where(far, tail, special.stdtr(self.df, np.where(far, 0.0, z)))[()]

    def _deviation(self, q: np.ndarray) -> Any:
        """The deviation from the centre that has a probability `q` below."""
        inside = np.where((q > 0) & (q < 1), q, 0.5)
        z = special.stdtrit(self.df, inside)
        with np.errstate(over="ignore"):
            tail = np.exp((self._log_tail - np.log(np.minimum(inside, 1.0 - inside))) / self.df)
        z = np.where(tail > WHERE_TAILS_ARE_POWERS * math.sqrt(self.df), np.copysign(tail, inside - 0.5), z)
        ends = np.where(q == 0, -np.inf, np.where(q == 1, np.inf, np.nan))
        with np.errstate(over="ignore"):
            return np.where((q > 0) & (q < 1), self.scale * z, ends)[()]

    @cached_property
    def _log_tail(self) -> float:
        """Of the factor in front of `z^-df`, which the probability of more than a large z comes to."""
        return float(tail_constant(self.df, 1)) + 0.5 * (self.df - 1.0) * math.log(self.df)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return self.mu + self.scale * rng.standard_t(self.df, size)

    def expected_statistics(self, count: float) -> Precisions:
        return Precisions(count, Moments(count, self.mu, count * self.scale**2), -count * excess(self.df / 2))

    def estimator(self, pseudo_count: Any = None) -> StudentTEstimator:
        return StudentTEstimator(name=self.name, keys=self.keys)


@saved_as("precisions", "count", "moments", "logs")
@dataclass(frozen=True)
class Precisions:
    """Sums over values of a scale mixture of Gaussians, whose precisions are latent: `count` of rows; `moments` of the values, weighted by
    their expected precisions too; `logs`, the weighted sum of the expected logarithms of the precisions."""

    count: Any
    moments: Any
    logs: Any

    def __add__(self, other: Self) -> Self:
        return type(self)(self.count + other.count, self.moments + other.moments, self.logs + other.logs)

    def scaled(self, factor: float) -> Self:
        """As if every weight had been multiplied."""
        return type(self)(self.count * factor, self.moments.scaled(factor), self.logs * factor)


def expected_precisions(squares: np.ndarray, df: Any, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Of values at squared distances `(.., n)` from the centre: the precisions u are gamma with shape and rate df / 2, and given a value
    with shape (df + d) / 2 and rate (df + square) / 2 (Liu and Rubin 1995, section 2)."""
    df = across(df)
    squares = np.minimum(squares, LARGEST_SQUARED**2)
    u = (df + d) / (df + squares)
    logs = np.where(u > 0.5, np.log1p(np.maximum((d - squares) / (df + squares), -0.5)), np.log(u))
    return u, logs - excess(0.5 * (df + d))


def likeliest_df(statistics: Precisions, before: Any, d: int) -> Any:
    """The df, within bounds, that goes with the precisions: their law is gamma, with shape df / 2 and, in the larger model, any mean.

    before: the df of the law that they were taken under, or None. Where all precisions are one, as of a component that sits on one value,
    steps would go up by d, the number of coordinates, and on for ever: it goes to the bound at once.
    """
    gap = np.log(statistics.moments.count / statistics.count) - statistics.logs / statistics.count
    most = excess(LEAST_DF / 2)
    df = 2.0 * shape_of(np.clip(np.where(np.isnan(gap), most, gap), excess(MOST_DF / 2), most))
    return df if before is None else np.where(np.abs(df - before - d) < ALIKE_PRECISIONS, MOST_DF, df)[()]


def tail_constant(df: Any, d: int) -> Any:
    """`log Gamma((df + d) / 2) - log Gamma(df / 2) - d / 2 log(pi df)`, without cancellation for large df."""
    return log_ways(np.asarray(0.5 * d), 0.5 * np.asarray(df)) + math.lgamma(0.5 * d + 1) - d * HALF_LOG_2PI


def tail_variance(scatter: Any, df: float) -> Any:
    """The variance of a t of squared scale `scatter`: infinite up to df = 2, and none up to 1."""
    return scatter * (df / (df - 2)) if df > 2 else scatter * (math.inf if df > 1 else math.nan)


def tail_entropy(df: float, d: int) -> float:
    """The entropy of a t of scale one in d dimensions."""
    h, k = 0.5 * df, 0.5 * d
    return float((h + k) * (special.psi(h + k) - special.psi(h)) - tail_constant(df, d))


class TailedEstimator(Estimator):
    """Base of estimators of Student's t laws, by EM with a larger model in which all precisions may have any mean (PX-EM; Liu, Rubin and
    Wu 1998, section 4): a step rises as EM's does, and higher.

    Its setting `df`: the degrees of freedom, held; None: estimated, between 0.1 and 1e6.
    """

    gaussian: ClassVar[Any] = None  # the estimator of centre and scatter, which has their floor

    @property
    def fixed_fields(self: Any) -> tuple[str, ...]:
        return () if self.df is None else ("df",)

    def is_feasible(self: Any, distribution: Any) -> bool:
        return self.within_bounds(distribution) and (self.df is None or bool(np.all(distribution.df == self.df)))

    def within_bounds(self: Any, law: Any) -> bool:
        return self.df is not None or bool(np.all((law.df >= LEAST_DF * (1 - 1e-9)) & (law.df <= MOST_DF * (1 + 1e-9))))

    def weighted_moments(self, x: np.ndarray, weights: np.ndarray) -> Any:
        """Moments of the values."""
        raise NotImplementedError

    def statistics(self, x: np.ndarray, weights: np.ndarray, law: Any = None) -> Precisions:
        count = weights.sum(axis=-1)
        if law is None:
            return Precisions(count, self.weighted_moments(x, weights), -excess(START_DF / 2) * count)
        u, logs = law.precisions(x)
        return Precisions(count, self.weighted_moments(x, weights * u), (weights * logs).sum(axis=-1))

    def centred_law(self: Any, statistics: Precisions, previous: Any, d: int) -> tuple[Any, Any]:
        """The Gaussian law that goes with the precisions of d coordinates, and df."""
        law = self.gaussian.estimate(statistics.moments)
        if self.df is not None:
            return law, np.broadcast_to(self.df, np.shape(statistics.count))[()]
        return law, likeliest_df(statistics, None if previous is None else previous.df, d)


class StudentTEstimator(TailedEstimator):
    """Maximum likelihood for a Student t, by EM: a step weighs each value by its expected precision `(df + 1) / (df + z^2)`.

    df: the degrees of freedom, held; None: estimated, between 0.1 and 1e6 (where values have no heavier tails than a Gaussian, it goes to
    the upper bound). scale^2 is held above `TAILED_SCALE_FLOOR` times the variance of all the data. Raises `DegenerateError` where all
    values are equal.
    """

    df: float | None = parameter(OrNone(positive), default=None)
    name: str | None = name()
    keys: str | None = keys()

    family = StudentTDistribution
    stacks = True
    gaussian = GaussianEstimator()

    def weighted_moments(self, x: np.ndarray, weights: np.ndarray) -> Moments:
        return moments_of(x, weights)

    def resolve(self, statistics: Precisions) -> Self:
        gaussian = GaussianEstimator(name=self.label).resolve(statistics.moments)
        return self.pinned(gaussian=gaussian.pinned(floor=TAILED_SCALE_FLOOR / VARIANCE_FLOOR * gaussian.floor))

    def estimate(self, statistics: Precisions, previous: Any = None) -> StudentTDistribution:
        law, df = self.centred_law(statistics, previous, 1)
        return self.law(mu=law.mu, scale=np.sqrt(law.sigma2), df=df)

    def degenerate(self, distribution: Any) -> str | None:
        return floor_message(self.label, np.square(distribution.scale), self.gaussian.floor)

    def min_relative_variance(self, distribution: Any) -> Any:
        return relative_variance(np.square(distribution.scale), self.gaussian.floor * (VARIANCE_FLOOR / TAILED_SCALE_FLOOR))
