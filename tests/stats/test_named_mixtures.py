"""Mixtures by DMLearn's names: the general forms, from its arguments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import ParameterError
from dmlcore.core.flat import n_parameters
from dmlcore.io.json import from_json, to_json
from dmlcore.stats import (
    CompositeEstimator,
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
    rows = law.sample(300, rng=2)
    tied, key = fit(rows, GaussianMixtureEstimator(2, tied=True), rng=1), MixtureEstimator([GaussianEstimator(tied={"sigma2": "s"})] * 2)
    assert tied.log_likelihood == fit(rows, key, rng=1).log_likelihood
    assert n_parameters(tied.model) == 4
    assert fit(rows, tied.model.estimator(), rng=1).model == tied.model == from_json(to_json(tied.model))
    both = fit([(x, 3 * x) for x in rows], CompositeEstimator([GaussianMixtureEstimator(2, tied=True)] * 2), rng=1).model
    (one, other), (three, four) = ([c.sigma2 for c in part.components] for part in both.dists)
    assert one == other
    assert three == four == pytest.approx(9 * one)  # each mixture has a variance of its own


def test_diagonal_gaussians() -> None:
    law = DiagonalGaussianMixtureDistribution([[0.0, 1.0], [5.0, 6.0]], [1.0, 2.0], [0.5, 0.5], tied=True)
    assert law.components[1] == DiagonalGaussianDistribution([5.0, 6.0], [1.0, 2.0], tied={"covar": True})
    tied = fit(law.sample(300, rng=0), DiagonalGaussianMixtureEstimator(2, 2, tied=True), rng=1).model
    np.testing.assert_array_equal(tied.components[0].covar, tied.components[1].covar)
    assert n_parameters(tied) == 4 + 2 + 1 == n_parameters(law)
    model = fit(law.sample(300, rng=0), DiagonalGaussianMixtureEstimator(2, 2), rng=1).model
    assert sorted(c.mu[0] for c in model.components) == pytest.approx([0.0, 5.0], abs=0.3)
    with pytest.raises(ParameterError, match="covar must be a vector"):
        DiagonalGaussianMixtureDistribution(np.zeros((2, 2)), np.ones((2, 2)), [0.5, 0.5], tied=True)
