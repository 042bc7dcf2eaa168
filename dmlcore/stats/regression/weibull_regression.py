"""Weibull regression: lifetimes that covariates stretch or shorten (an accelerated failure time model), some perhaps censored."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import positive
from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import across
from dmlcore.base.support import POSITIVE
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.powers import ResponsesWithin
from dmlcore.core.statistics import Sums
from dmlcore.stats.regression.glm.predictors import Rows, Tape, predictors
from dmlcore.stats.regression.glm.regression_distribution import HIGHEST, law_with
from dmlcore.stats.regression.glm.scoring import STRIDE, Scoring
from dmlcore.stats.regression.glm.tied_and_held import SharingDistribution, SharingEstimator
from dmlcore.stats.univariate.moments import moments_of, variance_of
from dmlcore.stats.univariate.weibull import LOG_SPREAD, SHAPE_CAP, STRIDE_OF_SHAPE, WeibullDistribution


class Slopes:
    """Derivatives of log densities (or probabilities) of rows, with `z = shape (log y - eta)`, less what the shape does to the density
    itself: `once` and `twice` in z, whichever z there are moved alike; `stretch`, `stretch_twice` and `turn` in log shape, once, twice, and
    once in each of z and log shape."""

    __slots__ = ("once", "stretch", "stretch_twice", "turn", "twice")

    def __init__(self, once: Any, twice: Any, stretch: Any, stretch_twice: Any, turn: Any):
        self.once, self.twice, self.stretch, self.stretch_twice, self.turn = once, twice, stretch, stretch_twice, turn


class WeibullRegressionDistribution(SharingDistribution, ResponsesWithin):
    """A lifetime y > 0 given x: Weibull of scale `exp(eta)`, `eta = intercept + coef . x (+ offset)`, with density
    `(shape / y) exp(z - exp(z))`, `z = shape (log y - eta)`. Times are multiplied by `exp(coef)` per unit of x (an accelerated failure time
    model), and hazards by `exp(-shape coef)` (proportional hazards).

    coef: `(p,)`, log units per unit of x. intercept: eta at x = 0, or None. shape: positive, a pure number; 1 is an exponential, below it
    hazards fall with age, above it they rise. offset: whether observations are `(x, y, offset)`. Raises `ParameterError` outside these
    domains.
    """

    shape: float = parameter(positive)
    offset: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    support = POSITIVE
    scale_field = "shape"

    def scores(self, rows: Rows, eta: np.ndarray) -> tuple[np.ndarray, Any]:
        logs, shape = rows.of(np.log(rows.values)), across(self.shape)
        z = np.minimum(shape * (logs - eta), HIGHEST)
        power = np.exp(z)
        left = 1.0 - power
        made = Slopes(left, -power, 1.0 + z * left, z * (left - z * power), left - z * power)
        return np.log(shape) + z - logs - power, made

    def forward_within(self, column: Any, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, Tape]:
        rows, shape = Rows(self, column), across(self.shape)
        eta = predictors(self, rows)
        with np.errstate(divide="ignore"):
            a, b = (np.minimum(shape * (np.log(np.maximum(end, 0.0)) - eta), HIGHEST) for end in (low, high))
        log, made = slopes_within(a, np.where(high < np.inf, b, np.inf))
        return log, Tape(rows, self, made)

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        return np.exp(np.minimum(eta + math.lgamma(1.0 + 1.0 / self.shape), HIGHEST))

    def law_of(self, mean: float, trials: int) -> WeibullDistribution:
        return law_with(WeibullDistribution, shape=self.shape, scale=self._scales(mean))

    def draw_of(self, mean: np.ndarray, trials: Any, rng: np.random.Generator) -> np.ndarray:
        return np.maximum(self._scales(mean) * rng.weibull(self.shape, np.shape(mean)), np.finfo(float).tiny)

    def _scales(self, mean: Any) -> Any:
        return np.exp(np.log(mean) - math.lgamma(1.0 + 1.0 / self.shape))


def slopes_within(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, Slopes]:
    """Of `log(exp(-exp(low)) - exp(-exp(high)))`: values, and slopes, zero where there is no probability. `low` may be -inf and `high` inf.
    Both ends move alike, and `high` by `apart` more as the shape grows; so nothing cancels where they are near."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        closed, open_below = high < np.inf, np.isneginf(low)
        hazard, end = np.exp(low), np.where(closed, np.exp(high), 0.0)
        log = np.where(closed, np.log(-np.expm1(hazard - end)), 0.0) - hazard
        gap = np.where(closed & (log > -np.inf), end - hazard, 1.0)
        beyond = np.where(closed, 1.0 / np.expm1(gap), 0.0)  # the survival at `high`, of the probability; that at `low` is one more
        at = np.where(open_below, np.where(closed, high, 0.0), low)
        apart = np.where(closed & ~open_below, high - low, 0.0)
        first = end * beyond  # the slope in `high`
        once = gap * beyond - hazard
        twice = once - gap * gap * beyond * (1.0 + beyond)
        both = first * (1.0 - gap * (1.0 + beyond))  # of the slope in `high`, as both move
        second = first * (1.0 - end * (1.0 + beyond))
        stretch = at * once + apart * first
        bent = at * at * twice + apart * (2.0 * at * both + apart * second)
        made = once, twice, stretch, stretch + bent, once + at * twice + apart * both
        return log, Slopes(*(np.where(log > -np.inf, part, 0.0) for part in made))


