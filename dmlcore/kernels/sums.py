"""Sums over segments, tables read at codes, and weights summed per code."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from dmlcore.kernels.compiled import kernel

LONG_ROW = 8  # elements in a row, on average, from which a loop over them is worth a vector


@kernel
def segment_sum(values, offsets):
    """Sums of `values[k, offsets[i]:offsets[i + 1]]`, shape `(K, n)`."""
    K, n = len(values), len(offsets) - 1
    out = np.zeros((K, n))
    if offsets[n] > LONG_ROW * n:
        for k in range(K):
            for i in range(n):
                total = 0.0
                for j in range(offsets[i], offsets[i + 1]):
                    total += values[k, j]
                out[k, i] = total
        return out
    sums = np.empty(K)
    for i in range(n):  # rows are short: their ends are guessed wrongly once, not K times
        sums[:] = 0.0
        for j in range(offsets[i], offsets[i + 1]):
            for k in range(K):
                sums[k] += values[k, j]
        for k in range(K):
            out[k, i] = sums[k]
    return out


@kernel
def repeat_rows(rows, offsets):
    """`rows[k, i]` for each element of row i, shape `(K, N)`."""
    K, n = rows.shape
    out = np.empty((K, offsets[n]))
    if offsets[n] > LONG_ROW * n:
        for k in range(K):
            for i in range(n):
                for j in range(offsets[i], offsets[i + 1]):
                    out[k, j] = rows[k, i]
        return out
    for i in range(n):
        for j in range(offsets[i], offsets[i + 1]):
            for k in range(K):
                out[k, j] = rows[k, i]
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
def gather(table, codes):
    """`table[codes]`."""
    out = np.empty(len(codes))
    for i in range(len(codes)):
        out[i] = table[codes[i]]
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
def gather_sum_many(tables, codes, offsets):
    """Sums of `tables[k, codes[offsets[i]:offsets[i + 1]]]`, shape `(K, n)`."""
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
def scatter(weights, codes, size):
    """For each code below `size`, the sum of its weights."""
    out = np.zeros((4, size))
    for i in range(len(codes)):
        out[i & 3, codes[i]] += weights[i]
    return out[0] + out[1] + out[2] + out[3]


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
def field_sums(table, codes, K):
    """Sums of `table[codes[i, j], k]` over the J codes of each row, shape `(K, n)`; K is filled up to a multiple of four in the table."""
    n, J = codes.shape
    out = np.empty((K, n))
    for k in range(0, K, 4):
        for i in range(0, n, 2):
            other = i + 1 if i + 1 < n else i
            a0, a1, a2, a3 = 0.0, 0.0, 0.0, 0.0
            b0, b1, b2, b3 = 0.0, 0.0, 0.0, 0.0
            for j in range(J):  # two rows at a time, as each sum waits for the step before
                a, b = table[codes[i, j]], table[codes[other, j]]
                a0 += a[k]
                a1 += a[k + 1]
                a2 += a[k + 2]
                a3 += a[k + 3]
                b0 += b[k]
                b1 += b[k + 1]
                b2 += b[k + 2]
                b3 += b[k + 3]
            out[k, i], out[k, other] = a0, b0
            if k + 1 < K:
                out[k + 1, i], out[k + 1, other] = a1, b1
            if k + 2 < K:
                out[k + 2, i], out[k + 2, other] = a2, b2
            if k + 3 < K:
                out[k + 3, i], out[k + 3, other] = a3, b3
    return out


@kernel
def field_weights(weights, codes, size):
    """For each code below `size` and each row of weights `(K, n)`, the sum of the weights of the rows with that code, shape `(size, K)`."""
    n, J = codes.shape
    K = len(weights)
    out = np.zeros((size, K))
    w = np.empty(K)
    for i in range(n):
        for k in range(K):
            w[k] = weights[k, i]
        for j in range(J):
            sums = out[codes[i, j]]
            for k in range(K):
                sums[k] += w[k]
    return out
