"""Pairs of bags of whole numbers, where each word of the second comes from some value of the first, by a table of few possible pairs."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore import kernels
from dmlcore.base import special
from dmlcore.base.domains import Whole, chosen_probability, simplex
from dmlcore.base.errors import ParameterError, StructureError, shorten
from dmlcore.base.label_domains import TransitionMap, Transitions
from dmlcore.base.labels import LabelMap, Vocabulary
from dmlcore.base.numerics import by_rows, logs, logs_of
from dmlcore.core.declared import child, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, as_values, cut
from dmlcore.core.estimator import Estimator, from_suff_stat, pseudo_counts
from dmlcore.core.partial import UNKNOWN, Known, Parts, given
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.rowlaws import EachRow
from dmlcore.core.statistics import Counts, Node, Sums
from dmlcore.core.weights import share
from dmlcore.data.bag_pairs import PairsOfBags, totals
from dmlcore.data.layouts import Count, Layout
from dmlcore.data.sequences import Bag
from dmlcore.kernels.codes import gather_many, scatter_many
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.latent.integer_hidden_association import foreign_number
from dmlcore.stats.latent.integer_plsi import keys_of_sums, tied_by_keys, within
from dmlcore.stats.latent.word_pairs import NOT_BACKWARDS, WordPairs, drawn_values, pairs_in, shares_of_values
from dmlcore.stats.sequences.multinomial import MultinomialDistribution, counted
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution

SPARSE_TABLES = ("init_prob_vec", "cond_prob_mat")  # in the order of their keys
FIRSTS: weakref.WeakKeyDictionary[Vocabulary, np.ndarray] = weakref.WeakKeyDictionary()


class MatrixTable(TransitionMap):
    """A table that was given as a matrix of a shape, which it must have, though some rows and columns are empty."""

    __slots__ = ("shape",)

    def __init__(self, pairs: LabelMap, shape: tuple[int, ...]):
        super().__init__(pairs)
        self.shape = shape


class AssociationTable(Transitions):
    """Probabilities of words after values, by whole numbers: as `Transitions`, or a matrix of which the entries that are not zero count."""

    need = "a matrix of probabilities, or a mapping from values to mappings of words to probabilities, whose rows sum to one or are empty"

    def check(self, value: Any) -> TransitionMap:
        if isinstance(value, (TransitionMap, Mapping)):
            return super().check({v: row for v, row in value.items() if row} if type(value) is dict else value)
        try:
            table: Any = value.tocsr().tocoo() if hasattr(value, "tocsr") else np.array(value, dtype=np.float64)
            rows, columns = (table.row, table.col) if hasattr(table, "col") else np.nonzero(table)
            p = table.data if hasattr(table, "col") else table[rows, columns]
        except (TypeError, ValueError):
            raise self.fail(value) from None
        out: dict[int, dict[int, float]] = {}
        for v, w, share_of in zip(rows.tolist(), columns.tolist(), p.tolist(), strict=True):
            if share_of:
                out.setdefault(v, {})[w] = share_of
        return MatrixTable(super().check(out).pairs, table.shape)


class TableBags:
    """What a block of paired bags holds: the values of sources `(N,)`, 0 in place of those not among V; the vocabulary of all pairs and the
    code `(P,)` of each; and the rows that hold what is no number below V."""

    def __init__(self, column: Any, size: int):
        self.pairs, (self.source, self.target) = WordPairs.of(column), column.fields
        self.value, known = within(self.source.flat, size)
        _, there = within(self.target.flat, size)
        self.codes, distinct = column.pairs.codes, column.pairs.values
        self.labels: Vocabulary = distinct.kept(
            TableBags, lambda: Vocabulary(zip(*(part.listed() for part in distinct.fields), strict=True))
        )
        self.lost = np.zeros(len(column), dtype=bool)
        for bags, fine in ((self.source, known), (self.target, there)):
            self.lost |= np.bincount(np.repeat(np.arange(len(column)), np.diff(bags.offsets))[~fine], minlength=len(column)) > 0


class SparseMarkovAssociationDistribution(Distribution):
    """A pair of bags (source, target) of whole numbers below V, each `[(value, count), ...]` or a mapping. The n words of the source are
    drawn one by one; each of the m words of the target is drawn by the row of one of the source's values v, any of them alike, or else,
    with probability `alpha`, is any of the V words, all alike. With c_v and d_w the counts of the two, the density is

        len_dist((n, m)) n! / prod_v c_v! prod_v init_prob_vec[v]^c_v
            m! / prod_w d_w! prod_w (alpha / V + (1 - alpha) sum_v c_v / n cond_prob_mat[v][w])^d_w.

    init_prob_vec: probabilities of the words of sources `(V,)`. cond_prob_mat: for each value the probabilities of the words it brings,
    `{v: {w: p}}`, or a matrix (V, V), of NumPy or SciPy's sparse ones, rows by v; it is kept by its entries above zero. Of a value without
    any, and of a source without values, words are all alike. alpha: a probability, which is given and never estimated. len_dist: the law of
    the pair (n, m), such as a Composite (default: says nothing). Other numbers have density zero. low_memory: accepted for compatibility.
    """

    init_prob_vec: Any = parameter(simplex)
    cond_prob_mat: Any = parameter(AssociationTable())
    alpha: float = parameter(chosen_probability, default=0.0)
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    low_memory: Any = setting(False)
    keys: tuple[str | None, str | None] = keys("values", "pairs")
    name: str | None = name()

    def validate(self) -> None:
        shape, size = getattr(self.stored("cond_prob_mat"), "shape", None), self.num_vals
        if shape not in (None, (size, size)):
            need = f"a matrix ({size}, {size}), as init_prob_vec has {size} values"
            raise ParameterError(f"{type(self).__name__}: cond_prob_mat must be {need}, got one of shape {shape}")
        pairs: Any = self._pairs.labels
        wrong = next((n for pair in pairs for n in pair if type(n) is not int or not 0 <= n < self.num_vals), None)
        if wrong is not None:
            need = f"cond_prob_mat must hold whole numbers from 0 to {self.num_vals - 1}, as init_prob_vec does"
            raise ParameterError(f"{type(self).__name__}: {need}, got {wrong!r}")

    @cached_property
    def layout(self) -> Layout:
        return two_bags(self, self.len_dist)

    @property
    def tied_parts(self) -> Any:
        return tied_by_keys(self.keys, SPARSE_TABLES)

    @property
    def num_vals(self) -> int:
        """V, the number of values and words."""
        return self.init_prob_vec.shape[-1]

    @property
    def _pairs(self) -> LabelMap:
        return self.stored("cond_prob_mat").pairs  # type: ignore[no-any-return]

    def _from_nothing(self, source: Any, value: np.ndarray) -> np.ndarray:
        """Of each row, the probability that a word comes from no value `(.., n)`; value `(N,)`: those of the sources."""
        told = by_rows(scatter_many, self._pairs.values_array, firsts(self._pairs.labels), self.num_vals) > 0
        each = by_rows(gather_many, np.where(told, self.alpha, 1.0), value) * shares_of_values(source)
        sums = by_rows(kernels.segment_sum, each, source.offsets)
        return np.where(np.diff(source.offsets) == 0, 1.0, sums)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        bags = TableBags(column, self.num_vals)
        source, target = bags.source, bags.target
        table = self._pairs.lookup(bags.labels, logs_of(self._pairs.values_array), -np.inf) + logs(1.0 - self.alpha)
        nothing = logs_of(self._from_nothing(source, bags.value) / self.num_vals)
        nothing = np.repeat(nothing, np.diff(target.offsets), axis=-1)
        each, posterior = bags.pairs.mixed(by_rows(gather_many, table, bags.codes), score.mix, nothing)
        values = by_rows(gather_many, logs_of(self.init_prob_vec), bags.value)
        length, tape = score(self.len_dist, column.lengths)
        log = bags.pairs.of_targets(each) + by_rows(kernels.segment_sum, values * source.counts, source.offsets) + source.log_ways
        log[..., bags.lost] = -np.inf
        return log + length, (bags, posterior, tape)

    def log_likelihood(self, statistics: Any) -> float:
        pairs = statistics.cond_prob_mat
        table = self._pairs.lookup(pairs.values, self._pairs.values_array, 0.0)
        return special.xlogy(statistics.init_prob_vec, self.init_prob_vec).sum(axis=-1) + special.xlogy(pairs.weights, table).sum(axis=-1)

    def given(self, x: Any, n: int) -> Any:
        source, target = x.entries
        if target is not UNKNOWN or not isinstance(source, Known):
            raise StructureError(f"{self.label}: {NOT_BACKWARDS}")
        encoded = source.encoded(self.layout.values[0])  # type: ignore[attr-defined]
        bags: Any = encoded.column
        log = MultinomialDistribution(IntegerCategoricalDistribution(0, self.init_prob_vec)).seq_log_density(encoded)
        words = [IntegerCategoricalDistribution(0, p) for p in self._words_given(bags)]
        if self.len_dist.says_nothing:
            return log, EachRow([MultinomialDistribution(word) for word in words])
        sizes, lengths = given(self.len_dist, Parts((Known(totals(bags).tolist()), UNKNOWN)), n)
        return log + sizes, EachRow([MultinomialDistribution(word, lengths.cases(i)[0][1][0]) for i, word in enumerate(words)])

    def _words_given(self, bags: Any) -> list[np.ndarray]:
        """Probabilities of the words `(V,)` given each of some source bags."""
        value, _ = within(bags.flat, self.num_vals)
        shares, nothing, rows = (1.0 - self.alpha) * shares_of_values(bags), self._from_nothing(bags, value), self._rows
        out = []
        for i, (a, b) in enumerate(zip(bags.offsets, bags.offsets[1:], strict=False)):
            p = np.full(self.num_vals, nothing[i] / self.num_vals)
            for v, part in zip(value[a:b].tolist(), shares[a:b], strict=True):
                if v in rows:
                    words, probabilities = rows[v]
                    p[words] += part * probabilities
            out.append(p)
        return out

    @cached_property
    def _rows(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Of each value that has any, the words that it brings and their probabilities."""
        pairs: Any = self._pairs.labels
        words = np.array([w for _, w in pairs], dtype=np.int64)
        return {v: (words[at], self._pairs.values_array[at]) for v, at in self.stored("cond_prob_mat").rows().items()}

    def target_given(self, source: Any) -> MultinomialDistribution:
        """The law of the target of one source bag."""
        return self.given(Parts((Known([source]), UNKNOWN)), 1)[1].laws[0]  # type: ignore[no-any-return]

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        if isinstance(self.len_dist, NullDistribution):
            raise StructureError(f"{self.label}: has no len_dist, so lengths cannot be drawn; give it a law of pairs (n, m)")
        drawn = as_values(self.len_dist.draw(size, rng))
        if not all(isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(n, int) and n >= 0 for n in pair) for pair in drawn):
            raise StructureError(f"{self.label}: len_dist must draw pairs of whole numbers >= 0")
        lengths = np.array(drawn, dtype=np.int64).reshape(-1, 2)
        flat = rng.choice(self.num_vals, int(lengths[:, 0].sum()), p=self.init_prob_vec)
        sources = list(map(counted, cut(flat.tolist(), lengths[:, 0])))
        some = lengths[:, 0] > 0
        values = np.full(int(lengths[:, 1].sum()), -1, dtype=np.int64)
        values[np.repeat(some, lengths[:, 1])] = drawn_values([s for s in sources if s], lengths[some, 1], rng)
        words = rng.integers(self.num_vals, size=len(values))  # those that come from nothing
        taught = rng.random(len(values)) >= self.alpha
        for v, (brought, p) in self._rows.items():
            there = taught & (values == v)
            words[there] = brought[rng.choice(len(p), int(there.sum()), p=p)]
        return list(zip(sources, map(counted, cut(words.tolist(), lengths[:, 1])), strict=True))

    def estimator(self, pseudo_count: Any = None) -> SparseMarkovAssociationEstimator:
        own = None if pseudo_count is None else (self.init_prob_vec, self.cond_prob_mat)
        length = self.len_dist.estimator(pseudo_count)
        return SparseMarkovAssociationEstimator(self.num_vals, self.alpha, length, own, pseudo_count, self.low_memory, self.keys, self.name)

    def explain_zero_density(self, x: Any) -> str:
        source, target = map(pairs_in, x)
        if why := not_in_table(self, source, target):
            return why
        for value, _ in source:
            if not self.init_prob_vec[value] > 0:
                return f"{self.label}: value {value} of the source has probability zero"
        (p,) = self._words_given(self.layout.values[0].encode([x[0]]))  # type: ignore[attr-defined]
        for word, _ in target:
            if not p[word] > 0:
                return f"{self.label}: word {word} has probability zero for all values of its source"
        return f"lengths of {self.label}, {self.len_dist.explain_zero_density(tuple(sum(c for _, c in bag) for bag in (source, target)))}"


