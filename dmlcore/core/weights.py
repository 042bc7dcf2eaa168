"""What latent models share about probability vectors: counts to shares, priors, draws of components."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.domains import Proportions, Simplex
from dmlcore.base.errors import ParameterError
from dmlcore.core.estimator import from_suff_stat, pseudo_counts
from dmlcore.core.prior import PseudoCounts


def share(counts: np.ndarray, previous: Any) -> np.ndarray:
    """Counts (rows of counts) as probabilities; a row without any keeps its previous ones, or is even."""
    total = counts.sum(axis=-1, keepdims=True)
    if (total > 0).all():
        return counts / total
    before = np.full(counts.shape, 1.0 / counts.shape[-1]) if previous is None else previous
    return np.where(total > 0, counts / np.where(total > 0, total, 1.0), before)


def weight_prior(estimator: Any, shape: Any, who: str) -> PseudoCounts | None:
    """Pseudo-counts over components that are not fixed: `pseudo_count` spread as `suff_stat` says (evenly, if it says nothing)."""
    if estimator.fixed_weights is not None:
        try:
            fixed = Simplex().check(estimator.fixed_weights)
        except ParameterError as error:
            raise ParameterError(f"{who}: fixed_weights {error}") from None
        if len(fixed) != shape:
            raise ParameterError(f"{who}: fixed_weights must have one entry per component, {shape}, got {len(fixed)}")
        estimator.derive(fixed_weights=fixed)
    (count,) = pseudo_counts(estimator.pseudo_count, 1, who)
    if count == 0:
        return None
    spread = np.full(shape, 1.0) if estimator.suff_stat is None else from_suff_stat(estimator, Proportions().check, estimator.suff_stat)
    if len(spread) != shape:
        raise ParameterError(f"{who}: suff_stat must have one entry per component, {shape}, got {len(spread)}")
    return PseudoCounts(count * spread / spread.sum(), "w") if estimator.fixed_weights is None else None


def drawn_components(w: np.ndarray, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws `size` components: which occur, how often, and where row i's draw lies among the draws laid end to end."""
    z = rng.choice(len(w), size=size, p=w)
    which, counts = np.unique(z, return_counts=True)
    order = np.empty(size, dtype=np.intp)
    order[np.argsort(z, kind="stable")] = np.arange(size)
    if size == 0:
        which, counts = np.arange(1), np.zeros(1, dtype=np.intp)
    return which, counts, order
