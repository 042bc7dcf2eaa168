"""Layouts: what one observation of a node looks like, and how many of them become a column.

Here is where the wrong kind of value is refused, with its position; `dmlcore.data.encoded` turns that into path and row.
Two nodes can share data exactly if their layouts are equal. `label` is only for messages.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from dmlcore.core.errors import BadValue
from dmlcore.core.labels import Vocabulary, plain
from dmlcore.data.columns import Blank, Chain, Column, Distinct, Option, Ragged, Record, Values

CODED_MIN_ROWS = 64  # below this, coding costs more than it saves
CODED_MAX_VALUES = 1 << 14  # more distinct values than a block has rows: a table would outgrow the block

_TEXT = (str, bytes, bytearray)
_LIST_TYPES = {list, tuple}


@dataclass(frozen=True)
class Layout:
    """Base: any observation. `label` names the node in messages and does not count in comparisons."""

    label: str = field(default="", compare=False)

    def encode(self, values: Any) -> Column:
        """The column of a list (or array) of observations. Raises `BadValue`."""
        raise NotImplementedError

    def bad(self, index: int, value: Any, need: str) -> BadValue:
        return BadValue(int(index), plain(value), need, f".{self.label}")


@dataclass(frozen=True)
class Anything(Layout):
    """Observations nobody looks at."""

    def encode(self, values: Any) -> Column:
        return Blank(len(values))


@dataclass(frozen=True)
class Real(Layout):
    """A real number."""

    def encode(self, values: Any) -> Column:
        need = "a real number"
        x = _floats(values)
        if x is None:
            index = _first(values, lambda v: not _is_number(v))
            raise self.bad(index, values[index], need)
        missing = np.isnan(x)
        if missing.any():
            index = int(np.argmax(missing))
            raise self.bad(index, values[index], f"{need} (where values may be missing, wrap the estimator in OptionalEstimator)")
        return Values(x)


@dataclass(frozen=True)
class Count(Layout):
    """A whole number."""

    def encode(self, values: Any) -> Column:
        x = _integers(values)
        if x is None:
            index = _first(values, lambda v: not _is_whole(v))
            raise self.bad(index, values[index], "whole numbers (of at most 64 bits)")
        return coded(x)


@dataclass(frozen=True)
class Vector(Layout):
    """A vector of `dim` reals (any one length, if None). Stored column by column, so that one coordinate of all rows is contiguous."""

    dim: int | None = field(default=None, compare=False)

    def encode(self, values: Any) -> Column:
        try:
            x: Any = np.asarray(values)
            x = np.asfortranarray(x, dtype=np.float64) if x.dtype.kind in "fiub" else None
        except (TypeError, ValueError):
            x = None
        dim = self.dim
        if x is None or x.ndim != 2 or not x.shape[1] or (dim is not None and x.shape[1] != dim and len(x)):
            dim = dim or (len(values[0]) if len(values) and hasattr(values[0], "__len__") else None)
            index = _first(values, lambda v: not _is_vector(v, dim))
            if index is not None:
                raise self.bad(index, values[index], f"vectors of {dim or 'some'} real numbers")
            x = np.zeros((0, dim or 0)) if not len(values) else np.asfortranarray([np.asarray(v, np.float64) for v in values])
        missing = np.isnan(x).any(axis=1)
        if missing.any():
            index = int(np.argmax(missing))
            raise self.bad(index, x[index].tolist(), "vectors without NaN")
        return Values(x)


@dataclass(frozen=True)
class Labels(Layout):
    """A label: any hashable."""

    def encode(self, values: Any) -> Column:
        codes, vocabulary = self.number(values)
        return Distinct(codes, Values(vocabulary))

    def number(self, values: Any) -> tuple[np.ndarray, Vocabulary]:
        """Codes `(n,)` and the vocabulary they point into, in sorted order where labels can be sorted."""
        values = values.tolist() if isinstance(values, np.ndarray) else values
        try:
            seen = dict.fromkeys(values)
        except TypeError:
            index = _first(values, lambda v: not _is_hashable(v))
            raise self.bad(index, values[index], "hashable labels") from None
        if any(isinstance(v, np.generic) for v in seen):  # some do not hash like the plain value they hold
            values = [plain(v) for v in values]
        if any(v != v for v in seen):
            index = _first(values, lambda v: v != v)
            need = "labels that equal themselves (where values may be missing, wrap the estimator in OptionalEstimator)"
            raise self.bad(index, values[index], need)
        vocabulary = Vocabulary(_sorted(plain(v) for v in seen))
        width = np.uint16 if len(vocabulary) <= 1 << 16 else np.int32
        return np.fromiter(map(vocabulary.place.__getitem__, values), dtype=width, count=len(values)), vocabulary


@dataclass(frozen=True)
class Maybe(Layout):
    """An observation of `value`, or missing: None, NaN, a frame's NA, or `missing`."""

    value: Layout = field(default_factory=Layout)
    missing: Any = None

    def __post_init__(self) -> None:
        if is_missing(self.missing):  # None and NaN are missing whatever `missing` is
            object.__setattr__(self, "missing", None)

    def encode(self, values: Any) -> Column:
        there = self.present(values)
        present = np.flatnonzero(there)
        if isinstance(values, np.ndarray):
            inside: Any = values[present]
        else:
            inside = values if len(present) == len(values) else [values[i] for i in present.tolist()]
        try:
            child = self.value.encode(inside)
        except BadValue as error:
            error.index, error.path = int(present[error.index]), f" ({self.label}){error.path}"
            raise
        if isinstance(child, Distinct) and len(child.values) < CODED_MAX_VALUES:
            m = len(child.values)
            codes = np.full(len(values), m, dtype=np.uint16)
            codes[present] = child.codes
            return Distinct(codes, Option(m + 1, np.arange(m), child.values))
        return Option(len(values), present, child)

    def present(self, values: Any) -> np.ndarray:
        """Which observations are there, `(n,)`."""
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
            there = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), bool)
            return there & (values != self.missing) if _is_number(self.missing) else there
        types = set(map(type, values))
        odd = types - {type(None), int, str, bool, list, tuple, set, frozenset, bytes}
        if not odd:
            there = np.fromiter((v is not None for v in values), dtype=bool, count=len(values))
        else:
            there = np.fromiter((not is_missing(v) for v in values), dtype=bool, count=len(values))
        if not is_missing(self.missing):
            there &= np.fromiter((not _equal(v, self.missing) for v in values), dtype=bool, count=len(values))
        return there


