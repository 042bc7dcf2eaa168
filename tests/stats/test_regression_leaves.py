"""Regression leaves: against statsmodels, R's flexmix and NIST, at extremes, on bad designs, and what they say of bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from dmlcore import fit
from dmlcore.base import special
from dmlcore.base.errors import DataError, DegenerateError, EmptyError, ParameterError, StructureError, SupportError
from dmlcore.core.flat import flatten, n_parameters, unflatten
from dmlcore.fitting.problem import Problem
from dmlcore.stats import (
    CommonParametersDistribution,
    CommonParametersEstimator,
    CompositeEstimator,
    GammaRegressionDistribution,
    GammaRegressionEstimator,
    LinearMixedRegressionDistribution,
    LinearRegressionDistribution,
    LinearRegressionEstimator,
    LogisticRegressionDistribution,
    LogisticRegressionEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultinomialLogisticRegressionDistribution,
    MultinomialLogisticRegressionEstimator,
    NegativeBinomialDistribution,
    NegativeBinomialRegressionDistribution,
    NegativeBinomialRegressionEstimator,
    OptionalEstimator,
    PoissonRegressionDistribution,
    PoissonRegressionEstimator,
    SequenceEstimator,
    WeibullRegressionEstimator,
    estimate,
)
from dmlcore.stats.regression.glm.design import collinearity
from tests.reference import load

GLM = load("statsmodels_glm")
X = np.array(GLM["data"]["X"])[:, 1:]
W = np.array(GLM["data"]["w"])
OFFSET = GLM["data"]["offset"]
TRIALS = GLM["data"]["n_trials"]
Y: dict[str, list[Any]] = dict(GLM["data"]["y"])
Y |= {family: [int(v) for v in Y[family]] for family in ("poisson", "binomial")}


def coefficients(law: Any) -> np.ndarray:
    return np.r_[law.intercept, np.ravel(law.coef)]


def information(law: Any, rows: Any, weights: Any = None) -> np.ndarray:
    """The observed information in the flat parameters, by differences of the log likelihood."""
    problem, at, step = Problem.of(rows, law.estimator(), weights), flatten(law), 1e-4

    def value(move: np.ndarray) -> float:
        return problem.log_likelihood(unflatten(at + move, law))

    d = len(at)
    unit = step * np.eye(d)
    return -np.array(
        [
            [
                (value(unit[i] + unit[j]) - value(unit[i] - unit[j]) - value(unit[j] - unit[i]) + value(-unit[i] - unit[j])) / (4 * step**2)
                for j in range(d)
            ]
            for i in range(d)
        ]
    )


# -- one law, against other systems --------------------------------------------------------------------------------------

WEIGHTED = {
    "gaussian": (LinearRegressionEstimator(), list(zip(X, Y["gaussian"], strict=True))),
    "poisson": (PoissonRegressionEstimator(offset=True), list(zip(X, Y["poisson"], OFFSET, strict=True))),
    "binomial": (LogisticRegressionEstimator(trials=True), list(zip(X, Y["binomial"], TRIALS, strict=True))),
    "gamma": (GammaRegressionEstimator(), list(zip(X, Y["gamma"], strict=True))),
}


@pytest.mark.parametrize("family", WEIGHTED)
def test_weighted_fits_are_those_of_statsmodels(family: str) -> None:
    expected = GLM["fit"][f"{family}_freq_weights"]
    estimator, rows = WEIGHTED[family]
    record = fit(rows, estimator, weights=W)
    assert record.status == "converged", record.message
    assert np.diff(record.objective).min(initial=0.0) >= -1e-10
    np.testing.assert_allclose(coefficients(record.model), expected["coef"], rtol=1e-8)
    law = record.model
    if family == "gaussian":  # its scale has n - p in the denominator, and so has its log likelihood n
        np.testing.assert_allclose(law.sigma2, expected["deviance"] / W.sum(), rtol=1e-10)
    if family == "gamma":  # its log likelihood is at Pearson's dispersion, not at the maximum
        law = law.replace(shape=1 / expected["scale"])
        assert record.log_likelihood > W @ law.seq_log_density(rows)
    np.testing.assert_allclose(W @ law.seq_log_density(rows), expected["llf"], rtol=1e-9)


@pytest.mark.parametrize("family", ["gaussian", "poisson", "binomial"])
def test_standard_errors_from_the_information_are_those_of_statsmodels(family: str) -> None:
    expected = GLM["fit"][f"{family}_freq_weights"]
    estimator, rows = WEIGHTED[family]
    law = fit(rows, estimator, weights=W).model
    order = [2, 0, 1]  # flat vectors hold the intercept after the coefficients
    inverse = np.linalg.inv(information(law, rows, W)[:3, :3])[np.ix_(order, order)]
    factor = law.sigma2 / expected["scale"] if family == "gaussian" else 1.0
    np.testing.assert_allclose(np.sqrt(np.diag(inverse / factor)), expected["se"], rtol=1e-5)


def test_the_shape_of_a_gamma_regression_is_the_maximum() -> None:
    estimator, rows = WEIGHTED["gamma"]
    law = fit(rows, estimator, weights=W).model
    values = [W @ law.replace(shape=law.shape * factor).seq_log_density(rows) for factor in (0.999, 1.0, 1.001)]
    assert values[1] > max(values[0], values[2])


def test_negative_binomial_regression_is_that_of_statsmodels() -> None:
    expected = GLM["fit"]["negbin2_unweighted"]
    record = fit(list(zip(X, Y["poisson"], OFFSET, strict=True)), NegativeBinomialRegressionEstimator(offset=True))
    assert record.status == "converged", record.message
    np.testing.assert_allclose(record.log_likelihood, expected["llf"], rtol=1e-12)
    np.testing.assert_allclose([*coefficients(record.model), record.model.dispersion], expected["coef_and_alpha"], rtol=1e-6)


def test_multinomial_logistic_regression_is_that_of_statsmodels() -> None:
    expected = GLM["fit"]["mnlogit_y=digitize(gaussian,[-0.3,0.8])"]
    labels = np.digitize(Y["gaussian"], [-0.3, 0.8])
    record = fit(list(zip(X, labels, strict=True)), MultinomialLogisticRegressionEstimator())
    np.testing.assert_allclose(record.log_likelihood, expected["llf"], rtol=1e-12)
    np.testing.assert_allclose(np.vstack([record.model.intercept, record.model.coef.T]), expected["params"], rtol=1e-8)
    errors = np.sqrt(np.diag(np.linalg.inv(information(record.model, list(zip(X, labels, strict=True))))))
    bse = np.array(expected["bse"])
    np.testing.assert_allclose(errors, [*bse[1:].T.ravel(), *bse[0]], rtol=1e-4)


LONGLEY = """
60323 83.0 234289 2356 1590 107608 1947  61122 88.5 259426 2325 1456 108632 1948  60171 88.2 258054 3682 1616 109773 1949
61187 89.5 284599 3351 1650 110929 1950  63221 96.2 328975 2099 3099 112075 1951  63639 98.1 346999 1932 3594 113270 1952
64989 99.0 365385 1870 3547 115094 1953  63761 100.0 363112 3578 3350 116219 1954  66019 101.2 397469 2904 3048 117388 1955
67857 104.6 419180 2822 2857 118734 1956  68169 108.4 442769 2936 2798 120445 1957  66513 110.8 444546 4681 2637 121950 1958
68655 112.6 482704 3813 2552 123366 1959  69564 114.2 502601 3931 2514 125368 1960  69331 115.7 518173 4806 2572 127852 1961
70551 116.9 554894 4007 2827 130081 1962"""


def test_longley_to_ten_digits() -> None:
    """NIST's certified values of a nearly collinear design in raw units (Longley 1967)."""
    data = np.array(LONGLEY.split(), dtype=float).reshape(16, 7)
    law = estimate(list(zip(data[:, 1:], data[:, 0], strict=True)), LinearRegressionEstimator())
    expected = [15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359, -0.0511041056535807, 1829.15146461355]
    np.testing.assert_allclose(coefficients(law), [-3482258.63459582, *expected], rtol=1e-10)
    np.testing.assert_allclose(math.sqrt(law.sigma2 * 16 / 9), 304.854073561965, rtol=1e-10)


