"""Markov chains over whole numbers, with a memory of several steps."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import Whole, stochastic_matrix
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.numerics import by_rows, logs_of
from dmlcore.core.declared import check_node, child, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, as_values, cut
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.powers import HoldsFixed, has
from dmlcore.core.prior import PseudoCounts
from dmlcore.core.statistics import Node
from dmlcore.core.weights import share
from dmlcore.data.columns import ends_of
from dmlcore.data.layouts import Layout
from dmlcore.data.sequences import Lagged
from dmlcore.stats.combinators.ignored import IgnoredEstimator
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.sequences.sequence import SequenceDistribution, drawn_lengths, fix_length
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution

MOST_CONTEXTS = 1 << 22  # entries of a table that are not refused
MOST_LAGS = 64  # steps of memory that are


class IntegerMarkovChainDistribution(Distribution):
    """A list of n whole numbers in 0, ..., num_values - 1 with density
    `len_dist(n) init_dist(x_1, .., x_lag) prod_(t > lag) cond_dist[(x_(t-lag), .., x_(t-1)), x_t]`.

    cond_dist: probabilities of the next number after each `lag` numbers, `(num_values^lag, num_values)`, rows summing to one; the row of
    numbers a, .., b is that of the number that they are the digits of, in base num_values, the earliest first. init_dist: the law of the
    list of the first `lag` numbers, or of all of them where there are fewer (default: says nothing). len_dist: of the length (default: says
    nothing). Other numbers than these have density zero.
    """

    num_values: int = parameter(Whole(1))
    cond_dist: Any = parameter(stochastic_matrix)
    lag: int = parameter(Whole(1), 1)
    init_dist: Distribution = child(default=NullDistribution(), at="first elements")
    len_dist: Distribution = child(default=NullDistribution(), at="length")
    keys: str | None = keys()
    name: str | None = name()

    def validate(self) -> None:
        shape = (check_table(self) // self.num_values, self.num_values)
        if self.cond_dist.shape != shape:
            need = f"cond_dist must have num_values^lag rows and num_values columns, {shape}"
            raise ParameterError(f"IntegerMarkovChainDistribution: {need}, got shape {self.cond_dist.shape}")

    @cached_property
    def layout(self) -> Layout:
        return Lagged(self.label, self.init_dist.layout, self.len_dist.layout, self.num_values, self.lag)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        logs = logs_of(self.cond_dist).reshape(*self.batch, -1)
        ends = np.broadcast_to([-np.inf, 0.0], (*self.batch, 2))
        log = by_rows(kernels.gather_sum_many, np.concatenate([logs, ends], axis=-1), column.codes, column.offsets)
        first, first_tape = score(self.init_dist, column.first)
        length, length_tape = score(self.len_dist, column.lengths)
        return log + first + length, (column, first_tape, length_tape)

    def draw(self, size: int, rng: np.random.Generator) -> list[list[int]]:
        lengths = drawn_lengths(self, size, rng)
        offsets = ends_of(lengths)
        flat = np.zeros(offsets[-1], dtype=np.int64)
        for row, start in enumerate(drawn_starts(self, size, rng)):
            shown = start[: lengths[row]]
            flat[offsets[row] : offsets[row] + len(shown)] = shown
        reached = np.cumsum(self.cond_dist, axis=1)
        rows = np.flatnonzero(lengths > self.lag)
        for t in range(self.lag, int(lengths.max(initial=0))):
            rows = rows[lengths[rows] > t]
            context = np.zeros(len(rows), dtype=np.int64)
            for back in range(self.lag, 0, -1):
                context = context * self.num_values + flat[offsets[rows] + t - back]
            u = rng.random(len(rows)) * reached[context, -1]
            flat[offsets[rows] + t] = np.minimum((reached[context] <= u[:, None]).sum(axis=1), self.num_values - 1)
        return cut(flat.tolist(), lengths)

    def estimator(self, pseudo_count: Any = None) -> IntegerMarkovChainEstimator:
        first, length = self.init_dist.estimator(pseudo_count), self.len_dist.estimator(pseudo_count)
        return IntegerMarkovChainEstimator(
            self.num_values, self.lag, first, length, pseudo_count=pseudo_count, name=self.name, keys=self.keys
        )

    def explain_zero_density(self, x: Any) -> str:
        outside = outside_values(self, x)
        if outside:
            return f"{self.label}: {outside}"
        if self.len_dist.log_density(len(x)) == -np.inf:
            return f"length of {self.label}, {self.len_dist.explain_zero_density(len(x))}"
        first = list(x[: self.lag])
        if self.init_dist.log_density(first) == -np.inf:
            return f"first elements of {self.label}, {self.init_dist.explain_zero_density(first)}"
        free = self.replace(len_dist=NullDistribution())
        for i in range(self.lag, len(x)):
            if free.log_density(x[: i + 1]) == -np.inf:
                return f"element {i} of {self.label}: {x[i]!r} has probability zero after {list(x[i - self.lag : i])!r}"
        return super().explain_zero_density(x)


class IntegerMarkovChainEstimator(Estimator):
    """Maximum likelihood: shares of the next numbers after each `lag` numbers; even ones after numbers that are not in the data.

    init_estimator: of the list of the first `lag` numbers; init_dist: a fixed law of it instead. len_estimator, len_dist: of the length.
    pseudo_count: so many pseudo-observations after each `lag` numbers, spread evenly; their log likelihood is the log prior.
    """

    num_values: int = parameter(Whole(1))
    lag: int = parameter(Whole(1), 1)
    init_estimator: Estimator = child(default=NullEstimator(), at="first elements")
    len_estimator: Estimator = child(default=NullEstimator(), at="length")
    init_dist: Any = setting()
    len_dist: Any = setting()
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = IntegerMarkovChainDistribution
    carried = ("name", "keys", "num_values", "lag")
    stacks = True

    def validate(self) -> None:
        who, size = "IntegerMarkovChainEstimator", check_table(self)
        fix_length(self)
        if self.init_dist is not None:
            if not isinstance(self.init_estimator, (NullEstimator, IgnoredEstimator)):
                raise ParameterError(f"{who}: give init_estimator or init_dist, not both")
            check_node(self.init_dist, Distribution.noun, f"{who}: init_dist")
            self.derive(init_estimator=IgnoredEstimator(self.init_dist))
        (count,) = pseudo_counts(self.pseudo_count, 1, who)
        even = np.full((size // self.num_values, self.num_values), count / self.num_values)
        self.derive(prior=PseudoCounts(even, "cond_dist") if count > 0 else None)

    @cached_property
    def layout(self) -> Layout:
        return Lagged(self.label, self.init_estimator.layout, self.len_estimator.layout, self.num_values, self.lag)

    def why_outside_support(self, x: Any) -> str | None:
        outside = outside_values(self, x)
        return f"{self.label}: {outside}" if outside else None

    def open(self, column: Any, open: Any) -> Any:
        return column, open(self.init_estimator, column.first), open(self.len_estimator, column.lengths)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        column, first, length = tape
        size = self.num_values ** (self.lag + 1)
        counts = by_rows(kernels.scatter_rows_many, weights, column.codes, column.offsets, size + 2)[..., :size]
        own = counts.reshape(*weights.shape[:-1], -1, self.num_values)
        return Node(own, [send(self.init_estimator, first, weights), send(self.len_estimator, length, weights)])

    def assemble(self, own: np.ndarray, children: tuple[Any, ...], previous: Any = None) -> IntegerMarkovChainDistribution:
        table = share(self.with_prior(own), None if previous is None else previous.cond_dist)
        return self.law(cond_dist=table, init_dist=children[0], len_dist=children[1])


def check_table(node: Any) -> int:
    """How many entries the table of a chain has. Raises `ParameterError` for too many."""
    small = node.num_values <= MOST_CONTEXTS and node.lag < MOST_LAGS  # else the power may be too long a number to write down
    size = int(node.num_values ** (node.lag + 1)) if small else MOST_CONTEXTS + 1
    if size > MOST_CONTEXTS:
        got = f"{node.num_values}^({node.lag} + 1)"
        raise ParameterError(
            f"{type(node).__name__}: num_values^(lag + 1) must be at most {MOST_CONTEXTS}, with lag below {MOST_LAGS}, got {got}"
        )
    return size


def outside_values(node: Any, x: Any) -> str | None:
    """Which element is not among the values of a chain, in words."""
    return next((f"element {i} is {v}, none of 0 to {node.num_values - 1}" for i, v in enumerate(x) if not 0 <= v < node.num_values), None)


def drawn_starts(chain: Any, size: int, rng: np.random.Generator) -> list[Any]:
    """Lists of the first elements, `lag` of them where the law of these says nothing of their number."""
    law: Any = chain.init_dist
    law = law.held_law() if has(law, HoldsFixed) else law
    if isinstance(law, SequenceDistribution) and isinstance(law.len_dist, NullDistribution):
        law = law.replace(len_dist=IntegerCategoricalDistribution(chain.lag, np.ones(1)))
    starts = as_values(law.draw(size, rng))
    if not all(isinstance(start, list) and all(isinstance(v, int) and 0 <= v < chain.num_values for v in start) for start in starts):
        raise StructureError(f"{chain.label}: init_dist must draw lists of whole numbers from 0 to {chain.num_values - 1}")
    return starts
