"""Joint log densities of latent classes as the log density of a row, and the responsibilities of its classes.

Three rules, each `mix(joint)`: of joint log densities `(..., K, n)` of K classes the log densities `(..., n)`, and responsibilities
`(..., K, n)`, which sum to one, and are zero where there is no density. `exact_mix` is EM's, `largest` that of classification EM (Celeux
and Govaert 1992), where a row's density is that of its most probable class alone, and `Drawn` that of stochastic EM (Celeux and Diebolt
1985).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.numerics import logs_of


def exact_mix(joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The log of the sum over classes, and posteriors."""
    top = joint.max(axis=-2, keepdims=True)
    finite = np.where(top == -np.inf, 0.0, top)
    joint = np.exp(joint - finite)
    sums = joint.sum(axis=-2, keepdims=True)
    return (logs_of(sums) + finite)[..., 0, :], joint / np.where(sums > 0, sums, 1.0)


def largest(joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest over classes, and one for that class, the first of equals."""
    top = joint.max(axis=-2)
    return top, one_of(joint.argmax(axis=-2), joint.shape[-2]) * (top > -np.inf)[..., None, :]


class Drawn:
    """The log of the sum over classes, and one for a class drawn with its posterior probability, for each row anew."""

    def __init__(self, seed: Any):
        self.rng = np.random.default_rng(seed)

    def __call__(self, joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        log, posterior = exact_mix(joint)
        reached = np.cumsum(posterior, axis=-2)
        u = self.rng.random(log.shape)[..., None, :]
        z = (reached[..., :-1, :] <= u * reached[..., -1:, :]).sum(axis=-2)
        return log, one_of(z, joint.shape[-2]) * (log > -np.inf)[..., None, :]


def one_of(z: np.ndarray, K: int) -> np.ndarray:
    """Classes `(..., n)` as `(..., K, n)` of zeros and ones."""
    return (np.arange(K)[:, None] == z[..., None, :]).astype(np.float64)