@dataclass(frozen=True)
class Repeated(Layout):
    """A sequence of observations of `value`: a list, a tuple or an array; its length is an observation of `length`."""

    value: Layout = field(default_factory=Layout)
    length: Layout = field(default_factory=Anything)

    def encode(self, values: Any) -> Column:
        flat, offsets, lengths = flattened(self, values)
        try:
            column = self.value.encode(flat)
        except BadValue as error:
            place_element(error, offsets)
            error.path = f" ({self.label}){error.path}"
            raise
        if not isinstance(column, Distinct):
            return Ragged(offsets, column, self.length.encode(lengths))
        groups = same_bags(offsets, column.codes, len(column.values))
        if groups is None:
            return Ragged(offsets, column, self.length.encode(lengths))
        kept, codes = groups
        offsets, elements = taken(offsets, kept)
        return Distinct(codes, Ragged(offsets, Distinct(column.codes[elements], column.values), self.length.encode(lengths[kept])))


@dataclass(frozen=True)
class LabelSequence(Layout):
    """A sequence of labels, read as a Markov chain reads it; its length is an observation of `length`."""

    length: Layout = field(default_factory=Anything)

    def encode(self, values: Any) -> Column:
        flat, offsets, lengths = flattened(self, values)
        try:
            codes, labels = Labels(self.label).number(flat)
        except BadValue as error:
            place_element(error, offsets)
            raise
        started = np.flatnonzero(lengths > 0)
        inner = np.ones(max(len(codes) - 1, 0), dtype=bool)  # a pair, unless its second label starts a row
        starts = offsets[1:-1]
        inner[starts[(starts > 0) & (starts < len(codes))] - 1] = False
        wide = codes.astype(np.int64)
        both = (wide[:-1] * max(len(labels), 1) + wide[1:])[inner]
        column = coded(both, always=True)
        pairs = Vocabulary((labels[a], labels[b]) for a, b in zip(*divmod(column.values.x, max(len(labels), 1)), strict=True))
        pair_offsets = np.concatenate([[0], np.cumsum(np.maximum(lengths - 1, 0))])
        first = codes[offsets[started]]
        begins = np.zeros(len(lengths), dtype=np.int64)
        begins[started] = first.astype(np.int64) + 1
        groups = same_bags(pair_offsets, column.codes, len(pairs), begins)
        if groups is None:
            return Chain(started, first, labels, pair_offsets, column.codes, pairs, self.length.encode(lengths))
        kept, row_codes = groups
        pair_offsets, elements = taken(pair_offsets, kept)
        begun = np.flatnonzero(begins[kept])
        first = (begins[kept][begun] - 1).astype(first.dtype)
        kept_lengths = self.length.encode(lengths[kept])
        return Distinct(row_codes, Chain(begun, first, labels, pair_offsets, column.codes[elements], pairs, kept_lengths))


