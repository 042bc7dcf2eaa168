"""What a linear mixed regression makes of groups of rows: the law of their random effects, and statistics of what these are expected to be.

A group is rows with y = X beta + Z b + e, where b ~ N(0, covar) belongs to the group, and e ~ N(0, sigma2) to each row. With covar = L L'
and b = L u, the law of u given the group is Gaussian with precision `M = 1 + L' Z'Z L / sigma2`, and `log det M` and M^-1 are all that the
density of the group takes beside sums over its rows (Harville 1977, section 5.2): matrices are as large as there are random effects, and
none as a group has rows. M has no eigenvalue below 1, however small covar is.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import Domain
from dmlcore.base.numerics import HALF_LOG_2PI, across, by_rows
from dmlcore.base.records import dataclass
from dmlcore.core.statistics import Scatter, beside, nothing
from dmlcore.stats.regression.glm.predictors import Rows, predictors
from dmlcore.stats.regression.glm.tied_and_held import INTERCEPT


class RandomColumns(Domain):
    """Which coefficients differ from group to group: "intercept", and numbers of columns."""

    need = "'intercept', or numbers of columns, or several of these, each once"

    def check(self, value: Any) -> tuple[int | str, ...]:
        given = value if isinstance(value, (tuple, list)) else (value,)
        whole = [isinstance(place, (int, np.integer)) and not isinstance(place, bool) and place >= 0 for place in given]
        right = all(known or place == INTERCEPT for known, place in zip(whole, given, strict=True))
        if not given or not right or len(set(given)) < len(given):
            raise self.fail(value)
        return tuple(int(place) if known else place for known, place in zip(whole, given, strict=True))


class MixedDesign(NamedTuple):
    """Which columns the rows of groups have: those of X are 1 (if there is an intercept) and the covariates, those of Z the random ones.

    Covariates are taken about a centre where a constant column of the same matrix absorbs that.
    """

    intercept: bool
    random: tuple[int | str, ...]

    @property
    def centred(self) -> bool:
        """Whether the columns of Z are about the centre."""
        return INTERCEPT in self.random

    @property
    def slopes(self) -> tuple[list[int], list[int]]:
        """Where the covariates among the columns of Z stand there, and which they are."""
        pairs = [(i, place) for i, place in enumerate(self.random) if isinstance(place, int)]
        return [i for i, _ in pairs], [place for _, place in pairs]

    @property
    def in_fixed(self) -> list[int]:
        """Which columns of X those of Z are."""
        return [0 if place == INTERCEPT else int(place) + self.intercept for place in self.random]

    def fixed(self, rows: Any) -> np.ndarray:
        """X as `(columns, N)`."""
        return np.vstack([np.ones(rows.n), rows.apart]) if self.intercept else rows.x.T

    def effects(self, rows: Any) -> np.ndarray:
        """Z as `(q, N)`."""
        covariates = rows.apart if self.centred else rows.x.T
        return np.array([np.ones(rows.n) if place == INTERCEPT else covariates[place] for place in self.random])

    def at(self, factor: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """A factor L `(.., q, q)` as that of the effects of Z about a centre, so that Z L is the same."""
        if not self.centred:
            return factor
        where, columns = self.slopes
        out = factor.copy()
        out[..., self.random.index(INTERCEPT), :] += (centre[..., None, columns] @ factor[..., where, :])[..., 0, :]
        return out


class EndToEnd:
    """Rows of groups, end to end: group i has the rows from `offsets[i]` to before `offsets[i + 1]`."""

    def __init__(self, offsets: np.ndarray):
        self.offsets, self.n = offsets, len(offsets) - 1

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums over the rows of each group, `(.., n)` from `(.., N)`."""
        return by_rows(kernels.segment_sum, values, self.offsets)

    def repeated(self, values: np.ndarray) -> np.ndarray:
        """Values of groups at each of their rows, `(.., N)` from `(.., n)`."""
        return by_rows(kernels.repeat_rows, values, self.offsets)


