"""The notebook that this library must reproduce: every call as it stands there, and every maximum it prints.

Data and traces are from dmx-learn 1.1.1 (`tests/reference`); fits of scikit-learn, mixtools and StepMix on public data follow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dmlcore
import dmlcore.utils.optsutil as ops
from dmlcore.base.errors import SupportError
from dmlcore.datasets import load_penguins
from dmlcore.stats import *
from dmlcore.utils.estimation import best_of, empirical_kl_divergence, iterate, optimize, partition_data
from tests.reference import build, composite_rows, load


def sum_of_logs(model: Any, data: Any) -> float:
    return float(model.seq_log_density(model.seq_encode(data)).sum())


def trace(data: Any, estimator: Any, start: Any, steps: int, callback: Any = None) -> Any:
    return dmlcore.fit(data, estimator, start=start, max_its=steps, delta=0.0, callback=callback)


def by_mean(model: Any) -> list[int]:
    return sorted(range(len(model.components)), key=lambda k: np.atleast_1d(model.components[k].mu)[0])


CASES = {
    "gaussian_mixture_1d": lambda case: case["first20"],
    "mvn_mixture_2d": lambda case: case["first20"],
    "composite_mixture_4_fields": lambda case: composite_rows()[:20],
}


@pytest.mark.parametrize("which", ["true", "fitted"])
@pytest.mark.parametrize("name", CASES)
def test_densities_and_posteriors_of_the_first_rows(name: str, which: str) -> None:
    case = load(name)
    rows, model = CASES[name](case), build(case[f"{which}_model"])
    encoded = model.seq_encode(rows)
    expected = case[f"log_density_{which}_first20"]
    np.testing.assert_allclose(model.seq_log_density(encoded), expected, rtol=1e-12)
    np.testing.assert_allclose([model.log_density(x) for x in rows], expected, rtol=1e-12)
    posterior = case[f"posterior_{which}_first20"]
    np.testing.assert_allclose(model.seq_posterior(encoded), posterior, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose([model.posterior(x) for x in rows], posterior, rtol=1e-9, atol=1e-300)


# -- two Gaussians -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_gaussians() -> list[float]:
    """The seed's first data, drawn as it draws them."""
    p, N = 0.3, 5000
    rng = np.random.RandomState(1)
    data = [rng.normal(loc=5, scale=1) if rng.rand() <= p else rng.normal(loc=15, scale=1) for _ in range(N)]
    assert data[:20] == load("gaussian_mixture_1d")["first20"]
    return data


