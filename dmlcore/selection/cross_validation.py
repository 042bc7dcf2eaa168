"""How well a model predicts rows that it did not see."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.base.random import Random, generator, spawn
from dmlcore.core.arguments import takes
from dmlcore.core.estimator import Estimator
from dmlcore.core.scoring import log_densities
from dmlcore.data.encoded import encode, row_weights
from dmlcore.data.partition import k_fold_split_index
from dmlcore.fitting.effort import Starts
from dmlcore.fitting.fit import fit


@takes(fit, law="estimator")
def held_out(
    data: Any,
    estimator: Estimator,
    *,
    folds: int = 5,
    starts: int | Starts | None = None,
    weights: Any = None,
    rng: Random = None,
    threads: int | None = None,
    **options: Any,
) -> tuple[float, float]:
    """Mean log density of a row under the fit to the other folds, and its standard error (rows taken as independent).

    Every fold is left out once, by weight zero; options as of `dmlcore.fit`. -inf where a row has density zero under the fit to the
    others, such as a label seen nowhere else: give the estimator a `default_value` or pseudo-counts.
    """
    logs, w = held_out_logs(data, estimator, folds=folds, starts=starts, weights=weights, rng=rng, threads=threads, **options)
    there = w > 0
    mean = float(w[there] @ logs[there] / w.sum())
    if mean == -np.inf:
        return mean, np.nan
    return mean, float(np.sqrt(w[there] @ (logs[there] - mean) ** 2) / w.sum())


def held_out_logs(
    data: Any, estimator: Estimator, *, folds: int = 5, weights: Any = None, rng: Random = None, threads: int | None = None, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """The log density of each row under the fit to the other folds, and the weights of the rows, `(n,)` each; as in `held_out`."""
    encoded = encode(data, estimator.layout)
    given: Any = row_weights(weights, len(encoded))
    w = np.ones(len(encoded)) if given is None else given
    if not isinstance(folds, (int, np.integer)) or not 2 <= folds <= len(encoded):
        raise ParameterError(f"folds must be a whole number between 2 and the number of rows, {len(encoded)}, got {folds!r}")
    fold_rng, *streams = spawn(generator(rng), int(folds) + 1)
    fold = k_fold_split_index(len(encoded), int(folds), fold_rng)
    logs = np.zeros(len(encoded))
    for j, stream in enumerate(streams):
        found = fit(encoded, estimator, rng=stream, weights=np.where(fold == j, 0.0, w), threads=threads, **options)
        logs[fold == j] = log_densities(found.model, encoded, threads)[fold == j]
    return logs, w
