"""Layouts of records: several values of one observation, from tuples, mappings, or the columns of a table by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from itertools import chain, repeat
from typing import Any

import numpy as np

from dmlcore.base.errors import BadValue
from dmlcore.base.labels import plain
from dmlcore.base.marks import is_missing, missing_among
from dmlcore.base.records import dataclass
from dmlcore.data.columns import Column, Record
from dmlcore.data.frames import Columns
from dmlcore.data.layouts import GAPS_IN_VECTORS, LIST_TYPES, Layout, Maybe, Real, lacks_a_part
from dmlcore.data.plain_columns import PlainColumn
from dmlcore.data.values import first, is_number, is_row


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


@dataclass(frozen=True)
class Explained(Fields):
    """A response (or what is explained) with what it is given, `(x, y, ..)`: where one of them is missing, the rest says nothing."""

    def absent(self, values: Any) -> np.ndarray:
        gone = missing_among(values)
        rows = [i for i, v in enumerate(values) if is_row(v, len(self.values))]
        for column in zip(*(values[i] for i in rows), strict=True) if rows else ():
            gone[rows] |= np.fromiter(map(lacks_a_part, column), dtype=bool, count=len(rows))
        return gone


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


def has_inner_places(layout: Layout) -> bool:
    """Whether messages must say where in a value of this layout something is wrong: it has entries of its own."""
    return has_inner_places(layout.value) if isinstance(layout, Maybe) else not layout.single
