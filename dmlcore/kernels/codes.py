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
