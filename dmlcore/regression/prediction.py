"""Between what bounds a new response lies: quantiles of its law given the covariates, of each component or of all."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.regression.checked_rows import ModelFrame
from dmlcore.regression.responses import FAMILIES
from dmlcore.stats.latent.summaries import Atoms, quantile_of


def response_bounds(laws: list[list[Any]], weights: np.ndarray | None, given: ModelFrame, level: float) -> np.ndarray:
    """The bounds that leave out `(1 - level) / 2` on either side, `(n, q, 2)`, of components with weights `(n, K)` or `(1, K)`; without
    weights those of each component, `(n, K, q, 2)`. laws: of each component, the regressions of the q responses. Of trials: shares."""
    n = len(given.x)
    out = np.empty((n, len(laws) if weights is None else 1, len(given.schema.responses), 2))
    for j, response in enumerate(given.schema.responses):
        trials = given.trials[j]
        atoms = [each[j].laws_given(given.x_of(response), given.offset[j], trials) for each in laws]
        mixtures: list[Atoms] = [[(1.0, atom)] for atom in atoms] if weights is None else [list(zip(weights.T, atoms, strict=True))]
        for k, mixture in enumerate(mixtures):
            for end, tail in enumerate(((1 - level) / 2, (1 + level) / 2)):
                out[:, k, j, end] = quantile_of(mixture, tail, n, FAMILIES[response.family].whole)
        if trials is not None:
            out[:, :, j] /= np.maximum(trials, 1)[:, None, None]
    return out if weights is None else out[:, 0]
