"""The von Mises-Fisher law of a direction."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.bessel import bessel_ratio, log_bessel
from dmlcore.base.domains import Array, frozen, nonnegative
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import HALF_LOG_2PI, across
from dmlcore.base.records import dataclass
from dmlcore.base.support import Support
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import pseudo_counts
from dmlcore.core.powers import HasEntropy, HasMode
from dmlcore.core.statistics import Moments
from dmlcore.stats.multivariate.vectors import Dimension, FromVectors, OfVectors, check_dimension
from dmlcore.stats.univariate.von_mises import (
    DirectionsEstimator,
    directions_log_likelihood,
    expected_directions,
    moments_of_directions,
)

UNIT = 1e-6  # how far from one the length of a direction may be; it is then divided by it
NARROW_CONE = 1e4  # concentrations from here on lose digits to 1 - mu . x


class UnitVector(Array):
    """A vector of length one; unconstrained by stereographic projection from the direction opposite to (1, .., 1)."""

    def __init__(self) -> None:
        super().__init__("a vector of length one with at least two entries", 1)

    def check(self, value: Any) -> np.ndarray:
        array = super().check(value)
        length = float(np.sqrt(array @ array))
        if len(array) < 2 or abs(length - 1.0) > UNIT:
            raise self.fail(value)
        return array if abs(length - 1.0) <= 1e-15 else frozen(array / length)

    def free(self, value: np.ndarray) -> int:
        return value.size - value.size // value.shape[-1]

    def flatten(self, value: np.ndarray) -> np.ndarray:
        turned = mirrored(value)
        return (turned[..., 1:] / np.maximum(1.0 + turned[..., :1], 1e-12)).ravel()

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        y = vector.reshape(*like.shape[:-1], like.shape[-1] - 1)
        square = (y * y).sum(axis=-1, keepdims=True)
        return mirrored(np.concatenate([1.0 - square, 2.0 * y], axis=-1) / (1.0 + square))


def mirrored(x: np.ndarray) -> np.ndarray:
    """Vectors `(.., d)` reflected so that (1, .., 1) and the first axis change places."""
    d = x.shape[-1]
    between = np.full(d, d**-0.5)
    between[0] -= 1.0
    between /= np.sqrt(between @ between)
    return x - 2.0 * (x @ between)[..., None] * between


@dataclass(frozen=True)
class OnSphere(Support):
    """Vectors of length one."""

    def contains(self, x: np.ndarray) -> np.ndarray:
        return np.abs((x * x).sum(axis=1) - 1.0) <= 2 * UNIT

    def covers(self, column: Any) -> bool:
        return bool(self.contains(column.x).all())


class VonMisesFisherDistribution(OfVectors, Distribution, HasMode, HasEntropy):
    """A direction x in d dimensions, a vector of length one, with density `C exp(kappa mu . x)` per unit of area of the sphere, where
    `C = kappa^v / ((2 pi)^(d / 2) I_v(kappa))`, v = d / 2 - 1.

    mu: the mean direction `(d,)`, of length one (within 1e-6; it is then divided by its length), d >= 2. kappa: the concentration, a pure
    number >= 0; 0 is the uniform law. Rows need length one in the same way. Raises `ParameterError` outside these domains.
    """

    mu: np.ndarray = parameter(UnitVector())
    kappa: float = parameter(nonnegative)
    name: str | None = name()
    keys: str | None = keys()

    support = OnSphere("vectors of length one")

    @cached_property
    def _constant(self) -> Any:
        """The log density at mu."""
        return np.asarray(-self.dim * HALF_LOG_2PI - log_bessel(self.dim / 2 - 1, self.kappa))[..., None]

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        check_dimension(x, self.dim, self.label)
        columns, mu, kappa = unit_columns(x), self.mu, across(self.kappa)
        if np.all(kappa < NARROW_CONE):
            return self._constant - kappa * (1.0 - mu @ columns)
        square = sum((columns[j] - mu[..., j, None]) ** 2 for j in range(self.dim))  # 2 (1 - mu . x), with all its digits
        return self._constant - kappa * (0.5 * np.asarray(square))

    def mode(self) -> np.ndarray:
        return self.mu

    def entropy(self) -> float:
        ratio, rest = bessel_ratio(self.dim / 2 - 1, self.kappa)
        return float(self.kappa * rest / (1.0 + ratio) - self._constant[0])

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return draw_directions(self.mu, self.kappa, size, rng)

    def expected_statistics(self, count: float) -> Moments:
        return expected_directions(count, self.mu, self.kappa)

    def log_likelihood(self, statistics: Any) -> float:
        return directions_log_likelihood(statistics, self.mu, self.kappa)

    def estimator(self, pseudo_count: Any = None) -> VonMisesFisherEstimator:
        own = None if pseudo_count is None else self.expected_statistics(1.0).mean
        return VonMisesFisherEstimator(self.dim, pseudo_count, self.name, self.keys, own)


def unit_columns(x: np.ndarray) -> np.ndarray:
    """Vectors `(n, d)` divided by their length, as `(d, n)`."""
    columns = x.T
    return columns / np.sqrt((columns * columns).sum(axis=0))


def draw_directions(mu: np.ndarray, kappa: float, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draws `(size, d)`: the cosine of the angle to mu by rejection (Wood 1994), the rest uniform around mu."""
    d = len(mu)
    b = (d - 1) / (2 * kappa + np.hypot(2 * kappa, d - 1))
    fall, todo = np.empty(size), np.arange(size)  # of the cosine from 1, which for large kappa has all the digits
    while len(todo):
        z = rng.beta((d - 1) / 2, (d - 1) / 2, len(todo))
        r = 2 * z / (1 - z + b * z)  # the fall over b
        odds = (d - 1) * np.log((1 + b) / 2 + (1 - b) * (1 + b) * r / 4) + kappa * b * (2 / (1 + b) - r)
        accepted = odds >= np.log(1 - rng.random(len(todo)))
        fall[todo[accepted]] = (b * r)[accepted]
        todo = todo[~accepted]
    around = rng.standard_normal((size, d))
    around -= (around @ mu)[:, None] * mu
    around /= np.sqrt((around * around).sum(axis=1, keepdims=True))
    out = (1 - fall)[:, None] * mu + np.sqrt(fall * (2 - fall))[:, None] * around
    return np.asarray(out / np.sqrt((out * out).sum(axis=1, keepdims=True)))


