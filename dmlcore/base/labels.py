"""Labels (categorical values) and tables over them.

A `Vocabulary` numbers distinct labels. A `LabelMap` is an immutable mapping from labels to numbers stored as one array in
the order of a vocabulary: where a column uses that very vocabulary, a whole table is read without one dictionary look-up.
What users read of it is a `FixedDict`, made when they first look.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from dmlcore.base.errors import DataError


class FixedDict(dict[Any, Any]):
    """A dict that refuses to change: what users see of a law's table. `dict(it)`, `it.copy()` and pickles of it are plain dicts."""

    __slots__ = ()

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("the tables of a distribution do not change; change dict(..) of one, and make another distribution of that")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


LABEL_TYPES = (
    "str, bytes, bool, int, float, None, date, time, datetime, timedelta, Decimal, Fraction, UUID, intervals and periods of pandas, "
    "and tuples or frozensets of them"
)
MAX_BITS = 14_000  # of a whole number that a file holds: about 4,200 digits, as many as Python reads back
MAX_NESTED = 30  # tuples in tuples that a label of a file may be
_KEPT_TYPES = {str, bytes, bool, int, float, type(None), date, time, datetime, timedelta}
_KEPT_KINDS = {("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID")}  # told without loading what defines them
_PLAIN_FORMS: dict[type, Any] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: bytes,
    tuple: tuple,
    frozenset: frozenset,
}


def plain(label: Any) -> Any:
    """A scalar of NumPy, a time or duration of pandas, a named tuple, or a member of an Enum that is a str or an int, as the plain Python
    value that it equals; anything else unchanged.

    So are times that Python cannot hold: of nanoseconds, or thousands of years away.
    """
    if type(label) in _KEPT_TYPES:
        return label
    if isinstance(label, (np.datetime64, np.timedelta64)):
        return _plain_time(label)
    if isinstance(label, np.generic):
        return label.item()
    if is_time_of_pandas(label):
        fine = label.nanosecond if hasattr(label, "nanosecond") else label.nanoseconds
        return label if fine else label.to_pydatetime() if hasattr(label, "to_pydatetime") else label.to_pytimedelta()
    for kind, form in _PLAIN_FORMS.items():
        if isinstance(label, kind) and type(label) is not kind:
            return form(label)
    return label


def is_kept(label: Any, nested: int = MAX_NESTED) -> bool:
    """Whether files of models hold a label (`LABEL_TYPES`). nested: how many levels of parts it may have."""
    if type(label) in (tuple, frozenset):
        return nested > 0 and all(is_kept(plain(part), nested - 1) for part in label)
    kind = type(label)
    if kind is int:
        return label.bit_length() <= MAX_BITS  # type: ignore[no-any-return]
    if kind in _KEPT_TYPES or (kind.__module__, kind.__name__) in _KEPT_KINDS:
        return True
    return of_pandas(label, "Interval", "Period", "Timestamp", "Timedelta") or isinstance(label, np.generic)


def of_pandas(value: Any, *names: str) -> bool:
    """Whether a value is of one of some types of pandas (told without loading it)."""
    kind = type(value)
    return kind.__name__ in names and kind.__module__.partition(".")[0] == "pandas"


def is_time_of_pandas(value: Any) -> bool:
    """Whether a value is a Timestamp or a Timedelta."""
    return of_pandas(value, "Timestamp", "Timedelta")


def _plain_time(label: Any) -> Any:
    if np.isnat(label):
        return None
    value = label.item()
    if not isinstance(value, int) or np.datetime_data(label.dtype)[0] in ("Y", "M"):  # years and months are no fixed number of others
        return label if isinstance(value, int) else value
    coarse = label.astype(f"{label.dtype.kind}8[us]")  # NumPy gives finer units as a number of them
    value = coarse.item()
    return label if isinstance(value, int) or coarse != label else value


