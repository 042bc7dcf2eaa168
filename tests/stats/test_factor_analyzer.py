"""Gaussian vectors with a few factors: against scikit-learn, closed forms, and what a Gaussian of that covariance is."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import FactorAnalysis

import dmlcore
from dmlcore.base.errors import DataError, DegenerateError, ParameterError
from dmlcore.core.flat import flatten, n_parameters, unflatten
from dmlcore.stats import (
    FactorAnalyzerDistribution,
    FactorAnalyzerEstimator,
    MixtureEstimator,
    MultivariateGaussianDistribution,
)
from dmlcore.stats.multivariate.factor_analyzer import SPECIFIC_FLOOR, most_factors

rng = np.random.default_rng(3)
LOADINGS = rng.normal(size=(7, 2))
X = rng.normal(size=(150, 2)) @ LOADINGS.T + rng.normal(size=(150, 7)) * [0.5, 1.0, 0.7, 0.9, 0.6, 1.2, 0.8] + 10.0


def banknotes() -> np.ndarray:
    path = Path(__file__).parents[2] / "benchmarks" / "convergence" / "data" / "banknote.csv"
    return np.array([[float(v) for v in line.split(",")[:6]] for line in path.read_text("utf-8").split()[1:]])


@pytest.mark.parametrize(("rows", "q"), [(X, 2), (banknotes(), 1)])
def test_scikit_learn(rows: np.ndarray, q: int) -> None:
    theirs = FactorAnalysis(q, tol=1e-10, max_iter=20_000, svd_method="lapack").fit(rows)
    found = dmlcore.fit(rows, FactorAnalyzerEstimator(q))
    law: Any = found.model
    assert found.status == "converged"
    assert found.log_likelihood == pytest.approx(theirs.score(rows) * len(rows), abs=1e-6)
    np.testing.assert_allclose(law.covar, theirs.get_covariance(), atol=1e-4)
    scores, others = law.factor_scores(rows), theirs.transform(rows)
    np.testing.assert_allclose(scores @ scores.T, others @ others.T, atol=1e-3)
    d = rows.shape[1]
    assert n_parameters(law) == len(flatten(law)) == d + d * q - q * (q - 1) // 2 + d


def test_a_variance_at_its_floor() -> None:
    """A Heywood case: where scikit-learn is after 1,000 steps of EM is below, and rises."""
    rows = banknotes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = FactorAnalysis(2, tol=1e-12, max_iter=1000, svd_method="lapack").fit(rows)
    found = dmlcore.fit(rows, FactorAnalyzerEstimator(2))
    assert found.model.psi.min() == pytest.approx(SPECIFIC_FLOOR * rows.var(axis=0)[5])
    assert 0 < found.log_likelihood - theirs.score(rows) * len(rows) < 0.1
    assert found.status == "converged"


def test_no_small_change_is_better() -> None:
    for rows, q in ((X, 2), (X[:6], 1)):  # fewer rows than coordinates will do
        law: Any = dmlcore.fit(rows, FactorAnalyzerEstimator(q)).model
        here, best = flatten(law), law.seq_log_density(rows).sum()
        free = np.abs(law.psi / (SPECIFIC_FLOOR * rows.var(axis=0)) - 1) > 1e-6
        where = np.r_[np.ones(len(here) - 7, dtype=bool), free]
        for direction in rng.normal(size=(30, len(here))):
            assert unflatten(here + 1e-4 * direction * where, law).seq_log_density(rows).sum() <= best + 1e-9 * abs(best)


def test_it_is_the_gaussian_of_its_covariance() -> None:
    law = FactorAnalyzerDistribution(np.arange(3.0), [[1.0, 2.0], [0.5, -1.0], [0.0, 3.0]], [0.5, 1.0, 2.0])
    plain = MultivariateGaussianDistribution(law.mu, law.covar)
    rows = rng.normal(size=(5, 3))
    np.testing.assert_allclose(law.seq_log_density(rows), plain.seq_log_density(rows), rtol=1e-12)
    np.testing.assert_allclose(law.covar, [[5.5, -1.5, 6.0], [-1.5, 2.25, -3.0], [6.0, -3.0, 11.0]], rtol=1e-12)
    assert law.loadings[0, 1] == 0
    assert np.diag(law.loadings).min() >= 0
    known = (dmlcore.UNKNOWN, 0.3, dmlcore.UNKNOWN)
    one, other = dmlcore.condition(law, known), dmlcore.condition(plain, known)
    np.testing.assert_allclose(one.mean(), other.mean())
    assert dmlcore.marginal(law, 1).variance() == pytest.approx(2.25)
    draws = law.sample(20_000, rng=1)
    np.testing.assert_allclose(np.cov(draws.T), law.covar, atol=0.4)


def test_mixtures_with_own_and_with_common_parts() -> None:
    rows = np.concatenate([X, X[:80] * 0.5 + rng.normal(size=(80, 7)) + 20.0])
    start = np.repeat([0, 1], [150, 80])
    for tied, shared in (({}, 0), ({"psi": True}, 7), ({"loadings": True, "psi": True}, 7 + 13), ({"loadings": True}, 13)):
        found = dmlcore.fit(rows, MixtureEstimator([FactorAnalyzerEstimator(2, tied=tied)] * 2), start=start, max_its=12)
        assert (np.diff(found.history) >= -1e-8).all()
        assert n_parameters(found.model) == 2 * (7 + 13 + 7) + 1 - shared
        one, other = found.model.components
        assert all((getattr(one, part) == getattr(other, part)).all() for part in tied)


def test_what_is_refused() -> None:
    assert [most_factors(d) for d in (1, 2, 3, 4, 5, 6, 9, 10)] == [0, 0, 1, 1, 2, 3, 5, 6]
    with pytest.raises(ParameterError, match="num_factors must be at most 1 for vectors of 4, got 2"):
        FactorAnalyzerEstimator(2, 4)
    with pytest.raises(DataError, match="must be left out"):
        dmlcore.fit([[1.0, 2.0], [2.0, 0.0], [0.0, 1.0]], FactorAnalyzerEstimator(1))
    with pytest.raises(ParameterError, match="a row for each coordinate"):
        FactorAnalyzerDistribution([0.0, 1.0], [[1.0], [2.0]], [1.0, 1.0, 1.0])
    with pytest.raises(ParameterError, match="no more columns than rows"):
        FactorAnalyzerDistribution([0.0], [[1.0, 2.0]], [1.0])
    with pytest.raises(DegenerateError, match="coordinate 1 is constant"):
        dmlcore.fit([[1.0, 2.0, 3.0], [2.0, 2.0, 1.0], [4.0, 2.0, 0.0]], FactorAnalyzerEstimator())
