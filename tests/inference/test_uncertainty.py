"""Standard errors against closed forms, an independent Hessian in many digits, and simulated coverage."""

from __future__ import annotations

import warnings
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats

from dmlcore import UNKNOWN, condition, fit
from dmlcore.base.errors import DataError, DegenerateError, FitWarning, ParameterError, StructureError, SupportError
from dmlcore.core.redraw import redrawn
from dmlcore.fitting.problem import Problem
from dmlcore.inference.parameters import named_numbers, parameter_blocks
from dmlcore.inference.uncertainty import StandardErrors, bootstrap, profile_interval, standard_errors
from dmlcore.inference.uncertainty.surface import Surface
from dmlcore.selection import ordered
from dmlcore.stats import (
    CategoricalDistribution,
    CategoricalEstimator,
    CompositeDistribution,
    CompositeEstimator,
    ExponentialEstimator,
    GammaEstimator,
    GatedMixtureDistribution,
    GatedMixtureEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricEstimator,
    JointMixtureDistribution,
    LinearRegressionDistribution,
    LinearRegressionEstimator,
    LogGaussianEstimator,
    LogisticRegressionDistribution,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialLogisticRegressionDistribution,
    MultivariateGaussianEstimator,
    OptionalDistribution,
    OptionalEstimator,
    PoissonDistribution,
    PoissonEstimator,
    PoissonRegressionDistribution,
    PoissonRegressionEstimator,
    SequenceDistribution,
)
from tests.examples import EXAMPLES
from tests.reference import load

TWO = MixtureDistribution([GaussianDistribution(-2.0, 1.0), GaussianDistribution(2.0, 2.0)], [0.4, 0.6])
TWO_GAUSSIANS = MixtureEstimator([GaussianEstimator()] * 2)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def maximum(data: Any, estimator: Any, **options: Any) -> Any:
    return fit(data, estimator, rng=1, **options).model


# -- closed forms ----------------------------------------------------------------------------------------------------------


def test_gaussian(rng: np.random.Generator) -> None:
    x = rng.normal(3.0, 2.0, 200)
    found = standard_errors(maximum(x, GaussianEstimator()), x)
    assert found.names == ("mu", "sigma2")
    np.testing.assert_allclose(found.covariance, np.diag([x.var() / 200, 2 * x.var() ** 2 / 200]), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.z, found.estimates / found.errors)
    np.testing.assert_allclose(found.p[0], 2 * scipy.stats.norm.sf(found.z[0]), rtol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e8])
@pytest.mark.parametrize("unit", [1e-120, 1e-9, 1.0, 1e9, 1e120])
def test_units_and_offsets_do_no_harm(unit: float, offset: float) -> None:
    x = (np.random.default_rng(4).normal(3.0, 2.0, 200) + offset) * unit
    found = standard_errors(maximum(x, GaussianEstimator()), x)
    np.testing.assert_allclose(found.errors[0], (x / unit).std() * unit / np.sqrt(200), rtol=1e-5)
    np.testing.assert_allclose(found.errors[1] / unit / unit, (x / unit).var() * np.sqrt(2 / 200), rtol=1e-5)


def test_leaves_of_one_parameter(rng: np.random.Generator) -> None:
    n = 150
    counts, lifetimes, trials = rng.poisson(4.0, n), rng.exponential(3.0, n), rng.geometric(0.3, n)
    poisson = standard_errors(maximum(counts, PoissonEstimator()), counts)
    exponential = standard_errors(maximum(lifetimes, ExponentialEstimator()), lifetimes)
    geometric = standard_errors(maximum(trials, GeometricEstimator()), trials)
    p = 1 / trials.mean()
    np.testing.assert_allclose(poisson.errors, np.sqrt(counts.mean() / n), rtol=1e-6)
    np.testing.assert_allclose(exponential.errors, lifetimes.mean() / np.sqrt(n), rtol=1e-6)
    np.testing.assert_allclose(geometric.errors, p * np.sqrt((1 - p) / n), rtol=1e-6)


def test_log_gaussian_and_gamma(rng: np.random.Generator) -> None:
    x = rng.gamma(2.5, 1.3, 400)
    logs = standard_errors(maximum(x, LogGaussianEstimator()), x)
    np.testing.assert_allclose(logs.errors, [np.log(x).std() / 20, np.log(x).var() * np.sqrt(2 / 400)], rtol=1e-6)
    law = maximum(x, GammaEstimator())
    information = 400 * np.array([[scipy.special.polygamma(1, law.k), 1 / law.theta], [1 / law.theta, law.k / law.theta**2]])
    np.testing.assert_allclose(standard_errors(law, x).covariance, np.linalg.inv(information), rtol=1e-5)


def test_categorical_has_the_multinomial_covariance(rng: np.random.Generator) -> None:
    data = rng.choice(list("abcd"), p=[0.1, 0.2, 0.3, 0.4], size=300).tolist()
    law = maximum(data, CategoricalEstimator())
    p = np.array(list(law.pmap.values()))
    found = standard_errors(law, data)
    assert found.names == tuple(f"pmap[{label!r}]" for label in law.pmap)
    np.testing.assert_allclose(found.covariance, (np.diag(p) - np.outer(p, p)) / 300, rtol=1e-6)


