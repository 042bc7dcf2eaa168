"""Rankings against sums over all of them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import DataError, ParameterError
from dmlcore.stats import MixtureEstimator, SpearmanRankingDistribution, SpearmanRankingEstimator
from dmlcore.stats.multivariate.spearman_ranking import distance_moments, rankings_at_distance


def everyone(d: int) -> np.ndarray:
    return np.array(list(itertools.permutations(range(d))), dtype=np.float64)


@pytest.mark.parametrize("d", [1, 2, 3, 6])
@pytest.mark.parametrize("rho", [0.0, 0.13, 2.0, 900.0])
def test_law_and_moments_are_sums_over_all_rankings(d: int, rho: float) -> None:
    x, sigma = everyone(d), np.random.default_rng(d).permutation(d)
    law = SpearmanRankingDistribution(sigma, rho)
    weights = np.exp(-rho * ((x - sigma) ** 2).sum(axis=1))
    p = np.exp(law.seq_log_density(x))
    np.testing.assert_allclose(p, weights / weights.sum(), atol=1e-15)
    np.testing.assert_allclose(law.mean(), p @ x, atol=1e-12)
    assert law.mode().tolist() == sigma.tolist()
    assert law.entropy() == pytest.approx(-sum(q * np.log(q) for q in p if q > 0), abs=1e-12)
    np.testing.assert_allclose(np.unique(law.sample(50, rng=1).sum(axis=1)), [d * (d - 1) / 2])


def test_numbers_of_rankings_at_each_distance() -> None:
    for d in (1, 2, 4, 7):
        apart = ((everyone(d) - np.arange(d)) ** 2).sum(axis=1)
        assert np.bincount((apart / 2).astype(int)).tolist() == rankings_at_distance(d).tolist()
    assert rankings_at_distance(12).sum() == 479001600
    assert distance_moments(12, 0.0)[1] == pytest.approx(12 * 143 / 6)  # the mean of Spearman's distance (Kendall 1948)


def test_estimates_are_the_best_of_all_centres_and_of_many_rhos() -> None:
    rows = SpearmanRankingDistribution([2, 0, 3, 1], 0.1).sample(60, rng=1)
    law: Any = fit(rows, SpearmanRankingEstimator(4)).model
    top = law.seq_log_density(rows).sum()
    for sigma in everyone(4):
        for rho in (*np.linspace(0.0, 0.5, 21), law.rho):
            assert SpearmanRankingDistribution(sigma, rho).seq_log_density(rows).sum() <= top + 1e-9
    apart = ((rows - law.sigma) ** 2).sum(axis=1).mean()
    assert distance_moments(4, law.rho)[1] == pytest.approx(apart, rel=1e-10)


def test_a_prior_is_pseudo_rankings() -> None:
    rows, more = [[0, 1, 2], [0, 2, 1], [0, 1, 2]], [[2, 1, 0], [2, 0, 1]]
    one = fit(rows, SpearmanRankingEstimator(3, 2.0, np.mean(more, axis=0))).model
    assert one == fit(rows + more, SpearmanRankingEstimator(3)).model
    even = fit([[0, 1, 2], [2, 1, 0]], SpearmanRankingEstimator(3)).model
    assert even.rho == 0.0
    same = fit(rows[:1] * 4, SpearmanRankingEstimator(3))
    assert (same.model.rho, same.status) == (15.0, "converged")


def test_a_mixture_finds_two_centres() -> None:
    laws = [SpearmanRankingDistribution([0, 1, 2, 3, 4, 5], 0.15), SpearmanRankingDistribution([5, 4, 3, 2, 1, 0], 0.1)]
    rows = np.concatenate([law.sample(n, rng=1) for law, n in zip(laws, (300, 200), strict=True)])
    record = fit(rows, MixtureEstimator([SpearmanRankingEstimator(6)] * 2), rng=1)
    found: Any = sorted(record.model.components, key=lambda law: law.sigma[0])
    assert [law.sigma.tolist() for law in found] == [law.sigma.tolist() for law in laws]
    np.testing.assert_allclose([law.rho for law in found], [0.15, 0.1], rtol=0.15)


def test_what_is_no_ranking_is_named() -> None:
    for sigma in ([0, 0, 1], [1, 2, 3], [0.5, 1.0], list(range(16)), []):
        with pytest.raises(ParameterError, match="a ranking"):
            SpearmanRankingDistribution(sigma)
    for spread in ([0.0, 0.5, 2.0], [-1.0, 2.0, 2.0], [1.0, 1.0]):
        with pytest.raises(ParameterError, match="mean ranks"):
            SpearmanRankingEstimator(3, 1.0, spread)
    with pytest.raises(ParameterError, match="1 to 15"):
        SpearmanRankingEstimator(16)
    with pytest.raises(DataError, match=r"row 1 .*\[1, 2, 3\].*holds each of"):
        fit([[0, 1, 2], [1, 2, 3]], SpearmanRankingEstimator(3))
