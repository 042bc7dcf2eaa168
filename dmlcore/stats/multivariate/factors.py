"""Covariances `loadings loadings' + diag(psi)`: the loadings and specific variances that maximise the likelihood of a scatter matrix.

Given psi the best loadings are known: with `psi^-1/2 S psi^-1/2 = W diag(t) W'`, eigenvalues falling, they are `psi^1/2 W_q (t_q - 1)^1/2`
from the q largest that exceed one (Lawley and Maxwell 1971, section 4.2). What is left is a function of psi alone, `sum log psi +
sum_explained (log t + 1) + sum_rest t`, which Newton's method minimises above a floor, with its exact second derivatives (Clarke 1970), in
the roots of psi, which come to a floor in one step (Jennrich and Robinson 1969). A step that would go uphill is shortened, so that none is
worse than where it began; what would go below the floor is left out of it (two-metric projection, Bertsekas 1982).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dmlcore.base.domains import Array, frozen
from dmlcore.stats.multivariate.covariance_structures import TINY
from dmlcore.stats.multivariate.vectors import lower_inverse

FACTOR_STEPS = 50
MORE_FACTOR_STEPS = 2  # from the law before: the next step of EM goes on
LAST_FACTOR_GAIN = 1e-12  # of twice the log likelihood of one row, which a step promises: it is the last
LAST_FACTOR_LOSS = 1e-14  # of that, which it may seem to lose
LONGEST_FACTOR_STEP = 2.0  # step, relative to the root of a specific variance
LEAST_SHARE_OF_STEP = 1e-6  # share of a step
ENOUGH_OF_PROMISED = 1e-4  # share of the gain that the slope promises
LEAST_FACTOR_CURVATURE = 1e-6
LEAST_EIGENGAP = 1e-14


class Loadings(Array):
    """A matrix `(d, q)` of which only `loadings loadings'` means something: stored as that of zeros above the diagonal, and >= 0 on it."""

    def __init__(self) -> None:
        super().__init__("a matrix of finite reals, with no more columns than rows", 2)

    def check(self, value: object) -> np.ndarray:
        out = super().check(value)
        if out.shape[1] > out.shape[0]:
            raise self.fail(value)
        return frozen(lower_trapezoid(out))

    def free(self, value: np.ndarray) -> int:
        return len(value[..., *_below(value.shape)].ravel())

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return value[..., *_below(value.shape)].ravel()

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        out = np.zeros(like.shape)
        out[..., *_below(like.shape)] = vector.reshape(*like.shape[:-2], -1)
        return _upright(out)


def _below(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.tril_indices(shape[-2], 0, shape[-1])


def lower_trapezoid(loadings: np.ndarray) -> np.ndarray:
    """Loadings `(.., d, q)` rotated so that nothing stands above their diagonal, nor anything negative on it, if need be."""
    diagonal = np.einsum("...ii->...i", loadings[..., : loadings.shape[-1], :])
    if (diagonal >= 0).all() and not np.triu(loadings, 1).any():
        return loadings
    right: Any = np.linalg.qr(loadings.swapaxes(-1, -2), mode="r")
    return _upright(right.swapaxes(-1, -2))


def _upright(loadings: np.ndarray) -> np.ndarray:
    diagonal = np.einsum("...ii->...i", loadings[..., : loadings.shape[-1], :])
    return np.asarray(loadings * np.where(diagonal < 0, -1.0, 1.0)[..., None, :])


class _Seen(NamedTuple):
    """What is known at roots of specific variances `(M, d)`: minus twice the log likelihood of a row, the best loadings, and what
    these are from.

    The likelihood is that of the covariance itself, by its Cholesky factor: eigenvalues lose digits where a specific variance is small.
    """

    roots: np.ndarray
    value: np.ndarray
    loadings: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    explained: np.ndarray  # which eigenvalues are, `(M, d)`

    @classmethod
    def at(cls, covar: np.ndarray, roots: np.ndarray, q: int) -> _Seen:
        d = roots.shape[1]
        values, vectors = np.linalg.eigh(covar / (roots[:, :, None] * roots[:, None, :]))
        explained = (np.arange(d) >= d - q) & (values > 1.0)
        lengths = np.sqrt(np.where(explained, values - 1.0, 0.0))[:, None, -q:]
        loadings = roots[:, :, None] * vectors[:, :, -q:] * lengths
        factor = np.linalg.cholesky(loadings @ loadings.swapaxes(1, 2) + np.eye(d) * (roots * roots)[:, None, :])
        whitening = lower_inverse(factor)
        misfit = ((whitening @ covar) * whitening).sum(axis=(1, 2))
        return cls(roots, 2 * np.log(np.einsum("mii->mi", factor)).sum(axis=1) + misfit, loadings, values, vectors, explained)

    def of(self, places: np.ndarray) -> _Seen:
        """The same of some of the M."""
        return _Seen(*(part[places] for part in self))

    def put(self, places: np.ndarray, new: _Seen) -> _Seen:
        """The same, with some of the M anew."""
        for part, other in zip(self, new, strict=True):
            part[places] = other
        return self

    def slopes(self, q: int) -> tuple[np.ndarray, np.ndarray]:
        """Gradient `(M, d)` and Hessian `(M, d, d)` in the roots, as seen in units of each."""
        t, w, rest = self.values, self.vectors, np.where(self.explained, 0.0, 1.0)
        gradient = ((w * w) * ((1.0 - t) * rest)[:, None, :]).sum(axis=2)  # in the logs of the variances
        hessian = ((w * (t * rest)[:, None, :]) @ w.swapaxes(1, 2)) * ((w * rest[:, None, :]) @ w.swapaxes(1, 2))
        for n in range(t.shape[1] - q, t.shape[1]):
            gap = np.maximum(t[:, n, None] - t, LEAST_EIGENGAP * np.maximum(t[:, n, None], 1.0))
            share = np.where(self.explained[:, n, None], rest * (1.0 - t) * (t[:, n, None] + t) / gap, 0.0)
            one = w[:, :, n]
            hessian += (one[:, :, None] * one[:, None, :]) * ((w * share[:, None, :]) @ w.swapaxes(1, 2))
        return 2 * gradient, 4 * hessian - 2 * gradient[:, :, None] * np.eye(t.shape[1])


def maximal_factors(covar: np.ndarray, q: int, floor: np.ndarray, start: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Loadings `(.., d, q)` and specific variances `(.., d)` no less than a floor `(d,)`, which maximise the likelihood of covariances.

    start: specific variances from which to go up; without, a guess: what the other coordinates do not say of each.
    """
    shape, d = covar.shape[:-2], covar.shape[-1]
    scale = np.maximum(np.einsum("...ii->...i", covar), floor).reshape(-1, d)
    scale = np.sqrt(np.where(scale > 0, scale, 1.0))
    covar = covar.reshape(-1, d, d) / (scale[:, :, None] * scale[:, None, :])
    low = np.maximum(np.sqrt(floor) / scale, math.sqrt(TINY))
    roots = np.sqrt(_guess(covar, q)) if start is None else np.sqrt(start.reshape(-1, d)) / scale
    seen, live = _Seen.at(covar, np.maximum(roots, low), q), np.arange(len(covar))
    for _ in range(FACTOR_STEPS if start is None else MORE_FACTOR_STEPS):
        there, more = _step(seen.of(live), covar[live], low[live], q)
        seen, live = seen.put(live, there), live[more]
        if not len(live):
            break
    loadings = lower_trapezoid(scale[:, :, None] * seen.loadings)
    psi = np.maximum(np.square(scale * seen.roots), floor)
    return loadings.reshape(*shape, d, q), psi.reshape(*shape, d)


