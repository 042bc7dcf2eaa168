"""Which component each row of a data set belongs to, and how sure that is."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.powers import HasClasses, has
from dmlcore.fitting.record import Fit, model_of


def responsibilities(model: Any, data: Any, impossible: str = "error") -> np.ndarray:
    """Posterior probabilities of the components for every row, `(n, K)`: a map of the data to the simplex.

    Of a joint mixture, `(n, K1, K2)`. impossible: "error", or "prior" for the mixing weights where a row has no density, as in
    `seq_posterior`. Raises `StructureError` for a model without components, `SupportError` for a row without density.
    """
    if not has(model, HasClasses):
        raise StructureError(f"{model.label}: has no components, so no posterior")
    return model.seq_posterior(data, impossible)


@takes(law="model")
def labels(model: Distribution | Fit, data: Any, impossible: str = "error") -> np.ndarray:
    """The number of the most probable component of each row, `(n,)`; of a joint mixture the most probable pair, `(n, 2)`.

    model: a mixture of any kind, or what `fit` returned. impossible, and what is raised, as of `seq_posterior`.
    """
    return most_probable(responsibilities(model_of(model, "labels"), data, impossible))


def entropy(posterior: np.ndarray) -> np.ndarray:
    """Entropy of each row's posterior in nats, `(n,)`: 0 where the component is sure, `log K` where nothing is known."""
    p = np.asarray(posterior).reshape(len(posterior), -1)
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1)


def uncertainty(posterior: np.ndarray) -> np.ndarray:
    """One less the largest posterior probability of each row, `(n,)`: the chance that `most_probable` is wrong."""
    return 1.0 - np.asarray(posterior).reshape(len(posterior), -1).max(axis=1)


def most_probable(posterior: np.ndarray) -> np.ndarray:
    """The most probable component of each row, `(n,)`; of a joint mixture the most probable pair, `(n, 2)`."""
    posterior = np.asarray(posterior)
    if posterior.ndim == 2:
        return posterior.argmax(axis=1)
    best = posterior.reshape(len(posterior), -1).argmax(axis=1)
    return np.stack(np.unravel_index(best, posterior.shape[1:]), axis=1)
