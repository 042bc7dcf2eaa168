"""Predictive mean matching: a missing number is taken from a row whose expected value is near (Little 1988)."""

from __future__ import annotations

import numpy as np


def donors_for(mean: np.ndarray, missing: np.ndarray, donors: int, rng: np.random.Generator) -> np.ndarray:
    """For each row that misses a number, which of the rows that have it gives its own: one of the nearest by `mean`, at random.

    mean, missing `(n,)`. Places among the rows that have it `(m,)`.
    """
    there = mean[~missing]
    order = np.argsort(there, kind="stable")
    donors = min(donors, len(there))
    at = np.searchsorted(there[order], mean[missing])
    near = np.clip(at[:, None] + np.arange(-donors, donors), 0, len(there) - 1)
    apart = np.abs(there[order][near] - mean[missing][:, None])
    apart[:, 1:][near[:, 1:] == near[:, :-1]] = np.inf  # places beyond an end, once only
    nearest = np.argsort(apart, axis=1, kind="stable")[:, :donors]
    chosen = nearest[np.arange(len(at)), rng.integers(donors, size=len(at))]
    return order[near[np.arange(len(at)), chosen]]
