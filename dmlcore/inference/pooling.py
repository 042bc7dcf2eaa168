"""Rubin's rules: one answer from several completed data sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmlcore.core import special
from dmlcore.core.errors import ParameterError


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


def pool(copies: Sequence[Any], statistic: Callable[[Any], Any]) -> Pooled:
    """Pools `statistic(copy)`, a pair (estimate, squared standard error), over completed data sets (Rubin 1987, section 3.1).

    With m estimates of mean Q and variance B, and mean squared error U: the total variance is `U + (1 + 1/m) B`, and the degrees of
    freedom are `(m - 1) (1 + U / ((1 + 1/m) B))^2`. Raises `ParameterError` for fewer than two copies and for squared errors < 0.

    >>> pool(imputation.copies, lambda rows: mean_of_column(rows, 0))
    """
    pairs = [statistic(copy) for copy in copies]
    m = len(pairs)
    if m < 2:
        raise ParameterError(f"pooling needs at least two completed data sets, got {m}; impute with draws=m")
    estimates, errors = (np.array([np.asarray(pair[i], dtype=np.float64) for pair in pairs]) for i in (0, 1))
    if not (np.isfinite(estimates).all() and (errors >= 0).all()):
        raise ParameterError("statistic must give pairs (estimate, squared standard error >= 0), got " + repr(pairs[0]))
    within, between = errors.mean(axis=0), estimates.var(axis=0, ddof=1)
    extra = (1 + 1 / m) * between
    total = within + extra
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(extra > 0, (m - 1) * (1 + within / extra) ** 2, math.inf)[()]
        missing = np.where(total > 0, extra / total, 0.0)[()]
    return Pooled(estimates.mean(axis=0)[()], np.sqrt(total)[()], within[()], between[()], freedom, missing)


def mean_of_column(rows: Sequence[Any], column: Any) -> tuple[float, float]:
    """The mean of a column of numbers (of rows, an array or a frame) and its squared standard error: a statistic for `pool`."""
    values = rows[column] if hasattr(rows, "columns") else [row[column] for row in rows]
    x = np.asarray(values, dtype=np.float64)
    return float(x.mean()), float(x.var(ddof=1) / len(x))
