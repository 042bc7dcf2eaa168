"""Student's t law of a vector, with heavy tails."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import OrNone, covariance, positive, vector
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.powers import HasEntropy, HasMean, HasMode, HasVariance
from dmlcore.core.rowlaws import Atom, Product
from dmlcore.core.statistics import Scatter
from dmlcore.stats.multivariate.multivariate_gaussian import MultivariateGaussianDistribution, MultivariateGaussianEstimator
from dmlcore.stats.multivariate.normals import Regressed
from dmlcore.stats.multivariate.vectors import Dimension, FromVectors, OfVectors, check_dimension, lower_inverse
from dmlcore.stats.univariate.gamma import excess
from dmlcore.stats.univariate.student_t import (
    Precisions,
    StudentTDistribution,
    TailedEstimator,
    expected_precisions,
    tail_constant,
    tail_entropy,
    tail_variance,
)


class MultivariateStudentTDistribution(OfVectors, Distribution, HasMean, HasVariance, HasMode, HasEntropy):
    """A vector of d reals with density
    `Gamma((df + d) / 2) / (Gamma(df / 2) sqrt(det(df pi scatter))) (1 + q / df)^(-(df + d) / 2)`, `q = (x - mu)' scatter^-1 (x - mu)`.

    mu: the centre `(d,)`, in the units of each coordinate. scatter: `(d, d)`, symmetric and positive definite; it is not the covariance,
    which is `scatter df / (df - 2)`. df: the degrees of freedom, positive, a pure number: towards infinity the law is Gaussian.
    Raises `ParameterError` outside these domains.
    """

    mu: np.ndarray = parameter(vector)
    scatter: np.ndarray = parameter(covariance)
    df: float = parameter(positive)
    name: str | None = name()
    keys: str | None = keys()

    support = MultivariateGaussianDistribution.support

    def validate(self) -> None:
        if len(self.mu) != len(self.scatter):
            shape = (len(self.mu), len(self.mu))
            raise ParameterError(f"MultivariateStudentTDistribution: scatter must have shape {shape}, as mu says, got {self.scatter.shape}")

    @cached_property
    def _factor(self) -> np.ndarray:
        return np.linalg.cholesky(self.scatter)

    @cached_property
    def _constant(self) -> Any:
        """The log density at the centre."""
        return tail_constant(self.df, self.dim) - np.log(np.einsum("...ii->...i", self._factor)).sum(axis=-1)

    def squares(self, x: np.ndarray) -> np.ndarray:
        """Squared distances from the centre, as the scatter measures them, `(.., n)`."""
        check_dimension(x, self.dim, self.label)
        d, whitening = self.dim, lower_inverse(self._factor)
        halves = kernels.whitened_squares(x.T, self.mu.reshape(-1, d), whitening.reshape(-1, d, d), np.zeros(len(self.mu.reshape(-1, d))))
        return np.minimum(-2.0 * halves.reshape(*self.batch, -1), 1e300)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        df = np.asarray(self.df)[..., None]
        return np.asarray(self._constant)[..., None] - 0.5 * (df + self.dim) * np.log1p(self.squares(x) / df)

    def precisions(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected precisions of values, relative to those of all, and expectations of their logarithms."""
        return expected_precisions(self.squares(x), self.df, self.dim)

    def given(self, x: Any, n: int) -> Any:
        known = Regressed.on(self, self.scatter, x, n)
        squares = np.where(np.isnan(known.squares), np.inf, known.squares)
        log = tail_constant(self.df, known.k) - known.log_diagonal - 0.5 * (self.df + known.k) * np.log1p(squares / self.df)
        if not known.means.shape[1]:
            return log, Product([])
        return log, StudentTs(known.means, known.left, (self.df + squares) / (self.df + known.k), self.df + known.k)

    def mean(self) -> np.ndarray:
        """mu, if df > 1; otherwise there is none, and all coordinates are NaN."""
        return self.mu if self.df > 1 else np.full(self.dim, np.nan)

    def variance(self) -> np.ndarray:
        """Of each coordinate `(d,)`; infinite up to df = 2, and NaN up to 1."""
        return tail_variance(np.diag(self.scatter), self.df)

    def covariance(self) -> np.ndarray:
        """The covariance `(d, d)`; with infinite variances there is none, and it is NaN."""
        return self.scatter * (self.df / (self.df - 2)) if self.df > 2 else np.full(self.scatter.shape, np.nan)

    def mode(self) -> np.ndarray:
        return self.mu

    def entropy(self) -> float:
        return tail_entropy(self.df, self.dim) + float(np.log(np.diag(self._factor)).sum())

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        precisions = rng.chisquare(self.df, size) / self.df
        return rng.standard_normal((size, self.dim)) @ self._factor.T / np.sqrt(precisions)[:, None] + self.mu

    def expected_statistics(self, count: float) -> Precisions:
        return Precisions(count, Scatter(count, self.mu, count * self.scatter), -count * excess(self.df / 2))

    def estimator(self, pseudo_count: Any = None) -> MultivariateStudentTEstimator:
        return MultivariateStudentTEstimator(self.dim, name=self.name, keys=self.keys)