class VonMisesFisherEstimator(FromVectors, DirectionsEstimator):
    """Maximum likelihood for a von Mises-Fisher: the direction of the mean vector, and the kappa that goes with its length.

    dim: the length of the vectors (None: that of the data). pseudo_count=a with suff_stat `(d,)`: a pseudo-observations of which this is
    the mean vector, shorter than one (default: that of all the data); the log prior is `a (log C + kappa mu . suff_stat)`. Raises
    `DegenerateError` where all directions are equal and there is no prior.
    """

    dim: int | None = parameter(Dimension(), default=None)
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: str | None = keys()
    suff_stat: Any = setting()

    family = VonMisesFisherDistribution
    stacks = True

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "VonMisesFisherEstimator")
        if self.suff_stat is None:
            return
        try:
            mean = frozen(self.suff_stat)
        except (TypeError, ValueError):
            mean = np.zeros(0)
        if mean.ndim != 1 or len(mean) < 2 or not mean @ mean < 1:
            raise ParameterError(f"VonMisesFisherEstimator: suff_stat must be a vector shorter than one, got {self.suff_stat!r}")
        self.derive(suff_stat=mean)

    def pseudo_mean(self) -> np.ndarray | None:
        return self.suff_stat

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Moments:
        check_dimension(x, self.dim, self.label)
        return moments_of_directions(unit_columns(x), weights)

    def estimate(self, statistics: Moments, previous: Any = None) -> VonMisesFisherDistribution:
        mean, kappa = self.directed(statistics)
        return self.law(mu=mean, kappa=kappa)
