"""What every family must satisfy whatever the size of the data (one row more than the search's sample, two rows, many equal rows), and
wherever it travels: what is fixed for a fit survives a pickle, a copy and another process.

Over the registry in `tests/examples.py`.
"""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

import dmlcore.fitting.search as searching
from dmlcore import OnlineEM, fit
from dmlcore.base.errors import DegenerateError, DmlcoreError
from dmlcore.core.keys import Ties, log_prior, maximise, preorder
from dmlcore.fitting.ascent import ascend, begun
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.starts import random_start, with_all_rows
from dmlcore.stats import CategoricalEstimator, CompositeEstimator, GaussianEstimator, MixtureEstimator
from tests.examples import BY_NAME, EXAMPLES
from tests.test_conformance_fitting import Case, added, assert_same, cases, is_fitted, is_latent

# -- more rows than the sample in which optima are sought (31) -----------------------------------------------------------


@cases("plain", lambda e: is_fitted(e) and e.name != "optional always")
def test_statistics_of_a_sample_and_of_all_rows_add(case: Case) -> None:
    """A mixture found in a sample, with a faint share of all rows, gives every row a density."""
    problem = Problem.of(case.rows(201), MixtureEstimator([case.estimator] * 2))
    small = problem.sample(20, np.random.default_rng(0))
    model = random_start(small, np.random.default_rng(1), 1.0)
    everywhere = problem.downweighted(searching.ALL_ROWS_SHARE * small.rows.share)
    whole = problem.maximise(with_all_rows(small.expect(model)[1], everywhere), model)
    assert np.isfinite(problem.log_likelihood(whole))
    alone = small.maximise(small.expect(model)[1], model)
    assert small.log_likelihood(whole) == pytest.approx(small.log_likelihood(alone), rel=1e-3)  # the share is faint


@cases("plain")
def test_statistics_of_some_rows_and_of_the_rest_are_those_of_all(case: Case) -> None:
    rows = case.rows(90)
    problem = Problem.of(rows, case.estimator)
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


# -- columns (37) --------------------------------------------------------------------------------------------------------


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What NumPy's einsum and its linear algebra are asked to do from here on, in operations as the shapes of their operands say."""
    made: list[float] = []

    def watched(module: Any, name: str, cost: Any) -> None:
        ask = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, **options: made.append(cost(*args, **options)) or ask(*args, **options))

    def einsum(spec: str, *operands: Any, optimize: Any = False, **options: Any) -> float:
        sizes = dict(zip("".join(spec.split("->")[0].split(",")), [size for x in operands for size in np.shape(x)], strict=True))
        return 0.0 if optimize else float(np.prod(list(sizes.values())))

    watched(np, "einsum", einsum)
    for name in ("lstsq", "eigh", "cholesky", "solve", "inv", "svd"):
        watched(np.linalg, name, lambda a, *args, **options: float(np.prod(np.shape(a)) * np.shape(a)[-1]))
    return made


@pytest.mark.parametrize("name", ["linear regression", "poisson regression", "multinomial logistic regression"])
def test_twice_the_columns_cost_eight_times_the_linear_algebra(name: str, operations: list[float]) -> None:
    rng, costs = np.random.default_rng(0), []
    response = [row[1] for row in BY_NAME[name].data(400)]
    for p in (30, 60):
        operations.clear()
        fit(list(zip(rng.normal(size=(400, p)), response, strict=True)), BY_NAME[name].estimator, max_its=1)
        costs.append(sum(operations))
    assert costs[1] <= 8.5 * costs[0]


def calls_of_a_step(rows: Any, estimator: Any) -> int:
    """Python functions called in one EM step."""
    problem = Problem.of(rows, estimator)
    states = ascend(begun(problem, random_start(problem, np.random.default_rng(0), 0.5)), accelerate=False)
    for _ in range(2):
        next(states)
    made = [0]

    def count(frame: Any, event: str, arg: Any) -> None:
        made[0] += event == "call"

    sys.setprofile(count)
    try:
        next(states)
    finally:
        sys.setprofile(None)
    return made[0]


def table_of(n: int, labels: int, reals: int, levels: int = 3) -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(0)
    columns = [rng.integers(levels, size=n).astype(str).tolist() for _ in range(labels)] + rng.normal(size=(reals, n)).tolist()
    return list(zip(*columns, strict=True))


def record_of(labels: int, reals: int) -> CompositeEstimator:
    return CompositeEstimator([CategoricalEstimator()] * labels + [GaussianEstimator()] * reals)


