"""Columns: encoded observations. Few layouts, those of Apache Arrow, as immutable values that can be cut into blocks.

    Values    one contiguous array, `(n,)` or `(n, d)`, or the labels of a vocabulary
    Distinct  the distinct values once (a column), and one code per row
    Option    which rows are present, and the column of those rows
    Versions  the same rows as laws of several kinds read them
    Parallel  the same rows as columns of several layouts
    Overlapping  lists as the windows that a law of each element given those before it reads
    Ragged    offsets, and the flat column of all elements, with the column of lengths
    Bags      ragged: distinct values, and how often each is there
    Record    one column per field
    Chain     sequences of labels as their first label and counted pairs of successive labels
    Blank     rows nobody looks at

A block is a slice of a column: a view, with offsets moved.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.labels import Vocabulary

CHEAP = 8  # pairs of a chain that cost about as much as one row of reals
DEAR = 2  # elements of an ordered list cost about as much as so many: several passes go over them, which small blocks keep in the cache


class Column(ABC):
    """Base of the layouts. `len(column)` is the number of rows."""

    n: int

    def __len__(self) -> int:
        return self.n

    @abstractmethod
    def slice(self, start: int, stop: int) -> Any:
        """Rows `start` to `stop`, as a view."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> Any:
        """A copy of chosen rows, in the order given."""

    @abstractmethod
    def row(self, i: int) -> Any:
        """One observation as plain values, for messages; None where it is missing or nobody looks."""

    def listed(self) -> list[Any]:
        """All observations as plain values, as `row` gives them."""
        return list(map(self.row, range(self.n)))

    def work(self) -> np.ndarray | None:
        """Elements before each row, shape `(n + 1,)`, where a row may hold many; None where a row is one element."""
        return None

    def shortened(self, most: int) -> Column:
        """The same rows, of whose lists only the first elements are looked at, so many at most; their lengths stay what they were."""
        return self

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(v.nbytes for v in vars(self).values() if isinstance(v, (np.ndarray, Column)))


class Values(Column):
    """Numbers `(n,)`, vectors `(n, d)`, or a `Vocabulary` (each label one row)."""

    def __init__(self, x: Any):
        self.x, self.n = x, len(x)

    def slice(self, start: int, stop: int) -> Values:
        return Values(self.x[start:stop])

    def take(self, rows: np.ndarray) -> Column:
        if not isinstance(self.x, Vocabulary):
            return Values(self.x[rows])
        labels = Vocabulary([self.x[i] for i in rows.tolist()])
        return Values(labels) if len(labels) == len(rows) else Distinct(rows, self)  # a vocabulary has each label once

    def row(self, i: int) -> Any:
        return self.x[i] if isinstance(self.x, Vocabulary) else self.x[i].tolist()

    def listed(self) -> list[Any]:
        return list(self.x) if isinstance(self.x, Vocabulary) else self.x.tolist()

    @cached_property
    def extent(self) -> tuple[float, float]:
        """Smallest and largest number; (inf, -inf) of an empty column."""
        if self.n == 0:
            return np.inf, -np.inf
        if self.x.size == 1:
            return self.x.item(), self.x.item()
        return self.x.min(), self.x.max()


class Distinct(Column):
    """`codes` `(n,)` into the rows of `values`, a column of distinct observations shared by all blocks.

    Like fields of records that a fit reads together have one code for each field `(n, J)`: a row's log density is the sum over these.
    """

    def __init__(self, codes: np.ndarray, values: Column):
        self.codes, self.values, self.n = codes, values, len(codes)

    def slice(self, start: int, stop: int) -> Distinct:
        return Distinct(self.codes[start:stop], self.values)

    def take(self, rows: np.ndarray) -> Distinct:
        return Distinct(self.codes[rows], self.values)

    def row(self, i: int) -> Any:
        return self.values.row(int(self.codes[i]))

    def shortened(self, most: int) -> Column:
        return Distinct(self.codes, self.values.shortened(most))

    def listed(self) -> list[Any]:
        there, codes = np.unique(self.codes, return_inverse=True)
        values = self.values.take(there).listed()
        return [values[code] for code in codes.tolist()]


