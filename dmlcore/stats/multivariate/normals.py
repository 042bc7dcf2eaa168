"""Unknown coordinates of Gaussian vectors, given the known ones."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import StructureError
from dmlcore.base.numerics import HALF_LOG_2PI
from dmlcore.core.partial import Known, Parts
from dmlcore.core.rowlaws import Atom, Product, RowLaw
from dmlcore.data.layouts import Real
from dmlcore.stats.multivariate.vectors import lower_inverse
from dmlcore.stats.univariate.gaussian import GaussianDistribution


class Normals(Atom):
    """Gaussian vectors with means `(n, d)` and one covariance `(d, d)`; `family` is the law of such a vector, of mean and covariance."""

    def __init__(self, means: np.ndarray, covar: np.ndarray, family: Any):
        self.means, self.covar, self.family, self.slots = means, covar, family, len(covar)

    def keep(self, slots: list[int]) -> Normals:
        return Normals(self.means[:, slots], self.covar[np.ix_(slots, slots)], self.family)

    def at(self, rows: np.ndarray) -> Normals:
        return Normals(self.means[rows], self.covar, self.family)

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        if self.slots == 1:
            return [(1.0, (GaussianDistribution(self.means[row, 0], self.covar[0, 0]),))]
        return [(1.0, (self.family(self.means[row], self.covar),))]

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        factor = np.linalg.cholesky(self.covar)
        return list((rng.standard_normal((len(rows), self.slots)) @ factor.T + self.means[rows]).T)

    def ask(self, what: str, *args: Any) -> Any:
        mean, scale = self.means[:, 0], math.sqrt(self.covar[0, 0])
        if what in ("mean", "mode"):
            return mean
        if what == "variance":
            return self.covar[0, 0]
        if what == "cdf":
            return special.ndtr((args[0] - mean) / scale)
        if what == "quantile":
            return mean + scale * special.ndtri(args[0])
        raise StructureError(f"a coordinate of a Gaussian vector has no {what}()")

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        return -HALF_LOG_2PI - 0.5 * math.log(self.covar[0, 0]) - 0.5 * (x - self.means[:, 0]) ** 2 / self.covar[0, 0]


def given_coordinates(law: Any, covar: np.ndarray, family: Any, x: Parts, n: int) -> tuple[np.ndarray, RowLaw]:
    """Log density `(n,)` of the known coordinates of a Gaussian vector, and the law of the others."""
    known = Regressed.on(law, covar, x, n)
    log = -known.k * HALF_LOG_2PI - known.log_diagonal - 0.5 * known.squares
    log = np.where(np.isnan(log), -np.inf, log)
    return log, Normals(known.means, known.left, family) if known.means.shape[1] else Product([])


class Regressed(NamedTuple):
    """What the k known coordinates of a vector say of the others, which are linear in them.

    squares: the squared distances `(n,)` of the known ones from the centre; log_diagonal: half the log determinant of their scatter.
    means: the centres `(n, d - k)` of the others; left: their scatter.
    """

    k: int
    squares: np.ndarray
    log_diagonal: float
    means: np.ndarray
    left: np.ndarray

    @classmethod
    def on(cls, law: Any, scatter: np.ndarray, x: Parts, n: int) -> Regressed:
        """From the Cholesky factor of the scatter with the known coordinates first: its last block is the factor of what is left, which
        so stays positive definite."""
        known = [j for j, entry in enumerate(x.entries) if isinstance(entry, Known)]
        rest = [j for j in range(len(x.entries)) if j not in known]
        order, k = known + rest, len(known)
        if not k:
            return cls(0, np.zeros(n), 0.0, np.tile(law.mu[rest], (n, 1)), scatter)
        factor = np.linalg.cholesky(scatter[np.ix_(order, order)])
        values: Any = [x.entries[j].encoded(Real(f"{law.label}, coordinate {j}")).column for j in known]
        white = lower_inverse(factor[:k, :k]) @ (np.array([column.x for column in values]) - law.mu[known][:, None])
        means, left = law.mu[rest] + (factor[k:, :k] @ white).T, factor[k:, k:] @ factor[k:, k:].T
        return cls(k, (white * white).sum(axis=0), float(np.log(np.diag(factor)[:k]).sum()), means, left)
