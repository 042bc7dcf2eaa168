"""Penalties of the coefficients of regressions: what an objective loses by coefficients far from zero. Intercepts are free.

A penalty is a value: its log density of coefficients, the step it asks for, and which coefficients it leaves out. A new one is a class.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dmlcore.base.domains import Domain, nonnegative, probability
from dmlcore.base.errors import ParameterError, StructureError, shorten
from dmlcore.core.declared import Declared, parameter

SWEEPS = 10_000  # most passes of coordinate descent
TIGHT = 1e-13  # relative change of coordinates, and of slopes, that is rounding
SLACK = 1e-11  # by which the slope at a zero may exceed the lasso's weight


class Penalty(Declared):
    """Base. weight: how heavy it is, at least 0. Penalties mind units: standardise covariates whose units are unlike."""

    noun = "a penalty"
    weight: float = parameter(nonnegative)

    selects: ClassVar[bool] = False
    """Whether it sets coefficients to zero, so that columns may be constant or follow from others, and the step is `step`'s."""

    @property
    def curvature(self) -> float:
        """What it adds to the information on each coefficient."""
        return 0.0

    def log_density(self, coef: np.ndarray) -> Any:
        """What it adds to the objective at coefficients `(.., p)`, up to a constant: `(..)`, at most 0."""
        raise StructureError(f"{type(self).__name__} has no log_density(coef)")

    def step(self, information: np.ndarray, score: np.ndarray, coef: np.ndarray, penalised: np.ndarray) -> np.ndarray:
        """Of a penalty that `selects`: the step s `(.., m)` from parameters `coef` `(.., m)` that maximises the sum of
        `score . s - s . information s / 2` and the penalty of the coordinates that are `penalised` `(m,)`."""
        raise StructureError(f"{type(self).__name__} has no step(information, score, coef, penalised)")

    def left_out(self, coef: np.ndarray) -> np.ndarray:
        """Which coefficients are no parameters any more, so that they cost no degree of freedom."""
        return np.zeros(np.shape(coef), dtype=bool)


class Ridge(Penalty):
    """`-weight/2 |coef|^2`: a Gaussian prior of precision `weight` (Hoerl and Kennard 1970). All coefficients count as free."""

    @property
    def curvature(self) -> float:
        return self.weight

    def log_density(self, coef: np.ndarray) -> Any:
        return -0.5 * self.weight * np.sum(coef * coef, axis=-1)


class Lasso(Penalty):
    """`-weight sum_j |coef_j|` (Tibshirani 1996): coefficients that the rows speak of too faintly are exactly zero, and the others are
    the degrees of freedom (Zou, Hastie and Tibshirani 2007).

    Of n rows, scikit-learn's `Lasso` has `alpha = weight / n`, its `LogisticRegression` `C = 1 / weight`, and the `lambda` of R's glmnet
    (with `standardize = FALSE`) is `weight / n`. In a mixture each component has a penalty of its own, whatever it weighs.
    """

    selects = True

    @property
    def slope_at_zero(self) -> float:
        """What a coefficient must be worth per unit, to the log likelihood, not to be zero."""
        return self.weight

    def log_density(self, coef: np.ndarray) -> Any:
        return -self.slope_at_zero * np.sum(np.abs(coef), axis=-1)

    def step(self, information: np.ndarray, score: np.ndarray, coef: np.ndarray, penalised: np.ndarray) -> np.ndarray:
        right = score + (information @ coef[..., None])[..., 0]
        return least_lasso(information, right, self.slope_at_zero * penalised, coef) - coef

    def left_out(self, coef: np.ndarray) -> np.ndarray:
        return np.asarray(coef) == 0


class ElasticNet(Lasso):
    """`-weight (ratio sum_j |coef_j| + (1 - ratio)/2 |coef|^2)` (Zou and Hastie 2005): a lasso that takes like columns in together.

    ratio: the share of the lasso, from 0 to 1. Of n rows, scikit-learn's `ElasticNet` has `alpha = weight / n` and `l1_ratio = ratio`, R's
    glmnet `lambda = weight / n` and `alpha = ratio`.
    """

    ratio: float = parameter(probability, default=0.5)

    @property
    def curvature(self) -> float:
        return self.weight * (1.0 - self.ratio)

    @property
    def slope_at_zero(self) -> float:
        return self.weight * self.ratio

    def log_density(self, coef: np.ndarray) -> Any:
        return -self.slope_at_zero * np.sum(np.abs(coef), axis=-1) - 0.5 * self.curvature * np.sum(coef * coef, axis=-1)


def least_lasso(matrix: np.ndarray, right: np.ndarray, weights: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The b `(.., m)` that minimises `b . matrix b / 2 - right . b + sum_j weights_j |b_j|`, zeros exact.

    Coordinate descent (Friedman, Hastie and Tibshirani 2010), all problems of a stack at once. As soon as its zeros and signs are those
    of the minimum (in EM, mostly those of the step before), the equations of the other coordinates give it.
    """
    unit = np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1))
    unit = np.where(unit > 0, unit, 1.0)
    matrix, right = matrix / unit[..., :, None] / unit[..., None, :], right / unit
    bars = np.broadcast_to(weights / unit, right.shape)
    said = np.diagonal(matrix, axis1=-2, axis2=-1) > 0  # nothing is known of the others: they stay, or are zero
    b = np.where(said | (bars == 0), start * unit, 0.0)
    still = np.zeros(b.shape[:-1], dtype=bool)
    for _ in range(SWEEPS):
        solved, found = _with_these_signs(matrix, right, bars, b, said)
        b = np.where(found[..., None], solved, b)
        if (found | still).all():
            break
        before = b.copy()
        for j in range(b.shape[-1]):
            free = b[..., j] + right[..., j] - (matrix[..., j, :] * b).sum(axis=-1)
            moved = np.sign(free) * np.maximum(np.abs(free) - bars[..., j], 0.0)
            b[..., j] = np.where(said[..., j], moved, b[..., j])
        still = np.abs(b - before).max(axis=-1, initial=0.0) <= TIGHT * np.abs(b).max(axis=-1, initial=0.0)
    return b / unit


def _with_these_signs(
    matrix: np.ndarray, right: np.ndarray, bars: np.ndarray, b: np.ndarray, said: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The minimum among points with the zeros and signs of `b`, and whether it is the minimum among all, `(..)`."""
    signs = np.where(bars > 0, np.sign(b), 0.0)
    active = said & ((bars == 0) | (signs != 0))
    both = active[..., :, None] & active[..., None, :]
    system = np.where(both, matrix, np.eye(b.shape[-1]))
    wanted = np.where(active, right - bars * signs - ((matrix * ~said[..., None, :]) @ b[..., None])[..., 0], b)
    try:
        solved = np.linalg.solve(system, wanted[..., None])[..., 0]
    except np.linalg.LinAlgError:
        return b, np.zeros(b.shape[:-1], dtype=bool)
    slope = right - (matrix @ solved[..., None])[..., 0]
    size = np.abs(right).max(axis=-1, initial=0.0)[..., None] + bars
    there = np.abs(slope - bars * signs) <= SLACK * size
    beyond = np.abs(slope) <= bars + SLACK * size
    found = np.where(active, there & (np.sign(solved) * signs >= 0), ~said | beyond).all(axis=-1)
    return solved, found


class MaybePenalty(Domain):
    """A penalty, or None."""

    need = "a Penalty, such as Ridge(1.0) or Lasso(1.0), or None"

    def check(self, value: Any) -> Penalty | None:
        if value is not None and not isinstance(value, Penalty):
            raise ParameterError(f"must be {self.need}, got {shorten(value)}")
        return value
