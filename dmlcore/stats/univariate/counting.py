"""What laws of whole numbers share: ranges from settings or data, counts per value, quantiles and entropies by summation."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import Whole
from dmlcore.base.errors import DataError, ParameterError
from dmlcore.base.numerics import by_rows, joined
from dmlcore.base.support import Support, whole_range
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.estimator import Estimator, given_law, pseudo_counts, pseudo_observations
from dmlcore.core.statistics import Counts, Sums
from dmlcore.kernels.codes import scatter_many

MOST_DRAWN = 2**63 - 1
MOST_MEAN = 9.2e18  # of draws that are whole numbers of 64 bits
COARSE_FROM = 1e12  # from here on, the cdf of one whole number and that of the next may differ by rounding alone
MAX_VALUES = 1 << 24  # a table of probabilities over more whole numbers than this is refused


class Bound(Whole):
    """A whole number, or None: to be taken from the data."""

    need = "a whole number or None"

    def __init__(self) -> None:
        super().__init__()
        self.need = Bound.need

    def check(self, value: Any) -> int | None:  # type: ignore[override]
        return None if value is None else super().check(value)


class MeanEstimator(Estimator):
    """An estimator of a law of counts that its mean determines: `estimate` reads `count` and `x`, the sum of weights and of counts.

    pseudo_count=a with suff_stat, the parameter of the pseudo-observations (default: that of all the data): their expected
    statistics are added to those of the data.
    """

    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, type(self).__name__)
        given_law(self)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Sums:
        return Sums(count=weights.sum(axis=-1), x=weights @ x.astype(np.float64))

    def resolve(self, statistics: Sums) -> Self:
        return self.pinned(prior=pseudo_observations(self, statistics, given_law(self)))


class RangeEstimator(Estimator):
    """An estimator of a law on a range of whole numbers, from a weight per value.

    min_val, max_val: the range; None takes that end from the data, pinned by `resolve` as `pinned_range`.
    """

    min_val: int | None = parameter(Bound(), default=None)
    max_val: int | None = parameter(Bound(), default=None)
    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    pinned_range: ClassVar[tuple[int, int] | None] = None

    def validate(self) -> None:
        check_bounds(self)
        pseudo_counts(self.pseudo_count, 1, type(self).__name__)

    @cached_property
    def support(self) -> Support:
        return whole_range(self.min_val, self.max_val)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Counts:
        return counts_of(x, weights)

    def why_outside_support(self, x: Any) -> str | None:
        return because_of_bounds(self, x, super().why_outside_support(x))


def check_bounds(estimator: Any) -> None:
    """Raises `ParameterError` if `max_val` lies below `min_val`."""
    low, high = estimator.min_val, estimator.max_val
    if low is not None and high is not None and high < low:
        raise ParameterError(f"{type(estimator).__name__}: max_val must be >= min_val, got min_val={low}, max_val={high}")


def because_of_bounds(estimator: Any, x: Any, why: str | None) -> str | None:
    """Why a value is impossible, and which setting says so."""
    low, high = estimator.min_val, estimator.max_val
    if why is None or (low is None and high is None):
        return why
    field = "min_val" if low is not None and x < low else "max_val"
    need = whole_range(*(estimator.pinned_range or (low, high))).need
    return f"{estimator.label}: {x!r} has density zero; it needs {need}, and {field}=None takes that end of the range from the data"


def counts_of(x: np.ndarray, weights: np.ndarray) -> Counts:
    """Weights `(.., n)` summed per whole number."""
    if len(x) < 2 or (x[1:] > x[:-1]).all():
        return Counts(x, weights)
    values, codes = np.unique(x, return_inverse=True)
    return Counts(values, by_rows(scatter_many, weights, codes, len(values)))


def value_range(estimator: Any, statistics: Counts) -> tuple[int, int] | None:
    """Smallest and largest value, from the settings or else from values that carry weight; None if neither says."""
    low, high = estimator.min_val, estimator.max_val
    values = statistics.values[statistics.weights > 0]
    if (low is None or high is None) and not len(values):
        return None
    low = int(values[0]) if low is None else low
    high = int(values[-1]) if high is None else high
    return (low, high) if low <= high else None


def table_size(low: int, high: int, who: str) -> int:
    """How many whole numbers there are from `low` to `high`. Raises `DataError` where a table over them would be too large."""
    if high - low >= MAX_VALUES:
        need = "use CategoricalEstimator, or set min_val and max_val"
        raise DataError(f"{who}: the values run from {low} to {high}, too many for a table of probabilities; {need}")
    return high - low + 1


def check_drawn(low: int, high: int, who: str) -> None:
    """Raises `ParameterError` where draws from a range would not be whole numbers of 64 bits."""
    if not (-MOST_DRAWN <= low <= high <= MOST_DRAWN and high - low <= MOST_DRAWN):
        raise ParameterError(
            f"{who}: draws from {low} to {high} would exceed whole numbers of 64 bits; need at most {MOST_DRAWN:g} either way"
        )


def poisson_draws(means: Any, size: Any, rng: np.random.Generator, who: str) -> np.ndarray:
    """Draws of Poisson laws. Raises `ParameterError` where means are so large that draws would not be whole numbers of 64 bits."""
    if np.max(means, initial=0.0) > MOST_MEAN:
        raise ParameterError(
            f"{who}: draws of mean {float(np.max(means)):.3g} would exceed whole numbers of 64 bits; need at most {MOST_MEAN:g}"
        )
    return rng.poisson(means, size)


def weights_inside(statistics: Counts, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Places from `low` on of the whole numbers up to `high` that carry weight, and their weights."""
    some = joined(statistics.weights > 0).any(axis=0)
    inside = (statistics.values >= low) & (statistics.values <= high) & some
    return statistics.values[inside] - low, statistics.weights[..., inside]


