"""The standard Gaussian number within an interval, in the tails too."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.numerics import HALF_LOG_2PI

NARROW_WIDTH, FEW_FOLDS = (
    2.0,
    30.0,
)  # widths, and logs of ratios of densities, up to which Gauss's rule is right to rounding; formulas are not
FAR_TAIL = 25.0  # beyond this, variances above an end follow from their series in one over the end
LEGENDRE = np.polynomial.legendre.leggauss(20)


def log_mass_and_slopes(low: Any, high: Any) -> tuple[np.ndarray, ...]:
    """Log probabilities from `low` to `high`, their slopes in both, and minus their second derivatives: in `low` twice, in both, in `high`
    twice; NaN or infinite where there is no probability."""
    upper = low + high > 0  # taken in the tail where the distribution function is small
    a, b = np.where(upper, -high, low), np.where(upper, -low, high)
    top = special.log_ndtr(b)
    log = top + np.log(-np.expm1(special.log_ndtr(a) - top))
    w, u = (np.exp(-0.5 * v * v - HALF_LOG_2PI - log) for v in (low, high))
    finite_low, finite_high = np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0)
    return log, -w, u, w * (w - finite_low), -u * w, u * (u + finite_high)


def moments_within(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log probabilities of intervals `(n,)`, and means and variances within them. Ends may be infinite. Of intervals so far away that no
    float holds their log probability it is -inf."""
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        upper = low + high >= 0
        a, b = np.where(upper, low, -high), np.where(upper, high, -low)  # most of the interval is above zero
        log, at_a, at_b, *bends = log_mass_and_slopes(a, b)
        log[np.isnan(log)] = -np.inf
        mean = -(at_a + at_b)
        variance = np.where(a > FAR_TAIL, _variance_above(a), 1.0 - (bends[0] + 2.0 * bends[1] + bends[2]))
        narrow = (b - a) * np.maximum(b, 1.0) <= FEW_FOLDS
        narrow &= b - a <= NARROW_WIDTH
        log[narrow], mean[narrow], variance[narrow] = _within_narrow(a[narrow], b[narrow])
        return log, np.where(upper, mean, -mean), np.maximum(variance, 0.0)


def gaussians_within(mean: Any, variance: float, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of Gaussians of one variance: log probabilities of intervals `(n,)`, and two numbers `(n, 2)` that have the mean and the mean
    square within each."""
    deviation, mean = np.sqrt(variance), np.broadcast_to(mean, low.shape)
    log, inside, spread_inside = moments_within((low - mean) / deviation, (high - mean) / deviation)
    half = np.sqrt(spread_inside)
    return log, mean[:, None] + deviation * np.stack([inside - half, inside + half], axis=1)


def _variance_above(a: np.ndarray) -> np.ndarray:
    """The variance of a number known to be above a large one: the derivative of the series of Mills' ratio."""
    t = 1.0 / (a * a)
    return np.asarray(t * (1.0 - t * (6.0 - t * (50.0 - t * (518.0 - t * 6354.0)))))


def _within_narrow(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By Gauss's rule about the middle of each interval."""
    half = (b - a)[:, None] / 2.0
    middle = a[:, None] + half
    apart = half * LEGENDRE[0]
    p = LEGENDRE[1] * np.exp(-apart * (middle + 0.5 * apart))
    total = p.sum(axis=1)
    p /= total[:, None]
    mean = (p * apart).sum(axis=1)
    log = np.log(half[:, 0] * total) - 0.5 * middle[:, 0] ** 2 - HALF_LOG_2PI
    return log, middle[:, 0] + mean, (p * (apart - mean[:, None]) ** 2).sum(axis=1)
