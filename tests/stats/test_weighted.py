"""Observations that carry their weights."""

from __future__ import annotations

import math

import pytest

from dmlcore import fit
from dmlcore.stats import (
    GaussianDistribution,
    GaussianEstimator,
    PoissonDistribution,
    PoissonEstimator,
    WeightedDistribution,
    WeightedEstimator,
)


def test_a_weight_is_so_many_observations() -> None:
    rows = [(1.0, 2.0), (4.0, 1.0), (9.0, 0.0)]
    assert fit(rows, WeightedEstimator(GaussianEstimator())).model.dist == fit([1.0, 1.0, 4.0], GaussianEstimator()).model
    law = WeightedDistribution(GaussianDistribution(0.0, 1.0))
    assert law.log_density((1.5, 3.0)) == pytest.approx(3 * law.dist.log_density(1.5))
    assert law.log_density((math.inf, 1.0)) == -math.inf


def test_a_weight_of_zero_says_nothing() -> None:
    assert WeightedDistribution(PoissonDistribution(2.0)).log_density((-1, 0.0)) == 0.0
    assert fit([(-1, 0.0), (2, 1.0)], WeightedEstimator(PoissonEstimator())).model.dist.lam == 2.0
