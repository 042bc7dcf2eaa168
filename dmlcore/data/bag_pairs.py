"""Two bags of which each word of the second comes from some value of the first, and all pairs that it may be."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.data.columns import Column, Distinct, Record, Values, ends_of, taken_elements
from dmlcore.data.layouts import Anything, Layout
from dmlcore.data.record_layouts import Fields


@dataclass(frozen=True)
class PairsOfBags(Fields):
    """A source bag and a target bag, with each word of the one beside each value of the other, for laws of a word given a value. The pair
    of the sums of their counts is an observation of `lengths`."""

    lengths: Layout = field(default_factory=Anything)

    def joined(self, other: Layout) -> Layout | None:
        both = super().joined(other)
        if both is None or not isinstance(other, PairsOfBags):
            return both
        lengths = self.lengths.joined(other.lengths)
        return None if lengths is None else replace(both, lengths=lengths)  # type: ignore[call-arg]

    def encode(self, values: Any) -> Column:
        record: Any = super().encode(values)
        source, target = record.fields
        value, word, _ = pair_positions(source.offsets, target.offsets)
        pairs = pairs_once(source.flat, target.flat, value, word)
        lengths = self.lengths.encode(list(zip(*(totals(bags).tolist() for bags in record.fields), strict=True)))
        return PairedBags(source, target, pairs, ends_of(np.diff(source.offsets) * np.diff(target.offsets)), lengths)


class PairedBags(Record):
    """Source and target bags; the column of the pairs (value, word) of each row, `ends[i]` to `ends[i + 1]` for row i; and that of the
    pairs of the bags' sums of counts."""

    def __init__(self, source: Any, target: Any, pairs: Column, ends: np.ndarray, lengths: Column):
        super().__init__(len(source), (source, target))
        self.pairs, self.ends, self.lengths = pairs, ends, lengths

    def slice(self, start: int, stop: int) -> PairedBags:
        ends, lengths = self.ends[start : stop + 1], self.lengths.slice(start, stop)
        source, target = (field.slice(start, stop) for field in self.fields)
        return PairedBags(source, target, self.pairs.slice(int(ends[0]), int(ends[-1])), ends - ends[0], lengths)

    def take(self, rows: np.ndarray) -> PairedBags:
        ends, elements = taken_elements(self.ends, rows)
        source, target = (field.take(rows) for field in self.fields)
        return PairedBags(source, target, self.pairs.take(elements), ends, self.lengths.take(rows))

    def work(self) -> np.ndarray:
        return self.ends

    def shortened(self, most: int) -> Column:
        return self

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return super().nbytes + self.pairs.nbytes + self.ends.nbytes + self.lengths.nbytes


def totals(bags: Any) -> np.ndarray:
    """The sums of the counts of bags `(n,)`."""
    return np.diff(np.concatenate([[0], np.cumsum(bags.counts.astype(np.int64))])[bags.offsets])


def pair_positions(sources: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of rows with elements from offsets to offsets, all pairs of an element of one's source and one of its target, those of a target's
    element together: where they are in both `(P,)`, and the offsets of the pairs of each element of a target."""
    owner = np.repeat(np.arange(len(targets) - 1), np.diff(targets))
    width = np.diff(sources)[owner]
    ends = ends_of(width)
    value = np.arange(ends[-1]) + np.repeat(sources[owner] - ends[:-1], width)
    return value, np.repeat(np.arange(len(owner)), width), ends


def pairs_once(values: Any, words: Any, value: np.ndarray, word: np.ndarray) -> Column:
    """Pairs of values and words as a column: where both are numbered or whole numbers, of the distinct pairs."""
    values, words = map(numbered, (values, words))
    if not isinstance(values, Distinct) or not isinstance(words, Distinct):
        return Record(len(value), (values.take(value), words.take(word)))
    size = max(len(words.values), 1)
    there, codes = np.unique(values.codes[value].astype(np.int64) * size + words.codes[word], return_inverse=True)
    pairs = Distinct(there // size, values.values), Distinct(there % size, words.values)
    return Distinct(codes, Record(len(there), pairs))


def numbered(column: Any) -> Any:
    """A column of whole numbers as that of the distinct ones; another as it is."""
    if type(column) is not Values or getattr(column.x, "dtype", None) != np.int64 or column.x.ndim > 1:
        return column
    there, codes = np.unique(column.x, return_inverse=True)
    return Distinct(codes, Values(there))
