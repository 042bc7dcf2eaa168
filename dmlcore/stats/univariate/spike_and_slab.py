"""The spike-and-slab law of a whole number in a range: one value stands out, the others are alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import Domain, Whole, chosen_probability, probability
from dmlcore.base.errors import ParameterError
from dmlcore.base.numerics import across, logs
from dmlcore.base.records import dataclass
from dmlcore.base.support import Support, whole_range
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import from_suff_stat, pseudo_counts
from dmlcore.core.powers import Univariate
from dmlcore.core.prior import Prior
from dmlcore.core.statistics import Counts
from dmlcore.data.layouts import Count
from dmlcore.stats.univariate.counting import RangeEstimator, check_drawn, table_size, value_range, whole_quantile


class SpikeAndSlabDistribution(Distribution, Univariate):
    """A whole number x in min_val, ..., max_val with probability p at k, and `(1 - p) / (num_vals - 1)` at each other value.

    k: the spike, a whole number in the range. num_vals: how many values there are, >= 1. p: the probability of k, from 1 / num_vals
    to 1, and 1 if there is but one value. min_val: the smallest value (default 0). Raises `ParameterError` outside these domains.
    """

    k: int = parameter(Whole(axes=0))
    num_vals: int = parameter(Whole(1))
    p: float = parameter(probability)
    min_val: int = parameter(Whole(), default=0)
    name: str | None = name()
    keys: str | None = keys()

    kind = Count

    def validate(self) -> None:
        if not self.min_val <= self.k <= self.max_val:
            raise ParameterError(f"SpikeAndSlabDistribution: k must be a whole number from {self.min_val} to {self.max_val}, got {self.k}")
        least = 1.0 / self.num_vals
        if self.p < least * (1 - 1e-12):
            raise ParameterError(f"SpikeAndSlabDistribution: p must be at least 1 / num_vals = {least!r}, got {self.p!r}")
        if self.p < least:
            self.derive(p=least)

    def parameters(self) -> Iterator[tuple[str, Domain, Any]]:
        for field, domain, value in super().parameters():  # of one value alone the probability is one
            yield field, chosen_probability if field == "p" and self.num_vals == 1 else domain, value

    @property
    def max_val(self) -> int:
        """The largest whole number that has a probability."""
        return self.min_val + self.num_vals - 1

    @cached_property
    def support(self) -> Support:
        """Whole numbers from the smallest to the largest that has a probability."""
        return whole_range(self.min_val, self.max_val)

    @property
    def _slab(self) -> Any:
        """The probability of each value but the spike."""
        return (1.0 - self.p) / (self.num_vals - 1) if self.num_vals > 1 else 0.0

    @cached_property
    def _logs(self) -> tuple[Any, Any]:
        return across(logs(self.p)), across(logs(self._slab))

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        return np.where(x == across(self.k), *self._logs)

    def mean(self) -> float:
        others = self.num_vals * (self.num_vals - 1) / 2 - (self.k - self.min_val)
        return self.min_val + self.p * (self.k - self.min_val) + self._slab * others

    def variance(self) -> float:
        n, mean, spike = self.num_vals, self.mean() - self.min_val, self.k - self.min_val
        middle = (n - 1) / 2
        around = n * ((n * n - 1) / 12 + (middle - mean) ** 2) - (spike - mean) ** 2
        return self.p * (spike - mean) ** 2 + self._slab * around

    def mode(self) -> int:
        return self.k

    def entropy(self) -> float:
        return float(special.entr(self.p)) + (self.num_vals - 1) * float(special.entr(self._slab))

    def cdf(self, x: Any) -> Any:
        x = np.floor(x)
        below = np.clip(x - self.min_val + 1, 0, self.num_vals)
        spiked = x >= self.k
        return np.where(x >= self.max_val, 1.0, np.where(spiked, self.p, 0.0) + self._slab * (below - spiked))[()]

    def quantile(self, q: Any) -> Any:
        q = np.asarray(q, dtype=np.float64)
        before = self._slab * (self.k - self.min_val)
        slab = self._slab or 1.0
        late = np.where(q <= before + self.p, self.k, self.k + np.ceil((q - before - self.p) / slab))
        guess = np.where(q <= before, self.min_val + np.ceil(q / slab) - 1, late)
        return whole_quantile(self.cdf, q, guess, self.min_val, self.max_val)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        check_drawn(self.min_val, self.max_val, self.label)
        slab = rng.integers(self.min_val, max(self.max_val, self.min_val + 1), size)
        slab += slab >= self.k
        return np.where(rng.random(size) < self.p, self.k, slab)

    def expected_statistics(self, count: float) -> Counts:
        table_size(self.min_val, self.max_val, self.label)
        values = np.arange(self.min_val, self.max_val + 1)
        return Counts(values, count * np.where(values == self.k, self.p, self._slab))

    def log_likelihood(self, statistics: Any) -> float:
        values, weights = statistics.values, statistics.weights
        inside = (values >= self.min_val) & (values <= self.max_val)
        logs = np.full((*self.batch, len(values)), -math.inf)
        logs[..., inside] = self.log_densities(values[inside])
        return (np.where(weights > 0, logs, 0.0) * weights).sum(axis=-1)[()]

    def estimator(self, pseudo_count: Any = None) -> SpikeAndSlabEstimator:
        own = None if pseudo_count is None else (self.k, self.p)
        return SpikeAndSlabEstimator(self.min_val, self.max_val, pseudo_count, own, self.name, self.keys)


class SpikeAndSlabEstimator(RangeEstimator):
    """Maximum likelihood for a spike and slab: k is the value of greatest weight (the smallest of equal ones), p its share.

    min_val, max_val: the range; None takes that end from the data. pseudo_count=a with suff_stat=(k0, p0): a pseudo-observations
    from the law with that spike (default: spread evenly over the range). The log prior is `a sum_x q(x) log p(x)`, q the law of the
    pseudo-observations. Raises `ParameterError` if max_val < min_val.
    """

    family = SpikeAndSlabDistribution
    stacks = True

    def check_parts(self) -> None:
        if self.tied or self.held:
            raise ParameterError("SpikeAndSlabEstimator: k and p go together, so neither is tied or held alone")

    def validate(self) -> None:
        super().validate()
        pair = self.suff_stat
        if pair is not None and (not isinstance(pair, (tuple, list)) or len(pair) != 2):
            raise ParameterError(f"SpikeAndSlabEstimator: suff_stat must be a pair (k, p), got {pair!r}")

    def resolve(self, statistics: Counts) -> Self:
        ends = value_range(self, statistics)
        if ends is None:
            return self
        (count,), size = pseudo_counts(self.pseudo_count, 1, "SpikeAndSlabEstimator"), ends[1] - ends[0] + 1
        k, p = (ends[0], 1.0 / size) if self.suff_stat is None else self.suff_stat
        prior = SpikedObservations(count, from_suff_stat(self, self.family, k, size, p, ends[0])) if count > 0 else None
        return self.pinned(pinned_range=ends, prior=prior)

    def estimate(self, statistics: Counts, previous: Any = None) -> SpikeAndSlabDistribution:
        low, high = self.pinned_range or (int(statistics.values[0]), int(statistics.values[-1]))
        values, weights = statistics.values, np.where((statistics.values >= low) & (statistics.values <= high), statistics.weights, 0.0)
        both = self.with_prior(Counts(values, weights))
        spike, size = np.argmax(both.weights, axis=-1), high - low + 1
        p = np.clip(both.weights.max(axis=-1) / both.total, 1.0 / size, 1.0)
        return self.law(k=both.values[spike], num_vals=size, p=p, min_val=low)


@dataclass(frozen=True, eq=False)
class SpikedObservations(Prior):
    """So many observations that were never made, in proportion to a law of the same range."""

    count: float
    law: SpikeAndSlabDistribution

    def added_to(self, statistics: Counts) -> Counts:
        law = self.law  # its values without data weigh alike, but for its spike: the first of them stands for all
        values = np.union1d(statistics.values, [law.min_val, law.k])
        weights = statistics.over(values)
        weights[..., (values >= law.min_val) & (values < law.min_val + law.num_vals)] += self.count * law._slab
        weights[..., np.searchsorted(values, law.k)] += self.count * (law.p - law._slab)
        return Counts(values, weights, statistics.total + self.count)

    def log_density(self, law: Any) -> Any:
        at_spike = np.where(law.k == self.law.k, self.law.p, self.law._slab)
        return self.count * (special.xlogy(at_spike, law.p) + special.xlogy(1 - at_spike, law._slab))
