"""DMLearn's names of pairs of sets of whole numbers, for the pairs of sets of labels that they are."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dmlcore.base.domains import Proportions
from dmlcore.base.errors import ParameterError
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.stats.sequences.bernoulli_edit import BernoulliEditDistribution, BernoulliEditEstimator
from dmlcore.stats.sequences.integer_bernoulli_set import whole_number


def IntegerBernoulliEditDistribution(
    log_edit_pmat: Any, init_dist: Distribution | None = None, name: str | None = None, keys: str | None = None
) -> BernoulliEditDistribution:
    """A pair of sets (before, after) of some of the numbers 0, 1, .., N - 1: a BernoulliEdit of these labels, which it is.

    log_edit_pmat: for each number, the logarithms of the probabilities that it is there after if it was not before, and if it was
    `(N, 2)`; or that it is (not there | was not, not there | was, there | was not, there | was) `(N, 4)`, which must go together (within
    1e-6). init_dist: the law of the set before.
    """
    try:
        p = np.exp(np.asarray(log_edit_pmat, dtype=np.float64))
    except (TypeError, ValueError):
        p = np.zeros(0)
    right = p.ndim == 2 and p.shape[1] in (2, 4) and len(p) > 0 and bool(((p >= 0) & (p <= 1 + 1e-6)).all())
    if not right or (p.shape[1] == 4 and not (np.abs(p[:, :2] + p[:, 2:] - 1.0) <= 1e-6).all()):
        need = "(N, 2) or (N, 4) logarithms of probabilities, of which those of one number given one state sum to one"
        raise ParameterError(f"IntegerBernoulliEditDistribution: log_edit_pmat must be {need}, got {log_edit_pmat!r}")
    added, kept = np.minimum(p[:, -2:], 1.0).T.tolist()
    return BernoulliEditDistribution(dict(enumerate(added)), dict(enumerate(kept)), init_dist, 0.0, name, keys)  # type: ignore[arg-type]


def IntegerBernoulliEditEstimator(
    num_vals: int,
    init_estimator: Estimator | None = None,
    min_prob: float = 1e-128,
    pseudo_count: float | None = None,
    suff_stat: Any = None,
    name: str | None = None,
    keys: str | None = None,
) -> BernoulliEditEstimator:
    """The BernoulliEditEstimator of the numbers below `num_vals`, and of no others, which it is. suff_stat: shares `(num_vals, 4)` of the
    pseudo-pairs: of those that have the number not at all, before only, after only, and in both (default: alike)."""
    num_vals = whole_number(num_vals, "IntegerBernoulliEditEstimator")
    try:
        shares = np.full((num_vals, 4), 0.25) if suff_stat is None else Proportions(ndim=2).check(suff_stat)
    except ParameterError as error:
        raise ParameterError(f"IntegerBernoulliEditEstimator: suff_stat {error}") from None
    if shares.shape != (num_vals, 4):
        raise ParameterError(f"IntegerBernoulliEditEstimator: suff_stat must be {num_vals} rows of four shares, got shape {shares.shape}")
    four = dict(enumerate(map(tuple, shares.tolist())))
    return BernoulliEditEstimator(init_estimator, min_prob, pseudo_count, four, False, name, keys, closed=True)  # type: ignore[arg-type]


IntegerStepBernoulliEditDistribution = IntegerBernoulliEditDistribution


@functools.wraps(IntegerBernoulliEditEstimator, assigned=())
def IntegerStepBernoulliEditEstimator(*args: Any, **settings: Any) -> BernoulliEditEstimator:
    """The same with `two_levels`: the numbers have one of two probabilities to be added, and one of two to be kept."""
    return IntegerBernoulliEditEstimator(*args, **settings).replace(two_levels=True)
