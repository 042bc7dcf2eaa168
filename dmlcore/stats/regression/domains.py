"""Domains of regressions' parameters: coefficients, of which there may be none, and intercepts, which there may not be."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.core.domains import Array, Domain, real


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


class MaybeReal(Domain):
    """A finite real, or None."""

    need = "a finite real number or None"

    def check(self, value: Any) -> float | None:
        return None if value is None else real.check(value)

    def flatten(self, value: float | None) -> np.ndarray:
        return np.zeros(0) if value is None else np.array([value])

    def unflatten(self, vector: np.ndarray, like: float | None) -> float | None:
        return None if like is None else float(vector[0])


class MaybeVector(Domain):
    """A vector of finite reals (which may be empty), or None."""

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
        return np.zeros(0) if value is None else value

    def unflatten(self, vector: np.ndarray, like: np.ndarray | None) -> np.ndarray | None:
        return None if like is None else vector


class ColumnNames(Domain):
    """None, or the names of the covariates, for messages."""

    need = "a sequence of strings, one per covariate, or None"

    def check(self, value: Any) -> tuple[str, ...] | None:
        if value is None:
            return None
        if isinstance(value, str) or not all(isinstance(name, str) for name in value):
            raise self.fail(value)
        return tuple(value)
