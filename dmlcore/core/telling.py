"""How much the value of one column tells of which component of a mixture a row is of, from the laws alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import DmlcoreError
from dmlcore.core.powers import HasProbabilities, HasQuantile, MayBeMissing, has
from dmlcore.data.layouts import Count, Labels, Real

QUANTILES = 64  # that stand for the law of a number
LONGEST_DRAWN = 1000  # elements of one value, above which draws cost too much


def gains(posterior: np.ndarray, w: np.ndarray) -> np.ndarray:
    """How much each of some values tells of which component it is of, in nats `(n,)`: `sum_k p_k log(p_k / w_k)` of the components'
    probabilities p given the value, `(K, n)`, and w before. Its expectation is the mutual information of the value and the component."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(posterior > 0, posterior * np.log(posterior / w[:, None]), 0.0).sum(axis=0)


def posteriors_of_laws(laws: Sequence[Any], w: np.ndarray, values: Any) -> np.ndarray:
    """How probable each law is, `(K, n)`, given each of some values; NaN where none gives it any density."""
    with np.errstate(divide="ignore", invalid="ignore"):
        joint = np.log(w)[:, None] + np.array([law.seq_log_density(values) for law in laws])
        p = np.exp(joint - joint.max(axis=0))
        return p / p.sum(axis=0)


def information(laws: Sequence[Any], w: np.ndarray) -> float:
    """Mutual information of the value and the component, in nats, from the laws alone: `sum_k w_k E_k[log p_k(x) - log w_k]`. NaN where it
    cannot be told, as of laws given covariates.

    Exact for labels; of numbers, each law is stood for by evenly spaced quantiles, of other values by draws, the same in every call.
    """
    w = w / w.sum()
    total = 0.0
    try:
        for k, law in enumerate(laws):
            if w[k] > 0:
                values, shares = points(law)
                own = posteriors_of_laws(laws, w, values)[k, shares > 0]
                total += float(w[k] * shares[shares > 0] @ np.log(own / w[k]))
    except (DmlcoreError, ArithmeticError):
        return np.nan
    return float(np.clip(total, 0.0, largest_information(w)))


def largest_information(w: np.ndarray) -> float:
    """The entropy of weights, in nats: what there is to tell."""
    some = w[w > 0] / w.sum()
    return float(-(some * np.log(some)).sum())


def points(law: Any) -> tuple[list[Any], np.ndarray]:
    """Values that stand for a law, and how much of it each stands for."""
    if has(law, MayBeMissing):
        missing = law.missing_probability() or 0.0
        values, shares = points(law.value_law())
        return ([*values, law.missing_value], np.append((1 - missing) * shares, missing)) if missing else (values, shares)
    if has(law, HasProbabilities) and isinstance(law.layout, Labels):
        labels = law.probabilities()
        return list(labels), np.array(list(labels.values()))
    if has(law, HasQuantile) and isinstance(law.layout, (Real, Count)):
        spaced = np.asarray(law.quantile((np.arange(QUANTILES) + 0.5) / QUANTILES))
        return (spaced.astype(np.int64) if isinstance(law.layout, Count) else spaced).tolist(), np.full(QUANTILES, 1 / QUANTILES)
    first = law.sample(1, rng=0)[0]
    count = QUANTILES if not hasattr(first, "__len__") or len(first) <= LONGEST_DRAWN else 1
    return list(law.sample(count, rng=0)), np.full(count, 1 / count)
