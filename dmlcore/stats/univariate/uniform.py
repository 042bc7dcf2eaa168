"""The uniform law of a real number in an interval."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import OrNone, Scalar
from dmlcore.base.errors import DegenerateError, ParameterError
from dmlcore.base.support import Support
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.powers import HasSurvival, Univariate
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Real


class End(Scalar):
    """An end of an interval: a number that is free, but has no coordinate, as it does not move in a fit."""

    def __init__(self) -> None:
        super().__init__("a finite real number", constant=True)

    def free(self, value: float) -> int:
        return 1


class UniformDistribution(Distribution, Univariate, HasSurvival):
    """A real number x with density `1 / (high - low)` for low <= x <= high.

    low, high: the ends, finite reals, low < high, in the units of x. Raises `ParameterError` otherwise.
    """

    low: float = parameter(End())
    high: float = parameter(End())
    name: str | None = name()
    keys: str | None = keys()

    kind = Real

    def validate(self) -> None:
        if not 0 < self.high - self.low < math.inf:
            raise ParameterError(
                f"UniformDistribution: high must be above low by a finite number, got low={self.low!r}, high={self.high!r}"
            )

    @cached_property
    def support(self) -> Support:  # type: ignore[override]
        """The interval."""
        return interval_of(self.low, self.high)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        return np.full((*self.batch, len(x)), -math.log(self.high - self.low))

    def mean(self) -> float:
        return self.low + (self.high - self.low) / 2

    def variance(self) -> float:
        return (self.high - self.low) ** 2 / 12

    def mode(self) -> float:
        return self.mean()

    def entropy(self) -> float:
        return math.log(self.high - self.low)

    def cdf(self, x: Any) -> Any:
        return np.clip((np.asarray(x, dtype=np.float64) - self.low) / (self.high - self.low), 0.0, 1.0)[()]

    def quantile(self, q: Any) -> Any:
        q = np.asarray(q, dtype=np.float64)
        x = np.clip(self.low + q * (self.high - self.low), self.low, self.high)
        return np.where((q >= 0) & (q <= 1), x, np.nan)[()]

    def sf(self, x: Any) -> Any:
        return np.clip((self.high - np.asarray(x, dtype=np.float64)) / (self.high - self.low), 0.0, 1.0)[()]

    def isf(self, q: Any) -> Any:
        return self.low + (self.high - self.quantile(q))

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(self.low, self.high, size)

    def expected_statistics(self, count: float) -> Sums:
        return Sums(count=count, low=self.low, high=self.high)

    def estimator(self, pseudo_count: Any = None) -> UniformEstimator:
        # no pseudo-observation of this law lies outside its ends
        low, high = (None, None) if pseudo_count is None else (self.low, self.high)
        return UniformEstimator(low, high, name=self.name, keys=self.keys)


class UniformEstimator(Estimator):
    """Maximum likelihood for a uniform: the range of the data.

    low, high: the ends, where they are known; None takes that end from the data. A row outside a given end is an error that names it. In a
    mixture the ends are those of all the rows, fixed for the whole fit: a uniform beside other laws is one of noise, and a step of EM,
    which never gives up a row that has some weight, could not move them anyway. Raises `ParameterError` unless low < high.
    """

    low: float | None = parameter(OrNone(End()), default=None)
    high: float | None = parameter(OrNone(End()), default=None)
    name: str | None = name()
    keys: str | None = keys()

    family = UniformDistribution
    stacks = True
    pinned_ends: ClassVar[tuple[float, float] | None] = None

    def validate(self) -> None:
        if None not in (self.low, self.high):
            UniformDistribution(self.low, self.high)  # type: ignore[arg-type]

    @cached_property
    def support(self) -> Support:
        return interval_of(self.low, self.high)

    @property
    def fixed_fields(self) -> tuple[str, ...]:
        return tuple(field for field in ("low", "high") if getattr(self, field) is not None)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Sums:
        count = weights.sum(axis=-1)
        if self.pinned_ends is not None:
            return Sums(count=count)
        there = x[weights > 0]
        return Sums(count=count, low=there.min(initial=np.inf), high=there.max(initial=-np.inf))

    def resolve(self, statistics: Sums) -> Self:
        return self.pinned(pinned_ends=self._ends(statistics)) if statistics.count > 0 else self

    def _ends(self, statistics: Sums) -> tuple[float, float]:
        low = float(statistics.low) if self.low is None else self.low
        high = float(statistics.high) if self.high is None else self.high
        if not low < high:
            raise DegenerateError(f"{self.label}: the interval from {low!r} to {high!r} has no length; give low and high, or leave it out")
        return low, high

    def estimate(self, statistics: Sums, previous: Any = None) -> UniformDistribution:
        low, high = self.pinned_ends or self._ends(statistics)
        return self.law(np.shape(statistics.count), low=low, high=high)

    def is_feasible(self, distribution: Any) -> bool:
        return self.pinned_ends in (None, (distribution.low, distribution.high))


def interval_of(low: float | None, high: float | None) -> Support:
    """Numbers between two ends; None leaves one open."""
    said = [f"{sign} {end!r}" for sign, end in ((">=", low), ("<=", high)) if end is not None]
    need = " ".join(["numbers", " and ".join(said)]) if said else "finite real numbers"
    return Support(need, -math.inf if low is None else low, math.inf if high is None else high)
