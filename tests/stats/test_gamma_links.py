"""Gamma regressions with an inverse or identity link: published maxima, linear predictors that must be positive."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from dmlcore import fit
from dmlcore.base.errors import DataError, ParameterError
from dmlcore.stats import GammaRegressionDistribution, GammaRegressionEstimator, MixtureEstimator
from tests.reference import load

rng = np.random.default_rng(0)
X = rng.exponential(1.0, (400, 2))
Y = rng.gamma(3.0, 1.0 / (0.02 + X @ [1.0, 0.3]) / 3.0)


def inverse(**settings: Any) -> GammaRegressionEstimator:
    return GammaRegressionEstimator(link="inverse", **settings)


def test_mixture_with_inverse_links_is_that_of_flexmix() -> None:
    case = load("flexmix_gamma_inverse")
    found = fit(list(zip(case["data"]["x"], case["data"]["y"], strict=True)), MixtureEstimator([inverse()] * 2), rng=1)
    expected = case["maximum"]
    assert found.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-8)
    assert np.diff(found.objective).min() > -1e-9
    laws = sorted(found.model.components, key=lambda law: -law.intercept)
    np.testing.assert_allclose([[law.intercept, law.coef[0]] for law in laws], expected["lines"], rtol=1e-5)
    np.testing.assert_allclose([math.log(law.shape) for law in laws], expected["log_shapes"], rtol=1e-5)


def test_a_line_that_comes_close_to_zero_is_found_in_any_unit() -> None:
    """The score of the maximum is zero: sums of 1 / eta - y, and of these times x."""
    for unit in (1.0, 1e6):
        found = fit(list(zip(X, Y * unit, strict=True)), inverse(), rng=1)
        eta = found.model.intercept + X @ found.model.coef
        assert found.status == "converged"
        assert eta.min() > 0
        apart = (1.0 / eta - Y * unit) / unit
        np.testing.assert_allclose([apart.sum(), *(apart @ X)], 0.0, atol=1e-2)


def test_without_an_intercept_and_with_shared_shapes() -> None:
    found = fit(list(zip(X, Y, strict=True)), inverse(intercept=False), rng=1)
    assert found.status == "converged"
    assert found.log_likelihood < fit(list(zip(X, Y, strict=True)), inverse(), rng=1).log_likelihood
    parts = fit(list(zip(X, Y, strict=True)), MixtureEstimator([inverse(tied={"shape": "s"})] * 2), rng=1).model.components
    assert parts[0].shape == parts[1].shape


@pytest.mark.parametrize(("link", "mean"), [("inverse", 1 / 3.0), ("identity", 3.0)])
def test_densities_and_means_are_those_of_the_link(link: str, mean: float) -> None:
    law = GammaRegressionDistribution([2.0], 1.0, 2.5, link=link)
    assert law.log_density((1.0, 0.7)) == pytest.approx(scipy.stats.gamma.logpdf(0.7, 2.5, scale=mean / 2.5), rel=1e-12)
    assert law.mean_given([[1.0]])[0] == pytest.approx(mean, rel=1e-14)
    assert law.log_density((-1.0, 0.7)) == -np.inf
    assert f"its {link} link" in law.explain_zero_density((-1.0, 0.7))
    with pytest.raises(DataError, match="covariates 1 give the linear predictor -1"):
        law.mean_given([[1.0], [-1.0]])
    assert eval(repr(law)) == law


def test_a_link_that_is_none_is_an_error() -> None:
    with pytest.raises(ParameterError, match="'log' or 'inverse' or 'identity'"):
        GammaRegressionEstimator(link="sqrt")
