"""Data from a known mixture of linear regressions."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.domains import positive, simplex
from dmlcore.base.errors import ParameterError
from dmlcore.base.extras import library
from dmlcore.base.random import Random, generator
from dmlcore.base.records import dataclass


@dataclass(frozen=True, eq=False)
class SimulatedRegression:
    """X `(n, p)`, y `(n,)`, and the truth: component `(n,)` of each row, betas `(K, p + 1)` (intercept first), weights and noise `(K,)`."""

    X: np.ndarray
    y: np.ndarray
    component: np.ndarray
    betas: np.ndarray
    weights: np.ndarray
    noise: np.ndarray

    def frame(self) -> Any:
        """A pandas frame with columns x1, x2, ..., y. The true component is left out: it is no covariate."""
        return library("pandas", "frame() needs").DataFrame(self.X, columns=[f"x{j + 1}" for j in range(self.X.shape[1])]).assign(y=self.y)


def simulate_regression_mixture(
    n_samples: int = 1000,
    n_features: int | None = None,
    n_components: int | None = None,
    *,
    weights: Any = None,
    noise: Any = 1.0,
    betas: Any = None,
    random_state: Random = None,
) -> SimulatedRegression:
    """Draws rows of a mixture of linear regressions with standard normal covariates.

    n_features: p (default: as `betas` say, or 3). n_components: K (default: as `betas` or `weights` say, or 3). weights: `(K,)`, default
    even. noise: standard deviations about the lines, a number or `(K,)`. betas: `(K, p + 1)`, the intercept first; drawn from a normal
    law of standard deviation 3 where not given. Raises `ParameterError` where these disagree.
    """
    rng = generator(random_state)
    for what, count, least in (("n_samples", n_samples, 0), ("n_features", n_features, 0), ("n_components", n_components, 1)):
        if count is not None and (not isinstance(count, (int, np.integer)) or count < least):
            raise ParameterError(f"{what} must be a whole number >= {least}, got {count!r}")
    if betas is None:
        p = 3 if n_features is None else n_features
        K = n_components or (3 if weights is None else len(weights))
        betas = rng.normal(scale=3.0, size=(K, p + 1))
    try:
        B = np.array(betas, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError("betas must be a matrix of numbers: a row for each component, the intercept first") from None
    if B.ndim != 2 or not B.size or not np.isfinite(B).all():
        raise ParameterError(
            f"betas must be a matrix of finite numbers: a row for each component, the intercept first; got shape {B.shape}"
        )
    K, p = len(B), B.shape[1] - 1
    if n_components not in (None, K) or n_features not in (None, p):
        raise ParameterError(f"betas are of {K} components and {p} features, but n_components={n_components}, n_features={n_features}")
    try:
        w = simplex.check(np.full(K, 1.0 / K) if weights is None else weights)
        sd = np.array([positive.check(value) for value in np.broadcast_to(np.asarray(noise, dtype=np.float64), K).tolist()])
    except (ParameterError, TypeError, ValueError) as error:
        raise ParameterError(f"weights must be {K} probabilities, and noise a positive number or {K} of them: {error}") from None
    if len(w) != K:
        raise ParameterError(f"weights must have one entry for each of {K} components, got {len(w)}")
    component = rng.choice(K, size=n_samples, p=w)
    X = rng.normal(size=(n_samples, p))
    apart = np.empty(n_samples)
    apart[np.argsort(component, kind="stable")] = rng.normal(size=n_samples)  # drawn component by component
    y = B[component, 0] + (X * B[component, 1:]).sum(axis=1) + apart * sd[component]
    return SimulatedRegression(X, y, component, B, w, sd)
