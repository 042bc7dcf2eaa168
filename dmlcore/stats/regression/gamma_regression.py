"""Gamma regression: positive numbers with a mean that is log-linear in the covariates."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from dmlcore.base.domains import positive
from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import HALF_LOG_2PI, LARGE, across, log_gap, stirling_error
from dmlcore.base.support import POSITIVE
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.statistics import LogMoments, Sums
from dmlcore.stats.regression.glm.predictors import Rows, Tape
from dmlcore.stats.regression.glm.regression_distribution import HIGHEST
from dmlcore.stats.regression.glm.scoring import Scoring
from dmlcore.stats.regression.glm.tied_and_held import SharingDistribution, SharingEstimator
from dmlcore.stats.univariate.gamma import GAP_FLOOR, GammaDistribution, shape_of


class GammaRegressionDistribution(SharingDistribution):
    """A number y > 0 given x: gamma with mean `mu = exp(intercept + coef . x (+ offset))` and shape a, of density
    `(a / mu)^a y^(a - 1) exp(-a y / mu) / Gamma(a)`.

    coef: `(p,)`, log units per unit of x. intercept: the log mean at x = 0, or None. shape: positive, a pure number; the variance is
    mu^2 / shape. offset: whether observations are `(x, y, offset)`. Raises `ParameterError` outside these domains.
    """

    shape: float = parameter(positive)
    offset: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    support = POSITIVE
    scale_field = "shape"

    def scores(self, rows: Rows, eta: np.ndarray) -> tuple[np.ndarray, Any]:
        shape = across(self.shape)
        logs = np.log(rows.y)
        apart = np.minimum(logs - eta, HIGHEST)
        ratio = np.exp(apart)
        gap = log_gap(ratio - 1.0, apart) if np.max(shape) >= LARGE else ratio - 1.0 - apart
        constant = 0.5 * np.log(shape) - HALF_LOG_2PI - stirling_error(shape)
        return constant - shape * gap - logs, (ratio, gap)

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        return np.exp(np.minimum(eta, HIGHEST))

    def law_of(self, mean: float, trials: int) -> GammaDistribution:
        return GammaDistribution(self.shape, mean / self.shape)

    def draw_of(self, mean: np.ndarray, trials: Any, rng: np.random.Generator) -> np.ndarray:
        return np.maximum(rng.gamma(self.shape, mean / self.shape), np.finfo(float).tiny)


class GammaRegressionEstimator(SharingEstimator):
    """Maximum likelihood for a gamma regression; arguments as for `RegressionEstimator`.

    The shape solves `log a - psi(a) = mean of y / mu - 1 - log(y / mu)` at the means before the step. It is capped where the
    right-hand side reaches `GAP_FLOOR` times that of all the responses about their one mean. Raises `DegenerateError` where they are equal.
    """

    name: str | None = name()
    keys: str | None = keys()

    family = GammaRegressionDistribution
    stacks = True
    level_floor = 0.0
    runaway = "covariates of its rows lie in a plane"

    @classmethod
    def slopes(cls, tape: Tape) -> tuple[np.ndarray, np.ndarray]:
        if tape.law is None:
            return np.log(tape.rows.y) - tape.rows.offset, np.ones(tape.rows.n)
        shape = across(tape.law.shape)
        return shape * (tape.made[0] - 1.0), shape * tape.made[0]

    @classmethod
    def further(cls, tape: Tape, weights: np.ndarray) -> Any:
        if tape.law is None:
            return LogMoments.of(tape.rows.y * np.exp(-tape.rows.offset), weights)
        return Sums(gap=(weights * tape.made[1]).sum(axis=-1))

    def resolve(self, statistics: Scoring) -> Self:
        out = super().resolve(statistics)
        return out.pinned(floor=GAP_FLOOR * statistics.more.gap / statistics.count) if statistics.count > 0 else out

    def scale_sums(self, statistics: Scoring, intercept: Any, coef: np.ndarray) -> Sums:
        return Sums(count=statistics.count, gap=statistics.more.gap)

    def scale_from(self, sums: Sums, previous: Any) -> Any:
        gap = np.maximum(sums.gap / sums.count, self.floor)
        if np.any(gap <= 0):  # of a place without weight it is NaN
            raise DegenerateError(f"{self.label}: all responses are equal, so the shape has no maximum; leave it out")
        return shape_of(gap)

    def degenerate(self, distribution: Any) -> str | None:
        if self.floor > 0 and np.any(distribution.shape > shape_of(self.floor) * (1 - 1e-9)):
            cap = f"shape at its cap, {np.max(distribution.shape):.3g}"
            return f"{self.label} sits on its fitted values ({cap}); its density there is unbounded"
        return super().degenerate(distribution)
