"""Pairs of bags of whole numbers, where each word of the second comes from some value of the first through one of a few hidden states."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base import special
from dmlcore.base.domains import Domain, Whole, chosen_probability, stochastic_matrix
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.numerics import by_rows, logs, logs_of
from dmlcore.core.declared import child, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, cut, typical_of
from dmlcore.core.estimator import Estimator, pseudo_counts, pseudo_tables
from dmlcore.core.partial import UNKNOWN, Known, Parts, given
from dmlcore.core.powers import Exchange, HasTypical, Relabels
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.rowlaws import EachRow
from dmlcore.core.statistics import Node, Sums
from dmlcore.core.weights import share
from dmlcore.data.layouts import Count, Layout
from dmlcore.data.record_layouts import Fields
from dmlcore.data.sequences import Bag
from dmlcore.kernels.codes import gather_many, scatter_many
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.latent.integer_plsi import MOST_CELLS, keys_of_sums, tied_by_keys, within
from dmlcore.stats.latent.word_pairs import (
    NO_SOURCE,
    NO_WORD,
    NOT_BACKWARDS,
    drawn_sources,
    drawn_values,
    pairs_in,
    shares_of_values,
    source_layout,
)
from dmlcore.stats.sequences.multinomial import MultinomialDistribution, counted
from dmlcore.stats.sequences.sequence import drawn_lengths
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution

ASSOCIATION_TABLES = ("cond_weights", "state_prob_mat")  # in the order of their keys


class NumberPair(Domain):
    """Two whole numbers >= 1, or one that stands for both."""

    need = "a whole number >= 1, or a pair of them"

    def check(self, value: Any) -> Any:
        each = value if isinstance(value, (tuple, list)) else (value,)
        if not 1 <= len(each) <= 2:
            raise self.fail(value)
        first, *rest = map(Whole(1).check, each)
        return (first, *rest) if rest else first


class NumberBags:
    """The source and target bags of a block: which values and words they hold, 0 in place of what is not in the tables; shares `(N,)` of
    the values in their sources; the row of each word; and which rows hold nothing foreign."""

    def __init__(self, column: Any, values: int, words: int):
        self.source, self.target = column.fields
        self.value, known = within(self.source.flat, values)
        self.word, self.there = within(self.target.flat, words)
        self.shares = shares_of_values(self.source)
        self.of = np.repeat(np.arange(len(column)), np.diff(self.target.offsets))
        self.empty = np.diff(self.source.offsets) == 0
        self.lost = self.empty & (np.diff(self.target.offsets) > 0)
        self.lost |= np.bincount(self.of[~self.there], minlength=len(column)) > 0
        from_row = np.repeat(np.arange(len(column)), np.diff(self.source.offsets))
        self.lost |= np.bincount(from_row[~known], minlength=len(column)) > 0


class IntegerHiddenAssociationDistribution(Distribution, HasTypical, Relabels):
    """A pair of bags (source, target) of whole numbers from 0 on, each `[(value, count), ...]` or a mapping. Each of the N words of the
    target is made by one of the M values of the source, any of them alike, by way of a hidden state h; or else, with probability `alpha`,
    it is any of the V2 words, all alike. With c_v and d_w the counts of the two, the density is

        prev_dist(source) len_dist(N) N! / prod_w d_w!
            prod_w (alpha / V2 + (1 - alpha) sum_v c_v / M sum_h cond_weights[v, h] state_prob_mat[h, w])^d_w.

    state_prob_mat: probabilities of the words in each of H states `(H, V2)`. cond_weights: those of the states after each of V1 values
    `(V1, H)`. alpha: a probability, which is given and never estimated. prev_dist: the law of the source, a law of bags of whole numbers;
    without one it says nothing, and sources cannot be drawn. len_dist: the law of N (default: says nothing). From a source without values
    no word can come: its target is surely empty, and len_dist is not asked. Values and words outside the tables have density zero.
    use_numba: accepted for compatibility. Raises `ParameterError` where shapes do not agree, `StructureError` where prev_dist is none.
    """

    state_prob_mat: Any = parameter(stochastic_matrix)
    cond_weights: Any = parameter(stochastic_matrix)
    alpha: float = parameter(chosen_probability, default=0.0)
    prev_dist: Distribution = child(default=NullDistribution(), at="source")
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("weights", "states")
    use_numba: Any = setting(False)

    exchanges = (Exchange(None, (("state_prob_mat", 0), ("cond_weights", 1)), lambda law: law.cond_weights.mean(axis=0)),)

    def validate(self) -> None:
        if len(self.state_prob_mat) != self.cond_weights.shape[1]:
            need = "cond_weights must have one column per row of state_prob_mat, for each state"
            raise ParameterError(f"{type(self).__name__}: {need}, got shapes {self.cond_weights.shape} and {self.state_prob_mat.shape}")
        assert self.layout is not None  # or else it raises

    @cached_property
    def layout(self) -> Layout:
        return bags_of_numbers(self, self.prev_dist, self.len_dist)

    @property
    def tied_parts(self) -> Any:
        return tied_by_keys(self.keys, ASSOCIATION_TABLES)

    @property
    def num_vals1(self) -> int:
        """V1, the number of values of sources."""
        return self.cond_weights.shape[-2]

    @property
    def num_vals2(self) -> int:
        """V2, the number of words of targets."""
        return self.state_prob_mat.shape[-1]

    @property
    def num_states(self) -> int:
        """H, the number of hidden states."""
        return self.state_prob_mat.shape[-2]

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        bags = NumberBags(column, self.num_vals1, self.num_vals2)
        parts = by_rows(gather_many, self.cond_weights.swapaxes(-1, -2), bags.value) * bags.shares
        states = by_rows(kernels.segment_sum, parts, bags.source.offsets)
        joint = by_rows(gather_many, logs_of(states), bags.of)
        joint += by_rows(gather_many, logs_of(self.state_prob_mat), bags.word) + logs(1.0 - self.alpha)
        if self.alpha > 0:
            background = np.full((*joint.shape[:-2], 1, joint.shape[-1]), np.log(self.alpha / self.num_vals2))
            joint = np.concatenate([joint, background], axis=-2)
        each, posterior = score.mix(joint)
        log = by_rows(kernels.segment_sum, each * bags.target.counts, bags.target.offsets) + bags.target.log_ways
        log[..., bags.lost] = -np.inf
        source, source_tape = score(self.prev_dist, bags.source)
        length, length_tape = score(self.len_dist, bags.target.lengths)
        whole = np.repeat(states, np.diff(bags.source.offsets), axis=-1)
        parts /= np.where(whole > 0, whole, 1.0)
        return log + (np.where(bags.empty, 0.0, length) + source), (bags, posterior, parts, source_tape, length_tape)

    def log_likelihood(self, statistics: Any) -> float:
        states = special.xlogy(statistics.state_prob_mat, self.state_prob_mat).sum(axis=(-2, -1))
        return states + special.xlogy(statistics.cond_weights.swapaxes(-1, -2), self.cond_weights).sum(axis=(-2, -1))

    def given(self, x: Any, n: int) -> Any:
        source, target = x.entries
        if target is not UNKNOWN or not isinstance(source, Known):
            raise StructureError(f"{self.label}: {NOT_BACKWARDS}")
        log, _ = given(self.prev_dist, source, n)
        sources: Any = source.encoded(self.layout.values[0]).column  # type: ignore[attr-defined]
        value, known = within(sources.flat, self.num_vals1)
        shares = self.cond_weights.T[:, value] * shares_of_values(sources)
        states = by_rows(kernels.segment_sum, shares, sources.offsets).T
        words = self.alpha / self.num_vals2 + (1.0 - self.alpha) * states @ self.state_prob_mat
        foreign = np.bincount(np.repeat(np.arange(n), np.diff(sources.offsets))[~known], minlength=n) > 0
        empty = np.diff(sources.offsets) == 0
        words[empty | foreign] = 1.0 / self.num_vals2
        lengths = [NO_WORD if none else self.len_dist for none in empty.tolist()]
        targets = [MultinomialDistribution(IntegerCategoricalDistribution(0, p), m) for p, m in zip(words, lengths, strict=True)]
        return np.where(foreign, -np.inf, log), EachRow(targets)

    def target_given(self, source: Any) -> MultinomialDistribution:
        """The law of the target of one source bag."""
        return self.given(Parts((Known([source]), UNKNOWN)), 1)[1].laws[0]  # type: ignore[no-any-return]

    def typical(self) -> Any:
        source = typical_of(self.prev_dist)
        return source, self.target_given(source).typical()

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        sources = drawn_sources(self, self.prev_dist, "prev_dist", size, rng)
        lengths = np.where([not source for source in sources], 0, drawn_lengths(self, size, rng))
        values = np.array(drawn_values(sources, lengths, rng), dtype=np.int64)
        background = rng.random(len(values)) < self.alpha
        states = drawn_rows(self.cond_weights, values, rng)
        words = np.where(background, rng.integers(self.num_vals2, size=len(values)), drawn_rows(self.state_prob_mat, states, rng))
        return list(zip(sources, map(counted, cut(words.tolist(), lengths)), strict=True))

    def estimator(self, pseudo_count: Any = None) -> IntegerHiddenAssociationEstimator:
        own = (None, None) if pseudo_count is None else (self.cond_weights, self.state_prob_mat)
        source, length = self.prev_dist.estimator(pseudo_count), self.len_dist.estimator(pseudo_count)
        sizes, rest = (self.num_vals1, self.num_vals2), (own, pseudo_count, self.use_numba, self.name, self.keys)
        return IntegerHiddenAssociationEstimator(sizes, self.num_states, self.alpha, source, length, *rest)

    def explain_zero_density(self, x: Any) -> str:
        if why := impossible_bags(self, x, (self.num_vals1, self.num_vals2)):
            return why
        target = pairs_in(x[1])
        words = self.target_given(x[0])
        for word, _ in target:
            if words.dist.log_density(word) == -np.inf:
                return f"{self.label}: word {word} has probability zero for all values of its source"
        if self.prev_dist.log_density(x[0]) == -np.inf:
            return self.prev_dist.explain_zero_density(x[0])
        return f"length of {self.label}, {self.len_dist.explain_zero_density(sum(count for _, count in target))}"


class IntegerHiddenAssociationEstimator(Estimator):
    """Maximum likelihood by EM: each word of a target is shared out among the hidden states, what they get among the values of its source.

    num_vals: the number of values and words, or a pair (V1, V2) of both. num_states: H. alpha: the probability of a word that comes from
    no value; it is given, and what it explains teaches the states nothing. prev_estimator: of source bags. len_estimator: of the number of
    words of those targets whose source has values. pseudo_count: so many pseudo-words of each value, that tell its states, and of each
    state, that tell its words; one number stands for both. They are spread as suff_stat says, a pair like (cond_weights, state_prob_mat)
    (None: evenly). keys: (weights, states), each of which ties the table of that name. use_numba: accepted for compatibility.
    """

    num_vals: Any = parameter(NumberPair())
    num_states: int = parameter(Whole(1))
    alpha: float = parameter(chosen_probability, default=0.0)
    prev_estimator: Estimator = child(default=NullEstimator(), at="source")
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    suff_stat: Any = setting()
    pseudo_count: Any = setting()
    use_numba: Any = setting(False)
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("weights", "states")

    family = IntegerHiddenAssociationDistribution
    stacks = True

    def validate(self) -> None:
        who, (V1, V2), H = type(self).__name__, self.sizes, self.num_states
        if max(V1, V2) * H > MOST_CELLS:
            raise ParameterError(
                f"{who}: tables of {V1} values and of {V2} words by {H} states must have at most {MOST_CELLS} numbers each"
            )
        counts = pseudo_counts(self.pseudo_count, 2, who)
        spread = pseudo_tables(
            self, dict.fromkeys(ASSOCIATION_TABLES, stochastic_matrix), (np.full((V1, H), 1 / H), np.full((H, V2), 1 / V2))
        )
        weights, states = (count * s for count, s in zip(counts, spread, strict=True))
        prior = Sums(count=sum(counts), cond_weights=weights.T, state_prob_mat=states)
        self.derive(prior=PseudoObservations(prior) if any(counts) else None)
        assert self.layout is not None  # or else it raises

    @property
    def sizes(self) -> tuple[int, int]:
        """V1 and V2, the numbers of values and of words."""
        return self.num_vals if isinstance(self.num_vals, tuple) else (self.num_vals, self.num_vals)

    @cached_property
    def layout(self) -> Layout:
        return bags_of_numbers(self, self.prev_estimator, self.len_estimator)

    def ties(self) -> Any:
        return None, keys_of_sums(self.keys, ASSOCIATION_TABLES), ((), ())

    def covers(self, column: Any) -> bool:
        return not NumberBags(column, *self.sizes).lost.any()

    def why_outside_support(self, x: Any) -> str | None:
        return impossible_bags(self, x, self.sizes) or self.prev_estimator.why_outside_support(x[0])

    def open(self, column: Any, open: Any) -> Any:
        bags = NumberBags(column, *self.sizes)
        posterior = open.shares(self.num_states, len(bags.word))
        parts = np.broadcast_to(bags.shares, (*open.batch, self.num_states, len(bags.shares)))
        return bags, posterior, parts, open(self.prev_estimator, bags.source), open(self.len_estimator, bags.target.lengths)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        bags, posterior, parts, source_tape, length_tape = tape
        (V1, V2), H = self.sizes, self.num_states
        each = by_rows(kernels.repeat_rows, weights, bags.target.offsets) * bags.target.counts
        words = posterior[..., :H, :] * each[..., None, :]
        reached = np.repeat(by_rows(kernels.segment_sum, words, bags.target.offsets), np.diff(bags.source.offsets), axis=-1)
        own = Sums(
            count=weights.sum(axis=-1),
            cond_weights=by_rows(scatter_many, parts * reached, bags.value, V1),
            state_prob_mat=by_rows(scatter_many, words, bags.word, V2),
        )
        lengths = np.where(bags.empty, 0.0, weights)
        return Node(own, [send(self.prev_estimator, source_tape, weights), send(self.len_estimator, length_tape, lengths)])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> IntegerHiddenAssociationDistribution:
        sums, before = self.with_prior(own), previous
        states = share(sums.state_prob_mat, None if before is None else before.state_prob_mat)
        weights = share(sums.cond_weights.swapaxes(-1, -2), None if before is None else before.cond_weights)
        parts = {"prev_dist": children[0], "len_dist": children[1]}
        return self.law(state_prob_mat=states, cond_weights=weights, alpha=self.alpha, use_numba=self.use_numba, **parts)


def bags_of_numbers(node: Any, source: Any, length: Any) -> Layout:
    """The layout of pairs of bags of whole numbers. Raises `StructureError` where the law of sources reads them as something else."""
    layout: Any = source_layout(node, source, Count(node.label))
    if not isinstance(layout.value, Count):
        raise StructureError(f"{node.label}: a {source.label} is no law of a bag of whole numbers, such as an IntegerMultinomial is")
    return Fields(node.label, (layout, Bag(node.label, Count(node.label), length.layout)))


def foreign_number(node: Any, source: Any, target: Any, sizes: tuple[int, int]) -> str | None:
    """Which value or word of an observation is not in the tables, in words."""
    for what, pairs, size in (("value", source, sizes[0]), ("word", target, sizes[1])):
        for number, _ in pairs:
            if not 0 <= number < size:
                return f"{node.label}: {what} {number} is none of 0 to {size - 1}"
    return None


def impossible_bags(node: Any, x: Any, sizes: tuple[int, int]) -> str | None:
    """Why an observation has density zero whatever the probabilities, in words."""
    source, target = map(pairs_in, x)
    return foreign_number(node, source, target, sizes) or (f"{node.label}: {NO_SOURCE}" if target and not source else None)


def drawn_rows(table: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each of some rows of a stochastic matrix one draw by its probabilities."""
    out = np.zeros(len(rows), dtype=np.int64)
    for row in np.unique(rows):
        there = rows == row
        out[there] = rng.choice(table.shape[1], int(there.sum()), p=table[row])
    return out
