"""The uniform law: its range from the data or given, and as noise beside other laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from dmlcore import fit
from dmlcore.base.errors import DegenerateError, ParameterError, SupportError
from dmlcore.selection import criteria
from dmlcore.stats import (
    CategoricalEstimator,
    ConditionalDistributionEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    UniformDistribution,
    UniformEstimator,
    UniformVectorDistribution,
    UniformVectorEstimator,
)

rows = [3.0, -1.0, 2.5, 7.0]


def test_against_scipy() -> None:
    law, same = UniformDistribution(-1.0, 7.0), scipy.stats.uniform(-1.0, 8.0)
    x = np.array([-1.0, 0.5, 7.0, -1.1, 7.1, math.inf])
    np.testing.assert_allclose(law.seq_log_density(x), same.logpdf(x))
    np.testing.assert_allclose(law.cdf(x), same.cdf(x))
    np.testing.assert_allclose([law.mean(), law.variance(), law.entropy()], [same.mean(), same.var(), same.entropy()])


def test_the_range_is_that_of_the_rows_with_weight() -> None:
    assert fit(rows, UniformEstimator()).model == UniformDistribution(-1.0, 7.0)
    assert fit([*rows, 99.0], UniformEstimator(), weights=[1, 1, 1, 1, 0]).model == UniformDistribution(-1.0, 7.0)
    assert fit(rows, UniformEstimator(low=-5.0)).model == UniformDistribution(-5.0, 7.0)
    assert criteria.n_parameters(fit(rows, UniformEstimator()).model) == 2


def test_rows_outside_given_ends_are_named() -> None:
    with pytest.raises(SupportError, match=r"row 1.*-1.0 has density zero; it needs numbers >= 0.0 and <= 9.0"):
        fit(rows, UniformEstimator(0.0, 9.0))
    with pytest.raises(DegenerateError, match=r"from 2.0 to 2.0 has no length"):
        fit([2.0, 2.0], UniformEstimator())
    for low, high in ((1.0, 1.0), (2.0, 1.0), (-1.7e308, 1.7e308)):
        with pytest.raises(ParameterError, match="high must be above low"):
            UniformDistribution(low, high)


def test_noise_beside_a_gaussian() -> None:
    data = np.concatenate([GaussianDistribution(5.0, 0.04).sample(300, rng=1), UniformDistribution(-20.0, 20.0).sample(150, rng=2)])
    model = fit(data, MixtureEstimator([GaussianEstimator(), UniformEstimator()]), rng=3).model
    assert model.w[0] == pytest.approx(2 / 3, abs=0.03)
    assert model.components[0].sigma2 == pytest.approx(0.04, rel=0.3)
    assert (model.components[1].low, model.components[1].high) == (data.min(), data.max())


def test_each_label_has_a_range_of_its_own() -> None:
    pairs = [("a", 1.0), ("b", 7.0), ("a", 3.0), ("b", 5.0)]
    estimator = ConditionalDistributionEstimator({"a": UniformEstimator(), "b": UniformEstimator()}, given_estimator=CategoricalEstimator())
    assert dict(fit(pairs, estimator).model.dmap) == {"a": UniformDistribution(1.0, 3.0), "b": UniformDistribution(5.0, 7.0)}


def test_a_box_is_independent_uniforms() -> None:
    x = np.random.default_rng(1).normal(size=(50, 3)) * [1.0, 2.0, 5.0]
    law: Any = fit(x, UniformVectorEstimator()).model
    alone = [fit(column, UniformEstimator()).model for column in x.T]
    assert law.seq_log_density(x) == pytest.approx(sum(one.seq_log_density(column) for one, column in zip(alone, x.T, strict=True)))
    assert law.log_density(x.max(axis=0) * (1 + 1e-9)) == -math.inf
    assert criteria.n_parameters(law) == 6
    assert fit(x, UniformVectorEstimator(low=[-99.0, -99.0, -99.0])).model.low.tolist() == [-99.0] * 3  # type: ignore[attr-defined]
    with pytest.raises(DegenerateError, match=r"no volume \(from 1.0 to 1.0 in coordinate 1\)"):
        fit([[0.0, 1.0], [2.0, 1.0]], UniformVectorEstimator())
    with pytest.raises(SupportError, match=r"row 1.*needs vectors from \[0.0, 0.0\]"):
        fit([[1.0, 1.0], [-1.0, 2.0]], UniformVectorEstimator(2, [0.0, 0.0]))
    with pytest.raises(ParameterError, match="in coordinate 0"):
        UniformVectorDistribution([1.0], [1.0])


def test_noise_beside_gaussian_vectors() -> None:
    draw = np.random.default_rng(3)
    noise = draw.uniform(-20.0, 20.0, (100, 2))
    x = np.concatenate([draw.normal(size=(200, 2)), draw.normal(size=(200, 2)) + 8.0, noise])
    found: Any = fit(
        x, MixtureEstimator([MultivariateGaussianEstimator(), MultivariateGaussianEstimator(), UniformVectorEstimator()]), rng=1
    )
    assert np.diff(found.objective).min() >= -1e-9
    np.testing.assert_allclose(sorted(found.model.w), [0.2, 0.4, 0.4], atol=0.03)
    np.testing.assert_array_equal(found.model.components[2].low, x.min(axis=0))
    assert found.model.seq_posterior(noise)[:, 2].mean() > 0.9