class Option(Column):
    """`present` holds the positions of the rows that are there, in order; `value` their column. The others are missing."""

    def __init__(self, n: int, present: np.ndarray, value: Column):
        self.n, self.present, self.value = n, present, value

    def slice(self, start: int, stop: int) -> Option:
        a, b = np.searchsorted(self.present, [start, stop])
        return Option(stop - start, self.present[a:b] - start, self.value.slice(int(a), int(b)))

    def take(self, rows: np.ndarray) -> Option:
        there, where = _among(self.present, rows)
        return Option(len(rows), there, self.value.take(where))

    def row(self, i: int) -> Any:
        _, where = _among(self.present, np.array([i]))
        return self.value.row(int(where[0])) if len(where) else None

    def listed(self) -> list[Any]:
        out = [None] * self.n
        for i, value in zip(self.present.tolist(), self.value.listed(), strict=True):
            out[i] = value
        return out

    def work(self) -> np.ndarray | None:
        inner = self.value.work()
        return None if inner is None else inner[np.searchsorted(self.present, np.arange(self.n + 1))]

    def shortened(self, most: int) -> Column:
        return Option(self.n, self.present, self.value.shortened(most))


class Versions(Column):
    """Observations as laws of several kinds read them: for each kind the rows it can read, and their column.

    A law that cannot read a row (a count that reads 2.5, a number that reads a word) gives it density zero.
    """

    def __init__(self, n: int, kinds: dict[Any, Option]):
        self.n, self.kinds = n, kinds

    def slice(self, start: int, stop: int) -> Versions:
        return Versions(stop - start, {kind: column.slice(start, stop) for kind, column in self.kinds.items()})

    def take(self, rows: np.ndarray) -> Versions:
        return Versions(len(rows), {kind: column.take(rows) for kind, column in self.kinds.items()})

    def row(self, i: int) -> Any:
        return next((value for value in (column.row(i) for column in self.kinds.values()) if value is not None), None)

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(column.nbytes for column in self.kinds.values())


class Parallel(Column):
    """The same rows as columns of several layouts, by the class of each; a law takes the one that it reads."""

    def __init__(self, n: int, columns: dict[Any, Column]):
        self.n, self.columns = n, columns

    def slice(self, start: int, stop: int) -> Parallel:
        return Parallel(stop - start, {kind: column.slice(start, stop) for kind, column in self.columns.items()})

    def take(self, rows: np.ndarray) -> Parallel:
        return Parallel(len(rows), {kind: column.take(rows) for kind, column in self.columns.items()})

    def row(self, i: int) -> Any:
        return next(iter(self.columns.values())).row(i)

    def work(self) -> np.ndarray | None:
        each = [work for work in (column.work() for column in self.columns.values()) if work is not None]
        return None if not each else max(each, key=lambda work: work[-1])

    def shortened(self, most: int) -> Column:
        return Parallel(self.n, {kind: column.shortened(most) for kind, column in self.columns.items()})

    def read_by(self, node: Any) -> Column:
        """The column that a node reads; all of them, where its children read them in different ways."""
        return self.columns.get(type(node.layout), self)

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(column.nbytes for column in self.columns.values())


class Ragged(Column):
    """Row `i` holds elements `offsets[i]` to `offsets[i + 1]` of `flat`; `lengths` is the column of their numbers.

    ordered: whether the order of elements means something to a law.
    """

    def __init__(self, offsets: np.ndarray, flat: Column, lengths: Column, ordered: bool = False):
        self.offsets, self.flat, self.lengths, self.n = offsets, flat, lengths, len(offsets) - 1
        self.ordered = ordered

    @property
    def x(self) -> Ragged:
        """What formulas of a leaf read."""
        return self

    def slice(self, start: int, stop: int) -> Ragged:
        offsets = self.offsets[start : stop + 1]
        flat = self.flat.slice(int(offsets[0]), int(offsets[-1]))
        return Ragged(offsets - offsets[0], flat, self.lengths.slice(start, stop), self.ordered)

    def take(self, rows: np.ndarray) -> Ragged:
        offsets, elements = taken_elements(self.offsets, rows)
        return Ragged(offsets, self.flat.take(elements), self.lengths.take(rows), self.ordered)

    def row(self, i: int) -> Any:
        return [self.flat.row(j) for j in range(int(self.offsets[i]), int(self.offsets[i + 1]))]

    def work(self) -> np.ndarray:
        inner = self.flat.work()
        elements = self.offsets if inner is None else inner[self.offsets]
        return elements * DEAR if self.ordered else elements

    def shortened(self, most: int) -> Column:
        lengths = np.minimum(np.diff(self.offsets), most)
        if lengths.sum() == self.offsets[-1]:
            return self
        ends = ends_of(lengths)
        kept = np.arange(ends[-1]) + np.repeat(self.offsets[:-1] - ends[:-1], lengths)
        return self.with_elements(ends, kept)

    def with_elements(self, offsets: np.ndarray, elements: np.ndarray) -> Ragged:
        """The same rows with some of their elements, of which they have so many each; their lengths stay what they were."""
        return Ragged(offsets, self.flat.take(elements), self.lengths, self.ordered)


