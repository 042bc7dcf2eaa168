"""Layouts: what one observation of a node looks like, and how many of them become a column.

Here is where the wrong kind of value is refused, with its position; `dmlcore.data.encoded` turns that into path and row.
Two nodes can share data exactly if their layouts are equal. `label` is only for messages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import field, replace
from datetime import date, datetime
from typing import Any, ClassVar

import numpy as np

from dmlcore.base.errors import BadValue
from dmlcore.base.labels import LABEL_TYPES, Vocabulary, is_kept, plain
from dmlcore.base.marks import holds_mark, is_missing, missing_among
from dmlcore.base.records import dataclass
from dmlcore.data.columns import Blank, Column, Distinct, Option, Values, Versions
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
    is_listed,
    is_number,
    is_real,
    is_too_fine,
    is_vector,
    is_whole,
    matrix,
    plain_list,
    time_hint,
)

LIST_TYPES = {list, tuple}
GAPS_IN_VECTORS = "a vector that lacks a coordinate, PartialGaussianEstimator takes"
MISSING_REMEDY = "where values may be missing, wrap the estimator in OptionalEstimator or use missing_at_random"
PLAIN_TYPES = {type(None), bool, int, float, str, bytes, tuple, frozenset, date, datetime}
_KEPT_BY_TYPE = PLAIN_TYPES - {int, tuple, frozenset}  # types of which every value is kept in files: not what is too wide, or too deep
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
    of_any_kind: ClassVar[bool] = True  # whether it may be read beside other kinds

    def joined(self, other: Layout) -> Layout | None:
        if self == other or not (isinstance(other, Value) and self.of_any_kind and other.of_any_kind):
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
    """A finite number >= 0: how often something counts. No law of numbers reads it, as it has no law."""

    of_any_kind = False

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
        x: Any = matrix(values)
        dim = self.dim
        if x is None or not x.shape[1] or (dim is not None and x.shape[1] != dim and len(x)):
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
        single = floats(values) if self.dim in (None, 1) and len(values) and not is_listed(values[0]) else None
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
        return not self.dim and all(is_listed(v) and not len(v) for v in values)


@dataclass(frozen=True)
class Labels(Value):
    """A label: any hashable that equals itself. none: whether None may be one (in lists; in tables it is a missing cell)."""

    none: bool = field(default=True, compare=False)

    def without_none(self) -> Layout:
        return replace(self, none=False)

    def encode(self, values: Any) -> Column:
        codes, vocabulary = self.number(values)
        return Distinct(codes, Values(vocabulary))

    def arranged(self, labels: Iterable[Any]) -> list[Any]:
        """Labels as they stand in a vocabulary."""
        return in_order(labels)

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
        kinds = set(map(type, seen))
        if not kinds <= PLAIN_TYPES:  # some do not hash like the plain value they hold
            values = [plain(v) for v in values]
            seen = dict.fromkeys(values)
            self._refuse_any(is_too_fine, values, seen, "times and durations of whole microseconds")
        if not kinds <= _KEPT_BY_TYPE:
            need = f"labels that a file of the model can hold ({LABEL_TYPES}), such as str(..) of it"
            self._refuse_any(lambda label: not is_kept(label), values, seen, need)
        vocabulary = Vocabulary(self.arranged(plain(v) for v in seen))
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

    def _refuse_any(self, wrong: Callable[[Any], bool], values: Any, seen: Any, need: str) -> None:
        """Raises `BadValue` at the first label that is wrong. seen: the distinct labels."""
        if any(map(wrong, seen)):
            index = first(values, wrong)
            raise self.bad(index, values[index], need)

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


def lacks_a_part(value: Any) -> bool:
    """Whether a value, or an entry of it where it is a vector, is a mark."""
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "fiub" and not isinstance(value, np.ma.MaskedArray):
        return value.dtype.kind == "f" and bool(np.isnan(value).any())
    listed = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)
    return any(map(is_missing, value)) if listed else is_missing(value)
