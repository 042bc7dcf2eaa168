"""Differences of logarithms without cancellation, for laws whose log density is a small difference of large terms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import DmlcoreError

OUTSIDE_DOMAIN = (DmlcoreError, np.linalg.LinAlgError, FloatingPointError, OverflowError)  # what a point outside a domain raises

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
LARGE = 1e3  # beyond this, log-gamma formulas lose more than 1e-12 and the saddle-point forms are used
FARTHEST_LOG = 690.0  # of a ratio: beyond, it is near the ends of the range of numbers, and has lost digits there
_SERIES = tuple(1.0 / (2 * j + 3) for j in range(10))


def log_gap(u: Any, log: Any = None) -> np.ndarray:
    """`u - log(1 + u)`, which is >= 0, for u >= -1; by the series of artanh(u / (2 + u)) where u is small.

    log: log(1 + u), where it is known better than u says (near -1).
    """
    u = np.asarray(u, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = np.where(u == np.inf, np.inf, u - (np.log1p(u) if log is None else log))
    small = np.abs(u) < 0.25
    near = np.where(small, u, 0.0)
    r = near / (2.0 + near)
    square = r * r
    tail = np.full(np.shape(u), _SERIES[-1])
    for coefficient in _SERIES[-2::-1]:
        tail = tail * square + coefficient
    return np.where(small, near * r - 2.0 * r * square * tail, direct)


def deviance(x: Any, mean: Any) -> np.ndarray:
    """`x log(x / mean) + mean - x` for x > 0 and mean >= 0 (Loader 2000, the function bd0)."""
    with np.errstate(over="ignore"):
        log = log_ratio(mean, x)
        near = x * log_gap((mean - x) / x, log)
        far = np.abs(log) > FARTHEST_LOG
        return np.where(far, mean - x - x * log, near) if np.any(far) else near


def log_ratio(x: Any, y: Any) -> np.ndarray:
    """`log(x / y)` of x >= 0 and y > 0, with the digits of both, also where the ratio itself would overflow or underflow."""
    with np.errstate(over="ignore", divide="ignore"):
        log = np.log(x / y)
        far = np.abs(log) > FARTHEST_LOG
        return np.where(far, np.log(x) - np.log(y), log) if np.any(far) else log


def stirling_error(n: Any) -> np.ndarray:
    """`log Gamma(n + 1)` less Stirling's formula `(n + 1/2) log n - n + log(2 pi) / 2`, for n > 0 (Loader 2000)."""
    n = np.asarray(n, dtype=np.float64)
    small = np.minimum(n, 16.0)
    exact = special.gammaln(small + 1.0) - (small + 0.5) * np.log(small) + small - HALF_LOG_2PI
    r = 1.0 / np.maximum(n, 16.0)
    square = r * r
    series = r * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
    return np.where(n < 16.0, exact, series)


def across(parameter: Any) -> Any:
    """A parameter of each place of a stack, with an axis for rows behind; that of one law as it is."""
    return parameter[..., None] if isinstance(parameter, np.ndarray) else parameter


def joined(values: np.ndarray, last: int = 1) -> np.ndarray:
    """Values with the axes in front of the last ones joined into one, as kernels take them (of no values, `reshape(-1, ..)` fails)."""
    kept = values.shape[values.ndim - last :]
    return np.ascontiguousarray(values.reshape(math.prod(values.shape[: values.ndim - last]), *kept))


def by_rows(kernel: Callable[..., np.ndarray], values: np.ndarray, *rest: Any) -> np.ndarray:
    """What a kernel makes of rows `(K, n)`, for values `(.., n)` with any axes in front."""
    out = kernel(joined(values), *rest)
    return out.reshape(*values.shape[:-1], *out.shape[1:])


def logs(p: Any) -> np.ndarray:
    """Logarithms; -inf at zero, without a warning."""
    with np.errstate(divide="ignore"):
        return np.log(p)


def logs_of(p: np.ndarray) -> np.ndarray:
    """Logarithms, -inf at zero, without a warning."""
    out = np.full(np.shape(p), -np.inf)
    return np.log(p, out=out, where=np.asarray(p) > 0)
