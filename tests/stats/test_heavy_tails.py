"""Laws with heavy tails, of lifetimes and of ordered labels: densities and fits against scipy and direct maximisation, floors, extremes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from scipy import stats as scipy_stats

from dmlcore import UNKNOWN, condition, fit, impute, marginal
from dmlcore.base.errors import ParameterError, StructureError, SupportError
from dmlcore.core.flat import flatten, unflatten
from dmlcore.stats import (
    GaussianDistribution,
    GaussianEstimator,
    LaplaceDistribution,
    LaplaceEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianDistribution,
    MultivariateStudentTDistribution,
    MultivariateStudentTEstimator,
    OrdinalDistribution,
    OrdinalEstimator,
    StudentTDistribution,
    StudentTEstimator,
    WeibullDistribution,
    WeibullEstimator,
)

SCATTER = [[2.0, 0.6], [0.6, 0.5]]
PAIRS = [
    (StudentTDistribution(2.0, 3.0, 4.5), scipy_stats.t(4.5, 2.0, 3.0)),
    (StudentTDistribution(-1.0, 0.2, 0.4), scipy_stats.t(0.4, -1.0, 0.2)),
    (StudentTDistribution(-1.0, 0.2, 3e5), scipy_stats.t(3e5, -1.0, 0.2)),
    (LaplaceDistribution(2.0, 3.0), scipy_stats.laplace(2.0, 3.0)),
    (WeibullDistribution(0.5, 3.0), scipy_stats.weibull_min(0.5, scale=3.0)),
    (WeibullDistribution(40.0, 3.0), scipy_stats.weibull_min(40.0, scale=3.0)),
]


@pytest.mark.parametrize(("law", "other"), PAIRS, ids=lambda v: type(v).__name__)
def test_laws_of_one_number_are_those_of_scipy(law: Any, other: Any) -> None:
    x = other.rvs(300, random_state=1)
    np.testing.assert_allclose(law.seq_log_density(x), other.logpdf(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(law.cdf(x), other.cdf(x), rtol=1e-9)
    q = np.array([0.0, 1e-4, 0.3, 0.5, 0.999, 1.0])
    np.testing.assert_allclose(law.quantile(q), other.ppf(q), rtol=1e-8, atol=1e-12)
    assert law.entropy() == pytest.approx(float(other.entropy()), rel=1e-6)
    if other.var() < math.inf:
        assert law.variance() == pytest.approx(other.var(), rel=1e-9)


def test_moments_that_do_not_exist() -> None:
    assert [StudentTDistribution(1.0, 2.0, df).variance() for df in (3.0, 2.0)] == [12.0, math.inf]
    assert math.isnan(StudentTDistribution(1.0, 2.0, 1.0).mean())
    assert math.isnan(StudentTDistribution(1.0, 2.0, 1.0).variance())
    law = MultivariateStudentTDistribution([0.0, 1.0], SCATTER, 1.5)
    assert law.variance().tolist() == [math.inf] * 2
    assert np.isnan(law.covariance()).all()


def test_far_values_have_a_density() -> None:
    law = StudentTDistribution(0.0, 1e-3, 0.5)
    logs = law.seq_log_density([1e100, 1e150, 1e155, 1e160, 1e300])
    np.testing.assert_allclose(np.diff(logs), -1.5 * math.log(10) * np.array([50, 5, 5, 140]), rtol=1e-12)


@pytest.mark.parametrize("df", [0.7, 4.0, 1e5])
def test_vectors_are_those_of_scipy(df: float) -> None:
    law, other = MultivariateStudentTDistribution([0.5, -1.0], SCATTER, df), scipy_stats.multivariate_t([0.5, -1.0], SCATTER, df)
    x = other.rvs(400, random_state=1)
    np.testing.assert_allclose(law.seq_log_density(x), other.logpdf(x), rtol=1e-8, atol=1e-8)
    if df < 1e4:
        assert law.entropy() == pytest.approx(float(other.entropy()), rel=1e-7)
    one = MultivariateStudentTDistribution([2.0], [[9.0]], df)
    y = scipy_stats.t(df, 2.0, 3.0).rvs(50, random_state=1)
    np.testing.assert_allclose(one.seq_log_density(y[:, None]), StudentTDistribution(2.0, 3.0, df).seq_log_density(y), rtol=1e-10)
    gaussian = MultivariateGaussianDistribution([0.5, -1.0], SCATTER)
    assert MultivariateStudentTDistribution([0.5, -1.0], SCATTER, 1e6).log_density([1.0, 0.0]) == pytest.approx(
        gaussian.log_density([1.0, 0.0]), rel=1e-5
    )


def test_coordinates_of_a_t_given_others() -> None:
    """A coordinate given another is a t with one more degree of freedom (Roth 2013, section 4.3): by Bayes' rule, and by integration."""
    law = MultivariateStudentTDistribution([0.5, -1.0, 2.0], [[2.0, 0.6, 0.1], [0.6, 0.5, 0.2], [0.1, 0.2, 1.5]], 4.0)
    rest: Any = condition(law, (3.0, UNKNOWN, 1.0))
    assert rest.df == 6.0
    y = np.linspace(-60.0, 60.0, 200_001)
    joint = np.exp(law.seq_log_density(np.stack([np.full_like(y, 3.0), y, np.full_like(y, 1.0)], axis=1)))
    density = joint / (joint.sum() * (y[1] - y[0]))
    np.testing.assert_allclose(np.exp(rest.seq_log_density(y[::997])), density[::997], rtol=1e-4, atol=1e-12)
    assert rest.mean() == pytest.approx(float((density * y).sum() * (y[1] - y[0])), abs=1e-5)
    one: Any = marginal(law, 1)
    assert (one.mu, one.scale, one.df) == pytest.approx((-1.0, math.sqrt(0.5), 4.0))
    mixture = MixtureDistribution([law, law.replace(mu=[9.0, 9.0, 9.0])], [0.5, 0.5])
    assert condition(mixture, (0.5, UNKNOWN, 2.0)).mean() == pytest.approx(-1.0, abs=0.2)
    assert impute(law, [[0.5, None, 2.0]]).data[0][1] == pytest.approx(-1.0)


