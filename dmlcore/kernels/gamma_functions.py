"""What estimates of shapes and dispersions need of the gamma function: its derivatives beside logarithms, and Newton's steps with them."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from dmlcore.kernels.compiled import exact_kernel

SERIES_FROM = 20.0  # from here, the asymptotic series (Abramowitz and Stegun 6.3.18, 6.4.12); below, the recurrences (6.3.5, 6.4.6)
MOST_STEPS = 200  # of Newton, at most
LAST_BUT_ONE = 1e-9  # a step of log k after which the next would be as its square


@exact_kernel
def digamma_gap(k):
    """`log k - psi(k)` of one k > 0, to full relative precision."""
    steps = math.ceil(SERIES_FROM - k) if k < SERIES_FROM else 0
    below = 0.0
    for i in range(steps):
        below += 1.0 / (k + i)
    r = 1.0 / (k + steps)
    s = r * r
    above = 0.5 * r + s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s / 132))))
    return above + below - math.log1p(steps / k)


@exact_kernel
def trigamma_gap(k):
    """`psi'(k) - 1 / k` of one k > 0, to full relative precision."""
    steps = math.ceil(SERIES_FROM - k) if k < SERIES_FROM else 0
    below = 0.0
    for i in range(1, steps):
        below += 1.0 / ((k + i) * (k + i))
    r = 1.0 / (k + steps)
    s = r * r
    above = s * (0.5 + r * (1 / 6 - s * (1 / 30 - s * (1 / 42 - s * (1 / 30 - s * 5 / 66)))))
    return above if steps == 0 else above + r + below + (1.0 - k) / (k * k)


@exact_kernel
def _log_gap(u, log):
    """`u - log(1 + u)` for u > -1, where `log` is log(1 + u): by the series of artanh(u / (2 + u)) where u is small."""
    if abs(u) >= 0.25:
        return u - log
    r = u / (2.0 + u)
    square = r * r
    tail = 0.0
    for j in range(9, -1, -1):
        tail = tail * square + 1.0 / (2 * j + 3)
    return u * r - 2.0 * r * square * tail


@exact_kernel
def gamma_gaps(k):
    """Both gaps of each k of an array `(n,)`: shape `(2, n)`."""
    out = np.empty((2, len(k)))
    for i in range(len(k)):
        out[0, i], out[1, i] = digamma_gap(k[i]), trigamma_gap(k[i])
    return out


@exact_kernel
def gamma_shapes(gaps):
    """For each gap > 0 of an array the k with `log k - psi(k) = gap`: Newton on log k against log gap, which is nearly a line, from
    Minka's (2002) start."""
    out = np.empty(len(gaps))
    for i in range(len(gaps)):
        gap = gaps[i]
        k = (3 - gap + math.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap) if gap < 100 else 1 / gap
        for _ in range(MOST_STEPS):
            value = digamma_gap(k)
            fall = max(k * trigamma_gap(k), value)  # the larger always, unless it underflows
            step = -math.log(value / gap) * value / fall
            k *= math.exp(-step)
            if not abs(step) >= LAST_BUT_ONE:
                break
        out[i] = k
    return out


@exact_kernel
def dispersions(y, shares, mu, log_t, low, high, tolerance):
    """Of negative binomial laws of means mu `(K,)` > 0 the likeliest log t, t = 1 / dispersion, within bounds, for counts `(m,)` in
    shares `(K, m)`: Newton from `log_t` `(K,)`, kept within a bracket. The slope falls through zero once, or nowhere."""
    out = np.empty(len(mu))
    for k in range(len(mu)):
        x, least, most = log_t[k], low, high
        for _ in range(MOST_STEPS):
            t = math.exp(x)
            first, second = _slopes(y, shares[k], mu[k], t)
            if first > 0:
                least = x
            else:
                most = x
            moved = x - first / second if second < 0 else x + math.copysign(1.0, first)
            if not least <= moved <= most:
                moved = (least + most) / 2
            step, x = abs(moved - x), moved
            if step <= tolerance or most - least <= 1e-15:
                break
        out[k] = x
    return out


@exact_kernel
def _slopes(y, shares, mu, t):
    """First and second derivatives of the mean log probability in log t, without cancellation for large t."""
    first, second, digamma, trigamma, widened = 0.0, 0.0, digamma_gap(t), trigamma_gap(t), math.log(t + mu)
    for j in range(len(y)):
        if shares[j] > 0:
            above = y[j] + t
            u = (y[j] - mu) / (t + mu)
            slope = t * (digamma - digamma_gap(above)) - t * _log_gap(u, math.log(above) - widened)
            first += shares[j] * slope
            second += shares[j] * (slope + t * t * (trigamma_gap(above) - trigamma + u * u / above))
    return first, second
