"""The uniform law of a vector in a box: noise beside other laws of vectors."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import Array, OrNone
from dmlcore.base.errors import DegenerateError, ParameterError
from dmlcore.base.records import dataclass
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.partial import Known
from dmlcore.core.powers import HasMoments
from dmlcore.core.rowlaws import Fixed, Product
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Layout, Real, Vector
from dmlcore.stats.multivariate.vectors import Dimension, OfVectors, check_dimension
from dmlcore.stats.univariate.uniform import UniformDistribution


class Corner(Array):
    """A corner of a box: numbers that are free, but have no coordinates, as they do not move in a fit."""

    def __init__(self) -> None:
        super().__init__("a vector of finite reals", 1)
        self.axes = None

    def holds(self, value: Any) -> bool:
        return True

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return np.zeros(0)

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        return like


@dataclass(frozen=True, eq=False)
class Box:
    """Vectors between two corners; None leaves a side open."""

    low: np.ndarray | None
    high: np.ndarray | None

    @property
    def need(self) -> str:
        """What a vector must be."""
        said = [f"{word} {end.tolist()}" for word, end in (("from", self.low), ("to", self.high)) if end is not None]
        return f"vectors {' '.join(said)}, coordinate by coordinate" if said else "finite real numbers"

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Which vectors `(n, d)` lie inside, `(n,)`."""
        inside = np.isfinite(x)
        inside &= True if self.low is None else x >= self.low
        inside &= True if self.high is None else x <= self.high
        return np.asarray(inside.all(axis=1))

    def covers(self, column: Any) -> bool:
        """Whether all vectors of a column lie inside, from the least and the largest of all its numbers."""
        least, most = column.extent
        low, high = -math.inf if self.low is None else self.low.max(), math.inf if self.high is None else self.high.min()
        return bool(math.isfinite(least) and math.isfinite(most) and least >= low and most <= high)


class UniformVectorDistribution(OfVectors, Distribution, HasMoments):
    """A vector of d reals with density `prod_j 1 / (high_j - low_j)` where `low_j <= x_j <= high_j` for all j.

    low, high: two corners of the box `(d,)`, finite reals, low < high, in the units of each coordinate. Raises `ParameterError` otherwise.
    """

    low: np.ndarray = parameter(Corner())
    high: np.ndarray = parameter(Corner())
    name: str | None = name()
    keys: str | None = keys()

    placed = "low"

    def validate(self) -> None:
        if self.low.shape != self.high.shape:
            raise ParameterError(f"{type(self).__name__}: low and high must be of one length, got {len(self.low)} and {len(self.high)}")
        with np.errstate(over="ignore"):
            wrong = ~((self.high - self.low > 0) & (self.high - self.low < np.inf))
        if wrong.any():
            j = int(np.argmax(wrong))
            ends = f"low={self.low[j]:g}, high={self.high[j]:g} in coordinate {j}"
            raise ParameterError(f"{type(self).__name__}: high must be above low by a finite number, got {ends}")

    @cached_property
    def support(self) -> Box:  # type: ignore[override]
        """The box."""
        return Box(self.low, self.high)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        check_dimension(x, self.dim, self.label)
        return np.full((*self.batch, len(x)), -np.log(self.high - self.low).sum())

    def given(self, x: Any, n: int) -> Any:
        log, rest = np.zeros(n), []
        for j, entry in enumerate(x.entries):
            own = UniformDistribution(self.low[j], self.high[j])
            if isinstance(entry, Known):
                log += own.seq_log_density(entry.encoded(Real(f"{self.label}, coordinate {j}")))
            else:
                rest.append(Fixed(own))
        return log, Product(rest)

    def mean(self) -> np.ndarray:
        return self.low + (self.high - self.low) / 2

    def variance(self) -> np.ndarray:
        return np.asarray((self.high - self.low) ** 2 / 12)

    def mode(self) -> np.ndarray:
        return self.mean()

    def entropy(self) -> float:
        return float(np.log(self.high - self.low).sum())

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(self.low, self.high, (size, self.dim))

    def expected_statistics(self, count: float) -> Sums:
        return Sums(count=count, low=self.low, high=self.high)

    def estimator(self, pseudo_count: Any = None) -> UniformVectorEstimator:
        # no pseudo-observation of this law lies outside its box
        low, high = (None, None) if pseudo_count is None else (self.low, self.high)
        return UniformVectorEstimator(self.dim, low, high, name=self.name, keys=self.keys)


class UniformVectorEstimator(Estimator):
    """Maximum likelihood for a uniform vector: the smallest box, with sides along the coordinates, that holds the data.

    dim: the length of the vectors (None: that of the data). low, high: the corners, where they are known. In a mixture they are those of
    all the rows, fixed for the whole fit: a component of noise (Banfield and Raftery 1993). Raises `ParameterError` unless low < high.
    """

    dim: int | None = parameter(Dimension(), default=None)
    low: Any = parameter(OrNone(Corner()), default=None)
    high: Any = parameter(OrNone(Corner()), default=None)
    name: str | None = name()
    keys: str | None = keys()

    family = UniformVectorDistribution
    stacks = True
    pinned_box: ClassVar[tuple[np.ndarray, np.ndarray] | None] = None

    def validate(self) -> None:
        if self.low is not None and self.high is not None:
            UniformVectorDistribution(self.low, self.high)

    @cached_property
    def layout(self) -> Layout:
        sizes = [len(end) for end in (self.low, self.high) if end is not None]
        return Vector(self.label, self.dim or (sizes[0] if sizes else None))

    @cached_property
    def support(self) -> Box:
        return Box(self.low, self.high)

    @property
    def fixed_fields(self) -> tuple[str, ...]:
        return tuple(field for field in ("low", "high") if getattr(self, field) is not None)

    def statistics(self, x: np.ndarray, weights: np.ndarray) -> Sums:
        count = weights.sum(axis=-1)
        if self.pinned_box is not None:
            return Sums(count=count)
        check_dimension(x, self.dim, self.label)
        there = x[weights > 0]
        return Sums(count=count, low=there.min(axis=0, initial=np.inf), high=there.max(axis=0, initial=-np.inf))

    def resolve(self, statistics: Sums) -> Self:
        return self.pinned(pinned_box=self._box(statistics)) if statistics.count > 0 else self

    def _box(self, statistics: Sums) -> tuple[np.ndarray, np.ndarray]:
        low, high = statistics.low if self.low is None else self.low, statistics.high if self.high is None else self.high
        flat = np.flatnonzero(~(low < high))
        if len(flat):
            where = f"from {float(low[flat[0]])!r} to {float(high[flat[0]])!r} in coordinate {flat[0]}"
            raise DegenerateError(f"{self.label}: the box has no volume ({where}); give low and high, or leave it out")
        return low, high

    def estimate(self, statistics: Sums, previous: Any = None) -> UniformVectorDistribution:
        low, high = self.pinned_box or self._box(statistics)
        return self.law(np.shape(statistics.count), low=low, high=high)  # type: ignore[no-any-return]

    def is_feasible(self, distribution: Any) -> bool:
        return self.pinned_box is None or all(map(np.array_equal, self.pinned_box, (distribution.low, distribution.high)))
