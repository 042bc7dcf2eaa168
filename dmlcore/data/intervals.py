"""Numbers of which some are known only up to an interval, as times that are censored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dmlcore.base.marks import is_missing
from dmlcore.base.records import dataclass
from dmlcore.data.columns import Column, Distinct, Values
from dmlcore.data.layouts import Layout
from dmlcore.data.record_layouts import Explained
from dmlcore.data.values import floats, is_number, is_row

REPEATED = 0.5  # a share of distinct rows up to which they are kept once


@dataclass(frozen=True)
class Interval(Layout):
    """A number; or a pair (low, high) of numbers between which it lies, of which one may be open: None, a mark, or infinite.

    The column holds both ends `(n, 2)`, which are equal where the number is known. whole: whether numbers are whole.
    """

    whole: bool = False

    single = True
    width = 2

    def encode(self, values: Any) -> Column:
        x = self._ends(values)
        for wrong, need in self._checks(x):
            if wrong.any():
                index = int(np.argmax(wrong))
                raise self.bad(index, values[index], need)
        _, first, codes = np.unique(x.view(np.complex128).ravel(), return_index=True, return_inverse=True)
        if len(first) <= REPEATED * len(x):
            return Distinct(codes.astype(np.int32), Values(x[first]))
        return Values(x)

    def _checks(self, x: np.ndarray) -> list[tuple[np.ndarray, str]]:
        low, high = x.T
        part = ~((x == np.floor(x)) | np.isinf(x)).all(axis=1) if self.whole else np.zeros(len(x), dtype=bool)
        number = "whole numbers" if self.whole else "a real number"
        return [
            (np.isnan(x).any(axis=1) | ((low == -np.inf) & (high == np.inf)), f"{number}, or a pair (low, high), one of which may be None"),
            (low > high, "a pair (low, high) whose low is at most its high"),
            (part, f"{number}, or a pair of them"),
        ]

    def _ends(self, values: Any) -> np.ndarray:
        """Both ends of each row, `(n, 2)`; NaN where a row is nothing of the kind."""
        if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == 2 and values.dtype.kind in "fiu":
            return with_open_ends(np.array(values, dtype=np.float64, order="C"))
        x = None if any(isinstance(v, (tuple, list, np.ndarray)) for v in values) else floats(values)
        if x is not None:
            return np.ascontiguousarray(np.column_stack([x, x]))
        pairs = [(v, v) if is_number(v) else tuple(v) if is_row(v, 2) else (None, None) for v in values]
        right = [all(is_number(end) or is_missing(end) for end in pair) and not all(map(is_missing, pair)) for pair in pairs]
        ends = [[math.nan if is_missing(v) else v for v in pair] if fine else [0, 0] for pair, fine in zip(pairs, right, strict=True)]
        out = with_open_ends(np.array(ends, dtype=np.float64).reshape(-1, 2))
        out[~np.array(right, dtype=bool)] = np.nan
        return out


class ExplainedWithin(Explained):
    """What is explained is a number that may be an interval, of which an open end is no gap."""

    def absent(self, values: Any) -> np.ndarray:
        closed = [(row[0], 0.0, *row[2:]) if is_row(row, len(self.values)) and not is_missing(row[1]) else row for row in values]
        return super().absent(closed)


def with_open_ends(x: np.ndarray) -> np.ndarray:
    """Ends `(n, 2)` of which the missing ones are infinite."""
    x[np.isnan(x[:, 0]), 0] = -np.inf
    x[np.isnan(x[:, 1]), 1] = np.inf
    return x
