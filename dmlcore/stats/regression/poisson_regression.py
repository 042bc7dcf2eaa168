"""Poisson regression: counts with a mean that is log-linear in the covariates."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.numerics import HALF_LOG_2PI, LARGE, deviance, stirling_error
from dmlcore.base.support import COUNTS
from dmlcore.core.declared import keys, name, setting
from dmlcore.data.layouts import Count
from dmlcore.stats.regression.glm.predictors import Rows, Tape
from dmlcore.stats.regression.glm.regression_distribution import HIGHEST, law_with
from dmlcore.stats.regression.glm.tied_and_held import SharingDistribution, SharingEstimator
from dmlcore.stats.univariate.counting import poisson_draws
from dmlcore.stats.univariate.poisson import PoissonDistribution

STARTING = 0.1  # added to a count to give its first mean


class PoissonRegressionDistribution(SharingDistribution):
    """A count y in 0, 1, 2, ... given x: Poisson with mean `exp(intercept + coef . x (+ offset))`.

    coef: `(p,)`, log units per unit of x. intercept: the log mean at x = 0, or None. offset: whether observations are
    `(x, y, offset)`; the offset is the logarithm of the exposure. Raises `ParameterError` outside these domains.
    """

    offset: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    response = Count
    support = COUNTS

    def scores(self, rows: Rows, eta: np.ndarray) -> tuple[np.ndarray, Any]:
        np.minimum(eta, HIGHEST, out=eta)
        mean = np.exp(eta)
        if len(rows.values) and rows.values.max() > LARGE:  # the saddle-point form (Loader 2000) keeps all digits
            least = np.maximum(rows.values, 1.0)
            constant = rows.of(stirling_error(least) + HALF_LOG_2PI + 0.5 * np.log(least))
            return np.where(rows.y > 0, -deviance(rows.of(least), mean) - constant, -mean), mean
        eta *= rows.y
        eta -= mean
        eta -= rows.of(special.gammaln(rows.values + 1.0))
        return eta, mean

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        return np.exp(np.minimum(eta, HIGHEST))

    def law_of(self, mean: float, trials: int) -> PoissonDistribution:
        return law_with(PoissonDistribution, lam=mean)

    def draw_of(self, mean: np.ndarray, trials: Any, rng: np.random.Generator) -> np.ndarray:
        return poisson_draws(mean, None, rng, self.label)


class PoissonRegressionEstimator(SharingEstimator):
    """Maximum likelihood for a Poisson regression; arguments as for `RegressionEstimator`.

    A component all of whose counts are zero (or are, for some direction of x) has no maximum: coefficients that run off are held where
    the mean falls below `LEVEL_FLOOR`, or the information below `SHAPE_FLOOR`, and the record of the fit says so.
    """

    name: str | None = name()
    keys: str | None = keys()

    family = PoissonRegressionDistribution
    stacks = True
    bounded = True

    def slopes(self, tape: Tape) -> tuple[np.ndarray, np.ndarray]:
        if tape.law is not None:
            return tape.rows.y - tape.made, tape.made
        return first_log_link(tape.rows)


def first_log_link(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and curvatures `(n,)` of the first working response of a log link: means are the responses, moved off zero."""
    mean = rows.y + STARTING
    return mean * (np.log(mean) - rows.offset) - STARTING, mean
