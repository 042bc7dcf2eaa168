"""Pairs of bags, where each word of the second comes from some value of the first: from which one is hidden."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.core.declared import child, keys, name, setting
from dmlcore.core.distribution import Distribution, cut, typical_of
from dmlcore.core.estimator import Estimator
from dmlcore.core.partial import UNKNOWN, Known, given
from dmlcore.core.powers import HasTypical
from dmlcore.core.rowlaws import EachRow
from dmlcore.core.statistics import Node
from dmlcore.data.bag_pairs import PairsOfBags
from dmlcore.data.layouts import Layout
from dmlcore.data.sequences import Bag
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.latent.conditional import ByLabel, no_such_label, vocabulary_of
from dmlcore.stats.latent.mixture import MixtureDistribution
from dmlcore.stats.latent.word_pairs import (
    NO_SOURCE,
    NO_WORD,
    NOT_BACKWARDS,
    WordPairs,
    drawn_sources,
    drawn_values,
    pairs_in,
    source_layout,
)
from dmlcore.stats.sequences.multinomial import MultinomialDistribution, counted
from dmlcore.stats.sequences.sequence import drawn_lengths


class HiddenAssociationDistribution(Distribution, HasTypical):
    """A pair of bags (source, target), each `[(value, count), ...]` or a mapping `{value: count}`. Each of the N words of the target was
    made by one of the M values of the source, any of them alike. With c_v and d_w the counts of the two, the density is

        given_dist(source) len_dist(N) N! / prod_w d_w! prod_w (sum_v c_v / M cond_dist(w given v))^d_w.

    cond_dist: a Conditional, without a given_dist of its own; it holds the laws of a word given each value. given_dist: the law of the
    source, a law of bags; without one it says nothing, and sources cannot be drawn. len_dist: the law of N (default: says nothing). From a
    source without values no word can come: its target is surely empty, and len_dist is not asked. Raises `ParameterError` where cond_dist
    is no such Conditional, and `StructureError` where given_dist is no law of bags.

    With Categoricals of words this is the first of the IBM models of word alignment (Brown et al. 1993).
    """

    cond_dist: Distribution = child(at="word")
    given_dist: Distribution = child(default=NullDistribution(), at="source")
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("words", "sources")

    def validate(self) -> None:
        check_conditional(self, self.cond_dist, "cond_dist")
        assert self.layout is not None  # or else it raises

    @cached_property
    def layout(self) -> Layout:
        return bags_of(self, self.cond_dist, self.given_dist, self.len_dist)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        pairs = WordPairs.of(column)
        logs, word_tape = score(self.cond_dist, column.pairs)
        each, posterior = pairs.mixed(logs, score.mix)
        source, source_tape = score(self.given_dist, column.fields[0])
        length, length_tape = score(self.len_dist, pairs.target.lengths)
        log = np.where(pairs.empty, 0.0, length) + pairs.of_targets(each)
        return log + source, (pairs, posterior, word_tape, source_tape, length_tape)

    def given(self, x: Any, n: int) -> Any:
        source, target = x.entries
        if target is not UNKNOWN or not isinstance(source, Known):
            raise StructureError(f"{self.label}: {NOT_BACKWARDS}")
        log, _ = given(self.given_dist, source, n)
        sources: Any = source.encoded(self.layout.values[0]).column  # type: ignore[attr-defined]
        return log, EachRow([self.target_given(bag) for bag in sources.listed()])

    def target_given(self, source: Any) -> MultinomialDistribution:
        """The law of the target of one source bag."""
        pairs = pairs_in(source)
        laws = [self.cond_dist.node_of(value) for value, _ in pairs]  # type: ignore[attr-defined]
        if None in laws:
            raise StructureError(no_such_label(self.cond_dist, pairs[laws.index(None)][0]))
        counts = np.array([count for _, count in pairs], dtype=np.float64)
        if not laws:
            return MultinomialDistribution(self.cond_dist.of_labels()[0], NO_WORD)  # type: ignore[attr-defined]
        return MultinomialDistribution(MixtureDistribution(laws, counts / counts.sum()), self.len_dist)

    def typical(self) -> Any:
        source = typical_of(self.given_dist)
        return source, self.target_given(source).typical()

    @cached_property
    def given_covariates(self) -> bool:
        return False  # words are given their source, which is drawn

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        sources = drawn_sources(self, self.given_dist, "given_dist", size, rng)
        lengths = np.where([not source for source in sources], 0, drawn_lengths(self, size, rng))
        cond: Any = self.cond_dist
        words = cond.drawn_given(drawn_values(sources, lengths, rng), rng)
        return list(zip(sources, map(counted, cut(words, lengths)), strict=True))

    def estimator(self, pseudo_count: Any = None) -> HiddenAssociationEstimator:
        words, source = self.cond_dist.estimator(pseudo_count), self.given_dist.estimator(pseudo_count)
        return HiddenAssociationEstimator(words, source, self.len_dist.estimator(pseudo_count), name=self.name, keys=self.keys)

    def explain_zero_density(self, x: Any) -> str:
        source, target = map(pairs_in, x)
        why = impossible_word(self, self.cond_dist, source, target, lambda pair: why_zero(self.cond_dist, pair))
        if why:
            return why
        if self.given_dist.log_density(x[0]) == -np.inf:
            return self.given_dist.explain_zero_density(x[0])
        return f"length of {self.label}, {self.len_dist.explain_zero_density(sum(count for _, count in target))}"


class HiddenAssociationEstimator(Estimator):
    """Maximum likelihood by EM: each word of a target is shared out among the values of its source, by how well their laws explain it.

    cond_estimator: a ConditionalDistributionEstimator of a word given a value. given_estimator: of source bags. len_estimator: of the
    number of words of those targets whose source has values. Pseudo-counts are those of the parts: `pseudo_count` here is refused. keys:
    (words, sources), which tie the laws of words, and of sources, to those of others.
    """

    cond_estimator: Estimator = child(at="word")
    given_estimator: Estimator = child(default=NullEstimator(), at="source")
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("words", "sources")

    family = HiddenAssociationDistribution
    stacks = True

    def validate(self) -> None:
        check_conditional(self, self.cond_estimator, "cond_estimator")
        if self.pseudo_count is not None:
            raise ParameterError(f"{type(self).__name__}: pseudo_count has no meaning here; give it to the estimators of its parts")
        assert self.layout is not None  # or else it raises

    @cached_property
    def layout(self) -> Layout:
        return bags_of(self, self.cond_estimator, self.given_estimator, self.len_estimator)

    def ties(self) -> Any:
        return None, None, (*(() if key is None else (key,) for key in self.keys), ())

    def covers(self, column: Any) -> bool:
        cond: Any = self.cond_estimator
        known = cond.default_node is not None or set(vocabulary_of(column.fields[0].flat)) <= set(cond.labels)
        return known and not WordPairs.of(column).lost.any()

    def why_outside_support(self, x: Any) -> str | None:
        source, target = map(pairs_in, x)
        why = impossible_word(self, self.cond_estimator, source, target, self.cond_estimator.why_outside_support)
        return why or self.given_estimator.why_outside_support(x[0])

    def open(self, column: Any, open: Any) -> Any:
        pairs = WordPairs.of(column)
        word_tape = open(self.cond_estimator, column.pairs)
        source_tape = open(self.given_estimator, column.fields[0])
        return pairs, pairs.opened(open), word_tape, source_tape, open(self.len_estimator, pairs.target.lengths)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        pairs, posterior, word_tape, source_tape, length_tape = tape
        words = send(self.cond_estimator, word_tape, pairs.weights(posterior, weights))
        sources = send(self.given_estimator, source_tape, weights)
        return Node(None, [words, sources, send(self.len_estimator, length_tape, np.where(pairs.empty, 0.0, weights))])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> HiddenAssociationDistribution:
        words, sources, length = children
        return self.law(cond_dist=words, given_dist=sources, len_dist=length)


def check_conditional(node: Any, cond: Any, field: str) -> None:
    """Raises `ParameterError` for what is no law of a word given a value, or says something of the value itself."""
    who = type(node).__name__
    if not isinstance(cond, ByLabel):
        raise ParameterError(f"{who}: {field} must be a Conditional, the laws of a word given each value, got a {cond.label}")
    if not cond.given_node.says_nothing:
        part = "given_dist" if field == "cond_dist" else "given_estimator"
        raise ParameterError(f"{who}: {field} must have no {part}: what is said of sources is {who}'s own {part}, of whole bags")


def bags_of(node: Any, cond: Any, source: Any, length: Any) -> Layout:
    """The layout of pairs of bags whose values and words a conditional law reads."""
    values, words = cond.layout.values
    target = Bag(node.label, words, length.layout)
    return PairsOfBags(node.label, (source_layout(node, source, values), target))


def impossible_word(node: Any, cond: Any, source: Any, target: Any, impossible: Any) -> str | None:
    """The first word of a target that no value of its source can have made, and why; of pairs `impossible` says it."""
    if target and not source:
        return f"{node.label}: {NO_SOURCE}"
    for word, _ in target:
        why = [impossible((value, word)) for value, _ in source]
        if all(why):
            return f"word {word!r} of {node.label}, {why[0]}"
    return None


def why_zero(law: Any, x: Any) -> str | None:
    """Why an observation has density zero, None where it has not."""
    return law.explain_zero_density(x) if law.log_density(x) == -np.inf else None
