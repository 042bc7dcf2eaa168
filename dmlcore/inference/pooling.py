"""Rubin's rules: one answer from several completed data sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import ParameterError
from dmlcore.base.records import dataclass
from dmlcore.core.arguments import takes
from dmlcore.core.text_tables import as_html, as_text
from dmlcore.inference.tables import is_frame
from dmlcore.inference.uncertainty.result import t_quantile


class PooledTest(NamedTuple):
    """statistic: of an F test, with the two numbers in `freedom`. p: how probable one as large is. lost: mean relative increase of
    variance that missing cells bring."""

    statistic: float
    freedom: tuple[float, float]
    p: float
    lost: float


@dataclass(frozen=True, repr=False)
class Pooled:
    """estimate: the mean over the m data sets. error: its standard error. within, between: mean and variance that it comes from.

    freedom: degrees of freedom of the t distribution it is referred to. missing: the fraction of information lost to missing cells.
    Numbers, or arrays of them. names: of the numbers, where fits say them. m: how many data sets. covariances: within and between, where
    whole covariances were pooled. complete: degrees of freedom of the analysis without gaps.
    """

    estimate: Any
    error: Any
    within: Any
    between: Any
    freedom: Any
    missing: Any
    names: tuple[str, ...] = ()
    m: int = 0
    complete: Any = math.inf
    covariances: tuple[np.ndarray, np.ndarray] | None = None

    def interval(self, level: float = 0.95) -> tuple[Any, Any]:
        """Confidence interval at a level between 0 and 1."""
        if not 0 < level < 1:
            raise ParameterError(f"level must be a number between 0 and 1, got {level!r}")
        reach = t_quantile(self.freedom, (1 + level) / 2) * self.error
        return (self.estimate - reach)[()], (self.estimate + reach)[()]

    @property
    def p(self) -> Any:
        """Two-sided p-values of each number being zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2 * special.stdtr(self.freedom, -np.abs(self.estimate / self.error))[()]

    def test(self, which: Sequence[Any] | None = None, value: Any = 0.0) -> PooledTest:
        """Whether several numbers have given values, all at once: D1 of Li, Raghunathan and Rubin (1991), an F test,
        with Reiter's (2007) degrees of freedom where those of the analysis without gaps are finite.

        which: names or places of the numbers (default: all). A model against one nested in it is the test that what the smaller one lacks
        is zero. Raises `ParameterError` where only errors were pooled, and not whole covariances.
        """
        if self.covariances is None:
            raise ParameterError("a test of several numbers needs their covariances: pool fits, or pairs (estimates, covariance matrix)")
        places = list(range(len(self.estimate))) if which is None else [self._place(one) for one in which]
        within, between = (part[np.ix_(places, places)] for part in self.covariances)
        k, apart = len(places), np.asarray(self.estimate)[places] - value
        lost = (1 + 1 / self.m) * float(np.trace(np.linalg.solve(within, between))) / k
        statistic = float(apart @ np.linalg.solve(within, apart)) / (k * (1 + lost))
        freedom = _freedom_of_test(k, self.m, lost, float(np.min(np.broadcast_to(self.complete, np.shape(self.estimate))[places])))
        p = special.fdtrc(k, freedom, statistic) if np.isfinite(freedom) else special.chdtrc(k, k * statistic)
        return PooledTest(statistic, (float(k), float(freedom)), float(p), lost)

    def _place(self, one: Any) -> int:
        if isinstance(one, str) and one in self.names:
            return self.names.index(one)
        if isinstance(one, (int, np.integer)) and 0 <= one < len(self.estimate):
            return int(one)
        raise ParameterError(f"there is no number {one!r} among those pooled; there are {list(self.names) or len(self.estimate)}")

    def _rows(self) -> list[dict[str, Any]]:
        low, high = self.interval()
        columns = {"estimate": self.estimate, "error": self.error, "2.5%": low, "97.5%": high, "p": self.p, "freedom": self.freedom}
        columns["missing"] = self.missing
        flat = {head: np.ravel(values).tolist() for head, values in columns.items()}
        names = self.names or tuple(map(str, range(np.size(self.estimate))))
        return [{"": name, **{head: values[i] for head, values in flat.items()}} for i, name in enumerate(names)]

    def __repr__(self) -> str:
        return f"Pooled over {self.m} data sets\n{as_text(self._rows())}"

    def _repr_html_(self) -> str:
        return as_html(self._rows(), f"Pooled over {self.m} data sets")


