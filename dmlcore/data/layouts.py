"""Layouts: what one observation of a node looks like, and how many of them become a column.

Here is where the wrong kind of value is refused, with its position; `dmlcore.data.encoded` turns that into path and row.
Two nodes can share data exactly if their layouts are equal. `label` is only for messages.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from itertools import chain, repeat
from typing import Any, ClassVar

import numpy as np

from dmlcore.base.errors import BadValue
from dmlcore.base.labels import Vocabulary, plain
from dmlcore.base.marks import holds_mark, is_missing, missing_among
from dmlcore.data.columns import Blank, Column, Distinct, Option, Record, Values, Versions
from dmlcore.data.frames import Columns
from dmlcore.data.plain_columns import Factor, PlainColumn
from dmlcore.data.repeats import CODED_MAX_VALUES, coded
from dmlcore.data.values import (
    cells_inside,
    equal_values,
    first,
    floats,
    in_order,
    integers,
    is_hashable,
    is_number,
    is_real,
    is_row,
    is_too_fine,
    is_vector,
    is_whole,
    plain_list,
    time_hint,
)

LIST_TYPES = {list, tuple}
GAPS_IN_VECTORS = "a vector that lacks a coordinate, PartialGaussianEstimator takes"
MISSING_REMEDY = "where values may be missing, wrap the estimator in OptionalEstimator or use missing_at_random"
PLAIN_TYPES = {type(None), bool, int, float, str, bytes, tuple, frozenset, date, datetime}
_NO_MARKS = {type(None), int, str, bool, bytes}  # types of labels that are no marks but None, and hold none


@dataclass(frozen=True)
class Layout(ABC):
    """Base: any observation. `label` names the node in messages and does not count in comparisons."""

    label: str = field(default="", compare=False)

    remedy: ClassVar[str] = MISSING_REMEDY
    single: ClassVar[bool] = False  # whether an observation is one value, without parts that messages could name
    width: ClassVar[int] = 1  # over how many columns of a table an observation that is no vector may lie; gaps there are part of it

    @abstractmethod
    def encode(self, values: Any) -> Column:
        """The column of a list (or array) of observations. Raises `BadValue`."""

    def joined(self, other: Layout) -> Layout | None:
        """The layout that laws of this one and of another can both read, or None."""
        return self if self == other or isinstance(other, Anything) else None

    @property
    def version(self) -> Any:
        """Under which key its column stands among `Versions`."""
        return type(self)

    @property
    def takes_missing(self) -> bool:
        """Whether an observation may be missing as a whole: a mark in its place is no error."""
        return False

    def absent(self, values: Any) -> np.ndarray:
        """Which observations an Optional takes for missing, `(n,)`: the marks, and those that say nothing without a part they lack."""
        return values.missing if isinstance(values, PlainColumn) else missing_among(values)

    def without_none(self) -> Layout:
        """The same, where None is a mark and never a label: what stands inside an Optional."""
        return self

    def bad(self, index: int, value: Any, need: str, mark: bool = False) -> BadValue:
        """That one value is none of this layout. mark: whether it holds a mark of something missing; a mark itself says so."""
        hint = f" ({self.remedy})" if mark or is_missing(value) else ""
        shown = value if isinstance(value, (np.datetime64, np.timedelta64)) else plain(value)  # NaT would be None
        return BadValue(int(index), shown, need + hint, f".{self.label}")


@dataclass(frozen=True)
class Anything(Layout):
    """Observations nobody looks at."""

    @property
    def takes_missing(self) -> bool:
        return True

    def encode(self, values: Any) -> Column:
        return Blank(len(values))

    def joined(self, other: Layout) -> Layout | None:
        return other


class Value(Layout):
    """One number or one label. Laws of several kinds of them can read the same observations, each what it can."""

    single = True

    def joined(self, other: Layout) -> Layout | None:
        if self == other or not isinstance(other, Value):
            return super().joined(other)
        return AnyKind(self.label, self.kinds() | other.kinds())

    def kinds(self) -> frozenset[Any]:
        """The kinds of values that are among those it reads."""
        return frozenset({self.version})


@dataclass(frozen=True)
class Real(Value):
    """A real number; with `finite`, no infinite one."""

    finite: bool = field(default=False, compare=False)

    def encode(self, values: Any) -> Column:
        need = "a real number"
        x = floats(values)
        if x is None:
            index = first_odd(values, is_number)
            raise self.bad(index, values[index], need + time_hint(values[index]))
        missing = np.isnan(x)
        if missing.any():
            index = int(np.argmax(missing))
            raise self.bad(index, values[index], need)
        if self.finite and not np.isfinite(x).all():
            index = int(np.argmax(~np.isfinite(x)))
            raise self.bad(index, values[index], "a finite real number")
        return Values(x)


@dataclass(frozen=True)
class Weight(Real):
    """A finite number >= 0: how often something counts."""

    def encode(self, values: Any) -> Column:
        column: Any = super().encode(values)
        wrong = ~((column.x >= 0) & np.isfinite(column.x))
        if wrong.any():
            index = int(np.argmax(wrong))
            raise self.bad(index, values[index], "a finite number >= 0")
        return column


@dataclass(frozen=True)
class RealAtom(Real):
    """A number, for a law that gives a probability to one, `at`. Beside others, it reads that one, which laws of reals then do not read."""

    at: float = 0.0

    @property
    def version(self) -> Any:
        return self


@dataclass(frozen=True)
class Count(Value):
    """A whole number."""

    def encode(self, values: Any) -> Column:
        x = integers(values)
        if x is None:
            index = first_odd(values, is_whole)
            hint = "" if is_missing(values[index]) else " (of at most 64 bits)" + time_hint(values[index])
            raise self.bad(index, values[index], "whole numbers" + hint)
        return coded(x)


@dataclass(frozen=True, eq=False)
class Vector(Layout):
    """A vector of `dim` reals (any one length, if None). Stored column by column, so that one coordinate of all rows is contiguous."""

    dim: int | None = field(default=None, compare=False)

    remedy: ClassVar[str] = f"{MISSING_REMEDY}; {GAPS_IN_VECTORS}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vector):
            return NotImplemented
        return self.dim is None or other.dim is None or self.dim == other.dim

    __hash__ = Layout.__hash__

    def encode(self, values: Any) -> Column:
        values = cells_inside(values)
        try:
            x: Any = np.asarray(values)
            x = np.asfortranarray(x, dtype=np.float64) if x.dtype.kind in "fiub" else None
        except (TypeError, ValueError):
            x = None
        dim = self.dim
        if x is None or x.ndim != 2 or not x.shape[1] or (dim is not None and x.shape[1] != dim and len(x)):
            dim = dim or (len(values[0]) if len(values) and hasattr(values[0], "__len__") else None)
            index = first(values, lambda v: not is_vector(v, dim))
            if index is not None:
                raise self.bad(index, values[index], f"vectors of {dim or 'some'} real numbers", lacks_a_part(values[index]))
            x = np.zeros((0, dim or 0)) if not len(values) else np.asfortranarray([np.asarray(v, np.float64) for v in values])
        missing = np.isnan(x).any(axis=1)
        if missing.any():
            index = int(np.argmax(missing))
            raise self.bad(index, x[index].tolist(), "vectors without missing entries", mark=True)
        return Values(x)


@dataclass(frozen=True, eq=False)
class Covariates(Vector):
    """A vector of finite reals; where it has one entry, the bare number will do."""

    remedy: ClassVar[str] = MISSING_REMEDY

    def encode(self, values: Any) -> Column:
        single = floats(values) if self.dim in (None, 1) and len(values) and not np.ndim(values[0]) else None
        if not len(values) or (isinstance(values, np.ndarray) and values.ndim == 2 and not values.shape[1]) or self._are_empty(values):
            return Values(np.zeros((len(values), self.dim or 0)))
        column: Any = super().encode(values if single is None else single[:, None])
        infinite = np.isinf(column.x).any(axis=1)
        if infinite.any():
            index = int(np.argmax(infinite))
            raise self.bad(index, column.x[index].tolist(), "vectors of finite real numbers")
        return column

    def absent(self, values: Any) -> np.ndarray:
        return np.fromiter(map(lacks_a_part, values), dtype=bool, count=len(values))

    def _are_empty(self, values: Any) -> bool:
        return not self.dim and all(np.ndim(v) == 1 and not len(v) for v in values[:1]) and all(np.shape(v) == (0,) for v in values)


@dataclass(frozen=True)
class Labels(Value):
    """A label: any hashable that equals itself. none: whether None may be one (in lists; in tables it is a missing cell)."""

    none: bool = field(default=True, compare=False)

    def without_none(self) -> Layout:
        return replace(self, none=False)

    def encode(self, values: Any) -> Column:
        codes, vocabulary = self.number(values)
        return Distinct(codes, Values(vocabulary))

    def number(self, values: Any) -> tuple[np.ndarray, Vocabulary]:
        """Codes `(n,)` and the vocabulary they point into, in sorted order where labels can be sorted."""
        if isinstance(values, Factor):
            return self._number_levels(values)
        values = plain_list(values) if isinstance(values, np.ndarray) else values
        try:
            seen = dict.fromkeys(values)
        except TypeError:
            index = first(values, lambda v: not is_hashable(v))
            raise self.bad(index, values[index], "hashable labels") from None
        self._refuse_marks(values, seen)
        if not set(map(type, seen)) <= PLAIN_TYPES:  # some do not hash like the plain value they hold
            values = [plain(v) for v in values]
            seen = dict.fromkeys(values)
            if any(map(is_too_fine, seen)):
                index = first(values, is_too_fine)
                raise self.bad(index, values[index], "times and durations of whole microseconds")
        vocabulary = Vocabulary(in_order(plain(v) for v in seen))
        width = np.uint16 if len(vocabulary) <= 1 << 16 else np.int32
        return np.fromiter(map(vocabulary.place.__getitem__, values), dtype=width, count=len(values)), vocabulary

    def _number_levels(self, column: Factor) -> tuple[np.ndarray, Vocabulary]:
        """The same, from the levels that occur: rows are looked at where one of these, or a gap, is no label."""
        there = np.zeros(len(column.levels) + 1, dtype=bool)
        there[column.codes] = True  # the last, where there is a gap
        if there[-1]:
            return self.number(column.tolist())
        used = np.flatnonzero(there)
        try:
            codes, vocabulary = self.number([column.levels[i] for i in used.tolist()])
        except BadValue:
            return self.number(column.tolist())
        place = np.zeros(len(column.levels), dtype=codes.dtype)
        place[used] = codes
        return place[column.codes], vocabulary

    def _refuse_marks(self, values: Any, seen: Any) -> None:
        """Raises `BadValue` at the first label that is, or holds, a mark. seen: the distinct labels."""
        if (None not in seen or self.none) and set(map(type, seen)) <= _NO_MARKS:
            return

        def refused(label: Any) -> bool:
            return holds_mark(label) or (label is None and not self.none)

        if any(map(refused, seen)):
            index = first(values, refused)
            inside = isinstance(values[index], (tuple, frozenset))
            raise self.bad(index, values[index], "a label without missing parts (None may stand for one)" if inside else "a label")


@dataclass(frozen=True)
class AnyKind(Value):
    """A number or a label that laws of several kinds read: a column for each of them, of the rows that it can read."""

    read_by: frozenset[Any] = frozenset()  # kinds, and atoms
    none: bool = field(default=True, compare=False)  # as of `Labels`

    def without_none(self) -> Layout:
        return replace(self, none=False)

    def kinds(self) -> frozenset[Any]:
        """The kinds of values that are among those it reads."""
        return self.read_by

    @property
    def atoms(self) -> list[RealAtom]:
        """The numbers that have a probability each."""
        return [kind for kind in self.read_by if isinstance(kind, RealAtom)]

    def encode(self, values: Any) -> Column:
        if Labels in self.read_by:
            codes, vocabulary = Labels(self.label, self.none).number(values)
            return Distinct(codes, self.versions(list(vocabulary), {Labels: Values(vocabulary)}))
        x: Any = Real(self.label).encode(values)
        whole = integers(values)
        if whole is None:
            return self.versions(x.x.tolist(), {Real: x})
        column: Any = coded(whole)
        if not isinstance(column, Distinct):
            return self.versions(whole, {Real: x, Count: column})
        distinct: Any = column.values
        return Distinct(column.codes, self.versions(distinct.x, {Real: Values(distinct.x.astype(np.float64)), Count: distinct}))

    def versions(self, values: Any, known: dict[Any, Column]) -> Versions:
        """The columns of values that every kind reads in its own way; those in `known` are of all rows."""
        n = len(values)
        out = {kind: Option(n, np.arange(n), column) for kind, column in known.items()}
        atoms = self.atoms
        for kind, reads in ((Real, is_real), (Count, is_whole)):
            if kind not in out and (kind in self.read_by or (atoms and kind is Real)):
                rows = np.fromiter((i for i, v in enumerate(values) if reads(v)), dtype=np.intp)
                x = np.array([values[i] for i in rows.tolist()], dtype=np.int64 if kind is Count else np.float64)
                out[kind] = Option(n, rows, Values(x))
        return Versions(n, out | _with_atoms(out[Real], atoms) if atoms else out)


def _with_atoms(reals: Option, atoms: list[RealAtom]) -> dict[Any, Option]:
    """Reals as each of the atoms reads them, and as laws of reals do: those that are none of the atoms."""
    x = reals.value.x  # type: ignore[attr-defined]
    read = {atom: x == atom.at for atom in atoms}
    read_as: dict[Any, np.ndarray] = {**read, Real: ~np.any(list(read.values()), axis=0)}
    return {kind: Option(reals.n, reals.present[there], Values(x[there])) for kind, there in read_as.items()}


@dataclass(frozen=True)
class Maybe(Layout):
    """An observation of `value`, or missing: a mark, `missing`, or what `value` takes for missing."""

    value: Layout = field(default_factory=lambda: Anything())
    missing: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", self.value.without_none())
        if is_missing(self.missing):  # marks are missing whatever `missing` is
            object.__setattr__(self, "missing", None)

    @property
    def takes_missing(self) -> bool:
        return True

    def encode(self, values: Any) -> Column:
        there = self.present(values)
        present = np.flatnonzero(there)
        if isinstance(values, (np.ndarray, PlainColumn)):
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
            gone = int(len(present) < len(values))  # complete data have no value more than they would have alone
            return Distinct(codes, Option(m + gone, np.arange(m), child.values))
        return Option(len(values), present, child)

    def joined(self, other: Layout) -> Layout | None:
        alike = isinstance(other, Maybe) and replace(other, value=self.value) == self
        value = self.value.joined(other.value) if alike else None  # type: ignore[attr-defined]
        return super().joined(other) if value is None else replace(self, value=value)

    def present(self, values: Any) -> np.ndarray:
        """Which observations are there, `(n,)`."""
        there = ~self.value.absent(values)
        if is_missing(self.missing):
            return there
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
            return there & (values != self.missing) if is_number(self.missing) else there
        return there & np.fromiter((not equal_values(v, self.missing) for v in values), dtype=bool, count=len(values))


@dataclass(frozen=True)
class Fields(Layout):
    """A tuple with one entry for each of `values`. Where each entry may be missing, a mark in place of the tuple says that all are.

    entry_names: of the entries. Frames are then read by name, whatever their order and what else they hold; mappings too, in which a key
    that is not there, or None, stands for a missing entry. A tuple of names is that of a vector over several columns, of which a frame or
    a mapping holds each coordinate by itself, and a tuple the vector.
    """

    values: tuple[Layout, ...] = ()
    entry_names: tuple[str | tuple[str, ...], ...] | None = field(default=None, compare=False)

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The names of the columns that the entries are read from, one after the other."""
        return None if self.entry_names is None else tuple(chain.from_iterable(map(columns_of, self.entry_names)))

    @property
    def takes_missing(self) -> bool:
        return all(part.takes_missing for part in self.values)

    def without_none(self) -> Layout:
        return replace(self, values=tuple(part.without_none() for part in self.values))

    def entries(self, row: Any) -> Any:
        """The entries of one row: all of them missing, where the row is."""
        if isinstance(row, Mapping) and self.entry_names is not None:
            return tuple(row.get(name) if isinstance(name, str) else list(map(row.get, name)) for name in self.entry_names)
        return (math.nan,) * len(self.values) if is_missing(row) else row

    def place(self, j: int) -> str:
        """How messages call an entry: by its name."""
        return f"field {j}" if self.entry_names is None else ", ".join(columns_of(self.entry_names[j]))

    def named(self, names: Sequence[Any]) -> Fields:
        """The same with these names for its entries, if they have none and all of these are text; else as it is."""
        new = self.names is None and len(names) == len(self.values) and all(isinstance(name, str) for name in names)
        return replace(self, entry_names=tuple(names)) if new else self

    def joined(self, other: Layout) -> Layout | None:
        if type(other) is not type(self) or len(other.values) != len(self.values):
            return super().joined(other)
        if None not in (self.entry_names, other.entry_names) and self.entry_names != other.entry_names:
            return None
        values = [one.joined(two) for one, two in zip(self.values, other.values, strict=True)]
        there = tuple(value for value in values if value is not None)
        return replace(self, values=there, entry_names=self.entry_names or other.entry_names) if len(there) == len(values) else None

    def encode(self, values: Any) -> Column:
        n, k = len(values), len(self.values)
        parts: Sequence[Layout] = self.values
        columns: Sequence[Any]
        if isinstance(values, Columns):
            columns = values.columns if self.entry_names is None else self._by_name(values.column)
            if len(columns) != k:
                raise BadValue(0, f"a row of {len(columns)} columns", f"{k} columns, one for each field", "")
        elif self.names is not None and any(isinstance(row, Mapping) for row in values):
            rows = [row if isinstance(row, Mapping) else self._as_mapping(values, i) for i, row in enumerate(values)]
            columns = self._by_name(lambda name: [row.get(name) for row in rows])
            parts = [part.without_none() for part in parts]
        elif isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == k:
            columns = [values[:, j] for j in range(k)]
        else:
            if self.takes_missing and not set(map(type, values)) <= LIST_TYPES:
                values = list(map(self.entries, values))
            if not set(map(type, values)) <= LIST_TYPES or set(map(len, values)) - {k}:
                index = first(values, lambda v: not is_row(v, k))
                if index is not None:
                    raise self._no_row(index, values[index])
            columns = list(zip(*values, strict=True)) if n else [()] * k
        out = []
        for j, (layout, column) in enumerate(zip(parts, columns, strict=True)):
            try:
                out.append(layout.encode(column))
            except BadValue as error:
                error.path = f".{self.place(j)}{error.path if self.names is None or has_inner_places(layout) else ''}"
                raise
        return Record(n, tuple(out))

    def _by_name(self, column: Callable[[str], Any]) -> list[Any]:
        """A column for each entry, from those of a table."""
        pairs = zip(self.entry_names or (), self.values, strict=True)
        return [column(name) if isinstance(name, str) else stacked(list(map(column, name)), name, layout) for name, layout in pairs]

    def _as_mapping(self, values: Any, index: int) -> dict[str, Any]:
        row = values[index]
        if is_missing(row) and self.takes_missing:
            return {}
        vectors = zip(self.entry_names or (), row, strict=False) if is_row(row, len(self.values)) else ()
        if not vectors or any(not (isinstance(name, str) or is_missing(v) or is_row(v, len(name))) for name, v in vectors):
            raise self._no_row(index, row)
        return self.by_name(row)

    def by_name(self, row: Sequence[Any]) -> dict[str, Any]:
        """The entries of a row by the names of their columns, a vector over several of them coordinate by coordinate."""
        out: dict[str, Any] = {}
        for name, value in zip(self.entry_names or (), row, strict=True):
            if isinstance(name, str):
                out[name] = value
            else:
                one = is_missing(value) or is_number(value)  # both ends of an interval
                out.update(zip(name, repeat(None if is_missing(value) else value) if one else map(plain, value), strict=False))
        return out

    def _no_row(self, index: int, row: Any) -> BadValue:
        need = f"a tuple of {len(self.values)} entries, one for each field"
        if self.names is not None:
            need = f"a mapping with the keys {', '.join(self.names)}, or {need}"
        elif isinstance(row, Mapping):
            need += "; to read mappings, name the fields: CompositeEstimator({'age': .., 'city': ..})"
        error = self.bad(index, row, need)
        error.path = ""
        return error


