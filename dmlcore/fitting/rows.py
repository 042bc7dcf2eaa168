"""The rows of a fit: encoded observations with weights, cut into blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from dmlcore.base.records import dataclass
from dmlcore.base.threads import thread_count
from dmlcore.core.field_names import with_field_names
from dmlcore.data.columns import Distinct
from dmlcore.data.encoded import Encoded, encode, observation, plain_observations, row_weights
from dmlcore.data.frames import check_paired, index_of
from dmlcore.data.layouts import Layout
from dmlcore.data.values import listed
from dmlcore.kernels.codes import scatter

ELEMENTS = 80_000  # of the lists of a sample, at most
FEWEST_LISTS = 200  # in a sample, for which lists are rather shortened


class RowBlock(NamedTuple):
    """Some rows that stand together: the first is number `start`."""

    start: int
    column: Any
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """Encoded rows with weights. WeightedRows that repeat are kept once, with their weight.

    weights: of each encoded row `(n,)`; None: 1 each. raw: the rows as they were given, `count` of them; given_weights: their weights,
    `(count,)`, or `(1,)` where all have one. codes `(count,)`: which encoded row each given one is; copies `(n,)`: how many given rows
    each encoded one stands for; None: each for itself. unit: the mean weight of a given row that has any.
    Of a sample, origin `(n,)`: which rows of the whole they are; share: how much of its weight they have. Of a chunk, where: what its
    first row stands in (a file), and first: as which row there.
    """

    encoded: Encoded
    weights: np.ndarray | None
    raw: Any
    count: int
    given_weights: np.ndarray
    unit: float = 1.0
    codes: np.ndarray | None = None
    copies: np.ndarray | None = None
    origin: np.ndarray | None = None
    share: float = 1.0
    threads: int = 1
    where: str = ""
    first: int = 0

    @classmethod
    def of(cls, data: Any, layout: Layout, weights: Any = None, threads: int | None = None) -> WeightedRows:
        """Observations (or encoded ones) for a layout, with one weight each. Raises `DataError`, `EmptyError`."""
        data = listed(data, coded=True)
        encoded = encode(data, layout)
        check_paired(index_of(data), weights, "weights", "data")
        return cls.having(encoded, row_weights(weights, len(encoded)), data, thread_count(threads))

    @classmethod
    def having(cls, encoded: Encoded, w: np.ndarray | None, data: Any, threads: int = 1) -> WeightedRows:
        """Encoded observations with weights that were checked; of a part of the rows, all may be zero."""
        count = len(encoded)
        unit = 1.0 if w is None else float(w.sum() / max(np.count_nonzero(w), 1))
        out = cls(encoded, w, data, count, np.ones(1) if w is None else w, unit, threads=threads)
        if type(encoded.column) is not Distinct:
            return out
        codes, values = encoded.column.codes, encoded.column.values
        w = scatter(np.ones(count) if w is None else w, codes, len(values))
        copies = np.bincount(codes, minlength=len(w))
        return replace(out, encoded=Encoded(values, encoded.layout), weights=w, codes=codes, copies=copies)

    def __len__(self) -> int:
        return len(self.encoded)

    @cached_property
    def each_weight(self) -> np.ndarray:
        """The weight of each encoded row `(n,)`."""
        return np.ones(len(self)) if self.weights is None else self.weights

    @property
    def weight(self) -> float:
        """The weight of all rows."""
        return float(self.each_weight.sum())

    @property
    def work(self) -> int:
        """WeightedRows, or elements where rows hold many."""
        elements = self.encoded.column.work()
        return max(len(self), 0 if elements is None else int(elements[-1]))

    @cached_property
    def blocks(self) -> list[RowBlock]:
        """The rows in blocks, cut by the data alone."""
        return [RowBlock(start, column, self.each_weight[start:stop]) for start, stop, column in self.encoded.blocks]

    @property
    def in_memory(self) -> WeightedRows:
        """These rows; of those that are not, a sample that is."""
        return self

    def total(self, work: Callable[[WeightedRows], Any]) -> Any:
        """`work` of the rows; of rows in chunks, its sum over these."""
        return work(self)

    def first_found(self, look: Callable[[WeightedRows], Any]) -> Any:
        """What `look` finds in the rows, or None; of rows in chunks, in the first where it finds anything."""
        return look(self)

    @property
    def one_block(self) -> list[RowBlock]:
        """All rows as one block."""
        return [RowBlock(0, self.encoded.column, self.each_weight)]

    def __getstate__(self) -> dict[str, Any]:
        return {f: v for f, v in self.__dict__.items() if f not in ("blocks", "each_weight")}

    def named(self, estimator: Any) -> Any:
        """An estimator whose records have the names that the fields of the rows have, where they have none of their own."""
        names = getattr(self.encoded.layout, "names", None)
        return estimator if names is None else with_field_names(estimator, names)

    def weighted(self, weights: np.ndarray) -> WeightedRows:
        """The same encoded rows with other weights."""
        return replace(self, weights=weights)

    def of_share(self, share: float) -> WeightedRows:
        """The same rows, as a sample that has such a share of the weight of all."""
        return replace(self, share=share)

    def standing(self, where: str, first: int) -> WeightedRows:
        """The same rows, as a chunk whose first row stands in a file, say, as which row there."""
        return replace(self, where=where, first=first)

    def one_by_one(self) -> WeightedRows:
        """Each given row for itself, those that are alike too: their classes may be drawn apart."""
        if self.codes is None:
            return self
        encoded = Encoded(Distinct(self.codes, self.encoded.column), self.encoded.layout)
        return replace(self, encoded=encoded, weights=np.broadcast_to(self.given_weights, self.count), codes=None, copies=None)

    def part(self, column: Any, layout: Layout, weights: np.ndarray) -> WeightedRows:
        """Other columns of some of the rows, with weights of their own."""
        return replace(
            self,
            encoded=Encoded(column, layout),
            weights=weights,
            count=len(column),
            codes=None,
            copies=None,
            origin=None,
            share=1.0,
            threads=1,
        )

    def sample(self, size: int, rng: np.random.Generator, certain: np.ndarray | None = None) -> WeightedRows:
        """So many rows, chosen at random by weight; all, if there are no more.

        certain: encoded rows that are in it whatever chance says, with the weight that they have among all; the others stand for the rest.
        Of lists with many elements there are fewer rows, and of long ones only their first elements.
        """
        if self.work > ELEMENTS:
            size = min(size, max(FEWEST_LISTS, ELEMENTS * len(self) // self.work))
        return self._chosen(size, rng, certain)._shortened(ELEMENTS // size)

    def _shortened(self, most: int) -> WeightedRows:
        """The same rows, without the later elements of their lists, if these have many."""
        if self.work <= ELEMENTS:
            return self
        column = self.encoded.column.shortened(max(most, ELEMENTS // len(self)))
        if column is self.encoded.column:
            return self
        short = replace(self, encoded=Encoded(column, self.encoded.layout), threads=1)
        return replace(short, share=self.share * short.work / self.work)

    def _chosen(self, size: int, rng: np.random.Generator, certain: np.ndarray | None) -> WeightedRows:
        if len(self) <= size:
            return self
        whole, weights, copies = self.each_weight, None, None
        sure = np.zeros(0, dtype=np.intp) if certain is None else np.unique(certain)
        if self.weights is None and not len(sure):
            chosen = np.sort(rng.choice(len(self), size, replace=False))
        else:  # in proportion to weight; one that is drawn several times counts as often
            rest = whole / whole.sum()
            rest[sure] = 0.0
            drawn = size - len(sure)
            counts = rng.multinomial(drawn, rest / rest.sum())
            each = np.zeros(len(whole))
            each[sure] = whole[sure] / whole.sum() * drawn / rest.sum()
            chosen = np.flatnonzero((counts > 0) | (each > 0))
            copies = np.maximum(counts, 1)[chosen]
            weights = (counts + each)[chosen] * self.unit
        share = self.share * float((len(chosen) if weights is None else weights.sum()) / whole.sum())
        encoded = Encoded(self.encoded.column.take(chosen), self.encoded.layout)
        return replace(self, encoded=encoded, weights=weights, copies=copies, origin=chosen, share=share, threads=1)

    def kept(self, rng: np.random.Generator, p: float) -> np.ndarray:
        """The share of each encoded row's copies that is kept, where each is kept with probability `p`. Shape `(n,)`."""
        if self.copies is None:
            return (rng.random(len(self)) < p).astype(np.float64)
        return rng.binomial(self.copies, p) / np.maximum(self.copies, 1)

    def mean_over_copies(self, shares: np.ndarray) -> np.ndarray:
        """Shares `(K, count)` of the given rows as shares `(K, n)` of the encoded ones: of those that repeat, their mean by weight."""
        if self.codes is None:
            return shares
        sums = np.array([np.bincount(self.codes, row * self.given_weights, len(self)) for row in shares])
        whole = sums.sum(axis=0)
        return np.asarray(np.where(whole > 0, sums / np.where(whole > 0, whole, 1.0), 1 / len(shares)))

    def number(self, i: int) -> int:
        """Which of the given rows an encoded one is: the first of them."""
        i = i if self.origin is None else int(self.origin[i])
        return i if self.codes is None else int(np.argmax(self.codes == i))

    def named_row(self, i: int) -> str:
        """What messages call an encoded row."""
        return f"{self.where}: row {self.number(i) + self.first}" if self.where else f"row {self.number(i)}"

    def observation(self, i: int) -> Any:
        """An encoded row as it was given, as a plain value."""
        return observation(self.raw, self.encoded.layout, self.number(i))

    def observations(self, start: int = 0, stop: int | None = None) -> list[Any]:
        """The rows from `start` to before `stop` as they were given, as plain values."""
        return plain_observations(self.raw, self.encoded.layout, start, self.count if stop is None else stop)
