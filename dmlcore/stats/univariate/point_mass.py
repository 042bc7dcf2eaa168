"""The law of one value."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.domains import Domain
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.labels import Vocabulary, plain
from dmlcore.base.marks import holds_mark
from dmlcore.base.support import Support
from dmlcore.core.declared import keys, name, parameter
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.powers import HasProbabilities, Univariate
from dmlcore.core.statistics import Sums
from dmlcore.data.layouts import Labels, Layout, RealAtom
from dmlcore.data.values import is_hashable, is_number


class PointValue(Domain):
    """A finite number, or a label; chosen, never estimated."""

    need = "a finite number, or a label (any hashable that is not missing; True and False are labels)"

    def check(self, value: Any) -> Any:
        if not is_hashable(value) or holds_mark(value):
            raise self.fail(value)
        value = plain(value)
        if is_a_number(value) and not (np.isfinite(float(value)) and float(value) == value):
            raise ParameterError(f"must be a finite number that a float holds, or a label, got {value!r}")
        return value


def is_a_number(value: Any) -> bool:
    """Whether a value is a number; True and False are labels."""
    return is_number(value) and not isinstance(value, bool)


def layout_of(node: Any) -> Layout:
    """What the law, or the estimator, of one value reads."""
    return RealAtom(node.label, at=float(node.value)) if is_a_number(node.value) else Labels(node.label)


def support_of(node: Any) -> Support | None:
    """Of a number, that number."""
    if not is_a_number(node.value):
        return None
    return Support(f"the number {node.value!r}", low=node.value, high=node.value)


class PointMassDistribution(Distribution, Univariate, HasProbabilities):
    """The value `value` and no other: log density 0 there, with respect to counting, and -inf elsewhere.

    value: a finite number or a label. A number is that number however it is written (0, 0.0 and -0.0 are one value), and True and False are
    labels, equal to 1 and 0 as labels are. In a heterogeneous mixture a number that has a point mass is read by no law with a density:
    a density says nothing of how probable one value is. Raises `ParameterError` for what is missing, infinite, or cannot be hashed.
    """

    value: Any = parameter(PointValue())
    name: str | None = name()
    keys: str | None = keys()

    @cached_property
    def layout(self) -> Layout:
        return layout_of(self)

    @cached_property
    def support(self) -> Support | None:  # type: ignore[override]
        """The number; None of a label."""
        return support_of(self)

    def log_densities(self, x: Any) -> np.ndarray:
        if not isinstance(x, Vocabulary):
            return np.zeros((*self.batch, len(x)))
        at = np.array([label == self.value for label in x], dtype=bool)
        return np.broadcast_to(np.where(at, 0.0, -np.inf), (*self.batch, len(x)))

    def _number(self) -> Any:
        if not is_a_number(self.value):
            raise StructureError(f"{self.label}: {self.value!r} is a label, which has no moments and no order")
        return self.value

    def mean(self) -> float:
        return float(self._number())

    def variance(self) -> float:
        return 0.0 * self._number()

    def mode(self) -> Any:
        return self.value

    def entropy(self) -> float:
        return 0.0

    def probabilities(self) -> dict[Any, float]:
        """Of the value."""
        return {self.value: 1.0}

    def cdf(self, x: Any) -> Any:
        return np.where(np.asarray(x) >= self._number(), 1.0, 0.0)[()]

    def quantile(self, q: Any) -> Any:
        q = np.asarray(q, dtype=np.float64)
        return np.where((q >= 0) & (q <= 1), self._number(), np.nan)[()]

    def draw(self, size: int, rng: np.random.Generator) -> Any:
        return np.full(size, self.value) if is_a_number(self.value) else [self.value] * size

    def expected_statistics(self, count: float) -> Sums:
        return Sums(count=count)

    def explain_zero_density(self, x: Any) -> str:
        return f"{self.label}: {x!r} has density zero; it needs {self.value!r}"

    def estimator(self, pseudo_count: Any = None) -> PointMassEstimator:
        return PointMassEstimator(self.value, self.name, self.keys)


class PointMassEstimator(Estimator):
    """The law of the value `value`, whatever the data. Beside other laws in a heterogeneous mixture: a spike, whose weight is estimated."""

    value: Any = parameter(PointValue())
    name: str | None = name()
    keys: str | None = keys()

    family = PointMassDistribution
    stacks = has_prior = True  # type: ignore[assignment]
    fixed_fields = ("value",)  # type: ignore[assignment]

    @cached_property
    def layout(self) -> Layout:
        return layout_of(self)

    @cached_property
    def support(self) -> Support | None:
        """The number; None of a label."""
        return support_of(self)

    def statistics(self, x: Any, weights: np.ndarray) -> Sums:
        return Sums(count=weights.sum(axis=-1))

    def estimate(self, statistics: Sums, previous: Any = None) -> PointMassDistribution:
        return self.law(np.shape(statistics.count), value=self.value)

    def why_outside_support(self, x: Any) -> str | None:
        return super().why_outside_support(x) if self.support is not None else self._why_another_label(x)

    def _why_another_label(self, x: Any) -> str | None:
        return None if is_hashable(x) and plain(x) == self.value else f"{self.label}: {x!r} has density zero; it needs {self.value!r}"

    def is_feasible(self, distribution: Any) -> bool:
        return bool(distribution.value == self.value)