# -- densities -----------------------------------------------------------------------------------------------------------

AT = np.array([0.4, -1.2])
ETA = 0.9 + 0.5 * 0.4 + 0.2 * 1.2


@pytest.mark.parametrize("y", [0, 1, 4, 30, 10**4, 10**8])
def test_counts_score_as_in_scipy(y: int) -> None:
    mean = math.exp(ETA)
    assert PoissonRegressionDistribution([0.5, -0.2], 0.9).log_density((AT, y)) == pytest.approx(
        scipy.stats.poisson.logpmf(y, mean), rel=1e-12
    )
    for dispersion in (0.4, 3.0):
        law = NegativeBinomialRegressionDistribution([0.5, -0.2], 0.9, dispersion)
        t = 1 / dispersion
        assert law.log_density((AT, y)) == pytest.approx(scipy.stats.nbinom.logpmf(y, t, t / (t + mean)), rel=1e-9)
        assert law.law_given(AT).log_density(y) == pytest.approx(law.log_density((AT, y)), rel=1e-12)
    near = NegativeBinomialRegressionDistribution([0.5, -0.2], 0.9, 1e-14)
    assert near.log_density((AT, min(y, 30))) == pytest.approx(scipy.stats.poisson.logpmf(min(y, 30), mean), rel=1e-10)


def test_other_densities_score_as_in_scipy() -> None:
    mean = math.exp(ETA)
    for shape in (0.3, 2.5, 1e6):
        law = GammaRegressionDistribution([0.5, -0.2], 0.9, shape)
        for y in (0.01, 2.0, 50.0):
            assert law.log_density((AT, y)) == pytest.approx(scipy.stats.gamma.logpdf(y, shape, scale=mean / shape), rel=1e-8)
    p = 1 / (1 + math.exp(-ETA))
    law = LogisticRegressionDistribution([0.5, -0.2], 0.9, trials=True)
    assert law.log_density((AT, 3, 7)) == pytest.approx(scipy.stats.binom.logpmf(3, 7, p), rel=1e-12)
    assert law.log_density((AT, 8, 7)) == -math.inf
    far = LogisticRegressionDistribution([1000.0], None)
    assert far.log_density(([1.0], 0)) == -1000.0
    assert far.log_density(([-1.0], 0)) == 0.0


@pytest.mark.parametrize(("mu", "dispersion"), [(3.0, 0.4), (40.0, 2.0), (5.0, 1e-4)])
def test_the_negative_binomial_law_is_that_of_scipy(mu: float, dispersion: float) -> None:
    law, x = NegativeBinomialDistribution(mu, dispersion), np.arange(400)
    other = scipy.stats.nbinom(1 / dispersion, 1 / (1 + mu * dispersion))
    np.testing.assert_allclose(law.seq_log_density(x), other.logpmf(x), rtol=1e-9)
    np.testing.assert_allclose(law.cdf(x), other.cdf(x), rtol=1e-9)
    np.testing.assert_allclose([law.mean(), law.variance()], [other.mean(), other.var()], rtol=1e-12)
    q = np.array([1e-3, 0.3, 0.5, 0.9, 0.999])
    np.testing.assert_array_equal(law.quantile(q), other.ppf(q))
    assert law.mode() == np.argmax(other.pmf(x))
    p = np.exp(law.seq_log_density(range(6000)))
    assert law.entropy() == pytest.approx(-(p[p > 0] @ np.log(p[p > 0])), rel=1e-8)
    draws = law.sample(20_000, rng=1)
    assert abs(draws.mean() - mu) < 5 * math.sqrt(law.variance() / 20_000)