def columns_of(name: str | tuple[str, ...]) -> tuple[str, ...]:
    """The names of the columns that an entry of a name is read from."""
    return (name,) if isinstance(name, str) else name


def stacked(columns: Sequence[Any], names: Sequence[str], layout: Layout) -> np.ndarray:
    """Columns as the vectors `(n, d)` that a layout reads, NaN where it takes a gap. Raises `BadValue` that names the column."""
    out, reader = np.full((len(columns[0]), len(columns)), np.nan, order="F"), Real(layout.label)
    for j, (column, name) in enumerate(zip(columns, names, strict=True)):
        gone = reader.absent(column)
        if gone.any() and not layout.takes_missing and layout.width == 1:
            index = int(np.argmax(gone))
            raise BadValue(index, plain(column[index]), f"a real number ({GAPS_IN_VECTORS})", f".{name}")
        there = np.flatnonzero(~gone)
        inside = column[there] if isinstance(column, (np.ndarray, PlainColumn)) else [column[i] for i in there.tolist()]
        try:
            x: Any = reader.encode(inside)
        except BadValue as error:
            error.index, error.path = int(there[error.index]), f".{name}"
            raise
        out[there, j] = x.x
    return out


def first_odd(values: Any, reads: Callable[[Any], bool], written: Callable[[str], Any] = float) -> int:
    """Which value is the first that a law does not read. One cell of text makes a whole column of a CSV file text: of text, the first
    that is not a value as it is `written`, where some are."""
    if isinstance(values, Factor):
        odd = np.fromiter((not _is_written(level, reads, written) for level in (*values.levels, None)), dtype=bool)  # the last one, a gap
        rows = odd[values.codes]
        return int(np.argmax(rows)) if rows.any() else 0
    return int(first(values, lambda v: not reads(v)))