class WeibullRegressionEstimator(SharingEstimator):
    """Maximum likelihood for a Weibull regression; arguments as for `RegressionEstimator`. `held={"shape": 1.0}` makes it exponential.

    `CensoredEstimator(WeibullRegressionEstimator())` takes responses that are known up to an interval: R's `survreg`, whose scale is
    1 / shape. The logarithm of the shape takes a guarded Newton step together with the intercept. The shape is held below `SHAPE_CAP` times
    that of all the responses about their one mean. Raises `DegenerateError` where they are equal.
    """

    name: str | None = name()
    keys: str | None = keys()

    family = WeibullRegressionDistribution
    stacks = True
    level_floor = 0.0
    runaway = "covariates of its rows lie in a plane, or its responses are censored"
    cap: ClassVar[float] = np.inf

    def slopes(self, tape: Tape) -> tuple[np.ndarray, np.ndarray]:
        if tape.law is None:
            return np.log(tape.rows.y) - tape.rows.offset, np.ones(tape.rows.n)
        shape = across(tape.law.shape)
        return -shape * tape.made.once, -shape * shape * tape.made.twice

    def further(self, tape: Tape, weights: np.ndarray) -> Any:
        """Before there is a law the moments of log responses; then derivatives of the log likelihood in log shape, and in it and eta."""
        if tape.law is None:
            return moments_of(np.log(tape.rows.y) - tape.rows.offset, weights)
        made = tape.made
        first, second, turn = ((weights * part).sum(axis=-1) for part in (made.stretch, made.stretch_twice, made.turn))
        return Sums(first=first, second=second, turn=-tape.law.shape * turn)

    def resolve(self, statistics: Scoring) -> Self:
        out = super().resolve(statistics)
        if not statistics.count > 0:
            return out
        spread = float(np.sqrt(variance_of(statistics.more)))
        if not spread > 0:
            raise DegenerateError(f"{self.label}: all responses are equal, so the shape has no maximum; leave it out")
        return out.pinned(cap=SHAPE_CAP * LOG_SPREAD / spread)

    def stride(self, scoring: Scoring, law: Any) -> Any:
        return STRIDE / law.shape

    def moved(self, statistics: Any, previous: Any) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """As the intercept and the shape are far from independent, the step is one from where the new shape has moved the slope."""
        known = self.scale_key is None or self.scale_key in self.shared.numbers("scale")  # a shared one is not while it is estimated
        if previous is not None and known and statistics.count.any():
            shape = self.scale(statistics, previous, previous.intercept, previous.coef)["shape"]
            score = statistics.score.copy()
            score[..., 0, 0] += statistics.more.turn * np.log(shape / previous.shape)
            statistics = replace(statistics, score=score)
        return super().moved(statistics, previous)

    def scale_sums(self, statistics: Scoring, intercept: Any, coef: np.ndarray) -> Any:
        """Those of log shape, with the intercept at its best."""
        more = statistics.more
        if not isinstance(more, Sums) or not self.intercept or "intercept" in dict((*self.tied, *self.held)):
            return more
        level = statistics.information[..., 0, 0, 0, 0]
        follows = more.turn / np.where(level > 0, level, 1.0)
        return Sums(first=more.first + follows * statistics.score[..., 0, 0], second=more.second + follows * more.turn)

    def scale_from(self, sums: Any, previous: Any) -> Any:
        if previous is None:
            with np.errstate(divide="ignore"):
                return np.minimum(LOG_SPREAD / np.sqrt(variance_of(sums)), self.cap)
        reach = math.log(STRIDE_OF_SHAPE)
        curved = sums.second < 0
        step = np.where(curved, -sums.first / np.where(curved, sums.second, 1.0), np.copysign(reach, sums.first))
        return np.minimum(previous.shape * np.exp(np.clip(step, -reach, reach)), self.cap)[()]

    def within_bounds(self, law: Any) -> bool:
        return bool(np.all(law.shape <= self.cap * (1 + 1e-9)))

    def degenerate(self, distribution: Any) -> str | None:
        if np.any(distribution.shape > self.cap * (1 - 1e-9)):
            cap = f"shape at its cap, {np.max(distribution.shape):.3g}"
            return f"{self.label} sits on its fitted values ({cap}); its density there is unbounded"
        return super().degenerate(distribution)
