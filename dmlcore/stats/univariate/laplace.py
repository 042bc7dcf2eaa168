"""The Laplace (double exponential) law of a real number."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import Domain, positive, real
from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import across, joined
from dmlcore.base.records import dataclass
from dmlcore.base.support import REALS
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import REMEDY, Estimator, given_law, pseudo_counts, pseudo_draws
from dmlcore.core.powers import HasSurvival, Univariate
from dmlcore.data.layouts import Real
from dmlcore.stats.univariate.moments import LocalMoments, check_scale, moments_of, or_nearly, variance_of

DEVIATION_FLOOR = 1e-6  # of the standard deviation of all the data: reached only by a component that sits on one value
NEAREST_OCTAVE, FARTHEST_OCTAVE = -44, 12
EDGES = np.concatenate(
    [-(2.0 ** np.arange(FARTHEST_OCTAVE, NEAREST_OCTAVE, -1)), [0.0], 2.0 ** np.arange(NEAREST_OCTAVE + 1, FARTHEST_OCTAVE + 1)]
)
CENTRE = len(EDGES) // 2
FLAT = 1e-12  # a slope of the mean deviation below this is rounding


class LaplaceDistribution(Distribution, Univariate, HasSurvival):
    """A real number with density `exp(-|x - mu| / scale) / (2 scale)`.

    mu: the median, a finite real, in the units of x. scale: the mean deviation from it, positive, in the units of x; the variance is
    2 scale^2. Raises `ParameterError` outside these domains.
    """

    mu: float = parameter(real)
    scale: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = REALS

    @cached_property
    def _constant(self) -> Any:
        return across(-np.log(2.0) - np.log(self.scale))

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        return self._constant - np.abs(x - across(self.mu)) / across(self.scale)

    def mean(self) -> float:
        return self.mu

    def variance(self) -> float:
        return 2.0 * self.scale * self.scale

    def mode(self) -> float:
        return self.mu

    def entropy(self) -> float:
        return 1.0 + math.log(2.0) + math.log(self.scale)

    def cdf(self, x: Any) -> Any:
        with np.errstate(over="ignore"):
            z = (np.asarray(x) - self.mu) / self.scale
        half = 0.5 * np.exp(-np.abs(z))
        return np.where(z < 0, half, 1.0 - half)[()]

    def quantile(self, q: Any) -> Any:
        q = np.asarray(q, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(q < 0.5, np.log(2.0 * q), -np.log(2.0 * (1.0 - q)))
        return (self.mu + self.scale * z)[()]

    def sf(self, x: Any) -> Any:
        return self.cdf(2.0 * self.mu - np.asarray(x))

    def isf(self, q: Any) -> Any:
        return 2.0 * self.mu - self.quantile(q)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.laplace(self.mu, self.scale, size)

    def expected_statistics(self, count: float) -> Deviations:
        ends = np.append(EDGES[CENTRE:], np.inf)
        tail, first = np.exp(-ends), np.append((ends[:-1] + 1.0) * np.exp(-ends[:-1]), 0.0)
        masses, sums = (-0.5 * count * np.diff(part) for part in (tail, first))
        return Deviations(count, self.mu, self.scale, np.concatenate([masses[::-1], masses]), np.concatenate([-sums[::-1], sums]))

    def expected_beside(self, count: float, statistics: Any) -> Any:
        """What `count` draws have as statistics on average, taken at the law that other statistics were taken at."""
        if isinstance(statistics, LocalMoments):
            return LocalMoments(count, self.mu, count * self.variance())
        shift, ratio = (across((self.mu - statistics.mu) / statistics.scale), across(self.scale / statistics.scale))
        ends = (EDGES - shift) / ratio
        tail = 0.5 * np.exp(-np.abs(ends))
        below, first = np.where(ends < 0, tail, 1.0 - tail), -tail * (np.abs(ends) + 1.0)
        edge = np.zeros((*np.shape(below)[:-1], 1))
        masses = np.diff(np.concatenate([edge, below, edge + 1.0], axis=-1), axis=-1)
        sums = shift * masses + ratio * np.diff(np.concatenate([edge, first, edge], axis=-1), axis=-1)
        return Deviations(count, statistics.mu, statistics.scale, count * masses, count * sums)

    def mean_log_density(self, of: Any) -> Any:
        """The mean of the log density over the values of another Laplace."""
        apart = np.abs(self.mu - of.mu)
        return -np.log(2.0 * self.scale) - (apart + of.scale * np.exp(-apart / of.scale)) / self.scale

    def estimator(self, pseudo_count: Any = None) -> LaplaceEstimator:
        own = None if pseudo_count is None else (self.mu, self.scale)
        return LaplaceEstimator(self.name, self.keys, pseudo_count=pseudo_count, suff_stat=own)


@dataclass(frozen=True)
class Deviations:
    """Sums over values, by how far they lie from a law's `mu`, in units of its `scale`: between any two `EDGES`, one for each doubling of
    the distance, the weight `masses` `(.., B)`, and the weighted `sums` of `(x - mu) / scale`.

    At each edge they say the mean deviation from there exactly.
    """

    count: Any
    mu: Any
    scale: Any
    masses: np.ndarray
    sums: np.ndarray
    local: ClassVar[bool] = True  # to one law

    @classmethod
    def of(cls, x: np.ndarray, weights: np.ndarray, law: Any) -> Self:
        """Those of numbers `(n,)`, from weights `(.., n)`."""
        z = np.clip((x - across(law.mu)) / across(law.scale), -1e300, 1e300)
        shape, bins = weights.shape[:-1], len(EDGES) + 1
        rows, z = joined(weights), np.ascontiguousarray(np.broadcast_to(z, weights.shape)).reshape(math.prod(shape), len(x))
        place = (np.searchsorted(EDGES, z, side="right") + bins * np.arange(len(rows))[:, None]).ravel()
        masses, sums = (np.bincount(place, part.ravel(), bins * len(rows)).reshape(*shape, bins) for part in (rows, rows * z))
        return cls(weights.sum(axis=-1), law.mu, law.scale, masses, sums)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.count + other.count, self.mu, self.scale, self.masses + other.masses, self.sums + other.sums)

    def scaled(self, factor: float) -> Self:
        """As if every weight had been multiplied."""
        return type(self)(self.count * factor, self.mu, self.scale, self.masses * factor, self.sums * factor)

    def gains(self) -> np.ndarray:
        """By how much the sum of deviations from each edge is less than that from mu, in units of the scale, `(.., B - 1)`."""
        below = np.cumsum(self.masses, axis=-1)[..., :-1]
        above = np.cumsum(self.masses[..., ::-1], axis=-1)[..., -2::-1]
        left = np.cumsum(self.sums[..., CENTRE::-1], axis=-1)[..., -2::-1]  # between each edge and mu
        right = np.cumsum(self.sums[..., CENTRE + 1 :], axis=-1)[..., :-1]
        between = np.concatenate([-left, np.zeros((*left.shape[:-1], 1)), right], axis=-1)
        return 2.0 * between - np.abs(EDGES) * np.where(EDGES >= 0, below - above, above - below)


class LaplaceEstimator(Estimator):
    """Maximum likelihood for a Laplace: the weighted median, and the mean deviation from it, found step by step.

    A step knows the mean deviation from places at all distances from mu, 2^k scales away, and takes the best of them: it never goes
    down, and each goes two thirds of the way at least. pseudo_count=a with suff_stat=(m, s): a pseudo-observations as a Laplace of median m
    and scale s gives on average (default: one of the mean and variance of all the data); the log prior is a times the mean of their log
    density. The scale is held above `DEVIATION_FLOOR` times the standard deviation of all the data. Raises `DegenerateError` where all
    values are equal and there is no prior.
    """

    name: str | None = name()
    keys: str | None = keys()
    pseudo_count: Any = parameter(Domain(), default=None, kw_only=True)
    suff_stat: Any = parameter(Domain(), default=None, kw_only=True)

    family = LaplaceDistribution
    stacks = True
    floor: ClassVar[float] = 0.0

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "LaplaceEstimator")
        given_law(self)

    def statistics(self, x: np.ndarray, weights: np.ndarray, law: Any = None) -> Any:
        return LocalMoments.of(moments_of(x, weights)) if law is None else Deviations.of(x, weights, law)

    def resolve(self, statistics: LocalMoments) -> Self:
        check_scale(self.label, statistics)
        floor = float(DEVIATION_FLOOR * np.sqrt(variance_of(statistics)))
        return self.pinned(floor=floor, prior=pseudo_draws(self, statistics))

    def estimate(self, statistics: Any, previous: Any = None) -> LaplaceDistribution:
        both = self.with_prior(statistics)
        if isinstance(statistics, LocalMoments):
            mu, scale = both.mean, np.sqrt(variance_of(both) / 2.0)
        else:
            mu, scale = self._stepped(both)
        scale = np.maximum(scale, self.floor)
        if not np.all(scale > 0):
            value = float(np.ravel(mu)[np.argmin(scale)])
            raise DegenerateError(f"{self.label}: all values equal {value!r}{or_nearly(value)}, so the scale has no maximum; {REMEDY}")
        return self.law(mu=mu, scale=scale)

    @staticmethod
    def _stepped(statistics: Deviations) -> tuple[Any, Any]:
        count, gains = np.asarray(statistics.count)[..., None], statistics.gains()
        best = np.argmax(gains - FLAT * count * np.abs(EDGES), axis=-1)  # where the median is no single value, the nearest
        deviation = statistics.sums[..., CENTRE + 1 :].sum(axis=-1) - statistics.sums[..., : CENTRE + 1].sum(axis=-1)
        left = deviation - np.take_along_axis(gains, best[..., None], axis=-1)[..., 0]
        return statistics.mu + statistics.scale * EDGES[best], statistics.scale * left / statistics.count

    def degenerate(self, distribution: Any) -> str | None:
        if not self.floor > 0 or np.all(distribution.scale > self.floor * (1 + 1e-9)):
            return None
        return f"{self.label} sits on equal values (scale at its floor, {self.floor:.3g}); its density there is unbounded"

    def min_relative_variance(self, distribution: Any) -> Any:
        deviation = self.floor / DEVIATION_FLOOR
        return 2.0 * np.square(distribution.scale / deviation) if deviation > 0 else np.ones(np.shape(distribution.scale))[()]