# -- at given covariates -------------------------------------------------------------------------------------------------

LAWS = [
    LinearRegressionDistribution([1.5, -0.4], 0.5, 2.0),
    PoissonRegressionDistribution([0.5, -0.2], 0.9, offset=True),
    LogisticRegressionDistribution([1.0, -0.5], None, trials=True),
    GammaRegressionDistribution([0.5, -0.2], 0.4, 2.5),
    NegativeBinomialRegressionDistribution([0.3, -0.2], 0.9, 0.4),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.family_name())
def test_means_laws_and_samples_at_given_covariates(law: Any) -> None:
    given: dict[str, Any] = ({"trials": 5} if law.has_trials else {}) | ({"offset": 0.3} if law.offset else {})
    offset = {"offset": 0.3} if law.offset else {}
    x = np.random.default_rng(1).normal(size=(3, 2))
    mean = law.mean_given(x, **offset)
    for row, m in zip(x, mean, strict=True):
        at = law.law_given(row, **given)
        assert at.mean() == pytest.approx(m * (5 if law.has_trials else 1), rel=1e-12)
        y = at.sample(rng=3)
        extra = ([5] if law.has_trials else []) + ([0.3] if law.offset else [])
        assert law.log_density((row, y, *extra)) == pytest.approx(at.log_density(y), rel=1e-11)
    draws = law.sample_given(np.repeat(x[:1], 4000, axis=0), 2, **given)
    assert abs(draws.mean() - at_mean(law, x[0], given)) < 5 * draws.std() / math.sqrt(4000)
    stream = law.sampler(2)
    np.testing.assert_array_equal(stream.sample_given(x, **given), law.sample_given(x, 2, **given))
    assert law.mean_given(x.tolist(), **offset).tolist() == mean.tolist()


def at_mean(law: Any, x: np.ndarray, given: Any) -> float:
    return law.law_given(x, **given).mean()


def test_what_is_given_must_fit() -> None:
    with pytest.raises(StructureError, match=r"sample_given\(x\)"):
        LAWS[0].sample(3)
    for law, given, match in [
        (LAWS[0], {"offset": 1.0}, "has no offset"),
        (LAWS[1], {}, "needs an offset"),
    ]:
        with pytest.raises(DataError, match=match):
            law.mean_given([[0.0, 1.0]], **given)
    for law, given in ((LAWS[2], {}), (LAWS[0], {"trials": 2})):
        with pytest.raises(DataError, match="trials"):
            law.sample_given([[0.0, 1.0]], 1, **given)
    with pytest.raises(DataError, match=r"row 1 is \[1.0, inf\]"):
        LAWS[0].mean_given([[0.0, 1.0], [1.0, math.inf]])
    with pytest.raises(DataError, match="vectors of 2"):
        LAWS[0].mean_given([[0.0, 1.0, 2.0]])


def test_trials_are_given_where_there_are_some() -> None:
    with pytest.raises(DataError, match="logistic regression: needs trials, got None"):
        LogisticRegressionDistribution([1.0], 0.0, trials=True).law_given([1.0])
    with pytest.raises(DataError, match="linear regression: has no trials, got 3"):
        LinearRegressionDistribution([1.0], 0.0, 1.0).law_given([1.0], trials=3)
    with pytest.raises(DataError, match="linear mixed regression: has no trials, got 2"):
        LinearMixedRegressionDistribution([1.0], 0.0, 1.0, [[1.0]]).sample_given([[1.0]], trials=2)


def test_what_shared_parameters_are_not() -> None:
    shared = CommonParametersDistribution({"slope": 1.0}, {}, name="both")
    assert shared.estimator() == CommonParametersEstimator("both")
    with pytest.raises(StructureError, match="shared parameters are no law; sample the regressions that share them"):
        shared.sample(1)


def test_multinomial_laws_at_given_covariates() -> None:
    law = MultinomialLogisticRegressionDistribution([[1.0], [-0.5]], [0.2, 0.0], ("a", "b", "c"))
    p = law.mean_given([[0.7]])[0]
    np.testing.assert_allclose(np.log(p[1:] / p[0]), [0.2 + 0.7, -0.35], rtol=1e-12)
    assert law.law_given([0.7]).log_density("b") == pytest.approx(law.log_density(([0.7], "b")))
    draws = law.sample_given([[0.7]] * 4000, 1)
    assert abs(draws.count("b") / 4000 - p[1]) < 5 * math.sqrt(p[1] * (1 - p[1]) / 4000)
    assert law.log_density(([0.7], "d")) == -math.inf


# -- shapes of a design --------------------------------------------------------------------------------------------------


def test_a_single_covariate_may_be_a_bare_number() -> None:
    x, y = X[:, 0], Y["gaussian"]
    bare, wrapped = (estimate(list(zip(v, y, strict=True)), LinearRegressionEstimator()) for v in (x.tolist(), X[:, :1]))
    assert bare == wrapped
    assert bare.log_density((x[0], y[0])) == bare.log_density((x[:1], y[0]))