def best_from(model: Any, rows: Any) -> float:
    """The highest log likelihood that a general optimiser finds from a model."""
    start = flatten(model)
    found = scipy.optimize.minimize(
        lambda v: -unflatten(v, model).seq_log_density(rows).sum(), start, method="BFGS", options={"gtol": 1e-7}
    )
    return -float(found.fun)


@pytest.mark.parametrize("df", [0.5, 1.0, 3.0, 12.0])
def test_a_t_is_fitted_to_the_maximum(df: float) -> None:
    x = scipy_stats.t(df, 2.0, 3.0).rvs(300, random_state=4)
    record = fit(x, StudentTEstimator(), rng=1)
    start = StudentTDistribution(float(np.median(x)), float(np.median(np.abs(x - np.median(x)))), 2.0)
    assert record.status == "converged"
    assert record.log_likelihood == pytest.approx(best_from(start, x), abs=1e-6)
    assert min(np.diff(record.objective)) >= -1e-9
    held = fit(x, StudentTEstimator(df), rng=1)
    assert held.model.df == df
    assert held.log_likelihood == pytest.approx(scipy_stats.t.logpdf(x, *scipy_stats.t.fit(x, fdf=df)).sum(), abs=1e-5)
    assert held.log_likelihood <= record.log_likelihood


def test_tails_that_are_no_heavier_than_a_gaussian_give_the_gaussian() -> None:
    x = np.linspace(-1.0, 1.0, 200)
    record, gaussian = fit(x, StudentTEstimator(), rng=1), fit(x, GaussianEstimator()).model
    assert record.model.df > 1e4
    assert record.log_likelihood == pytest.approx(gaussian.seq_log_density(x).sum(), abs=1e-2)
    assert record.log_likelihood < gaussian.seq_log_density(x).sum()


def test_mixtures_of_t_reach_the_maximum() -> None:
    truth = MixtureDistribution([StudentTDistribution(-4.0, 1.0, 2.0), StudentTDistribution(3.0, 0.5, 5.0)], [0.4, 0.6])
    x = truth.sample(800, rng=2)
    record = fit(x, MixtureEstimator([StudentTEstimator()] * 2), rng=1, starts=4)
    assert record.status == "converged", record.message
    assert record.log_likelihood == pytest.approx(best_from(truth, x), abs=1e-5)
    tied = fit(x, MixtureEstimator([StudentTEstimator(3.0)] * 2), rng=1, starts=1)
    assert [c.df for c in tied.model.components] == [3.0, 3.0]


def test_mixtures_of_multivariate_t_reach_the_maximum() -> None:
    parts = [MultivariateStudentTDistribution([0.0, 0.0], SCATTER, 3.0), MultivariateStudentTDistribution([5.0, -3.0], np.eye(2), 8.0)]
    truth = MixtureDistribution(parts, [0.5, 0.5])
    x = np.array(truth.sample(600, rng=2))
    record = fit(x, MixtureEstimator([MultivariateStudentTEstimator()] * 2), rng=1, starts=4)
    assert record.status == "converged", record.message
    assert record.log_likelihood == pytest.approx(best_from(truth, x), abs=1e-5)
    scaled = fit(x * [1e-8, 1e8] + [0.0, 1e9], MixtureEstimator([MultivariateStudentTEstimator()] * 2), rng=1, starts=4)
    assert scaled.log_likelihood == pytest.approx(record.log_likelihood, abs=1e-4)


