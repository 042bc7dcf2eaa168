"""numba kernels: plain arrays in and out, the GIL released, compiled once and cached on disk.

`reassoc` lets sums be vectorised (their order is fixed by the compiled code, so results do not vary); nothing here assumes that
NaN and infinity do not occur.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numba
import numpy as np

exact_kernel = numba.njit(nogil=True, cache=True, fastmath={"contract", "nsz"}, error_model="numpy")
kernel = numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")

TILE = 512  # numbers worked on at a time, so that several rows of them stay in the fastest cache
SLIM = 128  # where all pairs of coordinates meet
NARROW = 256  # the same for vectors, of which all coordinates must fit
LOG2_E = 1.4426950408889634
LOG_2_HIGH, LOG_2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # log 2 in two parts, the first exact times any k
ROUNDER = 6755399441055744.0  # 1.5 * 2^52: adding and taking it away rounds to a whole number
F3, F4, F5, F6, F7, F8, F9, F10, F11, F12 = [1.0 / math.factorial(i) for i in range(3, 13)]

# Kernels return fresh arrays of a block's size. glibc maps and unmaps arrays above a threshold one by one, and each then costs a page
# fault per 4 KiB, in which threads wait for each other; the threshold rises to the size of the largest array freed so far, at most 32 MiB.
np.empty(31 << 17)


@kernel
def segment_sum(values, offsets):
    """Sums of `values[k, offsets[i]:offsets[i + 1]]`, shape `(K, n)`."""
    K, n = len(values), len(offsets) - 1
    out = np.empty((K, n))
    for k in range(K):
        for i in range(n):
            total = 0.0
            for j in range(offsets[i], offsets[i + 1]):
                total += values[k, j]
            out[k, i] = total
    return out


@kernel
def spread(rows, offsets):
    """`rows[k, i]` for each element of row i, shape `(K, N)`."""
    K, n = rows.shape
    out = np.empty((K, offsets[n]))
    for k in range(K):
        for i in range(n):
            for j in range(offsets[i], offsets[i + 1]):
                out[k, j] = rows[k, i]
    return out


@kernel
def gather_sum(table, codes, offsets):
    """Sums of `table[codes[offsets[i]:offsets[i + 1]]]`, shape `(n,)`."""
    out = np.empty(len(offsets) - 1)
    for i in range(len(out)):
        total = 0.0
        for j in range(offsets[i], offsets[i + 1]):
            total += table[codes[j]]
        out[i] = total
    return out


@kernel
def scatter_rows(weights, codes, offsets, size):
    """For each code below `size`, the sum of the weights of the rows that hold it (once per occurrence)."""
    out = np.zeros((2, size))
    for i in range(len(weights)):
        w = weights[i]
        for j in range(offsets[i], offsets[i + 1]):
            out[j & 1, codes[j]] += w
    return out[0] + out[1]


@kernel
def gather(table, codes):
    """`table[codes]`."""
    out = np.empty(len(codes))
    for i in range(len(codes)):
        out[i] = table[codes[i]]
    return out


@kernel
def scatter(weights, codes, size):
    """For each code below `size`, the sum of its weights."""
    out = np.zeros((4, size))
    for i in range(len(codes)):
        out[i & 3, codes[i]] += weights[i]
    return out[0] + out[1] + out[2] + out[3]


@kernel
def scaled_square(x, centre, scale, constant):
    """`constant - scale * (x - centre) ** 2`."""
    out = np.empty(len(x))
    for i in range(len(x)):
        d = x[i] - centre
        out[i] = constant - scale * (d * d)
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
def shares_of(scaled, w, total, weights):
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


@kernel
def gather_many(tables, codes):
    """`tables[:, codes]`."""
    K, n = len(tables), len(codes)
    out = np.empty((K, n))
    for k in range(K):
        for i in range(n):
            out[k, i] = tables[k, codes[i]]
    return out


@kernel
def scatter_many(weights, codes, size):
    """For each row of weights and each code below `size`, the sum of its weights."""
    K, n = weights.shape
    out = np.zeros((K, size))
    part = np.empty((4, size))
    for k in range(K):
        part[:] = 0.0
        for i in range(n):
            part[i & 3, codes[i]] += weights[k, i]
        for j in range(size):
            out[k, j] = part[0, j] + part[1, j] + part[2, j] + part[3, j]
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
def moments_many(x, weights):
    """`moments` for each row of weights `(K, n)`, shape `(K, 3)`."""
    K = len(weights)
    out = np.empty((K, 3))
    for k in range(K):
        out[k, 0], out[k, 1], out[k, 2] = moments(x, weights[k])
    return out


@kernel
def gather_sum_many(tables, codes, offsets):
    """`gather_sum` for each row of tables `(K, size)`, shape `(K, n)`."""
    K, n = len(tables), len(offsets) - 1
    out = np.empty((K, n))
    for i in range(n):
        start, stop = offsets[i], offsets[i + 1]
        for k in range(K):
            total = 0.0
            for j in range(start, stop):
                total += tables[k, codes[j]]
            out[k, i] = total
    return out


@kernel
def scatter_rows_many(weights, codes, offsets, size):
    """`scatter_rows` for each row of weights `(K, n)`, shape `(K, size)`."""
    K, n = weights.shape
    out = np.zeros((K, size))
    for k in range(K):
        part = np.zeros((2, size))
        for i in range(n):
            w = weights[k, i]
            for j in range(offsets[i], offsets[i + 1]):
                part[j & 1, codes[j]] += w
        out[k] = part[0] + part[1]
    return out


@kernel
def segment_log_product(values, offsets):
    """Logarithms of the products of `values[m, offsets[i]:offsets[i + 1]]`, all at least 1e-280, shape `(M, n)`."""
    M, n = len(values), len(offsets) - 1
    out = np.empty((M, n))
    for m in range(M):
        for i in range(n):
            log, one, two = 0.0, 1.0, 1.0  # two products, as each step of one waits for the step before
            start, stop = offsets[i], offsets[i + 1]
            for j in range(start, stop - 1, 2):
                one *= values[m, j]
                two *= values[m, j + 1]
                if one < 1e-20 or one > 1e20 or two < 1e-20 or two > 1e20:
                    log += np.log(one) + np.log(two)
                    one, two = 1.0, 1.0
            if (stop - start) % 2:
                one *= values[m, stop - 1]
            out[m, i] = log + np.log(one) + np.log(two) if one < 1e-20 or two < 1e-20 else log + np.log(one * two)
    return out


@kernel
def spread_quotients(rows, totals, offsets):
    """`rows[m, i] / totals[m, j]` for each element j of row i, shape `(M, N)`."""
    M, n = rows.shape
    out = np.empty(totals.shape)
    for m in range(M):
        for i in range(n):
            for j in range(offsets[i], offsets[i + 1]):
                out[m, j] = rows[m, i]
        for j in range(totals.shape[1]):
            out[m, j] /= totals[m, j]
    return out


@kernel
def whitened_squares(x, centres, whitenings, constants):
    """`constants[k] - |whitenings[k] (x - centres[k])|^2 / 2` for each column of `x` `(d, n)` and lower triangular matrices, `(K, n)`."""
    d, n = x.shape
    K = len(centres)
    out = np.empty((K, n))
    apart = np.empty((d, NARROW))
    white = np.empty(NARROW)
    for a in range(0, n, NARROW):
        size = min(NARROW, n - a)
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