@pytest.mark.parametrize("estimator", [LinearRegressionEstimator(), PoissonRegressionEstimator(), NegativeBinomialRegressionEstimator()])
def test_no_covariates_at_all(estimator: Any) -> None:
    y = Y["poisson"]
    law = fit([([], v) for v in y], estimator).model
    assert law.coef.shape == (0,)
    assert law.mean_given([[]])[0] == pytest.approx(np.mean(y), rel=1e-7)
    assert law == law.replace()


def test_parameters_are_counted() -> None:
    assert [n_parameters(law) for law in LAWS] == [4, 3, 2, 4, 4]
    assert n_parameters(MultinomialLogisticRegressionDistribution(np.zeros((2, 3)), None, ("a", "b", "c"))) == 6
    for law in LAWS:
        assert unflatten(flatten(law), law) == law


@pytest.mark.parametrize(
    "estimator", [LinearRegressionEstimator(), LogisticRegressionEstimator(trials=True)], ids=lambda e: e.family_name()
)
def test_units_and_offsets_of_covariates_do_no_harm(estimator: Any) -> None:
    responses = [Y["gaussian"]] if isinstance(estimator, LinearRegressionEstimator) else [Y["binomial"], TRIALS]
    plain = fit(list(zip(X, *responses, strict=True)), estimator).model
    scale = np.array([1e-6, 1e9])
    moved = (X + 1e6) / scale
    other = fit(list(zip(moved, *responses, strict=True)), estimator).model
    np.testing.assert_allclose(other.coef / scale, plain.coef, rtol=1e-7)
    centred = fit(list(zip(X + np.array([1e8, -1e8]), *responses, strict=True)), estimator).model
    np.testing.assert_allclose(centred.coef, plain.coef, rtol=1e-6)


RANK = [
    (np.c_[X, X @ [1.0, 2.0] + 3.0], r"column 2 follows from those before it: it is 1 column 0 \+ 2 column 1 \+ a constant"),
    (np.c_[X[:, :1], np.full(60, 4.0)], r"column 1 is constant \(4\)"),
    (np.c_[np.zeros(60), X], "column 0 is zero in all rows"),
    (np.c_[X[:, :1] * 1e-9, X[:, :1] * 1e9 + 5], "column 1 follows"),
]


@pytest.mark.parametrize("design", range(len(RANK)))
@pytest.mark.parametrize("family", WEIGHTED)
def test_a_singular_design_is_named(family: str, design: int) -> None:
    x, message = RANK[design]
    estimator, rows = WEIGHTED[family]
    singular = [(v, *row[1:]) for v, row in zip(x, rows, strict=True)]
    with pytest.raises(DegenerateError, match=message):
        fit(singular, estimator)
    names = ["age", "dose", "third"][: x.shape[1]]
    with pytest.raises(DegenerateError, match=r"column '(age|dose|third)'"):
        fit(singular, MixtureEstimator([estimator.replace(names=names)] * 2), rng=1)
    record = fit(singular, estimator.replace(ridge=0.1))
    assert record.status == "converged", record.message
    if design in (0, 3):  # a ridge that is lost to rounding is none; of a constant column it is all there is
        with pytest.raises(DegenerateError, match="a larger ridge"):
            fit(singular, estimator.replace(ridge=1e-30))


def test_a_constant_column_is_an_intercept_where_there_is_none() -> None:
    plain = fit(list(zip(X, Y["gaussian"], strict=True)), LinearRegressionEstimator()).model
    other = fit(list(zip(np.c_[X, np.ones(60)], Y["gaussian"], strict=True)), LinearRegressionEstimator(intercept=False)).model
    np.testing.assert_allclose(other.coef, [*plain.coef, plain.intercept], rtol=1e-10)
    assert other.intercept is None
    np.testing.assert_allclose(other.sigma2, plain.sigma2, rtol=1e-12)


def test_fewer_rows_than_parameters() -> None:
    with pytest.raises(DegenerateError, match=r"rows weigh 2 in all, for 3 coefficients"):
        fit(list(zip(X[:2], Y["gaussian"][:2], strict=True)), LinearRegressionEstimator())
    for constant in (3.0, 3.3, 0.1, 1e6, -1e-7):  # whose mean, and so whose spread, may be off by rounding
        with pytest.raises(DegenerateError, match="all responses lie on the line"):
            fit([(x, constant) for x in X], LinearRegressionEstimator())
    with pytest.raises(EmptyError):
        fit([], LinearRegressionEstimator())


def test_an_exact_curve_is_named() -> None:
    record = fit([([x], math.exp(0.5 + x)) for x in np.linspace(-1.0, 1.0, 30)], GammaRegressionEstimator(), rng=1)
    assert record.status == "degenerate"
    assert "gamma regression sits on its fitted values (shape at its cap" in record.message
    with pytest.raises(DegenerateError, match="weibull regression: all responses are equal, so the shape has no maximum"):
        estimate([([x], 2.0) for x in (1.0, 2.0, 4.0)], WeibullRegressionEstimator())


def test_an_exact_line_is_named() -> None:
    record = fit(list(zip(X, X @ [1.0, 2.0], strict=True)), LinearRegressionEstimator())
    assert record.status == "degenerate"
    assert "linear regression passes through all its responses (variance at its floor" in record.message
    np.testing.assert_allclose(record.model.coef, [1.0, 2.0], rtol=1e-9)


