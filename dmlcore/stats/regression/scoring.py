"""Fisher scoring from statistics that add: scores and informations of linear predictors, and the steps that follow from them.

A linear predictor is `eta = intercept + coef . x (+ offset)`. Of a law of y given eta, a row contributes the slope
`u = d log p / d eta` and the curvature `v = -d^2 log p / d eta^2 >= 0` at the current parameters; the step solves
`information step = score` (McCullagh and Nelder 1989, section 2.5; with canonical links the curvature is the expected one).
Covariates are taken about their weighted mean, so that offsets and units do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dmlcore import kernels
from dmlcore.core.errors import DegenerateError
from dmlcore.core.statistics import Scatter
from dmlcore.stats.multivariate.vectors import lower_inverse
from dmlcore.stats.regression.design import dependence, roots_of_diagonal

SHAPE_FLOOR = 1e-7  # information in a direction, relative to that of all the data, below which parameters stay where they are
LEVEL_FLOOR = 1e-7  # information per row on the linear predictor itself, below which fitted values have run off
FAINT = 0.0025  # rows (or events) that speak of a direction, below which a coefficient runs off: its error is above 20 on a log scale
STRIDE = 2.0  # how far one step may change linear predictors, root mean square over rows weighted by information
SHORT = 24  # columns up to which the compiled loop is as fast as BLAS


@dataclass(frozen=True)
class Scoring:
    """Sums over rows for C linear predictors, with z = (1, x - centre): `score` `(C, q)` of slopes times z, `information`
    `(C, q, C, q)` of curvatures times z z'; `centre` `(p,)` is the weighted mean of x, q = p + 1. `more`: further sums, or None.
    """

    count: float
    centre: np.ndarray
    score: np.ndarray
    information: np.ndarray
    more: Any = None
    local: ClassVar[bool] = True  # slopes and curvatures hold at one law

    def __add__(self, other: Scoring) -> Scoring:
        if other.count == 0:
            return self
        if self.count == 0:
            return other
        count = self.count + other.count
        centre = self.centre + (other.centre - self.centre) * (other.count / count)
        one, two = self.about(centre), other.about(centre)
        more = None if self.more is None else self.more + other.more
        return Scoring(count, centre, one.score + two.score, one.information + two.information, more)

    def about(self, centre: np.ndarray) -> Scoring:
        """The same sums with covariates taken about another point."""
        apart = self.centre - centre  # z becomes (1, x - centre + apart)
        score, information = self.score.copy(), self.information.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            score[:, 1:] += score[:, :1] * apart
            information[:, 1:] += information[:, :1] * apart[:, None, None]
            information[..., 1:] += information[..., :1] * apart
        return Scoring(self.count, centre, score, information, self.more)

    @classmethod
    def of_least_squares(cls, moments: Scatter, intercept: float, coef: np.ndarray) -> Scoring:
        """Least squares of the last coordinate of `moments` on the others, at the given parameters, with unit variance."""
        p = len(coef)
        information = np.zeros((p + 1, p + 1))
        information[0, 0] = moments.count
        information[1:, 1:] = moments.m2[:p, :p]
        apart = moments.mean[p] - intercept - coef @ moments.mean[:p]
        score = np.concatenate([[moments.count * apart], moments.m2[:p, p] - moments.m2[:p, :p] @ coef])
        return cls(moments.count, moments.mean[:p], score[None], information[None, :, None, :])


def scatters(x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each row of weights `(K, n)` over the columns of `x` `(p, n)`: their sum, the weighted mean, the centred scatter matrix."""
    p = len(x)
    if p <= SHORT:
        return kernels.scatters(x, weights)
    counts, means, matrices = np.zeros(len(weights)), np.zeros((len(weights), p)), np.zeros((len(weights), p, p))
    for k, w in enumerate(weights):
        counts[k] = w.sum()
        if counts[k] > 0:
            mean = x @ w / counts[k]
            apart = x - mean[:, None]
            weighed = apart * w
            rest = weighed.sum(axis=1) / counts[k]  # the rounding error of the mean
            means[k], matrices[k] = mean + rest, weighed @ apart.T - np.outer(counts[k] * rest, rest)
    return counts, means, matrices


def scorings(rows: Any, weights: np.ndarray, slopes: np.ndarray, curves: np.ndarray) -> list[Scoring]:
    """`Scoring` of K laws with one linear predictor each, from weights `(K, n)`, slopes and curvatures `(K, n)` (weights included)."""
    counts = weights.sum(axis=1)
    V, m, S = scatters(rows.apart, curves)
    shift = weights @ rows.apart.T / np.where(counts > 0, counts, 1.0)[:, None]
    totals, tilted = slopes.sum(axis=1), slopes @ rows.apart.T
    out = []
    for k, count in enumerate(counts.tolist()):
        score = np.concatenate([totals[k : k + 1], tilted[k] - totals[k] * shift[k]])
        out.append(Scoring(count, rows.centre + shift[k], score[None], moments_about(V[k], m[k], S[k], shift[k])[None, :, None, :]))
    return out


