"""Leaving a poor optimum of a mixture: other shares of the rows, from which EM may come to a better one.

Two components are merged and a third is split (Ueda, Nakano, Ghahramani and Hinton 2000), one is replaced by another elsewhere (as in
Verbeek, Vlassis and Krose 2003), or the rows of two are divided anew. What is proposed are shares of the rows; as many are tried side by
side as are cheap, and short runs of EM judge them.
"""

from __future__ import annotations

import numpy as np

from dmlcore.fitting.seeding import EVEN_SHARE, nearest

LEAST_ROWS = 3  # of a component that is placed elsewhere
HALVES = 2


def proposals(posterior: np.ndarray, points: list[np.ndarray], count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Shares `(K, n)` that differ from a posterior `(K, n)` by a move each. points: what rows may be seen as, `(n, d)` each."""
    K = len(posterior)
    kinds = [_placed_elsewhere, _divided_anew] if K == 2 else [_merged_and_split, _placed_elsewhere, _merged_and_split, _divided_anew]
    out = []
    for i in range(count):
        shares = kinds[i % len(kinds)](posterior, points[rng.integers(len(points))], rng)
        if shares is not None:
            out.append(EVEN_SHARE / K + (1 - EVEN_SHARE) * shares)
    return out


def splits(posterior: np.ndarray, points: list[np.ndarray], each: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Shares `(K + 1, n)` of one component more: each of those of a posterior `(K, n)` is split, in so many ways."""
    K, n = posterior.shape
    wider = np.vstack([posterior, np.zeros(n)])
    kinds = [(k, points[rng.integers(len(points))]) for k in range(K) for _ in range(each)]
    found = [divided(wider.copy(), posterior[k], k, K, seen, rng) for k, seen in kinds]
    return [EVEN_SHARE / (K + 1) + (1 - EVEN_SHARE) * shares for shares in found if shares is not None]


def _merged_and_split(posterior: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Two components are one, and the rows of a third are divided between two."""
    i, j, k = rng.permutation(len(posterior))[:3]
    out = posterior.copy()
    out[i] += out[j]
    out[j] = 0.0
    return divided(out, posterior[k], k, j, points, rng)


def _divided_anew(posterior: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """The rows of two components are divided between them anew."""
    i, j = rng.permutation(len(posterior))[:2]
    out = posterior.copy()
    both = out[i] + out[j]
    out[j] = 0.0
    return divided(out, both, i, j, points, rng)


def divided(out: np.ndarray, rows: np.ndarray, one: int, other: int, points: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Rows, by shares `(n,)`, are divided between two components: each goes to the nearer of two of them."""
    own = np.flatnonzero(rows > 0.5)
    if len(own) < HALVES:
        return None
    second = np.zeros(len(rows), dtype=bool)
    second[own] = nearest(points[own], HALVES, rng) == 1
    out[one], out[other] = np.where(second, 0.0, rows), out[other] + np.where(second, rows, 0.0)
    return out


def _placed_elsewhere(posterior: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """One component leaves its rows to the others, and takes some that lie near each other."""
    K, n = posterior.shape
    j = rng.integers(K)
    out = posterior.copy()
    out[j] = 0.0
    left = out.sum(axis=0)
    out = np.where(left > 1e-3, out / np.maximum(left, 1e-3), (np.arange(K) != j)[:, None] / max(K - 1, 1))
    size = int(rng.integers(LEAST_ROWS, max(n // K, LEAST_ROWS) + 1))
    centre = points[rng.integers(n)]
    near = np.argpartition(((points - centre) ** 2).sum(axis=1), min(size, n) - 1)[:size]
    out[:, near] = 0.0
    out[j, near] = 1.0
    return out
