"""Beta regression: shares between 0 and 1 with a mean whose log odds are linear in the covariates."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import positive
from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import HALF_LOG_2PI, across, log_gap, stirling_error
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.statistics import Sums
from dmlcore.stats.regression.glm.predictors import Rows, Tape
from dmlcore.stats.regression.glm.regression_distribution import law_with
from dmlcore.stats.regression.glm.scoring import Scoring
from dmlcore.stats.regression.glm.tied_and_held import SharingDistribution, SharingEstimator
from dmlcore.stats.univariate.beta import OPEN_UNIT, BetaDistribution
from dmlcore.stats.univariate.moments import VARIANCE_FLOOR, moments_of, variance_of
from dmlcore.stats.univariate.negative_binomial import gamma_gaps_of

FARTHEST = 36.0  # log odds beyond this are cut, so that neither a mean nor its complement rounds to zero
PRECISION_REACH = 1.5  # how far one step may change the logarithm of the precision
LEAST_PRECISION = 1e-6


class BetaRegressionDistribution(SharingDistribution):
    """A number 0 < y < 1 given x: beta with mean `mu = 1 / (1 + exp(-(intercept + coef . x (+ offset))))` and precision s, of density
    `y^(a - 1) (1 - y)^(b - 1) / B(a, b)`, `a = mu s`, `b = (1 - mu) s` (Ferrari and Cribari-Neto 2004).

    coef: `(p,)`, log odds per unit of x. intercept: the log odds of the mean at x = 0, or None. precision: positive, a pure number; the
    variance is mu (1 - mu) / (1 + precision). offset: whether observations are `(x, y, offset)`. Raises `ParameterError` outside these
    domains.
    """

    precision: float = parameter(positive)
    offset: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    support = OPEN_UNIT
    scale_field = "precision"

    def scores(self, rows: Rows, eta: np.ndarray) -> tuple[np.ndarray, Any]:
        """In the saddle-point form (Loader 2000), which keeps all digits of a large precision."""
        eta = np.clip(eta, -FARTHEST, FARTHEST)
        mu, rest, s = special.expit(eta), special.expit(-eta), across(self.precision)
        y, log_y, log_rest = rows.y, rows.of(np.log(rows.values)), rows.of(np.log1p(-rows.values))
        a, b = mu * s, rest * s
        misfit = a * log_gap((y - mu) / mu, log_y - np.log(mu)) + b * log_gap((mu - y) / rest, log_rest - np.log(rest))
        errors = stirling_error(s) - stirling_error(a) - stirling_error(b)
        logs = errors - misfit - HALF_LOG_2PI + 0.5 * (np.log(a) + np.log(b) - np.log(s)) - log_y - log_rest
        return logs, (mu, rest, a, b, log_y - log_rest - eta, misfit)

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        return special.expit(np.clip(eta, -FARTHEST, FARTHEST))

    def law_of(self, mean: float, trials: int) -> BetaDistribution:
        return law_with(BetaDistribution, a=mean * self.precision, b=(1.0 - mean) * self.precision)

    def draw_of(self, mean: np.ndarray, trials: Any, rng: np.random.Generator) -> np.ndarray:
        drawn = rng.beta(mean * self.precision, (1.0 - mean) * self.precision)
        return np.clip(drawn, np.finfo(float).tiny, OPEN_UNIT.high)


class BetaRegressionEstimator(SharingEstimator):
    """Maximum likelihood for a beta regression; arguments as for `RegressionEstimator`.

    The logarithm of the precision takes one guarded Newton step at the means before the step. It is capped where the variance reaches
    `VARIANCE_FLOOR` times that of all the responses. Raises `DegenerateError` where they are equal.
    """

    name: str | None = name()
    keys: str | None = keys()

    family = BetaRegressionDistribution
    stacks = True
    level_floor = 0.0
    runaway = "covariates of its rows lie in a plane"

    def slopes(self, tape: Tape) -> tuple[np.ndarray, np.ndarray]:
        if tape.law is None:
            y = tape.rows.y
            return special.logit(y) - tape.rows.offset, np.ones(tape.rows.n)
        mu, rest, a, b, apart, _ = tape.made
        (gap_a, slope_a), (gap_b, slope_b) = gamma_gaps_of(a), gamma_gaps_of(b)
        turn = mu * rest * across(tape.law.precision)
        curve = turn * turn * (slope_a + 1.0 / a + slope_b + 1.0 / b)  # expected ones: those of a beta are not concave
        return turn * (apart + gap_a - gap_b), curve

    def further(self, tape: Tape, weights: np.ndarray) -> Any:
        """Before there is a law the moments of responses; then first and second derivatives of the log likelihood in log precision."""
        if tape.law is None:
            return moments_of(tape.rows.y, weights)
        _, _, a, b, _, misfit = tape.made
        s = across(tape.law.precision)
        (gap_s, slope_s), (gap_a, slope_a), (gap_b, slope_b) = gamma_gaps_of(s), gamma_gaps_of(a), gamma_gaps_of(b)
        first = a * gap_a + b * gap_b - s * gap_s - misfit
        second = first + s * s * slope_s - a * a * slope_a - b * b * slope_b
        return Sums(first=(weights * first).sum(axis=-1), second=(weights * second).sum(axis=-1))

    def resolve(self, statistics: Scoring) -> Self:
        out = super().resolve(statistics)
        if not statistics.count > 0:
            return out
        spread = relative_spread(statistics.more)
        if not spread > 0:
            raise DegenerateError(f"{self.label}: all responses are equal, so the precision has no maximum; leave it out")
        return out.pinned(floor=VARIANCE_FLOOR * spread)

    def scale_sums(self, statistics: Scoring, intercept: Any, coef: np.ndarray) -> Any:
        return statistics.more

    def scale_from(self, sums: Any, previous: Any) -> Any:
        if previous is None:
            log_s = np.log(1.0 / np.clip(relative_spread(sums), 1e-6, 0.5))
        else:
            curved = sums.second < 0
            step = np.where(curved, -sums.first / np.where(curved, sums.second, 1.0), np.copysign(PRECISION_REACH, sums.first))
            log_s = np.log(previous.precision) + np.clip(step, -PRECISION_REACH, PRECISION_REACH)
        return np.clip(np.exp(log_s), LEAST_PRECISION, self.cap)[()]

    @property
    def cap(self) -> float:
        """The largest precision."""
        return 1.0 / self.floor if self.floor > 0 else np.inf

    def degenerate(self, distribution: Any) -> str | None:
        if np.any(distribution.precision > self.cap * (1 - 1e-9)):
            cap = f"precision at its cap, {np.max(distribution.precision):.3g}"
            return f"{self.label} sits on its fitted values ({cap}); its density there is unbounded"
        return super().degenerate(distribution)


def relative_spread(moments: Any) -> Any:
    """The variance of shares over the largest that their mean allows."""
    return variance_of(moments) / (moments.mean * (1.0 - moments.mean))
