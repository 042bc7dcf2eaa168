"""Rubin's rules: one answer from several completed data sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import ParameterError
from dmlcore.inference.tables import is_frame


@dataclass(frozen=True)
class Pooled:
    """estimate: the mean over the m data sets. error: its standard error. within, between: mean and variance that it comes from.

    freedom: degrees of freedom of the t distribution it is referred to. missing: the fraction of information lost to missing cells.
    Numbers, or arrays of them.
    """

    estimate: Any
    error: Any
    within: Any
    between: Any
    freedom: Any
    missing: Any

    def interval(self, level: float = 0.95) -> tuple[Any, Any]:
        """Confidence interval at a level between 0 and 1."""
        if not 0 < level < 1:
            raise ParameterError(f"level must be a number between 0 and 1, got {level!r}")
        reach = (
            np.where(np.isinf(self.freedom), special.ndtri((1 + level) / 2), special.stdtrit(self.freedom, (1 + level) / 2)) * self.error
        )
        return (self.estimate - reach)[()], (self.estimate + reach)[()]


def pool(copies: Sequence[Any], statistic: Callable[[Any], Any], freedom: Any = None) -> Pooled:
    """Pools `statistic(copy)`, a pair (estimate, squared standard error), over completed data sets (Rubin 1987, section 3.1).

    With m estimates of mean Q and variance B, and mean squared error U: the total variance is `T = U + (1 + 1/m) B`. The degrees of
    freedom are those of Barnard and Rubin (1999), which never exceed `freedom`, those of the analysis without gaps: a number, or one
    for each number estimated. By default `rows - numbers estimated` where the copies are tables (frames, arrays, lists of rows), as for
    a mean or all coefficients of a regression; otherwise infinite, and then they are Rubin's. Raises `ParameterError` for fewer than
    two copies, for squared errors < 0 and freedom <= 0.

    >>> pool(imputation.copies, lambda rows: mean_of_column(rows, 0))
    """
    pairs = [statistic(copy) for copy in copies]
    m = len(pairs)
    if m < 2:
        raise ParameterError(f"pooling needs at least two completed data sets, got {m}; impute with draws=m")
    estimates, errors = (np.array([np.asarray(pair[i], dtype=np.float64) for pair in pairs]) for i in (0, 1))
    if not (np.isfinite(estimates).all() and (errors >= 0).all()):
        raise ParameterError("statistic must give pairs (estimate, squared standard error >= 0), got " + repr(pairs[0]))
    if freedom is None:
        freedom = _complete(copies[0], pairs[0])
    complete = np.asarray(freedom, dtype=np.float64)
    if not (complete > 0).all():
        raise ParameterError(f"freedom must be degrees of freedom > 0 of the analysis without gaps, got {freedom!r}")
    within, between = errors.mean(axis=0), estimates.var(axis=0, ddof=1)
    extra = (1 + 1 / m) * between
    total = within + extra
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = np.where(total > 0, extra / total, 0.0)
        observed = (complete + 1) / (complete + 3) * complete * (1 - missing)
        known = np.where(np.isinf(complete) | (within == 0), 0.0, 1 / observed)  # nothing is to be known of an error of zero
        found = 1 / (missing**2 / (m - 1) + known)
    return Pooled(estimates.mean(axis=0)[()], np.sqrt(total)[()], within[()], between[()], found[()], missing[()])


def _complete(copy: Any, pair: Any) -> float:
    """Degrees of freedom of an analysis of a completed table: rows less numbers estimated; infinite where it is no table."""
    if copy is pair or not (is_frame(copy) or isinstance(copy, (list, np.ndarray))):
        return math.inf
    return max(len(copy) - np.size(pair[0]), 1)


def mean_of_column(rows: Sequence[Any], column: Any) -> tuple[float, float]:
    """The mean of a column of numbers (of rows, an array or a frame) and its squared standard error: a statistic for `pool`."""
    values = rows[column] if hasattr(rows, "columns") else [row[column] for row in rows]
    x = np.asarray(values, dtype=np.float64)
    return float(x.mean()), float(x.var(ddof=1) / len(x))
