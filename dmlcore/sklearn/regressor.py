"""`MixtureRegressor`: a mixture of regressions as scikit-learn's regressors are, which predict a mean and nothing else."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from dmlcore.base.random import Random
from dmlcore.data.frames import is_frame, rows_at
from dmlcore.regression.component_selection import select_components
from dmlcore.regression.model import MixtureRegression
from dmlcore.sklearn.distinct_rows import distinct_rows, weights_or_ones
from dmlcore.stats.regression.penalties import Penalty


class MixtureRegressor(RegressorMixin, BaseEstimator):
    """A regressor whose means are those of a finite mixture of regressions, averaged over its components; `score` is R squared.

    n_components: how many, or "auto": as BIC says. family, fit_intercept, ridge, penalty, starts, max_iter, random_state: as of
    `dmlcore.regression.MixtureRegression`, which is `regression_` after the fit, with coefficients, posteriors, summary and log density.
    """

    def __init__(
        self,
        n_components: int | str = 2,
        family: str = "gaussian",
        *,
        fit_intercept: bool = True,
        ridge: float = 0.0,
        penalty: Penalty | None = None,
        starts: int | None = None,
        max_iter: int = 1000,
        random_state: Random = None,
    ):
        self.n_components = n_components
        self.family = family
        self.fit_intercept = fit_intercept
        self.ridge = ridge
        self.penalty = penalty
        self.starts = starts
        self.max_iter = max_iter
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.random_state is None
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fits the mixture to responses y `(n,)` given X `(n, p)`. sample_weight: numbers >= 0; weight 2 is two rows, to the bit."""
        x, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        rows, weights = distinct_rows(x, weights_or_ones(sample_weight, len(x)), y)
        table, y = rows_at(X if is_frame(X) else x, rows), np.asarray(y, dtype=np.float64)[rows]
        settings: dict[str, Any] = {name: value for name, value in self.get_params(deep=False).items() if name != "n_components"}
        K: Any = self.n_components
        if isinstance(K, str) and K == "auto":
            self.regression_ = select_components(table, y, sample_weight=weights, **settings).best
        else:
            self.regression_ = MixtureRegression(K, **settings).fit(table, y, sample_weight=weights)
        self.n_iter_ = max(self.regression_.n_iter_, 1)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Mean responses `(n,)`."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float64)
        return self.regression_.predict(X if is_frame(X) else x)
