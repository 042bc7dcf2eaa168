"""Random splits of data."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.domains import simplex
from dmlcore.base.errors import ParameterError
from dmlcore.base.random import Random, generator
from dmlcore.data.values import listed


def partition_data_index(size: int, pvec: Any, rng: Random = None) -> list[np.ndarray]:
    """Row numbers `0..size-1` in random order, cut into parts of the given shares."""
    try:
        shares = simplex.check(pvec)
    except ParameterError as error:
        raise ParameterError(f"pvec {error}") from None
    order = generator(rng).permutation(size)
    ends = np.round(np.cumsum(shares) * size).astype(int)[:-1]
    return np.split(order, ends)


def partition_data(data: Any, pvec: Any, rng: Random = None) -> list[Any]:
    """The rows in random order, cut into parts of the given shares; arrays give arrays, lists give lists."""
    data = listed(data)
    parts = partition_data_index(len(data), pvec, rng)
    return [data[part] if isinstance(data, np.ndarray) else [data[i] for i in part.tolist()] for part in parts]


def k_fold_split_index(size: int, k: int, rng: Random = None) -> np.ndarray:
    """For each row the number of its fold, 0 to k - 1, at random; folds differ in size by at most one. Shape `(size,)`."""
    if not 1 <= k <= max(size, 1):
        raise ParameterError(f"k must be between 1 and the number of rows, {size}, got {k}")
    fold = np.empty(size, dtype=int)
    fold[generator(rng).permutation(size)] = np.arange(size) % k
    return fold
