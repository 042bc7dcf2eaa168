"""A Gaussian as a user of the library writes it, for one law at a time ([how](../../docs/add_a_distribution.md))."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmlcore.base.domains import positive, real
from dmlcore.base.support import REALS
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.data.layouts import Real


@dataclass(frozen=True)
class Powers:
    """Weighted sums of 1, x and x squared."""

    count: float
    first: float
    second: float

    def __add__(self, other: Powers) -> Powers:
        return Powers(self.count + other.count, self.first + other.first, self.second + other.second)


class OwnGaussianDistribution(Distribution):
    """A real x. mu: its mean. sigma2: its variance."""

    mu: float = parameter(real)
    sigma2: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    kind = Real
    support = REALS

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        logs: np.ndarray = -0.5 * ((x - self.mu) ** 2 / self.sigma2 + math.log(2 * math.pi * self.sigma2))
        return logs

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(self.mu, math.sqrt(self.sigma2), size)

    def estimator(self, pseudo_count: Any = None) -> Any:
        return OwnGaussianEstimator(self.name, self.keys)


class OwnGaussianEstimator(Estimator):
    """Maximum likelihood."""

    name: str | None = name()
    keys: str | None = keys()

    family = OwnGaussianDistribution

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Powers:
        weighted = weights * x
        return Powers(float(weights.sum()), float(weighted.sum()), float(weighted @ x))

    def estimate(self, statistics: Powers, previous: Any = None) -> OwnGaussianDistribution:
        mu = statistics.first / statistics.count
        return OwnGaussianDistribution(mu, statistics.second / statistics.count - mu**2, self.name, self.keys)
