"""Rows of a mixture of three regressions on three covariates, and the model that every system starts from. NumPy alone."""

from __future__ import annotations

from typing import Any

import numpy as np

K, P = 3, 3
WEIGHTS = np.array([0.4, 0.3, 0.3])
TRUE = {
    "gaussian": np.array([[0.5, 1.5, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 6.0]]),  # intercept first, as in the seed
    "poisson": np.array([[0.5, 0.2, 0.3, 0.4], [1.5, -0.3, 0.2, 0.1], [1.0, 0.4, -0.4, 0.2]]),
}


def rows(family: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Covariates `(n, 3)` and responses `(n,)`, the same for every system."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((n, P))
    which = rng.choice(K, size=n, p=WEIGHTS)
    eta = np.zeros(n)
    for k, (intercept, *coef) in enumerate(TRUE[family]):
        eta += (which == k) * (intercept + x @ np.array(coef))
    return x, eta + rng.standard_normal(n) if family == "gaussian" else rng.poisson(np.exp(eta))


def start(family: str) -> dict[str, Any]:
    """Weights `(3,)`, coefficients `(3, 4)` with the intercept first, and variances `(3,)`: off the truth."""
    moved = TRUE[family] + np.random.default_rng(8).normal(scale=0.2, size=TRUE[family].shape)
    return {"w": np.full(K, 1 / K), "beta": moved, "sigma2": np.full(K, 2.0)}
