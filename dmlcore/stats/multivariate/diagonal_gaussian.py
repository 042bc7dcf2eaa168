"""The Gaussian law of a vector with independent coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import Keys, positive_vector, vector
from dmlcore.base.errors import DegenerateError, ParameterError
from dmlcore.base.numerics import HALF_LOG_2PI, joined
from dmlcore.base.support import REALS
from dmlcore.core.declared import name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import REMEDY, Estimator, pseudo_counts
from dmlcore.core.powers import HasMoments, JointlyNormal
from dmlcore.core.statistics import Moments
from dmlcore.core.together import Member
from dmlcore.stats.multivariate.normals import given_coordinates
from dmlcore.stats.multivariate.vectors import Dimension, FromVectors, OfVectors, check_dimension
from dmlcore.stats.univariate.moments import (
    VARIANCE_FLOOR,
    check_prior,
    check_scale,
    floor_message,
    moments_log_likelihood,
    or_nearly,
    posterior_moments,
    prior_moments,
    relative_variance,
    shared_moments,
    variance_of,
)


class SharedKeys(Keys):
    """Keys of (mean, variance) that tie both or neither; one string stands for both."""

    def check(self, value: Any) -> tuple[str | None, ...]:
        first, second = super().check((value, value) if isinstance(value, str) else value)
        if first != second:
            raise ParameterError(f"must tie mean and variance with one key, or neither, got {(first, second)!r}")
        return first, second


class DiagonalGaussianDistribution(OfVectors, Distribution, HasMoments, JointlyNormal):
    """A vector of d reals whose coordinates are independent Gaussians: density `prod_j N(x_j; mu_j, covar_j)`.

    mu: means `(d,)`, in the units of each coordinate. covar: variances `(d,)`, positive, in squared units.
    keys: one key for mean and variance together, a string or a pair of equal ones. Raises `ParameterError` outside these domains.
    """

    mu: np.ndarray = parameter(vector)
    covar: np.ndarray = parameter(positive_vector)
    name: str | None = name()
    keys: Any = parameter(SharedKeys("mean", "variance"), default=(None, None))

    support = REALS

    def validate(self) -> None:
        if len(self.mu) != len(self.covar):
            raise ParameterError(f"DiagonalGaussianDistribution: covar must have {len(self.mu)} entries, as mu has, got {len(self.covar)}")

    @cached_property
    def _parameters(self) -> np.ndarray:
        """As `kernels.independent_squares` reads them."""
        constant = -HALF_LOG_2PI - 0.5 * np.log(self.covar)
        return np.array([self.mu, np.minimum(0.5 / self.covar, 1e308), constant, constant]).reshape(4, -1, self.dim)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        check_dimension(x, self.dim, self.label)
        log = kernels.independent_squares(np.ascontiguousarray(x.T), self._parameters, False)
        return log.reshape(*self.batch, -1)

    def given(self, x: Any, n: int) -> Any:
        return given_coordinates(self, np.diag(self.covar), _with_diagonal, x, n)

    def mean(self) -> np.ndarray:
        return self.mu

    def variance(self) -> np.ndarray:
        return self.covar

    def mode(self) -> np.ndarray:
        return self.mu

    def entropy(self) -> float:
        return self.dim * (HALF_LOG_2PI + 0.5) + 0.5 * float(np.log(self.covar).sum())

    def normal_of(self, coordinates: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        places = list(coordinates)
        return self.mu[places], np.diag(self.covar[places])

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal((size, self.dim)) * np.sqrt(self.covar) + self.mu

    def expected_statistics(self, count: float) -> Moments:
        return Moments(count, self.mu, count * self.covar)

    def log_likelihood(self, statistics: Any) -> float:
        return moments_log_likelihood(statistics, self.mu, self.covar).sum(axis=-1)

    def estimator(self, pseudo_count: Any = None) -> DiagonalGaussianEstimator:
        if pseudo_count is None:
            return DiagonalGaussianEstimator(self.dim, name=self.name, keys=self.keys)
        counts = pseudo_counts(pseudo_count, 2, "DiagonalGaussianDistribution")
        return DiagonalGaussianEstimator(self.dim, counts, (self.mu, self.covar), self.name, self.keys)


def _with_diagonal(mu: np.ndarray, covar: np.ndarray) -> DiagonalGaussianDistribution:
    return DiagonalGaussianDistribution(mu, np.diag(covar))


class DiagonalGaussianEstimator(FromVectors, Estimator):
    """Maximum likelihood for a diagonal Gaussian: weighted means and variances of each coordinate.

    dim: the length of the vectors (None: that of the data). pseudo_count=(a, b) with suff_stat=(m, v), vectors `(d,)`: pseudo-observations
    of means and of variances, coordinate by coordinate as for the Gaussian, with the same log prior. Variances are held above
    `VARIANCE_FLOOR` times those of all the data. Raises `DegenerateError` naming the coordinates that are constant, without a prior.
    """

    dim: int | None = parameter(Dimension(), default=None)
    pseudo_count: Any = setting((None, None))
    suff_stat: Any = setting((None, None))
    name: str | None = name()
    keys: Any = parameter(SharedKeys("mean", "variance"), default=(None, None))

    family = DiagonalGaussianDistribution
    stacks = True
    floor: ClassVar[Any] = 0.0

    def validate(self) -> None:
        check_prior(self)

    def ties(self) -> Any:
        return self.keys[0], None, ()

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Moments:
        check_dimension(x, self.dim, self.label)
        count, _, mean, m2 = kernels.independent_moments(np.ascontiguousarray(x.T), joined(weights), False)
        shape = weights.shape[:-1]
        return Moments(count[:, 0].reshape(shape)[()], mean.reshape(*shape, -1), m2.reshape(*shape, -1))

    def resolve(self, statistics: Moments) -> Self:
        check_scale(self.label, statistics)
        return self.pinned(floor=VARIANCE_FLOOR * variance_of(statistics), prior=prior_moments(self, statistics))

    def estimate(self, statistics: Moments, previous: Any = None) -> DiagonalGaussianDistribution:
        mu, covar = posterior_moments(self, statistics)
        covar = np.maximum(covar, self.floor)
        if not (covar > 0).all():
            constant = ", ".join(map(str, np.unique(np.nonzero(~(covar > 0))[-1])))
            tiny = or_nearly(mu[~(covar > 0)])
            raise DegenerateError(f"{self.label}: coordinate {constant} is constant{tiny}, so its variance has no maximum; {REMEDY}")
        return self.law(mu=mu, covar=covar)

    def estimate_together(self, members: list[Member]) -> list[Any]:
        floor = np.max([m.estimator.floor for m in members], axis=0)
        mus, covars = shared_moments(members, "covar", lambda covar: np.maximum(covar, floor))
        if flat := sorted({int(j) for covar in covars for j in np.nonzero(~(covar > 0))[-1]}):
            raise DegenerateError(
                f"{self.label}: coordinate {', '.join(map(str, flat))} is constant, so its variance has no maximum; {REMEDY}"
            )
        return [m.law(mu=mu, covar=covar) for m, mu, covar in zip(members, mus, covars, strict=True)]

    def degenerate(self, distribution: Any) -> str | None:
        return floor_message(self.label, distribution.covar, self.floor)

    def min_relative_variance(self, distribution: Any) -> Any:
        return relative_variance(distribution.covar, self.floor).min(axis=-1)
