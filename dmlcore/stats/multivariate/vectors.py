"""What laws of vectors share: deviations from a centre, one row per coordinate, in arrays kept by each thread."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dmlcore.base.domains import Whole
from dmlcore.base.errors import DataError
from dmlcore.data.layouts import Layout, Vector

_local = threading.local()


class Dimension(Whole):
    """The length of vectors, or None: that of the data."""

    def __init__(self) -> None:
        super().__init__(1)
        self.need += " or None"

    def check(self, value: Any) -> int | None:  # type: ignore[override]
        return None if value is None else super().check(value)


class OfVectors:
    """What laws of vectors say once: what they read, and how many coordinates that has."""

    kind: ClassVar[type[Layout]] = Vector
    placed: ClassVar[str] = "mu"  # a parameter that has a number for each coordinate

    @property
    def dim(self) -> int:
        """d, the number of coordinates."""
        return getattr(self, self.placed).shape[-1]  # type: ignore[no-any-return]

    @cached_property
    def layout(self: Any) -> Layout:
        """Vectors of that length."""
        return Vector(self.label, self.dim)


class FromVectors:
    """What estimators of these say once: they read vectors of `dim` numbers, or (None) of as many as the data have."""

    @cached_property
    def layout(self: Any) -> Layout:
        """Vectors of that length."""
        return Vector(self.label, self.dim)


def scratch(slot: str, shape: tuple[int, int]) -> np.ndarray:
    """An array to write into, valid until this thread asks for the slot again: fresh ones of this size cost more than the sums."""
    size = shape[0] * shape[1]
    kept = getattr(_local, slot, None)
    if kept is None or kept.size < size:
        kept = np.empty(size)
        setattr(_local, slot, kept)
    return kept[:size].reshape(shape)


def check_dimension(x: np.ndarray, dim: int | None, who: str) -> None:
    """Raises `DataError` if the vectors `(n, d)` are of another length."""
    if dim is not None and len(x) and x.shape[1] != dim:
        raise DataError(f"{who}: the observations are vectors of {x.shape[1]} numbers; need vectors of {dim}")


def deviations(x: np.ndarray, centre: np.ndarray, who: str) -> np.ndarray:
    """`x - centre` as `(d, n)`, in scratch."""
    check_dimension(x, len(centre), who)
    out = scratch("deviations", (x.shape[1], len(x)))
    return np.subtract(x.T, centre[:, None], out=out)


def centred(x: np.ndarray, weights: np.ndarray, dim: int | None, who: str) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Sum of weights, weighted mean `(d,)`, deviations from about there `(d, n)` in scratch, and their weighted mean, a rounding error."""
    count = float(weights.sum())
    mean = x.T @ weights / count if count > 0 else np.zeros(x.shape[1])
    check_dimension(x, dim, who)
    apart = deviations(x, mean, who)
    rest = apart @ weights / count if count > 0 else mean
    return count, mean + rest, apart, rest


def lower_inverse(factor: np.ndarray) -> np.ndarray:
    """The inverse of lower triangular matrices `(.., d, d)`, by forward substitution."""
    out = np.zeros(factor.shape)
    for i in range(factor.shape[-1]):
        row = factor[..., i, :]
        out[..., i, :i] = (row[..., None, :i] @ out[..., :i, :i])[..., 0, :] / -row[..., i, None]
        out[..., i, i] = 1.0 / row[..., i]
    return out