@pytest.mark.parametrize("n", [7, 8, 501])
def test_a_laplace_is_its_weighted_median(n: int) -> None:
    x, w = scipy_stats.laplace(2.0, 3.0).rvs(n, random_state=1), np.random.default_rng(1).random(n) + 0.1
    record = fit(x, LaplaceEstimator(), weights=w)
    order = np.argsort(x)
    median = x[order][np.searchsorted(np.cumsum(w[order]), w.sum() / 2)]
    best = LaplaceDistribution(median, np.average(np.abs(x - median), weights=w))
    assert record.log_likelihood == pytest.approx(w @ best.seq_log_density(x), abs=1e-9)
    assert record.model.mu == pytest.approx(median, abs=1e-7)


@pytest.mark.parametrize("prior", [LaplaceDistribution(4.0, 1.0), WeibullDistribution(4.0, 1.0)])
def test_pseudo_observations_move_the_maximum(prior: Any) -> None:
    """To that of the log likelihood and ten times the mean log density of their law, which a sum over its quantiles gives."""
    x, family = np.random.default_rng(3).gamma(2.0, 2.0, 50), type(prior)
    found: Any = fit(x, family.estimator_family(pseudo_count=10.0, suff_stat=tuple(flat(prior))))
    draws = prior.quantile((np.arange(20_000) + 0.5) / 20_000)

    def loss(t: np.ndarray) -> float:
        law = family(*(np.exp(t) if family is WeibullDistribution else (t[0], np.exp(t[1]))))
        return -float(law.log_densities(x).sum() + 10.0 * law.log_densities(draws).mean())

    best = scipy.optimize.minimize(loss, [1.0, 0.5], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11})
    assert found.objective[-1] == pytest.approx(-best.fun, abs=5e-3)
    expected = np.exp(best.x) if family is WeibullDistribution else [best.x[0], np.exp(best.x[1])]
    np.testing.assert_allclose(flat(found.model), expected, rtol=2e-4)
    assert np.diff(found.objective).min() >= -1e-10
    alone: Any = fit([2.0, 2.0], family.estimator_family(pseudo_count=1.0, suff_stat=(3.0, 1.0)))
    assert np.isfinite(alone.log_likelihood)
    with pytest.raises(ParameterError, match=r"suff_stat must be \("):
        family.estimator_family(pseudo_count=1.0, suff_stat=2.0)


def flat(law: Any) -> list[float]:
    """The two parameters of a law."""
    return [law.stored(field) for field, _ in law._fields][:2]


def test_mixtures_of_laplaces_rise() -> None:
    truth = MixtureDistribution([LaplaceDistribution(0.0, 1.0), LaplaceDistribution(5.0, 0.5)], [0.6, 0.4])
    x = truth.sample(2000, rng=3)
    record = fit(x, MixtureEstimator([LaplaceEstimator()] * 2), rng=1)
    assert record.status == "converged"
    assert record.log_likelihood >= truth.seq_log_density(x).sum()
    plain = fit(x, MixtureEstimator([LaplaceEstimator()] * 2), start=truth, max_its=60, delta=0.0)
    assert min(np.diff(plain.objective)) >= -1e-11
    assert plain.log_likelihood == pytest.approx(record.log_likelihood, abs=1e-5)


@pytest.mark.parametrize("shape", [0.1, 0.7, 3.0, 200.0])
def test_a_weibull_is_fitted_to_the_maximum(shape: float) -> None:
    x, w = scipy_stats.weibull_min(shape, scale=3.0).rvs(400, random_state=1), np.random.default_rng(1).random(400) + 0.1
    record: Any = fit(x, WeibullEstimator(), weights=w)
    assert record.log_likelihood == pytest.approx(float(w @ best_weibull(x, w).seq_log_density(x)), abs=1e-8)
    scaled: Any = fit(x * 1e-100, WeibullEstimator(), weights=w)
    assert (scaled.model.shape, scaled.model.scale) == pytest.approx((record.model.shape, record.model.scale * 1e-100), rel=1e-6)


def best_weibull(x: np.ndarray, w: np.ndarray) -> WeibullDistribution:
    """By the root of the likelihood equation of the shape."""
    z, w = np.log(x / x.max()), w / w.sum()

    def gap(t: float) -> float:
        tilted = w * np.exp(z / t)
        return float(tilted @ z / tilted.sum() - w @ z - t)

    t = scipy.optimize.brentq(gap, 1e-6, -float(w @ z) + 1e-6, xtol=1e-15)
    return WeibullDistribution(1 / t, float(x.max() * (w @ np.exp(z / t)) ** t))


