"""Sufficient statistics: values that add. `a + b` is associative and commutative.

    Sums        named totals                         Exponential, Geometric, Poisson, Binomial (with a range)
    Moments     count, mean, centred second moment   Gaussian, LogGaussian, DiagonalGaussian
    LogMoments  count, mean, log(mean / x)           Gamma
    Scatter     moments with a matrix                MultivariateGaussian
    Counts      a weight per label or whole number   Categorical, IntegerCategorical, SpikeAndSlab, BernoulliSet, MarkovChain

A node of a model's tree holds its own statistics and those of its children: `Node`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Self, TypeVar

import numpy as np

from dmlcore.base.labels import Vocabulary
from dmlcore.base.numerics import log_gap
from dmlcore.base.records import dataclass

Saved = TypeVar("Saved")

SAVED_KINDS: dict[str, tuple[type, tuple[str, ...]]] = {}  # of statistics that files hold: their class, and the fields it is made of


def saved_as(name: str, *fields: str) -> Callable[[type[Saved]], type[Saved]]:
    """Lets files hold statistics of a class, by a name and these fields, which are what it is made of in order."""

    def named(kind: type[Saved]) -> type[Saved]:
        SAVED_KINDS[name] = kind, fields
        return kind

    return named


class Sums:
    """Named totals, `Sums(count=12.0, x=30.5)`; a name starting with `low` or `high` keeps the least or the greatest."""

    __slots__ = ("_values",)

    def __init__(self, **values: Any):
        object.__setattr__(self, "_values", values)

    def __getattr__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self, "_values")[name]
        except KeyError:
            raise AttributeError(name) from None

    def __reduce__(self) -> Any:
        return _sums, (self._values,)

    def __repr__(self) -> str:
        return f"Sums({', '.join(f'{k}={v!r}' for k, v in self._values.items())})"

    def items(self) -> Any:
        """The names and their totals."""
        return self._values.items()

    def __add__(self, other: Self) -> Sums:
        mine, theirs = self._values, other._values
        return Sums(**{k: _joined(k, v, theirs[k]) for k, v in mine.items()})

    def at(self, index: Any) -> Sums:
        """Those of one place of a stack."""
        return Sums(**{k: v[index] if np.ndim(v) else v for k, v in self._values.items()})

    def only(self, names: Collection[str]) -> Sums:
        """The same, with nothing in the totals of other names."""
        return Sums(**{k: v if k in names else _times(v, 0.0) for k, v in self._values.items()})

    def scaled(self, factor: float) -> Sums:
        """As if every weight had been multiplied."""
        return Sums(**{k: v if k.startswith(("low", "high")) else _times(v, factor) for k, v in self._values.items()})


def _sums(values: dict[str, Any]) -> Sums:
    return Sums(**values)


def _times(value: Any, factor: float) -> Any:
    return value.scaled(factor) if hasattr(value, "scaled") else value * factor


def _joined(name: str, a: Any, b: Any) -> Any:
    if name.startswith("low"):
        return np.minimum(a, b) if np.ndim(a) else min(a, b)
    if name.startswith("high"):
        return np.maximum(a, b) if np.ndim(a) else max(a, b)
    return a + b


@dataclass(frozen=True)
class AboutMean:
    """Weighted count and mean, and a weighted sum of how far each value is from the mean, in some measure. Merged without cancellation: the
    sum of two parts is that of each, and that of their means about the common one."""

    count: Any
    mean: Any

    @property
    def apart(self) -> Any:
        """The weighted sum of how far values are from the mean, the third of the fields."""
        raise NotImplementedError

    def between(self, other: Self, share: Any, mean: Any) -> Any:
        """That sum of the means of two parts about their common mean; share: how much of the weight is the other's."""
        raise NotImplementedError

    def __add__(self, other: Self) -> Self:
        if nothing(other, self):
            return self
        if nothing(self, other):
            return other
        count, shift = self.count + other.count, other.mean - self.mean
        share = other.count / (count if np.all(count) else np.where(count == 0, 1.0, count))
        mean = self.mean + shift * beside(share, shift)
        return type(self)(count, mean, self.apart + other.apart + self.between(other, share, mean))  # type: ignore[call-arg]

    def at(self, index: Any) -> Self:
        """Those of one place of a stack."""
        return type(self)(self.count[index], self.mean[index], self.apart[index])  # type: ignore[call-arg]

    def scaled(self, factor: float) -> Self:
        """As if every weight had been multiplied."""
        return type(self)(self.count * factor, self.mean, self.apart * factor)  # type: ignore[call-arg]


@saved_as("moments", "count", "mean", "m2")
@dataclass(frozen=True)
class Moments(AboutMean):
    """Weighted count, mean and centred second moment; merged by the pooled formula (Chan, Golub, LeVeque 1983, eq. 2.1).

    `mean` and `m2` are scalars, or `(d,)` for vectors; `m2` is `(d, d)` in a `Scatter`; of a stack, with its axes in front.
    """

    m2: Any

    @property
    def apart(self) -> Any:
        return self.m2

    def between(self, other: Self, share: Any, mean: Any) -> Any:
        square = self.square(other.mean - self.mean)
        return square * beside(self.count * share, square)

    @classmethod
    def together(cls, parts: Sequence[Self], shape: tuple[int, ...]) -> Self:
        """Those of a stack of a shape, from those of its places in order."""
        fields = (np.array([getattr(part, field) for part in parts]) for field in ("count", "mean", "m2"))
        return cls(*(values.reshape(shape + values.shape[1:])[()] for values in fields))

    @staticmethod
    def square(shift: Any) -> Any:
        """What a shift of the mean adds to the second moment, per unit of weight."""
        return shift * shift