def distinct(names: list[Any]) -> list[Any]:
    """Names of columns, of which no two are the same. Raises `DataError`."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"column {twice!r} is there {names.count(twice)} times; need distinct names")
    return names


class Vocabulary(Sequence[Hashable]):
    """Distinct labels in a fixed order, and the position of each. Labels equal in Python (1, 1.0, True) are one label."""

    __slots__ = ("__weakref__", "labels", "place", "seen")

    def __init__(self, labels: Iterable[Hashable]):
        self.labels: tuple[Hashable, ...] = tuple(dict.fromkeys(labels))
        self.place: dict[Hashable, int] = dict(zip(self.labels, range(len(self.labels)), strict=True))
        self.seen: tuple[Vocabulary, np.ndarray, bool] | None = None  # the last vocabulary looked up, where its labels are, whether all

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: Any) -> Any:
        if not isinstance(i, slice):
            return self.labels[i]
        part = self.labels[i]
        return self if part is self.labels else Vocabulary(part)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.labels)

    def __contains__(self, label: object) -> bool:
        return label in self.place

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Vocabulary) and self.labels == other.labels)

    def __hash__(self) -> int:
        return hash(self.labels)

    def __reduce__(self) -> Any:
        return Vocabulary, (self.labels,)

    def positions(self, other: Vocabulary) -> np.ndarray:
        """For each label of `other`, its position here, or -1. Shape `(len(other),)`."""
        return self._found(other)[1]

    def read(self, other: Vocabulary, tables: np.ndarray, default: Any) -> np.ndarray:
        """`tables` `(.., len(self))` at the labels of `other`, `(.., len(other))`; `default` where a label is not here."""
        if other is self:
            return tables
        _, positions, complete = self._found(other)
        if not len(self):
            return np.broadcast_to(default, (*tables.shape[:-1], len(other)))
        out = tables[..., positions]
        return out if complete else np.where(positions >= 0, out, default)

    def _found(self, other: Vocabulary) -> tuple[Vocabulary, np.ndarray, bool]:
        found = self.seen  # of the last other vocabulary; one read, as threads may replace it
        if found is None or found[0] is not other:
            place = self.place
            numbers = [place.get(label, -1) for label in other.labels]
            self.seen = found = other, np.array(numbers, dtype=np.intp), -1 not in numbers
        return found

    def union(self, other: Vocabulary) -> Vocabulary:
        """The labels of both: this one's order first. `self` where nothing is added."""
        if other is self or all(label in self.place for label in other.labels):
            return self
        return Vocabulary(self.labels + other.labels)


_shared: weakref.WeakValueDictionary[Any, Vocabulary] = weakref.WeakValueDictionary()


def shared_vocabulary(labels: tuple[Hashable, ...]) -> Vocabulary:
    """The vocabulary of these distinct labels; the same object for the same labels, so that look-ups between tables are shared."""
    key = labels, tuple(map(type, labels))
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = Vocabulary(labels)
    return found


class LabelMap(Mapping[Hashable, float]):
    """An immutable mapping from labels to floats, held as an array `(len(labels),)`; of a stack of laws, `(.., len(labels))`."""

    __slots__ = ("_shown", "labels", "values_array")

    def __init__(self, labels: Vocabulary, values: np.ndarray):
        values = np.ascontiguousarray(values, dtype=np.float64)
        values = values.copy() if values.flags.writeable and values.base is not None else values
        values.setflags(write=False)
        self.labels, self.values_array = labels, values
        self._shown: FixedDict | None = None

    def shown(self) -> FixedDict:
        """As a dict."""
        if self._shown is None:
            self._shown = FixedDict(zip(self.labels.labels, self.values_array.tolist(), strict=True))
        return self._shown

    @classmethod
    def of(cls, mapping: Mapping[Any, float]) -> LabelMap:
        """From any mapping; NumPy scalars among the labels become plain Python values."""
        if isinstance(mapping, LabelMap):
            return mapping
        items = {plain(label): float(value) for label, value in mapping.items()}
        return cls(shared_vocabulary(tuple(items)), np.fromiter(items.values(), dtype=np.float64, count=len(items)))

    def __getitem__(self, label: Any) -> float:
        return float(self.values_array[self.labels.place[label]])

    def __contains__(self, label: object) -> bool:
        return label in self.labels.place

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.labels.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelMap):
            return self.shown() == other
        alike = self.labels.place.keys() == other.labels.place.keys()
        return alike and np.array_equal(self.values_array, other.lookup(self.labels, other.values_array, 0.0))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.shown())

    def __reduce__(self) -> Any:
        return LabelMap, (self.labels, self.values_array)

    def lookup(self, labels: Vocabulary, table: np.ndarray, default: float) -> np.ndarray:
        """`table` `(.., own labels)` read at `labels`; `default` where a label is not here. Shape `(.., len(labels))`."""
        return self.labels.read(labels, table, default)