class StudentTs(Atom):
    """Vectors that are t about centres `(n, d)`, with one scatter `(d, d)` times a factor for each `(n,)`, and one df."""

    def __init__(self, means: np.ndarray, scatter: np.ndarray, factors: np.ndarray, df: float):
        self.means, self.scatter, self.factors, self.df, self.slots = means, scatter, factors, df, len(scatter)

    def keep(self, slots: list[int]) -> StudentTs:
        return StudentTs(self.means[:, slots], self.scatter[np.ix_(slots, slots)], self.factors, self.df)

    def at(self, rows: np.ndarray) -> StudentTs:
        return StudentTs(self.means[rows], self.scatter, self.factors[rows], self.df)

    def _law(self, row: int) -> Any:
        mean, scatter = self.means[row], self.scatter * self.factors[row]
        if self.slots == 1:
            return StudentTDistribution(mean[0], np.sqrt(scatter[0, 0]), self.df)
        return MultivariateStudentTDistribution(mean, scatter, self.df)

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        return [(1.0, (self._law(row),))]

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        normal = rng.standard_normal((len(rows), self.slots)) @ np.linalg.cholesky(self.scatter).T
        wide = np.sqrt(self.factors[rows] * self.df / rng.chisquare(self.df, len(rows)))
        return list((normal * wide[:, None] + self.means[rows]).T)

    def _standard(self) -> tuple[np.ndarray, np.ndarray]:
        if self.slots != 1:
            raise StructureError("a vector has no quantiles; ask for one coordinate")
        return self.means[:, 0], np.sqrt(self.factors * self.scatter[0, 0])

    def ask(self, what: str, *args: Any) -> Any:
        centre, scale = self._standard()
        if what == "mode" or (what == "mean" and self.df > 1):
            return centre
        if what == "mean":
            return np.full(len(centre), np.nan)
        if what == "variance":
            return tail_variance(scale * scale, self.df)
        standard = StudentTDistribution(0.0, 1.0, self.df)
        if what == "cdf":
            return standard.cdf((args[0] - centre) / scale)
        if what == "quantile":
            return centre + scale * standard.quantile(args[0])
        raise StructureError(f"a coordinate of a t has no {what}()")

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        centre, scale = self._standard()
        return StudentTDistribution(0.0, 1.0, self.df).log_densities((x - centre) / scale) - np.log(scale)


class MultivariateStudentTEstimator(FromVectors, TailedEstimator):
    """Maximum likelihood for a multivariate t, by EM: a step weighs each vector by its expected precision `(df + d) / (df + q)`.

    dim: the length of the vectors (None: that of the data). df: the degrees of freedom, held; None: estimated, between 0.1 and 1e6. The
    scatter has the floor that `MultivariateGaussianEstimator` has for a covariance, and `DegenerateError` is raised as there.
    """

    dim: int | None = parameter(Dimension(), default=None)
    df: float | None = parameter(OrNone(positive), default=None)
    name: str | None = name()
    keys: str | None = keys()

    family = MultivariateStudentTDistribution
    stacks = True
    gaussian = MultivariateGaussianEstimator()

    def weighted_moments(self, x: np.ndarray, weights: np.ndarray) -> Scatter:
        check_dimension(x, self.dim, self.label)
        return self.gaussian.statistics(x, weights)

    def resolve(self, statistics: Precisions) -> Self:
        return self.pinned(gaussian=MultivariateGaussianEstimator(self.dim, name=self.label).resolve(statistics.moments))

    def estimate(self, statistics: Precisions, previous: Any = None) -> MultivariateStudentTDistribution:
        law, df = self.centred_law(statistics, previous, statistics.moments.mean.shape[-1])
        return self.law(mu=law.mu, scatter=law.covar, df=df)

    def degenerate(self, distribution: Any) -> str | None:
        said = self.gaussian.degenerate(MultivariateGaussianDistribution.unchecked(distribution.batch, covar=distribution.scatter))
        return said if said is None else said.replace("covariance", "scatter")

    def min_relative_variance(self, distribution: Any) -> Any:
        return self.gaussian.min_relative_variance(
            MultivariateGaussianDistribution.unchecked(distribution.batch, covar=distribution.scatter)
        )
