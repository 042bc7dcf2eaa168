"""Gamma regression: positive numbers with a mean that follows from a linear predictor."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import OneOf, positive
from dmlcore.base.errors import DataError, DegenerateError, shorten
from dmlcore.base.numerics import HALF_LOG_2PI, LARGE, across, log_gap, stirling_error
from dmlcore.base.records import dataclass
from dmlcore.base.support import POSITIVE
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.statistics import LogMoments, Sums
from dmlcore.stats.regression.glm.predictors import Rows, Tape
from dmlcore.stats.regression.glm.regression_distribution import HIGHEST, law_with
from dmlcore.stats.regression.glm.scoring import STRIDE, Scoring, level_of
from dmlcore.stats.regression.glm.tied_and_held import SharingDistribution, SharingEstimator
from dmlcore.stats.univariate.gamma import GAP_FLOOR, GammaDistribution, shape_of

LINKS = OneOf("log", "inverse", "identity")
FARTHEST_TURN = 1e150  # of a logarithm of a mean with its linear predictor, so that squares stay finite
RELATIVE_STRIDE = 0.5  # how far one step may change linear predictors that must stay positive, relative to themselves
START_SHARE = 0.1  # of a flat one, below which no linear predictor starts anywhere amid the covariates


class GammaRegressionDistribution(SharingDistribution):
    """A number y > 0 given x: gamma with mean mu and shape a, of density `(a / mu)^a y^(a - 1) exp(-a y / mu) / Gamma(a)`, where
    `eta = intercept + coef . x (+ offset)` is log mu, or by `link` 1 / mu or mu.

    coef: `(p,)`, units of eta (log units, with a log link) per unit of x. intercept: eta at x = 0, or None. shape: positive, a pure
    number; the variance is mu^2 / shape. offset: whether observations are `(x, y, offset)`. link: "log", "inverse" or "identity"; of the
    last two, eta must be positive: where covariates make it anything else, every y has density zero. Raises `ParameterError` outside
    these domains, and `DataError` where a mean or a draw is asked for at such covariates.
    """

    shape: float = parameter(positive)
    offset: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()
    link: str = parameter(LINKS, default="log", kw_only=True)

    support = POSITIVE
    scale_field = "shape"

    def scores(self, rows: Rows, eta: np.ndarray) -> tuple[np.ndarray, Any]:
        """And the slopes of log means in linear predictors."""
        if self.link == "log":
            logs, made = self._scores(rows, eta)
            return logs, (*made, 1.0)
        there = eta > 0
        eta = np.where(there, eta, 1.0)
        sign = self._sign
        logs, made = self._scores(rows, sign * np.log(eta))
        return np.where(there, logs, -np.inf), (*made, sign * np.minimum(1.0 / eta, FARTHEST_TURN))

    @property
    def _sign(self) -> float:
        """The power of the linear predictor that is the mean."""
        return -1.0 if self.link == "inverse" else 1.0

    def _scores(self, rows: Rows, log_mean: np.ndarray) -> tuple[np.ndarray, Any]:
        shape = across(self.shape)
        logs = np.log(rows.y)
        apart = np.minimum(logs - log_mean, HIGHEST)
        ratio = np.exp(apart)
        gap = log_gap(ratio - 1.0, apart) if np.max(shape) >= LARGE else ratio - 1.0 - apart
        constant = 0.5 * np.log(shape) - HALF_LOG_2PI - stirling_error(shape)
        return constant - shape * gap - logs, (ratio, gap)

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        if self.link == "log":
            return np.exp(np.minimum(eta, HIGHEST))
        if not np.all(eta > 0):
            row = int(np.argmin(eta > 0))
            raise DataError(
                f"{self.label}: covariates {row} give the linear predictor {eta[row]:.6g}, and a {self.link} link needs positive ones"
            )
        return eta**self._sign

    def law_of(self, mean: float, trials: int) -> GammaDistribution:
        return law_with(GammaDistribution, k=self.shape, theta=mean / self.shape)

    def draw_of(self, mean: np.ndarray, trials: Any, rng: np.random.Generator) -> np.ndarray:
        return np.maximum(rng.gamma(self.shape, mean / self.shape), np.finfo(float).tiny)

    def explain_zero_density(self, x: Any) -> str:
        if self.link != "log" and not self.seq_log_density([(x[0], 1.0, *x[2:])])[0] > -np.inf:
            return f"{self.label}: its linear predictor at {shorten(x[0])} is not positive, as its {self.link} link needs"
        return super().explain_zero_density(x)


@dataclass(frozen=True)
class FirstLook:
    """Responses before there is a law, and the least and the greatest of each covariate and of the offset, `(p + 1,)`."""

    responses: LogMoments
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, rows: Rows, responses: np.ndarray, weights: np.ndarray) -> FirstLook:
        """That of rows `(n,)` which have weights `(.., n)`."""
        seen = weights.reshape(-1, rows.n).any(axis=0)
        known = np.column_stack([rows.x, np.broadcast_to(rows.offset, rows.n)])[seen]
        return cls(LogMoments.of(responses, weights), known.min(axis=0, initial=np.inf), known.max(axis=0, initial=-np.inf))

    def __add__(self, other: FirstLook) -> FirstLook:
        return FirstLook(self.responses + other.responses, np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    @property
    def gap(self) -> Any:
        """That of the responses about their one mean."""
        return self.responses.gap


class GammaRegressionEstimator(SharingEstimator):
    """Maximum likelihood for a gamma regression; arguments as for `RegressionEstimator`. link: "log", "inverse" or "identity".

    Linear predictors of the last two start positive over the whole range of the covariates of all the data (if there is an intercept
    that is neither tied nor held), and steps that make them anything else where a row has weight are shortened until the objective rises.
    The shape solves `log a - psi(a) = mean of y / mu - 1 - log(y / mu)` at the means before the step. It is capped where the
    right-hand side reaches `GAP_FLOOR` times that of all the responses about their one mean. Raises `DegenerateError` where they are equal.
    """

    name: str | None = name()
    keys: str | None = keys()
    link: str = parameter(LINKS, default="log", kw_only=True)

    family = GammaRegressionDistribution
    stacks = True
    level_floor = 0.0
    runaway = "covariates of its rows lie in a plane"
    amid: ClassVar[FirstLook | None] = None  # the ranges of covariates of all the data

    @property
    def log_scale(self) -> bool:  # type: ignore[override]
        return self.link == "log"

    def slopes(self, tape: Tape) -> tuple[np.ndarray, np.ndarray]:
        if tape.law is None:
            return self._first_slopes(tape.rows)
        shape = across(tape.law.shape)
        ratio, _, turn = tape.made
        return shape * (ratio - 1.0) * turn, shape * (ratio if self.link == "log" else turn * turn)

    def _first_slopes(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        if self.link == "inverse":
            return rows.y * (1.0 - rows.y * rows.offset), rows.y * rows.y
        return (np.log(rows.y) if self.link == "log" else rows.y) - rows.offset, np.ones(rows.n)

    def further(self, tape: Tape, weights: np.ndarray) -> Any:
        if tape.law is None:
            rows = tape.rows
            return FirstLook.of(rows, rows.y * np.exp(-rows.offset) if self.link == "log" else rows.y, weights)
        return Sums(gap=(weights * tape.made[1]).sum(axis=-1))

    def resolve(self, statistics: Scoring) -> Self:
        out = super().resolve(statistics)
        if not statistics.count > 0:
            return out
        return out.pinned(floor=GAP_FLOOR * statistics.more.gap / statistics.count, amid=statistics.more)

    def stride(self, scoring: Scoring, law: Any) -> Any:
        if self.link == "log":
            return STRIDE
        level = level_of(scoring)
        return RELATIVE_STRIDE * np.sqrt(scoring.count * law.shape / np.where(level > 0, level, 1.0))

    def moved(self, statistics: Any, previous: Any) -> tuple[Any, np.ndarray, np.ndarray | None]:
        intercept, coef, undetermined = super().moved(statistics, previous)
        if previous is None and self.link != "log" and self.intercept and not self.tied and not self.held:
            intercept, coef = self._made_positive(intercept, coef, statistics.more)
        return intercept, coef, undetermined

    def _made_positive(self, intercept: Any, coef: np.ndarray, look: FirstLook) -> tuple[Any, np.ndarray]:
        """The line, turned towards a flat one as far as it takes to be positive wherever covariates are within their ranges."""
        ranges = look if self.amid is None else self.amid
        ends = coef[..., None] * np.stack([ranges.low[:-1], ranges.high[:-1]], axis=-1)
        offset = ranges.low[-1]
        least = intercept + ends.min(axis=-1).sum(axis=-1) + offset
        mean = look.responses.mean
        level = 1.0 / mean if self.link == "inverse" else mean
        flat = level - np.minimum(offset, 0.0)
        need = START_SHARE * level
        share = np.where(least >= need, 1.0, (flat + offset - need) / np.where(least < need, flat + offset - least, 1.0))
        return share * intercept + (1.0 - share) * flat, share[..., None] * coef

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
