"""Mixtures by DMLearn's names: the general forms, from its arguments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import ParameterError
from dmlcore.stats import (
    DiagonalGaussianDistribution,
    DiagonalGaussianMixtureDistribution,
    DiagonalGaussianMixtureEstimator,
    DiracMixtureDistribution,
    DiracMixtureEstimator,
    ExponentialDistribution,
    GaussianDistribution,
    GaussianEstimator,
    GaussianMixtureDistribution,
    GaussianMixtureEstimator,
    MixtureDistribution,
    MixtureEstimator,
    PoissonDistribution,
    PoissonEstimator,
)


def test_a_spike_beside_counts_adds_to_their_probability() -> None:
    law = DiracMixtureDistribution(PoissonDistribution(3.0), 0.7)
    assert law.density(0) == pytest.approx(0.3 + 0.7 * math.exp(-3))
    assert law.density(2) == pytest.approx(0.7 * PoissonDistribution(3.0).density(2))
    rows = law.sample(3000, rng=1)
    model = fit(rows, DiracMixtureEstimator(PoissonEstimator())).model
    assert model.w[0] == pytest.approx(0.7, abs=0.03)
    assert model.components[0].lam == pytest.approx(3.0, abs=0.15)
    fixed = fit(rows, DiracMixtureEstimator(PoissonEstimator(), fixed_p=0.5)).model
    np.testing.assert_array_equal(fixed.w, [0.5, 0.5])
    assert DiracMixtureDistribution(ExponentialDistribution(2.0), 0.5, 7.0).density(7.0) == 0.5
    with pytest.raises(ParameterError, match="DiracMixtureDistribution: p must be"):
        DiracMixtureDistribution(PoissonDistribution(3.0), 1.5)


def test_gaussians() -> None:
    law = GaussianMixtureDistribution([-2.0, 3.0], [1.0, 0.5], [0.4, 0.6], "two")
    assert law == MixtureDistribution([GaussianDistribution(-2.0, 1.0), GaussianDistribution(3.0, 0.5)], [0.4, 0.6], "two")
    assert GaussianMixtureDistribution([-2.0, 3.0], 0.5, [0.4, 0.6]).components[0].sigma2 == 0.5
    assert GaussianMixtureEstimator(3) == MixtureEstimator([GaussianEstimator()] * 3)
    prior = GaussianMixtureEstimator(2, suff_stat=([1.0, 3.0], [-1.0, 1.0], 2.0), pseudo_count=(1.0, 2.0, 3.0))
    assert prior.estimators[1] == GaussianEstimator((2.0, 3.0), (1.0, 2.0))
    assert prior.pseudo_count == 1.0
    with pytest.raises(ParameterError, match="tied"):
        GaussianMixtureEstimator(2, tied=True)


def test_diagonal_gaussians() -> None:
    law = DiagonalGaussianMixtureDistribution([[0.0, 1.0], [5.0, 6.0]], [1.0, 2.0], [0.5, 0.5], tied=True)
    assert law.components[1] == DiagonalGaussianDistribution([5.0, 6.0], [1.0, 2.0])
    model = fit(law.sample(300, rng=0), DiagonalGaussianMixtureEstimator(2, 2), rng=1).model
    assert sorted(c.mu[0] for c in model.components) == pytest.approx([0.0, 5.0], abs=0.3)
    with pytest.raises(ParameterError, match="covar must be a vector"):
        DiagonalGaussianMixtureDistribution(np.zeros((2, 2)), np.ones((2, 2)), [0.5, 0.5], tied=True)
