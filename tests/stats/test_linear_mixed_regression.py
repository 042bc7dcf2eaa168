"""Linear mixed regressions: densities and predictions against whole covariance matrices, maxima against statsmodels, lme4 and flexmix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats

from dmlcore import UNKNOWN, condition, fit, impute
from dmlcore.base.errors import DegenerateError, ParameterError, StructureError
from dmlcore.inference.condition import log_evidence
from dmlcore.inference.uncertainty import standard_errors
from dmlcore.stats import (
    LinearMixedRegressionDistribution,
    LinearMixedRegressionEstimator,
    LinearRegressionDistribution,
    MixtureDistribution,
    MixtureEstimator,
    estimate,
)
from tests.reference import load

CASES = load("linear_mixed_models")
LAW = LinearMixedRegressionDistribution([1.5, -0.4], 0.5, 0.7, [[1.5, 0.3], [0.3, 0.4]], (1, "intercept"))


def groups_of(columns: dict[str, Any], x: list[Any], y: str, group: str) -> list[Any]:
    """The rows of each group, in the order in which groups appear."""
    rows: dict[Any, Any] = {}
    for key, *row in zip(columns[group], zip(*x, strict=True), columns[y], strict=True):
        rows.setdefault(key, []).append(tuple(row))
    return list(rows.values())


def sleepstudy() -> list[Any]:
    case = CASES["sleepstudy"]
    return groups_of(case, [case["Days"]], "Reaction", "Subject")


def orthodont() -> list[Any]:
    case = CASES["Orthodont"]
    age, male = np.array(case["age"]), np.array(case["Sex"]) == "Male"
    return groups_of(case, [age, male * 1.0, age * male], "distance", "Subject")


def joint(law: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of all responses of a group, as the definition has them."""
    z = np.column_stack([np.ones(len(x)) if place == "intercept" else x[:, place] for place in law.random])
    return (law.intercept or 0.0) + x @ law.coef, z @ law.covar @ z.T + law.sigma2 * np.eye(len(x))


def drawn(law: Any, sizes: Any, seed: int = 1, shift: float = 0.0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return law.redraw([[(x, 0.0) for x in rng.normal(size=(size, law.dim)) + shift] for size in sizes], rng)


# -- the law -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.0, 1e4])
@pytest.mark.parametrize("random", [(1, "intercept"), (0,), (1, 0), "intercept"])
def test_density_is_that_of_the_whole_covariance(random: Any, shift: float) -> None:
    q = 1 if random == "intercept" else len(random)
    law = LAW.replace(random=random, covar=LAW.covar[:q, :q])
    rows = drawn(law, [1, 2, 7, 3], shift=shift)
    expected = []
    for group in rows:
        mean, covar = joint(law, np.array([x for x, _ in group]))
        expected.append(scipy.stats.multivariate_normal.logpdf([y for _, y in group], mean, covar, allow_singular=True))
    np.testing.assert_allclose(law.seq_log_density([*rows, []]), [*expected, 0.0], rtol=1e-10 if shift == 0 else 1e-4)


def test_a_group_of_one_row_has_the_law_at_its_covariates() -> None:
    x = np.array([0.3, -2.0])
    assert LAW.log_density([(x, 1.1)]) == pytest.approx(LAW.law_given(x).log_density(1.1), rel=1e-12)
    assert LAW.mean_given([x])[0] == LAW.law_given(x).mean()


def test_random_effects_are_regressed_on_the_responses_of_their_group() -> None:
    rows = [*drawn(LAW, [3, 1, 9]), []]
    for group, mean in zip(rows, LAW.seq_random_effects(rows), strict=True):
        x = np.array([x for x, _ in group]).reshape(-1, 2)
        centre, covar = joint(LAW, x)
        across = LAW.covar @ np.column_stack([x[:, 1], np.ones(len(x))]).T
        weights = across @ np.linalg.inv(covar)
        law = LAW.random_effects(group)
        np.testing.assert_allclose(mean, law.mu, rtol=1e-12)
        np.testing.assert_allclose(law.mu, weights @ ([y for _, y in group] - centre), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(law.covar, LAW.covar - weights @ across.T, rtol=1e-10)


def test_new_rows_of_a_known_group_are_conditioned_on_its_other_rows() -> None:
    (group,) = drawn(LAW, [6])
    x, y = np.array([x for x, _ in group]), np.array([y for _, y in group])
    mean, covar = joint(LAW, x)
    unknown, known = [1, 4], [0, 2, 3, 5]
    weights = covar[np.ix_(unknown, known)] @ np.linalg.inv(covar[np.ix_(known, known)])
    asked = [(at, UNKNOWN if i in unknown else value) for i, (at, value) in enumerate(group)]
    law: Any = condition(LAW, asked)
    np.testing.assert_allclose(law.mu, mean[unknown] + weights @ (y - mean)[known], rtol=1e-10)
    np.testing.assert_allclose(law.covar, covar[np.ix_(unknown, unknown)] - weights @ covar[np.ix_(known, unknown)], rtol=1e-10)
    assert log_evidence(LAW, asked) == pytest.approx(LAW.log_density([group[i] for i in known]), rel=1e-12)
    assert condition(LAW, [(x[0], UNKNOWN)]) == LAW.law_given(x[0])

    other = LAW.replace(intercept=4.0)
    two: Any = condition(MixtureDistribution([LAW, other], [0.3, 0.7]), [*group[:5], (x[5], UNKNOWN)])
    evidence = np.array([0.3, 0.7]) * np.exp([part.log_density(group[:5]) for part in (LAW, other)])
    np.testing.assert_allclose(two.w, evidence / evidence.sum(), rtol=1e-10)
    with pytest.raises(StructureError, match="covariates have no law"):
        condition(LAW, [group[0], UNKNOWN])


def test_imputed_rows_are_drawn_from_their_law() -> None:
    (group,) = drawn(LAW, [4])
    asked = [*group[:3], (group[3][0], UNKNOWN)]
    law: Any = condition(LAW, asked)
    filled = [row[3][1] for row in impute(LAW, [asked] * 400, how="sample", rng=1).data]
    assert scipy.stats.kstest(filled, law.cdf).pvalue > 1e-3


def test_draws_have_the_moments_of_their_group() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2))
    mean, covar = joint(LAW, x)
    y = np.array([LAW.sample_given(x, rng) for _ in range(4000)])
    np.testing.assert_allclose(y.mean(axis=0), mean, atol=0.15)
    np.testing.assert_allclose(np.cov(y.T), covar, atol=0.35)
    assert LAW.sampler(3).sample_given(x).tolist() == LAW.sample_given(x, 3).tolist()