def whole_quantile(cdf: Callable[[Any], Any], q: Any, guess: Any, low: Any, high: Any = np.inf) -> Any:
    """The smallest whole number whose cdf reaches `q`, near a guess, or else by bisection; floats, as an unbounded one is inf at q = 1."""
    q = np.asarray(q, dtype=np.float64)
    x = _stepped(cdf, q, guess, low, high)
    slack = np.where(x > COARSE_FROM, 1e-12 * (1.0 - q) + 2.0**-52, 0.0)
    found = ((cdf(x) >= q * (1.0 - slack)) | (x >= high)) & ((x <= low) | (cdf(x - np.maximum(np.spacing(x), 1.0)) < q * (1.0 + slack)))
    missed = (q > 0) & (q < 1) & ~found
    if missed.any():
        bound = np.where(high < np.inf, high, np.maximum(low, 1.0)) + np.zeros(missed.shape)
        while (short := missed & (cdf(bound) < q) & (bound < np.minimum(high, 1e300))).any():
            bound = np.where(short, 2.0 * bound, bound)
        x = np.where(missed, _stepped(cdf, q, bisected(cdf, q, low - 1.0, bound), low, high), x)
    return np.where((q >= 0) & (q <= 1), x, np.nan)[()]


def _stepped(cdf: Callable[[Any], Any], q: np.ndarray, guess: Any, low: Any, high: Any) -> Any:
    x = np.clip(np.ceil(guess) - 2.0, low, high)
    for _ in range(4):
        x = np.where((cdf(x) < q) & (x < high), x + 1.0, x)
    return x


def whole_upper_quantile(sf: Callable[[Any], Any], q: Any, high: Any) -> Any:
    """The smallest whole number >= 0 that is passed with a probability of at most `q`; inf at q = 0. high: a first guess at a bound."""
    q = np.asarray(q, dtype=np.float64)
    inside = np.where((q > 0) & (q <= 1), q, 1.0)
    high = np.broadcast_to(np.ceil(high), q.shape)
    while (short := (sf(high) > inside) & (high < 1e300)).any():
        high = np.where(short, 2.0 * high + 1.0, high)
    x = np.maximum(bisected(lambda y: -sf(y), -inside, np.zeros(q.shape), high) - 2.0, 0.0)
    for _ in range(4):
        x = np.where(sf(x) > inside, x + 1.0, x)
    return np.where(q == 0, np.inf, np.where((q >= 0) & (q <= 1), x, np.nan))[()]


def bisected(cdf: Callable[[Any], Any], q: np.ndarray, low: Any, high: Any) -> np.ndarray:
    """A guess for `whole_quantile` by bisection, between numbers below and not below which it lies."""
    low, high = np.broadcast_to(low, q.shape), np.broadcast_to(high, q.shape)
    while ((high - low) > np.maximum(np.spacing(high), 1.0)).any():
        middle = np.floor((low + high) / 2)
        short = cdf(middle) < q
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return low + 2.0


def summed_entropy(law: Any, low: float, high: float) -> float:
    """Entropy by summation within 40 standard deviations of the mean; by that of a Gaussian where these are too many."""
    mean, variance = law.mean(), law.variance()
    if variance > 1e8:
        return 0.5 * (math.log(2 * math.pi * variance) + 1)
    reach = 40 * math.sqrt(variance) + 40
    log = law.log_densities(np.arange(max(low, math.floor(mean - reach)), min(high, math.ceil(mean + reach)) + 1).astype(np.int64))
    log = log[log > -np.inf]
    return float(-(np.exp(log) @ log))