def test_a_component_whose_rows_do_not_vary_keeps_its_direction() -> None:
    """Component 0 holds only rows with the dummy at zero: they say nothing about its coefficient."""
    rng = np.random.default_rng(2)
    dummy = np.repeat([0.0, 1.0], 60)
    x = np.c_[rng.normal(size=120), dummy]
    y = np.where(dummy == 0, 50.0, 0.0) + 2 * x[:, 0] + rng.normal(size=120)
    start = MixtureDistribution([LinearRegressionDistribution([2.0, b], a, 1.0) for a, b in ((50.0, 7.0), (3.0, -3.0))], [0.5, 0.5])
    record = fit(list(zip(x, y, strict=True)), start.estimator(), start=start, max_its=5, delta=0.0)
    assert record.status == "degenerate"
    assert "components[0]: linear regression: its rows do not determine the coefficient of column 1" in record.message
    assert record.model.components[0].coef[1] == pytest.approx(7.0, abs=0.1)
    assert record.model.components[0].coef[0] == pytest.approx(2.0, abs=0.5)


# -- separation and other maxima that are not there ----------------------------------------------------------------------


def test_separation_is_named_and_a_ridge_remedies_it() -> None:
    x = np.linspace(-2.0, 2.0, 40)
    rows = list(zip(x, (x > 0.3).astype(int), strict=True))
    record = fit(rows, LogisticRegressionEstimator())
    assert record.status == "degenerate"
    assert "covariates separate successes from failures" in record.message
    assert "the intercept, the coefficient of column 0 (" in record.message
    assert record.log_likelihood > -1e-5
    bare = fit([(v, int(v > 0)) for v in x], LogisticRegressionEstimator(False))
    assert "do not determine the coefficient of column 0 (" in bare.message
    ridged = fit(rows, LogisticRegressionEstimator(ridge=1.0))
    assert ridged.status == "converged", ridged.message
    assert ridged.objective[-1] - ridged.log_likelihood == pytest.approx(-0.5 * ridged.model.coef[0] ** 2)
    quasi = np.arange(40) % 4 == 0
    rows = list(zip(np.c_[x, quasi], np.where(quasi, 1, np.arange(40) % 2), strict=True))
    record = fit(rows, LogisticRegressionEstimator(names=["a", "b"]))
    assert record.status == "degenerate"
    assert "coefficient of column 'b'" in record.message
    labels = MultinomialLogisticRegressionEstimator()
    record = fit(list(zip(x, ["a"] * 15 + ["b"] * 15 + ["c"] * 10, strict=True)), labels)
    assert record.status == "degenerate"
    assert "separate labels" in record.message


@pytest.mark.parametrize("family", ["logistic", "binomial", "poisson", "multinomial"])
def test_coefficients_on_their_way_to_infinity_are_named_wherever_a_fit_stops(family: str) -> None:
    x = np.linspace(-2.0, 2.0, 40)
    above = (x > 0.3).astype(int)
    estimator, rows = {
        "logistic": (LogisticRegressionEstimator(), list(zip(x, above, strict=True))),
        "binomial": (LogisticRegressionEstimator(trials=True), [(v, 5 * up, 5) for v, up in zip(x, above, strict=True)]),
        "poisson": (PoissonRegressionEstimator(), [(v, 0) for v in x]),
        "multinomial": (MultinomialLogisticRegressionEstimator(), [(v, "ab"[up]) for v, up in zip(x, above, strict=True)]),
    }[family]
    for options in ({}, {"weights": np.full(40, 1e3)}):
        record = fit(rows, estimator, delta=1e-4 * options.get("weights", [1.0])[0], **options)
        assert record.status == "degenerate"
        assert "its rows do not determine" in record.message
        assert not record.model.undetermined  # it had not come as far as where it is held
    ridged = fit(rows, estimator.replace(ridge=1e-3), delta=1e-4)
    assert ridged.status == ("degenerate" if family == "poisson" else "converged")  # nothing holds the intercept


def test_counts_that_are_all_zero_run_off_and_are_named() -> None:
    x = np.linspace(-2.0, 2.0, 40)
    record = fit([(v, 0) for v in x], PoissonRegressionEstimator())
    assert record.status == "degenerate"
    assert "do not determine the intercept (" in record.message
    alone = fit([(v, 0) for v in x], MixtureEstimator([PoissonRegressionEstimator()]))
    assert alone.status == "degenerate"  # a look beyond the saddle meets means that are huge, and no number overflows
    assert "do not determine the intercept (" in alone.message


def test_a_tiny_gamma_response_scores_as_in_scipy() -> None:
    law = GammaRegressionDistribution([0.5], 1.0, 0.01)
    expected = scipy.stats.gamma.logpdf(1e-305, 0.01, scale=math.exp(1.5) / 0.01)
    assert law.log_density(((1.0,), 1e-305)) == pytest.approx(expected, rel=1e-12)


def test_narrow_counts_end_as_poisson_ones() -> None:
    x = np.linspace(0.0, 2.0, 200)
    rows = list(zip(x, np.round(np.exp(1 + x)).astype(int), strict=True))
    narrow, poisson = (fit(rows, e) for e in (NegativeBinomialRegressionEstimator(), PoissonRegressionEstimator()))
    assert narrow.status == "converged", narrow.message
    assert narrow.model.dispersion < 1e-4
    assert narrow.log_likelihood == pytest.approx(poisson.log_likelihood, abs=1e-2)
    np.testing.assert_allclose(coefficients(narrow.model), coefficients(poisson.model), rtol=1e-3)


# -- priors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", WEIGHTED)
def test_a_ridge_is_part_of_the_objective(family: str) -> None:
    estimator, rows = WEIGHTED[family]
    estimator = estimator.replace(ridge=3.0)
    record = fit(rows, estimator, weights=W)
    problem, at = Problem.of(rows, estimator, W), flatten(record.model)
    for i in range(len(at)):
        step = 1e-4 * np.eye(len(at))[i]
        up, down = (problem.objective(unflatten(at + move, record.model)) for move in (step, -step))
        assert abs(up - down) / 2e-4 < 1e-3, i
    free = fit(rows, WEIGHTED[family][0], weights=W).model
    assert np.linalg.norm(record.model.coef) < np.linalg.norm(free.coef)


