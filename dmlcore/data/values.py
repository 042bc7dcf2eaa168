"""Raw Python values: which kind they are, and how many of them become one array."""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import numpy as np

from dmlcore.base.labels import is_time_of_pandas, plain
from dmlcore.base.marks import is_missing as is_missing
from dmlcore.data.files import is_path, read
from dmlcore.data.libraries import as_known

FINE = ("ns", "ps", "fs", "as")  # units of time of which NumPy gives no plain values
TEXT_TYPES = (str, bytes, bytearray, memoryview)  # of which NumPy, and loops, would make numbers or letters
NUMBER_TYPES = (numbers.Real, np.bool_, Decimal)


def listed(data: Any, coded: bool = False) -> Any:
    """Data as they are given, but the table of a file that is named, a frame of a library that is not known here as one that is, and
    rows that cannot be asked for by number (an iterator, a `zip`, a set) as a list. coded: as of `read`, where the table is only read."""
    if is_path(data):
        return read(data, coded=coded)
    data = as_known(data)
    return list(data) if isinstance(data, Iterable) and not hasattr(data, "__getitem__") else data


def _are_numbers(kinds: Iterable[type]) -> bool:
    """Whether all values of these types are real numbers. NumPy counts durations among whole numbers: of which unit they do not say."""
    return all(issubclass(kind, NUMBER_TYPES) and not issubclass(kind, np.timedelta64) for kind in kinds)


def floats(values: Any) -> np.ndarray | None:
    if not isinstance(values, (list, tuple)):
        values = np.asarray(values)
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "fiub" and values.ndim == 1:
            return np.ascontiguousarray(values, dtype=np.float64)
        if values.dtype.kind in "mM":
            return None
        return floats(values.tolist()) if values.ndim == 1 else None
    if not _are_numbers(set(map(type, values))):
        return None
    try:
        return np.array(values, dtype=np.float64)
    except (OverflowError, ValueError):  # an int beyond 1e308, a signalling NaN
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
        return None if values.dtype.kind in "mM" else integers(values.tolist())
    types = set(map(type, values))
    try:
        if _are_numbers(types) and all(issubclass(kind, (int, np.integer, np.bool_)) for kind in types):
            return np.array(values, dtype=np.int64)
        if _are_numbers(types):
            return np.array([int(v) for v in values], dtype=np.int64) if all(map(is_whole, values)) else None
    except OverflowError:
        pass
    return None


def matrix(values: Any) -> np.ndarray | None:
    """Vectors of one length as an array `(n, d)`, column by column; None of what is none. NumPy sees no text: of one long word in one row
    it would make a long word of every number."""
    if not isinstance(values, np.ndarray):
        arrays = [v for v in values if isinstance(v, np.ndarray)]
        cells = chain.from_iterable(v for v in values if type(v) in (list, tuple))
        text = any(issubclass(kind, TEXT_TYPES) for kind in set(map(type, values)))
        if text or any(v.ndim != 1 or v.dtype.kind not in "fiub" for v in arrays) or not _are_numbers(set(map(type, cells))):
            return None
    try:
        x = np.asarray(values)
    except (TypeError, ValueError):
        return None
    return np.asfortranarray(x, dtype=np.float64) if x.dtype.kind in "fiub" and x.ndim == 2 else None


def in_order(labels: Iterable[Any]) -> list[Any]:
    labels = list(labels)
    try:
        return sorted(labels) if not any(isinstance(v, (frozenset, set)) for v in labels) else labels
    except TypeError:
        return labels


def in_order_of_kinds(labels: Iterable[Any]) -> list[Any]:
    """Labels in an order that does not depend on the one they are given in: type by type, where those of several have none in common."""
    kinds: dict[str, list[Any]] = {}
    for label in labels:
        kinds.setdefault(type(label).__qualname__, []).append(label)
    return in_order([label for kind in sorted(kinds) for label in in_order(sorted(kinds[kind], key=repr))])


