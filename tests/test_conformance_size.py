"""What every family must satisfy whatever the size of the data: one row more than the search's sample, two rows, many equal rows.

Over the registry in `tests/examples.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dmlcore.fitting.search as searching
from dmlcore import fit
from dmlcore.core.errors import DmlcoreError
from dmlcore.fitting.problem import Problem
from dmlcore.stats import MixtureEstimator
from tests.examples import BY_NAME
from tests.test_conformance_fitting import Case, added, assert_same, cases, is_fitted, is_latent

# -- more rows than the sample in which optima are sought (31) -----------------------------------------------------------


@cases("plain", lambda e: is_fitted(e) and e.name != "optional always")
def test_statistics_of_a_sample_and_of_all_rows_add(case: Case) -> None:
    """A mixture found in a sample, with a faint share of all rows, gives every row a density."""
    problem = Problem(case.rows(201), MixtureEstimator([case.estimator] * 2))
    small = problem.sample(20, np.random.default_rng(0))
    model = small.start(np.random.default_rng(1), 1.0)
    whole = problem.maximise(problem.faintly(small.expect(model)[1], searching.FAINT * small.share), model)
    assert np.isfinite(problem.log_likelihood(whole))
    alone = small.maximise(small.expect(model)[1], model)
    assert small.log_likelihood(whole) == pytest.approx(small.log_likelihood(alone), rel=1e-3)  # the share is faint


@cases("plain")
def test_statistics_of_some_rows_and_of_the_rest_are_those_of_all(case: Case) -> None:
    rows = case.rows(90)
    problem = Problem(rows, case.estimator)
    some, rest, whole = (problem.on(part).expect(case.law)[1] for part in (rows[:20], rows[20:], rows))
    assert_same(added(some, rest), whole, 1e-12)


@cases("plain", lambda e: is_fitted(e) and is_latent(e))
def test_one_row_more_than_the_sample_fits(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "ROWS", 60)
    record = fit(case.rows(61), case.estimator, rng=1, starts=2, max_its=3, time_limit=0.02)
    assert np.isfinite(record.log_likelihood)


@pytest.mark.parametrize("name", ["gated mixture", "gamma regression", "partial gaussian"])
def test_one_row_more_than_the_sample_of_the_default_fits(name: str) -> None:
    estimator, rows = BY_NAME[name].estimator, BY_NAME[name].data(searching.ROWS + 1)
    if name == "partial gaussian":
        rows = [[None if i % 10 == 0 else x[0], x[1]] for i, x in enumerate(rows)]
    mixture = estimator if name == "gated mixture" else MixtureEstimator([estimator] * 2)
    assert np.isfinite(fit(rows, mixture, rng=1, starts=2, max_its=3, time_limit=0.02).log_likelihood)


# -- two rows, and the same rows many times ------------------------------------------------------------------------------


@cases("plain")
@pytest.mark.parametrize("K", [1, 2])
def test_two_rows_are_fitted_or_refused_in_words(case: Case, K: int) -> None:
    estimator: Any = case.estimator if K == 1 else MixtureEstimator([case.estimator] * K)
    try:
        record = fit(case.rows(2, 3), estimator, rng=1, starts=2, max_its=20, time_limit=0.02)
    except DmlcoreError:
        return
    assert record.log_likelihood < np.inf


@cases("plain")
def test_rows_repeated_a_hundred_times_have_the_same_optimum(case: Case) -> None:
    rows = case.rows(12, 3)
    one, many = (fit(x, case.estimator, start=case.law, max_its=5, delta=0.0) for x in (rows, [x for x in rows for _ in range(100)]))
    np.testing.assert_allclose(many.history, 100 * np.array(one.history), rtol=1e-9)