def _step(seen: _Seen, covar: np.ndarray, low: np.ndarray, q: int) -> tuple[_Seen, np.ndarray]:
    """Where one step leads, as short as it must be to go downhill; and whether `(M,)` another one is worth while."""
    gradient, hessian = seen.slopes(q)
    bound = (seen.roots <= low) & (gradient > 0)
    gradient = np.where(bound, 0.0, gradient)
    step = _downhill(gradient, hessian, bound)
    last = (gradient * step).sum(axis=1) > -LAST_FACTOR_GAIN  # which is taken as it is, or not at all: what it gains may be rounding
    before, waiting, moved, size = seen.of(np.arange(len(covar))), np.arange(len(covar)), np.zeros(len(covar), dtype=bool), 1.0
    while len(waiting) and size > LEAST_SHARE_OF_STEP:
        here = before.of(waiting)
        trial = _Seen.at(covar[waiting], np.maximum(here.roots * (1.0 + size * step[waiting]), low[waiting]), q)
        promised = (gradient[waiting] * (trial.roots / here.roots - 1.0)).sum(axis=1)
        good = trial.value <= here.value + np.where(last[waiting], LAST_FACTOR_LOSS, ENOUGH_OF_PROMISED * promised)
        seen = seen.put(waiting[good], trial.of(good))
        moved[waiting[good]], size = True, size / 4
        waiting = waiting[~good & ~last[waiting]]
    return seen, moved & ~last