def _is_written(text: Any, reads: Callable[[Any], bool], written: Callable[[str], Any]) -> bool:
    try:
        return reads(written(text))
    except (TypeError, ValueError):
        return False


def has_inner_places(layout: Layout) -> bool:
    """Whether messages must say where in a value of this layout something is wrong: it has entries of its own."""
    return has_inner_places(layout.value) if isinstance(layout, Maybe) else not layout.single


@dataclass(frozen=True)
class Explained(Fields):
    """A response (or what is explained) with what it is given, `(x, y, ..)`: where one of them is missing, the rest says nothing."""

    def absent(self, values: Any) -> np.ndarray:
        gone = missing_among(values)
        rows = [i for i, v in enumerate(values) if is_row(v, len(self.values))]
        for column in zip(*(values[i] for i in rows), strict=True) if rows else ():
            gone[rows] |= np.fromiter(map(lacks_a_part, column), dtype=bool, count=len(rows))
        return gone


def lacks_a_part(value: Any) -> bool:
    """Whether a value, or an entry of it where it is a vector, is a mark."""
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "fiub" and not isinstance(value, np.ma.MaskedArray):
        return value.dtype.kind == "f" and bool(np.isnan(value).any())
    listed = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)
    return any(map(is_missing, value)) if listed else is_missing(value)
