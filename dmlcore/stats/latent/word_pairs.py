"""Two bags beside each other, of which each word of the second comes from some value of the first: all pairs that it may be."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base.errors import StructureError
from dmlcore.base.numerics import by_rows
from dmlcore.core.distribution import as_values
from dmlcore.data.bag_pairs import pair_positions
from dmlcore.data.columns import ends_of
from dmlcore.data.layouts import Anything, Layout
from dmlcore.data.sequences import Bag
from dmlcore.kernels.codes import gather_many
from dmlcore.stats.combinators.null import NullDistribution
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution

NO_WORD = IntegerCategoricalDistribution(0, np.ones(1))  # the length of a target without a source
NO_SOURCE = "the source is empty, so the target must be"
NOT_BACKWARDS = "has no law of a source given its target; give the whole source, and leave the target unknown"


class WordPairs:
    """Of the rows of a block, each word of a target bag beside each value of the row's source bag.

    word, value `(P,)`: which element of the targets, and of the sources, laid end to end, a pair holds; those of a word lie together.
    log_shares `(P,)`: logarithm of the share that a value has of its source. by_size: for each number of different values in a source, the
    words of such rows `(m,)`, and their pairs `(size, m)`. lost `(n,)`: the rows whose targets have words, though their sources have none.
    """

    def __init__(self, column: Any):
        source, self.target = column.fields
        value, self.word, ends = pair_positions(source.offsets, self.target.offsets)
        width, self.value = np.diff(ends), value
        self.log_shares = np.log(shares_of_values(source))[value]
        each = [(size, np.flatnonzero(width == size)) for size in np.unique(width[width > 0])]
        self.by_size = [(at, ends[at] + np.arange(size)[:, None]) for size, at in each]
        self.empty = np.diff(source.offsets) == 0
        self.lost = self.empty & (np.diff(self.target.offsets) > 0)

    @classmethod
    def of(cls, column: Any) -> WordPairs:
        """Those of a column of two bags, found once."""
        return column.kept(cls, lambda: cls(column))  # type: ignore[no-any-return]

    def mixed(self, logs: np.ndarray, mix: Any, background: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Log densities of the words `(.., N)`, and probabilities of the pairs that they may be `(.., P)`, from log densities of the words
        given the values `(.., P)`. background `(.., N)`: log densities of the words as those that come from no value."""
        joint = logs + self.log_shares
        nothing = np.full((*joint.shape[:-1], len(self.target.counts)), -np.inf) if background is None else background
        each, posterior = nothing.copy(), np.empty(joint.shape)
        for words, pairs in self.by_size:
            ways = [joint[..., pairs]] if background is None else [joint[..., pairs], nothing[..., None, words]]
            each[..., words], shares = mix(np.concatenate(ways, axis=-2))
            posterior[..., pairs] = shares[..., : len(pairs), :]
        return each, posterior

    def opened(self, open: Any) -> np.ndarray:
        """Probabilities of the pairs before there is a model `(.., P)`."""
        posterior = np.empty((*open.batch, len(self.word)))
        for words, pairs in self.by_size:
            posterior[..., pairs] = open.shares(len(pairs), len(words))
        return posterior

    def weights(self, posterior: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Weights of the pairs `(.., P)` from those of rows `(.., n)`."""
        each = by_rows(kernels.repeat_rows, weights, self.target.offsets) * self.target.counts
        return np.asarray(posterior * by_rows(gather_many, each, self.word))

    def of_targets(self, each: np.ndarray) -> np.ndarray:
        """Log densities of the targets given their lengths `(.., n)`, from those of their words: of all orders of the words together."""
        return by_rows(kernels.segment_sum, each * self.target.counts, self.target.offsets) + self.target.log_ways


def shares_of_values(source: Any) -> np.ndarray:
    """The share that each value has of its bag, `(N,)`."""
    owner = np.repeat(np.arange(len(source)), np.diff(source.offsets))
    total = np.bincount(owner, source.counts, len(source))
    return np.asarray(source.counts / total[owner])


def source_layout(node: Any, source: Any, values: Layout) -> Layout:
    """The layout of a source bag of `values`, which the law of sources reads too. Raises `StructureError` where it reads others."""
    layout = source.layout.joined(Bag(node.label, values, Anything()))
    if not isinstance(layout, Bag):
        raise StructureError(f"{node.label}: a {source.label} is no law of a bag [(value, count), ..], such as a Multinomial is")
    return layout


def pairs_in(bag: Any) -> list[tuple[Any, int]]:
    """The pairs of a bag whose count is not zero."""
    return [(value, count) for value, count in (bag.items() if hasattr(bag, "items") else bag) if count]


def drawn_sources(node: Any, law: Any, field: str, size: int, rng: np.random.Generator) -> list[list[tuple[Any, int]]]:
    """Bags drawn from the law of sources. Raises `StructureError` where there is none."""
    if isinstance(law, NullDistribution):
        raise StructureError(f"{node.label}: has no {field}, so sources cannot be drawn; give it one, or condition on a source")
    return [pairs_in(bag) for bag in as_values(law.draw(size, rng))]


def drawn_values(sources: list[list[tuple[Any, int]]], lengths: np.ndarray, rng: np.random.Generator) -> list[Any]:
    """For each word of targets of these lengths the value of its source that it comes from, end to end. Sources have values."""
    flat = [pair for source in sources for pair in source]
    reached = np.cumsum([float(count) for _, count in flat])
    ends = ends_of(np.fromiter(map(len, sources), dtype=np.int64, count=len(sources)))
    before = np.concatenate([[0.0], reached])[ends]
    u = np.repeat(before[:-1], lengths) + rng.random(int(lengths.sum())) * np.repeat(np.diff(before), lengths)
    last = np.repeat(ends[1:] - 1, lengths)
    return [flat[i][0] for i in np.minimum(np.searchsorted(reached, u, side="right"), last).tolist()]
