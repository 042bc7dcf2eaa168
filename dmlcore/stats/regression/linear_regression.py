"""Linear regression: a Gaussian response."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import nonnegative, positive
from dmlcore.base.errors import DegenerateError
from dmlcore.base.numerics import HALF_LOG_2PI, across, joined
from dmlcore.base.records import dataclass
from dmlcore.base.support import REALS
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.estimator import REMEDY, from_suff_stat, pseudo_counts
from dmlcore.core.powers import ResponsesWithin
from dmlcore.core.prior import Prior
from dmlcore.core.statistics import Scatter, Sums
from dmlcore.stats.multivariate.normals import Normals
from dmlcore.stats.regression.glm.predictors import Rows, Tape, predictors
from dmlcore.stats.regression.glm.scoring import Scoring, scatter_matrices, times
from dmlcore.stats.regression.glm.tied_and_held import SharingDistribution, SharingEstimator
from dmlcore.stats.regression.penalties import Penalty
from dmlcore.stats.univariate.gaussian import GaussianDistribution
from dmlcore.stats.univariate.gaussian_tails import moments_within
from dmlcore.stats.univariate.moments import RELATIVE_ROUNDING, VARIANCE_FLOOR, check_scale, floor_message, relative_variance, variance_of

EXACT_FLOOR = 1e-12  # spread in a direction, relative to that of all the data, below which a coefficient stays where it is


class LinearRegressionDistribution(SharingDistribution, ResponsesWithin):
    """A real response y given x: Gaussian with mean `intercept + coef . x (+ offset)` and variance sigma2.

    coef: `(p,)`, units of y per unit of x. intercept: in units of y, or None. sigma2: the variance about the line, positive.
    offset: whether observations are `(x, y, offset)`. Raises `ParameterError` outside these domains.
    """

    sigma2: float = parameter(positive)
    offset: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    support = REALS
    scale_field = "sigma2"

    def scores(self, rows: Rows, eta: np.ndarray) -> tuple[np.ndarray, Any]:
        sigma2 = across(self.sigma2)
        np.subtract(rows.y, eta, out=eta)
        np.square(eta, out=eta)
        eta *= -np.minimum(0.5 / sigma2, 1e308)
        eta -= 0.5 * np.log(sigma2) + HALF_LOG_2PI
        return eta, None

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        return eta

    def law_of(self, mean: float, trials: int) -> GaussianDistribution:
        return GaussianDistribution(mean, self.sigma2)

    def laws_given(self, x: np.ndarray, offset: Any = None, trials: Any = None) -> Normals:
        return Normals(self.mean_given(x, offset)[:, None], np.array([[self.sigma2]]), GaussianDistribution)

    def draw_of(self, mean: np.ndarray, trials: Any, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(mean, math.sqrt(self.sigma2))

    def forward_within(self, column: Any, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, Tape]:
        """On the tape the means stand as responses, and the variances about them beside."""
        rows, deviation = Rows(self, column), math.sqrt(self.sigma2)
        mean = predictors(self, rows)
        log, *within = moments_within((low - mean) / deviation, (high - mean) / deviation)
        apart, variance = (np.where(log > -np.inf, part, 0.0) for part in within)
        return log, Tape(rows.with_responses(mean + deviation * apart), self, self.sigma2 * variance)


class LinearRegressionEstimator(SharingEstimator):
    """Maximum likelihood for a linear regression: weighted least squares, and the weighted mean square of the residuals.

    Arguments as for `RegressionEstimator`, but the log prior of a penalty is divided by sigma2, `-ridge |coef|^2 / (2 sigma2)`, so that
    `coef` minimises the residual sum of squares plus `ridge |coef|^2` (of a lasso, half that sum plus `weight sum_j |coef_j|`).
    pseudo_count=c with suff_stat=v: c pseudo-observations say the variance is v (default: that about the one line through all the
    data); the log prior is `-c/2 (log sigma2 + v / sigma2)`. The variance is held above `VARIANCE_FLOOR` times that of all responses.
    Raises `DegenerateError` where all responses are equal and there is no pseudo_count, and for columns that are constant or follow
    from others, without a penalty.
    """

    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = LinearRegressionDistribution
    stacks = True
    closed_form: ClassVar[bool] = True
    log_scale = False
    shape_floor = EXACT_FLOOR
    level_floor = 0.0
    runaway = "covariates of its rows lie in a plane"
    noise: ClassVar[float] = 0.0  # a variance that is the rounding of responses

    def validate(self) -> None:
        super().validate()
        pseudo_counts(self.pseudo_count, 1, "LinearRegressionEstimator")
        if self.suff_stat is not None:
            from_suff_stat(self, nonnegative.check, self.suff_stat)

    def sums(self, tape: Tape, weights: np.ndarray) -> Scatter:
        out = scatter_of_rows(tape.rows, weights)
        if tape.made is not None:
            out.m2[..., -1, -1] += weights @ tape.made
        return out

    def scoring(self, statistics: Scatter, previous: Any) -> Scoring:
        if previous is None:
            return Scoring.of_least_squares(statistics, 0.0, np.zeros(statistics.mean[..., 1:].shape))
        return Scoring.of_least_squares(statistics, 0.0 if previous.intercept is None else previous.intercept, previous.coef)

    def resolve(self, statistics: Scatter) -> Self:
        if not statistics.count > 0:
            return self
        check_scale(self.label, statistics)
        out = super().resolve(statistics)
        response = Scatter(statistics.count, statistics.mean[-1], statistics.m2[-1, -1])
        (count,) = pseudo_counts(self.pseudo_count, 1, "LinearRegressionEstimator")
        prior = self.prior
        if count > 0:
            variance = self._one_line(statistics) if self.suff_stat is None else self.suff_stat
            prior = LinePrior(self.prior_of_coef, count, variance)
        rounding = float(RELATIVE_ROUNDING * response.mean)
        return out.pinned(floor=VARIANCE_FLOOR * variance_of(response), noise=rounding * rounding, prior=prior)

    def _one_line(self, statistics: Scatter) -> float:
        """The variance about one line through all the data, none of its parameters shared or held."""
        plain: Any = self.replace(tied=(), held=(), common=None, pseudo_count=None).resolve(statistics)
        return squares(statistics, *plain.moved(statistics, None)[:2]) / statistics.count

    @cached_property
    def prior(self) -> Prior:  # type: ignore[override]
        """The penalty, as what is known beforehand."""
        return LinePrior(self.prior_of_coef)

    def precision(self, law: Any) -> float:
        return 1.0 if law is None else 1.0 / law.sigma2

    def scale_sums(self, statistics: Scatter, intercept: Any, coef: np.ndarray) -> Sums:
        total = squares(statistics, intercept, coef) - 2 * self.prior_of_coef.log_density(coef)
        return self.with_prior(Sums(count=statistics.count, squares=total))

    def scale_from(self, sums: Sums, previous: Any) -> Any:
        variance = sums.squares / sums.count
        sigma2 = np.maximum(np.where(variance > self.noise, variance, 0.0), self.floor)[()]
        if not np.all(sigma2 > 0):
            raise DegenerateError(f"{self.label}: all responses lie on the line, so the variance has no maximum; {REMEDY}")
        return sigma2

    def degenerate(self, distribution: Any) -> str | None:
        exact = floor_message(self.label, distribution.sigma2, self.floor, "passes through all its responses")
        return exact or super().degenerate(distribution)

    def min_relative_variance(self, distribution: Any) -> Any:
        return relative_variance(distribution.sigma2, self.floor)


@dataclass(frozen=True, eq=False)
class LinePrior(Prior):
    """A penalty of coefficients in units of the variance, and `count` observations that were never made, which say what that is."""

    penalty: Penalty
    count: float = 0.0
    variance: float = 0.0

    decides = False

    def added_to(self, statistics: Sums) -> Sums:
        return Sums(count=statistics.count + self.count, squares=statistics.squares + self.count * self.variance)

    def log_density(self, law: Any) -> Any:
        return self.penalty.log_density(law.coef) / law.sigma2 - 0.5 * self.count * (np.log(law.sigma2) + self.variance / law.sigma2)


def squares(statistics: Scatter, intercept: Any, coef: np.ndarray) -> Any:
    """The weighted residual sum of squares, from the moments of (x, y) about their mean."""
    p = coef.shape[-1]
    mean, m2 = statistics.mean, statistics.m2
    about_mean = m2[..., p, p] + (coef * (times(m2[..., :p, :p], coef) - 2 * m2[..., :p, p])).sum(axis=-1)
    apart = mean[..., p] - (0.0 if intercept is None else intercept) - (coef * mean[..., :p]).sum(axis=-1)
    return np.maximum(about_mean, 0.0) + statistics.count * apart * apart


def scatter_of_rows(rows: Any, weights: np.ndarray) -> Scatter:
    """Weighted moments of covariates and response together, from weights `(.., n)`."""
    shape = weights.shape[:-1]
    counts, means, matrices = scatter_matrices(np.vstack([rows.x.T, rows.y - rows.offset]), joined(weights))
    return Scatter(counts.reshape(shape)[()], means.reshape(*shape, *means.shape[1:]), matrices.reshape(*shape, *matrices.shape[1:]))
