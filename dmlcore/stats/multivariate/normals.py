"""Unknown coordinates of Gaussian vectors, given the known ones."""

from __future__ import annotations

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
    """Gaussian vectors with means `(n, d)` and one covariance `(d, d)`, or one for each row `(n, d, d)`; `family` is the law of such a
    vector, of mean and covariance."""

    def __init__(self, means: np.ndarray, covar: np.ndarray, family: Any):
        self.means, self.covar, self.family, self.slots = means, covar, family, covar.shape[-1]

    def keep(self, slots: list[int]) -> Normals:
        return Normals(self.means[:, slots], self.covar[..., slots, :][..., slots], self.family)

    def at(self, rows: np.ndarray) -> Normals:
        return Normals(self.means[rows], self._covar_at(rows), self.family)

    def _covar_at(self, rows: Any) -> np.ndarray:
        return self.covar if self.covar.ndim == 2 else self.covar[rows]

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        mean, covar = self.means[row], self._covar_at(row)
        return [(1.0, (GaussianDistribution(mean[0], covar[0, 0]) if self.slots == 1 else self.family(mean, covar),))]

    def within(self, events: dict[int, Any], n: int) -> tuple[np.ndarray, RowLaw]:
        if self.slots == 1:
            return super().within(events, n)
        slots = sorted(events)
        if len(slots) == 1:
            log, _ = self.keep(slots).within({0: events[slots[0]]}, n)
        else:
            low, high = np.array([range_of(events[slot]) for slot in slots]).T
            log = np.array(
                [log_mass_within(self.means[row, slots], self._covar_at(row)[np.ix_(slots, slots)], low, high) for row in range(n)]
            )
        return log, NoForm(self.slots)

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        factor = np.linalg.cholesky(self._covar_at(rows))
        normal = rng.standard_normal((len(rows), 1, self.slots))
        return list(((normal @ factor.swapaxes(-1, -2))[:, 0] + self.means[rows]).T)

    def ask(self, what: str, *args: Any) -> Any:
        mean, variance = self.means[:, 0], self.covar[..., 0, 0]
        if what in ("mean", "mode"):
            return mean
        if what == "variance":
            return variance
        if what == "cdf":
            return special.ndtr((args[0] - mean) / np.sqrt(variance))
        if what == "quantile":
            return mean + np.sqrt(variance) * special.ndtri(args[0])
        raise StructureError(f"a coordinate of a Gaussian vector has no {what}()")

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        variance = self.covar[..., 0, 0]
        return -HALF_LOG_2PI - 0.5 * np.log(variance) - 0.5 * (x - self.means[:, 0]) ** 2 / variance


class NoForm(RowLaw):
    """The law of a vector within ranges of its coordinates, which the library has no form for."""

    def __init__(self, slots: int):
        self.slots = slots

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        raise StructureError("the law of a vector within ranges of its coordinates has no form; draw from the model instead")


def range_of(event: Any) -> tuple[float, float]:
    """The ends of a range; of values that are listed, which have probability zero each, an empty one."""
    if not hasattr(event, "low"):
        return 0.0, 0.0
    return -np.inf if event.low is None else event.low, np.inf if event.high is None else event.high


def log_mass_within(mean: np.ndarray, covar: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """The log probability of a box under a Gaussian: of independent coordinates by their own, else by quasi-Monte Carlo (Genz 1992)."""
    spread = np.sqrt(np.diag(covar))
    a, b = (low - mean) / spread, (high - mean) / spread
    if np.array_equal(covar, np.diag(np.diag(covar))):
        mass = np.prod(np.where(a > 0, special.ndtr(-a) - special.ndtr(-b), special.ndtr(b) - special.ndtr(a)))
    else:
        from scipy.stats import multivariate_normal

        R = covar / np.outer(spread, spread)
        mass = multivariate_normal(cov=R, seed=0, maxpts=200_000 * len(R), abseps=1e-7, releps=1e-7).cdf(b, lower_limit=a)
    return float(np.log(mass)) if mass > 0 else -np.inf


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
