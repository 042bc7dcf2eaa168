"""The leaf families: independent values, laws that statistics and estimates obey, extremes, priors, floors, and what is refused."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from dmlcore import stats
from dmlcore.base.errors import DataError, DegenerateError, EmptyError, ParameterError
from dmlcore.core.flat import flatten, unflatten
from dmlcore.core.keys import Ties, maximise
from dmlcore.core.statistics import Counts
from dmlcore.fitting.fit import fit
from dmlcore.fitting.problem import Problem
from tests.reference import load

GRIDS = load("scipy_logpdf_grids")["grids"]
MLES = load("scipy_weighted_mles")
COVAR = [[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]]

LAWS = [
    stats.GaussianDistribution(1.5, 0.3),
    stats.LogGaussianDistribution(-0.5, 0.7),
    stats.ExponentialDistribution(3.5),
    stats.GammaDistribution(0.4, 2.0),
    stats.GammaDistribution(37.0, 1e-3),
    stats.PoissonDistribution(4.2),
    stats.PoissonDistribution(0.0),
    stats.GeometricDistribution(0.3),
    stats.GeometricDistribution(1.0),
    stats.BinomialDistribution(0.3, 12),
    stats.BinomialDistribution(0.8, 5, -2),
    stats.CategoricalDistribution({"a": 0.2, 3: 0.5, None: 0.3}, 0.01, "letters", "key"),
    stats.CategoricalDistribution({"a": 1.0, "b": 0.0}),
    stats.IntegerCategoricalDistribution(-1, [0.2, 0.0, 0.5, 0.3]),
    stats.SpikeAndSlabDistribution(3, 6, 0.4, 1),
    stats.SpikeAndSlabDistribution(2, 1, 1.0, 2),
    stats.MultivariateGaussianDistribution([1.0, -2.0, 0.5], COVAR),
    stats.DiagonalGaussianDistribution([1.0, -2.0], [0.5, 4.0], keys="tied"),
]
NUMERIC = [law for law in LAWS if hasattr(law, "cdf")]


def estimator_of(law: Any, **settings: Any) -> Any:
    return type(law.estimator())(**settings)


def flat(law: Any) -> np.ndarray:
    """All numbers of a law."""
    numbers = []
    for _, _, value in law.parameters():
        if isinstance(value, (int, float, np.ndarray)):
            numbers.append(np.ravel(value))
        elif hasattr(value, "values_array"):
            numbers.append(value.values_array)
    return np.concatenate(numbers).astype(float)


def sample(law: Any, n: int = 400, seed: int = 0) -> Any:
    return law.sample(n, rng=seed)


def show(value: Any) -> Any:
    return type(value).__name__.removesuffix("Distribution") if isinstance(value, stats.GaussianDistribution.__mro__[1]) else None


@pytest.mark.parametrize(("family", "case"), [(f, case) for f, cases in GRIDS.items() for case in cases])
def test_log_densities_agree_with_scipy(family: str, case: dict[str, Any]) -> None:
    law = getattr(stats, f"{family}Distribution")(**case["params"])
    expected = [float(v) for v in case["log_density"]]
    np.testing.assert_allclose(law.seq_log_density(case["x"]), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose([law.log_density(x) for x in case["x"]], expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(law.seq_log_density(case["x"] * 300)[-len(expected) :], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("how", ["weighted", "unweighted"])
@pytest.mark.parametrize("family", list(MLES["fits"]))
def test_fits_agree_with_direct_maximisation(family: str, how: str) -> None:
    case = MLES["fits"][family]
    estimator = getattr(stats, f"{family}Estimator")(**({"max_val": 12} if family == "Binomial" else {}))
    weights = np.array(MLES["w"]) if how == "weighted" else None
    found = fit(case["x"], estimator, weights=weights)
    for name, value in case[how]["params"].items():
        np.testing.assert_allclose(getattr(found.model, name), value, rtol=1e-5, atol=1e-7)
    assert found.log_likelihood >= case[how]["loglik"] - 1e-9 * abs(case[how]["loglik"])


@pytest.mark.parametrize("law", LAWS, ids=show)
def test_values_round_trip(law: Any) -> None:
    for node in (law, law.estimator(), law.estimator(3.0)):
        assert eval(repr(node), {**vars(stats), "inf": math.inf}) == node
        assert pickle.loads(pickle.dumps(node)) == node


@pytest.mark.parametrize("law", LAWS, ids=show)
def test_expected_statistics_give_the_law_back(law: Any) -> None:
    statistics = law.expected_statistics(7.0)
    assert statistics.count == pytest.approx(7.0)
    for estimator in (law.estimator(), law.estimator(5.0).resolve(statistics)):
        found = estimator.estimate(statistics)
        assert type(found) is type(law)
        assert (found.name, found.keys) == (law.name, law.keys)
        np.testing.assert_allclose(flat(found), flat(law), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("law", LAWS, ids=show)
def test_statistics_add_and_weights_repeat_rows(law: Any) -> None:
    data, rng = sample(law, 300), np.random.default_rng(1)
    estimator = law.estimator()
    times = rng.integers(0, 4, len(data))
    repeated = [x for x, t in zip(data, times, strict=True) for _ in range(t)]
    once = flat(fit(data, estimator, weights=times).model)
    np.testing.assert_allclose(once, flat(fit(repeated, estimator).model), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(once, flat(fit(data, estimator, weights=times * 7.5).model), rtol=1e-11, atol=1e-14)
    order = rng.permutation(len(data))
    np.testing.assert_allclose(once, flat(fit([data[i] for i in order], estimator, weights=times[order]).model), rtol=1e-11, atol=1e-14)
    x = law.seq_encode(data).column
    x = x.values.x[x.codes] if hasattr(x, "codes") and not isinstance(law, stats.CategoricalDistribution) else getattr(x, "x", None)
    if x is not None:
        whole = estimator.statistics(x, np.ones(300))
        parts = estimator.statistics(x[:100], np.ones(100)) + estimator.statistics(x[100:100], np.ones(0))
        parts = estimator.statistics(x[100:], np.ones(200)) + parts
        np.testing.assert_allclose(flat(estimator.estimate(whole)), flat(estimator.estimate(parts)), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("law", LAWS, ids=show)
def test_estimate_maximises_log_likelihood(law: Any) -> None:
    data, rng = sample(law, 200), np.random.default_rng(2)
    if isinstance(law, stats.SpikeAndSlabDistribution) or not law.parameters:
        return
    for estimator in (law.estimator(), law.estimator(20.0)):
        problem = Problem.of(data, estimator)
        _, owns = problem.expect(law)
        best = problem.maximise(owns, None)
        top = best.log_likelihood(owns[0]) + problem.log_prior(best)
        domains = [(f, d, v) for f, d, v in best.parameters() if len(d.flatten(v))]
        for _ in range(20):
            moved = {f: d.unflatten(d.flatten(v) + 1e-3 * rng.standard_normal(len(d.flatten(v))), v) for f, d, v in domains}
            other = best.replace(**moved)
            assert other.log_likelihood(owns[0]) + problem.log_prior(other) <= top + 1e-12 * abs(top)


@pytest.mark.parametrize("law", LAWS, ids=show)
def test_log_likelihood_of_statistics_is_that_of_the_data_up_to_a_constant(law: Any) -> None:
    data = sample(law, 200)
    estimator = law.estimator()
    problem = Problem.of(data, estimator)
    _, owns = problem.expect(law)
    other = problem.maximise(owns, None)
    gain = other.log_likelihood(owns[0]) - law.log_likelihood(owns[0])
    assert gain == pytest.approx(problem.log_likelihood(other) - problem.log_likelihood(law), abs=1e-8)


@pytest.mark.parametrize("law", [law for law in LAWS if not isinstance(law, stats.SpikeAndSlabDistribution)], ids=show)
@pytest.mark.parametrize("pseudo_count", [None, 2.0])
def test_mixtures_climb(law: Any, pseudo_count: float | None) -> None:
    data = list(sample(law, 300)) + list(sample(law, 100, 3))
    if flat(law).tolist() in ([0.0], [1.0]):
        data = [*data, 3]
    settings: dict[str, Any] = {} if pseudo_count is None else {"pseudo_count": pseudo_count}
    settings |= {"min_val": None} if isinstance(law, stats.BinomialDistribution) else {}
    estimator = stats.MixtureEstimator([estimator_of(law, **settings)] * 2)
    found = fit(data, estimator, rng=0, max_its=60, delta=0)
    assert found.status in ("iteration limit", "converged", "degenerate")
    steps = np.diff(found.objective)
    assert (steps >= -1e-11 * np.abs(found.objective[1:])).all()


def test_spike_and_slab_mixture_climbs() -> None:
    data = [1] * 30 + [4] * 20 + list(range(8)) * 5
    found = fit(data, stats.MixtureEstimator([stats.SpikeAndSlabEstimator()] * 2), rng=0, max_its=50, delta=0)
    assert (np.diff(found.objective) >= -1e-10).all()
    assert {c.num_vals for c in found.model.components} == {8}


@pytest.mark.parametrize("law", NUMERIC, ids=show)
def test_cdf_quantile_and_draws(law: Any) -> None:
    q = np.array([0.001, 0.1, 0.37, 0.5, 0.9, 0.9999])
    x = law.quantile(q)
    draws = sample(law, 20000)
    if draws.dtype.kind == "f":
        np.testing.assert_allclose(law.cdf(x), q, rtol=1e-10)
        assert scipy_stats.kstest(draws, law.cdf).pvalue > 1e-6
    else:
        assert draws.dtype == np.int64
        assert (law.cdf(x) >= q - 1e-15).all()
        assert (law.cdf(x - 1) < q).all()
        values = np.arange(draws.min(), draws.max() + 1)
        steps = np.diff(law.cdf(np.arange(draws.min() - 1, draws.max() + 1)))
        np.testing.assert_allclose(steps, np.exp(law.seq_log_density(values)), atol=1e-13)
        for value in values:
            p = law.density(int(value))
            assert scipy_stats.binomtest(int((draws == value).sum()), len(draws), min(p, 1.0)).pvalue > 1e-7
    assert np.isfinite(law.seq_log_density(draws)).all()
    error = math.sqrt(law.variance() / len(draws))
    assert abs(draws.mean() - law.mean()) <= 5 * error + 1e-12
    assert draws.var() == pytest.approx(law.variance(), rel=0.2)
    assert abs(-law.seq_log_density(draws).mean() - law.entropy()) <= 6 * law.seq_log_density(draws).std() / math.sqrt(len(draws)) + 1e-9
    modal = law.mode() or (1e-9 if isinstance(law, stats.GammaDistribution) else 0)
    assert law.log_density(modal) >= law.seq_log_density(draws).max() - 1e-9 or isinstance(law, stats.GammaDistribution)


def test_modes_at_the_ends() -> None:
    assert [stats.BetaDistribution(a, b).mode() for a, b in ((1.0, 1.0), (2.0, 0.5), (0.5, 2.0))] == [
        0.5,
        np.nextafter(1.0, 0.0),
        np.finfo(float).tiny,
    ]


def test_moments_of_vectors() -> None:
    np.testing.assert_allclose(stats.DirichletDistribution([1.0, 2.0, 3.0]).mean(), scipy_stats.dirichlet([1, 2, 3]).mean())
    np.testing.assert_allclose(stats.DirichletDistribution([1.0, 2.0, 3.0]).variance(), scipy_stats.dirichlet([1, 2, 3]).var())
    np.testing.assert_allclose(stats.UniformVectorDistribution([0.0, 1.0], [2.0, 4.0]).variance(), scipy_stats.uniform(0, [2, 3]).var())
    plain = stats.DiagonalGaussianDistribution([0.0, 1.0], [1.0, 2.0])
    np.testing.assert_array_equal(plain.variance(), [1.0, 2.0])
    for got, expected in zip(plain.normal_of([1]), ([1.0], [[2.0]]), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "law",
    [
        stats.TruncatedDistribution(stats.GaussianDistribution(1.0, 2.0), 0.0, 4.0),
        stats.UniformVectorDistribution([0.0, 1.0], [2.0, 4.0]),
    ],
)
def test_ends_are_no_free_numbers(law: Any) -> None:
    assert unflatten(flatten(law), law) == law
    assert len(flatten(law)) == (2 if law.children() else 0)


def test_a_spike_that_is_no_higher_than_the_slab_but_for_rounding_is_even() -> None:
    assert stats.SpikeAndSlabDistribution(0, 3, (1 - 1e-13) / 3).p == 1 / 3


def test_a_prior_like_all_the_data_leaves_one_law_where_it_is() -> None:
    angles = [0.1, 0.5, 1.0]
    plain, again = (fit(angles, stats.VonMisesEstimator(count), rng=1).model for count in (None, 3.0))
    assert (again.mu, again.kappa) == pytest.approx((plain.mu, plain.kappa), rel=1e-9)
    assert stats.VonMisesEstimator().degenerate(plain) is None


@pytest.mark.parametrize("law", [stats.LaplaceDistribution(1.0, 1.0), stats.WeibullDistribution(1.5, 1.0)])
def test_statistics_under_a_law_scale(law: Any) -> None:
    x, weights = np.abs(np.random.default_rng(0).normal(size=(2, 20)))
    estimator = type(law.estimator())()
    estimator = estimator.resolve(estimator.statistics(x, weights, None))
    once = estimator.statistics(x, weights, law)
    assert estimator.estimate(once.scaled(2.0), law) == estimator.estimate(once + once, law)


def test_statistics_of_many_coordinates_are_those_of_each_component() -> None:
    x, weights = np.random.default_rng(0).normal(size=(90, 30)), np.random.default_rng(1).random((2, 90))
    both = stats.MultivariateGaussianEstimator().statistics(x, weights)
    for k, w in enumerate(weights):
        np.testing.assert_allclose(both.mean[k], w @ x / w.sum(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(both.m2[k], np.cov(x.T, aweights=w, ddof=0) * w.sum(), rtol=1e-10, atol=1e-12)


def test_a_quantile_far_beyond_its_first_guess() -> None:
    law = stats.NegativeBinomialDistribution(1e-3, 1e6)
    q = 1 - 1e-12
    assert law.cdf(law.quantile(q) - 1) < q <= law.cdf(law.quantile(q))
    assert law.quantile(q) > 100 * law.variance() ** 0.5


def test_statistics_off_the_range_have_no_likelihood() -> None:
    assert stats.IntegerCategoricalDistribution(0, [0.5, 0.5]).log_likelihood(Counts(np.array([0, 5]), np.ones(2))) == -np.inf


@pytest.mark.parametrize(
    ("law", "low", "high", "expected"),
    [
        (stats.GaussianDistribution(0.0, 1.0), 4.0, 5.0, scipy_stats.truncnorm(4.0, 5.0).mean()),
        (
            stats.PoissonDistribution(1.0),
            8,
            None,
            sum(k * scipy_stats.poisson(1).pmf(k) for k in range(8, 30)) / scipy_stats.poisson(1).sf(7),
        ),
    ],
)
def test_draws_from_a_range_that_is_hardly_reached(law: Any, low: Any, high: Any, expected: float) -> None:
    within = stats.TruncatedDistribution(law, low, high)
    drawn = np.array(within.sample(4000, rng=1))
    assert drawn.min() >= low
    assert drawn.mean() == pytest.approx(expected, abs=5 * drawn.std() / 4000**0.5)
    assert isinstance(within.sample(1, rng=1)[0], type(law.sample(1, rng=1)[0]))


def test_entropies_agree_with_sums() -> None:
    cases: list[Any] = [(stats.PoissonDistribution(7.3), range(200)), (stats.BinomialDistribution(0.3, 30, 4), range(4, 35))]
    for law, values in [*cases, (stats.SpikeAndSlabDistribution(3, 9, 0.4), range(9))]:
        log = law.seq_log_density(list(values))
        assert law.entropy() == pytest.approx(-(np.exp(log) @ log), rel=1e-12)
    assert stats.PoissonDistribution(1e9).entropy() == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 1e9), rel=1e-9)
    near = [stats.GammaDistribution(k, 1.0).entropy() for k in (0.999999e6, 1.0e6)]
    assert near[0] == pytest.approx(near[1], abs=1e-5)


@pytest.mark.parametrize("law", [law for law in LAWS if law.kind.__name__ in ("Real", "Vector")], ids=show)
@pytest.mark.parametrize("scale", [1e-150, 1e-9, 3.7, 1e150])
def test_fits_follow_the_scale(law: Any, scale: float) -> None:
    data = np.asarray(sample(law, 200))
    base, scaled = fit(data, law.estimator()).model, fit(data * scale, law.estimator()).model
    rtol = 1e-9 if isinstance(law, stats.LogGaussianDistribution) else 1e-12
    np.testing.assert_allclose(np.asarray(scaled.mean()) / scale, base.mean(), rtol=rtol)
    shift = math.log(scale) * (data.shape[1] if data.ndim == 2 else 1)
    np.testing.assert_allclose(scaled.seq_log_density(data * scale) + shift, base.seq_log_density(data), rtol=1e-9, atol=1e-9)


def test_variances_survive_an_offset() -> None:
    x = np.random.default_rng(0).standard_normal((5000, 3)) @ np.linalg.cholesky(np.array(COVAR)).T
    plain, moved = fit(x, stats.MultivariateGaussianEstimator()).model, fit(x + 1e8, stats.MultivariateGaussianEstimator()).model
    np.testing.assert_allclose(moved.covar, plain.covar, atol=1e-7)
    moved = fit(x + 1e8, stats.DiagonalGaussianEstimator()).model
    np.testing.assert_allclose(moved.covar, np.diag(plain.covar), atol=1e-7)
    narrow = fit(1e8 + x[:, 0], stats.GammaEstimator()).model
    assert narrow.variance() == pytest.approx(x[:, 0].var(), rel=1e-6)


@pytest.mark.parametrize(
    ("law", "x", "expected"),
    [  # by mpmath at 60 digits
        (stats.PoissonDistribution(1e15), 1000000010000000, -18.238326735493348764),
        (stats.PoissonDistribution(0.5), 10**15, -34231923575470649.258),
        (stats.GeometricDistribution(1e-15), 10**15, -35.53877639491068),
        (stats.BinomialDistribution(0.5, 10**15), 500000000000000, -17.495179550100070312),
        (stats.BinomialDistribution(1e-15, 10**15), 0, -1.0),
        (stats.BinomialDistribution(0.3, 10**6), 300500, -7.6418949590231838724),
        (stats.GammaDistribution(1e10, 1e-10), 1.00001, 10.093980265112647561),
        (stats.GammaDistribution(1e-3, 1e150), 1e-150, 337.78980953582478522),
        (stats.NegativeBinomialDistribution(5.0, 1e-300), 7, -2.259095974026711678),
        (stats.NegativeBinomialDistribution(1e-300, 1e-8), 1, -690.77552789821370518),
        (stats.NegativeBinomialDistribution(1e-300, 1e300), 10**9, -693147892.0587390058),
        (stats.NegativeBinomialDistribution(1e15, 1e-3), 10**15, -32.003920621955345043),
        (stats.NegativeBinomialDistribution(1e10, 1e8), 10**15, -52.960457202168446955),
        (stats.NegativeBinomialDistribution(1e150, 1e3), 10**9, -27.962016975721906917),
    ],
)
def test_extremes(law: Any, x: int, expected: float) -> None:
    assert law.log_density(x) == pytest.approx(expected, rel=1e-12)


FAR = [1e-300, 1e-150, 1e-17, 1.0, 1e15, 1e150]


@pytest.mark.parametrize(
    "laws",
    [
        [stats.NegativeBinomialDistribution(mu, d) for mu in (0.0, 1e-300, 1.0, 1e150) for d in (1e-320, 1e-17, 1.0, 1e300)],
        [stats.PoissonDistribution(mu) for mu in (0.0, *FAR[:5])],
        [stats.GeometricDistribution(p) for p in (1e-300, 1e-17, 0.5, 1 - 1e-16, 1.0)],
        [stats.BinomialDistribution(p, n) for p in (0.0, 1e-300, 1e-17, 0.5, 1 - 1e-16, 1.0) for n in (1, 7, 10**15)],
        [stats.ExponentialDistribution(beta) for beta in (*FAR, 1e300)],
        [stats.GammaDistribution(k, theta) for k in (1e-17, 1.0, 1e15) for theta in (*FAR[1:], 1e200)],
        [stats.GaussianDistribution(mu, v) for mu in (-1e150, 0.0, 1e150) for v in (*FAR, 1e300)],
        [stats.LogGaussianDistribution(mu, v) for mu in (-300.0, 0.0, 300.0) for v in (1e-300, 1e-17, 1.0)],
    ],
    ids=lambda laws: type(laws[0]).__name__,
)
def test_extreme_laws_have_moments_and_statistics_of_faint_weight(laws: Any) -> None:
    """What a component that ran to the edge of its domain is asked: no bare error, no NaN, no warning."""
    x = np.array([1, 2, 10**6]) if laws[0].kind.__name__ == "Count" else np.array([1e-3, 1.0, 1e6])
    for law in laws:
        asked = [law.mean(), law.variance(), law.mode(), law.entropy(), law.log_density(1), law.cdf(1.0)]
        assert not any(map(math.isnan, asked)), law
        if law.mean() < 1e16:
            assert not np.isnan(law.quantile([0.01, 0.5, 0.99])).any(), law
        estimator = law.estimator()
        faint = estimator.statistics(x - x[0] + 1 if isinstance(law, stats.BinomialDistribution) else x, np.array([1e-300, 1e-310, 0.0]))
        assert not math.isnan(law.log_likelihood(faint)), law
    assert np.isfinite(estimator.resolve(faint).estimate(faint).mean())


@pytest.mark.parametrize("weight", [1e-6, 1e-170, 1e-300])
def test_a_negative_binomial_of_nearly_zeros_alone_keeps_its_bounds(weight: float) -> None:
    estimator = stats.NegativeBinomialEstimator()
    law = estimator.estimate(Counts(np.array([0, 1, 20, 400]), np.array([1.0, 0.0, weight, weight / 7])))
    assert 1e-8 <= law.dispersion <= 1e8 * (1 + 1e-12)
    assert estimator.degenerate(law) is None
    assert "out of bounds" in str(estimator.degenerate(law.replace(dispersion=1e9)))


@pytest.mark.parametrize("seed", [1, 4])
def test_negative_binomials_of_many_zeros_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(300) < 0.3, 0, rng.poisson(20, 300))
    record = fit(x, stats.MixtureEstimator([stats.NegativeBinomialEstimator()] * 2), rng=seed, starts=2)
    assert record.converged
    assert all(1e-8 * (1 - 1e-9) <= law.dispersion <= 1e8 * (1 + 1e-9) for law in record.model.components)


@pytest.mark.parametrize("k", [1e-3, 0.3, 1.0, 19.999, 20.001, 1e3, 1e7, 1e12])
def test_gamma_shape_is_exact(k: float) -> None:
    law = stats.GammaDistribution(k, 2.5 / k)
    assert law.estimator().estimate(law.expected_statistics(3.0)).k == pytest.approx(k, rel=1e-12)


def test_gamma_forms_agree() -> None:
    below, above = stats.GammaDistribution(999.9999999, 1.0), stats.GammaDistribution(1000.0000001, 1.0)
    x = np.linspace(800, 1200, 50)
    np.testing.assert_allclose(below.seq_log_density(x), above.seq_log_density(x), atol=1e-6)
    expected = scipy_stats.gamma.logpdf(x, 1000.0000001)
    np.testing.assert_allclose(above.seq_log_density(x), expected, atol=1e-10)


def test_large_and_small_forms_of_counts_agree() -> None:
    x = np.arange(0, 3001)
    np.testing.assert_allclose(stats.PoissonDistribution(1500.0).seq_log_density(x), scipy_stats.poisson.logpmf(x, 1500.0), rtol=1e-11)
    np.testing.assert_allclose(stats.BinomialDistribution(0.4, 3000).seq_log_density(x), scipy_stats.binom.logpmf(x, 3000, 0.4), rtol=1e-11)


CONSTANT = [
    (stats.GaussianEstimator, [0.1] * 999),
    (stats.LogGaussianEstimator, [0.1] * 999),
    (stats.ExponentialEstimator, [0.0] * 50),
    (stats.GammaEstimator, [0.1] * 999),
    (stats.DiagonalGaussianEstimator, [[0.1, float(i)] for i in range(999)]),
    (stats.MultivariateGaussianEstimator, [[0.1, float(i)] for i in range(999)]),
    (stats.MultivariateGaussianEstimator, [[0.1 * i, 0.3 * i + 7.0] for i in range(999)]),
    (stats.MultivariateGaussianEstimator, [[1.0, 2.0, 3.0], [2.0, 1.0, 5.0], [0.0, 7.0, 1.0]]),
]


@pytest.mark.parametrize(("family", "data"), CONSTANT)
def test_data_without_a_maximum_are_named(family: Any, data: Any) -> None:
    with pytest.raises(DegenerateError):
        fit(data, family())
    width = np.shape(data)[1] if np.ndim(data) == 2 else None
    spread: Any = 1.0 if width is None else np.ones(width)
    if family is stats.ExponentialEstimator:
        prior: Any = {"suff_stat": 2.0}
    elif family is stats.GammaEstimator:
        prior = {"suff_stat": (2.0, 0.5)}
    else:
        prior = {"suff_stat": (None, np.eye(width) if family is stats.MultivariateGaussianEstimator else spread)}
    assert np.isfinite(fit(data, family(pseudo_count=1.0, **prior)).log_likelihood)


@pytest.mark.parametrize(
    ("family", "data"),
    [
        (stats.GaussianEstimator, [1.0] * 20 + [2.0, 3.0, 4.0, 5.0]),
        (stats.LogGaussianEstimator, [1.0] * 20 + [2.0, 3.0, 4.0, 5.0]),
        (stats.ExponentialEstimator, [0.0] * 20 + [2.0, 3.0, 4.0, 5.0]),
        (stats.GammaEstimator, [1.0] * 20 + [2.0, 3.0, 4.0, 5.0]),
        (stats.DiagonalGaussianEstimator, [[1.0, 2.0]] * 20 + [[2.0, 5.0], [3.0, 1.0], [4.0, 0.0], [5.0, 9.0]]),
        (stats.MultivariateGaussianEstimator, [[1.0, 2.0]] * 20 + [[2.0, 5.0], [3.0, 1.0], [4.0, 0.0], [5.0, 9.0]]),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1e-10, 1e100])
def test_a_component_on_equal_values_is_degenerate_and_the_objective_never_falls(family: Any, data: Any, scale: float) -> None:
    statuses = set()
    for seed in range(5):
        found = fit(np.array(data) * scale, stats.MixtureEstimator([family()] * 2), rng=seed, init_p=1.0, starts=1)
        statuses.add(found.status)
        assert (np.diff(found.objective) >= -1e-9 * (1 + np.abs(found.objective[1:]))).all()
    assert "degenerate" in statuses
    assert not statuses & {"decreased"}


def test_categorical_labels() -> None:
    law = fit(["a", "b", "a", "c"], stats.CategoricalEstimator(), weights=[1, 1, 1, 0]).model
    assert dict(law.pmap) == {"a": 2 / 3, "b": 1 / 3}
    assert law.log_density("z") == -math.inf
    assert fit(["a", "b", "a"], stats.CategoricalEstimator(default_value=True)).model.density("z") == pytest.approx(1 / 4)
    assert fit(["a", "b", "a"], stats.CategoricalEstimator(default_value=0.125)).model.density("z") == pytest.approx(1 / 8)
    smooth = fit(["a", "b", "a"], stats.CategoricalEstimator(3.0, {"a": 0.0, "c": 1.0})).model
    assert dict(smooth.pmap) == pytest.approx({"a": 2 / 6, "b": 1 / 6, "c": 3 / 6})
    even = fit(["a", "b", "a"], stats.CategoricalEstimator(2.0)).model
    assert dict(even.pmap) == pytest.approx({"a": 3 / 5, "b": 2 / 5})
    assert even.mode() == "a"
    many = [i % 20000 for i in range(50000)]
    found = fit(many, stats.MixtureEstimator([stats.CategoricalEstimator()] * 2), rng=0, max_its=2)
    assert found.log_likelihood >= -50000 * math.log(20000) - 1e4
    for component in found.model.components:
        assert len(component.pmap) == 20000


def test_ranges_come_from_data_or_settings() -> None:
    law = fit([3, 5, 5, 9], stats.IntegerCategoricalEstimator(), weights=[1, 1, 1, 0]).model
    assert (law.min_val, law.max_val, law.num_vals, law.p_vec.tolist()) == (3, 5, 3, [1 / 3, 0, 2 / 3])
    assert fit([3, 5], stats.IntegerCategoricalEstimator(0, 5)).model.num_vals == 6
    assert fit([3, 5], stats.IntegerCategoricalEstimator(4 - 1, 6, 4.0)).model.p_vec == pytest.approx([2 / 6, 1 / 6, 2 / 6, 1 / 6])
    assert fit([0, 7, 7, 7, 3], stats.SpikeAndSlabEstimator()).model == stats.SpikeAndSlabDistribution(7, 8, 0.6)
    assert fit([5, 5], stats.SpikeAndSlabEstimator()).model == stats.SpikeAndSlabDistribution(5, 1, 1.0, 5)
    assert fit([4, 6], stats.BinomialEstimator()).model == stats.BinomialDistribution(5 / 6, 6)
    assert fit([4, 6], stats.BinomialEstimator(min_val=None)).model == stats.BinomialDistribution(0.5, 2, 4)
    assert fit([0, 0], stats.BinomialEstimator()).model.n == 0
    assert fit([0, 10**15, 10**15], stats.SpikeAndSlabEstimator()).model.p == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="too many"):
        fit([0, 10**15], stats.IntegerCategoricalEstimator())
    with pytest.raises(DataError, match="row 2"):
        fit([1, 2, 9], stats.IntegerCategoricalEstimator(0, 5))


def test_counts_all_zero_or_all_one() -> None:
    assert fit([0, 0, 0], stats.PoissonEstimator()).model.lam == 0.0
    law = fit([1, 1, 1], stats.GeometricEstimator()).model
    assert (law.p, law.log_density(1), law.log_density(2), law.log_density(0)) == (1.0, 0.0, -math.inf, -math.inf)


@pytest.mark.parametrize(
    ("law", "outside"),
    [
        (stats.LogGaussianDistribution(0.0, 1.0), [0.0, -1.0, math.inf]),
        (stats.ExponentialDistribution(1.0), [-1e-300, math.inf, -math.inf]),
        (stats.GammaDistribution(2.0, 1.0), [0.0, -3.0, math.inf]),
        (stats.PoissonDistribution(2.0), [-1, -(2**62)]),
        (stats.GeometricDistribution(0.5), [0, -1]),
        (stats.BinomialDistribution(0.5, 4, 2), [1, 7, 2**62]),
        (stats.CategoricalDistribution({"a": 1.0, "b": 0.0}), ["b", "c", 1, None]),
        (stats.IntegerCategoricalDistribution(2, [0.5, 0.5]), [1, 4, -(2**62), 2**62]),
        (stats.SpikeAndSlabDistribution(2, 3, 1.0), [-1, 0, 3, 2**62]),
        (stats.MultivariateGaussianDistribution([0.0, 0.0], np.eye(2)), [[math.inf, 0.0], [0.0, -math.inf]]),
        (stats.DiagonalGaussianDistribution([0.0, 0.0], [1.0, 1.0]), [[math.inf, 0.0], [0.0, -math.inf]]),
    ],
    ids=show,
)
def test_nothing_off_the_support(law: Any, outside: list[Any]) -> None:
    assert all(law.log_density(x) == -math.inf for x in outside)
    assert (law.seq_log_density(outside * 100) == -math.inf).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: stats.ExponentialDistribution(-1.0),
        lambda: stats.GammaDistribution(0.0, 1.0),
        lambda: stats.LogGaussianDistribution(0.0, math.nan),
        lambda: stats.PoissonDistribution(-0.1),
        lambda: stats.GeometricDistribution(0.0),
        lambda: stats.BinomialDistribution(0.5, -1),
        lambda: stats.BinomialDistribution(0.5, 2.5),
        lambda: stats.CategoricalDistribution({"a": 0.5, "b": 0.6}),
        lambda: stats.CategoricalDistribution({"a": 1.5, "b": -0.5}),
        lambda: stats.CategoricalDistribution({"a": 1.0}, 2.0),
        lambda: stats.IntegerCategoricalDistribution(0, [0.5, 0.4]),
        lambda: stats.SpikeAndSlabDistribution(3, 4, 0.2),
        lambda: stats.SpikeAndSlabDistribution(4, 4, 0.5),
        lambda: stats.SpikeAndSlabDistribution(0, 1, 0.5),
        lambda: stats.MultivariateGaussianDistribution([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]]),
        lambda: stats.MultivariateGaussianDistribution([0.0], np.eye(2)),
        lambda: stats.DiagonalGaussianDistribution([0.0, 1.0], [1.0]),
        lambda: stats.DiagonalGaussianDistribution([0.0], [1.0], keys=("a", "b")),
        lambda: stats.DiagonalGaussianEstimator(keys=("a", None)),
        lambda: stats.GammaEstimator((1.0, 2.0)),
        lambda: stats.GammaEstimator(1.0, (1.0, 0.5)),
        lambda: stats.GammaEstimator(1.0, (-1.0, 0.5)),
        lambda: stats.ExponentialEstimator(-1.0),
        lambda: stats.ExponentialEstimator(1.0, -2.0),
        lambda: stats.IntegerCategoricalEstimator(3, 1),
        lambda: stats.BinomialEstimator(1, 3),
        lambda: stats.CategoricalEstimator(1.0, {"a": -0.5}),
        lambda: stats.CategoricalEstimator(default_value=1.5),
        lambda: stats.MultivariateGaussianEstimator(suff_stat=(None, [[1.0, 2.0], [2.0, 1.0]])),
        lambda: stats.DiagonalGaussianEstimator(suff_stat=(None, [-1.0])),
    ],
)
def test_illegal_parameters_are_refused(make: Any) -> None:
    with pytest.raises(ParameterError, match=r"\w+(Distribution|Estimator): \w+"):
        make()


def test_vectors_of_another_length_are_refused() -> None:
    law = stats.MultivariateGaussianDistribution([0.0, 0.0], np.eye(2))
    encoded = stats.MultivariateGaussianEstimator().layout.encode([[1.0, 2.0, 3.0]])
    with pytest.raises(DataError, match="vectors of 2"):
        law.log_densities(encoded.x)
    with pytest.raises(DataError, match="vectors of 2"):
        law.log_density([1.0, 2.0, 3.0])
    with pytest.raises(DataError):
        fit([[1.0, 2.0], [1.0]], stats.DiagonalGaussianEstimator())
    with pytest.raises(ParameterError, match="shape"):
        fit([[1.0, 2.0], [1.0, 3.0]], stats.DiagonalGaussianEstimator(pseudo_count=1.0, suff_stat=([0.0], [1.0])))
    data = law.sample(50, rng=0)
    encoded = stats.MultivariateGaussianEstimator().estimate(law.expected_statistics(1.0)).seq_encode(data)
    assert np.isfinite(law.seq_log_density(encoded)).all()


@pytest.mark.parametrize("near", [1e-2, 1e-4, 1e-6])
def test_covariances_of_a_few_rows_that_all_but_lie_in_a_plane(near: float) -> None:
    """The floor is above rounding: where coordinates all but follow from others, `VARIANCE_FLOOR` of their covariance is not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(145, 3)) * [1.0, 1e-3, 1e5]
    x[:, 2] = 1e5 * (x[:, 0] + 1e3 * x[:, 1]) + near * x[:, 2]
    estimator: Any = Problem.of(x, stats.MultivariateGaussianEstimator()).estimator
    for _ in range(200):
        weights = np.zeros(145)
        weights[rng.integers(145, size=rng.integers(1, 6))] = 1.0
        law = estimator.estimate(estimator.statistics(x, weights + 1e-300))
        assert np.count_nonzero(weights) > 3 or estimator.degenerate(law)
        for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
            np.linalg.cholesky(law.covar[np.ix_(order, order)])