# -- maxima ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("random", "formula"), [(("intercept", 0), "Reaction ~ Days + (Days | Subject)"), ("intercept", "Reaction ~ Days + (1 | Subject)")]
)
def test_sleepstudy(random: Any, formula: str) -> None:
    case, rows = CASES["sleepstudy"][formula], sleepstudy()
    record = fit(rows, LinearMixedRegressionEstimator(random))
    law: Any = record.model
    assert record.status == "converged"
    assert record.iterations < 20
    assert record.log_likelihood == pytest.approx(case["loglik"], abs=1e-8)
    np.testing.assert_allclose([law.intercept, *law.coef], case["fixed"], rtol=1e-9)
    np.testing.assert_allclose(law.sigma2, case["sigma2"], rtol=1e-6)
    np.testing.assert_allclose(law.covar, case["covar"], rtol=1e-5)
    np.testing.assert_allclose(law.random_effects(rows[0]).mu, case["effects of 308"], rtol=1e-6)
    np.testing.assert_allclose(standard_errors(law, rows).errors[[1, 0]], case["errors"], rtol=1e-4)


@pytest.mark.parametrize("random", [("intercept", 0), "intercept"])
@pytest.mark.parametrize("both", [True, False])
def test_orthodont(both: bool, random: Any) -> None:
    rows = orthodont() if both else [[(x[:1], y) for x, y in group] for group in orthodont()]
    formula = f"distance ~ age{' * Sex' * both} + ({'age' if random != 'intercept' else '1'} | Subject)"
    record = fit(rows, LinearMixedRegressionEstimator(random))
    assert record.log_likelihood == pytest.approx(CASES["Orthodont"][formula]["loglik"], abs=1e-8)


def test_two_latent_classes_of_growth() -> None:
    case = CASES["two_classes"]
    rows = groups_of(case, [case["x"]], "y", "id")
    record = fit(rows, MixtureEstimator([LinearMixedRegressionEstimator()] * 2), rng=1)
    law: Any = record.model
    assert record.log_likelihood == pytest.approx(case["loglik"], abs=1e-8)
    assert record.log_likelihood > case["peer_loglik"]
    first, second = sorted(law.components, key=lambda part: part.intercept)
    found = [number for part in (first, second) for number in (part.intercept, part.coef[0], np.log(part.sigma2), np.log(part.covar[0, 0]))]
    np.testing.assert_allclose(found, case["theta"][:8], rtol=1e-4)