def _guess(correlation: np.ndarray, q: int) -> np.ndarray:
    """Shares of variances that are specific: a little less than what the other coordinates leave of each (Joereskog 1967)."""
    d = correlation.shape[1]
    rest = 1.0 / np.einsum("mii->mi", np.linalg.inv(correlation + 1e-3 * np.eye(d)))
    return np.clip((1.0 - q / (2 * d)) * rest, 1e-3, 1.0)


def _downhill(gradient: np.ndarray, hessian: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Newton's steps, with curvatures that bend the other way turned round; what is bound stays."""
    free = ~(bound[:, :, None] | bound[:, None, :])
    values, vectors = np.linalg.eigh(np.where(free, hessian, 0.0) + np.eye(gradient.shape[1]) * bound[:, :, None])
    along = np.einsum("mij,mi->mj", vectors, gradient) / np.maximum(np.abs(values), LEAST_FACTOR_CURVATURE)
    step = -np.einsum("mij,mj->mi", vectors, along)
    longest = np.abs(step).max(axis=1, keepdims=True)
    return np.asarray(step * np.minimum(1.0, LONGEST_FACTOR_STEP / np.maximum(longest, LONGEST_FACTOR_STEP)))


class Expected(NamedTuple):
    """What is expected of factors z at laws (Rubin and Thayer 1982): `E[(x - mu) z']` `(.., d, q)` and `E[z z']` `(.., q, q)`."""

    cross: np.ndarray
    inner: np.ndarray

    @classmethod
    def at(cls, covar: np.ndarray, loadings: np.ndarray, psi: np.ndarray) -> Expected:
        """At loadings and specific variances, of vectors whose covariance was seen."""
        d, q = loadings.shape[-2:]
        own = loadings @ loadings.swapaxes(-1, -2) + np.eye(d) * psi[..., None, :]
        regression = np.linalg.solve(own, loadings).swapaxes(-1, -2)
        cross = covar @ regression.swapaxes(-1, -2)
        return cls(cross, np.eye(q) - regression @ loadings + regression @ cross)

    def left(self, covar: np.ndarray, loadings: np.ndarray) -> np.ndarray:
        """The variances `(.., d)` that loadings leave."""
        explained = (2 * self.cross - loadings @ self.inner) * loadings
        return np.asarray(np.einsum("...ii->...i", covar) - explained.sum(axis=-1))


def common_loadings(expected: list[Expected], precisions: list[np.ndarray]) -> np.ndarray:
    """The loadings `(.., d, q)` of several groups of vectors at once, each of so many vectors with precisions `(.., d)`, multiplied."""
    pairs = list(zip(expected, precisions, strict=True))
    inner = sum(p[..., None, None] * one.inner[..., None, :, :] for one, p in pairs)
    cross = sum(p[..., None] * one.cross for one, p in pairs)
    return np.linalg.solve(inner, np.asarray(cross)[..., None])[..., 0]
