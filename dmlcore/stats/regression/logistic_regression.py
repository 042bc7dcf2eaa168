"""Logistic regression: successes whose log odds are linear in the covariates."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import ParameterError
from dmlcore.base.support import whole_range
from dmlcore.core.declared import keys, name, setting
from dmlcore.data.layouts import Count
from dmlcore.stats.regression.glm.predictors import Rows, Tape
from dmlcore.stats.regression.glm.regression_distribution import law_with
from dmlcore.stats.regression.glm.tied_and_held import SharingDistribution, SharingEstimator
from dmlcore.stats.univariate.binomial import BinomialDistribution

BINARY, SUCCESSES = whole_range(0, 1), whole_range(0, None)
FURTHEST = 1e300  # log odds: farther ones, infinite ones too, say no more


class _Trials:
    """What the law and its estimator say about trials."""

    trials: Any

    @property
    def has_trials(self) -> bool:
        return self.trials

    @property
    def support(self) -> Any:
        return SUCCESSES if self.trials else BINARY


class LogisticRegressionDistribution(_Trials, SharingDistribution):
    """A response y given x: 1 with probability `p = 1 / (1 + exp(-(intercept + coef . x (+ offset))))` and 0 otherwise; with trials, the
    number of successes in as many trials, of probability `C(trials, y) p^y (1 - p)^(trials - y)`.

    coef: `(p,)`, log odds per unit of x. intercept: the log odds at x = 0, or None. trials: whether observations are `(x, y, trials)`;
    offset: whether they end with an offset. Raises `ParameterError` outside these domains.
    """

    trials: bool = setting(False)
    offset: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    response = Count

    def scores(self, rows: Rows, eta: np.ndarray) -> tuple[np.ndarray, Any]:
        shrunk = np.exp(-np.abs(eta))
        p = np.where(eta >= 0, 1.0, shrunk) / (1.0 + shrunk)
        against = np.where(
            eta >= 0, rows.trials - rows.y, rows.y
        )  # how many came that were the less probable: no difference of large numbers
        logs = -against * np.minimum(np.abs(eta), FURTHEST) - rows.trials * np.log1p(shrunk)
        if self.trials:
            n, y = rows.trials, rows.y
            logs += special.gammaln(n + 1.0) - special.gammaln(y + 1.0) - special.gammaln(n - y + 1.0)
        return logs, (p, np.where(eta >= 0, shrunk, 1.0) / (1.0 + shrunk))

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        return special.expit(eta)

    def law_of(self, mean: float, trials: int) -> BinomialDistribution:
        return law_with(BinomialDistribution, p=mean, n=trials, min_val=0)

    def draw_of(self, mean: np.ndarray, trials: Any, rng: np.random.Generator) -> np.ndarray:
        return rng.binomial(1 if trials is None else np.asarray(trials), mean)


class LogisticRegressionEstimator(_Trials, SharingEstimator):
    """Maximum likelihood for a logistic regression; arguments as for `RegressionEstimator`. trials: as for the distribution.

    Where covariates separate successes from failures (in some direction) there is no maximum: coefficients run off, until the
    information falls below `LEVEL_FLOOR` per row or, in that direction, below `SHAPE_FLOOR` of that of all the data. There they are
    held, fitted probabilities are 0 and 1 to seven digits, and the record of the fit says so. A ridge prevents it.
    """

    trials: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    family = LogisticRegressionDistribution
    stacks = True
    bounded = True
    runaway = "covariates separate successes from failures"

    def validate(self) -> None:
        super().validate()
        if not isinstance(self.trials, (bool, np.bool_)):
            raise ParameterError(f"LogisticRegressionEstimator: trials must be True or False, got {self.trials!r}")

    def slopes(self, tape: Tape) -> tuple[np.ndarray, np.ndarray]:
        rows = tape.rows
        if tape.law is None:
            p = (rows.y + 0.5) / (rows.trials + 1.0)  # shares of successes, moved off 0 and 1
            curves = rows.trials * p * (1 - p)
            return curves * (special.logit(p) - rows.offset) + rows.y - rows.trials * p, curves
        p, q = tape.made
        return rows.y * q - (rows.trials - rows.y) * p, rows.trials * p * q