@takes()
def pool(copies: Sequence[Any], statistic: Callable[[Any], Any] | None = None, freedom: Any = None) -> Pooled:
    """Pools what was computed from each of several completed data sets into one answer (Rubin 1987, section 3.1).

    `pool(copies, statistic)`: `statistic(copy)` is a pair (estimate, squared standard error), of numbers or arrays; or estimates `(k,)`
    with their covariance `(k, k)`. `pool(fits)`: the fits themselves, one for each data set: what `standard_errors` returns, a
    `MixtureRegression`, results of statsmodels (`params` and `cov_params()`), or such pairs. Of mixtures, components must stand in the
    same order in all of them.

    With m estimates of mean Q and variance B, and mean squared error U: the total variance is `T = U + (1 + 1/m) B`. The degrees of
    freedom are those of Barnard and Rubin (1999), which never exceed `freedom`, those of the analysis without gaps: a number, or one
    for each number estimated. By default `rows - numbers estimated` where the copies are tables (frames, arrays, lists of rows), as for
    a mean or all coefficients of a regression, and what fits say (`df_resid`); otherwise infinite, and then they are Rubin's. Raises
    `ParameterError` for fewer than two copies, for squared errors < 0, freedom <= 0, and fits with other numbers than the first.

    >>> pool(imputation.copies, lambda rows: mean_of_column(rows, 0))
    >>> pool([smf.ols("chl ~ bmi + age", copy).fit() for copy in imputation.copies]).test(["bmi", "age"])
    """
    found = [_answer(copy) if statistic is None else (*statistic(copy), ()) for copy in copies]
    m = len(found)
    if m < 2:
        raise ParameterError(f"pooling needs at least two completed data sets, got {m}; impute with draws=m")
    pairs, names = [one[:2] for one in found], tuple(found[0][2])
    if any(tuple(one[2]) != names or np.shape(one[0]) != np.shape(found[0][0]) for one in found):
        raise ParameterError("fits must have the same numbers, by name and in the same order, as the first")
    estimates, errors = (np.array([np.asarray(pair[i], dtype=np.float64) for pair in pairs]) for i in (0, 1))
    covariances = None
    if estimates.ndim == 2 and errors.ndim == 3:
        covariances = errors.mean(axis=0), np.cov(estimates.T, ddof=1).reshape(errors.shape[1:])
        errors = np.diagonal(errors, axis1=1, axis2=2)
    if not (np.isfinite(estimates).all() and (errors >= 0).all()):
        raise ParameterError("statistic must give pairs (estimate, squared standard error >= 0), got " + repr(pairs[0]))
    if freedom is None:
        freedom = _complete(copies[0], pairs[0])
    try:
        complete = np.asarray(freedom, dtype=np.float64)
    except (TypeError, ValueError):
        complete = np.zeros(())
    if not (complete > 0).all():
        raise ParameterError(f"freedom must be degrees of freedom > 0 of the analysis without gaps, got {freedom!r}")
    within, between = errors.mean(axis=0), estimates.var(axis=0, ddof=1)
    extra = (1 + 1 / m) * between
    total = within + extra
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = np.where(total > 0, extra / total, 0.0)
        observed = (complete + 1) / (complete + 3) * complete * (1 - missing)
        known = np.where(np.isinf(complete) | (within == 0), 0.0, 1 / observed)  # nothing is to be known of an error of zero
        freedoms = 1 / (missing**2 / (m - 1) + known)
    middle, error = estimates.mean(axis=0), np.sqrt(total)
    return Pooled(middle[()], error[()], within[()], between[()], freedoms[()], missing[()], names, m, complete, covariances)


def _freedom_of_test(k: int, m: int, lost: float, complete: float) -> float:
    """Of the denominator of D1."""
    t = k * (m - 1)
    if lost == 0:
        return complete
    if t <= 4:
        return t * (1 + 1 / k) * (1 + 1 / lost) ** 2 / 2
    a = lost * t / (t - 2)
    v = complete * (complete + 1) / (complete + 3) if math.isfinite(complete) else math.inf
    c1, c2 = v - 2 * (1 + a), v - 4 * (1 + a)
    if math.isinf(v) or c2 <= 0:
        return 4 + (t - 4) * (1 + (1 - 2 / t) / lost) ** 2
    first = 1 / c2 + a**2 * c1 / ((1 + a) ** 2 * c2) / (t - 4)
    second = 8 * a**2 * c1 / ((1 + a) * c2**2) + 4 * a**2 / ((1 + a) * c2)
    third = 4 * a**2 / (c2 * c1) + 16 * a**2 * c1 / c2**3 + 8 * a**2 / c2**2
    return 4 + 1 / (first + (second + third) / (t - 4))


def _answer(fit: Any) -> tuple[Any, Any, Any]:
    """Estimates, their covariance, and their names, of a fit."""
    if hasattr(fit, "cov_params"):
        return np.asarray(fit.params), np.asarray(fit.cov_params()), tuple(getattr(fit.params, "index", ()))
    if callable(getattr(fit, "standard_errors", None)):
        fit = fit.standard_errors()
    if hasattr(fit, "covariance") and hasattr(fit, "estimates"):
        return fit.estimates, fit.covariance, fit.names
    if isinstance(fit, tuple) and len(fit) == 2:
        return (*fit, ())
    raise ParameterError(f"{type(fit).__name__} says no estimates and errors; pool(copies, statistic) with pairs (estimate, squared error)")


def _complete(copy: Any, pair: Any) -> float:
    """Of an analysis without gaps: what a fit says, or rows of a table less numbers estimated; infinite of anything else."""
    if hasattr(copy, "df_resid"):
        return float(copy.df_resid)
    if copy is pair or not (is_frame(copy) or isinstance(copy, (list, np.ndarray))):
        return math.inf
    return max(len(copy) - np.size(pair[0]), 1)


def mean_of_column(rows: Sequence[Any], column: Any) -> tuple[float, float]:
    """The mean of a column of numbers (of rows, an array or a frame) and its squared standard error: a statistic for `pool`."""
    values = rows[column] if hasattr(rows, "columns") else [row[column] for row in rows]
    x = np.asarray(values, dtype=np.float64)
    return float(x.mean()), float(x.var(ddof=1) / len(x))
