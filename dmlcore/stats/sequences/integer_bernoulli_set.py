"""DMLearn's names of sets of whole numbers, for the sets of labels that they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.domains import Whole
from dmlcore.base.errors import ParameterError
from dmlcore.stats.sequences.bernoulli_set import BernoulliSetDistribution, BernoulliSetEstimator


def IntegerBernoulliSetDistribution(
    log_pvec: Any, log_nvec: Any = None, name: str | None = None, keys: str | None = None
) -> BernoulliSetDistribution:
    """A set of some of the numbers 0, 1, .., `len(log_pvec) - 1`, each in it independently of the others: a BernoulliSet of these labels,
    which it is.

    log_pvec: logarithms of the probabilities that each is in the set. log_nvec: of those that it is not, which must go with them (within
    1e-6); they may be left out.
    """
    p = probabilities_of_logs(log_pvec, "log_pvec")
    if log_nvec is not None:
        absent = probabilities_of_logs(log_nvec, "log_nvec")
        if absent.shape != p.shape or not (np.abs(p + absent - 1.0) <= 1e-6).all():
            raise ParameterError("IntegerBernoulliSetDistribution: exp(log_pvec) and exp(log_nvec) must sum to one for each number")
    return BernoulliSetDistribution(dict(enumerate(p.tolist())), 0.0, name, keys)


def IntegerBernoulliSetEstimator(
    num_vals: int,
    min_prob: float = 1e-128,
    pseudo_count: float | None = None,
    suff_stat: Any = None,
    name: str | None = None,
    keys: str | None = None,
) -> BernoulliSetEstimator:
    """The BernoulliSetEstimator of the numbers below `num_vals`, and of no others, which it is. suff_stat: probabilities `(num_vals,)` of
    the pseudo-sets (default: one half)."""
    num_vals = whole_number(num_vals, "IntegerBernoulliSetEstimator")
    spread = np.full(num_vals, 0.5) if suff_stat is None else np.asarray(suff_stat, dtype=np.float64)
    if spread.shape != (num_vals,):
        raise ParameterError(f"IntegerBernoulliSetEstimator: suff_stat must be {num_vals} probabilities, got shape {spread.shape}")
    return BernoulliSetEstimator(min_prob, pseudo_count, dict(enumerate(spread.tolist())), name, keys, closed=True)


def whole_number(num_vals: Any, who: str) -> int:
    """`num_vals`, a whole number >= 1. Raises `ParameterError`."""
    try:
        return Whole(1).check(num_vals)
    except ParameterError as error:
        raise ParameterError(f"{who}: num_vals {error}") from None


def probabilities_of_logs(logs: Any, field: str) -> np.ndarray:
    """Probabilities from their logarithms. Raises `ParameterError` for what is none."""
    try:
        p = np.exp(np.asarray(logs, dtype=np.float64))
    except (TypeError, ValueError):
        p = np.zeros((0, 0))
    if p.ndim != 1 or not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise ParameterError(f"IntegerBernoulliSetDistribution: {field} must be a vector of logarithms of probabilities, got {logs!r}")
    return p