def test_multivariate_gaussian(rng: np.random.Generator) -> None:
    x = rng.multivariate_normal([1.0, 1000.0], [[1.0, 5.0], [5.0, 100.0]], size=300)
    found = standard_errors(maximum(x, MultivariateGaussianEstimator()), x)
    S = np.cov(x.T, bias=True)
    at = [(0, 0), (1, 0), (1, 1)]
    scatter = [[(S[i, k] * S[j, l] + S[i, l] * S[j, k]) / 300 for k, l in at] for i, j in at]  # Anderson (2003), section 3.4
    assert found.names == ("mu[0]", "mu[1]", "covar[0, 0]", "covar[1, 0]", "covar[1, 1]")
    np.testing.assert_allclose(found.covariance[:2, :2], S / 300, rtol=1e-6)
    np.testing.assert_allclose(found.covariance[2:, 2:], scatter, rtol=1e-5)


def test_a_composite_is_its_parts(rng: np.random.Generator) -> None:
    x, counts, gone = rng.normal(size=250), rng.poisson(3, 250), rng.random(250) < 0.2
    rows = [(a, None if missing else c) for a, c, missing in zip(x.tolist(), counts.tolist(), gone, strict=True)]
    estimator = CompositeEstimator((GaussianEstimator(), OptionalEstimator(PoissonEstimator(), est_prob=True)))
    found = standard_errors(maximum(rows, estimator), rows)
    there = np.array([c for _, c in rows if c is not None])
    p = 1 - len(there) / 250
    assert found["dists[1].dist.lam"]["error"] == pytest.approx(np.sqrt(there.mean() / len(there)), rel=1e-6)
    assert found["dists[1].p"]["error"] == pytest.approx(np.sqrt(p * (1 - p) / 250), rel=1e-6)
    assert found["dists[0].mu"]["error"] == pytest.approx(np.std([x for x, _ in rows]) / np.sqrt(250), rel=1e-6)


def test_tied_parameters_count_once(rng: np.random.Generator) -> None:
    rows = [(int(a), int(b)) for a, b in rng.poisson(3.0, (120, 2))]
    estimator = CompositeEstimator((PoissonEstimator(keys="k"), PoissonEstimator(keys="k")))
    found = standard_errors(maximum(rows, estimator), rows, estimator=estimator)
    assert found.names == ("dists[0].lam",)
    np.testing.assert_allclose(found.errors, np.sqrt(np.mean(rows) / 240), rtol=1e-6)


def test_pseudo_counts_add_their_curvature(rng: np.random.Generator) -> None:
    x = rng.poisson(4.0, 40)
    estimator = PoissonEstimator(pseudo_count=10.0, suff_stat=6.0)
    law = maximum(x, estimator)
    found = standard_errors(law, x, estimator=estimator)
    np.testing.assert_allclose(found.errors, np.sqrt(law.lam / 50), rtol=1e-6)


def test_a_weight_counts_as_so_many_rows(rng: np.random.Generator) -> None:
    x = rng.normal(size=60)
    weights = rng.integers(0, 4, 60)
    law = maximum(x, GaussianEstimator(), weights=weights)
    for kind in ("observed", "sandwich"):
        one = standard_errors(law, x, weights=weights, kind=kind)
        other = standard_errors(law, np.repeat(x, weights), kind=kind)
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-6, atol=1e-10)


def test_a_row_of_weight_zero_may_be_impossible() -> None:
    law = maximum([2, 3, 7], PoissonEstimator())
    found = standard_errors(law, [-1, 2, 3, 7], weights=[0, 1, 1, 1])
    np.testing.assert_allclose(found.errors, np.sqrt(4.0 / 3), rtol=1e-6)
    found = standard_errors(law, [-1, 2, 3, 7], weights=[0, 1, 1, 1], kind="sandwich")
    np.testing.assert_allclose(found.errors, np.std([2, 3, 7]) / np.sqrt(3), rtol=1e-5)


# -- mixtures --------------------------------------------------------------------------------------------------------------


