"""Log densities and moments of Gaussians."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from dmlcore.kernels.compiled import kernel

TILE_VECTORS = 256  # vectors worked on at a time, of which all coordinates must stay in the fastest cache
SLIM = 128  # the same where all pairs of coordinates meet


@kernel
def scaled_square(x, centre, scale, constant):
    """`constant - scale * (x - centre) ** 2`."""
    out = np.empty(len(x))
    for i in range(len(x)):
        d = x[i] - centre
        out[i] = constant - scale * (d * d)
    return out


@kernel
def scaled_squares(x, centres, scales, constants):
    """`scaled_square` for K centres, shape `(K, n)`."""
    K, n = len(centres), len(x)
    out = np.empty((K, n))
    for k in range(K):
        centre, scale, constant = centres[k], scales[k], constants[k]
        for i in range(n):
            d = x[i] - centre
            out[k, i] = constant - scale * (d * d)
    return out


@kernel
def moments(x, weights):
    """Sum of weights, weighted mean and weighted sum of squares about the mean; zeros without weight."""
    count = 0.0
    total = 0.0
    for i in range(len(x)):
        count += weights[i]
        total += weights[i] * x[i]
    if not count > 0.0:
        return 0.0, 0.0, 0.0
    mean = total / count
    rest = 0.0
    m2 = 0.0
    for i in range(len(x)):
        d = x[i] - mean
        rest += weights[i] * d
        m2 += weights[i] * (d * d)
    rest /= count  # the rounding error of the mean
    mean += rest
    m2 = max(m2 - count * (rest * rest), 0.0)
    return count, mean, m2


@kernel
def moments_many(x, weights):
    """`moments` for each row of weights `(K, n)`, shape `(K, 3)`."""
    K = len(weights)
    out = np.empty((K, 3))
    for k in range(K):
        out[k, 0], out[k, 1], out[k, 2] = moments(x, weights[k])
    return out


@kernel
def whitened_squares(x, centres, whitenings, constants):
    """`constants[k] - |whitenings[k] (x - centres[k])|^2 / 2` for each column of `x` `(d, n)` and lower triangular matrices, `(K, n)`."""
    d, n = x.shape
    K = len(centres)
    out = np.empty((K, n))
    apart = np.empty((d, TILE_VECTORS))
    white = np.empty(TILE_VECTORS)
    for a in range(0, n, TILE_VECTORS):
        size = min(TILE_VECTORS, n - a)
        for k in range(K):
            log = out[k, a : a + size]
            for i in range(size):
                log[i] = constants[k]
            for j in range(d):
                from_j, to_j, centre = x[j, a : a + size], apart[j], centres[k, j]
                for i in range(size):
                    to_j[i] = from_j[i] - centre
                for i in range(size):
                    white[i] = 0.0
                m = 0
                while m + 3 <= j:  # four coordinates at a time: fewer loads and stores of the sum
                    u0, u1, u2, u3 = whitenings[k, j, m], whitenings[k, j, m + 1], whitenings[k, j, m + 2], whitenings[k, j, m + 3]
                    x0, x1, x2, x3 = apart[m], apart[m + 1], apart[m + 2], apart[m + 3]
                    for i in range(size):
                        white[i] += (u0 * x0[i] + u1 * x1[i]) + (u2 * x2[i] + u3 * x3[i])
                    m += 4
                while m <= j:
                    u0, x0 = whitenings[k, j, m], apart[m]
                    for i in range(size):
                        white[i] += u0 * x0[i]
                    m += 1
                for i in range(size):
                    log[i] -= 0.5 * (white[i] * white[i])
    return out


@kernel
def scatters(x, weights):
    """For each row of weights `(K, n)` over the columns of `x` `(d, n)`: their sum, the weighted mean and the centred scatter matrix."""
    d, n = x.shape
    K = len(weights)
    counts, means, scatter = np.zeros(K), np.zeros((K, d)), np.zeros((K, d, d))
    for a in range(0, n, SLIM):
        for k in range(K):
            w = weights[k, a : a + SLIM]
            total = 0.0
            for i in range(len(w)):
                total += w[i]
            counts[k] += total
            for j in range(d):
                x_j = x[j, a : a + SLIM]
                total = 0.0
                for i in range(len(w)):
                    total += w[i] * x_j[i]
                means[k, j] += total
    for k in range(K):
        if counts[k] > 0.0:
            means[k] /= counts[k]
    apart, weighed, rest = np.empty((d, SLIM)), np.empty(SLIM), np.zeros((K, d))
    for a in range(0, n, SLIM):
        for k in range(K):
            w = weights[k, a : a + SLIM]
            size = len(w)
            for j in range(d):
                x_j, apart_j, mean = x[j, a : a + SLIM], apart[j], means[k, j]
                for i in range(size):
                    apart_j[i] = x_j[i] - mean
            for j in range(d):
                apart_j = apart[j]
                for i in range(size):
                    weighed[i] = w[i] * apart_j[i]
                total = 0.0
                for i in range(size):
                    total += weighed[i]
                rest[k, j] += total
                m = 0
                while m + 3 <= j:  # four coordinates at a time: fewer loads of the weights
                    x0, x1, x2, x3 = apart[m], apart[m + 1], apart[m + 2], apart[m + 3]
                    t0, t1, t2, t3 = 0.0, 0.0, 0.0, 0.0
                    for i in range(size):
                        t0 += weighed[i] * x0[i]
                        t1 += weighed[i] * x1[i]
                        t2 += weighed[i] * x2[i]
                        t3 += weighed[i] * x3[i]
                    scatter[k, j, m] += t0
                    scatter[k, j, m + 1] += t1
                    scatter[k, j, m + 2] += t2
                    scatter[k, j, m + 3] += t3
                    m += 4
                while m <= j:
                    x0 = apart[m]
                    t0 = 0.0
                    for i in range(size):
                        t0 += weighed[i] * x0[i]
                    scatter[k, j, m] += t0
                    m += 1
    for k in range(K):  # the mean was rounded: put right what that left in the deviations
        for j in range(d):
            for m in range(j + 1):
                if counts[k] > 0.0:
                    scatter[k, j, m] -= rest[k, j] * rest[k, m] / counts[k]
                scatter[k, m, j] = scatter[k, j, m]
        for j in range(d):
            if counts[k] > 0.0:
                means[k, j] += rest[k, j] / counts[k]
    return counts, means, scatter
