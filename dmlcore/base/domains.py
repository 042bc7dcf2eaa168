"""What values a parameter may take. Validation, messages, flat vectors and parameter counts follow from the domain.

A domain checks a value (returning what is stored), and maps it to and from an unconstrained vector. A probability of zero or one has
no coordinate there, and stays as it is. How many numbers are `free` is another question, which information criteria ask: it depends
on the shape of a value alone, and not on where an estimate came to lie, so a probability that was estimated as zero counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError, shorten

SUM_TOLERANCE = 1e-6  # how far probabilities may miss one and still be normalised


def frozen(array: Any) -> np.ndarray:
    """A read-only float64 copy."""
    out = np.array(array, dtype=np.float64)
    out.setflags(write=False)
    return out


def normalised(p: np.ndarray) -> np.ndarray:
    """Rows divided by their sums; rows that already sum to one within rounding are left as they are, so that this is idempotent."""
    total = p.sum(axis=-1, keepdims=True)
    exact = np.abs(total - 1.0) <= 4e-16 * max(4, p.shape[-1])
    return frozen(np.where(exact, p, p / total))


class Domain:
    """Any value at all; no free numbers. The base of the other domains, and the domain of settings."""

    need = "any value"
    axes: int | None = None  # of a number, vector or matrix: how many axes it has, behind those of a stack; None: stacks hold it once
    ties: bool = True  # whether a parameter can be tied alone: not an order of things, between which there is nothing

    def check(self, value: Any) -> Any:
        """The stored form of `value`; raises `ParameterError(need)` if it lies outside."""
        return value

    def shown(self, value: Any) -> Any:
        """What users read of a stored value: the value itself, unless a domain says otherwise."""
        return value

    def free(self, value: Any) -> int:
        """How many numbers are free in a value of this shape, wherever it lies; no fewer than it has coordinates."""
        return len(self.flatten(value))

    def flatten(self, value: Any) -> np.ndarray:
        """The value as unconstrained numbers, its coordinates; what lies on a bound has none."""
        return np.zeros(0)

    def unflatten(self, vector: np.ndarray, like: Any) -> Any:
        """The inverse of `flatten`; `like` is a value of the same shape, with the same numbers on their bounds."""
        return like

    def shape_of(self, value: Any) -> tuple[int, ...] | None:
        """The shape of the stack that a value belongs to; None where it does not say."""
        return None if self.axes is None else np.shape(value)[: np.ndim(value) - self.axes]

    def together(self, values: list[Any], shape: tuple[int, ...]) -> Any:
        """The values of several laws as that of their stack, which has a shape."""
        if self.axes is None:
            return values[0]
        out = np.array(values)
        return out.reshape(shape + out.shape[1:])

    def holds(self, value: Any) -> bool:
        """Whether the numbers of a stack lie inside, without looking closer."""
        return self.axes is None or bool(np.isfinite(value).all())

    def alike(self, values: list[Any]) -> bool:
        """Whether the values of several laws can be those of one stack."""
        first = values[0]
        if self.axes is None:
            return all(v is first or np.array_equal(v, first) for v in values)
        return not self.axes or all(np.shape(v) == np.shape(first) for v in values)

    def apart(self, value: Any, index: Any) -> Any:
        """The value of one law of a stack, or of some of them."""
        return value if self.axes is None else value[index]

    def chosen(self, first: np.ndarray, one: Any, other: Any) -> Any:
        """The values of a stack from two: of one where `first`, of the other elsewhere."""
        return one if self.axes is None else np.where(first.reshape(first.shape + (1,) * self.axes), one, other)

    def fail(self, value: Any) -> ParameterError:
        """The error that a value outside is."""
        return ParameterError(f"must be {self.need}, got {shorten(value)}")


class Scalar(Domain):
    """A float within bounds. constant: it is chosen, never estimated."""

    def __init__(self, need: str, low: float = -np.inf, high: float = np.inf, open_low: bool = False, constant: bool = False):
        self.need, self.low, self.high, self.open_low, self.constant = need, low, high, open_low, constant
        self.axes = None if constant else 0

    def check(self, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise self.fail(value) from None
        if isinstance(value, (str, bytes)) or not np.isfinite(number) or not self.low <= number <= self.high:
            raise self.fail(value)
        if self.open_low and number == self.low:
            raise self.fail(value)
        return number

    def holds(self, value: Any) -> bool:
        if self.constant:
            return True
        numbers = np.asarray(value)
        above = numbers > self.low if self.open_low else numbers >= self.low
        return bool((np.isfinite(numbers) & above & (numbers <= self.high)).all())

    def free(self, value: float) -> int:
        return 0 if self.constant else 1

    def flatten(self, value: Any) -> np.ndarray:
        if self.constant:
            return np.zeros(0)
        inside = self._inside(value)
        if np.isfinite(self.low) and np.isfinite(self.high):
            return np.log(inside) - np.log1p(-inside)
        return np.log(inside) if np.isfinite(self.low) else inside

    def _inside(self, value: Any) -> np.ndarray:
        """The numbers that lie on no bound."""
        numbers = np.asarray(value, dtype=np.float64).ravel()
        return numbers[(numbers != self.low) & (numbers != self.high)]

    def unflatten(self, vector: np.ndarray, like: Any) -> Any:
        if not len(vector):
            return like
        if np.isfinite(self.low) and np.isfinite(self.high):
            numbers = 1.0 / (1.0 + np.exp(-vector))
        else:
            numbers = np.exp(vector) if np.isfinite(self.low) else vector
        if not isinstance(like, np.ndarray):
            return float(numbers[0])
        out = like.copy()
        out[(like != self.low) & (like != self.high)] = numbers
        return out


class Whole(Domain):
    """An int within bounds, not a free number. axes: 0 where each law of a stack has one of its own."""

    def __init__(self, low: int | None = None, axes: int | None = None):
        self.low, self.axes = low, axes
        self.need = "a whole number" + ("" if low is None else f" >= {low}")

    def check(self, value: Any) -> int:
        try:
            number = int(value) if isinstance(value, int) or math.isfinite(value) else math.nan  # int(Decimal("1e999999999")) takes hours
            right = number == value and not isinstance(value, (str, bytes))
        except (TypeError, ValueError, OverflowError):
            raise self.fail(value) from None
        if not right or (self.low is not None and number < self.low):
            raise self.fail(value)
        return int(number)


class Array(Domain):
    """A finite float array of `ndim` axes, every entry above `low` (or any)."""

    def __init__(self, need: str, ndim: int, positive: bool = False):
        self.need, self.ndim, self.positive = need, ndim, positive
        self.axes = ndim

    def check(self, value: Any) -> np.ndarray:
        try:
            array = frozen(value)
        except (TypeError, ValueError, OverflowError):
            raise self.fail(value) from None
        if array.ndim != self.ndim or not array.size or not np.isfinite(array).all() or (self.positive and (array <= 0).any()):
            raise self.fail(value)
        return array

    def holds(self, value: Any) -> bool:
        return bool(np.isfinite(value).all() and not (self.positive and (value <= 0).any()))

    def free(self, value: np.ndarray) -> int:
        return value.size

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return np.log(value).ravel() if self.positive else value.ravel()

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        return (np.exp(vector) if self.positive else vector).reshape(like.shape)


class Covariance(Array):
    """A symmetric positive definite matrix; unconstrained through its Cholesky factor with a log diagonal."""

    def __init__(self) -> None:
        super().__init__("a symmetric positive definite matrix", 2)

    def check(self, value: Any) -> np.ndarray:
        array = super().check(value)
        if array.shape[0] != array.shape[1]:
            raise self.fail(value)
        even = bool((array == array.T).all())
        if not even and not np.allclose(array, array.T, rtol=1e-8, atol=0.0):
            raise self.fail(value)
        symmetric = array if even else frozen((array + array.T) / 2)
        try:
            np.linalg.cholesky(symmetric)
        except np.linalg.LinAlgError:
            raise self.fail(value) from None
        return symmetric

    def free(self, value: np.ndarray) -> int:
        return len(value) * (len(value) + 1) // 2

    def flatten(self, value: np.ndarray) -> np.ndarray:
        factor = np.linalg.cholesky(value)
        diagonal = np.einsum("...ii->...i", factor)
        diagonal[...] = np.log(diagonal)
        return factor[(..., *lower(factor.shape[-1]))].ravel()

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        factor = np.zeros(like.shape)
        factor[(..., *lower(like.shape[-1]))] = vector.reshape(*like.shape[:-2], -1)
        diagonal = np.einsum("...ii->...i", factor)
        diagonal[...] = np.exp(diagonal)
        return np.asarray(factor @ factor.swapaxes(-1, -2))


@cache
def lower(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the lower triangle of a d x d matrix is, with its diagonal, row by row."""
    return np.tril_indices(d)