def test_mixture_against_a_hessian_in_thirty_digits() -> None:
    x = TWO.sample(40, rng=2)
    law = ordered(fit(x, TWO_GAUSSIANS, rng=1, delta=0.0, max_its=3000).model)
    found = standard_errors(law, x)
    names = ["w[0]", "components[0].mu", "components[0].sigma2", "components[1].mu", "components[1].sigma2"]
    at = [found.names.index(name) for name in names]

    def log_likelihood(w: Any, a: Any, s: Any, b: Any, t: Any) -> Any:
        def density(v: float, mu: Any, sigma2: Any) -> Any:
            return mpmath.exp(-((v - mu) ** 2) / (2 * sigma2)) / mpmath.sqrt(2 * mpmath.pi * sigma2)

        return mpmath.fsum(mpmath.log(w * density(v, a, s) + (1 - w) * density(v, b, t)) for v in x.tolist())

    with mpmath.workdps(30):
        point = [mpmath.mpf(float(found.estimates[i])) for i in at]
        hessian = mpmath.matrix(5, 5)
        for i in range(5):
            for j in range(i + 1):
                order = [0] * 5
                order[i] += 1
                order[j] += 1
                hessian[i, j] = hessian[j, i] = mpmath.diff(log_likelihood, tuple(point), tuple(order))
        expected = np.array((-(hessian**-1)).tolist(), dtype=float)
    np.testing.assert_allclose(found.covariance[np.ix_(at, at)], expected, rtol=1e-5)
    np.testing.assert_allclose(found.errors[at], np.sqrt(np.diag(expected)), rtol=2e-6)
    assert found["w[1]"]["error"] == pytest.approx(found["w[0]"]["error"], rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 2000.0])
@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_mixtures_of_regressions(family: str, shift: float) -> None:
    """Also with a covariate far from zero, where intercept and slope are all but one (flexmix's own errors are then off)."""
    case = load("flexmix_standard_errors")
    x = np.array(case["data"]["x"])
    if family == "gaussian":
        leaf, columns, y = LinearRegressionEstimator(), [x + shift, x**2], case["data"]["yn"]
        terms = {"coef[0]": "coef.x", "coef[1]": "coef.I(x^2)", "intercept": "coef.(Intercept)"}
    else:
        leaf, columns, y = PoissonRegressionEstimator(), [x + shift], case["data"]["yp"]
        terms = {"coef[0]": "coef.x", "intercept": "coef.(Intercept)"}
    rows = list(zip(np.stack(columns, axis=1).tolist(), y, strict=True))
    estimator = MixtureEstimator([leaf] * 2)
    best = fit(rows, estimator, rng=0, starts=6)
    assert best.log_likelihood == pytest.approx(case[family]["loglik"], rel=1e-8)
    expected = case[family]["params"]
    law = ordered(best.model, key=lambda c: abs(c.coef[0] - expected["r0.c0.coef.x"]))
    found = standard_errors(law, rows, estimator=estimator)
    for k in (0, 1):
        for name, term in terms.items():
            if shift and name == "intercept":
                continue
            assert found[f"components[{k}].{name}"]["error"] == pytest.approx(case[family]["se"][f"r0.c{k}.{term}"], rel=1e-4)
    w = found["w[1]"]["estimate"]
    assert found["w[1]"]["error"] / (w * (1 - w)) == pytest.approx(case[family]["se"]["logit_prior.c1"], rel=1e-4)


# -- sandwich, bootstrap, profile ------------------------------------------------------------------------------------------


def test_sandwich_of_a_wrong_model(rng: np.random.Generator) -> None:
    x = rng.exponential(2.0, 300)
    law = maximum(x, GaussianEstimator())
    d = x - x.mean()
    m2, m3, m4 = (d**2).mean(), (d**3).mean(), (d**4).mean()
    found = standard_errors(law, x, kind="sandwich")
    np.testing.assert_allclose(found.covariance, np.array([[m2, m3], [m3, m4 - m2**2]]) / 300, rtol=1e-5)
    counts = rng.negative_binomial(2, 0.3, 500)
    found = standard_errors(maximum(counts, PoissonEstimator()), counts, kind="sandwich")
    np.testing.assert_allclose(found.errors, counts.std() / np.sqrt(500), rtol=1e-6)


@pytest.mark.parametrize("parametric", [False, True])
def test_bootstrap_agrees_where_both_hold(parametric: bool) -> None:
    x = TWO.sample(800, rng=1)
    law = maximum(x, TWO_GAUSSIANS)
    observed = standard_errors(law, x)
    found = standard_errors(law, x, kind="bootstrap", replicates=40, parametric=parametric, rng=1)
    assert found.replicates.shape == (40, 6)
    assert len(found.models) == 40
    np.testing.assert_allclose(found.errors, observed.errors, rtol=0.4)
    low, high = found.interval(0.9).T
    assert (low < found.estimates).all()
    assert (found.estimates < high).all()
    mean, error = found.of(lambda model: model.mean())
    assert mean == pytest.approx(x.mean(), rel=1e-6)
    assert error == pytest.approx(x.std() / np.sqrt(800), rel=0.25)


def test_replicates_have_their_components_in_the_order_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    x = TWO.sample(300, rng=1)
    law = maximum(x, TWO_GAUSSIANS)
    plain = standard_errors(law, x, kind="bootstrap", replicates=6, rng=1)

    def turned(*args: Any, **options: Any) -> Any:
        record = fit(*args, **options)
        record.model = MixtureDistribution(record.model.components[::-1], record.model.w[::-1])
        return record

    monkeypatch.setattr(bootstrap, "fit", turned)
    np.testing.assert_array_equal(standard_errors(law, x, kind="bootstrap", replicates=6, rng=1).replicates, plain.replicates)


