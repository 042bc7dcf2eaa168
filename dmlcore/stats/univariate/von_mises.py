"""The von Mises law of an angle."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore import kernels
from dmlcore.base.bessel import bessel_ratio, log_bessel
from dmlcore.base.domains import nonnegative, real
from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import HALF_LOG_2PI, across, joined
from dmlcore.base.support import REALS
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import REMEDY, Estimator, given_law, pseudo_counts
from dmlcore.core.powers import HasEntropy, HasMode
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.statistics import Moments
from dmlcore.data.layouts import Real

SPREAD_OF_DIRECTIONS_FLOOR = 1e-12  # of 1 - |mean direction|^2 of all the data: reached only by a component that sits on one direction
DIRECTION_ROUNDING = 2.0**-96  # below this, 1 - |mean direction|^2 is rounding
KAPPA_STEPS = 50  # of Newton at most; from its start a handful do
KAPPA_STEP = 1e-9  # relative: Newton's method squares the error, and the next step would be rounding


class VonMisesDistribution(Distribution, HasMode, HasEntropy):
    """An angle x in radians with density `exp(kappa cos(x - mu)) / (2 pi I_0(kappa))`, per radian of one turn.

    mu: the mean direction, a finite real, in radians. kappa: the concentration, a pure number >= 0; 0 is the uniform law, and for large
    kappa the law is nearly Gaussian with variance 1 / kappa. Angles may be given in any turn: x and x + 2 pi have one density. Draws lie
    between -pi and pi. Raises `ParameterError` outside these domains.
    """

    mu: float = parameter(real)
    kappa: float = parameter(nonnegative)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = REALS

    @cached_property
    def _constant(self) -> Any:
        """The log density at mu."""
        return across(np.asarray(-2 * HALF_LOG_2PI - log_bessel(0.0, self.kappa))[()])

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        half = np.sin(0.5 * (x - across(self.mu)))
        return self._constant - across(self.kappa) * (2.0 * half * half)

    def mode(self) -> float:
        return self.mu

    def entropy(self) -> float:
        ratio, rest = bessel_ratio(0.0, self.kappa)
        return float(self.kappa * rest / (1.0 + ratio) - self._constant)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.vonmises(self.mu, self.kappa, size)

    def expected_statistics(self, count: float) -> Moments:
        return expected_directions(count, np.array([math.cos(self.mu), math.sin(self.mu)]), self.kappa)

    def log_likelihood(self, statistics: Any) -> float:
        return directions_log_likelihood(statistics, np.stack([np.cos(self.mu), np.sin(self.mu)], axis=-1), self.kappa)

    def estimator(self, pseudo_count: Any = None) -> VonMisesEstimator:
        own = None if pseudo_count is None else (self.mu, self.kappa)
        return VonMisesEstimator(pseudo_count, own, self.name, self.keys)


class DirectionsEstimator(Estimator):
    """Base of estimators of a mean direction and a concentration: kappa is such that the mean vector has its expected length.

    kappa is capped where one less the square of that length is `SPREAD_OF_DIRECTIONS_FLOOR` of that of all the data.
    """

    floor: ClassVar[float] = 0.0

    def pseudo_mean(self) -> np.ndarray | None:
        """The mean vector of pseudo-observations, or None: that of all the data."""
        raise NotImplementedError

    def resolve(self, statistics: Moments) -> Self:
        some, mean = statistics.count > 0, self.pseudo_mean()
        (count,), prior = pseudo_counts(self.pseudo_count, 1, type(self).__name__), None  # type: ignore[attr-defined]
        if count > 0 and mean is not None:
            prior = PseudoObservations(pseudo_directions(count, mean))
        elif count > 0 and some:
            prior = PseudoObservations(statistics.scaled(count / statistics.count))
        spread = float(spread_of_directions(statistics)) if some else 0.0
        return self.pinned(floor=SPREAD_OF_DIRECTIONS_FLOOR * spread if spread > DIRECTION_ROUNDING else 0.0, prior=prior)

    def directed(self, statistics: Moments) -> tuple[np.ndarray, Any]:
        """Unit vectors `(.., d)` and concentrations that maximise."""
        both = self.with_prior(statistics)
        spread = np.maximum(spread_of_directions(both), self.floor)
        if np.any(spread <= (0.0 if self.floor > 0 else DIRECTION_ROUNDING)):
            raise DegenerateError(f"{self.label}: all directions are equal, so the concentration has no maximum; {REMEDY}")
        length = np.sqrt((both.mean * both.mean).sum(axis=-1))
        first = np.eye(both.mean.shape[-1])[0]  # without a mean direction, any will do
        mean = np.where(length[..., None] > 0, both.mean, first) / np.where(length > 0, length, 1.0)[..., None]
        return mean, concentration_of(both.mean.shape[-1], length, spread)

    def degenerate(self, distribution: Any) -> str | None:
        if not self.floor > 0:
            return None
        d = getattr(distribution, "dim", 2)
        if np.all(distribution.kappa < (d - 1) / self.floor * (1 - 1e-6)):
            return None
        where = f"concentration at its cap, {np.max(distribution.kappa):.3g}"
        return f"{self.label} sits on equal directions ({where}); its density there is unbounded"


class VonMisesEstimator(DirectionsEstimator):
    """Maximum likelihood for a von Mises: the direction of the mean of (cos x, sin x), and the kappa that goes with its length.

    pseudo_count=a with suff_stat=(m, k): a pseudo-observations as a von Mises with these parameters gives on average (default: like all
    the data); the log prior is a times the mean of their log density. Raises `DegenerateError` where all angles are equal and there is no
    prior.
    """

    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = VonMisesDistribution
    stacks = True

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "VonMisesEstimator")
        self.pseudo_mean()

    def pseudo_mean(self) -> np.ndarray | None:
        law = given_law(self)
        return None if law is None else np.asarray(law.expected_statistics(1.0).mean)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Moments:
        return moments_of_directions(np.stack([np.cos(x), np.sin(x)]), weights)

    def estimate(self, statistics: Moments, previous: Any = None) -> VonMisesDistribution:
        mean, kappa = self.directed(statistics)
        return self.law(mu=np.arctan2(mean[..., 1], mean[..., 0])[()], kappa=kappa)


def moments_of_directions(columns: np.ndarray, weights: np.ndarray) -> Moments:
    """Moments, coordinate by coordinate, of unit vectors `(d, n)`, from weights `(.., n)`."""
    count, _, mean, m2 = kernels.independent_moments(np.ascontiguousarray(columns), joined(weights), False)
    shape = weights.shape[:-1]
    return Moments(count[:, 0].reshape(shape)[()], mean.reshape(*shape, -1), m2.reshape(*shape, -1))


def spread_of_directions(statistics: Moments) -> Any:
    """One less the square of the length of the mean vector, without cancellation: the sum of the coordinates' variances."""
    return (statistics.m2.sum(axis=-1) / statistics.count)[()]


