"""numba kernels: plain arrays in and out, the GIL released, compiled once and cached on disk.

`reassoc` lets sums be vectorised (their order is fixed by the compiled code, so results do not vary); nothing here assumes that
NaN and infinity do not occur.
"""

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
    m2 = 0.0
    for i in range(len(x)):
        d = x[i] - mean
        m2 += weights[i] * (d * d)
    return count, mean, m2