def log_ratios(p: np.ndarray) -> np.ndarray:
    """Isometric log ratios of the positive entries of each row, `(positives - rows,)`: each against the geometric mean of those before it.

    Coordinates of `log p`, less its mean, in an orthonormal basis (Egozcue et al. 2003); they do not depend on which entry is largest.
    """
    if p.ndim > 1 and not (p > 0).all():
        return np.concatenate([log_ratios(row) for row in p.reshape(-1, p.shape[-1])])
    logs = np.log(p if p.ndim > 1 else p[p > 0])
    before = np.arange(1.0, logs.shape[-1])
    return np.ravel((np.cumsum(logs, axis=-1)[..., :-1] / before - logs[..., 1:]) * np.sqrt(before / (before + 1)))


def from_log_ratios(vector: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The inverse of `log_ratios`; zeros stay where `like` has them."""
    positive = like > 0
    if not positive.all():
        if like.ndim == 1:
            out = np.zeros(like.shape)
            out[positive] = from_log_ratios(vector, np.ones(int(positive.sum())))
            return out
        rows = like.reshape(-1, like.shape[-1])
        ends = np.cumsum((rows > 0).sum(axis=1) - 1)
        return np.array([from_log_ratios(part, row) for part, row in zip(np.split(vector, ends[:-1]), rows, strict=True)]).reshape(
            like.shape
        )
    before = np.arange(1.0, like.shape[-1])
    parts = vector.reshape(*like.shape[:-1], -1) * np.sqrt(before / (before + 1))
    logs = np.zeros(like.shape)
    logs[..., 1:] -= parts
    logs[..., :-1] += np.cumsum((parts / before)[..., ::-1], axis=-1)[..., ::-1]
    weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


class Simplex(Domain):
    """Probabilities summing to one, shape `(K,)`, or one such row for each of M, shape `(M, K)`."""

    def __init__(self, ndim: int = 1):
        self.ndim = self.axes = ndim
        self.need = "probabilities that sum to one" if ndim == 1 else "a matrix whose rows are probabilities that sum to one"

    def check(self, value: Any) -> np.ndarray:
        try:
            p = np.array(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise self.fail(value) from None
        if p.ndim != self.ndim or not p.size or not (p >= 0).all():
            raise self.fail(value)
        total = p.sum(axis=-1)
        if not (np.abs(total - 1.0) <= SUM_TOLERANCE).all():
            raise ParameterError(f"must be {self.need}, got {shorten(value)} with sum {shorten(total.tolist())}")
        return normalised(p)

    def free(self, value: np.ndarray) -> int:
        return value.size - value.size // value.shape[-1]

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return log_ratios(value)

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        return from_log_ratios(vector, like)


class Proportions(Domain):
    """Numbers of any sum that stand in proportion to probabilities, shape `(K,)`, or one such row for each of M, shape `(M, K)`; stored as
    probabilities. A setting."""

    need = "finite numbers >= 0, not all zero"

    def __init__(self, ndim: int = 1):
        self.ndim = ndim
        if ndim == 2:
            self.need = f"rows of {Proportions.need}"

    def check(self, value: Any) -> np.ndarray:
        try:
            p = np.array(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise self.fail(value) from None
        total = p.sum(axis=-1) if p.ndim == self.ndim else np.zeros(1)
        if not (p >= 0).all() or not ((total > 0) & (total < np.inf)).all():
            raise self.fail(value)
        return normalised(p)


class PartlyFree(Domain):
    """A vector of which only some entries `(p,)` are free: the others are taken from elsewhere."""

    need = "a vector of finite reals"
    axes = 1

    def __init__(self, free: np.ndarray):
        self.where = np.flatnonzero(free)

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return value[..., self.where].ravel()

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        out = like.copy()
        out[..., self.where] = vector.reshape(*like.shape[:-1], -1)
        return out


class OrNone(Domain):
    """None, or a value of another domain that is a setting: it has no free numbers."""

    def __init__(self, inner: Domain):
        self.inner, self.need = inner, f"{inner.need}, or None"

    def check(self, value: Any) -> Any:
        return None if value is None else self.inner.check(value)

    def shown(self, value: Any) -> Any:
        return None if value is None else self.inner.shown(value)


class Absent(Domain):
    """What may be None: where it is for one law of a stack, it is for all."""

    def shape_of(self, value: Any) -> tuple[int, ...] | None:
        return None if value is None else super().shape_of(value)

    def together(self, values: list[Any], shape: tuple[int, ...]) -> Any:
        return None if values[0] is None else super().together(values, shape)

    def holds(self, value: Any) -> bool:
        return value is None or super().holds(value)

    def alike(self, values: list[Any]) -> bool:
        return len({v is None for v in values}) == 1

    def apart(self, value: Any, index: Any) -> Any:
        return None if value is None else super().apart(value, index)

    def chosen(self, first: np.ndarray, one: Any, other: Any) -> Any:
        return None if one is None else super().chosen(first, one, other)


class Child(Domain):
    """A distribution (or an estimator) nested in this one. at: what messages call its place; without, they pass through to it.

    required: whether there must be one. absent: what None stands for.
    """

    need = "a distribution or an estimator"

    def __init__(self, at: str = "", required: bool = True, absent: Any = None):
        self.at, self.required, self.absent = at, required, absent

    def check(self, value: Any) -> Any:
        if value is None or (type(value) is type(self.absent) and value == self.absent and not value.facts):
            return self.absent  # one object, as it is where it is left out
        return value

    def shape_of(self, value: Any) -> tuple[int, ...] | None:
        return None if value is None else value.batch


class Children(Domain):
    """A non-empty sequence of nested distributions (or estimators). each: what messages call one of them; without, by its field."""

    need = "a non-empty sequence of distributions or estimators"

    def __init__(self, each: str = ""):
        self.each = each

    def check(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
            raise self.fail(value)
        children = tuple(value)
        if not children:
            raise self.fail(value)
        return children

    def shape_of(self, value: Any) -> tuple[int, ...]:
        return value[0].batch


class Text(Domain):
    """None, or a string: names and keys."""

    need = "a string or None"

    def check(self, value: Any) -> str | None:
        if value is not None and not isinstance(value, str):
            raise TypeError(f"must be {self.need}, got {shorten(value)}")
        return value


class OneOf(Domain):
    """One of a few words."""

    def __init__(self, *words: str):
        self.words, self.need = words, " or ".join(map(repr, words))

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise self.fail(value)
        return value


class Keys(Domain):
    """Several keys, each a string or None: one for each part that can be tied."""

    def __init__(self, *parts: str):
        self.parts = parts
        self.need = f"a tuple of {len(parts)} strings or None: keys of ({', '.join(parts)})"

    def check(self, value: Any) -> tuple[str | None, ...]:
        value = (None,) * len(self.parts) if value is None else value
        right = isinstance(value, (tuple, list)) and len(value) == len(self.parts)
        if not right or not all(key is None or isinstance(key, str) for key in value):
            raise TypeError(f"must be {self.need}, got {shorten(value)}")
        return tuple(value)


class NamedParts(Domain):
    """Parameters by name, each with a value: pairs `(name, value)`, in order. kind: str for keys, or True, float for numbers and arrays."""

    def __init__(self, kind: type[str] | type[float]):
        self.kind, self.need = (
            kind,
            f"a mapping from names of parameters to {'keys (strings), or True' if kind is str else 'finite numbers'}",
        )

    def check(self, value: Any) -> tuple[tuple[str, Any], ...]:
        if isinstance(value, tuple) and not value:
            return value
        try:
            pairs = [(name, given) for name, given in (value.items() if isinstance(value, Mapping) else value or ())]
        except (TypeError, ValueError):
            raise self.fail(value) from None
        if not all(isinstance(name, str) and (isinstance(given, str) or given is True) is (self.kind is str) for name, given in pairs):
            raise self.fail(value)
        if len({name for name, _ in pairs}) < len(pairs):
            raise ParameterError(f"must name each parameter once, got {shorten(value)}")
        return tuple(sorted((name, given if self.kind is str else self._number(given)) for name, given in pairs))

    def _number(self, value: Any) -> Any:
        try:
            array = frozen(value)
        except (TypeError, ValueError, OverflowError):
            raise self.fail(value) from None
        if not np.isfinite(array).all():
            raise self.fail(value)
        return array if array.ndim else float(array)


SETTING = Domain()
real = Scalar("a finite real number")
positive = Scalar("positive", low=0.0, open_low=True)
nonnegative = Scalar("a finite number >= 0", low=0.0)
probability = Scalar("a probability in [0, 1]", low=0.0, high=1.0)
chosen_probability = Scalar("a probability in [0, 1]", low=0.0, high=1.0, constant=True)
vector = Array("a vector of finite reals", 1)
positive_vector = Array("a vector of positive reals", 1, positive=True)
covariance = Covariance()
simplex = Simplex()
stochastic_matrix = Simplex(ndim=2)
