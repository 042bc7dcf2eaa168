"""A point mass beside laws with densities: a spike at any value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.stats import (
    ExponentialEstimator,
    GammaEstimator,
    GaussianEstimator,
    HeterogeneousMixtureEstimator,
    LogGaussianEstimator,
    MixtureEstimator,
    PointMassDistribution,
    PointMassEstimator,
    PoissonEstimator,
)


@pytest.mark.parametrize("at", [0, 1e-06, 99, 40.0])
@pytest.mark.parametrize("beside", [GaussianEstimator(), LogGaussianEstimator(), GammaEstimator(), ExponentialEstimator()])
def test_a_spike_takes_its_value_and_the_law_beside_it_the_rest(at: float, beside: Any) -> None:
    rng = np.random.default_rng(0)
    x = np.where(rng.random(400) < 0.3, at, rng.gamma(0.5, 20.0, 400))
    spike, law = dmlcore.fit(x, HeterogeneousMixtureEstimator([PointMassEstimator(at), beside]), rng=1).model.components
    alone = dmlcore.fit(x[x != at], beside).model
    assert spike == PointMassDistribution(at)
    assert [law.mean(), law.variance()] == pytest.approx([alone.mean(), alone.variance()], rel=1e-6)


def test_the_weight_of_a_spike_is_its_share() -> None:
    x = [0.0, 0, -0.0, 2.5, 3.5, 3.0]
    model = dmlcore.fit(x, HeterogeneousMixtureEstimator([PointMassEstimator(0), GaussianEstimator()]), rng=1).model
    assert model.w == pytest.approx([0.5, 0.5])
    assert model.density(0) == pytest.approx(0.5)  # whatever the density of the Gaussian there


def test_counts_share_a_value_with_a_point_mass() -> None:
    rng = np.random.default_rng(0)
    x = np.where(rng.random(2000) < 0.3, 0, rng.poisson(2.0, 2000))
    found = dmlcore.fit(x, HeterogeneousMixtureEstimator([PointMassEstimator(0), PoissonEstimator()]), rng=1)
    mean = found.model.components[1].lam
    assert np.mean(x == 0) == pytest.approx(found.model.w[0] + found.model.w[1] * np.exp(-mean), abs=1e-6)


def test_spikes_stand_in_components_of_a_mixture() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.where(rng.random(300) < p, 7.0, rng.normal(m, 1, 300)) for p, m in ((0.1, 0), (0.6, 30))])
    spiked = HeterogeneousMixtureEstimator([PointMassEstimator(7.0), GaussianEstimator()])
    model = dmlcore.fit(x, MixtureEstimator([spiked] * 2), rng=1).model
    assert np.exp(model.log_density(7.0)) == pytest.approx(np.mean(x == 7.0), rel=1e-3)


def test_labels_have_no_moments() -> None:
    with pytest.raises(StructureError, match="'a' is a label"):
        PointMassDistribution("a").mean()
    assert (PointMassDistribution(3).mean(), PointMassDistribution(3).variance()) == (3.0, 0.0)
    assert PointMassDistribution(True).log_density(True) == 0.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1], 2**53 + 1])
def test_what_is_no_value(value: Any) -> None:
    with pytest.raises(ParameterError, match="value must be"):
        PointMassDistribution(value)
