"""Log densities and moments of Gaussians."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from dmlcore.kernels.compiled import kernel

TILE_VECTORS = 256  # vectors worked on at a time, of which all coordinates must stay in the fastest cache
SLIM = 128  # the same where all pairs of coordinates meet
LOST = 1e3  # how many times more squares about some number may be than about the mean: three digits are lost


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


def moments(x, weights):
    """`moments_many` for one set of weights `(n,)`: three numbers."""
    return tuple(moments_many(x, weights[None])[0].tolist())


@kernel
def moments_many(x, weights):
    """For each row of weights `(K, n)` their sum, the weighted mean of x and the weighted sum of squares about it; zeros without weight.
    Shape `(K, 3)`.
    """
    K = len(weights)
    out = np.zeros((K, 3))
    for k in range(K):
        count = 0.0
        total = 0.0
        for i in range(len(x)):
            count += weights[k, i]
            total += weights[k, i] * x[i]
        if not count > 0.0:
            continue
        mean = total / count
        rest = 0.0
        m2 = 0.0
        for i in range(len(x)):
            d = x[i] - mean
            rest += weights[k, i] * d
            m2 += weights[k, i] * (d * d)
        rest /= count  # the rounding error of the mean
        out[k, 0], out[k, 1], out[k, 2] = count, mean + rest, max(m2 - count * (rest * rest), 0.0)
    return out


@kernel
def independent_squares(x, parameters, gaps):
    """`sum_j constants[k, j] - scales[k, j] (x[j, i] - centres[k, j])^2` for the columns of `x` `(d, n)`, shape `(K, n)`.

    parameters: `(4, K, d)`, these centres, scales and constants, and what a number that is NaN adds instead. gaps: whether any may be.
    """
    d, n = x.shape
    centres, scales, constants, missing = parameters[0], parameters[1], parameters[2], parameters[3]
    K = len(centres)
    out = np.empty((K, n))
    for a in range(0, n, TILE_VECTORS):
        size = min(TILE_VECTORS, n - a)
        for k in range(K):
            log = out[k, a : a + size]
            whole = 0.0
            for j in range(d):
                whole += constants[k, j]
            for i in range(size):
                log[i] = 0.0 if gaps else whole
            j = 0
            while j + 3 < d and not gaps:  # four coordinates at a time: fewer loads and stores of the sum
                c0, c1, c2, c3 = centres[k, j], centres[k, j + 1], centres[k, j + 2], centres[k, j + 3]
                s0, s1, s2, s3 = scales[k, j], scales[k, j + 1], scales[k, j + 2], scales[k, j + 3]
                x0, x1, x2, x3 = x[j, a : a + size], x[j + 1, a : a + size], x[j + 2, a : a + size], x[j + 3, a : a + size]
                for i in range(size):
                    d0, d1, d2, d3 = x0[i] - c0, x1[i] - c1, x2[i] - c2, x3[i] - c3
                    log[i] -= (s0 * (d0 * d0) + s1 * (d1 * d1)) + (s2 * (d2 * d2) + s3 * (d3 * d3))
                j += 4
            while j < d:
                x0, c0, s0, there, gone = x[j, a : a + size], centres[k, j], scales[k, j], constants[k, j], missing[k, j]
                if gaps:
                    for i in range(size):
                        d0 = x0[i] - c0
                        log[i] += there - s0 * (d0 * d0) if d0 == d0 else gone
                else:
                    for i in range(size):
                        d0 = x0[i] - c0
                        log[i] -= s0 * (d0 * d0)
                j += 1
    return out


@kernel
def independent_moments(x, weights, gaps):
    """`moments` of each row of `x` `(d, n)` for each row of weights `(K, n)`: counts, the weight of what is missing, means and
    sums of squares about them, `(K, d)`.

    About a number among the first ones (Chan, Golub and LeVeque 1983); again about the mean where little of the squares is left.
    gaps: whether numbers may be NaN, which are left out.
    """
    d, n = x.shape
    K = len(weights)
    counts, gone, means, m2 = np.zeros((K, d)), np.zeros((K, d)), np.zeros((K, d)), np.zeros((K, d))
    apart, square, there = np.empty(TILE_VECTORS), np.empty(TILE_VECTORS), np.ones(TILE_VECTORS)
    whole, middle = np.zeros(K), np.zeros(d)
    for j in range(d):
        some = 0
        for i in range(min(n, TILE_VECTORS)):
            if x[j, i] == x[j, i]:
                middle[j] += x[j, i] / TILE_VECTORS  # divided first, as sums of the largest numbers overflow
                some += 1
        middle[j] *= TILE_VECTORS / max(some, 1)
    for a in range(0, n, TILE_VECTORS):
        size = min(TILE_VECTORS, n - a)
        for k in range(K):
            w0, t0 = weights[k, a : a + size], 0.0
            for i in range(size):
                t0 += w0[i]
            whole[k] += t0
        for j in range(d):
            x_j, centre = x[j, a : a + size], middle[j]
            for i in range(size):
                apart[i] = x_j[i] - centre
            if gaps:
                for i in range(size):
                    there[i] = 1.0 if apart[i] == apart[i] else 0.0
                    apart[i] = apart[i] if apart[i] == apart[i] else 0.0
            for i in range(size):
                square[i] = apart[i] * apart[i]
            k = 0
            while k + 3 < K:  # four components at a time: fewer loads of the numbers
                w0, w1, w2, w3 = (
                    weights[k, a : a + size],
                    weights[k + 1, a : a + size],
                    weights[k + 2, a : a + size],
                    weights[k + 3, a : a + size],
                )
                t0, t1, t2, t3, s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                for i in range(size):
                    t0 += w0[i] * apart[i]
                    t1 += w1[i] * apart[i]
                    t2 += w2[i] * apart[i]
                    t3 += w3[i] * apart[i]
                    s0 += w0[i] * square[i]
                    s1 += w1[i] * square[i]
                    s2 += w2[i] * square[i]
                    s3 += w3[i] * square[i]
                means[k, j] += t0
                means[k + 1, j] += t1
                means[k + 2, j] += t2
                means[k + 3, j] += t3
                m2[k, j] += s0
                m2[k + 1, j] += s1
                m2[k + 2, j] += s2
                m2[k + 3, j] += s3
                k += 4
            while k < K:
                w0, t0, s0 = weights[k, a : a + size], 0.0, 0.0
                for i in range(size):
                    t0 += w0[i] * apart[i]
                    s0 += w0[i] * square[i]
                means[k, j] += t0
                m2[k, j] += s0
                k += 1
            for k in range(K if gaps else 0):
                w0, t0, t1 = weights[k, a : a + size], 0.0, 0.0
                for i in range(size):
                    t0 += w0[i] * there[i]
                    t1 += w0[i] * (1.0 - there[i])
                counts[k, j] += t0
                gone[k, j] += t1
    for k in range(K):
        for j in range(d):
            count = counts[k, j] if gaps else whole[k]
            counts[k, j] = count
            if not count > 0.0:
                means[k, j], m2[k, j] = 0.0, 0.0
                continue
            squares, shift = m2[k, j], means[k, j] / count
            rest, mean = squares - count * (shift * shift), middle[j] + shift
            if rest * LOST < squares:
                t0, s0 = 0.0, 0.0
                for i in range(n):
                    d0 = x[j, i] - mean if x[j, i] == x[j, i] else 0.0
                    t0 += weights[k, i] * d0
                    s0 += weights[k, i] * (d0 * d0)
                shift = t0 / count  # the rounding error of the mean
                rest, mean = s0 - count * (shift * shift), mean + shift
            means[k, j], m2[k, j] = mean, 0.0 if rest < 0.0 else rest
    return counts, gone, means, m2


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