class Bags(Ragged):
    """Row `i` holds each of its elements of `flat` so often as `counts` says; `lengths` is the column of the sums of these, and `log_ways`
    `(n,)` the logarithm of the number of orders that a row's elements could have come in."""

    def __init__(self, offsets: np.ndarray, flat: Column, lengths: Column, counts: np.ndarray, log_ways: np.ndarray):
        super().__init__(offsets, flat, lengths)
        self.counts, self.log_ways = counts, log_ways

    def slice(self, start: int, stop: int) -> Bags:
        part = super().slice(start, stop)
        counts = self.counts[self.offsets[start] : self.offsets[stop]]
        return Bags(part.offsets, part.flat, part.lengths, counts, self.log_ways[start:stop])

    def take(self, rows: np.ndarray) -> Bags:
        offsets, elements = taken_elements(self.offsets, rows)
        return Bags(offsets, self.flat.take(elements), self.lengths.take(rows), self.counts[elements], self.log_ways[rows])

    def with_elements(self, offsets: np.ndarray, elements: np.ndarray) -> Bags:
        return Bags(offsets, self.flat.take(elements), self.lengths, self.counts[elements], self.log_ways)

    def row(self, i: int) -> Any:
        counts = self.counts[self.offsets[i] : self.offsets[i + 1]].astype(np.int64).tolist()
        return list(zip(super().row(i), counts, strict=True))


class Overlapping(Column):
    """Lists as `pairs`, a column of lists of (first elements, None) and then (None, window) for each further element. past: how many
    elements of a list come before the first window; apart: whether a window is a pair of these and the element after them."""

    def __init__(self, pairs: Column, past: int, apart: bool):
        self.pairs, self.past, self.apart, self.n = pairs, past, apart, len(pairs)

    def slice(self, start: int, stop: int) -> Overlapping:
        return Overlapping(self.pairs.slice(start, stop), self.past, self.apart)

    def take(self, rows: np.ndarray) -> Overlapping:
        return Overlapping(self.pairs.take(rows), self.past, self.apart)

    def row(self, i: int) -> Any:
        return self._whole(self.pairs.row(i))

    def _whole(self, pairs: Any) -> list[Any]:
        if not pairs:
            return []
        first, windows = pairs[0][0], [list(window) if window is not None else [None] for _, window in pairs[1:]]
        if first is None and windows:
            first = windows[0][0] if self.apart else windows[0][:-1]
        return [*([None] * self.past if first is None else first), *(window[-1] for window in windows)]

    def work(self) -> np.ndarray | None:
        return self.pairs.work()

    def shortened(self, most: int) -> Column:
        return Overlapping(self.pairs.shortened(most), self.past, self.apart)


class Steps(Ragged):
    """Lists of whole numbers as a chain with a memory reads them: `codes` `(N,)` say at each element which it is and what came before it;
    `first` is the column of the lists of the first elements, of which nothing is said so."""

    def __init__(self, offsets: np.ndarray, flat: Column, lengths: Column, codes: np.ndarray, first: Column):
        super().__init__(offsets, flat, lengths, ordered=True)
        self.codes, self.first = codes, first

    def slice(self, start: int, stop: int) -> Steps:
        part, codes = super().slice(start, stop), self.codes[self.offsets[start] : self.offsets[stop]]
        return Steps(part.offsets, part.flat, part.lengths, codes, self.first.slice(start, stop))

    def take(self, rows: np.ndarray) -> Steps:
        offsets, elements = taken_elements(self.offsets, rows)
        return Steps(offsets, self.flat.take(elements), self.lengths.take(rows), self.codes[elements], self.first.take(rows))

    def shortened(self, most: int) -> Column:
        return self


