"""Zero-inflated, hurdle and truncated laws: published fits, numerical maxima, and what they are conditional on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from dmlcore import UNKNOWN, condition, fit
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.stats import (
    GammaEstimator,
    GammaRegressionDistribution,
    GaussianDistribution,
    GaussianEstimator,
    HurdleDistribution,
    HurdleEstimator,
    LinearRegressionEstimator,
    LogisticRegressionDistribution,
    LogisticRegressionEstimator,
    MixtureDistribution,
    MixtureEstimator,
    NegativeBinomialEstimator,
    NegativeBinomialRegressionEstimator,
    PoissonDistribution,
    PoissonEstimator,
    PoissonRegressionDistribution,
    PoissonRegressionEstimator,
    TruncatedDistribution,
    TruncatedEstimator,
    WeibullRegressionEstimator,
    ZeroInflatedDistribution,
    ZeroInflatedEstimator,
)
from tests.examples import BY_NAME
from tests.reference import load

REFERENCE = load("pscl_biochemists")
X = np.column_stack([REFERENCE["data"][name] for name in ("femWomen", "marMarried", "kid5", "phd", "ment")]).astype(float)
Y = REFERENCE["data"]["art"]
ROWS = list(zip(X, Y, strict=True))
GATED = [(x, (x, y)) for x, y in ROWS]


def coefficients(law: Any) -> list[float]:
    return [law.intercept, *law.coef]


@pytest.mark.parametrize(
    ("name", "estimator", "rows"),
    [
        ("zip", ZeroInflatedEstimator(PoissonRegressionEstimator()), ROWS),
        ("zinb", ZeroInflatedEstimator(NegativeBinomialRegressionEstimator()), ROWS),
        ("zip_gate", ZeroInflatedEstimator(PoissonRegressionEstimator(), LogisticRegressionEstimator()), GATED),
        ("zinb_gate", ZeroInflatedEstimator(NegativeBinomialRegressionEstimator(), LogisticRegressionEstimator()), GATED),
        ("hurdle_poisson", HurdleEstimator(PoissonRegressionEstimator(), LogisticRegressionEstimator()), GATED),
    ],
)
def test_biochemists(name: str, estimator: Any, rows: Any) -> None:
    found = fit(rows, estimator, rng=1)
    assert found.status == "converged"
    assert found.log_likelihood == pytest.approx(REFERENCE["loglik"][name], abs=1e-5 if "gate" not in name else 5e-4)
    model: Any = found.model
    if name == "zip":
        *count, odds = REFERENCE["theta"][name]
        assert coefficients(model.dist) == pytest.approx(count, abs=1e-6)
        assert np.log(model.p / (1 - model.p)) == pytest.approx(odds, abs=1e-6)
    if name == "hurdle_poisson":  # whose gate is of no zero there, and of zero here
        theta = REFERENCE["theta"][name]
        assert coefficients(model.dist.dist) == pytest.approx(theta[:6], abs=1e-6)
        assert coefficients(model.gate) == pytest.approx([-v for v in theta[6:]], abs=1e-6)


def test_a_hurdle_is_its_two_parts() -> None:
    hurdle: Any = fit(Y, HurdleEstimator(NegativeBinomialEstimator()), rng=1).model
    positive = fit([y for y in Y if y > 0], TruncatedEstimator(NegativeBinomialEstimator(), 1), rng=1).model
    assert hurdle.p == pytest.approx(np.mean(np.array(Y) == 0))
    assert hurdle.dist.dist.mu == pytest.approx(positive.dist.mu, rel=1e-5)  # type: ignore[attr-defined]


def test_zeros_of_a_mixture() -> None:
    """Two kinds of counts, one of them with zeros of its own: Bayes' rule says which zeros are extra."""
    law = ZeroInflatedDistribution(PoissonDistribution(2.0), 0.3)
    at_zero = 0.3 / (0.3 + 0.7 * np.exp(-2.0))
    assert law.posterior(0) == pytest.approx([at_zero, 1 - at_zero])
    assert law.posterior(3) == pytest.approx([0.0, 1.0])
    rows = ZeroInflatedDistribution(PoissonDistribution(9.0), 0.3).sample(3000, rng=1)
    fitted: Any = fit(rows, MixtureEstimator([ZeroInflatedEstimator(PoissonEstimator())]), rng=1).model
    assert fitted.components[0].p == pytest.approx(0.3, abs=0.03)


GATE = LogisticRegressionDistribution([1.0, -0.5], -0.7)
REGRESSION = PoissonRegressionDistribution([0.5, -0.2], 0.9)


