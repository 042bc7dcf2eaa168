"""Gaussian vectors with missing coordinates: closed forms, a direct maximiser, the plain family on complete data, imputation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from dmlcore import UNKNOWN, condition, fit, impute, marginal
from dmlcore.base.errors import DataError, DegenerateError
from dmlcore.fitting.problem import Problem
from dmlcore.io.json import from_json, to_json
from dmlcore.stats import (
    CompositeDistribution,
    CompositeEstimator,
    MixtureDistribution,
    MixtureEstimator,
    MultivariateGaussianDistribution,
    MultivariateGaussianEstimator,
    PartialGaussianDistribution,
    PartialGaussianEstimator,
    PoissonDistribution,  # noqa: F401 (evaluated from repr)
    PoissonEstimator,
)
from dmlcore.stats.multivariate import partial_vectors

MU, S = np.array([1.0, -2.0, 0.5]), np.array([[2.0, 0.6, -0.3], [0.6, 0.5, 0.1], [-0.3, 0.1, 1.2]])
LAW = PartialGaussianDistribution(MU, S)
nan = math.nan


def with_holes(n: int, seed: int, share: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    x = LAW.sample(n, rng=seed)
    holes = np.random.default_rng(seed + 1).random(x.shape) < share
    return x, np.where(holes, nan, x)


def observed_log_likelihood(data: np.ndarray, mu: np.ndarray, covar: np.ndarray) -> float:
    """Row by row, with scipy."""
    total = 0.0
    for row in data:
        o = np.flatnonzero(~np.isnan(row))
        if len(o):
            total += scipy.stats.multivariate_normal(mu[o], covar[np.ix_(o, o)]).logpdf(row[o])
    return total


def test_the_density_is_that_of_the_known_coordinates() -> None:
    _, data = with_holes(60, 1)
    data[:3] = [[nan, nan, nan], [1.0, nan, nan], [1.0, 2.0, 3.0]]
    assert LAW.seq_log_density(data).sum() == pytest.approx(observed_log_likelihood(data, MU, S), rel=1e-12)
    assert LAW.log_density([None, None, None]) == 0.0
    assert LAW.log_density((None, 1.0, nan)) == LAW.log_density([nan, 1.0, None]) == pytest.approx(marginal(LAW, 1).log_density(1.0))
    assert LAW.log_density([math.inf, nan, 0.0]) == -math.inf
    assert LAW.log_density([math.inf, 1.0, 0.0]) == -math.inf
    assert not np.isnan(LAW.sample(50, rng=1)).any()


def test_complete_data_give_the_plain_model_to_the_bit() -> None:
    x = np.concatenate([LAW.sample(900, rng=2), LAW.sample(600, rng=3) + 4.0])
    plain = fit(x, MultivariateGaussianEstimator()).model
    partial = fit(x, PartialGaussianEstimator()).model
    assert isinstance(partial, PartialGaussianDistribution)
    assert partial.mu.tobytes() == plain.mu.tobytes()  # type: ignore[attr-defined]
    assert partial.covar.tobytes() == plain.covar.tobytes()  # type: ignore[attr-defined]
    kinds: Any = (MultivariateGaussianEstimator, PartialGaussianEstimator)
    one, two = (fit(x, MixtureEstimator([kind()] * 3), rng=5, starts=1, max_its=30) for kind in kinds)
    assert one.history == two.history
    for a, b in zip(one.model.components, two.model.components, strict=True):  # type: ignore[attr-defined]
        assert a.covar.tobytes() == b.covar.tobytes()


@pytest.mark.parametrize(("n", "d", "kinds"), [(60, 5, 60), (90, 4, 3), (400, 3, 8), (1, 3, 1), (30, 1, 2)])
@pytest.mark.parametrize("numbers", [1 << 18, 40])
def test_a_step_against_row_by_row_regressions(monkeypatch: Any, n: int, d: int, kinds: int, numbers: int) -> None:
    """Rows of one pattern or of many, in batches of any size: expected moments from each row's conditional law, by solving."""
    monkeypatch.setattr(partial_vectors, "BATCH", numbers)
    rng = np.random.default_rng(n)
    A = rng.normal(size=(d, d))
    law = PartialGaussianDistribution(rng.normal(size=d), A @ A.T + 0.1 * np.eye(d))
    patterns = rng.random((kinds, d)) < 0.6
    patterns[0] = n == 1  # a row of which nothing is known, among many
    x = np.where(patterns[rng.integers(kinds, size=n)], law.sample(n, rng=rng), nan)
    w = rng.random(n)
    filled, rest, log = np.empty((n, d)), np.zeros((d, d)), np.zeros(n)
    for i, row in enumerate(x):
        o, m = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
        inside = law.covar[np.ix_(o, o)]
        slope = np.linalg.solve(inside, law.covar[np.ix_(o, m)]).T
        filled[i, o], filled[i, m] = row[o], law.mu[m] + slope @ (row[o] - law.mu[o])
        rest[np.ix_(m, m)] += w[i] * (law.covar[np.ix_(m, m)] - slope @ law.covar[np.ix_(o, m)])
        log[i] = scipy.stats.multivariate_normal(law.mu[o], inside).logpdf(row[o]) if len(o) else 0.0
    problem = Problem.of(x, PartialGaussianEstimator(pseudo_count=(1.0, 1.0), suff_stat=(law.mu, law.covar)), weights=w)
    total, (own,) = problem.expect(law)
    mean = w @ filled / w.sum()
    np.testing.assert_allclose(law.seq_log_density(x), log, rtol=1e-10, atol=1e-10)
    assert total == pytest.approx(w @ log, rel=1e-10)
    np.testing.assert_allclose(own.mean, mean, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(own.m2, (filled - mean).T * w @ (filled - mean) + rest, rtol=1e-10, atol=1e-10)


def test_steps_on_many_patterns_take_no_work_in_python_per_row(monkeypatch: Any) -> None:
    _, data = with_holes(4000, 12, 0.5)
    calls = []
    factor = np.linalg.cholesky
    monkeypatch.setattr(np.linalg, "cholesky", lambda *args: calls.append(1) or factor(*args))
    Problem.of(data, PartialGaussianEstimator()).expect(LAW)
    assert len(calls) < 20


def test_a_monotone_pattern_has_a_closed_form() -> None:
    """The last coordinate missing in some rows (Anderson 1957): the regression of the complete rows, at the moments of all rows."""
    x = LAW.sample(400, rng=4)
    x[150:, 2] = nan
    got: Any = fit(x, PartialGaussianEstimator(), delta=1e-13, max_its=5000).model
    first, complete = x[:, :2], x[:150]
    mean, spread = first.mean(axis=0), np.cov(first.T, bias=True)
    within = np.cov(complete.T, bias=True)
    slope = np.linalg.solve(within[:2, :2], within[:2, 2])
    np.testing.assert_allclose(got.mu[:2], mean, rtol=1e-9)
    np.testing.assert_allclose(got.covar[:2, :2], spread, rtol=1e-9)
    assert got.mu[2] == pytest.approx(complete[:, 2].mean() + slope @ (mean - complete[:, :2].mean(axis=0)), rel=1e-5)
    np.testing.assert_allclose(got.covar[:2, 2], spread @ slope, rtol=1e-4)
    rest = within[2, 2] - slope @ within[:2, :2] @ slope
    assert got.covar[2, 2] == pytest.approx(rest + slope @ spread @ slope, rel=1e-5)


def test_the_maximum_against_a_direct_maximiser() -> None:
    _, data = with_holes(30, 6)
    result = fit(data, PartialGaussianEstimator(), delta=1e-12, max_its=5000)
    law: Any = result.model
    best = observed_log_likelihood(data, law.mu, law.covar)
    assert result.log_likelihood == pytest.approx(best, rel=1e-12)
    assert np.diff(result.history).min() > -1e-9

    def loss(v: np.ndarray) -> float:
        factor = np.zeros((3, 3))
        factor[np.tril_indices(3)] = v[3:]
        return -observed_log_likelihood(data, v[:3], factor @ factor.T + 1e-12 * np.eye(3))

    start = np.concatenate([law.mu, np.linalg.cholesky(law.covar)[np.tril_indices(3)]])
    found = scipy.optimize.minimize(loss, start + 0.02, method="BFGS", options={"gtol": 1e-4})
    assert best >= -found.fun - 1e-6


def test_a_mixture_with_holes_finds_the_truth_and_fills_them() -> None:
    truth = MixtureDistribution([LAW, PartialGaussianDistribution([8.0, 3.0, -4.0], np.eye(3))], [0.6, 0.4])
    x = truth.sample(3000, rng=7)
    holes = np.random.default_rng(8).random(x.shape) < 0.25
    data = np.where(holes, nan, x)
    result = fit(data, MixtureEstimator([PartialGaussianEstimator()] * 2), rng=1)
    model: Any = result.model
    assert np.diff(result.history).min() > -1e-8
    k = int(np.argmax(model.w))
    np.testing.assert_allclose(model.components[k].mu, MU, atol=0.15)
    np.testing.assert_allclose(model.components[k].covar, S, atol=0.3)
    assert model.w[k] == pytest.approx(0.6, abs=0.03)
    filled = impute(model, data).data
    error = np.sqrt(np.mean((filled - x)[holes] ** 2))
    assert error < 0.5 * np.sqrt(np.mean((np.nanmean(data, axis=0) - x)[holes] ** 2))
    assert condition(model, [UNKNOWN, 3.0, -4.0]).mean() == pytest.approx(8.0, abs=0.3)


def test_in_records_with_keys_and_priors() -> None:
    _, data = with_holes(300, 9)
    counts = np.random.default_rng(9).poisson(3.0, 300).tolist()
    rows = [(list(v), count) for v, count in zip(data, counts, strict=True)]
    estimator = CompositeEstimator((PartialGaussianEstimator(3, pseudo_count=(5.0, 5.0), suff_stat=(MU, S)), PoissonEstimator()))
    result = fit(rows, estimator, delta=1e-11, max_its=500)
    assert np.diff(result.history).min() > -1e-3
    law: Any = result.model
    assert isinstance(law, CompositeDistribution)
    np.testing.assert_allclose(law.dists[0].mu, MU, atol=0.3)
    assert from_json(to_json(law)) == law
    assert (
        eval(repr(law), {name: globals()[name] for name in ("CompositeDistribution", "PartialGaussianDistribution", "PoissonDistribution")})
        == law
    )
    assert isinstance(LAW.estimator(), PartialGaussianEstimator)
    assert MultivariateGaussianDistribution(MU, S) != LAW


def test_a_mark_in_place_of_a_vector_says_that_nothing_is_known() -> None:
    assert LAW.seq_log_density([None, [1.0, 2.0, 3.0], nan])[[0, 2]].tolist() == [0.0, 0.0]
    rows = [[1.0, 2.0], [2.0, None], [0.0, 5.0], [3.0, 1.0]]
    assert (
        fit([None, *rows], PartialGaussianEstimator(), rng=1).model == fit([[None, None], *rows], PartialGaussianEstimator(), rng=1).model
    )


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match="row 1"):
        LAW.seq_log_density([[1.0, nan, 2.0], [1.0, "x", 2.0]])
    with pytest.raises(DataError, match="vectors of 3"):
        LAW.seq_log_density([[1.0, nan], [1.0, 2.0]])
    with pytest.raises(DataError, match="row 0"):
        LAW.log_density("abc")
    with pytest.raises(DegenerateError, match="coordinate 2 is constant"):
        fit([[1.0, 2.0, nan], [2.0, 5.0, nan], [4.0, 1.0, nan], [3.0, 3.0, nan]], PartialGaussianEstimator())
    with pytest.raises(DegenerateError):
        fit([[1.0, nan], [1.0, 3.0]], PartialGaussianEstimator())