def test_a_step_asks_no_more_of_the_interpreter_for_twice_the_rows_levels_components_or_fields() -> None:
    """What grows with these is arithmetic, in arrays."""
    base = calls_of_a_step(table_of(200, 4, 3), MixtureEstimator([record_of(4, 3)] * 3))
    assert calls_of_a_step(table_of(400, 4, 3), MixtureEstimator([record_of(4, 3)] * 3)) <= base + 5
    assert calls_of_a_step(table_of(200, 4, 3, 6), MixtureEstimator([record_of(4, 3)] * 3)) <= base + 5
    assert calls_of_a_step(table_of(200, 4, 3), MixtureEstimator([record_of(4, 3)] * 6)) <= base + 5
    assert calls_of_a_step(table_of(200, 8, 6), MixtureEstimator([record_of(8, 6)] * 3)) <= base + 5


def test_a_factor_of_many_levels_and_a_column_that_follows_from_others() -> None:
    rng = np.random.default_rng(0)
    level = np.arange(600) % 120
    x = np.column_stack([level[:, None] == np.arange(1, 120), rng.normal(size=600)]).astype(float)
    y = 0.1 * level + x[:, -1] + rng.normal(size=600)
    record = fit(list(zip(x, y, strict=True)), BY_NAME["linear regression"].estimator)
    left = y - record.model.mean_given(x)  # the normal equations: nothing is left in any level, nor along the other column
    np.testing.assert_allclose(np.append(np.bincount(level, left), left @ x[:, -1]), 0.0, atol=1e-9)
    x[:, 100] = x[:, 3] - 2 * x[:, 119]
    with pytest.raises(DegenerateError, match=r"column 119 follows from those before it: it is 0.5 column 3 \+ -0.5 column 100"):
        fit(list(zip(x, y, strict=True)), BY_NAME["linear regression"].estimator)


# -- transport (34) ------------------------------------------------------------------------------------------------------


def answers(estimator: Any, owns: list[Any], previous: Any) -> list[Any]:
    """What a resolved estimator makes of statistics, with what it knows of floors and priors."""
    ties = Ties(estimator)
    law = maximise(estimator, owns, ties, previous)
    said = [[e.degenerate(d), e.min_relative_variance(d), e.place] for e, d in zip(ties.nodes, preorder(law), strict=True)]
    return [law, [d.facts for d in preorder(law)], log_prior(estimator, law, ties), said]


@cases()
def test_what_is_fixed_for_a_fit_survives_a_pickle_and_a_copy(case: Case) -> None:
    problem = Problem.of(case.rows(40), case.estimator)
    value, owns = problem.expect(case.law)
    expected = answers(problem.estimator, owns, case.law)
    for again in (pickle.loads(pickle.dumps(problem.estimator)), copy.deepcopy(problem.estimator)):
        assert again == problem.estimator
        assert answers(again, owns, case.law) == expected
    other = pickle.loads(pickle.dumps(problem))  # ties know nodes by their identity, which a copy does not keep
    assert other.expect(case.law)[0] == value
    assert other.maximise(other.expect(case.law)[1], case.law) == expected[0]


@cases("plain")
def test_a_fit_survives_a_pickle_and_a_copy(case: Case) -> None:
    record = fit(case.rows(40), case.estimator, start=case.law, max_its=2)
    for again in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):
        assert (again.model, again.history, again.status, again.estimator) == (
            record.model,
            record.history,
            record.status,
            record.estimator,
        )
        assert [law.facts for law in preorder(again.model)] == [law.facts for law in preorder(record.model)]


def test_what_is_fixed_for_a_fit_survives_another_process() -> None:
    problems = [(Problem.of(e.data(40), e.law.estimator(1.5)), e.law) for e in EXAMPLES]
    asked = [(problem, problem.expect(law)[1], law) for problem, law in problems]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = [pool.submit(problem.maximise, owns, law) for problem, owns, law in asked]
        assert [future.result() for future in found] == [problem.maximise(owns, law) for problem, owns, law in asked]


def test_a_stream_goes_on_after_a_pickle() -> None:
    case = Case(BY_NAME["keyed mixture"], "prior")
    stream = OnlineEM(case.estimator, rng=1).partial_fit(case.rows(60, 1))
    again = pickle.loads(pickle.dumps(stream))
    assert again.partial_fit(case.rows(60, 2)).model == stream.partial_fit(case.rows(60, 2)).model
