"""The categorical law of a whole number in a range."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import numpy as np

from dmlcore.core import special
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.domains import Domain, Maybe, Shares, Whole, simplex
from dmlcore.core.errors import ParameterError
from dmlcore.core.estimator import pseudo_counts
from dmlcore.core.numerics import logs
from dmlcore.core.statistics import Counts
from dmlcore.core.support import Support, whole_range
from dmlcore.data.layouts import Count
from dmlcore.stats.univariate.counting import RangeEstimator, value_range, weights_over


class IntegerCategoricalDistribution(Distribution):
    """A whole number x in min_val, ..., max_val with probability `p_vec[x - min_val]`.

    min_val: the smallest value, a whole number. p_vec: probabilities `(num_vals,)`, >= 0, that sum to one (within 1e-6, then
    normalised). Raises `ParameterError` outside these domains.
    """

    min_val: int = parameter(Whole())
    p_vec: np.ndarray = parameter(simplex)
    name: str | None = name()
    keys: str | None = keys()

    kind = Count

    @property
    def num_vals(self) -> int:
        return len(self.p_vec)

    @property
    def max_val(self) -> int:
        return self.min_val + len(self.p_vec) - 1

    @cached_property
    def support(self) -> Support:
        return whole_range(self.min_val, self.max_val)

    @cached_property
    def _logs(self) -> np.ndarray:
        return logs(self.p_vec)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        return self._logs[x - self.min_val]

    def mean(self) -> float:
        return self.min_val + float(self.p_vec @ np.arange(self.num_vals))

    def variance(self) -> float:
        return float(self.p_vec @ (np.arange(self.num_vals) - (self.mean() - self.min_val)) ** 2)

    def mode(self) -> int:
        return self.min_val + int(np.argmax(self.p_vec))

    def probabilities(self) -> dict[Any, float]:
        """Of each value."""
        return dict(zip(range(self.min_val, self.max_val + 1), self.p_vec.tolist(), strict=True))

    def entropy(self) -> float:
        return float(special.entr(self.p_vec).sum())

    @cached_property
    def _cumulated(self) -> np.ndarray:
        sums = np.cumsum(self.p_vec)
        return np.where(np.arange(self.num_vals) >= np.flatnonzero(self.p_vec)[-1], 1.0, np.minimum(sums, 1.0))

    def cdf(self, x: Any) -> Any:
        y = np.floor(x) - self.min_val
        return np.where(y < 0, 0.0, self._cumulated[np.clip(y, 0, self.num_vals - 1).astype(np.int64)])[()]

    def quantile(self, q: Any) -> Any:
        q = np.asarray(q, dtype=np.float64)
        x = np.minimum(np.searchsorted(self._cumulated, q), self.num_vals - 1) + self.min_val
        return np.where((q >= 0) & (q <= 1), x, np.nan)[()]

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.choice(self.num_vals, size, p=self.p_vec) + self.min_val

    def expected_statistics(self, count: float) -> Counts:
        return Counts(np.arange(self.min_val, self.max_val + 1), count * self.p_vec)

    def log_likelihood(self, statistics: Any) -> float:
        there = statistics.weights > 0
        values = statistics.values[there]
        if len(values) and not (self.min_val <= values[0] and values[-1] <= self.max_val):
            return -np.inf
        return float(statistics.weights[there] @ self.log_densities(values))

    def estimator(self, pseudo_count: Any = None) -> IntegerCategoricalEstimator:
        own = None if pseudo_count is None else self.p_vec
        return IntegerCategoricalEstimator(self.min_val, self.max_val, pseudo_count, own, self.name, self.keys)


class PlacedShares(Domain):
    """What pseudo-observations of whole numbers look like: shares `(num_vals,)`, or the pair `(first value, shares)`."""

    need = f"{Shares.need}: a vector, or the pair (min_val, vector)"

    def check(self, value: Any) -> Any:
        try:
            if isinstance(value, (tuple, list)) and len(value) == 2 and np.ndim(value[1]) == 1:
                return Whole().check(value[0]), Shares().check(value[1])
            return Shares().check(value)
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

    suff_stat: Any = parameter(Maybe(PlacedShares()), default=None)

    family = IntegerCategoricalDistribution

    def resolve(self, statistics: Counts) -> Self:
        shares: Any = self.suff_stat
        placed = isinstance(shares, tuple)
        first, shares = shares if placed else (0, shares)
        ends = value_range(self, statistics + Counts(first + np.arange(len(shares)), np.ones(len(shares))) if placed else statistics)
        if ends is None:
            return self
        low, high = ends
        size = len(weights_over(statistics, low, high, self.label))
        (count,) = pseudo_counts(self.pseudo_count, 1, "IntegerCategoricalEstimator")
        if count == 0:
            return self.pinned(pinned_range=ends)
        shares = np.full(size, 1.0 / size) if shares is None else shares
        start = first - low if placed else 0
        if not (0 <= start <= size - len(shares) if placed else len(shares) == size):
            need = f"one number for each of the {size} values from {low} to {high}, or (first, numbers) within that range"
            got = f"{len(shares)} from {first}" if placed else len(shares)
            raise ParameterError(f"IntegerCategoricalEstimator: suff_stat must have {need}, got {got}")
        spread = np.zeros(size)
        spread[start : start + len(shares)] = shares
        return self.pinned(pinned_range=ends, prior=self.family(low, spread).expected_statistics(count))

    def estimate(self, statistics: Counts, previous: Any = None) -> IntegerCategoricalDistribution:
        ends = self.pinned_range or (int(statistics.values[0]), int(statistics.values[-1]))
        weights = weights_over(statistics, *ends, self.label)
        weights = weights if self.prior is None else weights + self.prior.weights
        return self.family(ends[0], weights / weights.sum(), self.name, self.keys)