def test_neither_origins_nor_units_of_covariates_matter() -> None:
    estimator, rows = LinearMixedRegressionEstimator(("intercept", 0)), sleepstudy()
    plain: Any = fit(rows, estimator)
    for factor, shift in [(1.0, 2000.0), (1e-6, 0.0), (1e8, 0.0)]:
        moved: Any = fit([[(x[0] * factor + shift, y) for x, y in group] for group in rows], estimator)
        assert moved.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-7)
        assert moved.iterations < 25
        assert moved.model.coef[0] * factor == pytest.approx(plain.model.coef[0], rel=1e-8)
        assert moved.model.covar[1, 1] * factor**2 == pytest.approx(plain.model.covar[1, 1], rel=1e-4)
    slopes = LinearMixedRegressionEstimator(0)
    moved, plain = (fit([[(x[0] + shift, y) for x, y in group] for group in rows], slopes).log_likelihood for shift in (5.0, 0.0))
    assert abs(moved - plain) > 0.1  # slopes that turn about zero do mind it


@pytest.mark.parametrize("random", ["intercept", ("intercept", 0, 1), (0, 1)])
def test_random_effects_that_are_not_there_vanish(random: Any) -> None:
    """The maximum lies where covar is singular; a step of plain EM would shorten the way there by ever less."""
    rng = np.random.default_rng(3)
    law = LinearRegressionDistribution([1.0, 2.0], 3.0, 1.0)
    rows = [[(x, float(law.sample_given([x], rng)[0])) for x in rng.normal(size=(6, 2))] for _ in range(50)]
    record = fit(rows, LinearMixedRegressionEstimator(random), max_its=300)
    assert record.status == "converged", record.message
    assert np.diff(record.objective).min() >= -1e-10 * abs(record.log_likelihood)
    line = estimate([row for group in rows for row in group], law.estimator())
    assert -1e-8 <= record.log_likelihood - line.seq_log_density([row for group in rows for row in group]).sum() < 5.0


def test_a_group_on_its_line_ends_at_the_floor() -> None:
    rng = np.random.default_rng(0)
    rows = [*drawn(LAW, [5] * 30), [(x, 3.0 + 2.0 * x[0]) for x in rng.normal(size=(8, 2))]]
    start = MixtureDistribution([LAW, LinearMixedRegressionDistribution([2.0, 0.0], 3.0, 1e-4, [[1e-4]])], [0.9, 0.1])
    start = start.replace(components=[LAW.replace(random="intercept", covar=[[1.0]]), start.components[1]])
    record = fit(rows, MixtureEstimator([LinearMixedRegressionEstimator()] * 2), start=start)
    assert record.status == "degenerate"
    assert "passes through all its responses" in record.message
    held = MixtureEstimator([LinearMixedRegressionEstimator(pseudo_count=2.0, suff_stat=0.5)] * 2)
    assert fit(rows, held, start=start).status == "converged"


def test_what_cannot_be_fitted_or_made_is_named() -> None:
    group = [([1.0, x], x) for x in (0.0, 1.0, 3.0)]
    with pytest.raises(DegenerateError, match=r"column 0 is constant \(1\), which the intercept already says"):
        fit([group] * 3, LinearMixedRegressionEstimator())
    with pytest.raises(DegenerateError, match="all responses lie on the line"):
        fit([[([x], 2.0) for x in (0.0, 1.0, 3.0)]] * 3, LinearMixedRegressionEstimator())
    with pytest.raises(ParameterError, match="no intercept that could be random"):
        LinearMixedRegressionEstimator(intercept=False)
    with pytest.raises(ParameterError, match="covar must have shape"):
        LAW.replace(covar=[[1.0]])
    with pytest.raises(ParameterError, match="random names column 2"):
        LAW.replace(random=(2, 0))
    with pytest.raises(ParameterError, match=r"random names column 2, but there are 2 \(from 0 to 1\)"):
        fit(drawn(LAW, [3, 4, 5]), LinearMixedRegressionEstimator(2))
    for wrong in ((), (0, 0), ("slope",), (-1,), (True,), 1.5):
        with pytest.raises(ParameterError, match="random must be 'intercept', or numbers of columns"):
            LinearMixedRegressionEstimator(wrong)
    with pytest.raises(StructureError, match=r"has random effects on \(1, 'intercept'\), the estimator on \('intercept',\)"):
        fit(drawn(LAW, [3, 4, 5]), LinearMixedRegressionEstimator(), start=LAW)
    assert LAW.log_density([([0.0, 1.0], np.inf)]) == -np.inf
    assert "element 1 of linear mixed regression: the response inf" in LAW.explain_zero_density([group[0], (group[1][0], np.inf)])
