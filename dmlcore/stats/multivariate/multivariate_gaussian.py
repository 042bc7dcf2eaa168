"""The Gaussian law of a vector, of which all coordinates are observed or any may be missing at random."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import covariance, vector
from dmlcore.base.errors import DegenerateError, ParameterError
from dmlcore.base.numerics import HALF_LOG_2PI, joined
from dmlcore.base.support import REALS
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import REMEDY, Estimator, from_suff_stat, pseudo_counts
from dmlcore.core.powers import HasMoments, JointlyNormal
from dmlcore.core.statistics import Scatter
from dmlcore.core.together import Member
from dmlcore.stats.multivariate.normals import given_coordinates
from dmlcore.stats.multivariate.partial_vectors import FromGaps, WithGaps
from dmlcore.stats.multivariate.vectors import Dimension, FromVectors, OfVectors, centred, check_dimension, lower_inverse
from dmlcore.stats.univariate.moments import (
    RELATIVE_ROUNDING,
    VARIANCE_FLOOR,
    check_prior,
    check_scale,
    or_nearly,
    posterior_moments,
    prior_moments,
    shared_moments,
)

COLLINEAR = 1e-14  # times d: a share of a coordinate's variance, left by those before it, that is rounding
FACTORED = 16 * np.finfo(float).eps  # times d: eigenvalues of a correlation matrix from here on survive rounding, and it has its factor
AT_FLOOR = 2.0  # times the floor: what lies below was put there, up to the rounding of the largest eigenvalue

FEW_COORDINATES = 24  # coordinates up to which the compiled loop is as fast as BLAS


class GaussianVectorDistribution(OfVectors, Distribution, HasMoments, JointlyNormal):
    """Base: a Gaussian vector with a mean `mu` and a covariance `covar`, however its family says what these are."""

    if TYPE_CHECKING:

        @property
        def mu(self) -> Any: ...

        @property
        def covar(self) -> Any: ...

    support = REALS

    @cached_property
    def _factor(self) -> np.ndarray:
        return np.linalg.cholesky(self.covar)

    @cached_property
    def _constants(self) -> tuple[np.ndarray, Any]:
        """The inverse of the Cholesky factor, and the log density at the mean."""
        diagonal = np.einsum("...ii->...i", self._factor)
        return lower_inverse(self._factor), -self.dim * HALF_LOG_2PI - np.log(diagonal).sum(axis=-1)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        check_dimension(x, self.dim, self.label)
        whitening, constant = self._constants
        if self.batch or len(x) >= 256:
            d = self.dim
            logs = kernels.whitened_squares(x.T, self.mu.reshape(-1, d), whitening.reshape(-1, d, d), np.ravel(constant))
            return logs.reshape(*self.batch, -1)
        white = whitening @ (x - self.mu).T
        return constant - 0.5 * (white * white).sum(axis=0)

    def given(self, x: Any, n: int) -> Any:
        return given_coordinates(self, self.covar, MultivariateGaussianDistribution, x, n)

    def mean(self) -> np.ndarray:
        return self.mu

    def variance(self) -> np.ndarray:
        return np.diag(self.covar)

    def covariance(self) -> np.ndarray:
        """The covariance `(d, d)`."""
        return self.covar

    def mode(self) -> np.ndarray:
        return self.mu

    def entropy(self) -> float:
        return self.dim * (HALF_LOG_2PI + 0.5) + float(np.log(np.diag(self._factor)).sum())

    def normal_of(self, coordinates: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        places = list(coordinates)
        return self.mu[places], self.covar[np.ix_(places, places)]

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal((size, self.dim)) @ self._factor.T + self.mu

    def expected_statistics(self, count: float) -> Scatter:
        return Scatter(count, self.mu, count * self.covar)

    def log_likelihood(self, statistics: Any) -> float:
        about, spread = statistics if isinstance(statistics, tuple) else (statistics, statistics)
        whitening = self._constants[0]
        shift = np.einsum("...ij,...j->...i", whitening, about.mean - self.mu)
        misfit = about.count * (shift * shift).sum(axis=-1) + np.einsum("...ij,jk,...ik->...", whitening, spread.m2, whitening)
        return -spread.count * np.log(np.einsum("...ii->...i", self._factor)).sum(axis=-1) - 0.5 * misfit


class MultivariateGaussianDistribution(GaussianVectorDistribution):
    """A vector of d reals with density `exp(-(x - mu)' covar^-1 (x - mu) / 2) / sqrt(det(2 pi covar))`.

    mu: the mean `(d,)`, in the units of each coordinate. covar: the covariance `(d, d)`, symmetric and positive definite.
    Raises `ParameterError` outside these domains. Everything is computed from the Cholesky factor of covar.
    """

    mu: np.ndarray = parameter(vector)
    covar: np.ndarray = parameter(covariance)
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        if len(self.mu) != len(self.covar):
            shape = (len(self.mu), len(self.mu))
            raise ParameterError(f"MultivariateGaussianDistribution: covar must have shape {shape}, as mu says, got {self.covar.shape}")

    def estimator(self, pseudo_count: Any = None) -> MultivariateGaussianEstimator:
        if pseudo_count is None:
            return self.estimator_family(self.dim, name=self.name, keys=self.keys)  # type: ignore[no-any-return]
        counts = pseudo_counts(pseudo_count, 2, type(self).__name__)
        return self.estimator_family(self.dim, counts, (self.mu, self.covar), self.name, self.keys)  # type: ignore[no-any-return]


class GaussianVectorEstimator(FromVectors, Estimator):
    """Base of estimators of Gaussian vectors, which have `dim`, `pseudo_count` and `suff_stat`."""

    if TYPE_CHECKING:

        @property
        def dim(self) -> Any: ...

        @property
        def suff_stat(self) -> Any: ...

    stacks = True
    pooled: ClassVar[np.ndarray | None] = None  # the Cholesky factor of the covariance of all the data, and of the prior
    least: ClassVar[np.ndarray | None] = None  # that of the covariance below which no estimate falls

    def validate(self) -> None:
        check_prior(self)
        if self.suff_stat is not None and self.suff_stat[1] is not None:
            covar = np.atleast_1d(self.suff_stat[1])
            from_suff_stat(self, MultivariateGaussianDistribution, np.zeros(len(covar)), covar)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Scatter:
        if weights.ndim == 1:
            count, mean, apart, rest = centred(x, weights, self.dim, self.label)
            apart *= np.sqrt(weights)
            return Scatter(count, mean, apart @ apart.T - np.outer(count * rest, rest))
        check_dimension(x, self.dim, self.label)
        shape, d, rows = weights.shape[:-1], x.shape[1], joined(weights)
        if d > FEW_COORDINATES:  # BLAS is faster
            return Scatter.together([self.statistics(x, row) for row in rows], shape)
        counts, means, m2 = kernels.scatters(x.T, rows)
        return Scatter(counts.reshape(shape), means.reshape(*shape, d), m2.reshape(*shape, d, d))

    def resolve(self, statistics: Scatter) -> Self:
        check_scale(self.label, statistics)
        out = self.pinned(prior=prior_moments(self, statistics))
        if not (statistics.count > 0 or out.has_prior):
            return out
        mu, covar = posterior_moments(out, statistics)
        pooled = regular_factor(mu, covar)[0]
        return out.pinned(pooled=pooled, least=None if pooled is None else least_factor(pooled))

    def min_relative_variance(self, distribution: Any) -> Any:
        return np.ones(distribution.batch)[()] if self.pooled is None else least_eigenvalue(relative(distribution.covar, self.pooled))

    def degenerate(self, distribution: Any) -> str | None:
        if self.least is None or np.all(least_eigenvalue(relative(distribution.covar, self.least)) > AT_FLOOR):
            return None
        return f"{self.label} sits in a plane (an eigenvalue of its covariance is at its floor); its density there is unbounded"


class MultivariateGaussianEstimator(GaussianVectorEstimator):
    """Maximum likelihood for a multivariate Gaussian: the weighted mean and covariance.

    dim: the length of the vectors (None: that of the data). pseudo_count=(a, b) with suff_stat=(m, V): `a` pseudo-observations say the
    mean is m `(d,)`, `b` say the covariance is V `(d, d)`; m and V default to those of all the data. The log prior is
    `-a/2 (mu - m)' covar^-1 (mu - m) - b/2 (log det covar + trace(covar^-1 V))`.
    The covariance is held above `VARIANCE_FLOOR` times that of all the data (in every direction: the constrained maximum clips the
    eigenvalues of the one relative to the other), or above `FACTORED` where coordinates all but follow from others. Raises
    `DegenerateError` where the covariance of all the data is singular and there is no prior on it, naming a coordinate that is constant
    or follows from those before it.
    """

    dim: int | None = parameter(Dimension(), default=None)
    pseudo_count: Any = setting((None, None))
    suff_stat: Any = setting((None, None))
    name: str | None = name()
    keys: str | None = keys()

    family = MultivariateGaussianDistribution
    stacks = True

    def with_gaps(self, allow: Any) -> Estimator:
        return PartialGaussianEstimator(**self.fields())

    def estimate(self, statistics: Scatter, previous: Any = None) -> MultivariateGaussianDistribution:
        mu, covar = posterior_moments(self, statistics)
        return self.law(mu=mu, covar=self._regular(mu, covar))

    def estimate_together(self, members: list[Member]) -> list[Any]:
        mean = members[0].statistics.mean
        mus, covars = shared_moments(members, "covar", lambda covar: self._regular(mean, covar))
        return [m.law(mu=mu, covar=covar) for m, mu, covar in zip(members, mus, covars, strict=True)]

    def _regular(self, mu: np.ndarray, covar: np.ndarray) -> np.ndarray:
        """Symmetric covariances, none below the floor. Raises `DegenerateError` where there is none, and one is singular."""
        covar = (covar + covar.swapaxes(-1, -2)) / 2
        if self.pooled is not None:
            return above_floor(covar, self.least)
        d = mu.shape[-1]
        for one, spread in zip(mu.reshape(-1, d), covar.reshape(-1, d, d), strict=True):
            _, trouble = regular_factor(one, spread)
            if trouble:
                raise DegenerateError(f"{self.label}: {trouble}; {REMEDY}")
        return covar


class PartialGaussianDistribution(WithGaps, MultivariateGaussianDistribution):
    """A vector of d reals, Gaussian with mean mu and covariance covar, of which some coordinates may not have been observed.

    The log density of a vector is that of its known coordinates, `N(x_o; mu_o, covar_oo)`; without any it is 0. So densities over all
    patterns of missing coordinates do not sum to one: what goes missing is not modelled, and should not depend on the missing values
    (missing at random, Rubin 1976). mu: `(d,)`. covar: `(d, d)`, symmetric and positive definite. Draws are complete.
    """

    mu: np.ndarray = parameter(vector)
    covar: np.ndarray = parameter(covariance)
    name: str | None = name()
    keys: str | None = keys()


class PartialGaussianEstimator(FromGaps, MultivariateGaussianEstimator):
    """Maximum likelihood for a Gaussian vector from all coordinates that were observed, by EM.

    A step fills what is missing by its conditional mean under the current law and adds its conditional covariance to the scatter
    (Dempster, Laird and Rubin 1977, section 4.1). Without missing coordinates the fit is that of `MultivariateGaussianEstimator`, to
    the bit. Arguments, priors and floors are as there.
    """

    dim: int | None = parameter(Dimension(), default=None)
    pseudo_count: Any = setting((None, None))
    suff_stat: Any = setting((None, None))
    name: str | None = name()
    keys: str | None = keys()

    family = PartialGaussianDistribution
    stacks = True


def relative(covar: np.ndarray, factor: Any) -> np.ndarray:
    """A covariance as seen in coordinates where that with a Cholesky factor is the identity."""
    whitening = lower_inverse(factor)
    return np.asarray(whitening @ covar @ whitening.T)


def above_floor(covar: np.ndarray, least: Any) -> np.ndarray:
    """Covariances `(.., d, d)` whose eigenvalues, relative to the one with the Cholesky factor `least`, are at least 1: those that were
    below are put there."""
    seen = relative(covar, least)
    try:
        np.linalg.cholesky(seen - np.eye(seen.shape[-1]))  # succeeds where all lies above the floor
        return covar
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(seen)
    basis = least @ vectors
    out = (basis * np.maximum(values, 1.0)[..., None, :]) @ basis.swapaxes(-1, -2)
    return np.where(values[..., :1, None] >= 1.0, covar, (out + out.swapaxes(-1, -2)) / 2)


def least_eigenvalue(matrix: np.ndarray) -> Any:
    """The smallest eigenvalue of symmetric matrices `(.., d, d)`."""
    return np.linalg.eigvalsh(matrix)[..., 0][()]


def least_factor(pooled: np.ndarray) -> np.ndarray:
    """The Cholesky factor of the floor of covariances, from that of all the data.

    `VARIANCE_FLOOR` times the covariance of all the data; in directions in which that is less than rounding leaves of it, `FACTORED`: what
    lies above has a Cholesky factor in floating point (Higham 2002, theorem 10.7).
    """
    scale = np.sqrt((pooled * pooled).sum(axis=1))
    roots = pooled / scale[:, None]
    values, vectors = np.linalg.eigh(roots @ roots.T)
    least = VARIANCE_FLOOR * values
    if least[0] >= FACTORED * len(scale):
        return np.sqrt(VARIANCE_FLOOR) * pooled
    floor = (vectors * np.maximum(least, FACTORED * len(scale))) @ vectors.T
    return np.linalg.cholesky((floor + floor.T) / 2) * scale[:, None]


def regular_factor(mean: np.ndarray, covar: np.ndarray) -> tuple[np.ndarray | None, str]:
    """The Cholesky factor of a covariance; or None, and which coordinate makes it singular."""
    scale = np.sqrt(np.maximum(np.diag(covar), 0.0))  # of a few rows, below zero by rounding
    constant = ~(scale > RELATIVE_ROUNDING * np.abs(mean))
    if constant.any():
        return None, f"coordinate {', '.join(map(str, np.flatnonzero(constant)))} is constant{or_nearly(mean[constant])}"
    correlation = covar / scale[:, None] / scale
    for j in range(len(mean)):
        try:
            left = np.linalg.cholesky(correlation[: j + 1, : j + 1])[j, j] ** 2
        except np.linalg.LinAlgError:
            left = 0.0
        if left <= COLLINEAR * len(mean):
            flat = "on one line" if len(mean) == 2 else "in one plane"
            need = f"a covariance of {len(mean)} coordinates needs at least {len(mean) + 1} distinct rows, not all {flat}"
            return None, f"coordinate {j} follows from those before it ({need})"
    return np.linalg.cholesky(correlation) * scale[:, None], ""
