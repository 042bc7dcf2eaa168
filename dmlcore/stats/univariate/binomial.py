"""The binomial law of the number of successes in n trials."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import Whole, probability
from dmlcore.base.numerics import HALF_LOG_2PI, LARGE, across, deviance, stirling_error
from dmlcore.base.records import dataclass
from dmlcore.base.support import Support, whole_range
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator, from_suff_stat, pseudo_counts, pseudo_observations
from dmlcore.core.powers import Univariate
from dmlcore.core.statistics import saved_as
from dmlcore.data.layouts import Count
from dmlcore.stats.univariate.counting import Bound, because_of_bounds, check_bounds, check_drawn, summed_entropy, whole_quantile


class BinomialDistribution(Distribution, Univariate):
    """A count x in min_val, ..., min_val + n with probability `C(n, y) p^y (1 - p)^(n - y)`, y = x - min_val.

    p: the probability of success in one trial, in [0, 1]. n: the number of trials, a whole number >= 0. min_val: the count without
    any success, a whole number (default 0). Raises `ParameterError` outside these domains.
    For large n the saddle-point form (Loader 2000) keeps all digits.
    """

    p: float = parameter(probability)
    n: int = parameter(Whole(0))
    min_val: int = parameter(Bound(), default=None)  # type: ignore[assignment]
    name: str | None = name()
    keys: str | None = keys()

    kind = Count

    def validate(self) -> None:
        if self.min_val is None:
            self.derive(min_val=0)

    @cached_property
    def support(self) -> Support:
        """Whole numbers from `min_val` on, as many as there are trials and one."""
        return whole_range(self.min_val, self.min_val + self.n)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        successes, p = x - self.min_val, across(self.p)
        y, n = successes.astype(np.float64), float(self.n)
        if n <= LARGE:
            ways = special.gammaln(n + 1.0) - special.gammaln(y + 1.0) - special.gammaln(n - y + 1.0)
            return ways + special.xlogy(y, p) + special.xlog1py(n - y, -p)
        # failures are counted in whole numbers, while these fit: reals beyond 2^53 would lose the last of them
        failures = (self.n - successes if self.n < 2**63 else n - y).astype(np.float64)
        inner, rest = np.clip(y, 1.0, n - 1.0), np.clip(failures, 1.0, n - 1.0)
        log = stirling_error(n) - stirling_error(inner) - stirling_error(rest) - deviance(inner, n * p) - deviance(rest, n * (1.0 - p))
        log += 0.5 * (math.log(n) - np.log(inner) - np.log(rest)) - HALF_LOG_2PI
        log = np.where(y < 1.0, special.xlog1py(n, -p), log)
        return np.where(failures < 1.0, special.xlogy(n, p), log)

    def mean(self) -> float:
        return self.min_val + self.n * self.p

    def variance(self) -> float:
        return self.n * self.p * (1.0 - self.p)

    def mode(self) -> int:
        return self.min_val + min(math.floor((self.n + 1) * self.p), self.n)

    def entropy(self) -> float:
        return summed_entropy(self, self.min_val, self.min_val + self.n)

    def cdf(self, x: Any) -> Any:
        y = np.floor(x) - self.min_val
        inside = np.clip(y, 0.0, np.maximum(self.n - 1.0, 0.0))
        below = special.betaincc(inside + 1.0, np.maximum(self.n, 1.0) - inside, self.p)
        return np.where(y < 0, 0.0, np.where(y >= self.n, 1.0, below))[()]

    def quantile(self, q: Any) -> Any:
        q, p, n, low = np.broadcast_arrays(np.asarray(q, dtype=np.float64), self.p, self.n, self.min_val)
        high = low + n
        guess = low + np.where((p > 0) & (p < 1) & (n > 0), special.bdtrik(q, n, p), n * p)
        guess = np.where(q >= 1, high, np.where(q <= self.cdf(low), low, guess))
        return whole_quantile(self.cdf, q, guess, low, high)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        check_drawn(self.min_val, self.min_val + self.n, self.label)
        return rng.binomial(self.n, self.p, size) + self.min_val

    def expected_statistics(self, count: float) -> Successes:
        return Successes(count, count * (self.n * self.p), self.min_val, self.min_val + self.n)

    def log_likelihood(self, statistics: Any) -> float:
        successes = statistics.beyond(self.min_val)
        return special.xlogy(successes, self.p) + special.xlog1py(statistics.count * self.n - successes, -self.p)

    def estimator(self, pseudo_count: Any = None) -> BinomialEstimator:
        own = None if pseudo_count is None else self.p
        return BinomialEstimator(self.min_val + self.n, self.min_val, pseudo_count, own, self.name, self.keys)


@saved_as("successes", "count", "above", "low", "high")
@dataclass(frozen=True)
class Successes:
    """Weighted count of rows, and the sum of what their counts are `above` the least of them, which is `low`: a sum of large counts would
    lose the digits in which they differ. `high` is the greatest."""

    count: Any
    above: Any
    low: Any
    high: Any

    def beyond(self, low: Any) -> Any:
        """The weighted sum of what the counts are above another number."""
        return self.above + self.count * float(self.low - low) if self.low < math.inf else self.above

    def __add__(self, other: Self) -> Self:
        low = min(self.low, other.low)
        return type(self)(self.count + other.count, self.beyond(low) + other.beyond(low), low, max(self.high, other.high))

    def at(self, index: Any) -> Self:
        """Those of one place of a stack."""
        return type(self)(self.count[index], self.above[index], self.low, self.high)

    def scaled(self, factor: float) -> Self:
        """As if every weight had been multiplied."""
        return type(self)(self.count * factor, self.above * factor, self.low, self.high)


class BinomialEstimator(Estimator):
    """Maximum likelihood for p of a binomial: the weighted mean share of successes.

    max_val, min_val: the largest and smallest count, n = max_val - min_val; None takes that of all the data (min_val is 0 if not
    given). pseudo_count=a with suff_stat=p0: a pseudo-observations with mean n p0 successes (default: the share in all the data).
    The log prior is `a n (p0 log p + (1 - p0) log(1 - p))`. Raises `ParameterError` if max_val < min_val.
    """

    max_val: int | None = parameter(Bound(), default=None)
    min_val: int | None = parameter(Bound(), default=0)
    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = BinomialDistribution
    stacks = True
    pinned_range: ClassVar[tuple[int, int] | None] = None

    def validate(self) -> None:
        check_bounds(self)
        pseudo_counts(self.pseudo_count, 1, "BinomialEstimator")
        if self.suff_stat is not None:
            from_suff_stat(self, self.family, self.suff_stat, 1)

    @cached_property
    def support(self) -> Support:
        return whole_range(self.min_val, self.max_val)

    def why_outside_support(self, x: Any) -> str | None:
        return because_of_bounds(self, x, super().why_outside_support(x))

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Successes:
        there = x if not len(x) or weights.min() > 0 else x[(weights > 0).reshape(-1, len(x)).any(axis=0)]
        low, high = (int(there.min()), int(there.max())) if len(there) else (math.inf, -math.inf)
        above = (x - low).astype(np.float64) if len(there) else np.zeros(len(x))
        return Successes(weights.sum(axis=-1), weights @ above, low, high)

    def _range(self, statistics: Successes) -> tuple[int, int] | None:
        low = statistics.low if self.min_val is None else self.min_val
        high = statistics.high if self.max_val is None else self.max_val
        return (low, high) if -math.inf < low <= high < math.inf else None

    def resolve(self, statistics: Successes) -> Self:
        ends = self._range(statistics)
        if ends is None:
            return self
        law = None if self.suff_stat is None else self.family(self.suff_stat, ends[1] - ends[0], ends[0])
        return self.pinned(pinned_range=ends, prior=pseudo_observations(self, statistics, law))

    def estimate(self, statistics: Successes, previous: Any = None) -> BinomialDistribution:
        both = self.with_prior(statistics)
        low, high = self.pinned_range or self._range(statistics)  # type: ignore[misc]
        p = both.beyond(low) / both.count / (high - low) if high > low else 0.0 * both.count
        return self.law(p=np.clip(p, 0.0, 1.0), n=high - low, min_val=low)
