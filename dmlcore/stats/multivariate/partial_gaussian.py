"""The Gaussian law of a vector, any of whose coordinates may be missing at random."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import CombinatorDistribution
from dmlcore.core.domains import covariance, vector
from dmlcore.core.errors import EmptyError
from dmlcore.core.estimator import CombinatorEstimator, Estimator, pseudo_counts
from dmlcore.core.numerics import HALF_LOG_2PI
from dmlcore.core.statistics import Node, Scatter
from dmlcore.data.columns import Values
from dmlcore.data.layouts import Layout, Vector
from dmlcore.data.marks import is_missing, missing_among
from dmlcore.data.values import cells_inside
from dmlcore.stats.multivariate.multivariate_gaussian import MultivariateGaussianDistribution, MultivariateGaussianEstimator
from dmlcore.stats.multivariate.vectors import Dimension, check_dimension, lower_inverse


class Gapped(Values):
    """Vectors `(n, d)` with NaN where a coordinate is missing. `pattern` `(n,)` numbers the rows of `patterns` `(P, d)`, True where known.

    complete: whether all coordinates of all rows are known and finite. centre, spread: mean and variance of each coordinate `(d,)`.
    """

    def __init__(self, x: np.ndarray, pattern: np.ndarray, patterns: np.ndarray, complete: bool, centre: np.ndarray, spread: np.ndarray):
        super().__init__(x)
        self.pattern, self.patterns, self.complete, self.centre, self.spread = pattern, patterns, complete, centre, spread

    @classmethod
    def of(cls, x: np.ndarray) -> Gapped:
        known, finite = ~np.isnan(x), np.isfinite(x)
        patterns, pattern = np.unique(known, axis=0, return_inverse=True) if len(x) else (known, np.zeros(0, dtype=np.intp))
        count, there = np.maximum(finite.sum(axis=0), 1), np.where(finite, x, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            centre = there.sum(axis=0) / count
            spread = (np.where(finite, there - centre, 0.0) ** 2).sum(axis=0) / count
        return cls(x, pattern.ravel(), patterns, bool(finite.all()), centre, spread)

    def slice(self, start: int, stop: int) -> Gapped:
        return Gapped(self.x[start:stop], self.pattern[start:stop], self.patterns, self.complete, self.centre, self.spread)

    def take(self, rows: np.ndarray) -> Gapped:
        x = np.asfortranarray(self.x[rows])
        return Gapped(x, self.pattern[rows], self.patterns, self.complete, self.centre, self.spread)

    def groups(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """`(rows, known coordinates, missing coordinates)` of each pattern that occurs."""
        order = np.argsort(self.pattern, kind="stable")
        cuts = np.searchsorted(self.pattern[order], np.arange(len(self.patterns) + 1))
        return [
            (order[a:b], np.flatnonzero(known), np.flatnonzero(~known))
            for a, b, known in zip(cuts[:-1], cuts[1:], self.patterns, strict=True)
            if b > a
        ]


class PartialVector(Vector):
    """A vector of `dim` reals, each of which may be missing, or all of them: a mark in place of the vector."""

    @property
    def takes_missing(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartialVector) and Vector.__eq__(self, other)

    __hash__ = Vector.__hash__

    def encode(self, values: Any) -> Gapped:
        values = cells_inside(values)
        try:
            x: Any = np.asarray(values)
            x = np.asfortranarray(x, dtype=np.float64) if x.dtype.kind in "fiub" and x.ndim == 2 else None
        except (TypeError, ValueError):
            x = None
        if x is None:
            x = self._with_gaps(values)
        if self.dim is not None and len(x) and x.shape[1] != self.dim:
            raise self.bad(0, x[0].tolist(), f"vectors of {self.dim} real numbers")
        return Gapped.of(x)

    def _with_gaps(self, values: Any) -> np.ndarray:
        """Vectors from lists, some of whose entries are marks."""
        absent = missing_among(values)
        filled = [[0.0 if is_missing(v) else v for v in row] if isinstance(row, (list, tuple, np.ndarray)) else row for row in values]
        dim = self.dim or next((len(row) for row in filled if isinstance(row, list)), None)
        if dim is not None:
            filled = [[0.0] * dim if gone else row for row, gone in zip(filled, absent.tolist(), strict=True)]
        inner: Any = Vector(self.label, self.dim).encode(filled)
        x = np.array(inner.x, order="F")
        for i, row in enumerate(values):
            x[i, slice(None) if absent[i] else [is_missing(v) for v in row]] = np.nan
        return x


class PartialGaussianDistribution(MultivariateGaussianDistribution, CombinatorDistribution):
    """A vector of d reals, Gaussian with mean mu and covariance covar, of which some coordinates may not have been observed.

    The log density of a vector is that of its known coordinates, `N(x_o; mu_o, covar_oo)`; without any it is 0. So densities over all
    patterns of missing coordinates do not sum to one: what goes missing is not modelled, and should not depend on the missing values
    (missing at random, Rubin 1976). mu: `(d,)`. covar: `(d, d)`, symmetric and positive definite. Draws are complete.
    """

    mu: np.ndarray = parameter(vector)
    covar: np.ndarray = parameter(covariance)
    name: str | None = name()
    keys: str | None = keys()

    support: ClassVar[Any] = None

    @cached_property
    def layout(self) -> Layout:  # type: ignore[override]
        return PartialVector(self.label, self.dim)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        if column.complete:
            check_dimension(column.x, self.dim, self.label)
            with np.errstate(over="ignore"):
                return self.log_densities(column.x), (column, None)
        logs, tape = self.forward_many((self,), column, score)
        return logs[0], tape

    @classmethod
    def forward_many(cls, nodes: tuple[PartialGaussianDistribution, ...], column: Any, score: Any) -> tuple[np.ndarray, Any]:
        """`forward` of several, `(K, n)` log densities. The tape holds the column, and what `_filled` gives of each node."""
        check_dimension(column.x, nodes[0].dim, nodes[0].label)
        if column.complete:
            with np.errstate(over="ignore"):
                return cls.log_densities_many(nodes, column.x), (column, None)
        groups = column.groups()
        scored = [node._filled(column, groups) for node in nodes]
        return np.array([log for log, _, _ in scored]), (column, [(x, rest) for _, x, rest in scored])

    def _filled(self, column: Gapped, groups: Any) -> tuple[np.ndarray, np.ndarray, list[Any]]:
        """Log densities, vectors with missing coordinates at their conditional mean, and `(rows, coordinates, covariance)` by pattern.

        From the Cholesky factor of the covariance with the known coordinates first (Little and Rubin 2002, section 11.2).
        """
        log, x, rest = np.zeros(len(column)), column.x.copy(order="F"), []
        for rows, known, missing in groups:
            order, k = np.concatenate([known, missing]), len(known)
            factor = np.linalg.cholesky(self.covar[np.ix_(order, order)])
            with np.errstate(invalid="ignore", over="ignore"):
                white = lower_inverse(factor[:k, :k]) @ (x[np.ix_(rows, known)] - self.mu[known]).T
                own = -k * HALF_LOG_2PI - np.log(np.diag(factor)[:k]).sum() - 0.5 * (white * white).sum(axis=0)
            log[rows] = np.where(np.isnan(own), -np.inf, own)
            if len(missing):
                x[np.ix_(rows, missing)] = self.mu[missing] + (factor[k:, :k] @ white).T
                rest.append((rows, missing, factor[k:, k:] @ factor[k:, k:].T))
        x[log == -np.inf] = self.mu  # such rows can take part with weight zero only
        return log, x, rest

    def estimator(self, pseudo_count: Any = None) -> PartialGaussianEstimator:
        if pseudo_count is None:
            return PartialGaussianEstimator(self.dim, name=self.name, keys=self.keys)
        counts = pseudo_counts(pseudo_count, 2, "PartialGaussianDistribution")
        return PartialGaussianEstimator(self.dim, counts, (self.mu, self.covar), self.name, self.keys)


class PartialGaussianEstimator(MultivariateGaussianEstimator, CombinatorEstimator):
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

    @cached_property
    def layout(self) -> Layout:  # type: ignore[override]
        return PartialVector(self.label, self.dim)

    def with_gaps(self, allow: Any) -> Estimator:
        return self

    def impossible(self, x: Any) -> str | None:
        infinite = not is_missing(x) and any(not is_missing(v) and np.isinf(v) for v in x)
        return f"{self.label}: {x!r} has density zero; it needs finite real numbers" if infinite else None

    def log_prior(self, distribution: Any) -> float:
        return 0.0 if self.prior is None else distribution.log_likelihood(self.prior)

    def open(self, column: Any, open: Any) -> Any:
        if column.complete:
            return column, None
        open.responsibilities(1, len(column))  # what is missing is latent
        x = np.where(np.isfinite(column.x), column.x, column.centre)
        rest = [(rows, missing, np.diag(column.spread[missing])) for rows, _, missing in column.groups() if len(missing)]
        return column, [(x, rest)]

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return self.backward_many((self,), tape, weights[None], send)[0]

    @classmethod
    def backward_many(cls, estimators: Any, tape: Any, weights: np.ndarray, send: Any) -> list[Node]:
        """`backward` of several, from weights `(K, n)`."""
        column, filled = tape
        if filled is None:
            whole = estimators[0].statistics(column.x, weights[0]) if len(estimators) == 1 else None
            each = [whole] if whole is not None else cls.statistics_many(estimators, column.x, weights)
            return [Node(own) for own in each]
        return [Node(e._expected(x, rest, w)) for e, (x, rest), w in zip(estimators, filled, weights, strict=True)]

    def _expected(self, x: np.ndarray, rest: list[Any], weights: np.ndarray) -> Scatter:
        own = self.statistics(x, weights)
        m2 = own.m2.copy()
        for rows, missing, covar in rest:
            m2[np.ix_(missing, missing)] += weights[rows].sum() * covar
        return Scatter(own.count, own.mean, m2)

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> PartialGaussianDistribution:
        if not self.has_prior and not own.count > 0:
            if previous is None:
                raise EmptyError(f"{self.label}: no row gives it any weight; it cannot be estimated without pseudo_count")
            return previous
        return self.estimate(own, previous)  # type: ignore[return-value]