class Groups(EndToEnd):
    """One block as a mixed regression reads it."""

    def __init__(self, node: Any, column: Any):
        super().__init__(column.offsets)
        self.rows = Rows(node, column.flat)

    @property
    def possible(self) -> np.ndarray | None:
        """Which groups have no impossible response; None: all."""
        inside = self.rows.inside
        return None if inside is None else self.total(~inside * 1.0) == 0

    def bar(self, logs: np.ndarray) -> np.ndarray:
        """Log densities `(.., n)` with -inf where a response is impossible."""
        return logs if self.possible is None else np.where(self.possible, logs, -np.inf)

    def admit(self, weights: np.ndarray) -> np.ndarray:
        """Weights `(.., n)` with 0 where a response is impossible, or there is no row."""
        there = np.diff(self.offsets) > 0
        return weights * (there if self.possible is None else there & self.possible)


@dataclass(frozen=True)
class Effects:
    """The law of the standardised random effects u of each group: means `(.., q, n)` and covariances `(.., q, q, n)`; and what is left
    of the responses at the means, `(.., N)`. factor: L, `(.., q, q)`, about the centre of the rows."""

    mean: np.ndarray
    covar: np.ndarray
    left: np.ndarray
    factor: np.ndarray


def effects_of(law: Any, groups: Groups) -> tuple[np.ndarray, Effects]:
    """Log densities `(.., n)` of groups, and the laws of their random effects."""
    rows = groups.rows
    eta = predictors(law, rows)
    factor = law.design.at(law.factor, rows.centre)
    with np.errstate(over="ignore", invalid="ignore"):
        directions = factor.swapaxes(-1, -2) @ law.design.effects(rows)
        log, mean, covar, left = scored_groups(rows.y - eta, directions, law.sigma2, groups)
    return log, Effects(mean, covar, left, factor)


def scored_groups(residuals: np.ndarray, directions: np.ndarray, sigma2: Any, groups: EndToEnd) -> tuple[np.ndarray, ...]:
    """Log densities `(.., n)` of residuals y - X beta `(.., N)`, the means and covariances of u, and what is left of the residuals at the
    means; directions are (Z L)' `(.., q, N)`."""
    q, s2 = directions.shape[-2], across(sigma2)
    above = np.triu_indices(q)
    products = np.concatenate([directions[..., above[0], :] * directions[..., above[1], :], directions * residuals[..., None, :]], axis=-2)
    sums = groups.total(products) / across(s2)
    precision = np.empty((*sums.shape[:-2], q, q, sums.shape[-1]))
    precision[..., above[0], above[1], :] = precision[..., above[1], above[0], :] = sums[..., :-q, :]
    precision[..., range(q), range(q), :] += 1.0
    covar, log_det = inverse_and_log_det(precision)
    mean = (covar * sums[..., None, -q:, :]).sum(axis=-2)
    left = residuals - (directions * groups.repeated(mean)).sum(axis=-2)
    misfit = groups.total(left * left) / s2 + (mean * mean).sum(axis=-2)
    log = -0.5 * (np.diff(groups.offsets) * (2 * HALF_LOG_2PI + np.log(s2)) + log_det + misfit)
    return np.where(np.isnan(log), -np.inf, log), mean, covar, left  # sums of residuals beyond 1e308 are no numbers