def moments_about(V: float, m: np.ndarray, S: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Second moments `(q, q)` of (1, x - point), from the sum of weights, the mean and the centred scatter."""
    q = len(m) + 1
    apart = m - point
    out = np.empty((q, q))
    out[0, 0] = V
    out[0, 1:] = out[1:, 0] = V * apart
    out[1:, 1:] = S + V * np.outer(apart, apart)
    return out


@dataclass(frozen=True)
class Step:
    """A change of parameters: of intercepts `(C,)` (zeros without one) and of coefficients `(C, p)`.

    undetermined: the columns (-1 for the intercept) in whose direction the data say nothing at the current parameters.
    """

    intercept: np.ndarray
    coef: np.ndarray
    undetermined: tuple[int, ...] = ()


class Frame:
    """Coordinates of the linear predictor in which the information of all the data, per unit, is the identity.

    Of the coordinates (the intercept first, if there is one) `own` are those that a step estimates, by default all; `others` are
    those among the rest that are estimated elsewhere. Covariates are taken about their mean where the intercept absorbs that.
    """

    def __init__(
        self,
        statistics: Scoring,
        intercept: bool,
        ridge: float,
        who: str,
        names: Any = None,
        own: np.ndarray | None = None,
        others: Any = (),
    ):
        """Raises `DegenerateError` naming columns that are constant or follow from others, unless a ridge sets that right."""
        self.intercept, self.ridge = intercept, ridge
        size = len(statistics.centre) + intercept
        self.own = np.arange(size) if own is None else own
        self.others = np.array(others, dtype=np.intp)
        self.centre = statistics.centre if intercept and 0 in self.own else np.zeros(len(statistics.centre))
        level = level_of(statistics)
        if not level > 0:
            raise DegenerateError(f"{who}: no row says anything about its coefficients; leave it out")
        matrix = np.einsum("cicj->ij", self._inside(statistics)[1]) / level
        matrix[self._slopes, self._slopes] += ridge / level * np.eye(len(self.centre))
        used = np.sort(np.concatenate([self.own, self.others]))
        trouble = dependence(matrix[np.ix_(used, used)], self.centre, used - intercept, names)
        if trouble:
            few = statistics.count if statistics.count <= len(used) else None
            rows = f" (the rows weigh {few:g} in all, for {len(used)} coefficients)" if few is not None else ""
            raise DegenerateError(f"{who}: {trouble}{rows}; leave it out, or give {'a larger ' if ridge else ''}ridge")
        self.scale = roots_of_diagonal(matrix)
        self.relative = matrix
        self.whiten = whitening(matrix[np.ix_(self.own, self.own)])

    @property
    def _slopes(self) -> slice:
        return slice(1 if self.intercept else 0, None)

    def _inside(self, statistics: Scoring) -> tuple[np.ndarray, np.ndarray]:
        """Score `(C, q)` and information `(C, q, C, q)` in the coordinates there are."""
        moved = statistics.about(self.centre)
        return (moved.score, moved.information) if self.intercept else (moved.score[:, 1:], moved.information[:, 1:, :, 1:])

    def quadratic(self, statistics: Scoring, coef: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Information `(C q, C q)` and score `(C q,)` of likelihood and ridge, at coefficients `(C, p)`."""
        score, information = self._inside(statistics)
        C, q = score.shape
        matrix = information.reshape(C * q, C * q).copy()
        gradient = score.ravel().copy()
        if self.ridge:
            place = np.arange(C * q).reshape(C, q)[:, self._slopes].ravel()
            matrix[place, place] += self.ridge
            gradient[place] -= self.ridge * coef.ravel()
        return matrix, gradient

    def step(
        self,
        statistics: Scoring,
        coef: np.ndarray,
        shape_floor: float,
        level_floor: float,
        stride: float | None,
        known: np.ndarray | None = None,
    ) -> Step:
        """The Fisher scoring step from coefficients `coef` `(C, p)`, at most `stride` long; `known` `(q,)` are the changes of the
        coordinates that are not its own (covariates are then not centred, or the intercept is its own).

        Directions whose information is below the floors are left where they are, and named.
        """
        C, p = coef.shape
        q = p + self.intercept
        level = level_of(statistics)
        change, undetermined = np.zeros((C, q)) if known is None else known[None].copy(), self._run_off(coef)
        if level > level_floor * statistics.count:
            matrix, gradient = self.quadratic(statistics, coef)
            if known is not None:
                gradient -= matrix @ known
            own = (np.arange(C)[:, None] * q + self.own).ravel()
            matrix, gradient = matrix[np.ix_(own, own)], gradient[own]
            step, missed = pseudo_solved(matrix, gradient, np.kron(np.eye(C), self.whiten), level, shape_floor)
            step *= shortened(step, matrix, level, stride)
            change[:, self.own] = step.reshape(C, -1)
            undetermined = self._named(missed, C)
        slopes = change[:, self._slopes]
        intercepts = change[:, 0] - slopes @ self.centre if self.intercept else np.zeros(C)
        return Step(intercepts, slopes, undetermined)

    def faint(self, statistics: Scoring, coef: np.ndarray, least: float) -> tuple[int, ...]:
        """The columns (-1 for the intercept) in whose direction there is less information than `least`, on linear predictors of
        covariates of unit size, and no ridge that holds them."""
        C = len(coef)
        own = (np.arange(C)[:, None] * len(self.scale) + self.own).ravel()
        whiten = np.kron(np.eye(C), self.whiten)
        values, vectors = np.linalg.eigh(whiten @ self.quadratic(statistics, coef)[0][np.ix_(own, own)] @ whiten.T)
        directions = whiten.T @ vectors
        penalised = np.tile(self.own >= self.intercept, C)
        held = self.ridge * (directions[penalised] ** 2).sum(axis=0) > values / 100  # in a tail, slope and curvature are alike
        return self._named(directions[:, (values < least) & ~held], C)

    def eliminated(self, statistics: Scoring, coef: np.ndarray, shape_floor: float, fixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Information and score of the coordinates `others` when its own follow them to their best (a Schur complement); `fixed`
        `(q,)` are the changes of those that are neither."""
        matrix, gradient = self.quadratic(statistics, coef[None])
        gradient -= matrix @ fixed
        across = matrix[np.ix_(self.own, self.others)]
        right = np.column_stack([across, gradient[self.own]])
        level = level_of(statistics)
        follows, _ = pseudo_solved(matrix[np.ix_(self.own, self.own)], right, self.whiten, level, shape_floor)
        left = matrix[np.ix_(self.others, self.others)] - across.T @ follows[:, :-1]
        return (left + left.T) / 2, gradient[self.others] - across.T @ follows[:, -1]

    def _named(self, directions: np.ndarray, C: int) -> tuple[int, ...]:
        """For each direction, the coefficient that moves most in units of all the data (the intercept, if hardly any does)."""
        found = set()
        columns = self.own - self.intercept  # -1 for the intercept
        for direction in directions.T:
            moved = np.abs(direction.reshape(C, -1) * self.scale[self.own]).max(axis=0)
            slopes = np.where(columns >= 0, moved, 0.0)
            found.add(int(columns[np.argmax(slopes)]) if slopes.max() > 0.05 * moved.max() else -1)
        return tuple(sorted(found))

    def _run_off(self, coef: np.ndarray) -> tuple[int, ...]:
        """Where linear predictors have run off: the intercept, and the columns that moved them by more than one; all, if none did."""
        columns = np.sort(np.append(self.own, self.others)) - self.intercept if len(self.own) else self.own  # -1 for the intercept
        moved = np.append(np.abs(coef).max(axis=0, initial=0.0) * self.scale[self._slopes], np.inf)[columns]
        return tuple((columns[moved > 1] if (moved > 1).any() else columns).tolist())


def whitening(matrix: np.ndarray) -> np.ndarray:
    """W with `W matrix W' = 1`, for a positive definite matrix whose coordinates may have unlike units."""
    scale = np.sqrt(np.diag(matrix))
    return lower_inverse(np.linalg.cholesky(matrix / scale[:, None] / scale)) / scale if len(scale) else matrix


def pseudo_solved(matrix: np.ndarray, right: np.ndarray, whiten: np.ndarray, level: float, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """The solution of `matrix x = right` in the directions whose information, whitened and per unit of `level`, is above the floor;
    and the other directions, as columns."""
    relative = whiten @ matrix @ whiten.T / level
    relative = (relative + relative.T) / 2
    try:
        np.linalg.cholesky(relative - floor * np.eye(len(relative)))  # succeeds where all are above the floor
        basis, below = lower_inverse(np.linalg.cholesky(relative)).T, relative[:, :0]
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(relative)
        free = values > floor
        basis, below = vectors[:, free] / np.sqrt(values[free]), vectors[:, ~free]
    basis = whiten.T @ basis / np.sqrt(level)
    x = basis @ (basis.T @ right)
    x += basis @ (basis.T @ (right - matrix @ x))  # puts right what rounding left
    return x, whiten.T @ below


def shortened(step: np.ndarray, matrix: np.ndarray, level: float, stride: float | None) -> float:
    """The factor that makes a step at most `stride` long, as the root mean square change of linear predictors."""
    length = 0.0 if stride is None else float(np.sqrt(max(step @ matrix @ step, 0.0) / level))
    return 1.0 if stride is None or length <= stride else stride / length


def level_of(statistics: Scoring) -> float:
    """The information on the linear predictors themselves, summed over rows."""
    return float(np.einsum("cc->", statistics.information[:, 0, :, 0]))
