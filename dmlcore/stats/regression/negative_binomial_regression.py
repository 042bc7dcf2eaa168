"""Negative binomial regression: counts that spread wider than Poisson ones, with a log-linear mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.domains import positive
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import LARGE, across
from dmlcore.base.support import COUNTS
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Count
from dmlcore.stats.regression.glm.predictors import Rows, Tape
from dmlcore.stats.regression.glm.regression_distribution import HIGHEST, law_with
from dmlcore.stats.regression.glm.scoring import Scoring
from dmlcore.stats.regression.glm.tied_and_held import SharingDistribution, SharingEstimator
from dmlcore.stats.regression.poisson_regression import first_log_link
from dmlcore.stats.univariate.counting import poisson_draws
from dmlcore.stats.univariate.negative_binomial import (
    LEAST_DISPERSION,
    MOST_DISPERSION,
    NegativeBinomialDistribution,
    dispersion_slopes,
    log_ways,
    out_of_bounds,
    peaked,
)

STARTING_DISPERSION = 0.5
DISPERSION_LIMIT = 1e100  # dispersions beyond this, or below its inverse, overflow
REACH = 1.5  # how far one step may change its logarithm


class NegativeBinomialRegressionDistribution(SharingDistribution):
    """A count y in 0, 1, 2, ... given x: negative binomial with mean `mu = exp(intercept + coef . x (+ offset))` and variance
    `mu + dispersion mu^2`. With t = 1 / dispersion, the probability is `Gamma(y + t) / (Gamma(t) y!) (t / (t + mu))^t (mu / (t + mu))^y`.

    coef: `(p,)`, log units per unit of x. intercept: the log mean at x = 0, or None. dispersion: a pure number, from 1e-100 to 1e100;
    towards 0 the law is Poisson. offset: whether observations are `(x, y, offset)`. Raises `ParameterError` outside these domains.
    """

    dispersion: float = parameter(positive)
    offset: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    response = Count
    support = COUNTS
    scale_field = "dispersion"

    def validate(self) -> None:
        super().validate()
        if not DISPERSION_LIMIT**-1 <= self.dispersion <= DISPERSION_LIMIT:
            raise ParameterError(
                f"{type(self).__name__}: dispersion must be from {1 / DISPERSION_LIMIT:g} to {DISPERSION_LIMIT:g}, got {self.dispersion!r}"
            )

    def scores(self, rows: Rows, eta: np.ndarray) -> tuple[np.ndarray, Any]:
        np.minimum(eta, HIGHEST, out=eta)
        mean = np.exp(eta)
        t = 1.0 / across(self.dispersion)
        rest = np.log1p(mean / t)
        if len(rows.values) and rows.values.max() > LARGE:
            return np.where(rows.y > 0, peaked(np.maximum(rows.y, 1.0), mean, eta, t), -t * rest), mean
        return rows.y * (eta - rest) - t * rest + rows.of(log_ways(rows.values, t)), mean

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        return np.exp(np.minimum(eta, HIGHEST))

    def law_of(self, mean: float, trials: int) -> NegativeBinomialDistribution:
        return law_with(NegativeBinomialDistribution, mu=mean, dispersion=self.dispersion)

    def draw_of(self, mean: np.ndarray, trials: Any, rng: np.random.Generator) -> np.ndarray:
        return poisson_draws(rng.gamma(1.0 / self.dispersion, mean * self.dispersion), None, rng, self.label)


class NegativeBinomialRegressionEstimator(SharingEstimator):
    """Maximum likelihood for a negative binomial regression; arguments as for `RegressionEstimator`.

    The logarithm of the dispersion takes one guarded Newton step at the means before the step, within the bounds 1e-8 and 1e8.
    Counts that spread no wider than Poisson ones send it to the lower bound, where the law is Poisson.
    """

    name: str | None = name()
    keys: str | None = keys()

    family = NegativeBinomialRegressionDistribution
    stacks = True
    bounded = True

    def slopes(self, tape: Tape) -> tuple[np.ndarray, np.ndarray]:
        if tape.law is None:
            slopes, mean = first_log_link(tape.rows)
            return slopes / (1 + STARTING_DISPERSION * mean), mean / (1 + STARTING_DISPERSION * mean)
        dispersion = across(tape.law.dispersion)
        widened = 1 + dispersion * tape.made
        return (tape.rows.y - tape.made) / widened, (tape.made / widened) * ((1 + dispersion * tape.rows.y) / widened)

    def further(self, tape: Tape, weights: np.ndarray) -> Any:
        """First and second derivatives of the log likelihood in log t, t = 1 / dispersion."""
        if tape.law is None:
            return Sums(first=0.0 * weights.sum(axis=-1), second=0.0 * weights.sum(axis=-1))
        t = 1.0 / across(tape.law.dispersion)
        first, second = dispersion_slopes(tape.rows.values, tape.made, t, tape.rows.of)
        return Sums(first=(weights * first).sum(axis=-1), second=(weights * second).sum(axis=-1))

    def scale_sums(self, statistics: Scoring, intercept: Any, coef: np.ndarray) -> Any:
        return statistics.more

    def scale_from(self, sums: Any, previous: Any) -> Any:
        if previous is None:
            return STARTING_DISPERSION + 0.0 * sums.first
        curved = sums.second < 0
        step = np.where(curved, -sums.first / np.where(curved, sums.second, 1.0), np.copysign(REACH, sums.first))
        log_t = np.clip(step, -REACH, REACH) - np.log(previous.dispersion)
        return np.clip(np.exp(-log_t), LEAST_DISPERSION, MOST_DISPERSION)

    def degenerate(self, distribution: Any) -> str | None:
        held = self.scale_field in dict(self.held)
        outside = None if held else out_of_bounds(self.label, distribution.dispersion)
        return outside or super().degenerate(distribution)
