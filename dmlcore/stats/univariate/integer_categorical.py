"""The categorical law of a whole number in a range."""

from __future__ import annotations

from functools import cached_property, reduce
from operator import add
from typing import Any, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import Domain, OrNone, Proportions, Whole
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import logs
from dmlcore.base.sparse import SparseSimplex, SparseTable
from dmlcore.base.support import Support, whole_range
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import pseudo_counts
from dmlcore.core.powers import HasProbabilities, Univariate
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.statistics import Counts
from dmlcore.data.layouts import Count
from dmlcore.stats.univariate.counting import RangeEstimator, check_drawn, table_size, value_range, weights_inside

table = SparseSimplex()


class IntegerCategoricalDistribution(Distribution, Univariate, HasProbabilities):
    """A whole number x in min_val, ..., max_val with probability `p_vec[x - min_val]`.

    min_val: the smallest value, a whole number. p_vec: probabilities `(num_vals,)`, >= 0, that sum to one (within 1e-6, then
    normalised); of a long range in which few are positive, those alone are kept. Raises `ParameterError` outside these domains.
    """

    min_val: int = parameter(Whole())
    p_vec: np.ndarray = parameter(table)
    name: str | None = name()
    keys: str | None = keys()

    kind = Count

    @property
    def _kept(self) -> Any:
        """The table as it is kept: an array, or a `SparseTable`; `p_vec` shows the whole of it."""
        return self.stored("p_vec")

    @property
    def num_vals(self) -> int:
        """How many whole numbers have a probability."""
        kept = self._kept
        return kept.size if isinstance(kept, SparseTable) else kept.shape[-1]

    @property
    def max_val(self) -> int:
        """The largest of them."""
        return self.min_val + self.num_vals - 1

    @cached_property
    def support(self) -> Support:
        """Whole numbers from the smallest to the largest that has a probability."""
        return whole_range(self.min_val, self.max_val)

    @cached_property
    def _logs(self) -> np.ndarray:
        kept = self._kept
        return logs(kept.values_array if isinstance(kept, SparseTable) else kept)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        kept, places = self._kept, x - self.min_val
        if not isinstance(kept, SparseTable):
            return self._logs[..., places]
        found, there = kept.at(places)
        return np.where(there, self._logs[found], -np.inf)

    @cached_property
    def _positive(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of positive probability, from 0, and the probabilities."""
        kept = self._kept
        if isinstance(kept, SparseTable):
            return kept.where, kept.values_array
        where = np.flatnonzero(kept)
        return where, kept[where]

    def mean(self) -> float:
        where, p = self._positive
        return self.min_val + float(p @ where)

    def variance(self) -> float:
        where, p = self._positive
        return float(p @ (where - (self.mean() - self.min_val)) ** 2)

    def mode(self) -> int:
        where, p = self._positive
        return self.min_val + int(where[np.argmax(p)])

    def probabilities(self) -> dict[Any, float]:
        """Of each value; where there are very many, of those that have any."""
        kept = self._kept
        if isinstance(kept, SparseTable):
            return dict(zip((kept.where + self.min_val).tolist(), kept.values_array.tolist(), strict=True))
        return dict(zip(range(self.min_val, self.max_val + 1), kept.tolist(), strict=True))

    def entropy(self) -> float:
        return float(special.entr(self._positive[1]).sum())

    @cached_property
    def _cumulated(self) -> np.ndarray:
        """Of the values of positive probability, 0 first."""
        sums = np.minimum(np.cumsum(self._positive[1]), 1.0)
        sums[-1] = 1.0
        return np.concatenate([[0.0], sums])

    def cdf(self, x: Any) -> Any:
        return self._cumulated[np.searchsorted(self._positive[0], np.floor(x) - self.min_val, side="right")][()]

    def quantile(self, q: Any) -> Any:
        q, where = np.asarray(q, dtype=np.float64), self._positive[0]
        at = np.minimum(np.searchsorted(self._cumulated[1:], q), len(where) - 1)
        return np.where((q >= 0) & (q <= 1), np.where(q > 0, where[at], 0) + self.min_val, np.nan)[()]

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        check_drawn(self.min_val, self.max_val, self.label)
        where, p = self._positive
        return where[rng.choice(len(where), size, p=p)] + self.min_val

    def expected_statistics(self, count: float) -> Counts:
        kept = self._kept
        if not isinstance(kept, SparseTable):
            return Counts(np.arange(self.min_val, self.max_val + 1), count * kept)
        places = np.union1d(kept.where, [0, kept.size - 1])  # the ends say what the range is
        found, there = kept.at(places)
        return Counts(places + self.min_val, count * np.where(there, kept.values_array[found], 0.0))

    def log_likelihood(self, statistics: Any) -> float:
        there = statistics.weights > 0
        values = statistics.values[there]
        if len(values) and not (self.min_val <= values[0] and values[-1] <= self.max_val):
            return -np.inf
        return self.log_densities(values) @ statistics.weights[there]

    def estimator(self, pseudo_count: Any = None) -> IntegerCategoricalEstimator:
        own = None if pseudo_count is None else self.p_vec
        return IntegerCategoricalEstimator(self.min_val, self.max_val, pseudo_count, own, self.name, self.keys)


class PlacedShares(Domain):
    """What pseudo-observations of whole numbers look like: shares `(num_vals,)`, or the pair `(first value, shares)`."""

    need = f"{Proportions.need}: a vector, or the pair (min_val, vector)"

    def check(self, value: Any) -> Any:
        try:
            if isinstance(value, (tuple, list)) and len(value) == 2 and np.ndim(value[1]) == 1:
                return Whole().check(value[0]), Proportions().check(value[1])
            return Proportions().check(value)
        except (ParameterError, ValueError):
            raise self.fail(value) from None


class IntegerCategoricalEstimator(RangeEstimator):
    """Maximum likelihood for a categorical over whole numbers: weighted shares of the values.

    min_val, max_val: the range; None takes that end from the data. pseudo_count=a with suff_stat: a pseudo-observations spread over
    the range in proportion to the numbers suff_stat `(num_vals,)` (default: evenly), or to `(first, numbers)`, of which the first is that
    of the value `first`; an end of the range that is None then takes in these values as well. The log prior is
    `a sum_x suff_stat[x] log p_vec[x]`, suff_stat as shares. Raises `ParameterError` if max_val < min_val or suff_stat does not fit the
    range, `DataError` if the range is too large for a table.
    """

    suff_stat: Any = parameter(OrNone(PlacedShares()), default=None)

    family = IntegerCategoricalDistribution

    def resolve(self, statistics: Counts) -> Self:
        shares: Any = self.suff_stat
        placed = isinstance(shares, tuple)
        first, shares = shares if placed else (0, shares)
        ends = value_range(self, statistics + Counts(first + np.arange(len(shares)), np.ones(len(shares))) if placed else statistics)
        if ends is None:
            return self
        low, high = ends
        size = table_size(low, high, self.label)
        stacks = not SparseTable.suits(size, 0)  # laws whose tables may be kept sparse stay apart
        (count,) = pseudo_counts(self.pseudo_count, 1, "IntegerCategoricalEstimator")
        if count == 0:
            return self.pinned(pinned_range=ends, stacks=stacks)
        shares = np.full(size, 1.0 / size) if shares is None else shares
        start = first - low if placed else 0
        if not (0 <= start <= size - len(shares) if placed else len(shares) == size):
            need = f"one number for each of the {size} values from {low} to {high}, or (first, numbers) within that range"
            got = f"{len(shares)} from {first}" if placed else len(shares)
            raise ParameterError(f"IntegerCategoricalEstimator: suff_stat must have {need}, got {got}")
        spread = np.zeros(size)
        spread[start : start + len(shares)] = shares
        return self.pinned(pinned_range=ends, stacks=stacks, prior=PseudoObservations(self.family(low, spread).expected_statistics(count)))

    def estimate(self, statistics: Counts, previous: Any = None) -> IntegerCategoricalDistribution:
        low, high = self.pinned_range or (int(statistics.values[0]), int(statistics.values[-1]))
        size = table_size(low, high, self.label)
        parts = [statistics] if self.prior is None else [self.prior.statistics, statistics]
        kept: Any
        if SparseTable.suits(size, sum(len(part.values) for part in parts)):
            places, weights = weights_inside(reduce(add, parts), low, high)
            kept = SparseTable(size, places, weights / weights.sum())
        else:
            kept = np.zeros((*statistics.weights.shape[:-1], size))
            for part in parts:
                places, weights = weights_inside(part, low, high)
                kept[..., places] += weights
            kept /= kept.sum(axis=-1, keepdims=True)
        return self.law(min_val=low, p_vec=kept)
