"""The families of responses that `MixtureRegression` knows by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError, shorten
from dmlcore.base.records import dataclass
from dmlcore.regression.named_columns import check_cells
from dmlcore.stats.regression.gamma_regression import GammaRegressionEstimator
from dmlcore.stats.regression.linear_regression import LinearRegressionEstimator
from dmlcore.stats.regression.logistic_regression import LogisticRegressionEstimator
from dmlcore.stats.regression.negative_binomial_regression import NegativeBinomialRegressionEstimator
from dmlcore.stats.regression.poisson_regression import PoissonRegressionEstimator
from dmlcore.stats.regression.weibull_regression import WeibullRegressionEstimator


@dataclass(frozen=True)
class Family:
    """One family. need: what responses must be, and `allows` says which are, `(n,)`. field: the law's parameter behind the scale.

    scale: the scale from that parameter, and slope its derivative; scale_name: its name in tables. whole: whether responses are counts.
    log_link: whether the linear predictor is the logarithm of the mean.
    """

    estimator: type
    need: str
    allows: Callable[[np.ndarray], np.ndarray]
    field: str | None = None
    scale_name: str = "scale"
    scale: Callable[[float], float] = lambda value: value
    slope: Callable[[float], float] = lambda value: 1.0
    whole: bool = False
    log_link: bool = False


def _whole(y: np.ndarray) -> np.ndarray:
    return (y >= 0) & (y == np.floor(y)) & (y < 2.0**63)


def _positive(y: np.ndarray) -> np.ndarray:
    return (y > 0) & np.isfinite(y)


FAMILIES = {
    "gaussian": Family(
        LinearRegressionEstimator,
        "a finite real number",
        np.isfinite,
        "sigma2",
        "standard deviation",
        lambda sigma2: sigma2**0.5,
        lambda sigma2: 0.5 / sigma2**0.5,
    ),
    "poisson": Family(PoissonRegressionEstimator, "a whole number >= 0", _whole, whole=True, log_link=True),
    "binomial": Family(LogisticRegressionEstimator, "0 or 1 (or give trials)", lambda y: (y == 0) | (y == 1), whole=True),
    "gamma": Family(
        GammaRegressionEstimator,
        "a finite number > 0",
        _positive,
        "shape",
        "dispersion",
        lambda shape: 1.0 / shape,
        lambda shape: -1.0 / shape**2,
        log_link=True,
    ),
    "negative_binomial": Family(
        NegativeBinomialRegressionEstimator, "a whole number >= 0", _whole, "dispersion", "dispersion", whole=True, log_link=True
    ),
    "weibull": Family(
        WeibullRegressionEstimator,
        "a finite number > 0",
        _positive,
        "shape",
        "scale",
        lambda shape: 1.0 / shape,
        lambda shape: -1.0 / shape**2,
        log_link=True,
    ),
}


def family_named(name: Any) -> Family:
    """The family of this name. Raises `ParameterError` for other names."""
    if not isinstance(name, str) or name not in FAMILIES:
        raise ParameterError(f"family must be one of {', '.join(FAMILIES)}, got {name!r}")
    return FAMILIES[name]


def families_of(given: Any, names: Sequence[str]) -> list[str]:
    """The name of the family of each response. given: one name for all, or a list of them. Raises `ParameterError`."""
    each = [given] * len(names) if isinstance(given, str) or not isinstance(given, (list, tuple)) else list(given)
    for name in each:
        family_named(name)
    if len(each) != len(names):
        raise ParameterError(f"family must be one name, or one for each of the responses {shorten(list(names))}; got {shorten(given)}")
    return each


def checked_response(family: Family, y: np.ndarray, trials: np.ndarray | None, name: str) -> np.ndarray:
    """The response `(n,)`, as whole numbers where the family has counts, unless some are missing, NaN. Raises `DataError` naming column
    and row."""
    gone = np.isnan(y)
    if trials is None:
        check_cells(y, family.allows(y) | gone, name, family.need)
    else:
        right = (_whole(y) & (y <= trials)) | gone
        check_cells(y, right, name, "a whole number from 0 to the trials of its row", f" of {trials[np.argmin(right)]:g} trials")
    return y.astype(np.int64) if family.whole and not gone.any() else y


def checked_trials(family: Family, trials: np.ndarray, name: str) -> np.ndarray:
    """Numbers of trials `(n,)`. Raises `DataError` for other than whole numbers, `ParameterError` where the family has none."""
    if family.estimator is not LogisticRegressionEstimator:
        raise ParameterError("trials are of the binomial family only")
    check_cells(trials, _whole(trials), name, "a whole number >= 0")
    return trials.astype(np.int64)


def checked_exposure(family: Family, exposure: np.ndarray, name: str) -> np.ndarray:
    """Logarithms of exposures `(n,)`. Raises `DataError` for other than positive numbers, `ParameterError` for links of other kinds."""
    if not family.log_link:
        logs = ", ".join(name for name, known in FAMILIES.items() if known.log_link)
        raise ParameterError(f"an exposure is of families with a log link, {logs}; for others give an offset")
    check_cells(exposure, exposure > 0, name, "a number > 0")
    return np.log(exposure)