def test_pseudo_observations_of_the_variance() -> None:
    rows = WEIGHTED["gaussian"][1]
    free = fit(rows, LinearRegressionEstimator()).model
    held = fit(rows, LinearRegressionEstimator(pseudo_count=30.0, suff_stat=2.0)).model
    assert held.sigma2 == pytest.approx((60 * free.sigma2 + 60.0) / 90)
    same = fit(rows, LinearRegressionEstimator(pseudo_count=30.0)).model
    assert same.sigma2 == pytest.approx(free.sigma2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearRegressionEstimator(ridge=-1.0), "ridge must be a finite number >= 0"),
        (lambda: LinearRegressionEstimator(intercept=2), "intercept must be True or False"),
        (lambda: LinearRegressionEstimator(names="ab"), "names must be"),
        (lambda: LinearRegressionEstimator(suff_stat=-1.0), "suff_stat"),
        (lambda: LogisticRegressionEstimator(trials=7), "trials must be True or False"),
        (lambda: LinearRegressionDistribution([1.0, math.nan], 0.0, 1.0), "coef must be a vector of finite reals"),
        (lambda: LinearRegressionDistribution([1.0], 0.0, 0.0), "sigma2 must be positive"),
        (lambda: MultinomialLogisticRegressionDistribution([[1.0]], [0.0], ("a", "b", "c")), "must have 2 rows"),
        (lambda: MultinomialLogisticRegressionEstimator(labels=["a", "a"]), "labels must be distinct"),
        (lambda: MultinomialLogisticRegressionEstimator(offset=True), "no offset"),
    ],
)
def test_settings_and_parameters_are_checked(make: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make()


# -- responses that cannot be --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "row", "message"),
    [
        (LogisticRegressionEstimator(), (2,), r"row 7 .*the response 2 .*whole numbers from 0 to 1"),
        (PoissonRegressionEstimator(), (-1,), r"row 7 .*the response -1 .*whole numbers >= 0"),
        (LogisticRegressionEstimator(trials=True), (3, 2), r"row 7 .*the response 3 .*number of trials"),
        (LogisticRegressionEstimator(trials=True), (0, -1), r"row 7 .*number of trials"),
        (GammaRegressionEstimator(), (0.0,), r"row 7 .*the response 0.0 .*numbers > 0"),
        (LinearRegressionEstimator(), (math.inf,), r"row 7 .*the response inf .*finite real numbers"),
        (MultinomialLogisticRegressionEstimator(labels=[0, 1]), (5,), r"row 7 .*the label 5"),
    ],
)
def test_impossible_responses_are_named(estimator: Any, row: Any, message: str) -> None:
    rows: list[Any] = [(x, i % 2, 1) if len(row) == 2 else (x, i % 2 + (row == (0.0,))) for i, x in enumerate(X)]
    rows[7] = (X[7], *row)
    with pytest.raises(SupportError, match=message):
        fit(rows, estimator)
    law = fit([r for i, r in enumerate(rows) if i != 7], estimator).model
    assert law.log_density(rows[7]) == -math.inf
    weighted = fit(rows, estimator, weights=[float(i != 7) for i in range(60)]).model
    np.testing.assert_allclose(coefficients(weighted), coefficients(law), rtol=1e-8)


# -- in mixtures and nested ----------------------------------------------------------------------------------------------


def test_the_seed_mixture_of_linear_regressions() -> None:
    case = load("mixture_of_linear_regressions")
    data = np.array(case["data"])
    rows = list(zip(data[:, :3], data[:, 3], strict=True))
    estimator = MixtureEstimator([LinearRegressionEstimator()] * 3)
    init = case["k3_init"]
    start = MixtureDistribution(
        [LinearRegressionDistribution(b[1:], b[0], s * s) for b, s in zip(init["betas"], init["sigmas"], strict=True)], init["w"]
    )
    trace = fit(rows, estimator, start=start, max_its=32, delta=0.0).history
    np.testing.assert_allclose(trace[1:], case["k3_ll_trace"], rtol=1e-12)  # theirs begins after the first step
    record = fit(rows, estimator, start=start)
    assert record.log_likelihood == pytest.approx(-1826.70213, abs=5e-6)
    expected = case["fits"][2]["polished"]
    order = [int(np.argmin([abs(c.intercept - b[0]) for c in record.model.components])) for b in expected["betas"]]
    found = [record.model.components[k] for k in order]
    np.testing.assert_allclose([coefficients(c) for c in found], expected["betas"], rtol=1e-3)
    np.testing.assert_allclose(record.model.w[order], expected["weights"], rtol=1e-3)
    assert n_parameters(record.model) == 17


NPREG = {k: np.array(v) for k, v in load("flexmix_npreg")["data"].items()}
SQUARES = np.c_[NPREG["x"], NPREG["x"] ** 2]
COUNTS = NPREG["yp"].astype(int)
PARABOLA, LINE = LinearRegressionEstimator(), PoissonRegressionEstimator()


def grouped() -> list[Any]:
    groups: dict[Any, list[Any]] = {}
    for key, x, y in zip(NPREG["id2"].tolist(), SQUARES, NPREG["yn"], strict=True):
        groups.setdefault(key, []).append((x, y))
    return list(groups.values())