def test_two_gaussians_as_in_the_seed(two_gaussians: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    case = load("gaussian_mixture_1d")
    rng = np.random.RandomState(2)
    est0 = GaussianEstimator()
    est = MixtureEstimator(estimators=[est0] * 2)
    emodel = optimize(two_gaussians, est, init_p=0.10, rng=rng, max_its=200, print_iter=10)
    assert sum_of_logs(emodel, two_gaussians) == pytest.approx(case["loglik"], abs=1e-6)
    low, high = (emodel.components[k] for k in by_mean(emodel))
    assert (low.mu, high.mu) == pytest.approx((4.968396585863806, 15.015723167732396), abs=1e-7)
    assert (low.sigma2, high.sigma2) == pytest.approx((0.9919700720272431, 1.039967147482514), abs=1e-7)
    assert sorted(emodel.w) == pytest.approx([0.3004000040865057, 0.6995999959134943], abs=1e-8)
    assert "-10213.19" in capsys.readouterr().out
    omodel = MixtureDistribution(components=[GaussianDistribution(5, 1), GaussianDistribution(15, 1)], w=np.array([0.3, 0.7]))
    assert sum_of_logs(omodel, two_gaussians) == pytest.approx(case["loglik_true_model"], abs=1e-6)
    xvals = np.arange(np.min(two_gaussians), np.max(two_gaussians) + 1)
    assert all(omodel.density(u) > 0 for u in xvals)
    assert "mixture" in str(emodel).lower()


def test_two_gaussians_trace(two_gaussians: list[float]) -> None:
    case = load("gaussian_mixture_1d")
    expected = case["ll_trace_from_init"]
    est = MixtureEstimator([GaussianEstimator()] * 2)
    record = trace(two_gaussians, est, build(case["init_model"]), len(expected) - 1)
    np.testing.assert_allclose(record.history, expected, rtol=0, atol=1e-6)
    assert record.status == "iteration limit"
    converged = dmlcore.fit(two_gaussians, est, start=build(case["init_model"]))
    assert converged.status == "converged"
    assert converged.log_likelihood == pytest.approx(case["loglik"], abs=1e-7)
    step = estimate(two_gaussians, est, build(case["true_model"]))
    expected_step = build(case["one_em_step_from_true"])
    assert [(c.mu, c.sigma2) for c in step.components] == [pytest.approx((c.mu, c.sigma2), rel=1e-11) for c in expected_step.components]
    np.testing.assert_allclose(step.w, expected_step.w, rtol=1e-11)


# -- three bivariate Gaussians -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bivariate() -> tuple[list[Any], list[Any]]:
    case = load("mvn_mixture_2d")
    return [np.array(x) for x in case["train"]], [np.array(x) for x in case["valid"]]


def test_bivariate_as_in_the_seed(bivariate: tuple[list[Any], list[Any]], capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.RandomState(1)
    d1 = MultivariateGaussianDistribution([-8.0, -8.0], [[2.0, 1.0], [1.0, 2.0]])
    d2 = MultivariateGaussianDistribution([0.0, 0.0], [[2.0, -1.0], [-1.0, 2.0]])
    d3 = MultivariateGaussianDistribution([5.0, 1.0], [[2.0, 1.0], [1.0, 2.0]])
    dist = MixtureDistribution([d1, d2, d3], [0.4, 0.4, 0.2])
    data = dist.sampler(seed=1).sample(size=2000)
    assert np.asarray(data).shape == (2000, 2)
    assert np.asarray([comp.mu for comp in dist.components]).shape == (3, 2)
    drawn_train, drawn_valid = partition_data(data, [0.8, 0.2], rng)
    assert (len(drawn_train), len(drawn_valid)) == (1600, 400)

    train_data, valid_data = bivariate
    case = load("mvn_mixture_2d")
    est = MixtureEstimator([MultivariateGaussianEstimator(dim=2)] * 3)
    value, dist_est = best_of(train_data, valid_data, est, 5, 100, 0.1, 1.0e-6, rng, print_iter=200)
    assert sum_of_logs(dist_est, train_data) == pytest.approx(case["optimum"]["train_loglik"], abs=1e-4)
    assert value == pytest.approx(sum_of_logs(dist_est, valid_data), abs=1e-9)
    assert value == pytest.approx(case["optimum"]["valid_loglik"], abs=5e-3)
    assert capsys.readouterr().out.count("Trial") == 5
    tight = optimize(train_data, est, prev_estimate=dist_est)
    assert sum_of_logs(tight, train_data) == pytest.approx(-7035.968174329835, abs=1e-7)
    assert sum_of_logs(tight, valid_data) == pytest.approx(case["optimum"]["valid_loglik"], abs=1e-4)
    best = build(case["optimum"]["model"])
    for k, j in zip(by_mean(tight), by_mean(best), strict=True):
        np.testing.assert_allclose(tight.components[k].mu, best.components[j].mu, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(tight.components[k].covar, best.components[j].covar, rtol=1e-3)


def test_bivariate_entry_level(bivariate: tuple[list[Any], list[Any]]) -> None:
    train_data, valid_data = bivariate
    case = load("mvn_mixture_2d")
    est = MixtureEstimator([MultivariateGaussianEstimator(dim=2)] * 3)
    history = case["entry_level"]["ll_history_valid_train"]
    record = trace(train_data, est, build(case["entry_level"]["init_model"]), len(history) - 1)
    np.testing.assert_allclose(record.history, [train for _, train in history], rtol=0, atol=1e-6)

    model = build(case["entry_level"]["init_model"])
    for i in range(4):
        vll = sum([model.log_density(u) for u in valid_data])
        assert vll == pytest.approx(history[i][0], abs=1e-6)
        model = estimate(train_data, est, model)

    rng = np.random.RandomState(1)
    model = initialize(train_data, est, rng, 0.1)
    estimated_means = [[u.mu] for u in model.components]
    ll_history = [sum_of_logs(model, train_data)]
    for _ in range(100):
        model = estimate(train_data, est, model)
        for j, u in enumerate(model.components):
            estimated_means[j].append(u.mu)
        ll_history.append(sum_of_logs(model, train_data))
    assert np.asarray(estimated_means[0]).shape == (101, 2)
    assert (np.diff(ll_history) >= -1e-8).all()
    assert ll_history[-1] == pytest.approx(-7035.968174, abs=1e-5)


# -- composites of four fields -------------------------------------------------------------------------------------------

OPTIMUM = -14062.5657584


def composite_estimator() -> MixtureEstimator:
    e0 = MixtureEstimator([GaussianEstimator()] * 2)
    e1 = OptionalEstimator(GeometricEstimator(), est_prob=True)
    e2 = MarkovChainEstimator(len_estimator=PoissonEstimator())
    e3 = BernoulliSetEstimator()
    comp_est = CompositeEstimator((e0, e1, e2, e3))
    return MixtureEstimator([comp_est] * 3)


def composite_components() -> list[CompositeDistribution]:
    """The three laws, as the seed writes them."""
    d10 = MixtureDistribution([GaussianDistribution(-10.0, 1.0), GaussianDistribution(0.0, 1.0)], [0.5, 0.5])
    d11 = OptionalDistribution(GeometricDistribution(0.1), p=0.1)
    d12 = MarkovChainDistribution(
        {"a": 0.5, "b": 0.5}, {"a": {"a": 0.2, "b": 0.8}, "b": {"a": 0.8, "b": 0.2}}, len_dist=PoissonDistribution(8.0)
    )
    d13 = BernoulliSetDistribution({"a": 0.1, "b": 0.3, "c": 0.7, "d": 0.9})
    d20 = MixtureDistribution([GaussianDistribution(10.0, 1.0), GaussianDistribution(5.0, 1.0)], [0.5, 0.5])
    d21 = OptionalDistribution(GeometricDistribution(0.2), p=0.2)
    d22 = MarkovChainDistribution(
        {"a": 0.5, "b": 0.5}, {"a": {"a": 0.8, "b": 0.2}, "b": {"a": 0.2, "b": 0.8}}, len_dist=PoissonDistribution(8.0)
    )
    d23 = BernoulliSetDistribution({"a": 0.9, "b": 0.8, "c": 0.1, "d": 0.1})
    d30 = MixtureDistribution([GaussianDistribution(0.0, 1.0), GaussianDistribution(5.0, 1.0)], [0.5, 0.5])
    d31 = OptionalDistribution(GeometricDistribution(0.9), p=0.01)
    d32 = MarkovChainDistribution(
        {"a": 0.8, "b": 0.2}, {"a": {"a": 0.5, "b": 0.5}, "b": {"a": 0.2, "b": 0.8}}, len_dist=PoissonDistribution(8.0)
    )
    d33 = BernoulliSetDistribution({"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.8})
    return [CompositeDistribution(d) for d in ([d10, d11, d12, d13], [d20, d21, d22, d23], [d30, d31, d32, d33])]


@pytest.mark.parametrize(("section", "start"), [("converged_from_fit", "fitted_model"), ("em_from_true", "true_model")])
def test_composite_traces(section: str, start: str) -> None:
    case, data = load("composite_mixture_4_fields"), composite_rows()
    expected = case[section]["ll_trace"]
    record = trace(data, composite_estimator(), build(case[start]), len(expected) - 1)
    np.testing.assert_allclose(record.history, expected, rtol=0, atol=1e-6)
    assert record.log_likelihood == pytest.approx(OPTIMUM, abs=1e-6)
    plain = dmlcore.fit(data, composite_estimator(), start=build(case[start]), accelerate=False)
    both = min(len(expected), len(plain.history))  # plain steps, until they have converged
    np.testing.assert_allclose(plain.history[:both], expected[:both], rtol=0, atol=1e-6)
    default = dmlcore.fit(data, composite_estimator(), start=build(case[start]))
    for record in (plain, default):
        assert record.status == "converged"
        assert record.log_likelihood == pytest.approx(OPTIMUM, abs=1e-6)
    assert default.iterations < plain.iterations


def test_composite_step_and_optimum() -> None:
    case, data = load("composite_mixture_4_fields"), composite_rows()
    assert build(case["true_model"]) == MixtureDistribution(composite_components(), [0.4, 0.3, 0.3])
    step = estimate(data, composite_estimator(), build(case["true_model"]))
    expected = build(case["one_em_step_from_true"])
    np.testing.assert_allclose(step.w, expected.w, rtol=1e-10)
    for one, other in zip(step.components, expected.components, strict=True):
        compare_composites(one, other, 1e-10)
    best = optimize(data, composite_estimator(), prev_estimate=build(case["true_model"]))
    for one, other in zip(best.components, build(case["em_from_true"]["model"]).components, strict=True):
        compare_composites(one, other, 1e-4)


def compare_composites(one: Any, other: Any, rel: float) -> None:
    (m1, o1, c1, s1), (m2, o2, c2, s2) = one.dists, other.dists
    np.testing.assert_allclose(m1.w, m2.w, rtol=rel)
    np.testing.assert_allclose([(g.mu, g.sigma2) for g in m1.components], [(g.mu, g.sigma2) for g in m2.components], rtol=rel)
    assert (o1.p, o1.dist.p) == pytest.approx((o2.p, o2.dist.p), rel=rel)
    assert dict(c1.init_prob_map) == pytest.approx(dict(c2.init_prob_map), rel=rel)
    assert c1.len_dist.lam == pytest.approx(c2.len_dist.lam, rel=rel)
    for label, row in c2.transition_map.items():
        assert dict(c1.transition_map[label]) == pytest.approx(dict(row), rel=rel)
    assert dict(s1.pmap) == pytest.approx(dict(s2.pmap), rel=rel)


def test_composite_plateau_is_not_called_converged() -> None:
    """From the seed's start EM gains less than 1e-8 nats a row for hundreds of steps, 186 nats short of the optimum."""
    case, data = load("composite_mixture_4_fields"), composite_rows()
    start = build(case["init_model"])  # says that nothing is missing, by accident of the rows it saw
    with pytest.raises(SupportError, match=r"row 38 .*missing"):
        dmlcore.fit(data, composite_estimator(), start=start)
    start = start.replace(components=[c.replace(dists=[c.dists[0], c.dists[1].replace(p=0.109), *c.dists[2:]]) for c in start.components])
    record = dmlcore.fit(data, composite_estimator(), start=start, max_its=1000)
    assert record.status == "converged"
    assert record.log_likelihood == pytest.approx(OPTIMUM, abs=1e-6)
    after: dict[int, Any] = {}
    plain = trace(data, composite_estimator(), start, 301, lambda step, log_likelihood, model: after.update({step: model}))
    assert plain.history[20] < -14248.99
    assert plain.history[200] < -14248.9  # EM alone stands on two plateaus
    assert plain.history[300] < -14152.9
    for steps in (25, 40, 100, 270):  # begun on a plateau itself
        short = dmlcore.fit(data, composite_estimator(), start=after[steps], max_its=20)
        assert short.status != "converged" or short.log_likelihood == pytest.approx(OPTIMUM, abs=1e-6)


def test_composite_as_in_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.RandomState(3)
    d1, d2, d3 = composite_components()
    dist = MixtureDistribution([d1, d2, d3], [0.4, 0.3, 0.3])
    drawn = dist.sampler(seed=1).sample(size=1000)
    train_data, valid_data = partition_data(drawn, [0.8, 0.2], rng)
    assert (len(train_data), len(valid_data)) == (800, 200)
    assert all(type(x) is tuple and len(x) == 4 for x in drawn)
    print("\n".join(["Sample %d: " % (i) + str(drawn[i]) for i in range(15)]))  # noqa: UP031
    assert "Sample 14: (" in capsys.readouterr().out

    data, rng = composite_rows(), np.random.RandomState(1)
    dist_est = optimize(data, composite_estimator(), max_its=500, rng=rng, print_iter=50)
    assert sum_of_logs(dist_est, data) == pytest.approx(OPTIMUM, abs=1e-6)  # the seed's 500 iterations end 186 nats short
    assert "converged" in capsys.readouterr().out
    for u in dist_est.components:
        assert "MixtureDistribution" in str(u.dists[0])
        assert "BernoulliSetDistribution" in str(u.dists[-1])

    s1, s2, s3 = (d.sampler(seed=123 + i).sample(size=100) for i, d in enumerate((d1, d2, d3)))
    posterior1 = np.asarray([dist_est.posterior(u) for u in s1])
    np.testing.assert_allclose(posterior1, dist_est.seq_posterior(dist_est.seq_encode(s1)), rtol=1e-12)
    for s in (s2, s3):
        np.testing.assert_allclose(dist_est.seq_posterior(dist_est.seq_encode(s)).sum(axis=1), 1.0)


def test_imputation_by_the_seeds_derivation() -> None:
    case, data = load("composite_mixture_4_fields"), composite_rows()
    expected = case["imputation"]
    dist_est = build(case["fitted_model"])
    point = next(filter(lambda u: u[1] is None, data))
    assert point == data[expected["point_index"]]
    assert sum(u[1] is None for u in data) == expected["n_missing"]
    posterior = dist_est.posterior(point)
    np.testing.assert_allclose(posterior, expected["posterior"], rtol=1e-9)
    missing_conditional = MixtureDistribution([u.dists[1].dist for u in dist_est.components], posterior)
    est_mean = np.dot(missing_conditional.w, [1 / u.p for u in missing_conditional.components])
    assert est_mean == pytest.approx(4.751416072340064, rel=1e-11)
    assert missing_conditional.mean() == pytest.approx(est_mean, rel=1e-12)
    samples = missing_conditional.sampler(seed=10).sample(size=10000)
    avgs = np.cumsum(samples) / np.arange(1, len(samples) + 1)
    assert avgs[-1] == pytest.approx(est_mean, abs=5 * np.sqrt(missing_conditional.variance() / 10000))


# -- hierarchical mixtures -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hierarchical() -> tuple[Any, Any]:
    d1 = GaussianDistribution(-5.0, 1.0)
    d2 = GaussianDistribution(0.0, 1.0)
    d3 = GaussianDistribution(5.0, 1.0)
    taus = [[0.34, 0.33, 0.33], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
    w = [0.4, 0.2, 0.2, 0.2]
    model = HierarchicalMixtureDistribution([d1, d2, d3], w, taus, len_dist=CategoricalDistribution({5: 1.0}))
    return model, model.sampler(seed=1).sample(1000)


def test_hierarchical_as_in_the_seed(hierarchical: tuple[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    model, data = hierarchical
    assert {len(u) for u in data} == {5}
    est = HierarchicalMixtureEstimator([GaussianEstimator()] * 3, 4)
    model_v1 = optimize(data, est, max_its=200, rng=np.random.RandomState(1), print_iter=25)
    print("\n".join([str(u) for u in model_v1.topics]))
    print(f"w: {model_v1.w!s}")
    print(model_v1.taus)
    assert "GaussianDistribution(" in capsys.readouterr().out
    assert sorted(u.mu for u in model_v1.topics) == pytest.approx([-5, 0, 5], abs=0.15)
    truth = HierarchicalMixtureDistribution(model.topics, model.w, model.taus)
    assert sum_of_logs(model_v1, data) > sum_of_logs(truth, data)


def test_hierarchical_with_keys_as_in_the_seed(hierarchical: tuple[Any, Any]) -> None:
    _, data = hierarchical
    est0 = MixtureEstimator([GaussianEstimator()] * 3, keys=(None, "comps"))
    est = MixtureEstimator([SequenceEstimator(est0)] * 4)
    model_v2 = optimize(data, est, 500, rng=np.random.RandomState(1), print_iter=25)
    first = model_v2.components[0].dist.components
    assert all(u.dist.components == first for u in model_v2.components)
    assert sorted(u.mu for u in first) == pytest.approx([-5, 0, 5], abs=0.15)
    assert all(u.dist.keys == (None, "comps") for u in model_v2.components)


def test_keyed_mixture_of_sequences_of_mixtures_is_the_hierarchical_mixture(hierarchical: tuple[Any, Any]) -> None:
    _, data = hierarchical
    direct = HierarchicalMixtureEstimator([GaussianEstimator()] * 3, 4)
    keyed = MixtureEstimator([SequenceEstimator(MixtureEstimator([GaussianEstimator()] * 3, keys=(None, "comps")))] * 4)
    start = initialize(data, direct, 3)
    one, two = trace(data, direct, start, 120), trace(data, keyed, start.to_mixture(), 120)
    np.testing.assert_allclose(one.history, two.history, rtol=1e-11)
    assert one.history[-1] > one.history[0] + 100
    np.testing.assert_allclose(one.model.seq_log_density(data), two.model.seq_log_density(data), rtol=1e-8)
    np.testing.assert_allclose(one.model.seq_posterior(data), two.model.seq_posterior(data), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(one.model.taus, [u.dist.w for u in two.model.components], rtol=1e-6)


# -- joint mixtures ------------------------------------------------------------------------------------------------------


def test_joint_mixture_as_in_the_seed() -> None:
    rng = np.random.RandomState(1)
    d11 = CompositeDistribution([CategoricalDistribution({"a": 1.0, "b": 0.0, "c": 0.0}), GaussianDistribution(mu=-2.0, sigma2=1.0)])
    d12 = CompositeDistribution([CategoricalDistribution({"a": 0.0, "b": 1.0, "c": 0.0}), GaussianDistribution(mu=0.0, sigma2=1.0)])
    d13 = CompositeDistribution([CategoricalDistribution({"a": 0.0, "b": 0.0, "c": 1.0}), GaussianDistribution(mu=2.0, sigma2=1.0)])
    d21 = SequenceDistribution(GaussianDistribution(mu=2.0, sigma2=1.0), PoissonDistribution(3.0))
    d22 = SequenceDistribution(GaussianDistribution(mu=0.0, sigma2=1.0), PoissonDistribution(3.0))
    d23 = SequenceDistribution(GaussianDistribution(mu=-2.0, sigma2=1.0), PoissonDistribution(3.0))
    taus12 = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
    taus21 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    w1 = [0.6, 0.3, 0.1]
    w2 = [0.7, 0.2, 0.1]
    dist = JointMixtureDistribution([d11, d12, d13], [d21, d22, d23], w1, w2, taus12, taus21)
    np.testing.assert_allclose(dist.w2, np.dot(w1, taus12))  # what was passed disagrees, and is replaced
    np.testing.assert_allclose(dist.w2[:, None] * dist.taus21, (dist.w1[:, None] * dist.taus12).T)
    data = dist.sampler(seed=1).sample(10000)
    train_data, valid_data = partition_data(data, [0.9, 0.1], rng)

    est1 = CompositeEstimator([CategoricalEstimator(pseudo_count=1.0), GaussianEstimator()])
    est2 = SequenceEstimator(GaussianEstimator(), PoissonEstimator())
    est = JointMixtureEstimator([est1] * 3, [est2] * 3, pseudo_count=(0.001, 0.001, 0.001))
    value, mm = best_of(train_data, valid_data, est, 5, 300, 0.01, 1.0e-8, rng, print_iter=100)
    assert sum_of_logs(mm, train_data) > sum_of_logs(dist, train_data) - 20  # the labels' pseudo-counts cost a little
    assert value == pytest.approx(sum_of_logs(mm, valid_data), rel=1e-12)
    order1 = sorted(range(3), key=lambda k: mm.components1[k].dists[1].mu)
    order2 = sorted(range(3), key=lambda k: -mm.components2[k].dist.mu)
    np.testing.assert_allclose(mm.w1[order1], w1, atol=0.03)
    np.testing.assert_allclose(mm.taus12[np.ix_(order1, order2)], taus12, atol=0.06)
    print("\n".join(map(str, mm.components1)), "\n".join(map(str, mm.components2)), str(mm.taus12))

    comp1 = MixtureDistribution(mm.components1, mm.w1)
    comp20 = MixtureDistribution(mm.components2, mm.w2)
    x, y = train_data[0]
    old_posterior = comp20.posterior(y)
    new_posterior = np.dot(comp1.posterior(x), mm.taus12)
    new_posterior /= new_posterior.sum()
    comp2 = MixtureDistribution(mm.components2, new_posterior)
    assert old_posterior.sum() == pytest.approx(1)
    np.testing.assert_allclose(comp2.posterior(y), mm.posterior((x, y)).sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(mm.posterior2_given1(x), new_posterior, rtol=1e-12)


# -- heterogeneous mixtures ----------------------------------------------------------------------------------------------


def test_continuous_heterogeneous_mixture_as_in_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    d0 = ExponentialDistribution(beta=5.00)
    d1 = ExponentialDistribution(beta=10.0)
    d2 = LogGaussianDistribution(mu=0.5, sigma2=1.0)
    omodel = HeterogeneousMixtureDistribution([d0, d1, d2], w=[0.1, 0.3, 0.6])
    data = omodel.sampler(1).sample(10000)
    e0 = [ExponentialEstimator()] * 2
    e1 = [LogGaussianEstimator()]
    est = HeterogeneousMixtureEstimator(e0 + e1)
    emodel = optimize(data, est, init_p=1.0, rng=np.random.RandomState(1), max_its=1000, print_iter=100)
    assert sum_of_logs(emodel, data) >= sum_of_logs(omodel, data)
    for i, comp in enumerate(emodel.components):
        print("Component %i: %s" % (i, repr(comp)))  # noqa: UP031
    assert "LogGaussianDistribution(" in capsys.readouterr().out
    assert [type(c) for c in emodel.components] == [type(d) for d in (d0, d1, d2)]
    assert emodel.components[2].mu == pytest.approx(0.5, abs=0.1)


def test_discrete_heterogeneous_mixture_as_in_the_seed() -> None:
    N = 10000
    d1 = SpikeAndSlabDistribution(k=7, min_val=0, num_vals=10, p=0.95)
    d2 = PoissonDistribution(lam=1.0)
    d = HeterogeneousMixtureDistribution([d1, d2], np.ones(2) / 2)
    data = d.sampler(1).sample(N)
    est0 = [SpikeAndSlabEstimator()]
    est1 = [PoissonEstimator()]
    est = HeterogeneousMixtureEstimator(est0 + est1)
    emodel = optimize(data, est, init_p=1.0, rng=np.random.RandomState(1), max_its=1000, print_iter=100)
    spike, poisson = emodel.components
    assert (spike.k, spike.min_val, spike.num_vals) == (7, 0, max(data) + 1)
    assert spike.p == pytest.approx(0.95, abs=0.02)
    assert poisson.lam == pytest.approx(1.0, abs=0.05)
    assert sum_of_logs(emodel, data) >= sum_of_logs(d, data)


def test_other_names_of_the_seed() -> None:
    """`iterate`, `empirical_kl_divergence` and `ops` are imported there; the functions on encoded data go with them."""
    data = GaussianDistribution(1.0, 4.0).sampler(0).sample(500)
    est = MixtureEstimator([GaussianEstimator()] * 2)
    model = iterate(data, est, 5, rng=np.random.RandomState(1))
    encoded = seq_encode(data, estimator=est)
    count, total = seq_log_density_sum(encoded, model)
    assert count == 500
    assert total == pytest.approx(seq_log_density(encoded, model).sum())
    kl, bad1, bad2 = empirical_kl_divergence(GaussianDistribution(1.0, 4.0), GaussianDistribution(1.0, 5.0), encoded)
    assert kl == pytest.approx(0.5 * (4 / 5 - 1 + np.log(5 / 4)), abs=5 * 0.1 * np.sqrt(2 / 500))  # the logarithms differ by z^2 / 10
    assert (bad1, bad2) == (0, 0)
    assert ops.count_by_value(["a", "b", "a"]) == {"a": 2, "b": 1}


# -- maxima of other systems ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["full", "diag"])
@pytest.mark.parametrize("K", [1, 2, 3])
def test_scikit_learn_maxima(kind: str, K: int) -> None:
    case = load("sklearn_gmm_faithful")
    X, best = np.array(case["X"]), case["fits"][f"{kind}_{K}"]
    family = MultivariateGaussianDistribution if kind == "full" else DiagonalGaussianDistribution
    start = MixtureDistribution([family(m, c) for m, c in zip(best["means"], best["covariances"], strict=True)], best["weights"])
    record = dmlcore.fit(X, start.estimator(), start=start)
    assert record.status == "converged"
    np.testing.assert_allclose(record.history, best["loglik"], rtol=1e-9)
    np.testing.assert_allclose([c.covar for c in record.model.components], best["covariances"], rtol=1e-3)
    np.testing.assert_allclose(start.seq_posterior(X[:10]), best["posterior_head"], rtol=1e-6, atol=1e-9)
    assert sum(domain.free(value) for node in [start, *start.components] for _, domain, value in node.parameters()) == best["n_params"]


def test_mixtools_maximum() -> None:
    case = load("mixtools_faithful")
    fit = case["fit"]
    parts = [GaussianDistribution(m, s * s) for m, s in zip(fit["mu"], fit["sigma"], strict=True)]
    start = MixtureDistribution(parts, fit["lambda"])
    record = dmlcore.fit(case["eruptions"], start.estimator(), start=start)
    assert record.status == "converged"
    np.testing.assert_allclose(record.history, fit["loglik"], rtol=1e-12)
    np.testing.assert_allclose(start.seq_posterior(case["eruptions"][:10]), fit["posterior_head"], rtol=1e-6)
    found = dmlcore.fit(case["eruptions"], start.estimator(), rng=1)
    assert found.log_likelihood == pytest.approx(fit["loglik"], abs=1e-8)


def penguin_rows(case: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Lengths and mass standardised as StepMix had them, island and sex."""
    penguins, scale = load_penguins(), case["standardisation"]
    where = [penguins.columns.index(name) for name in case["columns"]]

    def standardised(name: str, value: Any) -> Any:
        return (value - scale["mean"][name]) / scale["sd0"][name] if value is not None and name in scale["mean"] else value

    return [tuple(standardised(name, row[j]) for name, j in zip(case["columns"], where, strict=True)) for row in penguins.rows]


@pytest.mark.parametrize("K", [1, 2, 3, 4])
def test_stepmix_maxima_with_missing_values(K: int) -> None:
    case = load("stepmix_penguins_mixed_nan")
    best, data = case["verified"][str(K)], penguin_rows(case)

    def component(k: int) -> CompositeDistribution:
        parts: list[Any] = []
        for name, values in best["parameters"].items():
            if name in case["codes"]:
                parts.append(CategoricalDistribution(dict(zip(case["codes"][name], values[k], strict=True))))
            else:
                parts.append(GaussianDistribution(values["mean"][k], values["var"][k]))
        return CompositeDistribution([OptionalDistribution(part, p=None) for part in parts])

    start = MixtureDistribution([component(k) for k in range(K)], best["weights"])
    assert sum_of_logs(start, data) == pytest.approx(best["loglik"], rel=1e-9)
    record = dmlcore.fit(data, start.estimator(), start=start, max_its=200)
    assert record.status in ("converged", "iteration limit")
    assert best["loglik"] - 1e-6 <= record.log_likelihood <= best["loglik"] * (1 - 1e-6)