@pytest.mark.parametrize("law", LAWS, ids=show)
def test_nothing_to_estimate_from(law: Any) -> None:
    estimator = estimator_of(law)
    problem = Problem.of(sample(law, 3), law.estimator())
    empty = law.expected_statistics(1.0).scaled(0.0)
    with pytest.raises(EmptyError):
        maximise(estimator.resolve(empty), [empty], Ties(estimator))
    assert problem.maximise([empty], law) is law
    prior = law.estimator(2.0)
    np.testing.assert_allclose(flat(maximise(prior.resolve(empty), [empty], Ties(prior))), flat(law), rtol=1e-12, atol=1e-15)


def test_inputs_of_any_dtype() -> None:
    x = np.array([1.0, 2.0, 5.0, 3.0])
    expected = stats.GammaDistribution(2.0, 3.0).seq_log_density(x)
    for same in (x.astype(np.float32), x.astype(int), x.tolist(), tuple(x), [1, 2, 5, 3]):
        np.testing.assert_array_equal(stats.GammaDistribution(2.0, 3.0).seq_log_density(same), expected)
    vectors = np.arange(12.0).reshape(4, 3)
    vectors.setflags(write=False)
    law = stats.MultivariateGaussianDistribution([1.0, 2.0, 0.0], COVAR)
    for same in (np.asfortranarray(vectors), vectors[::1].tolist(), [tuple(v) for v in vectors], vectors.astype(np.float32)):
        np.testing.assert_allclose(law.seq_log_density(same), law.seq_log_density(vectors), rtol=1e-14)


@pytest.mark.parametrize("law", LAWS, ids=show)
def test_what_a_fit_pins_is_no_setting(law: Any) -> None:
    estimator = law.estimator(2.0)
    assert estimator.resolve(law.expected_statistics(9.0)) == estimator
    assert not {"floor", "prior", "labels", "unseen", "pooled", "pinned_range", "_pair"} & set(estimator.fields())
