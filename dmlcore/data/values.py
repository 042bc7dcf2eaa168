"""Raw Python values: which kind they are, and how many of them become one array."""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np


def listed(data: Any) -> Any:
    """Rows that can be gone through but not asked for by number (an iterator, a `zip`, a set) as a list; anything else as it is."""
    return list(data) if isinstance(data, Iterable) and not hasattr(data, "__getitem__") else data


def frame_columns(frame: Any) -> list[Any]:
    """The columns of a data frame (pandas, polars) in order, as arrays where they are numeric and lists otherwise."""
    out = []
    for name in frame.columns:
        array = frame[name].to_numpy()
        out.append(array if array.dtype.kind in "fiub" else plain_list(array))
    return out


def is_missing(value: Any) -> bool:
    """None, NaN, and the NA and NaT of data frames."""
    if value is None:
        return True
    if isinstance(value, (float, np.floating)):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType")


def floats(values: Any) -> np.ndarray | None:
    if not isinstance(values, (list, tuple)):
        values = np.asarray(values)
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "fiub" and values.ndim == 1:
            return np.ascontiguousarray(values, dtype=np.float64)
        return floats(values.tolist()) if values.ndim == 1 else None
    if not all(issubclass(kind, (numbers.Real, np.bool_)) for kind in set(map(type, values))):
        return None
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        return None


def integers(values: Any) -> np.ndarray | None:
    if not isinstance(values, (list, tuple)):
        values = np.asarray(values)
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            return None
        if values.dtype.kind in "ib":
            return values.astype(np.int64)
        if values.dtype.kind == "u":
            return values.astype(np.int64) if not len(values) or values.max() < 2**63 else None
        if values.dtype.kind == "f":
            whole = (np.floor(values) == values) & (np.abs(values) < 2.0**63)
            return values.astype(np.int64) if whole.all() else None
        return integers(values.tolist())
    types = set(map(type, values))
    try:
        if all(issubclass(kind, (int, np.integer, np.bool_)) for kind in types):
            return np.array(values, dtype=np.int64)
        if all(issubclass(kind, (numbers.Real, np.bool_)) for kind in types):
            return np.array([int(v) for v in values], dtype=np.int64) if all(map(is_whole, values)) else None
    except OverflowError:
        pass
    return None


def in_order(labels: Iterable[Any]) -> list[Any]:
    labels = list(labels)
    try:
        return sorted(labels) if not any(isinstance(v, (frozenset, set)) for v in labels) else labels
    except TypeError:
        return labels


def first(values: Any, test: Any) -> Any:
    return next((i for i, v in enumerate(values) if test(v)), None)


def equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (TypeError, ValueError):
        return False


def is_number(v: Any) -> bool:
    try:
        return isinstance(v, (numbers.Real, np.bool_)) and float(v) is not None
    except OverflowError:  # an int beyond 1e308
        return False


def is_real(v: Any) -> bool:
    return is_number(v) and not math.isnan(v)


def is_whole(v: Any) -> bool:
    return is_number(v) and math.isfinite(v) and int(v) == v and -(2**63) <= v < 2**63


def is_hashable(v: Any) -> bool:
    if not isinstance(v, Hashable):
        return False
    try:
        hash(v)
    except TypeError:
        return False
    return True


def is_row(v: Any, k: int) -> bool:
    return isinstance(v, (tuple, list, np.ndarray)) and len(v) == k


def is_vector(v: Any, dim: int | None) -> bool:
    try:
        array = np.asarray(v)
        numeric = array.dtype.kind in "fiub" or (array.dtype.kind == "O" and all(map(is_number, array)))
    except (TypeError, ValueError):
        return False
    return numeric and array.ndim == 1 and len(array) == (dim or max(len(array), 1))


def plain_list(array: np.ndarray) -> list[Any]:
    """An array as plain Python values; None for what is masked and for NaT, and dates for nanoseconds, where NumPy gives ints."""
    return (array.astype("M8[us]") if array.dtype == "M8[ns]" else array).tolist()