def test_mixtures_of_weibulls_reach_the_maximum() -> None:
    truth = MixtureDistribution([WeibullDistribution(1.5, 1.0), WeibullDistribution(6.0, 5.0)], [0.6, 0.4])
    x = truth.sample(1000, rng=3)
    record = fit(x, MixtureEstimator([WeibullEstimator()] * 2), rng=1)
    assert record.status == "converged"
    assert record.log_likelihood == pytest.approx(best_from(truth, x), abs=1e-5)


@pytest.mark.parametrize("estimator", [StudentTEstimator(), StudentTEstimator(3.0), LaplaceEstimator(), WeibullEstimator()], ids=repr)
def test_a_component_on_one_value_stands_at_its_floor(estimator: Any) -> None:
    x = [2.0] * 10 + [5.0, 7.0, 9.0, 12.0] * 5
    record = fit(x, MixtureEstimator([estimator] * 2), start=[0] * 10 + [1] * 20, max_its=300)
    assert record.status == "degenerate", record.message
    assert "sits on equal values" in record.message
    assert min(np.diff(record.objective)) >= -1e-9 * abs(record.objective[-1])


@pytest.mark.parametrize("d", [1, 2])
def test_the_df_of_a_component_on_one_value_does_not_creep(d: int) -> None:
    x = np.concatenate([np.random.default_rng(0).standard_t(4, (200, d)), np.full((30, d), 5.0)])
    one: Any = StudentTEstimator() if d == 1 else MultivariateStudentTEstimator(2)
    rows = x[:, 0] if d == 1 else x
    record = fit(rows, MixtureEstimator([one] * 2), start=np.repeat([0, 1], [200, 30]), starts=1)
    assert record.status == "degenerate"
    assert record.iterations < 300  # it was a thousand, at the limit
    assert record.model.components[1].df == pytest.approx(1e6)
    assert np.diff(record.objective).min() >= -1e-9 * abs(record.objective[-1])


def test_rows_of_a_plane_of_t_are_named() -> None:
    x = np.random.default_rng(0).standard_normal((40, 2))
    rows = np.concatenate([np.stack([x[:, 0], x[:, 0]], axis=1)[:15], 5 + x])
    start = [0] * 15 + [1] * 40
    record = fit(rows, MixtureEstimator([MultivariateStudentTEstimator()] * 2), start=start, max_its=300)
    assert record.status == "degenerate"
    assert "scatter" in record.message


def test_what_labels_in_order_know() -> None:
    law = OrdinalDistribution(("low", "middle", "high"), [0.5, 0.2, 0.3])
    assert [law.cdf(level) for level in law.levels] == pytest.approx([0.5, 0.7, 1.0])
    assert [law.quantile(q) for q in (0.0, 0.5, 0.51, 0.7, 0.71, 1.0)] == ["low", "low", "middle", "middle", "high", "high"]
    assert law.median() == "low"
    np.testing.assert_allclose(law.cut_points(), [0.0, math.log(0.7 / 0.3)], atol=1e-15)
    assert law.interval(0.5) == ("low", "high")
    assert OrdinalDistribution((3, 1), [0.5, 0.5]) != OrdinalDistribution((1, 3), [0.5, 0.5])
    for wrong in (lambda: law.cdf("none"), lambda: law.quantile(1.5)):
        with pytest.raises(ParameterError):
            wrong()


def test_levels_are_sorted_or_given() -> None:
    assert fit([3, 1, 10, 1], OrdinalEstimator()).model == OrdinalDistribution((1, 3, 10), [0.5, 0.25, 0.25])
    given = OrdinalEstimator(("low", "middle", "high"), 3.0)
    assert fit(["high", "low", "low"], given).model == OrdinalDistribution(("low", "middle", "high"), [0.5, 1 / 6, 1 / 3])
    with pytest.raises(StructureError, match="give levels"):
        fit(["a", 1], OrdinalEstimator())
    with pytest.raises(SupportError, match="needs one of"):
        fit(["low", "none"], given)


@pytest.mark.parametrize(
    "make",
    [
        lambda: StudentTDistribution(0.0, 1.0, 0.0),
        lambda: StudentTEstimator(-1.0),
        lambda: MultivariateStudentTDistribution([0.0], SCATTER, 1.0),
        lambda: LaplaceDistribution(0.0, 0.0),
        lambda: WeibullDistribution(-1.0, 1.0),
        lambda: OrdinalDistribution(("a", "a"), [0.5, 0.5]),
        lambda: OrdinalDistribution(("a", "b"), [1.0]),
        lambda: OrdinalDistribution("ab", [0.5, 0.5]),
        lambda: OrdinalEstimator(suff_stat=[1.0, 2.0]),
        lambda: GaussianDistribution(0.0, -1.0),
    ],
)
def test_what_is_outside_a_domain_is_refused(make: Any) -> None:
    with pytest.raises(ParameterError):
        make()
