"""The Gaussian (normal) law of a real number."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Self

import numpy as np

from dmlcore import kernels
from dmlcore.core import special
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.domains import positive, real
from dmlcore.core.errors import DegenerateError
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.statistics import Moments
from dmlcore.core.support import REALS
from dmlcore.data.layouts import Real

LOG_2PI = math.log(2 * math.pi)
VARIANCE_FLOOR = 1e-12  # of the variance of all the data: reached only by a component that sits on one value


class GaussianDistribution(Distribution):
    """A real number with density `exp(-(x - mu)^2 / (2 sigma2)) / sqrt(2 pi sigma2)`.

    mu: the mean, a finite real, in the units of x. sigma2: the variance, positive, in squared units of x.
    Raises `ParameterError` outside these domains.
    """

    mu: float = parameter(real)
    sigma2: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = REALS

    @cached_property
    def _constants(self) -> tuple[float, float, float]:
        return self.mu, 0.5 / self.sigma2, -0.5 * (LOG_2PI + math.log(self.sigma2))

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        mu, scale, constant = self._constants
        if len(x) < 256:
            return constant - scale * (x - mu) ** 2
        return kernels.scaled_square(x, mu, scale, constant)

    def mean(self) -> float:
        return self.mu

    def variance(self) -> float:
        return self.sigma2

    def mode(self) -> float:
        return self.mu

    def entropy(self) -> float:
        return 0.5 * (LOG_2PI + 1 + math.log(self.sigma2))

    def cdf(self, x: Any) -> Any:
        return special.ndtr((np.asarray(x) - self.mu) / math.sqrt(self.sigma2))

    def quantile(self, q: Any) -> Any:
        return self.mu + math.sqrt(self.sigma2) * special.ndtri(q)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(self.mu, math.sqrt(self.sigma2), size)

    def expected_statistics(self, count: float) -> Moments:
        return Moments(count, self.mu, count * self.sigma2)

    def log_likelihood(self, statistics: Any) -> float:
        about, spread = statistics
        misfit = about.count * (about.mean - self.mu) ** 2 + spread.m2
        return -0.5 * (spread.count * math.log(self.sigma2) + misfit / self.sigma2)

    def estimator(self, pseudo_count: Any = None) -> GaussianEstimator:
        own = None if pseudo_count is None else (self.mu, self.sigma2)
        counts = pseudo_counts(pseudo_count, 2, "GaussianDistribution")
        return GaussianEstimator(counts if own else (None, None), own or (None, None), self.name, self.keys)


class GaussianEstimator(Estimator):
    """Maximum likelihood for a Gaussian: the weighted mean and variance.

    pseudo_count=(a, b) with suff_stat=(m, v): `a` pseudo-observations say the mean is m, `b` say the variance is v; m and v default
    to those of all the data. The log prior is `-a (mu - m)^2 / (2 sigma2) - b/2 (log sigma2 + v / sigma2)`; with a = b it is that
    of a observations with mean m and variance v. Variances are held above `VARIANCE_FLOOR` times that of all the data.
    Raises `DegenerateError` where all values are equal and there is no prior on the variance.
    """

    pseudo_count: Any = setting((None, None))
    suff_stat: Any = setting((None, None))
    name: str | None = name()
    keys: str | None = keys()

    family = GaussianDistribution
    floor = 0.0

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 2, "GaussianEstimator")

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Moments:
        return Moments(*kernels.moments(x, weights))

    def resolve(self, statistics: Moments) -> Self:
        return self.pinned(**moment_facts(self, statistics))

    def estimate(self, statistics: Moments, previous: Any = None) -> GaussianDistribution:
        mu, sigma2 = posterior_moments(self, statistics)
        if not sigma2 > 0:
            raise DegenerateError(
                f"{self.label}: all values equal {mu!r}, so the variance has no maximum; give pseudo_count and suff_stat, or leave it out"
            )
        return self.family(mu, sigma2, self.name, self.keys)

    def degenerate(self, distribution: Any) -> str | None:
        return floor_message(self.label, distribution.sigma2, self.floor)


def moment_facts(estimator: Any, pooled: Moments) -> dict[str, Any]:
    """The floor and the prior that a Gaussian-like estimator takes from the moments of all the data.

    The prior is a pair of `Moments`: pseudo-observations of the mean alone, and of the variance alone.
    """
    spread = pooled.m2 / pooled.count if pooled.count > 0 else 0.0
    a, b = pseudo_counts(estimator.pseudo_count, 2, type(estimator).__name__)
    m, v = (None, None) if estimator.suff_stat is None else estimator.suff_stat
    facts: dict[str, Any] = {"floor": VARIANCE_FLOOR * spread, "prior": None}
    if a > 0 or b > 0:
        m = pooled.mean if m is None else m
        v = spread if v is None else v
        facts["prior"] = (Moments(a, m, 0.0 * spread), Moments(b, m, b * v))
    return facts


def posterior_moments(estimator: Any, statistics: Moments) -> tuple[Any, Any]:
    """Mean and variance that maximise likelihood and prior, within the floor."""
    if estimator.prior is not None:
        about, spread = estimator.prior
        both = statistics + about
        mu, sigma2 = both.mean, (both.m2 + spread.m2) / (statistics.count + spread.count)
    else:
        mu, sigma2 = statistics.mean, statistics.m2 / statistics.count
    return mu, np.maximum(sigma2, estimator.floor)


def floor_message(label: str, variance: Any, floor: Any) -> str | None:
    """A sentence if a variance lies on its floor: the component sits on (nearly) equal values."""
    if not np.any(np.asarray(variance) <= np.asarray(floor) * (1 + 1e-9)):
        return None
    return f"{label} sits on equal values (variance at its floor, {float(np.max(floor)):.3g}); its density there is unbounded"
