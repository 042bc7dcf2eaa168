"""What laws of vectors share: deviations from a centre, one row per coordinate, in arrays kept by each thread."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from dmlcore.base.domains import Whole
from dmlcore.base.errors import DataError
from dmlcore.base.numerics import joined

LOST = 1e3  # how many times more squares about the middle of all rows may be than about a centre of their own: three digits are lost

_local = threading.local()


class Dimension(Whole):
    """The length of vectors, or None: that of the data."""

    def __init__(self) -> None:
        super().__init__(1)
        self.need += " or None"

    def check(self, value: Any) -> int | None:  # type: ignore[override]
        return None if value is None else super().check(value)


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


def squared_distances(x: np.ndarray, mu: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """`sum_j scale[.., j] (x[i, j] - mu[.., j])^2`, `(.., n)`, of places whose parameters are `(.., d)`.

    By two matrix products about the middle of the rows; one by one, where so little of the squares would be left that digits were lost.
    """
    shape, d = mu.shape[:-1], x.shape[1]
    mu, scale = mu.reshape(-1, d), scale.reshape(-1, d)
    middle = x.mean(axis=0) if len(x) else np.zeros(d)
    apart, centres = x - middle, mu - middle
    with np.errstate(over="ignore", invalid="ignore"):  # squares beyond 1e308 are taken one by one
        tilts = scale * centres
        out = scale @ (apart * apart).T
        out -= (2.0 * tilts) @ apart.T
        out += (tilts * centres).sum(axis=1)[:, None]
        np.maximum(out, 0.0, out=out)
        lost = (tilts * centres).max(axis=1, initial=0.0) >= LOST
    for k in np.flatnonzero(lost | ~np.isfinite(out).all(axis=1)):
        out[k] = scale[k] @ ((x - mu[k]) ** 2).T
    return out.reshape(*shape, len(x))


def coordinate_moments(x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of weights `(..)`, weighted means and sums of squares about them `(.., d)`, from weights `(.., n)`: as above."""
    shape, d = weights.shape[:-1], x.shape[1]
    weights = joined(weights)
    counts = weights.sum(axis=1)
    whole = np.where(counts > 0, counts, 1.0)[:, None]
    middle = x.mean(axis=0) if len(x) else np.zeros(d)
    apart = x - middle
    squares, means = weights @ (apart * apart), weights @ apart / whole
    m2 = np.maximum(squares - counts[:, None] * means * means, 0.0)
    for k in np.flatnonzero((m2 * LOST < squares).any(axis=1)):
        mean = middle + means[k]
        rest = weights[k] @ (x - mean) / whole[k]  # the rounding error of the mean
        means[k] += rest
        m2[k] = np.maximum(weights[k] @ (x - mean) ** 2 - counts[k] * rest * rest, 0.0)
    return counts.reshape(shape), (middle + means).reshape(*shape, d), m2.reshape(*shape, d)


def lower_inverse(factor: np.ndarray) -> np.ndarray:
    """The inverse of lower triangular matrices `(.., d, d)`, by forward substitution."""
    out = np.zeros(factor.shape)
    for i in range(factor.shape[-1]):
        row = factor[..., i, :]
        out[..., i, :i] = (row[..., None, :i] @ out[..., :i, :i])[..., 0, :] / -row[..., i, None]
        out[..., i, i] = 1.0 / row[..., i]
    return out