@pytest.mark.parametrize("family", [ZeroInflatedDistribution, HurdleDistribution])
def test_laws_given_covariates(family: Any) -> None:
    law, x, z = family(REGRESSION, gate=GATE), np.array([0.3, -1.0]), np.array([1.0, 2.0])
    there = law.law_given(x, z=z)
    assert there.p == pytest.approx(GATE.mean_given([z])[0])
    assert there.log_density(2) == pytest.approx(law.log_density((z, (x, 2))))
    assert law.mean_given([x], z=[z])[0] == pytest.approx(there.mean())
    assert condition(law, (z, (x, UNKNOWN))).mean() == pytest.approx(there.mean())
    drawn = law.sample_given([x] * 4000, 1, z=[z] * 4000)
    assert drawn.mean() == pytest.approx(there.mean(), abs=5 * np.sqrt(there.variance() / 4000))
    with pytest.raises(StructureError, match="needs z"):
        law.mean_given([x])


def test_a_truncated_regression_is_its_law_at_each_row() -> None:
    law, x = TruncatedDistribution(REGRESSION, 2), np.array([0.3, -1.0])
    there = law.law_given(x)
    assert there.log_density(3) == pytest.approx(law.log_density((x, 3)))
    assert law.mean_given([x])[0] == pytest.approx(there.mean())
    assert condition(law, (x, UNKNOWN)).mean() == pytest.approx(there.mean())


def maximum(log_density: Any, start: list[float]) -> tuple[float, np.ndarray]:
    found = scipy.optimize.minimize(lambda t: -log_density(t).sum(), start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9})
    return -found.fun, found.x


def test_truncated_laws_against_numerical_maxima() -> None:
    rng, norm, gamma, poisson = np.random.default_rng(3), scipy.stats.norm, scipy.stats.gamma, scipy.stats.poisson
    x = rng.normal(1.0, 2.0, 3000)
    x = x[(x >= 0.0) & (x <= 4.0)]
    best, _ = maximum(lambda t: norm.logpdf(x, t[0], np.exp(t[1])) - np.log(np.diff(norm.cdf([0.0, 4.0], t[0], np.exp(t[1])))), [1.0, 0.5])
    assert fit(x, TruncatedEstimator(GaussianEstimator(), 0.0, 4.0), rng=1).log_likelihood == pytest.approx(best, abs=1e-6)
    y = rng.gamma(2.0, 3.0, 2000)
    y = y[y >= 2.0]
    best, _ = maximum(
        lambda t: gamma.logpdf(y, np.exp(t[0]), scale=np.exp(t[1])) - gamma.logsf(2.0, np.exp(t[0]), scale=np.exp(t[1])), [0.5, 1.0]
    )
    assert fit(y, TruncatedEstimator(GammaEstimator(), 2.0), rng=1).log_likelihood == pytest.approx(best, abs=1e-6)
    n = rng.poisson(4.0, 2000)
    n = n[(n >= 3) & (n <= 6)]
    best, _ = maximum(lambda t: poisson.logpmf(n, np.exp(t[0])) - np.log(poisson.pmf(np.arange(3, 7), np.exp(t[0])).sum()), [1.0])
    assert fit(n, TruncatedEstimator(PoissonEstimator(), 3, 6), rng=1).log_likelihood == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize(
    ("estimator", "low", "high"),
    [
        (LinearRegressionEstimator(), 0.0, None),
        (LinearRegressionEstimator(), -1.0, 2.0),
        (WeibullRegressionEstimator(), 1.0, None),
        (WeibullRegressionEstimator(), None, 5.0),
    ],
)
def test_truncated_regressions_of_reals_against_numerical_maxima(estimator: Any, low: float | None, high: float | None) -> None:
    """As R's truncreg, and with an upper end; of Weibulls, late entry into a study of lifetimes."""
    rng = np.random.default_rng(3)
    x, linear = rng.normal(size=300), isinstance(estimator, LinearRegressionEstimator)
    y = 1.0 + 0.7 * x + (1.5 * rng.normal(size=300) if linear else 0.5 * np.log(rng.exponential(size=300)))
    y = y if linear else np.exp(y)
    a, b = -np.inf if low is None else low, np.inf if high is None else high
    inside = (y >= a) & (y <= b)
    x, y = x[inside], y[inside]

    def log_density(t: np.ndarray) -> Any:
        at = t[0] + t[1] * x
        law = scipy.stats.norm(at, np.exp(t[2])) if linear else scipy.stats.weibull_min(np.exp(t[2]), scale=np.exp(at))
        return law.logpdf(y) - np.log(np.maximum(law.cdf(b) - law.cdf(a), 1e-300))

    best, at = maximum(log_density, [1.0, 0.5, 0.0])
    rows = list(zip(x.tolist(), y.tolist(), strict=True))
    found: Any = fit(rows, TruncatedEstimator(estimator, low, high), rng=1)
    assert found.log_likelihood == pytest.approx(best, abs=1e-6)
    assert [found.model.dist.intercept, found.model.dist.coef[0]] == pytest.approx(at[:2], abs=1e-3)
    assert np.diff(found.objective).min() >= -1e-10
    there = condition(found.model, (0.3, UNKNOWN))
    assert there.log_density(1.5) == pytest.approx(found.model.log_density((0.3, 1.5)))
    drawn = found.model.sample_given([[0.3]] * 2000, 1)
    assert ((drawn >= a) & (drawn <= b)).all()
    assert drawn.mean() == pytest.approx(found.model.mean_given([[0.3]])[0], abs=5 * np.sqrt(there.variance() / 2000))


