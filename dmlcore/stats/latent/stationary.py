"""Chains that begin in their long run: the first state has the stationary probabilities of the transitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.core.weights import share

NEVER = 1e-150  # the probability of leaving states that are not left
STEPS_UPHILL = 3  # uphill in one step of EM
TOLERANCE = 1e-10  # of stationary probabilities


def stationary(P: np.ndarray) -> np.ndarray:
    """The probabilities `(.., S)` with `p P = p` of transitions `(.., S, S)`; one of them, where there are several.

    By the reduction of Grassmann, Taksar and Heyman (1985), which subtracts nothing.
    """
    A, S = np.array(P, dtype=np.float64), P.shape[-1]
    for k in range(S - 1, 0, -1):
        out = A[..., k, :k].sum(axis=-1)
        A[..., :k, k] /= np.maximum(out, NEVER)[..., None]
        A[..., :k, :k] += A[..., :k, k, None] * A[..., None, k, :k]
    p = np.zeros(A.shape[:-1])
    p[..., 0] = 1.0
    for k in range(1, S):
        p[..., k] = (p[..., :k] * A[..., :k, k]).sum(axis=-1)
    return np.asarray(p / p.sum(axis=-1, keepdims=True))


def stationary_step(begun: np.ndarray, pairs: np.ndarray, previous: Any) -> tuple[np.ndarray, np.ndarray]:
    """First states `(.., S)` and transitions `(.., S, S)` that raise `sum begun log p + sum pairs log P`, p being the stationary
    probabilities of P.

    What came before a list is taken to be unseen: with the derivative of p by the fundamental matrix z (Golub and Meyer 1986), the best P
    has shares of `pairs + P p z`, which are found by going there from P, as far as that is uphill.
    """
    before = None if previous is None else previous.transitions
    P = share(pairs, before)
    value = _objective(begun, pairs, P)
    if before is not None:
        known = _objective(begun, pairs, before)
        P, value = np.where((known > value)[..., None, None], before, P), np.maximum(known, value)
    for _ in range(STEPS_UPHILL):
        p = stationary(P)
        odds = (begun / np.where(p > 0, p, 1.0))[..., None]
        with np.errstate(all="ignore"):
            z = np.linalg.solve(np.eye(P.shape[-1]) - P + p[..., None, :], odds)[..., 0]
            z -= z.min(axis=-1, keepdims=True)
            towards = share(pairs + P * p[..., :, None] * z[..., None, :], P) - P
        for part in (1.0, 0.25, 0.0625):
            moved = P + part * towards
            found = _objective(begun, pairs, moved)
            better = found > value
            P, value = np.where(better[..., None, None], moved, P), np.where(better, found, value)
            towards = np.where(better[..., None, None], 0.0, towards)
            if better.all():
                break
    return stationary(P), P


def _objective(begun: np.ndarray, pairs: np.ndarray, P: np.ndarray) -> np.ndarray:
    value = special.xlogy(begun, stationary(P)).sum(axis=-1) + special.xlogy(pairs, P).sum(axis=(-2, -1))
    return np.where(np.isfinite(value), value, -np.inf)
