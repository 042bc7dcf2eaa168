"""Modified Bessel functions of the first kind, in logarithms, for orders and arguments of any size."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from dmlcore.base import special

UNIFORM_FROM = 50.0  # orders from here on by Olver's expansion
UNIFORM_TERMS = 8
TINY_ARGUMENT, SMALL_ARGUMENT = (
    1e-6,
    1e-4,
)  # two terms of the power series are all digits; the latter for orders that underflow
RATIO_TERMS = 10
HUGE_ARGUMENT = 1e8  # from here on, few terms of Hankel's expansion are all digits, for orders that have no expansion of their own
HUGE_TERMS = 5


def log_bessel(order: float, x: Any) -> np.ndarray:
    """`log(I_v(x) exp(-x) x^-v)` for x >= 0, which is finite at 0.

    By the power series where x is tiny, by Hankel's expansion where it is huge (DLMF 10.40.1), and for large orders by an expansion that
    holds uniformly in x (Olver; DLMF 10.41.3).
    """
    x = np.asarray(x, dtype=np.float64)
    if order >= UNIFORM_FROM:
        return _uniform(order, x)
    near_zero = (
        -order * math.log(2.0) - math.lgamma(order + 1.0) + np.log1p(np.minimum(x, TINY_ARGUMENT * 100) ** 2 / (4 * (order + 1))) - x
    )
    scaled = special.ive(order, np.clip(x, TINY_ARGUMENT, HUGE_ARGUMENT))
    usable = (x > TINY_ARGUMENT) & (scaled > 1e-290)
    log = np.where(usable, np.log(np.where(usable, scaled, 1.0)) - order * np.log(np.where(usable, x, 1.0)), near_zero)
    return np.where(x > HUGE_ARGUMENT, _hankel(order, np.maximum(x, HUGE_ARGUMENT)), log) if np.any(x > HUGE_ARGUMENT) else log


def _hankel(order: float, x: np.ndarray) -> np.ndarray:
    term, series = np.ones_like(x), np.ones_like(x)
    for k in range(1, HUGE_TERMS):
        term = -term * ((4.0 * order * order - (2 * k - 1) ** 2) / (8.0 * k)) / x
        series = series + term
    return np.log(series) - 0.5 * math.log(2.0 * math.pi) - (order + 0.5) * np.log(x)


def _uniform(order: float, x: np.ndarray) -> np.ndarray:
    z = x / order
    root = np.hypot(1.0, z)
    p = 1.0 / root
    correction = sum(u(p) / order**k for k, u in enumerate(uniform_polynomials()))
    return order * (1.0 / (root + z) - np.log1p(root) - math.log(order)) - 0.5 * np.log(2 * math.pi * order * root) + np.log(correction)


@cache
def uniform_polynomials() -> list[Any]:
    """The polynomials U_0, U_1, .. of Olver's expansion (DLMF 10.41.9)."""
    from numpy.polynomial import Polynomial

    out = [Polynomial([1.0])]
    for _ in range(UNIFORM_TERMS):
        u = out[-1]
        out.append(Polynomial([0, 0, 0.5, 0, -0.5]) * u.deriv() + (Polynomial([1.0, 0, -5.0]) * u).integ() / 8)
    return out


def bessel_ratio(order: float, x: Any) -> tuple[np.ndarray, np.ndarray]:
    """A = I_{v + 1}(x) / I_v(x), and 1 - A^2 without cancellation: for large x by the series in 1 / x that solves
    `A' = 1 - A^2 - (2 v + 1) A / x` (DLMF 10.29.2)."""
    x = np.asarray(x, dtype=np.float64)
    p = 2.0 * order + 1.0
    large = x > max(500.0, 4.0 * p * p)
    ratio = np.minimum(np.exp(log_bessel(order + 1.0, x) - log_bessel(order, x)) * x, 1.0)
    rest = (1.0 - ratio) * (1.0 + ratio)
    if not np.any(large):
        return ratio, rest
    a = [1.0]
    for m in range(1, RATIO_TERMS):
        a.append(((m - 1 - p) * a[m - 1] - sum(a[i] * a[m - i] for i in range(1, m))) / 2)
    t = 1.0 / np.where(large, x, np.inf)
    series = sum(c * t**m for m, c in enumerate(a))
    series_rest = sum((p - m) * c * t ** (m + 1) for m, c in enumerate(a))
    return np.where(large, series, ratio), np.where(large, series_rest, rest)
