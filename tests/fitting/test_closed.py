"""Models without latent parts whose maximum is closed: fitted in one pass, with the answer of the steps that it saves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dmlcore import fit
from dmlcore.base.errors import DataError, SupportError
from dmlcore.core.flat import flatten
from dmlcore.fitting.problem import Problem
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GammaEstimator,
    GaussianEstimator,
    LinearRegressionEstimator,
    MixtureEstimator,
    PartialGaussianEstimator,
    PoissonEstimator,
    PoissonRegressionEstimator,
    estimate,
)

DRAWS = np.random.default_rng(0)
ROWS = list(
    zip(DRAWS.gamma(3.0, 2.0, 200).tolist(), DRAWS.poisson(2.0, 200).tolist(), DRAWS.choice(list("abc"), 200).tolist(), strict=True)
)
WEIGHTS = DRAWS.uniform(0.5, 2.0, 200)
RECORD = CompositeEstimator((GammaEstimator(), PoissonEstimator(pseudo_count=3.0), CategoricalEstimator(pseudo_count=1.0)))
VECTORS = DRAWS.normal(size=(50, 3))
LINE = list(zip(VECTORS.tolist(), (VECTORS @ [1.0, 0.0, -1.0] + DRAWS.normal(size=50)).tolist(), strict=True))
TIED = CompositeEstimator((GaussianEstimator(keys="k"), GaussianEstimator(keys="k")))


@pytest.mark.parametrize(
    ("data", "estimator", "weights"),
    [
        (ROWS, RECORD, WEIGHTS),
        (VECTORS[:, :2].tolist(), TIED, None),
        (VECTORS, PartialGaussianEstimator(), None),
        (LINE, LinearRegressionEstimator(ridge=1.0), None),
    ],
    ids=["record", "tied", "vectors", "line"],
)
def test_one_pass_has_the_answer_of_many_steps(data: Any, estimator: Any, weights: Any) -> None:
    found, slow = fit(data, estimator, weights=weights), fit(data, estimator, weights=weights, delta=1e-12)
    assert found.model == estimate(data, estimator, weights=weights)
    np.testing.assert_allclose(flatten(found.model), flatten(slow.model), rtol=1e-9, atol=1e-12)
    assert (found.status, found.iterations, slow.iterations > 0) == ("converged", 0, True)
    assert "the maximum is closed" in found.message
    assert found.history == [pytest.approx(slow.log_likelihood, abs=1e-9)]
    assert found.objective == [pytest.approx(slow.objective[-1], abs=1e-9)]
    assert (found.rows, found.estimator) == (slow.rows, estimator)


def test_options_of_a_fit_in_one_pass() -> None:
    seen: list[Any] = []
    found = fit(
        ROWS, RECORD, callback=lambda *told: seen.append(told), vdata=ROWS[:20], patience=2, max_its=0, assign="hard", progress=False
    )
    assert seen == [(0, found.log_likelihood, found.model)]
    assert (found.status, found.assign) == ("converged", "hard")
    with pytest.raises(DataError, match="field 0"):
        fit(ROWS, RECORD, vdata=[("x", 1, "a")])
    with pytest.raises(SupportError, match="row 1 has density zero"):
        fit([1.0, -2.0, 3.0], GammaEstimator())
    assert fit(ROWS, RECORD, start=found.model).iterations > 0


def test_a_closed_maximum_that_is_degenerate_says_so() -> None:
    found = fit([(float(x), 2.0 * x + 1.0) for x in range(1, 9)], CompositeEstimator((GaussianEstimator(), GaussianEstimator())))
    assert found.status == "converged"
    line = fit([([float(x)], 2.0 * x + 1.0) for x in range(1, 9)], LinearRegressionEstimator())
    assert line.status == "degenerate"
    assert "passes through all its responses" in line.message


def test_what_is_closed() -> None:
    assert Problem.of(ROWS, RECORD).resolved.closed
    assert not Problem.of(ROWS, MixtureEstimator([RECORD] * 2)).resolved.closed
    gaps = [[1.0, None], [2.0, 1.0], [0.5, 3.0], [1.0, 2.0]]
    assert not Problem.of(gaps, PartialGaussianEstimator()).resolved.closed  # what is missing is latent
    assert not Problem.of([([1.0], 2), ([2.0], 3), ([0.5], 1)], PoissonRegressionEstimator()).resolved.closed  # takes several steps