class Record(Column):
    """One column per field, all of `n` rows."""

    def __init__(self, n: int, fields: tuple[Column, ...]):
        self.n, self.fields = n, fields
        self._kept: dict[int, tuple[Any, Any]] = {}

    def kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """What is made of the fields for a purpose, once."""
        found = self._kept.get(id(key))
        if found is None:
            found = self._kept[id(key)] = key, make()
        return found[1]

    def slice(self, start: int, stop: int) -> Record:
        return Record(stop - start, tuple(field.slice(start, stop) for field in self.fields))

    def take(self, rows: np.ndarray) -> Record:
        return Record(len(rows), tuple(field.take(rows) for field in self.fields))

    def row(self, i: int) -> Any:
        return tuple(field.row(i) for field in self.fields)

    def listed(self) -> list[Any]:
        return list(zip(*(field.listed() for field in self.fields), strict=True)) if self.fields else [()] * self.n

    def work(self) -> np.ndarray | None:
        each = [work for work in (field.work() for field in self.fields) if work is not None]
        return np.sum(each, axis=0) if each else None

    def shortened(self, most: int) -> Column:
        return Record(self.n, tuple(field.shortened(most) for field in self.fields))

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(field.nbytes for field in self.fields)


class Chain(Column):
    """Sequences of labels, as a Markov chain reads them.

    `started` are the positions of non-empty rows and `first` the codes of their first labels in `labels`; row `i` holds the
    pairs `pair_codes[offsets[i]:offsets[i + 1]]` in `pairs`, a vocabulary of `(label, next)`; `lengths` is the column of lengths.
    """

    def __init__(
        self,
        started: np.ndarray,
        first: np.ndarray,
        labels: Vocabulary,
        offsets: np.ndarray,
        pair_codes: np.ndarray,
        pairs: Vocabulary,
        lengths: Column,
    ):
        self.started, self.first, self.labels = started, first, labels
        self.offsets, self.pair_codes, self.pairs, self.lengths = offsets, pair_codes, pairs, lengths
        self.n = len(offsets) - 1

    def slice(self, start: int, stop: int) -> Chain:
        a, b = np.searchsorted(self.started, [start, stop])
        offsets = self.offsets[start : stop + 1]
        codes = self.pair_codes[offsets[0] : offsets[-1]]
        lengths = self.lengths.slice(start, stop)
        return Chain(self.started[a:b] - start, self.first[a:b], self.labels, offsets - offsets[0], codes, self.pairs, lengths)

    def take(self, rows: np.ndarray) -> Chain:
        there, where = _among(self.started, rows)
        offsets, elements = taken_elements(self.offsets, rows)
        return Chain(there, self.first[where], self.labels, offsets, self.pair_codes[elements], self.pairs, self.lengths.take(rows))

    def row(self, i: int) -> Any:
        _, where = _among(self.started, np.array([i]))
        pairs: Any = [self.pairs[code] for code in self.pair_codes[self.offsets[i] : self.offsets[i + 1]].tolist()]
        return [*(self.labels[code] for code in self.first[where].tolist()), *(after for _, after in pairs)]

    def work(self) -> np.ndarray:
        return self.offsets // CHEAP


class Blank(Column):
    """Rows that carry nothing a model looks at."""

    def __init__(self, n: int):
        self.n = n

    def slice(self, start: int, stop: int) -> Blank:
        return Blank(stop - start)

    def take(self, rows: np.ndarray) -> Blank:
        return Blank(len(rows))

    def row(self, i: int) -> None:
        return None


def ends_of(lengths: np.ndarray) -> np.ndarray:
    """Offsets `(n + 1,)` of rows of the given lengths laid end to end."""
    out = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=out[1:])
    return out


def taken_elements(offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of chosen rows laid end to end, and the positions of their elements."""
    lengths = offsets[rows + 1] - offsets[rows]
    ends = ends_of(lengths)
    return ends, np.arange(ends[-1]) + np.repeat(offsets[rows] - ends[:-1], lengths)


def _among(present: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of chosen rows, which (as positions among them) are in the sorted `present`, and where there."""
    where = np.searchsorted(present, rows)
    there = np.flatnonzero(np.append(present, -1)[where] == rows)
    return there, where[there]


def blocks(column: Column, rows: int) -> list[tuple[int, int]]:
    """Cuts rows into ranges of about `rows` rows or elements each, by the data alone, so that sums are the same for any engine."""
    work = column.work()
    if work is None:
        return [(a, min(a + rows, column.n)) for a in range(0, column.n, rows)]
    load = work + np.arange(len(work))
    cuts, start = [], 0
    while start < column.n:
        stop = int(np.searchsorted(load, load[start] + rows, side="right")) - 1
        stop = min(max(stop, start + 1), start + rows, column.n)
        cuts.append((start, stop))
        start = stop
    return cuts
