"""Estimates from rounded reals: no law is narrower than the rounding allows, and of those that it allows the likeliest is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore.stats import (
    CompositeEstimator,
    GammaDistribution,
    GammaEstimator,
    GaussianDistribution,
    GaussianEstimator,
    LogGaussianDistribution,
    LogGaussianEstimator,
    MixtureEstimator,
)

LAWS: list[Any] = [GaussianEstimator, LogGaussianEstimator, GammaEstimator]


def on_the_bound(estimator: Any, at: float, sd: float) -> Any:
    """The law with this mean (of a log-Gaussian: median) and a standard deviation there."""
    if estimator is GaussianEstimator:
        return GaussianDistribution(at, sd * sd)
    if estimator is LogGaussianEstimator:
        return LogGaussianDistribution(np.log(at), (sd / at) ** 2)
    return GammaDistribution((at / sd) ** 2, sd * sd / at)


@pytest.mark.parametrize("estimator", LAWS)
@pytest.mark.parametrize("x", [[17.5, 17.5, 18.0], [3.0, 3.0], [2.0, 2.0, 2.0, 3.0]])
def test_the_likeliest_law_that_is_wide_enough_is_found(estimator: Any, x: list[float]) -> None:
    found = dmlcore.fit(x, estimator(rounding=2.5))
    assert found.status == "converged"
    least = 2.5 / np.sqrt(2 * np.pi)
    grid = [on_the_bound(estimator, at, least * wider) for at in np.linspace(0.8, 2, 601) * np.mean(x) for wider in (1, 1.01)]
    best = max(float(law.seq_log_density(x).sum()) for law in grid)
    assert best - 1e-9 <= found.log_likelihood < best + 1e-3


@pytest.mark.parametrize("estimator", LAWS)
def test_a_law_that_is_wide_by_itself_is_left_alone(estimator: Any) -> None:
    x = np.random.default_rng(0).gamma(20, 1, 50).round(1)
    assert dmlcore.fit(x, estimator(rounding=0.1)).log_likelihood == dmlcore.fit(x, estimator()).log_likelihood


@pytest.mark.parametrize("estimator", LAWS)
def test_mixtures_of_rounded_fields_do_not_collapse(estimator: Any) -> None:
    rng = np.random.default_rng(1)
    rows = list(zip(rng.gamma(20, 1, 60).round(), (10 * rng.gamma(20, 1, 60)).round(-1), strict=True))
    record = CompositeEstimator((estimator(rounding=1.0), estimator(rounding=10.0)))
    found = dmlcore.fit(rows, MixtureEstimator([record] * 6), rng=1, starts=3)
    assert found.status == "converged"
    for component in found.model.components:
        for law, rounding in zip(component.dists, (1.0, 10.0), strict=True):
            near = np.exp(law.mu) if estimator is LogGaussianEstimator else law.mean()
            assert np.exp(law.log_density(near)) * rounding < 1.01