def beside(number: Any, array: Any) -> Any:
    """One number for each place of a stack, so that it goes with vectors or matrices of the places."""
    return number if np.ndim(number) == 0 else np.reshape(number, number.shape + (1,) * (np.ndim(array) - np.ndim(number)))


def nothing(one: Any, other: Any) -> bool:
    """Whether statistics without weight add nothing to others, not even the axes of a stack."""
    if isinstance(one.count, float):
        return one.count == 0.0
    return not np.any(one.count) and np.ndim(one.count) <= np.ndim(other.count)


@saved_as("scatter", "count", "mean", "m2")
class Scatter(Moments):
    """Moments of vectors with the full centred scatter matrix `(d, d)`."""

    @staticmethod
    def square(shift: Any) -> Any:
        """What a shift of the mean adds to the second moments, per unit of weight."""
        return shift[..., :, None] * shift[..., None, :]


@dataclass(frozen=True)
class GapMoments(AboutMean):
    """Weighted count and mean of positive numbers, and `gap`, the weighted sum of how far each is from the mean in some measure, which is
    >= 0."""

    gap: Any

    @property
    def apart(self) -> Any:
        return self.gap


@saved_as("log moments", "count", "mean", "gap")
class LogMoments(GapMoments):
    """Moments of positive numbers with the weighted sum of log(mean / x) as the gap."""

    @classmethod
    def of(cls, x: np.ndarray, weights: np.ndarray) -> Self:
        """Those of positive numbers `(n,)`, from weights `(.., n)`."""
        count = weights.sum(axis=-1)
        some = count > 0
        if not np.any(some):
            return cls(count, np.ones(count.shape)[()], np.zeros(count.shape)[()])
        whole = np.where(some, count, 1.0)
        mean = np.where(some, weights @ x, 1.0) / whole
        mean = mean + np.where(some, _dot(weights, x - mean[..., None]), 0.0) / whole
        with np.errstate(divide="ignore"):
            logs = np.log(x / mean[..., None])
        if logs.size and not logs.min() > -np.inf:
            logs = np.log(x) - np.log(mean)[..., None]
        gap = -_dot(weights, logs)
        close = some & (gap < 1e-3 * count)
        if np.any(close):
            gap = np.where(close, _dot(weights, log_gap((x - mean[..., None]) / mean[..., None], logs)), gap)
        return cls(count, mean[()], gap[()])

    def between(self, other: Self, share: Any, mean: Any) -> Any:
        one, two = ((part.count * log_gap((part.mean - mean) / mean))[()] for part in (self, other))
        return one + two


def _dot(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`sum_i weights[.., i] values[.., i]`."""
    return np.asarray(weights @ values if weights.ndim == 1 else np.einsum("...i,...i->...", weights, values))


@saved_as("counts", "values", "weights", "total")
class Counts:
    """A weight for each of `values`, a `Vocabulary` or a sorted array of whole numbers; carries its values along."""

    __slots__ = ("total", "values", "weights")

    def __init__(self, values: Any, weights: np.ndarray, total: Any = None):
        self.values, self.weights = values, weights
        if total is None:  # otherwise of rows, where a row has many labels or none
            total = float(weights.sum()) if weights.ndim == 1 else weights.sum(axis=-1)
        self.total = total

    @property
    def count(self) -> float:
        """The sum of weights."""
        return self.total

    def __repr__(self) -> str:
        return f"Counts({dict(zip(self.values, self.weights.tolist(), strict=True))!r}, total={self.total!r})"

    def __add__(self, other: Counts) -> Counts:
        total = self.total + other.total
        if self.values is other.values:
            return Counts(self.values, self.weights + other.weights, total)
        if isinstance(self.values, Vocabulary):
            values: Any = self.values.union(other.values)
        else:
            values = np.union1d(self.values, other.values)
        return Counts(values, self.over(values) + other.over(values), total)

    def over(self, values: Any) -> np.ndarray:
        """Weights in the order of other values, 0 where there is none; labels that are not among those are left out."""
        if values is self.values:
            return self.weights
        out = np.zeros((*self.weights.shape[:-1], len(values)))
        if isinstance(values, Vocabulary):
            where = values.positions(self.values)
            out[..., where[where >= 0]] = self.weights[..., where >= 0]
        else:
            out[..., np.searchsorted(values, self.values)] = self.weights
        return out

    def weighty(self) -> Vocabulary:
        """The labels that carry weight: a row of weight zero brings none."""
        if (self.weights > 0).all():
            return self.values
        return Vocabulary(label for label, w in zip(self.values, self.weights, strict=True) if w > 0)

    def at(self, index: Any) -> Counts:
        """Those of one place of a stack."""
        return Counts(self.values, self.weights[index], self.total[index])

    def scaled(self, factor: float) -> Counts:
        """As if every weight had been multiplied."""
        return Counts(self.values, self.weights * factor, self.total * factor)


class Node:
    """Statistics of one node of an estimator's tree: its own (None if it has none), and one `Node` per child."""

    __slots__ = ("children", "own")

    def __init__(self, own: Any, children: Any = ()):
        self.own, self.children = own, children

    def __add__(self, other: Any) -> Any:
        own = self.own if other.own is None else other.own if self.own is None else self.own + other.own
        return Node(own, [a + b for a, b in zip(self.children, other.children, strict=True)])
