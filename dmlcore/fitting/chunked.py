"""The rows of a fit that an engine keeps in chunks: sums over all of them, and a sample of them in memory for what looks at single rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dmlcore.base.errors import EmptyError, ParameterError
from dmlcore.base.records import dataclass
from dmlcore.base.threads import thread_count
from dmlcore.core.field_names import with_field_names
from dmlcore.data.layouts import Layout
from dmlcore.engines.choice import chunks_of, in_parts
from dmlcore.engines.chunks import Chunk, Chunks, chunk_weights
from dmlcore.fitting.rows import WeightedRows

IN_MEMORY = 50_000  # rows of the sample, about


@dataclass(frozen=True, eq=False)
class ChunkedRows:
    """Weighted rows in chunks. count: how many; weight: of all; unit: the mean weight of those that have any; elements: rows, or elements
    where rows hold many. in_memory: a sample of them, drawn by their number alone."""

    chunks: Chunks
    count: int
    weight: float
    unit: float
    elements: int
    in_memory: WeightedRows
    share = 1.0  # of the weight of all rows
    threads: int = 1

    @classmethod
    def of(cls, chunks: Chunks, threads: int) -> ChunkedRows:
        """The rows of chunks, counted in one pass, with a sample from another. Raises `EmptyError` where there are none."""
        sizes = list(chunks.map(_size))
        count, weight, weighty, elements = (sum(size[i] for size in sizes) for i in range(4))
        if not count:
            raise EmptyError("there are no rows; a fit needs at least one")
        if not weight > 0:
            raise EmptyError("all row weights are zero; a fit needs some weight")
        share = min(IN_MEMORY / count, 1.0)
        drawn = list(chunks.map(partial(_drawn, share)))
        weights = np.concatenate([part for _, part in drawn])
        if not weights.sum() > 0:
            raise EmptyError("the few rows with weight are not in a sample of all; leave out those without")
        rows = [row for part, _ in drawn for row in part]
        sample = WeightedRows.of(rows, chunks.layout, None if (weights == 1).all() else weights, 1)
        return cls(chunks, count, weight, weight / weighty, elements, sample.of_share(sample.weight / weight), threads)

    def __len__(self) -> int:
        return self.count

    @property
    def work(self) -> int:
        """Rows, or elements where rows hold many."""
        return self.elements

    def named(self, estimator: Any) -> Any:
        """An estimator whose records have the names that the fields of the rows have, where they have none of their own."""
        names = getattr(self.chunks.layout, "names", None)
        return estimator if names is None else with_field_names(estimator, names)

    def total(self, work: Callable[[WeightedRows], Any]) -> Any:
        """The sum of `work(rows)` over the chunks, added in order."""
        return self.chunks.total(OnChunk(work))

    def first_found(self, look: Callable[[WeightedRows], Any]) -> Any:
        """What `look` finds in the first chunk where it finds anything, or None."""
        return next((found for found in self.chunks.map(OnChunk(look)) if found is not None), None)

    def one_by_one(self) -> ChunkedRows:
        """Raises `ParameterError`: draws of single rows would have to be kept for all of them."""
        raise ParameterError("assign='stochastic' needs rows in memory; data in chunks are assigned 'soft' or 'hard'")


def rows_for(data: Any, layout: Layout, weights: Any = None, threads: int | None = None, engine: Any = None) -> WeightedRows | ChunkedRows:
    """The rows of a fit: in memory, or in chunks where the data are read in parts or an engine is named."""
    if engine is None and not in_parts(data):
        return WeightedRows.of(data, layout, weights, threads)
    return ChunkedRows.of(chunks_of(data, layout, weights, threads, engine), thread_count(threads))


@dataclass(frozen=True)
class OnChunk:
    """Work on rows, as work on a chunk."""

    work: Callable[[WeightedRows], Any]

    def __call__(self, chunk: Chunk) -> Any:
        return self.work(rows_of(chunk))


def rows_of(chunk: Chunk) -> WeightedRows:
    """The rows of a chunk."""
    return WeightedRows.having(chunk.encoded, chunk.weights, chunk.encoded).standing(chunk.where, chunk.first)


def _size(chunk: Chunk) -> tuple[int, float, int, int]:
    """Rows, their weight, how many have any, and elements."""
    weights, work = chunk_weights(chunk), chunk.encoded.column.work()
    return len(chunk), float(weights.sum()), int(np.count_nonzero(weights)), len(chunk) if work is None else int(work[-1])


def _drawn(share: float, chunk: Chunk) -> tuple[list[Any], np.ndarray]:
    """Rows of a chunk that are drawn, each with the same probability, and their weights."""
    chosen = np.flatnonzero(np.random.default_rng((chunk.number, len(chunk))).random(len(chunk)) < share)
    return chunk.encoded.column.take(chosen).listed(), chunk_weights(chunk)[chosen]