def inverse_and_log_det(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses of positive definite matrices `(.., q, q, n)`, and the logarithms of their determinants, by Gauss and Jordan's elimination.

    Positive definite matrices need no pivots (Higham 2002, section 14.4); of n small ones at once, each step is arithmetic of arrays.
    """
    out, log_det = matrices.copy(), np.zeros(matrices.shape[:-3] + matrices.shape[-1:])
    for k in range(matrices.shape[-2]):
        pivot, column = out[..., k, k, :].copy(), out[..., :, k, :].copy()
        log_det += np.log(pivot)
        row = out[..., k, :, :] / pivot[..., None, :]
        row[..., k, :] = 1.0 / pivot
        out[..., :, k, :] = 0.0
        out -= column[..., :, None, :] * row[..., None, :, :]
        out[..., k, :, :] = row
    return out, log_det


class FirstSums(Scatter):
    """Moments of rows (x, y), before there is a law."""

    local: ClassVar[bool] = True


@dataclass(frozen=True)
class MixedSums:
    """Expected sums at one law. matrix: weighted second moments `(.., m, m)`, over the rows, of the columns of X, of those of Z times each
    of the effects u, and of the errors e; x about `centre` `(.., p)`. effects: those of (1, u) over the groups, `(.., q + 1, q + 1)`."""

    count: Any
    centre: np.ndarray
    matrix: np.ndarray
    effects: np.ndarray
    design: MixedDesign
    local: ClassVar[bool] = True

    @classmethod
    def of(cls, design: MixedDesign, groups: Groups, effects: Effects, weights: np.ndarray) -> MixedSums:
        """Those of one block, from weights of its groups `(.., n)`."""
        rows, shape, q = groups.rows, weights.shape[:-1], len(design.random)
        w = groups.repeated(weights)[..., None, :]
        fixed, random = design.fixed(rows), design.effects(rows)
        products = groups.repeated(effects.mean)[..., :, None, :] * random
        parts = np.broadcast_to(fixed, (*shape, *fixed.shape)), products.reshape(*shape, q * q, rows.n), effects.left[..., None, :]
        columns = np.concatenate(parts, axis=-2)
        matrix = (columns * w) @ columns.swapaxes(-1, -2)

        covar = effects.covar * weights[..., None, None, :]
        squares = groups.total(random[:, None] * random).reshape(q * q, -1)
        spread = (covar.reshape(*shape, q * q, -1) @ squares.T).reshape(*shape, q, q, q, q).swapaxes(-3, -2).reshape(*shape, q * q, q * q)
        minus_errors = effects.factor.swapaxes(-1, -2).reshape(*shape, 1, q * q)  # a change of u changes e by - Z L u
        noise = np.concatenate([np.broadcast_to(np.eye(q * q), spread.shape), -minus_errors], axis=-2)
        first = len(fixed)
        matrix[..., first:, first:] += noise @ spread @ noise.swapaxes(-1, -2)

        ones = np.concatenate([np.ones((*shape, 1, groups.n)), effects.mean], axis=-2)
        second = (ones * weights[..., None, :]) @ ones.swapaxes(-1, -2)
        second[..., 1:, 1:] += covar.sum(axis=-1)
        centre = np.broadcast_to(rows.centre if design.intercept else np.zeros(rows.x.shape[1]), (*shape, rows.x.shape[1]))
        out = cls(w.sum(axis=(-1, -2))[()], centre, matrix, second, design)
        return out.about(out.mean_of_covariates()) if design.intercept else out

    def mean_of_covariates(self) -> np.ndarray:
        """The weighted mean of x `(.., p)`, where there is an intercept."""
        count = np.where(self.count > 0, self.count, 1.0)
        return np.asarray(self.centre + self.matrix[..., 0, 1 : self.centre.shape[-1] + 1] / count[..., None])

    def __add__(self, other: MixedSums) -> MixedSums:
        if nothing(other, self):
            return self
        if nothing(self, other):
            return other
        count = self.count + other.count
        part = other.count / np.where(count > 0, count, 1.0)
        centre = self.centre + (other.centre - self.centre) * beside(part, self.centre)
        one, two = self.about(centre), other.about(centre)
        return MixedSums(count, centre, one.matrix + two.matrix, one.effects + two.effects, self.design)

    def about(self, centre: np.ndarray) -> MixedSums:
        """The same sums with covariates taken about another point."""
        if not self.design.intercept:
            return self
        apart = self.centre - centre
        p, q, m = apart.shape[-1], len(self.design.random), self.matrix.shape[-1]
        change = np.zeros((*apart.shape[:-1], m, m))
        change[..., range(m), range(m)] = 1.0
        change[..., 1 : p + 1, 0] = apart
        if self.design.centred:
            where, columns = self.design.slopes
            for first in range(p + 1, m - 1, q):
                change[..., [first + i for i in where], first + self.design.random.index(INTERCEPT)] = apart[..., columns]
        return MixedSums(self.count, centre, change @ self.matrix @ change.swapaxes(-1, -2), self.effects, self.design)
