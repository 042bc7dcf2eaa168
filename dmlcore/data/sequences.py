"""Layouts of sequences and sets. Rows that hold the same elements, so that a model cannot tell them apart, are kept once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from itertools import chain, pairwise
from typing import Any, ClassVar

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import BadValue
from dmlcore.base.labels import LABEL_TYPES, Vocabulary
from dmlcore.base.records import dataclass
from dmlcore.data.columns import Bags, Chain, Column, Distinct, Overlapping, Parallel, Ragged, Steps, Values, ends_of, taken_elements
from dmlcore.data.layouts import LIST_TYPES, Anything, Count, Labels, Layout
from dmlcore.data.repeats import CODED_MAX_VALUES, CODED_MIN_ROWS, coded, same_bags
from dmlcore.data.values import TEXT_TYPES, cells_inside, first, in_order_of_kinds, integers, is_hashable, is_whole

LARGEST_SUM = 2.0**63  # which the counts of a bag do not reach
FEW_LABELS = 256  # labels that are sooner gone through in Python than handed to NumPy


class Lists(Layout):
    """A list or a set. Laws that read one in different ways can stand beside each other."""

    def joined(self, other: Layout) -> Layout | None:
        if isinstance(other, Readings) or (isinstance(other, Lists) and type(other) is not type(self)):
            return Readings(self.label, (self,)).joined(other)
        return super().joined(other)


@dataclass(frozen=True)
class Readings(Layout):
    """An observation that laws read in several ways, by a layout of each class."""

    ways: tuple[Layout, ...] = ()

    def without_none(self) -> Layout:
        return replace(self, ways=tuple(way.without_none() for way in self.ways))

    def joined(self, other: Layout) -> Layout | None:
        if not isinstance(other, (Readings, Lists)):
            return super().joined(other)
        ways: dict[type, Any] = {type(way): way for way in self.ways}
        for way in other.ways if isinstance(other, Readings) else (other,):
            ways[type(way)] = ways[type(way)].joined(way) if type(way) in ways else way
        return None if None in ways.values() else replace(self, ways=tuple(ways.values()))

    def encode(self, values: Any) -> Column:
        return Parallel(len(values), {type(way): way.encode(values) for way in self.ways})


@dataclass(frozen=True)
class Repeated(Lists):
    """A sequence of observations of `value`: a list, a tuple or an array; its length is an observation of `length`.

    ordered: whether lists of the same elements in another order are different: to a law that minds the order.
    """

    value: Layout = field(default_factory=Anything)
    length: Layout = field(default_factory=Anything)
    ordered: bool = False

    def without_none(self) -> Layout:
        return replace(self, value=self.value.without_none())

    def joined(self, other: Layout) -> Layout | None:
        if type(other) is not type(self):
            return super().joined(other)
        value, length = self.value.joined(other.value), self.length.joined(other.length)
        ordered = self.ordered or other.ordered
        return None if value is None or length is None else replace(self, value=value, length=length, ordered=ordered)

    def encode(self, values: Any) -> Column:
        flat, offsets, lengths = flattened(self, values)
        try:
            column = self.value.encode(flat)
        except BadValue as error:
            place_element(error, offsets)
            error.path = f" ({self.label}){error.path}"
            raise
        if not isinstance(column, Distinct):
            return Ragged(offsets, column, self.length.encode(lengths), self.ordered)
        groups = same_bags(offsets, column.codes, len(column.values), ordered=self.ordered)
        if groups is None:
            return Ragged(offsets, column, self.length.encode(lengths), self.ordered)
        kept, codes = groups
        offsets, elements = taken_elements(offsets, kept)
        kept_column = Distinct(column.codes[elements], column.values)
        return Distinct(codes, Ragged(offsets, kept_column, self.length.encode(lengths[kept]), self.ordered))


@dataclass(frozen=True)
class Lookback(Lists):
    """A list, read by `lists` as pairs: (its first `lag` elements, None), and then (None, window) for each further element, where a
    window is the `lag` elements before it and itself, in one tuple or, if `apart`, as the pair ((elements before), element)."""

    lists: Layout = field(default_factory=Anything)
    lag: int = 0
    apart: bool = False

    def joined(self, other: Layout) -> Layout | None:
        if not isinstance(other, Lookback):
            return super().joined(other)
        lists = self.lists.joined(other.lists)
        return None if lists is None or replace(other, lists=self.lists) != self else replace(self, lists=lists)

    def encode(self, values: Any) -> Column:
        values = cells_inside(values.tolist() if isinstance(values, np.ndarray) else values)
        _all_collections(self, values, sets=False)
        short = first(values, lambda x: 0 < len(x) < self.lag)
        if short is not None:
            raise self.bad(short, values[short], f"lists of at least {self.lag} elements, or of none")
        return Overlapping(self.lists.encode(list(map(self.pairs, values))), self.lag, self.apart)

    def pairs(self, x: Any) -> list[tuple[Any, Any]]:
        """One list as pairs."""
        x = x.tolist() if isinstance(x, np.ndarray) else list(x)
        windows: Any = zip(*(x[j:] for j in range(self.lag + 1)), strict=False)
        if self.apart:
            windows = ((window[:-1], window[-1]) for window in windows)
        return [(x[: self.lag], None), *((None, window) for window in windows)] if x else []


@dataclass(frozen=True)
class Lagged(Lists):
    """A list of whole numbers, each of which depends on the `lag` before it: numbered by what `size` values they can take. The first of
    them, `lag` or fewer, are an observation of `first`; its length is one of `length`."""

    first: Layout = field(default_factory=Anything)
    length: Layout = field(default_factory=Anything)
    size: int = 1
    lag: int = 1

    @property
    def codes(self) -> int:
        """How many codes there are of an element with those before it; the next means that one of them is no such value, and the one after
        that there are too few before it."""
        return int(self.size ** (self.lag + 1))

    def encode(self, values: Any) -> Column:
        whole = Repeated(self.label, Count(self.label), Anything(), ordered=True).encode(values)
        column: Any = whole.values if isinstance(whole, Distinct) else whole
        flat: Any = column.flat
        distinct: Any = flat.values if isinstance(flat, Distinct) else flat
        numbers = distinct.x[flat.codes] if isinstance(flat, Distinct) else distinct.x
        offsets, lengths = column.offsets, np.diff(column.offsets)
        place = np.arange(len(numbers)) - np.repeat(offsets[:-1], lengths)
        there = (numbers >= 0) & (numbers < self.size)
        codes, right = np.zeros(len(numbers), dtype=np.int64), np.ones(len(numbers), dtype=bool)
        known = np.where(there, numbers, 0)
        for back in range(self.lag, -1, -1):  # the first elements are read with others before them, and then overwritten
            codes = codes * self.size + np.roll(known, back)
            right &= np.roll(there, back)
        codes = np.where(place < self.lag, self.codes + 1, np.where(right, codes, self.codes))
        first = self.first.encode([numbers[a : a + min(n, self.lag)].tolist() for a, n in zip(offsets[:-1], lengths, strict=True)])
        steps = Steps(offsets, flat, self.length.encode(lengths), codes, first)
        return Distinct(whole.codes, steps) if isinstance(whole, Distinct) else steps


@dataclass(frozen=True)
class LabelSequence(Lists):
    """A sequence of labels, read as a Markov chain reads it; its length is an observation of `length`. none: as of `Labels`."""

    length: Layout = field(default_factory=Anything)
    none: bool = field(default=True, compare=False)

    def without_none(self) -> Layout:
        return replace(self, none=False)

    def joined(self, other: Layout) -> Layout | None:
        if not isinstance(other, LabelSequence):
            return super().joined(other)
        length = self.length.joined(other.length)
        return None if length is None else replace(self, length=length)

    def encode(self, values: Any) -> Column:
        flat, offsets, lengths = flattened(self, values)
        try:
            codes, labels = Elements(self.label, self.none).number(flat)
        except BadValue as error:
            place_element(error, offsets)
            raise
        pair_codes, pairs = successive(codes, labels, offsets)
        pair_offsets = ends_of(np.maximum(lengths - 1, 0))
        started = np.flatnonzero(lengths)
        opening = codes[offsets[started]]
        begins = np.zeros(len(lengths), dtype=np.int64)
        begins[started] = opening.astype(np.int64) + 1
        groups = same_bags(pair_offsets, pair_codes, len(pairs), begins)
        if groups is None:
            return Chain(started, opening, labels, pair_offsets, pair_codes, pairs, self.length.encode(lengths))
        kept, row_codes = groups
        pair_offsets, elements = taken_elements(pair_offsets, kept)
        begun = np.flatnonzero(begins[kept])
        opening = (begins[kept][begun] - 1).astype(opening.dtype)
        kept_lengths = self.length.encode(lengths[kept])
        return Distinct(row_codes, Chain(begun, opening, labels, pair_offsets, pair_codes[elements], pairs, kept_lengths))


@dataclass(frozen=True)
class LabelSet(Lists):
    """A collection of distinct labels, in no order. none: as of `Labels`."""

    none: bool = field(default=True, compare=False)

    def without_none(self) -> Layout:
        return replace(self, none=False)

    def encode(self, values: Any) -> Column:
        values = cells_inside(values.tolist() if isinstance(values, np.ndarray) else values)
        _all_collections(self, values, sets=True)
        try:
            sets = list(map(frozenset, values))
        except TypeError:
            index = first(values, lambda v: not all(map(is_hashable, v)))
            raise self.bad(index, values[index], "collections of hashable labels") from None
        if list(map(len, sets)) != list(map(len, values)):
            index = next(i for i, (s, v) in enumerate(zip(sets, values, strict=True)) if len(s) != len(v))
            raise self.bad(index, values[index], "collections whose elements are distinct")
        index_of = {s: i for i, s in enumerate(dict.fromkeys(sets))}
        few = len(sets) >= CODED_MIN_ROWS and len(index_of) <= min(CODED_MAX_VALUES, len(sets) // 2)
        kept = list(index_of) if few else sets
        lengths = np.fromiter(map(len, kept), dtype=np.int64, count=len(kept))
        offsets = ends_of(lengths)
        flat = list(chain.from_iterable(kept))
        try:
            column = Ragged(offsets, in_order_of_codes(Members(self.label, self.none).encode(flat), lengths), Values(lengths))
        except BadValue as error:
            inside = kept[int(np.searchsorted(offsets, error.index, side="right")) - 1]
            index = next(i for i, elements in enumerate(sets) if elements == inside)
            need = error.need if LABEL_TYPES in error.need else f"a set of labels that are known ({Elements.remedy})"
            raise self.bad(index, values[index], need) from None
        if not few:
            return column
        return Distinct(np.fromiter(map(index_of.__getitem__, sets), dtype=np.uint16, count=len(sets)), column)


def in_order_of_codes(elements: Any, lengths: np.ndarray) -> Distinct:
    """The elements of sets in the order of their labels, so that sums do not depend on hashes, which differ between processes."""
    first = np.repeat(np.arange(len(lengths)) * len(elements.values), lengths)
    place = first + elements.codes
    place.sort(kind="stable")
    return Distinct((place - first).astype(elements.codes.dtype), elements.values)


@dataclass(frozen=True)
class Bag(Lists):
    """Observations of `value`, each with a count: pairs `(value, count)`, or a mapping; the sum of counts is an observation of `length`.

    Counts of a value that is there twice are added; what is there no time is left out.
    """

    value: Layout = field(default_factory=Anything)
    length: Layout = field(default_factory=Anything)

    def without_none(self) -> Layout:
        return replace(self, value=self.value.without_none())

    def joined(self, other: Layout) -> Layout | None:
        if not isinstance(other, Bag):
            return super().joined(other)
        value, length = self.value.joined(other.value), self.length.joined(other.length)
        return None if value is None or length is None else replace(self, value=value, length=length)

    def encode(self, values: Any) -> Column:
        values = cells_inside(values.tolist() if isinstance(values, np.ndarray) else values)
        rows = [self._pairs(index, bag) for index, bag in enumerate(values)]
        offsets = ends_of(np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)))
        flat = [value for bag in rows for value, _ in bag]
        counts = self._counts([count for bag in rows for _, count in bag], offsets, values)
        try:
            column = self.value.encode(flat)
        except BadValue as error:
            place_element(error, offsets)
            error.path = f" ({self.label}){error.path}"
            raise
        totals = np.diff(np.concatenate([[0], np.cumsum(counts)])[offsets])  # right, even if the sum of all has gone round
        there = np.flatnonzero(counts)
        if len(there) < len(counts):
            offsets, column, counts = np.searchsorted(there, offsets), column.take(there), counts[there]
        owner = np.repeat(np.arange(len(totals)), np.diff(offsets))
        log_ways = special.gammaln(totals + 1.0) - np.bincount(owner, special.gammaln(counts + 1.0), len(totals))
        return Bags(offsets, column, self.length.encode(totals), counts.astype(np.float64), log_ways)

    def _pairs(self, index: int, bag: Any) -> Any:
        """The pairs of one bag, each value once where values can be compared."""
        if isinstance(bag, Mapping):
            return bag.items()
        if not isinstance(bag, (list, tuple)) or not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in bag):
            raise self.bad(index, bag, "a list of pairs (value, count), or a mapping from values to counts")
        try:
            once = dict(bag)
        except TypeError:  # of vectors, which are not compared
            return bag
        if len(once) < len(bag) and all(is_whole(count) for _, count in bag):
            once = dict.fromkeys(once, 0)
            for value, count in bag:
                once[value] += count
            return once.items()
        return bag

    def _counts(self, flat: list[Any], offsets: np.ndarray, bags: Any) -> np.ndarray:
        counts = integers(flat)
        wrong = first(flat, lambda count: not is_whole(count)) if counts is None else first_below_zero(counts)
        if wrong is not None:
            error = self.bad(wrong, flat[wrong], "whole numbers >= 0 as counts")
            place_element(error, offsets)
            raise error
        counts = np.asarray(counts)
        if counts.sum(dtype=np.float64) >= LARGEST_SUM:
            owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
            sums = np.bincount(owner, counts, len(offsets) - 1)
            if (sums >= LARGEST_SUM).any():
                row = int(np.argmax(sums >= LARGEST_SUM))
                raise self.bad(row, bags[row], "counts whose sum is a whole number of at most 64 bits")
        return counts


def first_below_zero(counts: np.ndarray) -> int | None:
    """Where the first negative number is, if there is one."""
    below = np.flatnonzero(counts < 0)
    return int(below[0]) if len(below) else None


@dataclass(frozen=True)
class Elements(Labels):
    """The labels in a list or a set, of which none can be missing alone."""

    remedy: ClassVar[str] = "or None in place of the whole, with OptionalEstimator or missing_at_random"


class Members(Elements):
    """The labels in a set, whose own order is that of hashes, which differ between processes."""

    def arranged(self, labels: Iterable[Any]) -> list[Any]:
        return in_order_of_kinds(labels)


def successive(codes: np.ndarray, labels: Vocabulary, offsets: np.ndarray) -> tuple[np.ndarray, Vocabulary]:
    """Codes of the pairs of successive labels within rows, and the vocabulary of pairs."""
    if len(codes) < FEW_LABELS:
        row, ends = codes.tolist(), offsets.tolist()
        both = [(row[i], row[i + 1]) for a, b in pairwise(ends) for i in range(a, b - 1)]
        number = {pair: i for i, pair in enumerate(sorted(set(both)))}
        return np.array([number[pair] for pair in both], dtype=np.uint16), Vocabulary([(labels[a], labels[b]) for a, b in number])
    inner = np.ones(max(len(codes) - 1, 0), dtype=bool)  # a pair, unless its second label starts a row
    starts = offsets[1:-1]
    inner[starts[(starts > 0) & (starts < len(codes))] - 1] = False
    size = max(len(labels), 1)
    wide = codes.astype(np.int64)
    column = coded((wide[:-1] * size + wide[1:])[inner], always=True)
    return column.codes, Vocabulary([(labels[both // size], labels[both % size]) for both in column.values.x.tolist()])


def flattened(layout: Layout, values: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """All elements in one list (or array), offsets `(n + 1,)` and lengths `(n,)` of a list of sequences."""
    if isinstance(values, np.ndarray) and values.ndim >= 2:
        lengths = np.full(len(values), values.shape[1], dtype=np.int64)
        return values.reshape(-1, *values.shape[2:]), np.arange(len(values) + 1) * values.shape[1], lengths
    values = cells_inside(values)
    types = _all_collections(layout, values, sets=False)
    lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    offsets = ends_of(lengths)
    if types == {np.ndarray} and len({v.dtype for v in values}) == 1:
        return np.concatenate(values), offsets, lengths
    return list(chain.from_iterable(values)), offsets, lengths


def place_element(error: BadValue, offsets: np.ndarray) -> None:
    """Moves the position of a bad element from the flat column to its row."""
    row = int(np.searchsorted(offsets, error.index, side="right")) - 1
    error.within = f", element {error.index - int(offsets[row])}{error.within}"
    error.index = row


def _all_collections(layout: Layout, values: Any, sets: bool) -> set[type]:
    """The types of `values`, all of them collections of the wanted sort."""
    types = set(map(type, values))
    allowed: Any = Collection if sets else Sequence
    need = "collections of labels (set, list or tuple)" if sets else "sequences (list, tuple or array)"
    for kind in types - LIST_TYPES:
        right = issubclass(kind, (allowed, np.ndarray)) and not issubclass(kind, (*TEXT_TYPES, dict)) and not hasattr(kind, "columns")
        if not right:
            index = first(values, lambda v, kind=kind: type(v) is kind)
            raise layout.bad(index, values[index], need)
        if issubclass(kind, np.ndarray) and any(v.ndim == 0 for v in values if type(v) is kind):
            index = first(values, lambda v: getattr(v, "ndim", 1) == 0)
            raise layout.bad(index, values[index], need)
    return types