def first(values: Any, test: Any) -> Any:
    return next((i for i, v in enumerate(values) if test(v)), None)


def equal_values(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (TypeError, ValueError, ArithmeticError):  # a Decimal that signals, among others
        return False


def is_number(v: Any) -> bool:
    try:
        return _are_numbers([type(v)]) and float(v) is not None
    except (OverflowError, ValueError):
        return False


def is_real(v: Any) -> bool:
    return is_number(v) and not math.isnan(v)


def is_whole(v: Any) -> bool:
    return is_number(v) and math.isfinite(v) and int(v) == v and -(2**63) <= int(v) < 2**63


def is_hashable(v: Any) -> bool:
    if not isinstance(v, Hashable):
        return False
    try:
        hash(v)
    except TypeError:
        return False
    return True


def is_listed(v: Any) -> bool:
    """Whether a value has entries by number. An array without axes, such as what a mask hides, has none."""
    return isinstance(v, (tuple, list)) or (isinstance(v, np.ndarray) and v.ndim > 0)


def is_row(v: Any, k: int) -> bool:
    return is_listed(v) and len(v) == k


def is_vector(v: Any, dim: int | None) -> bool:
    if isinstance(v, TEXT_TYPES):
        return False
    try:
        array = np.asarray(v)
        numeric = array.dtype.kind in "fiub" or (array.dtype.kind == "O" and all(map(is_number, array)))
    except (TypeError, ValueError):
        return False
    return numeric and array.ndim == 1 and len(array) == (dim or max(len(array), 1))


def plain_list(array: np.ndarray) -> list[Any]:
    """An array as plain Python values; None for what is masked and for NaT. Times too fine for Python stay as they are."""
    if array.dtype.kind not in "mM":
        return array.tolist()
    if array.ndim > 1:
        return list(map(plain_list, array))
    coarse = array.astype(f"{array.dtype.kind}8[us]") if np.datetime_data(array.dtype)[0] in FINE else array
    listed = coarse.tolist()
    if any(type(value) is int for value in listed) or ((coarse != array) & ~np.isnat(array)).any():
        return list(map(plain, array))
    return listed


def is_too_fine(value: Any) -> bool:
    """Whether a plain value is a time or a duration that Python's own do not hold."""
    return isinstance(value, (np.datetime64, np.timedelta64)) or is_time_of_pandas(value)


def unit_hint(value: Any) -> str:
    """What to do with a time or a duration where a number is needed that nothing else can stand for."""
    value = plain(value)
    if isinstance(value, (timedelta, np.timedelta64)):
        return " (divide durations by a unit, such as np.timedelta64(1, 's'))"
    if isinstance(value, (date, np.datetime64)):
        return " (take the time since a moment, and divide it by a unit, such as np.timedelta64(1, 'D'))"
    return ""


def time_hint(value: Any) -> str:
    """What reads a date, a time or a duration where a law of numbers does not."""
    return " (dates, times and durations are read by TimeEstimator(GaussianEstimator()))" if is_time(value) else ""


def is_time(value: Any) -> bool:
    """Whether a value is a date, a time or a duration."""
    return isinstance(plain(value), (date, timedelta, np.datetime64, np.timedelta64)) or is_time_of_pandas(value)


def cells_inside(values: Any) -> Any:
    """Values of which those that are arrays of objects, of dates or with a mask are lists of their cells, with NaN for missing ones."""
    if isinstance(values, np.ndarray) or not any(issubclass(kind, np.ndarray) for kind in set(map(type, values))):
        return values
    return [_cells(v) if isinstance(v, np.ndarray) and (v.dtype.kind in "OMm" or type(v) is np.ma.MaskedArray) else v for v in values]


def _cells(array: np.ndarray) -> Any:
    listed = plain_list(array)
    return [math.nan if v is None else v for v in listed] if array.ndim else listed
