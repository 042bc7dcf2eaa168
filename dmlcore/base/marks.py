"""Marks of missing values: None, NaN, NaT, the NA of data frames, and what a mask hides.

In tables (frames, series, arrays, whatever their dtype) a mark can only stand for a missing cell. In lists and tuples, None may also be
meant as a label.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

_NEVER = {int, str, bool, bytes, list, tuple, set, frozenset}  # types of which no value is a mark


def is_missing(value: Any) -> bool:
    """None, NaN, NaT, the NA of data frames, and what a mask hides."""
    if value is None:
        return True
    if isinstance(value, (float, np.floating)):
        return math.isnan(value)
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    if isinstance(value, Decimal):
        return value.is_nan()
    return value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType")


def missing_among(values: Any) -> np.ndarray:
    """Which of many values are marks, `(n,)`."""
    n = len(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub" and values.ndim == 1:
        return np.isnan(values) if values.dtype.kind == "f" else np.zeros(n, dtype=bool)
    if isinstance(values, np.ndarray) and values.dtype.kind in "mM" and values.ndim == 1:
        return np.isnat(values)
    types = set(map(type, values)) - _NEVER
    if not types:
        return np.zeros(n, dtype=bool)
    if types == {type(None)}:
        return np.fromiter((v is None for v in values), dtype=bool, count=n)
    return np.fromiter(map(is_missing, values), dtype=bool, count=n)


def holds_mark(label: Any) -> bool:
    """Whether a label is a mark other than None, or holds one at any depth: it may not equal itself, nor what means the same."""
    waiting = [label]
    while waiting:  # not by recursion: a label may be nested deeper than Python's calls
        label = waiting.pop()
        if isinstance(label, (tuple, frozenset)):
            waiting.extend(label)
        elif label is not None and (is_missing(label) or bool(label != label)):
            return True
    return False
