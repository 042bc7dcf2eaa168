"""Domains of regressions' parameters: coefficients, of which there may be none, intercepts, which there may not be, and which of them
are shared or held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dmlcore.base.domains import Absent, Array, Domain, real
from dmlcore.base.errors import ParameterError, shorten
from dmlcore.base.label_domains import chosen_by_label, same_labels, together_by_label
from dmlcore.base.labels import LabelMap


class Coefficients(Array):
    """Finite reals, which may be none: `(p,)`, or a row of them for each label but the first."""

    def __init__(self, ndim: int = 1):
        super().__init__(
            "a vector of finite reals" if ndim == 1 else "a matrix of finite reals, one row for each label but the first", ndim
        )

    def check(self, value: Any) -> np.ndarray:
        if np.ndim(value) == self.ndim and not np.size(value):
            empty = np.zeros(np.shape(value))
            empty.setflags(write=False)
            return empty
        return super().check(value)


class MaybeReal(Absent):
    """A finite real, or None."""

    need = "a finite real number or None"
    axes = 0

    def check(self, value: Any) -> float | None:
        return None if value is None else real.check(value)

    def flatten(self, value: float | None) -> np.ndarray:
        return np.zeros(0) if value is None else real.flatten(value)

    def unflatten(self, vector: np.ndarray, like: Any) -> Any:
        return None if like is None else real.unflatten(vector, like)


class MaybeVector(Absent):
    """A vector of finite reals (which may be empty), or None."""

    axes = 1

    need = "a vector of finite reals, one for each label but the first, or None"

    def check(self, value: Any) -> np.ndarray | None:
        if value is None:
            return None
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise self.fail(value) from None
        if array.ndim != 1 or not np.isfinite(array).all():
            raise self.fail(value)
        array.setflags(write=False)
        return array

    def flatten(self, value: np.ndarray | None) -> np.ndarray:
        return np.zeros(0) if value is None else value.ravel()

    def unflatten(self, vector: np.ndarray, like: np.ndarray | None) -> np.ndarray | None:
        return None if like is None else vector.reshape(like.shape)


class ColumnNames(Domain):
    """None, or the names of the covariates, for messages."""

    need = "a sequence of strings, one per covariate, or None"

    def check(self, value: Any) -> tuple[str, ...] | None:
        if value is None:
            return None
        if isinstance(value, str) or not all(isinstance(name, str) for name in value):
            raise self.fail(value)
        return tuple(value)


class Named(Domain):
    """Numbers by name: all of them in one domain of numbers."""

    def __init__(self, number: Domain):
        self.number, self.need = number, f"a mapping from names to numbers, each {number.need}"

    def check(self, value: Any) -> LabelMap:
        value = {} if value is None else value
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.fail(value)
        return LabelMap.of({key: self.number.check(number) for key, number in value.items()})

    def shown(self, value: LabelMap) -> Any:
        return value.shown()

    def shape_of(self, value: LabelMap) -> tuple[int, ...] | None:
        return value.values_array.shape[:-1] if len(value) else None

    def together(self, values: list[Any], shape: tuple[int, ...]) -> LabelMap:
        return together_by_label(values, shape) if len(values[0]) else values[0]

    def apart(self, value: LabelMap, index: Any) -> LabelMap:
        return LabelMap(value.labels, value.values_array[index]) if len(value) else value

    def alike(self, values: list[Any]) -> bool:
        return same_labels([value.labels for value in values])

    def chosen(self, first: np.ndarray, one: LabelMap, other: LabelMap) -> LabelMap:
        return chosen_by_label(first, one, other) if len(one) else one

    def flatten(self, value: LabelMap) -> np.ndarray:
        return self.number.flatten(value.values_array)

    def unflatten(self, vector: np.ndarray, like: LabelMap) -> LabelMap:
        return LabelMap(like.labels, self.number.unflatten(vector, like.values_array))


class Places(Domain):
    """Parameters by place, each with a value: pairs `(place, value)`. A place is a column's number, "intercept", or the name of the
    law's scale. value: "key" for strings, or "number"."""

    def __init__(self, kind: type[str] | type[float]):
        what = "a key (a string)" if kind is str else "a finite real number"
        self.kind, self.need = kind, f"a mapping from columns (or 'intercept', or the name of the scale) to {what}"

    def check(self, value: Any) -> tuple[tuple[int | str, Any], ...]:
        try:
            pairs = [(place, given) for place, given in (value.items() if isinstance(value, Mapping) else value or ())]
        except (TypeError, ValueError):
            raise self.fail(value) from None
        out = []
        for place, given in pairs:
            whole = isinstance(place, (int, np.integer)) and not isinstance(place, bool)
            if not (whole or isinstance(place, str)) or (self.kind is str and not isinstance(given, str)):
                raise self.fail({place: given})
            out.append((int(place) if whole else place, given if self.kind is str else real.check(given)))
        if len({place for place, _ in out}) < len(out):
            raise ParameterError(f"must name each place once, got {shorten(value)}")
        return tuple(sorted(out, key=lambda pair: (isinstance(pair[0], str), pair[0])))
