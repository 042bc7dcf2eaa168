"""Bags: values and how often each is there."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import by_rows
from dmlcore.core.declared import child, keys, name, setting
from dmlcore.core.distribution import Distribution, as_values, cut, typical_of
from dmlcore.core.estimator import Estimator
from dmlcore.core.powers import HasTypical, InWords
from dmlcore.core.statistics import Node
from dmlcore.core.words import list_in_words
from dmlcore.data.layouts import Layout
from dmlcore.data.sequences import Bag
from dmlcore.data.values import in_order, is_hashable
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.sequences.sequence import check_not_normalized, drawn_lengths, fix_length, impossible_element, typical_length
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution, IntegerCategoricalEstimator


class MultinomialDistribution(Distribution, HasTypical, InWords):
    """A bag `[(v_1, c_1), ..., (v_m, c_m)]` of different values and how often each is there, or a mapping `{v_1: c_1, ...}`, with density
    `len_dist(n) n! / (c_1! ... c_m!) prod_j dist(v_j)^c_j`, n = c_1 + ... + c_m.

    dist: the law of each of the n values. len_dist: the law of n, a distribution of whole numbers; the default says nothing. Counts are
    whole numbers >= 0; those of a value that stands there twice are added. The factor of factorials is the number of orders that the values
    could have come in, so that the densities of all bags sum to one: a bag has the density of all the lists that it may have been.
    """

    dist: Distribution = child()
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    len_normalized: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        check_not_normalized(self)

    @cached_property
    def layout(self) -> Layout:
        return Bag(self.label, self.dist.layout, self.len_dist.layout)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        log, tape = score(self.dist, column.flat)
        lengths, length_tape = score(self.len_dist, column.lengths)
        total = by_rows(kernels.segment_sum, log * column.counts, column.offsets)
        total += lengths + column.log_ways
        return total, (column.offsets, column.counts, tape, length_tape)

    def typical(self) -> list[Any]:
        length = typical_length(self)
        return [(typical_of(self.dist), length)] if length else []

    def in_words(self) -> str:
        return list_in_words(self.dist, self.len_dist)

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        lengths = drawn_lengths(self, size, rng)
        return list(map(counted, cut(as_values(self.dist.draw(int(lengths.sum()), rng)), lengths)))

    def estimator(self, pseudo_count: Any = None) -> MultinomialEstimator:
        inner, length = self.dist.estimator(pseudo_count), self.len_dist.estimator(pseudo_count)
        return MultinomialEstimator(inner, length, name=self.name, keys=self.keys)

    def explain_zero_density(self, x: Any) -> str:
        pairs = list(x.items() if hasattr(x, "items") else x)
        for i, (value, count) in enumerate(pairs):
            if count and self.dist.log_density(value) == -np.inf:
                return f"element {i} of {self.label}, {self.dist.explain_zero_density(value)}"
        return f"length of {self.label}, {self.len_dist.explain_zero_density(sum(count for _, count in pairs))}"


def counted(values: list[Any]) -> list[tuple[Any, int]]:
    """Values as pairs of each with its count, in order where they have one; those that cannot be compared each by itself."""
    if not all(map(is_hashable, values)):
        return [(value, 1) for value in values]
    counts = Counter(values)
    return [(value, counts[value]) for value in in_order(counts)]


class MultinomialEstimator(Estimator):
    """Estimates the law of the values from all of them, and that of their numbers.

    len_estimator: of the sum of counts. len_dist: a fixed law of it instead. Pseudo-counts are those of `estimator`: `pseudo_count` here is
    refused.
    """

    estimator: Estimator = child()
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    pseudo_count: Any = setting()
    len_dist: Any = setting()
    len_normalized: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()

    family = MultinomialDistribution
    stacks = True

    def validate(self) -> None:
        check_not_normalized(self)
        fix_length(self)
        if self.pseudo_count is not None:
            raise ParameterError("MultinomialEstimator: pseudo_count has no meaning here; give it to the estimator of the values")

    @cached_property
    def layout(self) -> Layout:
        return Bag(self.label, self.estimator.layout, self.len_estimator.layout)

    def why_outside_support(self, x: Any) -> str | None:
        pairs = x.items() if hasattr(x, "items") else x
        return impossible_element(self, [value for value, count in pairs if count], self.estimator.why_outside_support)

    def open(self, column: Any, open: Any) -> Any:
        return column.offsets, column.counts, open(self.estimator, column.flat), open(self.len_estimator, column.lengths)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        offsets, counts, inner, length = tape
        each = by_rows(kernels.repeat_rows, weights, offsets)
        each *= counts
        return Node(None, [send(self.estimator, inner, each), send(self.len_estimator, length, weights)])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> MultinomialDistribution:
        return self.law(dist=children[0], len_dist=children[1])


def IntegerMultinomialDistribution(
    min_val: int = 0, p_vec: Any = None, len_dist: Any = None, name: str | None = None, keys: str | None = None
) -> MultinomialDistribution:
    """A bag of whole numbers from `min_val` on, with probabilities `p_vec`: the Multinomial of an IntegerCategorical, which it is."""
    return MultinomialDistribution(IntegerCategoricalDistribution(min_val, p_vec), len_dist, name=name, keys=keys)


def IntegerMultinomialEstimator(
    min_val: int | None = None,
    max_val: int | None = None,
    len_estimator: Any = None,
    len_dist: Any = None,
    name: str | None = None,
    pseudo_count: Any = None,
    suff_stat: Any = None,
    keys: str | None = None,
) -> MultinomialEstimator:
    """The MultinomialEstimator of an IntegerCategoricalEstimator with these settings, which it is."""
    inner = IntegerCategoricalEstimator(min_val, max_val, pseudo_count, suff_stat)
    return MultinomialEstimator(inner, len_estimator, len_dist=len_dist, name=name, keys=keys)
