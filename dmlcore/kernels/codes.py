"""Tables read at codes, and weights summed per code: by NumPy for a few rows, by a compiled loop for many."""

from __future__ import annotations

import numpy as np

from dmlcore import kernels


def gather(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """`table[codes]`."""
    return table[codes] if len(codes) < 256 else kernels.gather(table, codes)


def gather_many(tables: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """`tables[:, codes]`, shape `(K, n)`."""
    return tables[:, codes] if len(codes) < 256 else kernels.gather_many(tables, codes)


def scatter(weights: np.ndarray, codes: np.ndarray, size: int) -> np.ndarray:
    """Weights summed per code, shape `(size,)`."""
    return np.bincount(codes, weights, minlength=size) if len(codes) < 256 else kernels.scatter(weights, codes, size)


def scatter_many(weights: np.ndarray, codes: np.ndarray, size: int) -> np.ndarray:
    """Each row of weights `(K, n)` summed per code, shape `(K, size)`."""
    if len(codes) < 256:
        return np.array([np.bincount(codes, row, minlength=size) for row in weights])
    return kernels.scatter_many(weights, codes, size)


def gather_fields(tables: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Sums of `tables[:, codes[i]]` over the codes of each row `(n, J)`, shape `(K, n)`."""
    K, size = tables.shape
    by_code = np.zeros((size, -4 * (-K // 4)))  # the numbers that one code asks for stand together
    by_code[:, :K] = tables.T
    return kernels.field_sums(by_code, codes, K)


def scatter_fields(weights: np.ndarray, codes: np.ndarray, size: int) -> np.ndarray:
    """Each row of weights `(K, n)` summed for each of the codes of rows `(n, J)`, shape `(K, size)`."""
    return np.ascontiguousarray(kernels.field_weights(weights, codes, size).T)


def narrow(size: int) -> type[np.integer]:
    """The type of codes below `size`."""
    return np.uint16 if size <= 1 << 16 else np.int32