@pytest.mark.parametrize(
    ("case", "component", "rows"),
    [
        ("gaussian", PARABOLA, list(zip(SQUARES, NPREG["yn"], strict=True))),
        ("poisson", LINE, list(zip(NPREG["x"], COUNTS, strict=True))),
        ("grouped_id2", SequenceEstimator(PARABOLA), grouped()),
        (
            "joint_gaussian_poisson",
            CompositeEstimator((PARABOLA, LINE)),
            [((x, y), (x[:1], c)) for x, y, c in zip(SQUARES, NPREG["yn"], COUNTS, strict=True)],
        ),
    ],
)
def test_mixtures_reach_the_maxima_of_flexmix(case: str, component: Any, rows: Any) -> None:
    expected = load("flexmix_npreg")["maxima"][case]
    record = fit(rows, MixtureEstimator([component] * 2), rng=0, init_p=1.0, max_its=3000)
    assert record.status == "converged", record.message
    assert np.diff(record.objective).min() >= -1e-9
    assert record.log_likelihood == pytest.approx(expected["loglik"], rel=1e-8)


def test_a_mixture_with_exposures_reaches_the_maximum_of_flexmix() -> None:
    case = load("flexmix_seizure")
    data = {k: np.array(v) for k, v in case["data"].items()}
    treated, day = (data["Treatment"] == "Yes").astype(float), np.log(data["Day"])
    x = np.c_[treated, day, treated * day]
    rows = list(zip(x, data["Seizures"].astype(int).tolist(), np.log(data["Hours"]), strict=True))
    record = fit(rows, MixtureEstimator([PoissonRegressionEstimator(offset=True)] * 2), rng=0, init_p=1.0, max_its=3000)
    params = case["maximum"]["params"]
    names = ["(Intercept)", "TreatmentYes", "log(Day)", "TreatmentYes:log(Day)"]
    expected = [[params[f"r0.c{k}.coef.{name}"] for name in names] for k in (0, 1)]
    assert record.log_likelihood == pytest.approx(case["maximum"]["loglik"], rel=1e-8)
    found = sorted((coefficients(c).tolist() for c in record.model.components), key=lambda v: v[0])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_regressions_nest_anywhere_a_leaf_does() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(80, 2))
    y = x @ [1.0, -1.0] + rng.normal(size=80)
    pairs = list(zip(x, y, strict=True))
    alone = estimate(pairs, LinearRegressionEstimator())
    wrapped = [
        (OptionalEstimator(LinearRegressionEstimator()), [*pairs, None], lambda law: law.dist),
        (SequenceEstimator(LinearRegressionEstimator()), [pairs[:30], [], pairs[30:]], lambda law: law.dist),
        (
            CompositeEstimator((LinearRegressionEstimator(keys="k"),) * 2),
            list(zip(pairs[:40], pairs[40:], strict=True)),
            lambda law: law.dists[1],
        ),
    ]
    for estimator, rows, inner in wrapped:
        law = inner(fit(rows, estimator).model)
        np.testing.assert_allclose(coefficients(law), coefficients(alone), rtol=1e-10)
        assert law.sigma2 == pytest.approx(alone.sigma2, rel=1e-10)
    counts = [(v, int(c)) for v, c in zip(x, rng.poisson(np.exp(x[:, 0])), strict=True)]
    alone_counts = fit(counts, PoissonRegressionEstimator()).model
    tied = fit(list(zip(counts[:40], counts[40:], strict=True)), CompositeEstimator((PoissonRegressionEstimator(keys="k"),) * 2)).model
    assert tied.dists[0] is tied.dists[1]
    np.testing.assert_allclose(coefficients(tied.dists[0]), coefficients(alone_counts), rtol=1e-7)


def test_a_component_without_weight_keeps_its_law() -> None:
    far = PoissonRegressionDistribution([0.0, 0.0], 600.0)
    start = MixtureDistribution([PoissonRegressionDistribution([0.1, 0.1], 0.5), far], [1.0, 0.0])
    record = fit(list(zip(X, Y["poisson"], strict=True)), start.estimator(), start=start, max_its=5, delta=0.0)
    assert record.model.components[1] == far


def test_many_columns_take_the_other_path() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(400, 30))
    beta = rng.normal(size=30)
    y = x @ beta + 1.0 + 0.1 * rng.normal(size=400)
    law = estimate(list(zip(x, y, strict=True)), LinearRegressionEstimator())
    expected = np.linalg.lstsq(np.c_[np.ones(400), x], y, rcond=None)[0]
    np.testing.assert_allclose(coefficients(law), expected, rtol=1e-9)
    counts = rng.poisson(np.exp(0.1 * x @ beta))
    record = fit([(v, int(c)) for v, c in zip(x, counts, strict=True)], PoissonRegressionEstimator())
    assert record.status == "converged", record.message
    law = record.model
    score = np.c_[np.ones(400), x].T @ (counts - law.mean_given(x))
    np.testing.assert_allclose(score, 0.0, atol=1e-6)


# -- statistics ----------------------------------------------------------------------------------------------------------


def own_statistics(estimator: Any, rows: Any, weights: Any, law: Any = None) -> Any:
    problem = Problem.of(rows, estimator, weights)
    return problem.resolved.start_statistics[0] if law is None else problem.expect(law)[1][0]


@pytest.mark.parametrize("blocks", [1, 3])
def test_scores_and_informations_are_their_definition(blocks: int) -> None:
    law = PoissonRegressionDistribution([0.3, -0.2], 0.4)
    rows = list(zip(X + 50.0, Y["poisson"], strict=True))
    parts = np.array_split(np.arange(60), blocks)
    pieces = [own_statistics(law.estimator(), [rows[i] for i in part], W[part], law) for part in parts]
    found = sum(pieces[1:], pieces[0])
    centre = W @ (X + 50.0) / W.sum()
    z, mean = np.c_[np.ones(60), X + 50.0 - centre], law.mean_given(X + 50.0)
    np.testing.assert_allclose(found.centre, centre, rtol=1e-12)
    np.testing.assert_allclose(found.score[0], (W * (Y["poisson"] - mean)) @ z, rtol=1e-9)
    np.testing.assert_allclose(found.information[0, :, 0], (z.T * W * mean) @ z, rtol=1e-9)


