"""Long tables of probabilities of which few are positive: those, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dmlcore.base.domains import Simplex, frozen, log_ratios

LONG_TABLE = 1 << 16  # entries from which a table may be kept sparse
SPARSE_RATIO = 4  # it is where no more than one entry in so many is positive


class SparseTable(Mapping[int, float]):
    """The positive entries of a table of `size` probabilities: places `(m,)` in order, and their values `(m,)`."""

    __slots__ = ("size", "values_array", "where")

    def __init__(self, size: int, where: np.ndarray, values: np.ndarray):
        self.size, self.where, self.values_array = size, np.asarray(where, dtype=np.int64), frozen(values)

    @staticmethod
    def suits(size: int, positive: int) -> bool:
        """Whether a table of this size with so many positive entries is kept sparse."""
        return size >= LONG_TABLE and positive * SPARSE_RATIO <= size

    def dense(self) -> np.ndarray:
        """The whole table `(size,)`."""
        out = np.zeros(self.size)
        out[self.where] = self.values_array
        out.setflags(write=False)
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.dense(), dtype)

    def at(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each place its position among the positive entries, and whether it is one of them."""
        found = np.minimum(np.searchsorted(self.where, places), len(self.where) - 1)
        return found, self.where[found] == places

    def __getitem__(self, place: int) -> float:
        found, there = self.at(np.array([place]))
        if not there[0]:
            raise KeyError(place)
        return float(self.values_array[found[0]])

    def __iter__(self) -> Iterator[int]:
        return iter(self.where.tolist())

    def __len__(self) -> int:
        return len(self.where)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SparseTable):
            return NotImplemented
        alike = self.size == other.size and np.array_equal(self.where, other.where)
        return alike and np.array_equal(self.values_array, other.values_array)

    def __hash__(self) -> int:
        return hash((self.size, self.where.tobytes(), self.values_array.tobytes()))

    def __reduce__(self) -> Any:
        return SparseTable, (self.size, self.where, self.values_array)


class SparseSimplex(Simplex):
    """Probabilities `(n,)` that sum to one; a `SparseTable` where there are many, and few are positive."""

    def check(self, value: Any) -> Any:
        if isinstance(value, SparseTable):
            return value
        p = super().check(value)
        where = np.flatnonzero(p) if len(p) >= LONG_TABLE else np.zeros(0)
        return SparseTable(len(p), where, p[where]) if SparseTable.suits(len(p), len(where)) else p

    def shown(self, value: Any) -> np.ndarray:
        whole: np.ndarray = value.dense() if isinstance(value, SparseTable) else value
        return whole

    def holds(self, value: Any) -> bool:
        return isinstance(value, SparseTable) or super().holds(value)

    def free(self, value: Any) -> int:
        return value.size - 1 if isinstance(value, SparseTable) else super().free(value)

    def flatten(self, value: Any) -> np.ndarray:
        return log_ratios(value.values_array) if isinstance(value, SparseTable) else super().flatten(value)

    def unflatten(self, vector: np.ndarray, like: Any) -> Any:
        if not isinstance(like, SparseTable):
            return super().unflatten(vector, like)
        return SparseTable(like.size, like.where, super().unflatten(vector, like.values_array))
