"""numba kernels: plain arrays in and out, the GIL released, compiled once and cached on disk.

`reassoc` lets sums be vectorised (their order is fixed by the compiled code, so results do not vary); nothing here assumes that
NaN and infinity do not occur.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np

kernel = numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")


@kernel
def segment_sum(values, offsets):
    """Sums of `values[offsets[i]:offsets[i + 1]]`, shape `(n,)`."""
    out = np.empty(len(offsets) - 1)
    for i in range(len(out)):
        total = 0.0
        for j in range(offsets[i], offsets[i + 1]):
            total += values[j]
        out[i] = total
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


@kernel
def relative(logs):
    """`logs - max` of `(M, K, n)` over the second axis, that maximum `(M, n)` (0 where it is -inf), and whether any is NaN or +inf."""
    M, K, n = logs.shape
    out = np.empty((M, K, n))
    shift = np.empty((M, n))
    check = 0.0
    for m in range(M):
        top = shift[m]
        top[:] = logs[m, 0]
        for k in range(1, K):
            for i in range(n):
                top[i] = logs[m, k, i] if logs[m, k, i] > top[i] else top[i]
        for i in range(n):
            top[i] = 0.0 if top[i] == -np.inf else top[i]
        for k in range(K):
            for i in range(n):
                d = logs[m, k, i] - top[i]
                out[m, k, i] = d
                check += 0.0 if d <= 0.0 else 1.0  # NaN, and +inf - +inf, are not <= 0
    return out, shift, check > 0.0


@kernel
def weighted_rows(scaled, w, rows):
    """`w[m, k] * scaled[m, k] * rows[m]`, shape `(M * K, n)`."""
    M, K, n = scaled.shape
    out = np.empty((M * K, n))
    for m in range(M):
        for k in range(K):
            share = w[m, k]
            for i in range(n):
                out[m * K + k, i] = scaled[m, k, i] * (rows[m, i] * share)
    return out


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
            log, product = 0.0, 1.0
            for j in range(offsets[i], offsets[i + 1]):
                if product < 1e-20 or product > 1e20:
                    log += np.log(product)
                    product = 1.0
                product *= values[m, j]
            out[m, i] = log + np.log(product)
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