def test_scores_of_labels_are_their_definition() -> None:
    law = MultinomialLogisticRegressionDistribution([[0.4, -0.3], [0.1, 0.8]], [0.2, -0.5], ("a", "b", "c"))
    labels = law.sample_given(X, 1)
    found = own_statistics(law.estimator(), list(zip(X, labels, strict=True)), W, law)
    z, p = np.c_[np.ones(60), X - W @ X / W.sum()], law.mean_given(X)[:, 1:]
    seen = np.array([[label == "b", label == "c"] for label in labels])
    np.testing.assert_allclose(found.score, (W[:, None] * (seen - p)).T @ z, rtol=1e-9, atol=1e-12)
    for c in range(2):
        for d in range(2):
            curve = W * p[:, c] * ((c == d) - p[:, d])
            np.testing.assert_allclose(found.information[c, :, d], (z.T * curve) @ z, rtol=1e-9, atol=1e-12)


def test_impossible_responses_bring_no_statistics() -> None:
    rows = list(zip(X, Y["poisson"], strict=True))
    plain = own_statistics(PoissonRegressionEstimator(), rows, None)
    more = own_statistics(PoissonRegressionEstimator(), [*rows, (X[0] + 9.0, -1)], None)
    assert more.count == plain.count
    np.testing.assert_allclose(more.score, plain.score, rtol=1e-10)


def test_starts_are_near_and_steps_converge_fast() -> None:
    rng = np.random.default_rng(8)
    exposure = rng.uniform(-3.0, 6.0, 60)
    counts = rng.poisson(np.exp(exposure + X @ [0.5, -0.3] + 1.0))
    rows = list(zip(X, counts.tolist(), exposure, strict=True))
    record = fit(rows, PoissonRegressionEstimator(offset=True))
    assert record.history[0] > record.log_likelihood - 5.0
    gaps = record.objective[-1] - np.array(record.objective[:4])
    assert gaps[3] < 1e-7


def test_a_shift_of_offsets_moves_intercepts_alone() -> None:
    """Starts, too, know offsets: also where these are so low that no success could be seen without an intercept."""
    rng = np.random.default_rng(3)
    x, offset, trials = rng.normal(size=60), rng.normal(size=60), rng.integers(0, 9, 60)
    y = rng.binomial(trials, special.expit(0.3 + x + offset))
    shifts, fits = (0.0, 5.0, -300.0), []
    for shift in shifts:
        rows = list(zip(x.tolist(), y.tolist(), trials.tolist(), (offset + shift).tolist(), strict=True))
        fits.append(fit(rows, LogisticRegressionEstimator(offset=True, trials=True)))
    for record, shift in zip(fits, shifts, strict=True):
        assert record.status == "converged"
        assert record.log_likelihood == pytest.approx(fits[0].log_likelihood, abs=1e-7)
        assert record.model.intercept == pytest.approx(fits[0].model.intercept - shift, abs=1e-6)


def test_trials_that_are_all_zero_say_nothing() -> None:
    rows = [((v,), 0, 0) for v in (0.0, 1.0, 2.0)]
    for estimator in (LogisticRegressionEstimator(trials=True), MixtureEstimator([LogisticRegressionEstimator(trials=True)] * 2)):
        with pytest.raises(DegenerateError, match="no row says anything about its coefficients"):
            fit(rows, estimator, rng=0)


def test_longer_steps_keep_dispersions_in_bounds() -> None:
    """Counts that are constant in one component: extrapolated dispersions would overflow (warnings are errors here)."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(120, 2)), rng.random(120) < 0.5
    y = np.where(z, 1, rng.poisson(rng.gamma(2, np.exp(0.2 - 0.6 * x[:, 1]) / 2)))
    found = fit(list(zip(x, y.tolist(), strict=True)), MixtureEstimator([NegativeBinomialRegressionEstimator()] * 2), rng=1)
    assert all(law.dispersion * (1 + 1e-9) >= 1e-8 for law in found.model.components)
    assert "out of bounds" in NegativeBinomialRegressionEstimator().degenerate(found.model.components[0].replace(dispersion=1e-9))
    with pytest.raises(ParameterError, match="from 1e-100 to 1e\\+100"):
        NegativeBinomialRegressionDistribution([1.0], 0.0, 1e-120)


def test_a_column_constant_but_for_rounding_is_named_without_a_warning() -> None:
    matrix = np.array([[1.0, 0.0], [0.0, -1e-20]])
    assert "constant" in collinearity(matrix, np.array([3.0]), np.array([-1, 0]), None)


def test_counts_of_zero_and_of_a_billion_fit_a_negative_binomial_regression() -> None:
    """Their log density is a small difference of large terms, whose rounding once looked like a fall of the objective."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=10), np.where(rng.random(10) < 0.5, 0, 10**9)
    record = fit([([a], int(b)) for a, b in zip(x, y, strict=True)], NegativeBinomialRegressionEstimator())
    assert record.converged
    law, count = record.model, int(y.max())
    assert law.log_density(([0.3], count)) == pytest.approx(law.law_given([0.3]).log_density(count), rel=1e-13)
    assert np.ptp([law.law_given([0.3]).log_density(count + d) for d in range(-3, 4)]) < 1e-7  # smooth
