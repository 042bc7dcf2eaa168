"""Densities of components scaled, mixed and shared out."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from dmlcore.kernels.compiled import TILE, exact_kernel, kernel

LOG2_E = 1.4426950408889634
LOG_2_HIGH, LOG_2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # log 2 in two parts, the first exact times any k
ROUNDER = 6755399441055744.0  # 1.5 * 2^52: adding and taking it away rounds to a whole number
F3, F4, F5, F6, F7, F8, F9, F10, F11, F12 = [1.0 / math.factorial(i) for i in range(3, 13)]


@exact_kernel
def exp_of(x, out, bits, powers):
    """`exp(x)` of numbers <= 0 (0 below -708), to one unit in the last place, written so that it is vectorised.

    `x = k log 2 + r` with whole k and |r| <= log(2) / 2 (Cody and Waite 1980); a Taylor polynomial of r, and 2^k by its bits.
    """
    for i in range(len(x)):
        y = x[i] if x[i] > -708.0 else -708.0
        k = (y * LOG2_E + ROUNDER) - ROUNDER
        bits[i] = (np.int64(k) + 1023) << 52
        r = (y - k * LOG_2_HIGH) - k * LOG_2_LOW
        p = F12 * r + F11
        p = p * r + F10
        p = p * r + F9
        p = p * r + F8
        p = p * r + F7
        p = p * r + F6
        p = p * r + F5
        p = p * r + F4
        p = p * r + F3
        p = p * r + 0.5
        p = p * r + 1.0
        out[i] = p * r + 1.0
    for i in range(len(x)):
        out[i] = out[i] * powers[i] if x[i] > -708.0 else 0.0


@exact_kernel
def scaled_densities(logs):
    """`exp(logs - top)` of `(M, K, n)`, top `(M, n)`, the maximum over K (0 where it is -inf), and whether any is NaN or +inf."""
    M, K, n = logs.shape
    out = np.empty((M, K, n))
    shift = np.empty((M, n))
    apart = np.empty(TILE)
    bits = np.empty(TILE, np.int64)
    powers = bits.view(np.float64)
    odd = 0
    for m in range(M):
        for a in range(0, n, TILE):
            size = min(TILE, n - a)
            top = shift[m, a : a + size]
            for i in range(size):
                top[i] = logs[m, 0, a + i]
            for k in range(1, K):
                row = logs[m, k, a : a + size]
                for i in range(size):
                    top[i] = row[i] if row[i] > top[i] else top[i]
            for i in range(size):
                top[i] = 0.0 if top[i] == -np.inf else top[i]
            for k in range(K):
                row = logs[m, k, a : a + size]
                for i in range(size):
                    d = row[i] - top[i]
                    apart[i] = d
                    odd += 0 if d <= 0.0 else 1  # NaN, and +inf - +inf, are not <= 0
                exp_of(apart[:size], out[m, k, a : a + size], bits, powers)
    return out, shift, odd > 0


@kernel
def mixed_densities(scaled, w):
    """`sum_k w[m, k] scaled[m, k]`, shape `(M, n)`, and the smallest of them (inf, if there are none)."""
    M, K, n = scaled.shape
    out = np.empty((M, n))
    least = np.inf
    for m in range(M):
        for a in range(0, n, TILE):
            sums = out[m, a : a + TILE]
            sums[:] = 0.0
            for k in range(K):
                row = scaled[m, k, a : a + TILE]
                for i in range(len(row)):
                    sums[i] += w[m, k] * row[i]
            low = np.inf
            for i in range(len(sums)):
                low = sums[i] if sums[i] < low else low
            least = low if low < least else least
    return out, least


@kernel
def weighted_posteriors(scaled, w, total, weights):
    """`w[m, k] scaled[m, k] weights[m] / total[m]`, shape `(M * K, n)`, and their sums over n, shape `(M, K)`."""
    M, K, n = scaled.shape
    out = np.empty((M * K, n))
    sums = np.zeros((M, K))
    part = np.empty(TILE)
    for m in range(M):
        for a in range(0, n, TILE):
            size = min(TILE, n - a)
            for i in range(size):
                part[i] = weights[m, a + i] / total[m, a + i]
            for k in range(K):
                row = scaled[m, k, a : a + size]
                share = out[m * K + k, a : a + size]
                w_k = w[m, k]
                for i in range(size):
                    share[i] = row[i] * (part[i] * w_k)
                add = 0.0  # not in the loop above: whether that one is vectorised depends on where its arrays lie, and so would the sum
                for i in range(size):
                    add += share[i]
                sums[m, k] += add
    return out, sums