def pseudo_directions(count: float, mean: np.ndarray) -> Moments:
    """Moments of unit vectors with this mean."""
    rest = 1.0 - float(mean @ mean)
    return Moments(count, mean, np.full(len(mean), count * rest / len(mean)))


def expected_directions(count: float, mu: np.ndarray, kappa: float) -> Moments:
    """Expected moments of unit vectors about mu `(d,)`."""
    ratio, rest = bessel_ratio(len(mu) / 2 - 1, kappa)
    return Moments(count, float(ratio) * mu, np.full(len(mu), count * float(rest) / len(mu)))


def directions_log_likelihood(statistics: Moments, mu: np.ndarray, kappa: Any) -> Any:
    """Log likelihood of mean directions `(.., d)` and concentrations, up to a constant."""
    d = mu.shape[-1]
    apart = mu - statistics.mean  # 1 - mu . mean is (|mu - mean|^2 + 1 - |mean|^2) / 2
    short = 0.5 * ((apart * apart).sum(axis=-1) + spread_of_directions(statistics))
    return -statistics.count * (log_bessel(d / 2 - 1, kappa) + kappa * short)


def concentration_of(d: int, length: Any, spread: Any) -> Any:
    """The kappa at which unit vectors in d dimensions have a mean vector of this length; spread: `1 - length^2`, with all its digits.

    Newton's method on `I_{d/2}(kappa) / I_{d/2 - 1}(kappa) = length` (Sra 2012), from the start of Banerjee et al. (2005).
    """
    length, spread = np.broadcast_arrays(np.minimum(np.asarray(length, dtype=np.float64), 1.0), np.asarray(spread, dtype=np.float64))
    kappa = length * (d - 1 + spread) / spread
    for _ in range(KAPPA_STEPS):
        ratio, rest = bessel_ratio(d / 2 - 1, kappa)
        some = kappa > 0
        per = (d - 1) * np.where(some, ratio / np.where(some, kappa, 1.0), 1.0 / d)
        slope = np.maximum(rest - per, 0.25 * (d - 1) / np.maximum(kappa, 1.0) ** 2 / d)  # far out the difference is rounding
        step = (rest - spread) / (ratio + length + (~some)) / slope
        new = np.where(some, np.clip(kappa + step, kappa / 4, 4 * kappa), 0.0)
        done = np.abs(new - kappa) <= KAPPA_STEP * new
        kappa = new
        if done.all():
            break
    return kappa[()]