@dataclass(frozen=True)
class LabelSet(Layout):
    """A collection of distinct labels, in no order."""

    def encode(self, values: Any) -> Column:
        values = values.tolist() if isinstance(values, np.ndarray) else values
        _all_collections(self, values, sets=True)
        try:
            sets = list(map(frozenset, values))
        except TypeError:
            index = _first(values, lambda v: not all(map(_is_hashable, v)))
            raise self.bad(index, values[index], "collections of hashable labels") from None
        if list(map(len, sets)) != list(map(len, values)):
            index = next(i for i, (s, v) in enumerate(zip(sets, values, strict=True)) if len(s) != len(v))
            raise self.bad(index, values[index], "collections whose elements are distinct")
        index_of = {s: i for i, s in enumerate(dict.fromkeys(sets))}
        few = len(sets) >= CODED_MIN_ROWS and len(index_of) <= min(CODED_MAX_VALUES, len(sets) // 2)
        kept = list(index_of) if few else sets
        lengths = np.fromiter(map(len, kept), dtype=np.int64, count=len(kept))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        flat = list(chain.from_iterable(kept))
        try:
            column = Ragged(offsets, Labels(self.label).encode(flat), Values(lengths))
        except BadValue as error:
            index = _first(values, lambda v: any(e != e for e in v))
            raise self.bad(index, values[index], error.need) from None
        if not few:
            return column
        return Distinct(np.fromiter(map(index_of.__getitem__, sets), dtype=np.uint16, count=len(sets)), column)


@dataclass(frozen=True)
class Fields(Layout):
    """A tuple with one entry for each of `values`."""

    values: tuple[Layout, ...] = ()

    def encode(self, values: Any) -> Column:
        n, k = len(values), len(self.values)
        columns: Sequence[Any]
        if hasattr(values, "columns") and hasattr(values, "shape"):
            columns = frame_columns(values)
            if len(columns) != k:
                raise BadValue(0, f"a row of {len(columns)} columns", f"{k} columns, one for each field", "")
        elif isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == k:
            columns = [values[:, j] for j in range(k)]
        else:
            if not set(map(type, values)) <= _LIST_TYPES or set(map(len, values)) - {k}:
                index = _first(values, lambda v: not _is_row(v, k))
                if index is not None:
                    raise BadValue(index, values[index], f"a tuple of {k} entries, one for each field", "")
            columns = list(zip(*values, strict=True)) if n else [()] * k
        out = []
        for j, (layout, column) in enumerate(zip(self.values, columns, strict=True)):
            try:
                out.append(layout.encode(column))
            except BadValue as error:
                error.path = f".field {j}{error.path}"
                raise
        return Record(n, tuple(out))


def coded(x: np.ndarray, always: bool = False) -> Any:
    """Whole numbers as `Distinct` where few values repeat, as `Values` otherwise (or `Distinct` whatever they are)."""
    n = len(x)
    limit = n if always else min(CODED_MAX_VALUES, n // 2)
    if n < CODED_MIN_ROWS:
        if not always:
            return Values(x)
        numbers = x.tolist()
        index = {v: i for i, v in enumerate(sorted(set(numbers)))}
        return Distinct(np.array([index[v] for v in numbers], dtype=np.uint16), Values(np.array(list(index), dtype=np.int64)))
    low, high = (int(x.min()), int(x.max())) if n else (0, 0)
    if high - low < 1 << 16:
        seen = np.zeros(high - low + 1, dtype=bool)
        seen[x - low] = True
        values = np.flatnonzero(seen) + low
        if n and len(values) <= limit:
            table = np.zeros(len(seen), dtype=np.uint16)
            table[values - low] = np.arange(len(values))
            return Distinct(table[x - low], Values(values))
        return Distinct(np.zeros(0, np.uint16), Values(x[:0])) if always else Values(x)
    if not always and len(np.unique(x[:: max(1, n // 4096)])) > 2048:
        return Values(x)
    values, codes = np.unique(x, return_inverse=True)
    if len(values) > limit:
        return Values(x)
    return Distinct(codes.astype(np.uint16 if len(values) <= 1 << 16 else np.int32), Values(values))


def same_bags(offsets: np.ndarray, codes: np.ndarray, size: int, extra: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows that hold the same codes (below `size`), in whatever order, and the same `extra` whole number.

    `(one row of each group, the group of each row)`, or None where too few rows repeat to keep them once. Rows are compared by two
    independent 64-bit sums of random numbers, one number per code.
    """
    n = len(offsets) - 1
    if n < CODED_MIN_ROWS:
        return None
    marks = np.random.default_rng(20261122).integers(0, 2**64, size=(2, size), dtype=np.uint64)
    sums = []
    for mark, odd in zip(marks, (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F), strict=True):
        total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mark[codes], dtype=np.uint64)])
        sums.append(total[offsets[1:]] - total[offsets[:-1]] + np.diff(offsets).astype(np.uint64) * np.uint64(odd))
        if extra is not None:
            sums[-1] ^= extra.astype(np.uint64) * np.uint64(odd >> 3 | 1)
    _, kept, groups = np.unique(sums[0], return_index=True, return_inverse=True)
    if len(kept) > min(CODED_MAX_VALUES, n // 2) or (sums[1] != sums[1][kept][groups]).any():
        return None
    return kept, groups.astype(np.uint16)


def taken(offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of chosen rows laid end to end, and the positions of their elements."""
    lengths = offsets[rows + 1] - offsets[rows]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return ends, np.arange(ends[-1]) + np.repeat(offsets[rows] - ends[:-1], lengths)


def flattened(layout: Layout, values: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """All elements in one list (or array), offsets `(n + 1,)` and lengths `(n,)` of a list of sequences."""
    if isinstance(values, np.ndarray) and values.ndim >= 2:
        lengths = np.full(len(values), values.shape[1], dtype=np.int64)
        return values.reshape(-1, *values.shape[2:]), np.arange(len(values) + 1) * values.shape[1], lengths
    types = _all_collections(layout, values, sets=False)
    lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    if types == {np.ndarray} and len({v.dtype for v in values}) == 1:
        return np.concatenate(values), offsets, lengths
    return list(chain.from_iterable(values)), offsets, lengths


def place_element(error: BadValue, offsets: np.ndarray) -> None:
    """Moves the position of a bad element from the flat column to its row."""
    row = int(np.searchsorted(offsets, error.index, side="right")) - 1
    error.within = f", element {error.index - int(offsets[row])}{error.within}"
    error.index = row


def frame_columns(frame: Any) -> list[Any]:
    """The columns of a data frame (pandas, polars) in order, as arrays where they are numeric and lists otherwise."""
    out = []
    for name in frame.columns:
        array = frame[name].to_numpy()
        out.append(array if array.dtype.kind in "fiub" else plain_list(array))
    return out


def plain_list(array: np.ndarray) -> list[Any]:
    """An array as plain Python values; None for what is masked and for NaT, and dates for nanoseconds, where NumPy gives ints."""
    return (array.astype("M8[us]") if array.dtype == "M8[ns]" else array).tolist()


def is_missing(value: Any) -> bool:
    """None, NaN, and the NA and NaT of data frames."""
    if value is None:
        return True
    if isinstance(value, (float, np.floating)):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType")


def _all_collections(layout: Layout, values: Any, sets: bool) -> set[type]:
    """The types of `values`, all of them collections of the wanted sort."""
    types = set(map(type, values))
    allowed: Any = Collection if sets else Sequence
    need = "collections of labels (set, list or tuple)" if sets else "sequences (list, tuple or array)"
    for kind in types - _LIST_TYPES:
        right = issubclass(kind, (allowed, np.ndarray)) and not issubclass(kind, (*_TEXT, dict))
        if not right:
            index = _first(values, lambda v, kind=kind: type(v) is kind)
            raise layout.bad(index, values[index], need)
        if kind is np.ndarray and any(v.ndim == 0 for v in values if type(v) is np.ndarray):
            index = _first(values, lambda v: getattr(v, "ndim", 1) == 0)
            raise layout.bad(index, values[index], need)
    return types


def _floats(values: Any) -> np.ndarray | None:
    if not isinstance(values, (list, tuple)):
        values = np.asarray(values)
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "fiub" and values.ndim == 1:
            return np.ascontiguousarray(values, dtype=np.float64)
        return _floats(values.tolist()) if values.ndim == 1 else None
    if not all(issubclass(kind, (numbers.Real, np.bool_)) for kind in set(map(type, values))):
        return None
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        return None


def _integers(values: Any) -> np.ndarray | None:
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
        return _integers(values.tolist())
    types = set(map(type, values))
    try:
        if all(issubclass(kind, (int, np.integer, np.bool_)) for kind in types):
            return np.array(values, dtype=np.int64)
        if all(issubclass(kind, (numbers.Real, np.bool_)) for kind in types):
            return np.array([int(v) for v in values], dtype=np.int64) if all(map(_is_whole, values)) else None
    except OverflowError:
        pass
    return None


def _sorted(labels: Iterable[Any]) -> list[Any]:
    labels = list(labels)
    try:
        return sorted(labels) if not any(isinstance(v, (frozenset, set)) for v in labels) else labels
    except TypeError:
        return labels


def _first(values: Any, test: Any) -> Any:
    return next((i for i, v in enumerate(values) if test(v)), None)


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (TypeError, ValueError):
        return False


def _is_number(v: Any) -> bool:
    try:
        return isinstance(v, (numbers.Real, np.bool_)) and float(v) is not None
    except OverflowError:  # an int beyond 1e308
        return False


def _is_whole(v: Any) -> bool:
    return _is_number(v) and math.isfinite(v) and int(v) == v and -(2**63) <= v < 2**63


def _is_hashable(v: Any) -> bool:
    if not isinstance(v, Hashable):
        return False
    try:
        hash(v)
    except TypeError:
        return False
    return True


def _is_row(v: Any, k: int) -> bool:
    return isinstance(v, (tuple, list, np.ndarray)) and len(v) == k


def _is_vector(v: Any, dim: int | None) -> bool:
    try:
        array = np.asarray(v)
        numeric = array.dtype.kind in "fiub" or (array.dtype.kind == "O" and all(map(_is_number, array)))
    except (TypeError, ValueError):
        return False
    return numeric and array.ndim == 1 and len(array) == (dim or max(len(array), 1))