@pytest.mark.parametrize("failing", [4, 9])
def test_replicates_that_cannot_be_fitted(monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    """Some are warned of, and most are an error; what no other rows would avoid is raised."""
    x = TWO.sample(100, rng=1)
    law, calls = maximum(x, GaussianEstimator()), iter(range(100))

    def some_fail(*args: Any, **options: Any) -> Any:
        if next(calls) < failing:
            raise DegenerateError("no fit")
        return fit(*args, **options)

    monkeypatch.setattr(bootstrap, "fit", some_fail)
    if failing == 9:
        with pytest.raises(DegenerateError, match="9 of 10 bootstrap fits failed; the first: no fit"):
            standard_errors(law, x, kind="bootstrap", replicates=10, rng=1)
    else:
        with pytest.warns(FitWarning, match="4 of 10 bootstrap fits failed; the first: no fit"):
            assert len(standard_errors(law, x, kind="bootstrap", replicates=10, rng=1).models) == 6
    monkeypatch.setattr(bootstrap, "fit", lambda *args, **options: None.model)  # a fault, which no rows explain
    with pytest.raises(AttributeError):
        standard_errors(law, x, kind="bootstrap", replicates=10, rng=1)


def test_parametric_bootstrap_of_regressions_keeps_the_covariates(rng: np.random.Generator) -> None:
    lines = [LinearRegressionDistribution([2.0], 1.0, 0.5), LinearRegressionDistribution([-2.0], 0.0, 0.5)]
    law = MixtureDistribution(lines, [0.4, 0.6])
    rows = redrawn(law, [([x], 0.0) for x in rng.uniform(0.0, 10.0, 200).tolist()], rng)
    law = fit(rows, law.estimator(), start=law).model
    options: dict[str, Any] = {"kind": "bootstrap", "parametric": True, "replicates": 25, "rng": 1}
    found = standard_errors(law, rows, **options)
    np.testing.assert_allclose(found.errors, standard_errors(law, rows).errors, rtol=0.4)
    with pytest.raises(StructureError, match="the rows themselves"):
        standard_errors(law, law.seq_encode(rows), **options)
    with pytest.raises(ParameterError, match="whole numbers"):
        standard_errors(law, rows, weights=np.full(200, 0.5), **options)
    weighted = standard_errors(law, rows, weights=np.full(200, 2), **options)
    np.testing.assert_allclose(weighted.errors, found.errors / np.sqrt(2), rtol=0.4)


def test_what_is_drawn_again_at_given_covariates(rng: np.random.Generator) -> None:
    counts = LogisticRegressionDistribution([1.0], 0.0, trials=True, offset=True)
    drawn = redrawn(counts, [([0.0], 0, 9, 2.0)] * 4000, rng)
    assert {(x[0], trials, offset) for x, _, trials, offset in drawn} == {(0.0, 9, 2.0)}
    assert np.mean([y for _, y, *_ in drawn]) == pytest.approx(9 / (1 + np.exp(-2.0)), abs=0.1)
    lines = [LinearRegressionDistribution([slope], 0.0, 1e-6) for slope in (1.0, -1.0)]
    gated = GatedMixtureDistribution(
        [SequenceDistribution(OptionalDistribution(line)) for line in lines],
        MultinomialLogisticRegressionDistribution([[5.0]], [0.0], (0, 1)),
    )
    drawn = redrawn(gated, [([z], [([2.0], 0.0), None, ([3.0], 0.0)]) for z in (-2.0, 2.0)] * 50, rng)
    for (z,), (first, second, third) in drawn:
        assert second is None
        sign = -np.sign(z)
        assert (first[0], third[0]) == ([2.0], [3.0])
        np.testing.assert_allclose([first[1], third[1]], [2.0 * sign, 3.0 * sign], atol=0.02)
    with pytest.raises(StructureError, match="holds a regression"):
        redrawn(JointMixtureDistribution([lines[0]], [lines[1]], [1.0], None, [[1.0]]), [(([0.0], 0.0), ([0.0], 0.0))], rng)


def test_bootstrap_is_reproducible_and_the_same_for_any_number_of_threads() -> None:
    x = TWO.sample(200, rng=1)
    law = maximum(x, TWO_GAUSSIANS)
    one, two = (standard_errors(law, x, kind="bootstrap", replicates=6, rng=5, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.replicates, two.replicates)
    other = standard_errors(law, x, kind="bootstrap", replicates=6, rng=6)
    assert (one.replicates != other.replicates).any()


def test_a_label_that_is_not_drawn_again_has_probability_zero() -> None:
    data = ["a"] * 30 + ["b"] * 29 + ["c"]
    law = maximum(data, CategoricalEstimator())
    found = standard_errors(law, data, kind="bootstrap", replicates=60, rng=1)
    rare = found.replicates[:, found.names.index("pmap['c']")]
    assert (rare == 0).any()
    assert found["pmap['c']"]["error"] == pytest.approx(np.sqrt(59 / 60**3), rel=0.3)


def test_threads_give_the_same_bits() -> None:
    x = TWO.sample(500, rng=1)
    law = maximum(x, TWO_GAUSSIANS)
    for kind in ("observed", "sandwich"):
        one, two = (standard_errors(law, x, kind=kind, threads=threads).covariance for threads in (1, 2))
        np.testing.assert_array_equal(one, two)


def test_profile_interval_of_a_gaussian_mean(rng: np.random.Generator) -> None:
    x = rng.normal(5.0, 2.0, 20)
    low, high = profile_interval(maximum(x, GaussianEstimator()), x, "mu", level=0.9)
    reach = x.std() * np.sqrt(np.expm1(scipy.stats.chi2(1).ppf(0.9) / 20))
    assert low == pytest.approx(x.mean() - reach, rel=1e-6)
    assert high == pytest.approx(x.mean() + reach, rel=1e-6)


def test_profile_interval_of_counts_is_not_symmetric() -> None:
    x = [0, 1, 0, 2, 0]
    low, high = profile_interval(maximum(x, PoissonEstimator()), x, "lam")

    def fall(lam: float) -> float:
        return 2 * (3 * np.log(0.6 / lam) - 5 * (0.6 - lam)) - scipy.stats.chi2(1).ppf(0.95)

    assert low == pytest.approx(scipy.optimize.brentq(fall, 1e-3, 0.6), rel=1e-5)
    assert high == pytest.approx(scipy.optimize.brentq(fall, 0.6, 5.0), rel=1e-5)


def test_profile_interval_in_a_mixture_maximises_the_rest() -> None:
    x = TWO.sample(150, rng=7)
    law = ordered(maximum(x, TWO_GAUSSIANS), key=lambda c: c.mu)
    low, high = profile_interval(law, x, "components[0].mu")
    best = fit(x, TWO_GAUSSIANS, start=law).log_likelihood
    for end in (low, high):

        def rest(theta: np.ndarray, mu: float = end) -> float:
            w = 1 / (1 + np.exp(-theta[0]))
            density = w * scipy.stats.norm.pdf(x, mu, np.exp(theta[1])) + (1 - w) * scipy.stats.norm.pdf(x, theta[2], np.exp(theta[3]))
            return -np.log(density).sum()

        start = [np.log(law.w[0] / law.w[1]), 0.5 * np.log(law.components[0].sigma2), law.components[1].mu, 0.3]
        inner = scipy.optimize.minimize(rest, start, method="BFGS", options={"gtol": 1e-6})
        assert best + inner.fun == pytest.approx(scipy.stats.chi2(1).ppf(0.95) / 2, abs=1e-3)


def test_profile_interval_that_has_no_end_is_refused_in_words() -> None:
    example = next(e for e in EXAMPLES if e.name == "mixture of geometrics")  # one component may have no weight for all the data say
    rows = example.data(80)
    law = fit(rows, example.estimator, rng=1, max_its=2000).model
    with pytest.raises(DegenerateError, match=r"does not fall by 1\.92 (below|above) the estimate"):
        profile_interval(law, rows, "w[0]", estimator=example.estimator)


# -- anything computed from a model ----------------------------------------------------------------------------------------


def test_error_of_a_function_of_the_model() -> None:
    x = TWO.sample(1000, rng=1)
    found = standard_errors(maximum(x, TWO_GAUSSIANS), x)
    value, error = found.of(lambda model: model.mean())
    assert value == pytest.approx(x.mean(), rel=1e-6)
    assert error == pytest.approx(x.std() / np.sqrt(1000), rel=1e-3)  # EM matches the first two moments
    pair, errors = found.of(lambda model: [model.components[0].mu, model.w[0]])
    np.testing.assert_allclose(errors, [found["components[0].mu"]["error"], found["w[0]"]["error"]], rtol=1e-4)
    assert pair[1] == found["w[0]"]["estimate"]


def test_error_of_an_imputed_mean() -> None:
    truth = MixtureDistribution(
        [
            CompositeDistribution((GaussianDistribution(m, 1.0), CategoricalDistribution({"a": p, "b": 1 - p})))
            for m, p in ((0, 0.8), (4, 0.3))
        ],
        [0.5, 0.5],
    )
    rows = truth.sample(500, rng=1)
    law = maximum(rows, MixtureEstimator([CompositeEstimator((GaussianEstimator(), CategoricalEstimator()))] * 2))
    value, error = standard_errors(law, rows).of(lambda model: condition(model, (UNKNOWN, "a")).mean())
    inside = np.array([x for x, label in rows if label == "a"])
    assert value == pytest.approx(inside.mean(), abs=0.3)
    assert error == pytest.approx(inside.std() / np.sqrt(len(inside)), rel=0.2)


def test_errors_of_coefficients_that_hardly_anything_determines() -> None:
    """Three Poisson regressions of the seizure data, the third on some ten days: against the derivative of the score by complex steps
    (Squire and Trapp 1998), which has all digits. One step of differences loses 2% of them."""
    data = load("flexmix_seizure")["data"]
    treated, day = np.array(data["Treatment"]) == "Yes", np.log(data["Day"])
    x, offset, y = np.c_[treated, day, treated * day], np.array(data["logHours"]), np.array(data["Seizures"])
    coef = [[7.19, -0.27, -2.2], [1.26, -0.43, -0.41], [15.69, -0.19, -4.84]]
    parts = [PoissonRegressionDistribution(c, a, offset=True) for c, a in zip(coef, [2.05, 2.9, 2.24], strict=True)]
    rows = list(zip(x, y.tolist(), offset, strict=True))
    estimator = MixtureEstimator([PoissonRegressionEstimator(offset=True)] * 3)
    law = fit(rows, estimator, start=MixtureDistribution(parts, [0.67, 0.26, 0.07])).model
    assert law.seq_log_density(rows).sum() == pytest.approx(-374.724551, abs=1e-6)
    z = np.c_[np.ones(len(y)), x]

    def score(v: np.ndarray) -> np.ndarray:
        odds = np.concatenate([[0.0], v[12:]])
        w = np.exp(odds) / np.exp(odds).sum()
        eta = z @ v[:12].reshape(3, 4).T + offset[:, None]
        joint = np.log(w) + y[:, None] * eta - np.exp(eta)
        posterior = np.exp(joint - joint.real.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        return np.concatenate([((posterior * (y[:, None] - np.exp(eta))).T @ z).ravel(), (posterior - w).sum(axis=0)[1:]])

    at = np.concatenate([*([law.intercept, *law.coef] for law in law.components), np.log(law.w[1:] / law.w[0])])
    information = -np.array([score(at + 1e-30j * axis).imag / 1e-30 for axis in np.eye(14)])
    exact = np.sqrt(np.diag(np.linalg.inv(information)))[:12].reshape(3, 4)
    found = standard_errors(law, rows, estimator=estimator)
    own = ("intercept", "coef[0]", "coef[1]", "coef[2]")
    np.testing.assert_allclose([[found[f"components[{k}].{name}"]["error"] for name in own] for k in range(3)], exact, rtol=2e-5)


# -- what has no standard error --------------------------------------------------------------------------------------------


def test_parameters_on_a_bound_are_named_and_leave_the_rest_as_they_are(rng: np.random.Generator) -> None:
    x = rng.normal(size=100)
    law = MixtureDistribution([maximum(x, GaussianEstimator()), GaussianDistribution(9.0, 1.0)], [1.0, 0.0])
    found = standard_errors(law, x)
    assert found.notes["w[0]"] == found.notes["w[1]"] == "on its bound"
    assert found.notes["components[1].mu"] == found.notes["components[1].sigma2"] == "the data do not determine it"
    np.testing.assert_allclose(found["components[0].mu"]["error"], x.std() / 10, rtol=1e-6)
    assert np.isnan(found.errors).sum() == 4


@pytest.mark.parametrize("tiny", [1e-9, 1e-30, 1e-200])
def test_a_weight_that_is_all_but_zero_is_named(rng: np.random.Generator, tiny: float) -> None:
    x = rng.normal(size=100)
    own = maximum(x, GaussianEstimator())
    law = MixtureDistribution([GaussianDistribution(9.0, 1.0), own, GaussianDistribution(-9.0, 1.0)], [tiny, 1 - 2 * tiny, tiny])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        found = standard_errors(law, x)
    assert {"w[0]", "w[2]", "components[0].mu", "components[2].mu"} <= set(found.notes)
    np.testing.assert_allclose(found["components[1].mu"]["error"], x.std() / 10, rtol=1e-4)


@pytest.mark.parametrize("gap", [0.0, 0.3])
def test_a_gate_that_separates_leaves_the_others_their_errors(gap: float) -> None:
    """Its coefficients run off and have no error; those of the components are regressions of their own rows. gap=0: it separates on one
    side only, so that there intercept and coefficient run off against each other, and another covariate is determined still."""
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(120, 1)), rng.normal(size=(120, 2))
    which = (z[:, 0] > 0).astype(int)
    z[:, 0] += np.where(which, gap, -gap)
    if gap == 0:
        z[:, 0] = which
        which *= rng.random(120) < 0.6
    y = np.where(which, 5 + 3 * x[:, 0], -5 - x[:, 0]) + 0.5 * rng.normal(size=120)
    rows = list(zip(z, list(zip(x, y.tolist(), strict=True)), strict=True))
    estimator = GatedMixtureEstimator([LinearRegressionEstimator()] * 2)
    record = fit(rows, estimator, start=which)
    assert record.status == "degenerate"
    found = standard_errors(record.model, rows, estimator=estimator)
    determined = {"gate.coef[0, 1]"} if gap == 0 else set()
    assert set(found.notes) == {"gate.coef[0, 0]", "gate.coef[0, 1]", "gate.intercept[0]"} - determined
    assert set(found.notes.values()) == {"the data do not determine it"}
    for k in (0, 1):
        own = np.c_[np.ones((which == k).sum()), x[which == k]]
        exact = np.sqrt(record.model.components[k].sigma2 * np.diag(np.linalg.inv(own.T @ own)))
        names = [f"components[{k}].intercept", f"components[{k}].coef[0]"]
        np.testing.assert_allclose([found[name]["error"] for name in names], exact, rtol=1e-3)


def test_fixed_weights_have_no_error() -> None:
    x = TWO.sample(300, rng=1)
    estimator = MixtureEstimator([GaussianEstimator()] * 2, fixed_weights=[0.4, 0.6])
    law = maximum(x, estimator)
    found = standard_errors(law, x, estimator=estimator)
    assert found.notes == {"w[0]": "not estimated", "w[1]": "not estimated"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # with free weights the model is no maximum
        free = standard_errors(law, x)
    assert found["components[0].mu"]["error"] < free["components[0].mu"]["error"]


def test_weights_with_one_key_have_the_error_of_all_their_rows() -> None:
    """Two fields, far apart components, one vector of weights: 2 n draws of it."""
    z = np.random.default_rng(1).random((200, 2)) < 0.3
    rows = [tuple(100.0 * a + 0.1 * b) for a, b in zip(z, np.random.default_rng(2).normal(size=(200, 2)), strict=True)]
    estimator = CompositeEstimator([MixtureEstimator([GaussianEstimator()] * 2, keys=("w", None))] * 2)
    start = [MixtureDistribution([GaussianDistribution(0.0, 1.0), GaussianDistribution(100.0, 1.0)], [0.5, 0.5])] * 2
    record = fit(rows, estimator, start=CompositeDistribution(start))
    found = standard_errors(record.model, rows, estimator=estimator)
    assert [name for name in found.names if ".w" in name] == ["dists[0].w[0]", "dists[0].w[1]"]
    share = z.mean()
    assert found["dists[0].w[1]"]["error"] == pytest.approx(np.sqrt(share * (1 - share) / 400), rel=1e-5)


def test_a_floor_is_named() -> None:
    x = [0.0, *np.random.default_rng(0).normal(5.0, 1.0, 50)]
    start = MixtureDistribution([GaussianDistribution(0.0, 1e-3), GaussianDistribution(5.0, 1.0)], [0.02, 0.98])
    record = fit(x, TWO_GAUSSIANS, start=start)
    assert record.status == "degenerate"
    found = standard_errors(record.model, x, estimator=TWO_GAUSSIANS)
    assert found.notes["components[0].sigma2"].startswith("at its floor")
    assert np.isfinite(found["components[1].mu"]["error"])


def test_what_the_data_do_not_determine_is_named() -> None:
    """Two categoricals mixed are one categorical: nothing in it is determined."""
    data = ["a"] * 40 + ["b"] * 60
    law = MixtureDistribution([CategoricalDistribution({"a": p, "b": 1 - p}) for p in (0.2, 0.6)], [0.5, 0.5])
    found = standard_errors(law, data)
    assert set(found.notes) == set(found.names)
    assert np.isnan(found.errors).all()


def test_a_model_that_is_no_maximum_is_called_so() -> None:
    x = TWO.sample(300, rng=1)
    with pytest.warns(FitWarning, match="left to gain"):
        standard_errors(MixtureDistribution([GaussianDistribution(-1.0, 1.0), GaussianDistribution(1.0, 1.0)], [0.5, 0.5]), x)


def test_components_that_are_alike_are_not_determined() -> None:
    x = np.random.default_rng(1).uniform(size=300)
    one = maximum(x, GaussianEstimator())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        found = standard_errors(MixtureDistribution([one, one.replace(mu=one.mu)], [0.5, 0.5]), x)
    assert set(found.notes) == set(found.names)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if "deaf" not in e.tags and e.name != "optional always"], ids=repr)
def test_every_family_and_nesting(example: Any) -> None:
    """Every parameter has a finite positive error or a reason."""
    rows = example.data(120)
    law = fit(rows, example.estimator, rng=1, starts=1, max_its=3000).model
    found = standard_errors(law, rows, estimator=example.estimator)  # no warning: it is a maximum
    for name, error in zip(found.names, found.errors, strict=True):
        assert (name in found.notes) == np.isnan(error)
        assert name in found.notes or 0 < error < np.inf
    assert list(found.names) == list(named_numbers(law))
    assert found.interval().shape == (len(found.names), 2)
    assert len(found.table().splitlines()) == max(1, len(found.names) + 1) or not found.names


def test_names_lead_to_the_numbers() -> None:
    for example in EXAMPLES:
        for name, value in named_numbers(example.law).items():
            assert eval(f"law.{name}", {"law": example.law}) == pytest.approx(value, rel=1e-12), name


def test_jacobian_is_exact(rng: np.random.Generator) -> None:
    """Rows of probabilities sum to zero; a covariance follows its Cholesky factor."""
    for example in EXAMPLES:
        for block in parameter_blocks(example.law):
            if block.size and len(block.names) > block.size and block.field in ("w", "p_vec", "w1"):
                np.testing.assert_allclose(block.jacobian(np.full(block.size, 1e-3)).sum(axis=0), 0.0, atol=1e-11)
    (found,) = (b for b in parameter_blocks(maximum(rng.normal(size=(50, 1)), MultivariateGaussianEstimator())) if b.field == "covar")
    np.testing.assert_allclose(found.jacobian(np.array([1e-3])), 2 * found.numbers()[:, None], rtol=1e-11)


def test_differences_survive_a_large_log_likelihood() -> None:
    x = np.random.default_rng(0).normal(size=300_000)
    law = maximum(x, GaussianEstimator())
    found = standard_errors(law, x, threads=2)
    np.testing.assert_allclose(found.errors, [x.std() / np.sqrt(300_000), x.var() * np.sqrt(2 / 300_000)], rtol=1e-6)
    assert Surface(Problem.of(x, GaussianEstimator()), law).gain(np.zeros(2)) == 0.0


# -- results and bad input -------------------------------------------------------------------------------------------------


def test_intervals_stay_inside_the_domain(rng: np.random.Generator) -> None:
    data = ["a"] * 99 + ["b"]
    found = standard_errors(maximum(data, CategoricalEstimator()), data)
    interval = found.interval(0.999)
    assert (interval > 0).all()
    assert (interval < 1).all()
    x = rng.normal(size=4)
    low, high = standard_errors(maximum(x, GaussianEstimator()), x).interval(0.999)[1]
    assert 0 < low < x.var() < high
    symmetric = standard_errors(maximum(x, GaussianEstimator()), x).interval()[0]
    assert symmetric.mean() == pytest.approx(x.mean(), abs=1e-9)


def test_table_and_html() -> None:
    data = ["<b>"] * 30 + ["c"] * 20
    found = standard_errors(maximum(data, CategoricalEstimator()), data)
    assert isinstance(found, StandardErrors)
    assert "estimate" in found.table()
    assert "pmap['<b>']" in repr(found)
    page = found._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert found.rows()[0].keys() == {"parameter", "estimate", "error", "z", "p", "low", "high", "note"}


def test_bad_input(rng: np.random.Generator) -> None:
    x = rng.normal(size=20)
    law = maximum(x, GaussianEstimator())
    found = standard_errors(law, x)
    with pytest.raises(DataError, match="clusters has 2 entries, there are 20 rows; need one for each row"):
        standard_errors(law, x, clusters=[1, 2])
    with pytest.raises(ParameterError, match="kind must be one of"):
        standard_errors(law, x, kind="hessian")
    with pytest.raises(ParameterError, match="level must be between 0 and 1"):
        found.interval(95)
    with pytest.raises(ParameterError, match="method must be"):
        found.interval(method="percentile")
    with pytest.raises(ParameterError, match="no parameter 'nu'"):
        found["nu"]
    with pytest.raises(ParameterError, match="no parameter 'nu'"):
        profile_interval(law, x, "nu")
    with pytest.raises(ParameterError, match="replicates must be"):
        standard_errors(law, x, kind="bootstrap", replicates=1)
    with pytest.raises(StructureError, match="does not fit the estimator"):
        standard_errors(law, x, estimator=ExponentialEstimator())
    with pytest.raises(DataError, match="row 1"):
        standard_errors(law, [0.0, "x"])
    with pytest.raises(SupportError, match="row 0"):
        standard_errors(PoissonDistribution(2.0), [-1, 2])
    with pytest.raises(DegenerateError, match="on its bound"):
        profile_interval(PoissonDistribution(0.0), [0, 0], "lam")
    untied = CompositeDistribution((PoissonDistribution(1.0, keys="k"), PoissonDistribution(2.0, keys="k")))
    with pytest.raises(StructureError, match="not tied"):
        standard_errors(untied, [(1, 2), (0, 1)])


def test_tables_call_parameters_as_users_do_and_test_only_what_may_be_zero() -> None:
    def one(mean: float) -> CompositeDistribution:
        return CompositeDistribution([OptionalDistribution(GaussianDistribution(mean, 1.0, name="size"), 0.1), PoissonDistribution(mean)])

    law = MixtureDistribution([one(3.0), one(9.0)], [0.4, 0.6])
    rows = law.sample(200, rng=1)
    found = fit(rows, law.estimator(), start=law)
    errors = standard_errors(found, rows)
    assert errors.estimates.tolist() == standard_errors(found.model, rows, estimator=found.estimator).estimates.tolist()
    shown = errors.table()
    for name in ("components[0].size.mu", "components[1].size.sigma2", "components[1].dists[1].lam"):
        assert name in shown
    assert errors["components[0].size.mu"] == errors["components[0].dists[0].dist.mu"]
    tested = [name for name, p in zip(errors.readable, errors.p, strict=True) if not np.isnan(p)]
    assert tested == ["components[0].size.mu", "components[1].size.mu"]
    by_name, exact = (profile_interval(found, rows, f"components[0].{place}.mu") for place in ("size", "dists[0].dist"))
    assert by_name == exact
