"""Where a default call ends: published optima, humps far apart, rare rows, small components, and what a call may spend."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.fitting.ascent import ascend, begun
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.seeding import Descriptions, shares_apart
from dmlcore.fitting.starts import stack_of_starts
from dmlcore.fitting.support import share_left
from dmlcore.stats import (
    BinomialEstimator,
    ExponentialEstimator,
    GammaEstimator,
    GatedMixtureEstimator,
    GaussianDistribution,
    GaussianEstimator,
    GeometricEstimator,
    HierarchicalMixtureEstimator,
    LogGaussianEstimator,
    LogisticRegressionEstimator,
    MixtureDistribution,
    MixtureEstimator,
    NegativeBinomialEstimator,
    PoissonEstimator,
)
from tests.reference import load


def gaussians(K: int) -> MixtureEstimator:
    return MixtureEstimator([GaussianEstimator()] * K)


def descriptions_of(problem: Problem) -> Descriptions:
    return Descriptions(problem.estimator, problem.encoded.column, np.random.default_rng(1))


# -- published optima --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", load("galaxies")["published"], ids=lambda case: str(case["components"]))
def test_galaxies_end_where_mclust_does_three_galaxies_are_a_cluster(case: dict[str, Any]) -> None:
    record = fit(np.array(load("galaxies")["x"]), gaussians(case["components"]), rng=0)
    assert record.log_likelihood == pytest.approx(case["log_likelihood"], abs=1e-3)
    assert record.converged


def test_a_gate_that_separates_is_an_optimum_and_said_to_be_at_the_limit() -> None:
    """The best optimum of tribolium has a gate whose coefficients run off; flexmix stops short of it."""
    case = load("flexmix_tribolium")
    leaf = LogisticRegressionEstimator(trials=True, names=("confusum", "madens"), tied={"confusum": "a", "madens": "b"})
    columns = (case["replicate"], case["confusum"], case["madens"], case["y"], case["n"])
    rows = [([float(z)], ([float(c), float(m)], y, n)) for z, c, m, y, n in zip(*columns, strict=True)]
    record = fit(rows, GatedMixtureEstimator([leaf] * 3), rng=1)
    assert record.log_likelihood == pytest.approx(case["log_likelihood"], abs=1e-3)
    assert record.status == "degenerate"
    assert "separate" in record.message


# -- two humps of every univariate family ------------------------------------------------------------------------------------


def counts(rng: np.random.Generator, mean: float) -> np.ndarray:
    return rng.negative_binomial(3, 3 / (3 + mean), 150)


HUMPS: dict[str, Any] = {
    "gaussian": (GaussianEstimator(), lambda rng, ratio: rng.normal(0, 1, 150), lambda rng, ratio: rng.normal(8, ratio / 10, 150)),
    "log gaussian": (LogGaussianEstimator(), lambda rng, r: rng.lognormal(0, 0.2, 150), lambda rng, r: rng.lognormal(np.log(r), 0.2, 150)),
    "exponential": (ExponentialEstimator(), lambda rng, r: rng.exponential(1, 150), lambda rng, r: rng.exponential(r, 150)),
    "gamma": (GammaEstimator(), lambda rng, r: rng.gamma(20, 1 / 20, 150), lambda rng, r: rng.gamma(20, r / 20, 150)),
    "poisson": (PoissonEstimator(), lambda rng, r: rng.poisson(3, 150), lambda rng, r: rng.poisson(3 * r, 150)),
    "geometric": (GeometricEstimator(), lambda rng, r: rng.geometric(0.5, 150), lambda rng, r: rng.geometric(0.5 / r, 150)),
    "negative binomial": (NegativeBinomialEstimator(), lambda rng, r: counts(rng, 3), lambda rng, r: counts(rng, 3 * r)),
    "binomial": (
        BinomialEstimator(max_val=500),
        lambda rng, r: rng.binomial(500, 0.005, 150),
        lambda rng, r: rng.binomial(500, 0.005 * r, 150),
    ),
}


@pytest.mark.parametrize("ratio", [2, 10, 100])
@pytest.mark.parametrize("family", HUMPS)
def test_two_humps_are_found(family: str, ratio: int) -> None:
    """Equal components are a local maximum for some families, not a saddle; random starts lie near it."""
    leaf, near, far = HUMPS[family]
    rng = np.random.default_rng(ratio)
    x = np.concatenate([near(rng, ratio), far(rng, ratio)])
    two = MixtureEstimator([leaf] * 2)
    best = fit(x, two, start=np.repeat([0, 1], 150)).log_likelihood
    assert fit(x, two, rng=0).log_likelihood >= best - 1e-3


def test_starts_lie_apart_at_every_latent_node() -> None:
    """Topics begin at different elements, not all near the mean of all."""
    rng = np.random.default_rng(1)
    rows = rng.choice([-9.0, 0.0, 9.0], (60, 5)) + rng.normal(size=(60, 5))
    problem = Problem.of(rows.tolist(), HierarchicalMixtureEstimator([GaussianEstimator()] * 3, 2))
    one = problem.stacked(1)
    start = stack_of_starts(one, [np.random.default_rng(0)], ["far"], descriptions_of(problem))
    mu = sorted(topic.mu for topic in one.stacking.model(start, (0,)).topics)
    np.testing.assert_allclose(mu, [-9, 0, 9], atol=1.0)


def test_rows_that_are_all_alike_are_shared_out_at_random() -> None:
    problem = Problem.of(np.ones(50, dtype=int), MixtureEstimator([PoissonEstimator()] * 2))
    shares = shares_apart(np.random.default_rng(0), descriptions_of(problem), "far")(2, 50)
    assert shares.shape == (2, 50)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)


# -- rows that the sample never sees -----------------------------------------------------------------------------------------


def test_a_rare_far_cluster_among_many_rows_is_found() -> None:
    rng = np.random.default_rng(1)
    z = rng.choice(3, 60_000, p=[0.6, 0.3994, 0.0006])
    x = np.array([0.0, 6.0, 100.0])[z] + rng.normal(size=len(z))
    best = fit(x, gaussians(3), start=z).log_likelihood
    assert fit(x, gaussians(3), rng=0).log_likelihood == pytest.approx(best, abs=1e-3)


def test_a_sample_with_certain_rows_stands_for_all() -> None:
    x = np.random.default_rng(0).normal(size=9000)
    x[:5] = 50.0
    small = Problem.of(x, gaussians(2)).sample(1000, np.random.default_rng(1), np.arange(5))
    weights = small.rows.each_weight
    assert len(small.encoded) <= 1000
    assert weights[:5].sum() / weights.sum() == pytest.approx(5 / 9000)
    np.testing.assert_array_equal(small.encoded.column.x[:5], 50.0)


# -- which optimum is a spike ------------------------------------------------------------------------------------------------


def kept(x: np.ndarray, law: MixtureDistribution, k: int) -> float:
    problem = Problem.of(x, gaussians(len(law.components)))
    logs, shares = law.seq_component_log_density(problem.encoded), law.seq_posterior(problem.encoded)
    return share_left(problem, k, law.components[k], shares[:, k], logs[:, k])


def test_what_a_component_adds_lasts_if_it_is_there_and_not_if_it_is_a_spike() -> None:
    """By hand: each row again under the mean and variance of the others of its component."""
    x = np.concatenate([np.random.default_rng(0).normal(0, 1, 60), [20.0, 21.0, 22.5], [0.5, 0.5001]])
    three = x[60:63]
    rest = GaussianDistribution(0.0, 1.0)
    cluster = MixtureDistribution([rest, GaussianDistribution(three.mean(), three.var())], [62 / 65, 3 / 65])
    assert kept(x, cluster, 1) > 0.5
    spike = MixtureDistribution([rest, GaussianDistribution(0.50005, 2.5e-9)], [63 / 65, 2 / 65])
    assert kept(x, spike, 1) < 0.1


def test_a_search_prefers_an_optimum_that_is_no_spike() -> None:
    x = np.concatenate([np.random.default_rng(2).normal(0, 1, 80), [0.70000, 0.70003]])
    record = fit(x, gaussians(2), rng=0)
    assert min(c.sigma2 for c in record.model.components) > 1e-4
    problem = Problem.of(x, gaussians(2))
    spike = MixtureDistribution([GaussianDistribution(0.0, 1.0), GaussianDistribution(0.700015, 2.25e-10)], [0.97, 0.03])
    *_, state = islice(ascend(begun(problem, spike), accelerate=False), 4)
    assert state.weakly_supported
    assert state.objective > record.objective[-1]


# -- what a call may spend ---------------------------------------------------------------------------------------------------


def test_max_its_bounds_the_search_too() -> None:
    x = np.random.default_rng(0).normal(np.repeat([0, 4, 9, 15], 50), 1)
    record = fit(x, gaussians(4), rng=0, max_its=3)
    assert record.iterations <= 3
    assert record.searched <= 2 * 48 * 3
    assert all(start.steps <= 3 for start in record.starts)


def test_a_time_limit_holds_while_moves_are_judged() -> None:
    x = np.random.default_rng(0).normal(np.repeat(np.arange(30) * 5.0, 10), 1)
    began = time.perf_counter()
    record = fit(x, gaussians(30), rng=0, time_limit=1.0)
    assert record.status == "time limit"
    assert time.perf_counter() - began < 30  # without a limit it goes on for minutes