def test_counts_that_are_truncated_above_alone() -> None:
    law = TruncatedDistribution(PoissonDistribution(3.0), None, 4)
    assert [law.density(k) for k in range(5)] == pytest.approx(scipy.stats.poisson(3.0).pmf(range(5)) / scipy.stats.poisson(3.0).cdf(4))
    assert law.expected.sum() == pytest.approx(scipy.stats.poisson(3.0).sf(4) / scipy.stats.poisson(3.0).cdf(4), rel=1e-9)


def test_draws_at_covariates_go_on() -> None:
    law: Any = BY_NAME["zero inflated regression"].law
    sampler, rng = law.sampler(1), np.random.default_rng(1)
    for _ in range(2):
        np.testing.assert_array_equal(sampler.sample_given(np.zeros((3, 2))), law.sample_given(np.zeros((3, 2)), rng))


def test_limits_of_counts_may_lie_between_them() -> None:
    between, on = (TruncatedDistribution(PoissonDistribution(2.0), low, high) for low, high in ((0.5, 4.5), (1, 4)))
    counts = [1, 2, 3, 4]
    np.testing.assert_allclose(between.seq_log_density(counts), on.seq_log_density(counts), rtol=1e-14)


def test_moments_of_a_truncated_gaussian() -> None:
    law, known = TruncatedDistribution(GaussianDistribution(1.0, 4.0), 3.0), scipy.stats.truncnorm(1.0, 30.0, 1.0, 2.0)
    assert [law.mean(), law.variance()] == pytest.approx([known.mean(), known.var()], rel=1e-10)
    assert law.entropy() == pytest.approx(known.entropy(), rel=1e-10)
    assert law.quantile(0.9) == pytest.approx(known.ppf(0.9), rel=1e-10)


def test_what_makes_no_law_is_refused() -> None:
    with pytest.raises(ParameterError, match="give p, or gate"):
        ZeroInflatedDistribution(PoissonDistribution(1.0))
    with pytest.raises(ParameterError, match="give p, or gate"):
        ZeroInflatedDistribution(PoissonDistribution(1.0), 0.5, GATE)
    with pytest.raises(StructureError, match="no law of counts"):
        ZeroInflatedEstimator(GaussianEstimator())
    with pytest.raises(ParameterError, match="gate must be a LogisticRegressionEstimator"):
        ZeroInflatedEstimator(PoissonEstimator(), PoissonRegressionEstimator())
    with pytest.raises(ParameterError, match="give low, high"):
        TruncatedEstimator(PoissonEstimator())
    with pytest.raises(ParameterError, match="has no probability from 1 to inf"):
        TruncatedDistribution(PoissonDistribution(0.0), 1)
    with pytest.raises(StructureError, match="lower end alone"):
        TruncatedEstimator(PoissonRegressionEstimator(), 1, 9)
    with pytest.raises(StructureError, match="regressions of counts are truncated at their lower end alone"):
        TruncatedDistribution(PoissonRegressionDistribution([1.0], 0.0), 1, 4)
    with pytest.raises(StructureError, match="a gamma regression cannot be truncated; linear, Weibull and count regressions can"):
        TruncatedDistribution(GammaRegressionDistribution([1.0], 0.0, 1.0), 1)
    for law in (TruncatedDistribution(PoissonDistribution(2.0), 1), ZeroInflatedDistribution(PoissonDistribution(2.0), 0.3)):
        for ask in (law.mean_given, law.sample_given):
            with pytest.raises(StructureError, match="a poisson is no regression, so it takes no covariates x"):
                ask([[1.0]])
    with pytest.raises(StructureError, match="zero"):
        HurdleDistribution(MixtureDistribution([GaussianDistribution(0.0, 1.0)] * 2, [0.5, 0.5]), 0.3)