class SparseMarkovAssociationEstimator(Estimator):
    """Maximum likelihood by EM: each word of a target is shared out among the values of its source, and only pairs that are there together
    in some row have an entry in the table.

    num_vals: V. alpha: the probability of a word that comes from no value; it is given, and what it explains teaches the table nothing.
    len_estimator: of the pair of sums of counts. pseudo_count: so many pseudo-words of sources, and of each value's targets; they are
    spread as suff_stat says, a pair like (init_prob_vec, cond_prob_mat),
    or evenly, those of a value over the words that are there with it. keys: (values, pairs), each of which ties what is of that name.
    low_memory: accepted for compatibility.
    """

    num_vals: int = parameter(Whole(1))
    alpha: float = parameter(chosen_probability, default=0.0)
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    suff_stat: Any = setting()
    pseudo_count: Any = setting()
    low_memory: Any = setting(True)
    keys: tuple[str | None, str | None] = keys("values", "pairs")
    name: str | None = name()

    family = SparseMarkovAssociationDistribution
    stacks = True
    pairs: ClassVar[Any] = None
    row: ClassVar[Any] = None

    def validate(self) -> None:
        who = type(self).__name__
        pseudo_counts(self.pseudo_count, 1, who)
        if self.suff_stat is None:
            return
        if not isinstance(self.suff_stat, (tuple, list)) or len(self.suff_stat) != 2:
            raise ParameterError(f"{who}: suff_stat must be (init_prob_vec, cond_prob_mat), got {shorten(self.suff_stat)}")
        law = from_suff_stat(self, SparseMarkovAssociationDistribution, *self.suff_stat)
        if law.num_vals != self.num_vals:
            raise ParameterError(f"{who}: suff_stat must have {self.num_vals} probabilities of values, got {law.num_vals}")
        self.derive(suff_stat=(law.init_prob_vec, law.cond_prob_mat))

    @cached_property
    def layout(self) -> Layout:
        return two_bags(self, self.len_estimator)

    def ties(self) -> Any:
        return None, keys_of_sums(self.keys, SPARSE_TABLES), ((),)

    def covers(self, column: Any) -> bool:
        return not TableBags(column, self.num_vals).lost.any()

    def why_outside_support(self, x: Any) -> str | None:
        return not_in_table(self, *map(pairs_in, x))

    def open(self, column: Any, open: Any) -> Any:
        bags = TableBags(column, self.num_vals)
        return bags, bags.pairs.opened(open), open(self.len_estimator, column.lengths)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        bags, posterior, length = tape
        source = bags.source
        inside = np.where(bags.lost, 0.0, weights)
        counts = by_rows(kernels.repeat_rows, weights, source.offsets) * source.counts
        pairs = by_rows(scatter_many, bags.pairs.weights(posterior, inside), bags.codes, len(bags.labels))
        own = Sums(
            count=weights.sum(axis=-1),
            init_prob_vec=by_rows(scatter_many, counts, bags.value, self.num_vals),
            cond_prob_mat=Counts(bags.labels, pairs),
        )
        return Node(own, [send(self.len_estimator, length, weights)])

    def resolve(self, statistics: Any) -> Self:
        (count,) = pseudo_counts(self.pseudo_count, 1, type(self).__name__)
        pairs, prior = statistics.cond_prob_mat.weighty(), None
        if count > 0:
            size = self.num_vals
            values, table = (np.full(size, 1.0 / size), None) if self.suff_stat is None else self.suff_stat
            told = None if table is None else AssociationTable().check(table).pairs
            pairs = pairs if told is None else pairs.union(told.labels)
            even = 1.0 / np.bincount(firsts(pairs), minlength=size)[firsts(pairs)]
            each = even if told is None else told.lookup(pairs, told.values_array, 0.0)
            prior = PseudoObservations(Sums(count=count, init_prob_vec=count * values, cond_prob_mat=Counts(pairs, count * each)))
        return self.pinned(pairs=pairs, row=firsts(pairs), prior=prior)

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> SparseMarkovAssociationDistribution:
        learnt = any(np.any(part > 0) for part in (own.count, own.init_prob_vec, own.cond_prob_mat.weights))  # here, or where it is tied to
        if previous is not None and not self.has_prior and not learnt:
            return previous.with_children(children)  # type: ignore[no-any-return]
        sums = self.with_prior(own)
        pairs = sums.cond_prob_mat.over(self.pairs)
        kept = pairs if previous is None else previous._pairs.lookup(self.pairs, previous._pairs.values_array, 0.0)
        p = np.ones(pairs.shape)
        for ways in (p, kept, pairs):  # a value that is left with no weight keeps its row; one that never had any has an even one
            whole = by_rows(scatter_many, ways, self.row, self.num_vals)[..., self.row]
            p = np.where(whole > 0, ways / np.where(whole > 0, whole, 1.0), p)
        values = share(sums.init_prob_vec, None if previous is None else previous.init_prob_vec)
        table = TransitionMap(LabelMap(self.pairs, p))
        return self.law(init_prob_vec=values, cond_prob_mat=table, alpha=self.alpha, len_dist=children[0], low_memory=self.low_memory)


def two_bags(node: Any, length: Any) -> Layout:
    """The layout of pairs of bags of whole numbers, whose sums of counts together are read by a law of lengths."""
    bag = Bag(node.label, Count(node.label))
    return PairsOfBags(node.label, (bag, bag), lengths=length.layout)


def not_in_table(node: Any, source: Any, target: Any) -> str | None:
    """Which value or word of an observation is not in the table, in words."""
    return foreign_number(node, source, target, (node.num_vals, node.num_vals))


def firsts(pairs: Vocabulary) -> np.ndarray:
    """The first of each pair of whole numbers `(P,)`."""
    found = FIRSTS.get(pairs)
    if found is None:
        each: Any = pairs
        found = FIRSTS[pairs] = np.array([first for first, _ in each], dtype=np.int64)
    return found
