"""The Dirichlet law of shares of a whole."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import frozen, positive, positive_vector
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import HALF_LOG_2PI, LARGE, across, deviance, stirling_error
from dmlcore.base.records import dataclass
from dmlcore.base.support import Support
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.powers import HasEntropy, HasMean, HasVariance
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.statistics import Sums
from dmlcore.stats.multivariate.vectors import Dimension, FromVectors, OfVectors, check_dimension
from dmlcore.stats.univariate.beta import (
    NEAREST_TO_ZERO,
    concentrated,
    concentrations_log_likelihood,
    estimated_concentrations,
    mean_logs,
    shares_floor,
    shares_gap,
)

WHOLE = 1e-6  # how far from one shares may sum to; they are then divided by their sum


@dataclass(frozen=True)
class OnSimplex(Support):
    """Vectors of positive numbers that sum to one."""

    def contains(self, x: np.ndarray) -> np.ndarray:
        return (x > 0.0).all(axis=1) & (np.abs(np.clip(x, 0.0, 2.0).sum(axis=1) - 1.0) <= WHOLE)

    def covers(self, column: Any) -> bool:
        return bool(self.contains(column.x).all())


class DirichletDistribution(OfVectors, Distribution, HasMean, HasVariance, HasEntropy):
    """A vector of d shares x_j > 0 that sum to one, with density `Gamma(sum alpha) prod_j x_j^(alpha_j - 1) / Gamma(alpha_j)` of the first
    d - 1 of them.

    alpha: `(d,)`, positive pure numbers, d >= 2; the means are alpha over their sum, which is the precision. Shares that sum to one within
    1e-6 are divided by their sum. Raises `ParameterError` outside these domains. For a large precision the saddle-point form (Loader 2000)
    keeps all digits.
    """

    alpha: np.ndarray = parameter(positive_vector)
    name: str | None = name()
    keys: str | None = keys()

    placed = "alpha"
    support = OnSimplex("positive numbers that sum to one")

    def validate(self) -> None:
        if len(self.alpha) < 2:
            raise ParameterError(f"DirichletDistribution: alpha must have at least two entries, got {self.alpha!r}")

    @cached_property
    def _constant(self) -> Any:
        return special.gammaln(self.alpha.sum(axis=-1)) - special.gammaln(self.alpha).sum(axis=-1)

    @cached_property
    def _peaked_constant(self) -> Any:
        errors = stirling_error(self.alpha).sum(axis=-1) - stirling_error(self.alpha.sum(axis=-1))
        logs = np.log(self.alpha).sum(axis=-1) - np.log(self.alpha.sum(axis=-1))
        return 0.5 * logs - (self.dim - 1) * HALF_LOG_2PI - errors

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        check_dimension(x, self.dim, self.label)
        total = self.alpha.sum(axis=-1)
        if np.any(total >= LARGE):
            shares = x / x.sum(axis=1, keepdims=True)
            misfit = sum(deviance(self.alpha[..., j, None], across(total) * shares[:, j]) for j in range(self.dim))
            return np.asarray(self._peaked_constant)[..., None] - misfit - np.log(shares).sum(axis=1)
        return np.asarray(self._constant)[..., None] + (self.alpha - 1.0) @ log_shares(x).T

    def mean(self) -> np.ndarray:
        return self.alpha / self.alpha.sum()

    def variance(self) -> np.ndarray:
        mean = self.mean()
        return mean * (1.0 - mean) / (self.alpha.sum() + 1.0)

    def entropy(self) -> float:
        return float(-self._constant - (self.alpha - 1.0) @ mean_logs(self.alpha))

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return np.maximum(rng.dirichlet(self.alpha, size), NEAREST_TO_ZERO)

    def expected_statistics(self, count: float) -> Sums:
        return Sums(count=count, logs=count * mean_logs(self.alpha))

    def log_likelihood(self, statistics: Any) -> float:
        return concentrations_log_likelihood(statistics, self.alpha)

    def estimator(self, pseudo_count: Any = None) -> DirichletEstimator:
        own = None if pseudo_count is None else mean_logs(self.alpha)
        return DirichletEstimator(self.dim, pseudo_count, own, keys=self.keys, name=self.name)


def log_shares(x: np.ndarray) -> np.ndarray:
    """Logarithms of shares `(n, d)`, each row divided by its sum."""
    return np.log(x) - np.log(x.sum(axis=1, keepdims=True))


class DirichletEstimator(FromVectors, Estimator):
    """Maximum likelihood for a Dirichlet: the alpha for which the logarithms of the shares have their weighted means (`concentrations_of`).

    dim: the number of shares (None: that of the data). pseudo_count=a with suff_stat `(d,)`: a pseudo-observations whose mean logarithms
    these are (default: those of all the data); the log prior is `a (log Gamma(sum alpha) - sum_j log Gamma(alpha_j) + alpha . suff_stat)`.
    delta, use_mpe: accepted for compatibility; alpha is always exact to rounding. The precision is capped as that of a beta. Raises
    `ParameterError` for mean logarithms that no shares have, `DegenerateError` where all rows are equal and there is no prior.
    """

    dim: int | None = parameter(Dimension(), default=None)
    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    delta: float = parameter(positive, default=1e-8)
    keys: str | None = keys()
    use_mpe: bool = setting(False)
    name: str | None = name()

    family = DirichletDistribution
    stacks = True
    floor: ClassVar[float] = 0.0

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "DirichletEstimator")
        if self.suff_stat is None:
            return
        try:
            logs = frozen(self.suff_stat)
        except (TypeError, ValueError):
            logs = np.zeros(0)
        if logs.ndim != 1 or len(logs) < 2 or not np.isfinite(logs).all() or not shares_gap(logs) > 0:
            raise ParameterError(f"DirichletEstimator: suff_stat must be mean logarithms of shares, a vector, got {self.suff_stat!r}")
        self.derive(suff_stat=logs)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Sums:
        check_dimension(x, self.dim, self.label)
        return Sums(count=weights.sum(axis=-1), logs=weights @ log_shares(x))

    def resolve(self, statistics: Sums) -> Self:
        (count,), prior = pseudo_counts(self.pseudo_count, 1, "DirichletEstimator"), None
        if count > 0 and (self.suff_stat is not None or statistics.count > 0):
            logs = statistics.logs / statistics.count if self.suff_stat is None else self.suff_stat
            prior = PseudoObservations(Sums(count=count, logs=count * logs))
        return self.pinned(floor=shares_floor(statistics), prior=prior)

    def estimate(self, statistics: Sums, previous: Any = None) -> DirichletDistribution:
        both = self.with_prior(statistics)
        return self.law(alpha=estimated_concentrations(self, both, None if previous is None else previous.alpha))

    def degenerate(self, distribution: Any) -> str | None:
        return concentrated(self, distribution.alpha.sum(axis=-1), distribution.dim)
